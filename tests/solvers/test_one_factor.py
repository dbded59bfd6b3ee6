"""Several classes of a quadratic loss by one factor: the optimum of ridge regression, proven for each class."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from sklearn.datasets import load_wine
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import RidgeClassifier
from sklearn.preprocessing import scale

import marginclf._estimator.one_vs_rest as room
from marginclf import MarginLinearClassifier
from marginclf.losses import MarginLoss

X, Y = load_wine(return_X_y=True)
X = scale(X)


class Parabola(MarginLoss):
    """½ (t − m)², one of a user's own."""

    t: float = 2.0

    def point(self, m):
        return 0.5 * (self.t - m) ** 2, m - self.t, 1.0

    def curvature_bounds(self):
        return 1.0, 1.0


@pytest.fixture
def solved(monkeypatch):
    """How many problems were solved by one factor."""
    counts, solver = [], room.one_factor

    def spy(*args, **kwargs):
        found = solver(*args, **kwargs)
        counts.append(sum(solution is not None for solution in found))
        return found

    monkeypatch.setattr(room, "one_factor", spy)
    return counts


@pytest.mark.parametrize("kind", [np.asarray, sparse.csr_array, lambda X: X.astype(np.float32)])
@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("C", [1e-4, 1.0, 1e4])
def test_ridge_regression(C, fit_intercept, kind, solved):
    weights = np.random.default_rng(0).integers(0, 3, len(Y)).astype(float)
    shifted = kind(X + np.array([0.0, 10.0, *[1.0] * 11]))
    model = MarginLinearClassifier("squared", C=C, fit_intercept=fit_intercept).fit(shifted, Y, weights)
    exact = shifted.toarray() if sparse.issparse(shifted) else shifted.astype(float)
    other = RidgeClassifier(0.5 / C, fit_intercept=fit_intercept, solver="cholesky").fit(exact, Y, weights)
    assert solved == [3]
    assert (model.suboptimality_ <= 1e-8).all()
    assert_allclose(model.coef_, other.coef_, rtol=1e-6, atol=1e-9)
    assert_allclose(model.intercept_, other.intercept_, rtol=1e-6, atol=1e-7)


def test_a_parabola_of_ones_own(solved):
    model = MarginLinearClassifier(Parabola(), multi_class="ovr").fit(X, Y)
    one = MarginLinearClassifier(Parabola(), multi_class="ovr").fit(X, Y == 1)
    assert solved == [3]
    assert_allclose(model.coef_[1], one.coef_[0], rtol=1e-7, atol=1e-10)
    assert_allclose(model.objective_[1], one.objective_[0], rtol=1e-12)


def test_what_is_not_proven_is_solved_as_by_itself(monkeypatch, solved):
    monkeypatch.setattr(room, "one_factor", lambda objectives, *_, **__: [None] * len(objectives))
    model = MarginLinearClassifier("squared").fit(X, Y)
    assert all(status.startswith("Optimal") for status in model.status_)
    monkeypatch.undo()
    again = MarginLinearClassifier("squared").fit(X, Y)
    assert_allclose(model.coef_, again.coef_, rtol=1e-7, atol=1e-10)


def test_it_claims_what_is_proven():
    """Columns whose sizes differ by 10¹⁶ and a large C leave little of a factor."""
    spread = X * np.geomspace(1e-8, 1e8, 13)
    for C in (1e4, 1e12):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            model = MarginLinearClassifier("squared", C=C).fit(spread, Y)
        for status, bound in zip(model.status_, model.suboptimality_, strict=True):
            assert bound <= 1e-8 or "proven bound on the relative suboptimality is at most" not in status


def test_threads_and_watching():
    wide = np.tile(X, (200, 1))
    y = np.tile(Y, 200)
    one, two = (MarginLinearClassifier("squared", n_jobs=n_jobs).fit(wide, y) for n_jobs in (1, 2))
    assert_array_equal(one.coef_, two.coef_)
    watched = MarginLinearClassifier("squared", record_history=True).fit(X, Y)
    assert len(watched.history_)
    assert_allclose(watched.coef_, MarginLinearClassifier("squared").fit(X, Y).coef_, rtol=1e-6, atol=1e-9)
