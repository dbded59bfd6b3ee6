"""Losses with a kink: the method of multipliers ends exactly, whatever the data, and proves it."""

import cvxpy as cp
import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st
from problems import Exact, draw, fit, objective_of, solution
from sklearn.datasets import load_breast_cancer
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC

from marginclf.losses import Hinge

INTERCEPT = pytest.mark.parametrize("fit_intercept", [True, False], ids=["intercept", "no-intercept"])


def value(X, y, s, C, w, b):
    return C * (s * np.maximum(0.0, 1.0 - (2 * y - 1) * (X @ w + b))).sum() + 0.5 * w @ w


def by_cvxpy(X, y, s, C, fit_intercept):
    w, b = cp.Variable(X.shape[1]), cp.Variable()
    losses = cp.pos(1 - cp.multiply(2 * y - 1, X @ w + b))
    F = C * cp.sum(cp.multiply(s, losses)) + cp.sum_squares(w) / 2
    cp.Problem(cp.Minimize(F), [] if fit_intercept else [b == 0]).solve(
        solver=cp.CLARABEL, tol_gap_abs=1e-12, tol_gap_rel=1e-12, tol_feas=1e-12
    )
    return value(X, y, s, C, w.value, float(b.value) if fit_intercept else 0.0)


def degenerate():
    X, y, s = draw(n=30, d=3, seed=1)
    wide = np.random.default_rng(2).normal(size=(12, 40))
    separable = (X @ [1.0, -0.5, 0.2] > 0.0).astype(int)
    rare = np.zeros(30, dtype=int)
    rare[3] = 1
    ones = np.ones(30)
    return {
        "weighted": (X, y, s, 1.0),
        "equal weights": (X, y, ones, 1.0),
        "duplicate rows": (np.repeat(X, 3, axis=0), np.repeat(y, 3), np.repeat(s, 3), 1.0),
        "zero rows": (np.vstack([X, np.zeros((5, 3))]), np.append(y, [0, 1, 1, 0, 1]), np.append(s, np.ones(5)), 1.0),
        "zero column": (X * [1.0, 0.0, 1.0], y, s, 1.0),
        "fewer rows than columns": (wide, np.arange(12) % 2, np.ones(12), 1.0),
        "separable, huge C": (X, separable, ones, 1e6),
        "one of a class": (X, rare, ones, 1.0),
        "tiny C": (X, y, ones, 1e-6),
        "large C": (X, y, s, 1e4),
        "integers": (np.round(X), y, ones, 0.5),
    }


DEGENERATE = degenerate()


@INTERCEPT
@pytest.mark.parametrize("solver", ["auto", "newton", "dual"])
@pytest.mark.parametrize("data", DEGENERATE)
def test_optimum_of_degenerate_data(data, solver, fit_intercept):
    X, y, s, C = DEGENERATE[data]
    model, messages = fit("hinge", X, y, s, C=C, fit_intercept=fit_intercept, solver=solver)
    theirs = by_cvxpy(X, y, s, C, fit_intercept)
    ours = value(X, y, s, C, *solution(model))
    assert not messages
    assert theirs * (1 - 1e-6) <= ours <= theirs * (1 + 1e-8)
    assert ours == pytest.approx(model.objective_[0], rel=1e-12, abs=C * len(y) * 1e-15)
    assert 0.0 <= model.suboptimality_[0] <= 1e-8


@pytest.mark.parametrize("C", [1e-3, 1.0, 100.0, 1e4])
def test_real_data_beside_linear_svc(C):
    X, y = load_breast_cancer(return_X_y=True)
    X = StandardScaler().fit_transform(X)
    model, messages = fit("hinge", X, y, C=C, fit_intercept=False)
    assert not messages
    # It goes on to rounding: the gap adds up C times margins, each of them a sum of 30 products.
    added = C * (1.0 + np.abs(X) @ np.abs(model.coef_[0])).sum()
    assert model.suboptimality_[0] <= 30 * np.finfo(float).eps * added / model.objective_[0]
    ones = np.ones(len(y))
    theirs = LinearSVC(loss="hinge", C=C, fit_intercept=False, tol=1e-9, max_iter=200_000)
    if C <= 1.0:  # beyond, its coordinate descent does not get there
        theirs.fit(X, y)
        reached = value(X, y, ones, C, theirs.coef_[0], 0.0)
        assert model.objective_[0] == pytest.approx(reached, rel=1e-8)
    assert model.objective_[0] <= by_cvxpy(X, y, ones, C, False) * (1 + 1e-9)


def test_the_order_of_the_rows_decides_nothing():
    X, y, s = draw(n=300, d=5, seed=3)
    model, _ = fit("hinge", X, y, s)
    for seed in range(4):
        order = np.random.default_rng(seed).permutation(len(X))
        other, _ = fit("hinge", X[order], y[order], s[order])
        np.testing.assert_allclose(other.coef_, model.coef_, rtol=1e-10, atol=1e-12)
        np.testing.assert_allclose(other.intercept_, model.intercept_, rtol=1e-10, atol=1e-12)


