"""Coordinates of the rows for dense data that is wider than tall, and joint fits in them."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import marginclf._estimator.joint as room
from marginclf import MarginLinearClassifier
from marginclf.matrix import design_matrix
from marginclf.matrix.row_space import row_coordinates, wide

RNG = np.random.default_rng(4)
X = RNG.normal(size=(60, 200)) + np.linspace(-3.0, 3.0, 200)
Y = (X[:, :4] + RNG.gumbel(size=(60, 4))).argmax(axis=1)


@pytest.fixture
def solved(monkeypatch):
    """Statuses of the problems that were solved in these coordinates."""
    found, solver = [], room._in_row_space

    def spy(*args):
        found.append(solver(*args))
        return found[-1]

    monkeypatch.setattr(room, "_in_row_space", spy)
    return found


@pytest.mark.parametrize("kind", [np.asarray, np.asfortranarray, lambda X: X.astype(np.float32)])
@pytest.mark.parametrize("repeated", [0, 20])
def test_products_are_those_of_the_rows(kind, repeated):
    rows = kind(np.vstack([X, X[:repeated]]))
    with design_matrix(rows, 1) as matrix:
        assert wide(matrix)
        coordinates, back, miss = row_coordinates(matrix)
    exact = rows.astype(float)
    assert coordinates.shape == (60 + repeated, 60)
    assert_allclose(coordinates @ coordinates.T, exact @ exact.T, rtol=1e-9, atol=1e-7)
    assert miss <= 1e-8
    W = RNG.normal(size=(3, 60))
    assert_allclose(back(W) @ exact.T, W @ coordinates.T, rtol=1e-6, atol=1e-7)
    assert_allclose(np.linalg.norm(back(W)), np.linalg.norm(W), rtol=1e-9)


@pytest.mark.parametrize("loss", ["logistic", "squared_hinge", "exponential"])
def test_the_optimum_of_all_columns(loss, solved):
    weights = RNG.integers(0, 3, 60).astype(float)
    for C, fit_intercept in ((1e-3, True), (1.0, False), (10.0, True)):
        how = {"C": C, "fit_intercept": fit_intercept}
        found = MarginLinearClassifier(loss, **how).fit(X, Y, weights)
        assert solved.pop().status.converged
        other = MarginLinearClassifier(loss, solver="newton", tol=1e-12, max_iter=2000, **how).fit(X, Y, weights)
        assert not solved
        assert found.suboptimality_[0] <= 1e-8
        missing = found.objective_[0] - other.objective_[0]
        assert missing <= (found.suboptimality_[0] + 1e-12) * found.objective_[0]
        assert_allclose(found.coef_, other.coef_, atol=2e-4 * np.abs(other.coef_).max())


def test_what_is_claimed_is_of_all_columns(monkeypatch, solved):
    """Coefficients that come back spoilt are no optimum, and another solver goes on from there."""
    right = row_coordinates
    monkeypatch.setattr(room, "row_coordinates", lambda m: (right(m)[0], lambda W: 1.1 * right(m)[1](W), right(m)[2]))
    found = MarginLinearClassifier().fit(X, Y)
    assert not solved[0].status.converged
    assert found.status_[0].startswith("Optimal")
    monkeypatch.undo()
    assert found.objective_[0] == pytest.approx(MarginLinearClassifier().fit(X, Y).objective_[0], rel=1e-7)


def test_threads_and_what_is_not_for_it(solved):
    one, two = (MarginLinearClassifier(n_jobs=n_jobs).fit(X, Y) for n_jobs in (1, 2))
    assert_array_equal(one.coef_, two.coef_)
    assert len(solved) == 2
    for model in (MarginLinearClassifier("hinge", multi_class="joint"), MarginLinearClassifier(record_history=True)):
        model.fit(X, Y)
    MarginLinearClassifier().fit(X[:, :50], Y)
    assert len(solved) == 2
    with pytest.raises(ValueError, match="overflow"):
        MarginLinearClassifier().fit(X * 1e200, Y)
