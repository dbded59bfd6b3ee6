"""Primal-dual steps for the joint margin: the optimum, its proof, and what happens where they do not get there."""

from __future__ import annotations

import importlib
import itertools

import numpy as np
import pytest
from problems import fit
from references import LOSS_CASES
from scipy import sparse
from sklearn.datasets import load_iris, load_wine
from sklearn.preprocessing import scale
from test_joint import by_cvxpy, draw

from marginclf import MarginLinearClassifier
from marginclf.losses import MarginLoss, SquaredHinge
from marginclf.matrix import design_matrix
from marginclf.objective import L2, JointObjective
from marginclf.solvers import Status, primal_dual_suits, solve

method = importlib.import_module("marginclf.solvers.primal_dual")
systems = importlib.import_module("marginclf.solvers.row_system")

INVERTIBLE = [pytest.param(loss, id=name) for name, loss in LOSS_CASES if loss.inverse_slope is not None]
KNOWN = ["squared_hinge", "smooth_hinge", "modified_huber", "hinge", "exponential", "dwd"]


def problem(matrix, loss, y, s, C, *, fit_intercept=True, weights=1.0):
    return JointObjective(
        matrix, loss, y, C * s, int(y.max()) + 1, penalty=L2(weights), fit_intercept=fit_intercept
    )  # fmt: skip


def alone(objective, tol=1e-8, max_iter=200, start=None):
    """Primal-dual steps without another method before or after."""
    return method.primal_dual(objective, start or objective.origin(), tol=tol, max_iter=max_iter)


@pytest.mark.parametrize("loss", INVERTIBLE)
def test_inverse_slope_is_the_inverse(loss):
    low, cap = method.ends(loss)
    a = np.minimum(cap, 50.0) * np.array([1e-6, 1e-3, 0.1, 0.5, 0.9, 1.0 - 1e-9])
    for value in a:
        m, derivative = loss.inverse_slope(float(value))
        if not loss.smooth:
            # At a kink any slope is of its margin.
            assert -loss.evaluate([m + 1e-9])[1][0] <= value <= -loss.evaluate([m - 1e-9])[1][0]
            assert derivative == 0.0
            continue
        _, (slope,), (curvature,) = loss.evaluate([m])
        assert -slope == pytest.approx(value, rel=1e-9, abs=1e-12)
        if value < 0.99 * cap:
            assert derivative == pytest.approx(-1.0 / curvature, rel=1e-6)
    assert low == (loss.name in ("hinge", "squared_hinge", "smooth_hinge", "modified_huber"))
    assert cap == loss.lipschitz


@pytest.mark.parametrize("loss", [case for case in INVERTIBLE if case.values[0].name in KNOWN])
def test_optimum_is_that_of_newtons_method(loss):
    X, y, s = draw(n=70, d=4, k=4, seed=5)
    X += [0.0, 3.0, -5.0, 10.0]
    with design_matrix(X, 1) as matrix:
        for C, fit_intercept in ((1e-3, True), (1.0, False), (1e4, True)):
            objective = problem(matrix, loss, y, s, C, fit_intercept=fit_intercept)
            found = alone(objective)
            assert found.status is Status.PROVEN
            best = solve(objective, objective.zeros(), solver="newton", tol=1e-11, max_iter=3000)
            suboptimality = (found.point.value - best.point.value) / best.point.value
            assert -1e-9 <= suboptimality <= found.point.suboptimality + 1e-10, C
            assert found.point.excess <= 1e-8


@pytest.mark.parametrize("C", [1e-2, 1e3])
@pytest.mark.parametrize("loss", [case for case in INVERTIBLE if case.values[0].name in ("hinge", "smooth_hinge")])
def test_optimum_is_that_of_cvxpy(loss, C):
    X, y, s = draw(n=50, d=3, k=3, seed=8)
    with design_matrix(X, 1) as matrix:
        found = alone(problem(matrix, loss, y, s, C))
    np.testing.assert_allclose(found.point.value, by_cvxpy(loss, X, y, s, C, True), rtol=2e-8)


@pytest.mark.parametrize("name", KNOWN)
@pytest.mark.parametrize("data", [load_iris, load_wine])
def test_it_gets_there_alone(name, data):
    X, y = data(return_X_y=True)
    loss = next(loss for _, loss in LOSS_CASES if loss.name == name)
    with design_matrix(scale(X), 1) as matrix:
        for C in (1e-3, 1e-2, 1.0, 1e2, 1e4):
            found = alone(problem(matrix, loss, y, np.ones(len(y)), C))
            assert found.status is Status.PROVEN, C
            assert found.n_iter <= 80, C


@pytest.mark.parametrize("name", ["hinge", "squared_hinge", "dwd"])
def test_any_storage_and_any_system(name, monkeypatch):
    """Products only, a factor at once, and what a stale one leaves: the same optimum."""
    X, y, s = draw(n=80, d=5, k=4, seed=3)
    X[np.abs(X) < 0.7] = 0.0
    loss = next(loss for _, loss in LOSS_CASES if loss.name == name)
    values = []
    kinds = (np.asarray, sparse.csr_matrix, sparse.csc_matrix, lambda X: X.astype(np.float32))
    for kind, small in itertools.product(kinds, (0, 10_000)):
        monkeypatch.setattr(systems, "_SMALL", small)
        with design_matrix(kind(X), 1) as matrix:
            found = alone(problem(matrix, loss, y, s, 10.0))
        assert found.status is Status.PROVEN
        values.append(found.point.value)
    np.testing.assert_allclose(values[:-2], values[0], rtol=1e-8)
    np.testing.assert_allclose(values[-2:], values[0], rtol=1e-4)


