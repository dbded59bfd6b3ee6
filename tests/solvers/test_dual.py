"""Coordinate ascent in the dual, and what it is made of: rewritten rows, proximal steps, a free intercept."""

import importlib

import numpy as np
import pytest
import scipy.sparse as sp
from problems import Exact, draw, fit, objective_of
from references import CONVEX, usually
from sklearn.svm import LinearSVC

import marginclf.solvers
from marginclf.kernels.packed import n_buckets
from marginclf.losses import Exponential, Hinge, Logistic, SquaredHinge, get_loss
from marginclf.matrix import design_matrix
from marginclf.matrix.packed import PackedRows
from marginclf.solvers import dual_suits
from marginclf.solvers.ascent import BinaryAscent
from marginclf.solvers.dual import dual

BOUNDED_BELOW = [case for case in CONVEX if not case.values[0].affine]


def text(n=300, d=2000, per_row=12, seed=0, dtype=np.float64):
    """Rows that share few columns, most of which occur once; one row is empty, one is twice there."""
    rng = np.random.default_rng(seed)
    columns = np.minimum((rng.pareto(0.5, size=(n, per_row)) * 3).astype(int), d - 1)
    X = sp.coo_array((rng.uniform(0.1, 1.0, columns.size), (np.repeat(np.arange(n), per_row), columns.ravel())), (n, d))
    X = X.tocsr().astype(dtype)
    X.sum_duplicates()
    X.data[X.indptr[5] : X.indptr[6]] = 0.0
    X = sp.vstack([X, X[7:8]], format="csr")
    score = X @ rng.normal(size=d) + 0.3 * rng.normal(size=n + 1)
    y = (score > np.median(score) + 0.2).astype(int)
    X.indices, X.indptr = X.indices.astype(np.int32), X.indptr.astype(np.int32)
    return sp.csr_array(X), y, rng.uniform(0.0, 2.0, n + 1).round(1)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_rewritten_rows_are_the_rows(dtype):
    X, _, _ = text(dtype=dtype)
    order = np.random.default_rng(1).permutation(X.shape[0]).astype(np.uint32)
    packed = PackedRows(design_matrix(X).rows.arrays, X.shape[1], order)
    dense = X.toarray().astype(np.float64)[order]
    stored = np.bincount(X.indices, minlength=X.shape[1])
    assert packed.n_kept == (stored > 1).sum() > 0
    alone = dense[:, stored == 1]
    np.testing.assert_allclose(packed.squares, (dense**2).sum(axis=1), rtol=1e-12)
    np.testing.assert_allclose(packed.diagonal, (alone**2).sum(axis=1), rtol=1e-12)
    q = np.random.default_rng(2).normal(size=len(order))
    np.testing.assert_allclose(packed.gram_product(q), dense @ (dense.T @ q), rtol=1e-5, atol=1e-5)
    # Frequent columns come first.
    frequency = np.bincount(
        packed.columns[np.concatenate([np.arange(a, b) for a, b in zip(packed.starts, packed.stops, strict=True)])]
    )
    assert (np.diff(np.minimum(frequency, n_buckets() - 1)) <= 0).all()


@pytest.mark.parametrize("largest", [1e-30, 1e35])
def test_values_that_float32_does_not_hold_are_kept(largest):
    X, _, _ = text()
    X.data *= largest
    packed = PackedRows(design_matrix(X).rows.arrays, X.shape[1], np.arange(X.shape[0], dtype=np.uint32))
    assert packed.values.dtype == np.float64


@pytest.mark.parametrize("loss", usually(BOUNDED_BELOW))
def test_a_step_solves_its_equation(loss):
    """u + κ φ'(u) = v, or for a kink a = (u − v)/κ between the slopes, and a = −φ'(u), from any first guess."""
    compiled = loss.compiled_prox()
    from numba import njit

    from marginclf.kernels.prox import apply_prox

    @njit
    def step(address, parameters, out, v, kappa, start):
        apply_prox(address, parameters, out, v, kappa, start)

    out = np.empty(2)
    for kappa in (1e-3, 1.0, 1e3):
        for v in (-50.0, -1.0, 0.3, 1.0, 4.0):
            u = 0.0
            for _ in range(8):  # each leaves a thousandth of the residual at its start
                step(compiled.address, compiled.parameters, out, v, kappa, u)
                u, a = out
            assert abs(u - v - kappa * a) <= 1e-9 * (1.0 + abs(v) + kappa)
            around = u + np.array([1.0, -1.0]) * 1e-7 * (1.0 + abs(u))
            right, left = loss.evaluate(around)[1]
            slack = 1e-5 * (1.0 + abs(a))
            assert -right - slack <= a <= -left + slack


