"""The Newton direction against the linear system in 60 digits, factored and by conjugate gradients."""

import importlib

import numpy as np
import pytest
import scipy.sparse as sp
from problems import Exact, draw, fit, objective_of
from references import CONVEX, LOSSES, mp, usually

from marginclf.losses import DWD, Exponential, Logistic, Savage, Sigmoid, SmoothHinge, Squared, Tangent
from marginclf.objective import Objective, shortened
from marginclf.objective.curvature import BinaryCurvature

direction = importlib.import_module("marginclf.solvers.direction")

X, Y, S = draw(n=40, d=3, seed=26)
W = np.array([0.4, -0.2, 0.1])
INTERCEPT = pytest.mark.parametrize("fit_intercept", [True, False], ids=["intercept", "no-intercept"])
OFFSETS = pytest.mark.parametrize("offset", [0.0, 1e3])


def point_of(loss, rows, fit_intercept, C=2.0):
    objective = objective_of(loss, rows, Y, S, C=C, fit_intercept=fit_intercept)
    b = -float(rows.mean(axis=0) @ W) if fit_intercept else 0.0
    return objective, objective.at(objective.theta(W, b))


def expected(loss, rows, point, fit_intercept, C=2.0):
    exact = Exact(loss, rows, Y, S, C=C, fit_intercept=fit_intercept)
    gradient, hessian = exact.derivatives(exact.theta(point.w, point.b[0]))
    step = -mp.lu_solve(hessian, gradient)
    return step, hessian, -float(mp.fdot(gradient, step)) / 2


def by_conjugate_gradients(monkeypatch, residual=1e-2):
    monkeypatch.setattr(Objective, "direct_limit", 0)
    monkeypatch.setattr(BinaryCurvature, "residual", residual)
    monkeypatch.setattr(direction, "_factored", None)


@OFFSETS
@INTERCEPT
@pytest.mark.parametrize("road", ["factored", "conjugate gradients"])
@pytest.mark.parametrize("loss", [Logistic(), Exponential(), SmoothHinge(), Squared(), DWD()], ids=repr)
def test_solves_the_linear_system(loss, road, fit_intercept, offset, monkeypatch):
    rows = X + offset * fit_intercept
    objective, point = point_of(loss, rows, fit_intercept)
    if road != "factored":
        by_conjugate_gradients(monkeypatch, residual=1e-12)
    found = direction.newton_direction(objective, point)
    step, _, decrement = expected(loss, rows, point, fit_intercept)
    step = np.array([float(v) for v in step])
    dw, db = found.step[:3], found.step[3]
    np.testing.assert_allclose(dw, step[:3], rtol=1e-6)
    assert found.decrement == pytest.approx(decrement, rel=1e-6)
    # What matters of db is the change of the decision values.
    change = rows @ dw + db
    np.testing.assert_allclose(change, rows @ step[:3] + step[3:].sum(), rtol=1e-5, atol=1e-6)
    assert fit_intercept or db == 0.0


@pytest.mark.parametrize("loss", [case for case in CONVEX if not case.values[0].affine])
def test_conjugate_gradients_never_understate_the_decrement(loss, monkeypatch):
    """A fit may stop for it: what the truncation hides is added."""
    by_conjugate_gradients(monkeypatch)
    for fit_intercept in (True, False):
        objective, point = point_of(loss, X, fit_intercept)
        if point.c.any():
            _, _, decrement = expected(loss, X, point, fit_intercept)
            assert direction.newton_direction(objective, point).decrement >= decrement * (1 - 1e-9)


@INTERCEPT
@pytest.mark.parametrize("loss", [Savage(), Tangent(), Sigmoid()], ids=repr)
@pytest.mark.parametrize("road", ["eigenvalues", "conjugate gradients"])
def test_goes_down_where_the_hessian_is_indefinite(loss, road, fit_intercept, monkeypatch):
    if road != "eigenvalues":
        by_conjugate_gradients(monkeypatch)
    indefinite = 0
    for w in 4.0 * np.random.default_rng(27).normal(size=(20, 3)):
        objective = objective_of(loss, X, Y, S, C=100.0, fit_intercept=fit_intercept)
        point = objective.at(objective.theta(w, 0.5 if fit_intercept else 0.0))
        _, hessian, _ = expected(loss, X, point, fit_intercept, C=100.0)
        indefinite += min(mp.eigsy(hessian, eigvals_only=True)) < 0
        found = direction.newton_direction(objective, point)
        assert point.gradient @ found.step < 0.0
        assert found.decrement > 0.0
        t = 1e-4 / np.abs(found.step).max()
        assert objective.at(point.theta + t * found.step).value < point.value
    assert indefinite > 5, "this is what the test is for"


@pytest.mark.parametrize("fit_intercept", [True, False], ids=["intercept", "no-intercept"])
@pytest.mark.parametrize("loss", usually(LOSSES))
def test_both_roads_end_at_the_same_place(loss, fit_intercept, monkeypatch):
    """On sparse and dense rows, whose Hessian products differ."""
    rows = np.where(np.abs(X) < 0.3, 0.0, X)
    factored, _ = fit(loss, rows, Y, S, fit_intercept=fit_intercept, solver="newton", tol=1e-10)
    by_conjugate_gradients(monkeypatch)
    for storage in (np.asarray, sp.csr_array):
        model, messages = fit(loss, storage(rows), Y, S, fit_intercept=fit_intercept, solver="newton", tol=1e-10)
        assert not messages
        assert model.objective_[0] == pytest.approx(factored.objective_[0], rel=1e-9)
        np.testing.assert_allclose(model.coef_, factored.coef_, atol=2e-4)


def test_a_constant_column_is_noticed_without_a_penalty():
    """Beside the intercept it is a second one; rounding would decide its coefficient."""
    rows = np.column_stack([X, np.full(len(X), 3.7)])
    for solver in ("newton", "lbfgs"):
        model, messages = fit("logistic", rows, Y, S, C=np.inf, solver=solver)
        plain, _ = fit("logistic", X, Y, S, C=np.inf)
        assert not messages
        assert model.objective_[0] == pytest.approx(plain.objective_[0], rel=1e-8)
        assert np.abs(model.coef_).max() < 100.0


def test_dependent_columns_without_a_penalty():
    rows = np.column_stack([X, X @ [1.0, 2.0, -1.0]])
    for loss in ("logistic", "squared_hinge"):
        model, messages = fit(loss, rows, Y, S, C=np.inf)
        plain, _ = fit(loss, X, Y, S, C=np.inf)
        assert not messages
        assert model.objective_[0] == pytest.approx(plain.objective_[0], rel=1e-8)
        assert np.abs(model.coef_).max() < 100.0


def test_a_step_of_the_intercepts_is_shortened_as_a_whole():
    b = np.array([5.0, -5.0, 0.0])
    np.testing.assert_allclose(shortened(np.array([-10.0, 35.0, -25.0]), b), [-10.0, 35.0, -25.0])
    np.testing.assert_allclose(shortened(np.array([-100.0, 350.0, -250.0]), b), [-10.0, 35.0, -25.0])