def test_of_an_interval_of_intercepts_the_midpoint():
    # With so small a C all rows that have slack keep their slope, and the classes balance: b is free in between.
    X, y = np.array([[1.0], [2.0], [-1.0], [-2.0]]), np.array([1, 1, 0, 0])
    for shift in (0.0, 5.0):
        model, messages = fit("hinge", X + shift, y, C=1e-3)
        w, b = solution(model)
        assert not messages
        assert w[0] == pytest.approx(6e-3, rel=1e-12)
        # y (x w + b) ≤ 1 for every row: b from −1 + … to 1 − …
        low, high = (-1.0 - w[0] * ((X + shift)[2:]).min(), 1.0 - w[0] * ((X + shift)[:2]).max())
        assert b == pytest.approx(0.5 * (low + high), abs=1e-9)


@settings(max_examples=100, deadline=None, derandomize=True)
@given(
    n=st.integers(4, 40), d=st.integers(1, 5), seed=st.integers(0, 10**6),
    C=st.sampled_from([1e-3, 0.1, 1.0, 30.0, 1e4]),
    fit_intercept=st.booleans(), early=st.integers(1, 6), solver=st.sampled_from(["newton", "dual"]),
)  # fmt: skip
def test_the_gap_is_never_below_the_truth(n, d, seed, C, fit_intercept, early, solver):
    X, y, s = draw(n=n, d=d, seed=seed)
    stopped, _ = fit("hinge", X, y, s, C=C, fit_intercept=fit_intercept, solver=solver, max_iter=early, tol=0.0)
    best, messages = fit("hinge", X, y, s, C=C, fit_intercept=fit_intercept)
    assert not messages
    missing = (stopped.objective_[0] - best.objective_[0]) / stopped.objective_[0]
    assert missing <= stopped.suboptimality_[0] + 1e-13
    assert best.suboptimality_[0] <= 1e-8


def test_the_gap_is_not_idle():
    X, y, s = draw(n=80, d=4, seed=4)
    best, _ = fit("hinge", X, y, s)
    early, messages = fit("hinge", X, y, s, solver="newton", max_iter=6, tol=0.0)
    missing = (early.objective_[0] - best.objective_[0]) / early.objective_[0]
    assert messages
    assert 1e-7 < missing <= early.suboptimality_[0] < 100.0 * missing


@pytest.mark.parametrize("dtype", [pytest.param(np.float32, marks=pytest.mark.slow), np.float64])
def test_storages_are_one_fit(dtype):
    X, y, s = draw(n=120, d=6, seed=5)
    X = np.where(np.abs(X) < 0.4, 0.0, X).astype(dtype)
    model, _ = fit("hinge", X, y, s)
    for other in (np.asfortranarray(X), sp.csr_array(X), sp.csc_array(X)):
        same, _ = fit("hinge", other, y, s)
        np.testing.assert_allclose(same.coef_, model.coef_, rtol=1e-9, atol=1e-11)
    assert Exact(Hinge(), X, y, s).excess(model) <= 1e-14


def test_tall_data_take_few_steps():
    X, y, _ = draw(n=20_000, d=20, seed=6, noise=3.0)
    model, messages = fit("hinge", X, y, C=0.1)
    assert not messages
    assert model.n_iter_[0] < 100
    assert model.suboptimality_[0] <= 1e-12
    objective = objective_of("hinge", X, y, C=0.1)
    w, b = solution(model)
    rng = np.random.default_rng(0)
    for size in (1e-2, 1e-4, 1e-6):
        for _ in range(5):
            assert objective.at(objective.theta(w + size * rng.normal(size=20), b)).value > model.objective_[0]


def test_no_probability():
    X, y, s = draw(n=40, d=3, seed=7)
    model, _ = fit("hinge", X, y, s)
    assert not hasattr(model, "predict_proba")


@pytest.mark.parametrize("C", [1e-3, 0.1, 1.0, 100.0])
@pytest.mark.parametrize("seed", range(3))
def test_a_rare_class_amid_the_other_leaves_no_direction_and_that_is_proven(seed, C):
    """The optimum is w = 0, every row of the larger class at the kink; a column is constant there."""
    rng = np.random.default_rng(seed)
    X, y = np.column_stack([rng.normal(size=(700, 7)), np.full(700, 0.37)]), np.zeros(700, dtype=int)
    y[:26] = 1
    X[:26, :7] *= 0.3
    X[26 : 26 + 4 * (seed % 2), 7] = 5.0
    model, messages = fit("hinge", X, y, C=C)
    assert not messages
    assert model.objective_[0] == pytest.approx(2 * 26 * C, rel=1e-8)
    assert model.suboptimality_[0] <= 1e-8