@pytest.mark.parametrize("fit_intercept", [True, False], ids=["intercept", "no-intercept"])
@pytest.mark.parametrize("loss", usually(BOUNDED_BELOW))
def test_reaches_newtons_optimum(loss, fit_intercept):
    reaches_newtons_optimum(loss, fit_intercept, sp.csr_array)


@pytest.mark.parametrize("store", [np.ascontiguousarray, np.asfortranarray])
@pytest.mark.parametrize("loss", [Logistic(), Hinge(), SquaredHinge()], ids=repr)
def test_reaches_newtons_optimum_on_dense_data(loss, store):
    reaches_newtons_optimum(loss, True, lambda X: store(X.toarray()))


def reaches_newtons_optimum(loss, fit_intercept, store):
    X, y, s = text()
    how = {"C": 3.0, "fit_intercept": fit_intercept}
    model, messages = fit(loss, store(X), y, s, solver="dual", **how)
    best, _ = fit(loss, store(X), y, s, solver="newton", tol=1e-11, **how)
    assert not messages
    assert 0.0 <= model.suboptimality_[0] <= 1e-8
    assert model.objective_[0] - best.objective_[0] <= (model.suboptimality_[0] + 1e-10) * model.objective_[0]
    assert model.objective_[0] >= best.objective_[0] * (1 - 1e-9)


def test_the_gap_is_never_below_the_truth():
    X, y, s = text(seed=3)
    for loss in (Logistic(), SquaredHinge(), Hinge(), Exponential()):
        best = fit(loss, X, y, s, solver="newton", tol=1e-11)[0].objective_[0]
        for max_iter in (1, 2, 4, 8):
            early = dual(objective_of(loss, X, y, s), objective_of(loss, X, y, s).origin(), tol=0.0, max_iter=max_iter)
            missing = (early.point.value - best) / early.point.value
            assert -1e-9 <= missing <= early.point.suboptimality + 1e-9


def test_the_gap_has_what_a_sum_of_alpha_hides_that_no_intercept_makes_zero():
    # Of rows whose weight is large, a margin that is another by its last bit has a slope that is another by 1e-11.
    C = 1e5
    for seed in range(6):
        rng = np.random.RandomState(seed)
        X, y = sp.csr_array(np.where(rng.rand(60, 200) < 0.1, rng.rand(60, 200), 0.0)), np.arange(60) < 3
        best = fit("squared_hinge", X, y, solver="newton", C=C, tol=1e-14)[0].objective_[0]
        found = fit("squared_hinge", X, y, solver="dual", C=C, tol=1e-8)[0]
        assert (found.objective_[0] - best) / found.objective_[0] <= found.suboptimality_[0] + 1e-14


def test_sweeps_end_where_nothing_moves_after_the_first():
    X, y, _ = text()
    model, messages = fit("hinge", X, y, C=1e-5, tol=1e-3, fit_intercept=False)
    assert not messages
    assert model.n_iter_[0] <= 10


def test_a_free_intercept_costs_hardly_a_sweep_more():
    X, y, _ = text(n=3000, d=20_000)
    sweeps = {}
    for fit_intercept in (True, False):
        objective = objective_of("logistic", X, y, fit_intercept=fit_intercept)
        sweeps[fit_intercept] = dual(objective, objective.origin(), tol=1e-6, max_iter=100).n_iter
    assert sweeps[True] <= 1.2 * sweeps[False] + 5 < 100


def test_unbalanced_sums_of_alpha_are_repaired():
    """The dual bounds F only where Σ α = 0; after one sweep it is not."""
    X, y, s = text(seed=4)
    objective = objective_of("logistic", X, y, s)
    ascent = BinaryAscent(objective, objective.origin(), 0)
    ascent.sweep()
    assert abs(objective.v @ ascent.multipliers) > 1e-3
    assert (
        ascent.point().suboptimality * ascent.point().value
        >= ascent.point().value - fit("logistic", X, y, s, tol=1e-12)[0].objective_[0]
    )