@pytest.mark.parametrize("name", ["hinge", "squared_hinge"])
def test_weights_of_the_penalty_are_a_scaling(name):
    X, y, s = draw(n=60, d=3, k=3, seed=4)
    weights = np.array([0.5, 2.0, 4.0])
    loss = next(loss for _, loss in LOSS_CASES if loss.name == name)
    with design_matrix(X, 1) as matrix, design_matrix(X / np.sqrt(weights), 1) as scaled:
        found = alone(problem(matrix, loss, y, s, 1.0, weights=weights))
        other = alone(problem(scaled, loss, y, s, 1.0))
    assert found.point.value == pytest.approx(other.point.value, rel=1e-8)
    np.testing.assert_allclose(found.point.coefficients * np.sqrt(weights), other.point.coefficients, atol=1e-4)


@pytest.mark.parametrize("loss", [case for case in INVERTIBLE if case.values[0].name in KNOWN])
def test_what_is_claimed_early_is_true(loss):
    """Whatever step it stops at, the bound is one; without a proof, the start or better."""
    X, y, s = draw(n=40, d=3, k=4, seed=11)
    with design_matrix(X, 1) as matrix:
        objective = problem(matrix, loss, y, s, 10.0)
        best = solve(objective, objective.zeros(), solver="newton", tol=1e-12, max_iter=3000).point.value
        for max_iter in (1, 3, 6, 9, 12):
            found = alone(objective, tol=1e-3, max_iter=max_iter)
            assert found.status in (Status.PROVEN, Status.MAX_ITER)
            assert found.n_iter <= max_iter
            assert found.point.value <= objective.origin().value
            if found.status is Status.PROVEN:
                assert found.point.value - best <= found.point.bound + 1e-10 * best


def test_a_stalled_run_is_taken_on(monkeypatch):
    X, y, s = draw(n=60, d=3, k=4)
    expected, _ = fit("hinge", X, y, s, multi_class="joint", C=10.0)
    monkeypatch.setattr(method, "_STEPS", 3)
    for name in ("hinge", "squared_hinge"):
        model, messages = fit(name, X, y, s, multi_class="joint", C=10.0)
        assert not messages
        assert model.suboptimality_[0] <= 1e-8
        assert model.n_iter_[0] > 3
        if name == "hinge":
            assert model.objective_[0] == pytest.approx(expected.objective_[0], rel=1e-8)


def test_a_wrong_inverse_costs_time_and_nothing_else():
    class Wrong(SquaredHinge):
        def point(self, m):
            t = 1.0 - m
            if t <= 0.0:
                return 0.0, 0.0, 0.0
            return 2.0 * t * t, -4.0 * t, 4.0

    class Wronger(Wrong):
        def point(self, m):
            t = 1.0 - m
            if t <= 0.0:
                return 0.0, 0.0, 0.0
            return 2.0 * t * t, -4.0 * t, 4.0

        def inverse_slope(self, a):
            return 1.0 - 0.5 * a, -0.5

    X, y, s = draw(n=60, d=3, k=3)
    assert not Wrong().invertible
    assert Wronger().invertible
    assert SquaredHinge().invertible
    expected, _ = fit("squared_hinge", X, y, 2.0 * s, multi_class="joint")
    for loss in (Wrong(), Wronger()):
        model, messages = fit(loss, X, y, s, multi_class="joint")
        assert not messages
        assert model.objective_[0] == pytest.approx(expected.objective_[0], rel=1e-8)


def test_whom_it_suits():
    class PowerHinge(MarginLoss):
        p: float = 3.0

        def point(self, m):
            t = 1.0 - m
            if t <= 0.0:
                return 0.0, 0.0, 0.0
            return t**self.p, -self.p * t ** (self.p - 1), self.p * (self.p - 1) * t ** (self.p - 2)

    X, y, s = draw()
    by_name = {loss.name: loss for _, loss in LOSS_CASES}
    with design_matrix(X, 1) as matrix:
        assert primal_dual_suits(problem(matrix, by_name["hinge"], y, s, 1.0))
        assert not primal_dual_suits(problem(matrix, by_name["logistic"], y, s, 1.0))
        assert not primal_dual_suits(problem(matrix, by_name["squared_hinge"], y, s, 1.0, weights=0.0))
        assert not primal_dual_suits(problem(matrix, PowerHinge(), y, s, 1.0))


def test_overflow_is_an_error():
    X, y, _ = draw(n=30, d=2, k=3)
    model = MarginLinearClassifier("squared_hinge", multi_class="joint")
    for large in (1e200, 1e154):
        with pytest.raises(ValueError, match="overflow"):
            model.fit(X * large, y)
