"""Newton steps in the dual of the joint margin: the optimum, its proof, and that a step climbs."""

from __future__ import annotations

import importlib

import numpy as np
import pytest
import scipy.sparse as sp
from references import LOSS_CASES

from marginclf import MarginLinearClassifier
from marginclf.losses import Logistic, SquaredHinge
from marginclf.matrix import design_matrix
from marginclf.objective import L2, JointObjective
from marginclf.solvers import Status, solve

method = importlib.import_module("marginclf.solvers.dual")
newton = importlib.import_module("marginclf.solvers.dual_newton")
ascents = importlib.import_module("marginclf.solvers.ascent")

KNOWN = [loss for name, loss in LOSS_CASES if name in ("squared_hinge", "smooth_hinge", "modified_huber", "hinge")]


def contradictory(n=300, d=200, k=4):
    """Few entries a row; labels are partly noise, and some rows are others again."""
    rng = np.random.default_rng(17)
    X = sp.random(n, d, 0.02, "csr", random_state=3)
    X = sp.vstack([X[: n // 10], X[: n - n // 10]]).tocsr()
    y = (X @ rng.normal(size=(d, k)) + 0.5 * rng.gumbel(size=(n, k))).argmax(axis=1).astype(np.uint32)
    weights = rng.uniform(0.5, 2.0, n)
    weights[5] = 0.0
    return X, y, weights


def problem(matrix, loss, y, s, C, fit_intercept=True):
    return JointObjective(
        matrix, loss, y, C * s, int(y.max()) + 1, penalty=L2(1.0), fit_intercept=fit_intercept
    )  # fmt: skip


@pytest.fixture
def early(monkeypatch):
    """Steps where sweeps would do; how long each was."""
    for name, value in (("_FIRST", 5), ("_WORTH", 2), ("_SETTLED", 1e-2)):
        monkeypatch.setattr(method, name, value)
    lengths, step = [], newton.DualNewton.step
    monkeypatch.setattr(newton.DualNewton, "step", lambda self: lengths.append(step(self)) or lengths[-1])
    return lengths


@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("loss", KNOWN, ids=lambda loss: loss.name)
def test_optimum_is_that_of_another_solver(loss, fit_intercept, early):
    X, y, s = contradictory()
    with design_matrix(X, 1) as matrix, design_matrix(X.toarray(), 1) as dense:
        objective = problem(matrix, loss, y, s, 30.0, fit_intercept)
        found = method.dual(objective, objective.origin(), tol=1e-9, max_iter=1000)
        assert found.status is Status.PROVEN
        other = problem(dense, loss, y, s, 30.0, fit_intercept)
        best = solve(other, other.zeros(), solver="newton", tol=1e-11, max_iter=3000).point
    assert max(early) == 1.0
    off = (found.point.value - best.value) / best.value
    assert -1e-10 <= off <= found.point.suboptimality + 1e-10
    np.testing.assert_allclose(found.point.coefficients, best.coefficients, atol=3e-4)


def test_fewer_sweeps_where_they_are_slow(early):
    X, y, s = contradictory()
    with design_matrix(X, 1) as matrix:
        objective = problem(matrix, SquaredHinge(), y, s, 1000.0)
        found = method.dual(objective, objective.origin(), tol=1e-8, max_iter=3000)
    assert found.status is Status.PROVEN
    assert found.n_iter < 150


def test_a_step_climbs_and_w_is_what_the_dual_variables_make():
    X, y, s = contradictory()
    with design_matrix(X, 1) as matrix:
        objective = problem(matrix, SquaredHinge(), y, s, 30.0, fit_intercept=False)
        ascent = ascents.JointAscent(objective, objective.origin(), 0)
        for _ in range(5):
            ascent.sweep()

        def dual_value():
            beta = ascent.alpha[np.arange(len(y)), ascent.codes]
            q = np.divide(-ascent.alpha, beta[:, None], out=np.zeros_like(ascent.alpha), where=beta[:, None] > 0.0)
            q[np.arange(len(y)), ascent.codes] = 0.0
            entropy = -np.where(q > 0.0, q * np.log(np.where(q > 0.0, q, 1.0)), 0.0).sum(axis=1)
            weight = np.where(ascent.weights > 0.0, ascent.weights, 1.0)
            conjugate = -beta + beta**2 / (4.0 * weight)
            W = X[ascent.rows.order].T @ ascent.alpha
            return -float((conjugate - beta * entropy).sum()) - 0.5 * float((W**2).sum())

        before = dual_value()
        assert newton.DualNewton(ascent).step() > 0.0
        assert dual_value() > before
        W = np.zeros_like(ascent.w)
        newton.kernel.combine_joint(ascent.rows.rows, ascent.alpha, W)
        np.testing.assert_allclose(ascent.w, W, atol=1e-10)


def test_threads_change_nothing(early):
    X, y, s = contradictory()
    fits = [
        MarginLinearClassifier("squared_hinge", C=100.0, solver="dual", multi_class="joint", n_jobs=n_jobs).fit(X, y, s)
        for n_jobs in (1, 2)
    ]
    assert early
    np.testing.assert_array_equal(fits[0].coef_, fits[1].coef_)
    np.testing.assert_array_equal(fits[0].intercept_, fits[1].intercept_)


def test_losses_without_an_inverse_go_without(early):
    X, y, s = contradictory()
    with design_matrix(X, 1) as matrix:
        objective = problem(matrix, Logistic(), y, s, 1.0)
        found = method.dual(objective, objective.origin(), tol=1e-8, max_iter=500)
    assert found.status is Status.PROVEN
    assert not early