def test_random_state_and_threads():
    X, y, _ = text()
    labels = y + 2 * (X @ np.ones(X.shape[1]) > 4.0)
    assert len(np.unique(labels)) >= 3
    for loss in ("logistic", "hinge"):
        how = {"solver": "dual", "multi_class": "ovr"}
        first, again, other = (fit(loss, X, labels, random_state=seed, **how)[0] for seed in (None, 0, 7))
        np.testing.assert_array_equal(first.coef_, again.coef_)
        assert (first.coef_ != other.coef_).any()
        np.testing.assert_allclose(first.objective_, other.objective_, rtol=1e-7)
        several, _ = fit(loss, X, labels, n_jobs=2, **how)
        np.testing.assert_array_equal(first.coef_, several.coef_)
        np.testing.assert_array_equal(first.intercept_, several.intercept_)
        # A class has the optimum that it would have alone: ½‖w − w*‖² is at most what is proven of F.
        alone, _ = fit(loss, X, (labels == 2).astype(int), solver="dual")
        apart = first.coef_[first.classes_ == 2] - alone.coef_
        proven = max(first.suboptimality_[first.classes_ == 2].item(), alone.suboptimality_.item())
        assert np.linalg.norm(apart) <= 2.0 * np.sqrt(2.0 * proven * alone.objective_.item()) + 1e-12


def test_warm_start_near_the_optimum_takes_no_sweep():
    X, y, _ = text()
    model, _ = fit("logistic", X, y, solver="dual", tol=1e-9, warm_start=True)
    model.set_params(tol=1e-7).fit(X, y)
    assert model.n_iter_[0] == 1
    model.set_params(C=1.1, tol=1e-9).fit(X, y)
    cold, _ = fit("logistic", X, y, solver="dual", tol=1e-9, C=1.1)
    np.testing.assert_allclose(model.objective_, cold.objective_, rtol=2e-9)


def test_auto_ascends_on_sparse_wide_and_on_few_rows(monkeypatch):
    assert dual_suits(60_000, 350_000, 2_000_000)
    assert not dual_suits(60_000, 500, 200_000)
    assert dual_suits(200, 500, 100_000)
    assert not dual_suits(50_000, 50, 2_500_000)
    assert not dual_suits(20, 30, 600)
    # With few columns, where the loss leaves rows out.
    kinked, flat, curved = (get_loss(name) for name in ("hinge", "squared_hinge", "logistic"))
    assert dual_suits(3_000, 300, 36_000, loss=kinked)
    assert not dual_suits(30_000, 300, 360_000, loss=kinked)
    assert dual_suits(600, 900, 15_000, loss=flat)
    assert not dual_suits(3_000, 900, 75_000, loss=flat)
    assert dual_suits(3_000, 900, 75_000, 10, flat)
    assert not dual_suits(600, 900, 15_000, loss=curved)
    assert not dual_suits(3_000, 30, 3_000, loss=kinked)  # which has an exact method
    taken = []
    ours = marginclf.solvers.dual
    monkeypatch.setattr(marginclf.solvers, "dual", lambda *a, **k: taken.append(1) or ours(*a, **k))
    X, y, _ = text()
    fit("logistic", X, y)
    assert taken == [1]
    fit("savage", X, y)  # its companion
    assert taken == [1, 1]
    fit("logistic", X, y, C=np.inf, max_iter=3)
    assert taken == [1, 1]


def test_what_sweeps_leave_newton_finishes(monkeypatch):
    X, y, _ = text(seed=5)
    monkeypatch.setattr(importlib.import_module("marginclf.solvers.dual"), "_PATIENCE", 0)
    for loss in ("logistic", "squared_hinge"):
        model, messages = fit(loss, X, y, C=100.0, solver="dual", tol=1e-12)
        assert not messages
        assert model.n_iter_[0] < 50


@pytest.mark.parametrize("kind", ["hinge", "squared_hinge"])
@pytest.mark.parametrize("C", [0.1, 1.0, 30.0])
def test_not_above_linear_svc(kind, C):
    X, y, s = text(seed=6)
    theirs = LinearSVC(loss=kind, C=C, fit_intercept=False, tol=1e-10, max_iter=100_000).fit(X, y, s)
    objective = objective_of(kind, X, y, s, C=C, fit_intercept=False)
    model, messages = fit(kind, X, y, s, C=C, fit_intercept=False)
    assert not messages
    assert model.objective_[0] <= objective.at(objective.theta(theirs.coef_[0], 0.0)).value * (1 + 1e-8)


def test_overflow_is_noticed():
    X, y, _ = text()
    with pytest.raises(ValueError, match="overflow"):
        fit("logistic", X * 1e200, y, solver="dual")


def test_tall_data_by_ascent_all_the_same():
    X, y, s = draw(n=200, d=4, seed=7)
    model, messages = fit("hinge", X, y, s, solver="dual")
    assert not messages
    assert Exact(Hinge(), X, y, s).excess(model) <= 1e-12
