"""Where C is tiny, F hardly depends on the coefficients, and they are right all the same."""

import dask.array as da
import numpy as np
import pytest
from problems import Exact, draw, fit, solution
from references import DEFAULTS, takes
from scipy.optimize import brentq
from sklearn.metrics import roc_auc_score

from marginclf.losses import Hinge, Logistic, SmoothHinge, SquaredHinge
from marginclf.solvers import SOLVERS, Status

X, Y, S = draw(n=60, d=4, seed=3)
X = X + np.array([3.0, -2.0, 0.5, 1.0])
LOSSES = [case.values[0] for case in DEFAULTS]
SMOOTH = [pytest.param(loss, id=loss.name) for loss in LOSSES if loss.convex and loss.smooth and not loss.affine]
TOLERANCE = 1e-6


SIGNS = 2.0 * Y - 1.0


def best_intercept(loss):
    """The root of Σ s φ'(y b) y."""
    return brentq(lambda b: (S * loss.evaluate(SIGNS * b)[1]) @ SIGNS, -20.0, 20.0, xtol=1e-15)


@pytest.mark.parametrize("loss", SMOOTH)
def test_coefficients_over_C_by_every_solver(loss):
    for C in (1e-15, 1e-8, 1e-4, 1e-2, 1.0):
        found = {solver: fit(loss, X, Y, S, C=C, solver=solver) for solver in ("auto", *SOLVERS)}
        _, best, _ = Exact(loss, X, Y, S, C=C).optimum(*solution(found["auto"][0]))
        best = np.array(best, dtype=float)
        for solver, (model, messages) in found.items():
            assert not messages, (C, solver)
            assert np.linalg.norm(model.coef_[0] - best) <= TOLERANCE * np.linalg.norm(best), (C, solver)
            assert 0.0 <= model.suboptimality_[0] <= 1e-8


@pytest.mark.parametrize("loss", [Logistic(), SquaredHinge(), SmoothHinge()], ids=lambda loss: loss.name)
def test_the_limit_is_the_gradient_at_the_best_intercept(loss):
    b = best_intercept(loss)
    limit = -(S * loss.evaluate(SIGNS * b)[1] * SIGNS) @ X
    model, _ = fit(loss, X, Y, S, C=1e-15)
    np.testing.assert_allclose(model.coef_[0], 1e-15 * limit, rtol=TOLERANCE)
    np.testing.assert_allclose(model.intercept_, b, rtol=TOLERANCE)


@pytest.mark.parametrize("solver", ["auto", *SOLVERS])
@pytest.mark.parametrize("loss", [Logistic(), Hinge()], ids=lambda loss: loss.name)
def test_several_classes(loss, solver):
    """The joint form has the same limit: W proportional to C, whatever C is."""
    if not takes(solver, loss):
        return
    y = (Y + (X[:, 1] > -2.0)).astype(int)
    small, messages = fit(loss, X, y, S, C=1e-9, solver=solver)
    assert not messages
    smaller, messages = fit(loss, X, y, S, C=1e-12, solver=solver)
    assert not messages
    scale = np.abs(small.coef_).max() / 1e-9
    np.testing.assert_allclose(smaller.coef_ / 1e-12, small.coef_ / 1e-9, rtol=1e-5, atol=1e-5 * scale)
    assert np.abs(small.coef_).max() > 0.0


@pytest.mark.parametrize("solver", ["auto", "lbfgs"])
def test_rows_in_parts(solver):
    parts = [da.from_array(a, chunks=((20, 40), *((n,) for n in a.shape[1:]))) for a in (X, Y, S)]
    for C in (1e-15, 1e-8, 1e-4):
        model, messages = fit("logistic", *parts, C=C, solver=solver)
        best, _ = fit("logistic", X, Y, S, C=C)
        assert not messages
        assert np.linalg.norm(model.coef_ - best.coef_) <= TOLERANCE * np.linalg.norm(best.coef_)


def test_many_rows_are_ranked_by_tiny_coefficients():
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(20_000, 20))
    labels = (rows[:, 0] + 0.5 * rng.normal(size=len(rows)) > 0.0).astype(int)
    for loss in ("logistic", "hinge"):
        model, messages = fit(loss, rows, labels, C=1e-15)
        assert not messages
        assert roc_auc_score(labels, model.decision_function(rows)) > 0.9


def test_no_advice_to_scale_features_that_need_none():
    rng = np.random.default_rng(1)
    rows, labels = rng.normal(size=(10, 4)), np.arange(10) % 2
    model, messages = fit("logistic", rows, labels, C=1e-7, solver="lbfgs")
    assert not messages
    assert model.status_ == (Status.PROVEN.value,)


def test_features_that_say_nothing():
    """The optimum is w = 0: there is nothing to gain, which no tolerance is relative to."""
    rows = np.repeat([[1.0, -2.0], [-1.0, 2.0]], 10, axis=0)
    labels = np.tile([0, 1], 10)
    for loss in ("logistic", "hinge"):
        for solver in ("auto", "newton", "dual"):
            model, messages = fit(loss, rows, labels, solver=solver)
            assert not messages
            np.testing.assert_allclose(model.coef_, 0.0, atol=1e-12)
