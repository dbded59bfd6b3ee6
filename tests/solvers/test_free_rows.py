"""The end of ascent for the hinge on sparse rows: a system of the rows at the kink."""

import importlib

import numpy as np
import pytest
import scipy.sparse as sp
from problems import fit, objective_of
from sklearn.svm import LinearSVC

from marginclf.losses import Hinge, SmoothHinge
from marginclf.solvers.dual import dual
from marginclf.solvers.free_rows import end_by_free_rows, free_rows_suit


def text(n=600, d=300, seed=0):
    """Rows with few words, an empty one, one that is twice there, and some with the same words and either label."""
    rng = np.random.default_rng(seed)
    X = sp.random(n, d, 0.03, "csr", random_state=seed)
    y = np.sign(X @ rng.normal(size=d) + 2.0 * rng.normal(size=n))
    X = sp.vstack([X, X[:3], sp.csr_matrix((1, d))], format="csr")
    return X, (np.concatenate([y, y[0:1], -y[1:3], [1.0]]) > 0.0).astype(int)


@pytest.mark.parametrize("C", [0.1, 1.0, 30.0])
@pytest.mark.parametrize("fit_intercept", [False, True])
def test_from_rough_multipliers_it_ends_at_the_optimum(C, fit_intercept):
    X, y = text()
    objective = objective_of(Hinge(), X, y, C=C, fit_intercept=fit_intercept)
    assert free_rows_suit(objective)
    rough = dual(objective, objective.origin(), tol=1e-3, max_iter=200)
    assert rough.point.excess > 1e-9
    point = end_by_free_rows(objective, rough.multipliers, float(rough.point.b[0]), 1e-8)
    assert point is not None
    assert point.excess <= 1e-8
    if not fit_intercept:
        peer = LinearSVC(loss="hinge", C=C, tol=1e-10, fit_intercept=False, max_iter=200_000).fit(X, y).coef_[0]
        there = C * np.maximum(0.0, 1.0 - (2 * y - 1) * (X @ peer)).sum() + 0.5 * peer @ peer
        assert abs(point.value - there) <= 1e-7 * there


@pytest.mark.parametrize("C", [10.0, 1e4])
def test_where_nearly_all_rows_are_free(C):
    """Classes that can be separated, of more words than rows: with a large C, margins have to be more exact."""
    rng = np.random.default_rng(2)
    X = sp.random(300, 900, 0.05, "csr", random_state=1)
    y = (X @ rng.normal(size=900) > 0.0).astype(int)
    objective = objective_of(Hinge(), X, y, C=C)
    rough = dual(objective, objective.origin(), tol=1e-3, max_iter=200)
    a = np.abs(rough.multipliers)
    assert np.mean((a > 0.0) & (a < 1.0)) > 0.6
    point = end_by_free_rows(objective, rough.multipliers, float(rough.point.b[0]), 1e-8)
    assert point is not None
    assert point.excess <= 1e-8


def test_what_it_claims_is_no_more_than_its_gap():
    """From wrong multipliers it may get nowhere, but does not say otherwise."""
    X, y = text()
    objective = objective_of(Hinge(), X, y, C=1.0)
    best = dual(objective, objective.origin(), tol=1e-9, max_iter=500).point.value
    for a in (np.zeros(len(y)), np.ones(len(y)), np.random.default_rng(0).uniform(size=len(y))):
        for tol in (1e-8, 1.0, np.inf):
            point = end_by_free_rows(objective, a, 0.0, tol)
            assert point is None or point.value - best <= (point.excess + 1e-9) * abs(best)
            assert point is None or point.excess <= tol


def test_it_is_for_two_lines():
    X, y = text()
    assert not free_rows_suit(objective_of(SmoothHinge(), X, y))
    assert not free_rows_suit(objective_of(Hinge(), X.toarray(), y))


def test_ascent_ends_by_it(monkeypatch):
    X, y = text()
    model, messages = fit("hinge", X, y, solver="dual", C=1.0)
    assert not messages
    monkeypatch.setattr(importlib.import_module("marginclf.solvers.dual"), "free_rows_suit", lambda objective: False)
    other, messages = fit("hinge", X, y, solver="dual", C=1.0)
    assert not messages
    assert model.n_iter_[0] < other.n_iter_[0]
    np.testing.assert_allclose(model.objective_, other.objective_, rtol=1e-8)
