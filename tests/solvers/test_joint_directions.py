"""The Newton direction of the joint margin against a dense system, factored and by conjugate gradients."""

import importlib

import numpy as np
import pytest
import scipy.sparse as sp
from problems import fit
from references import mp, reference

from marginclf.losses import DWD, Exponential, GeneralizedCrossEntropy, Logistic, Savage, Sigmoid, SquaredHinge
from marginclf.matrix import design_matrix
from marginclf.objective import L2, JointObjective, Objective
from marginclf.objective.curvature import JointCurvature
from marginclf.solvers import Status
from marginclf.solvers.convergence import check_convergence

module = importlib.import_module("marginclf.solvers.direction")
K = 4
INTERCEPT = pytest.mark.parametrize("fit_intercept", [True, False], ids=["intercept", "no-intercept"])
STORES = {"dense": np.asarray, "sparse": sp.csr_array}


def draw(n=40, d=3, seed=0):
    rng = np.random.default_rng([31, seed, n, d])
    X = rng.normal(size=(n, d))
    codes = (X @ rng.normal(size=(d, K)) + rng.gumbel(size=(n, K))).argmax(axis=1).astype(np.uint8)
    codes[:K] = np.arange(K)
    s = rng.uniform(0.2, 3.0, n)
    s[K:][rng.random(n - K) < 0.1] = 0.0
    return X, codes, s, 0.7 * rng.normal(size=(K, d))


def point_of(loss, X, codes, weights, W, fit_intercept, penalty=1.0):
    objective = JointObjective(
        design_matrix(X), loss, codes, weights, K, penalty=L2(penalty), fit_intercept=fit_intercept
    )
    b = np.zeros(K)
    if fit_intercept:  # near where the rows are
        b = np.array([0.3, -0.5, 0.4, -0.2]) - W @ np.asarray(X.mean(axis=0))
    return objective, objective.evaluate(objective.theta(W, b - b.mean()))


def system(loss, X, codes, weights, W, b, fit_intercept, penalty=1.0):
    """Gradient and Hessian in (w_1, b_1, w_2, b_2, …), by the formula; those of b only where it is free.

    m = z_y − log Σ e^z over the others, so that ∂m = e_y − q and ∂²m = q qᵀ − diag q, with q the softmax of the others.
    """
    n, d = X.shape
    z = X @ W.T + b
    own = np.arange(K) == codes[:, None]
    others = np.where(own, -np.inf, z)
    largest = others.max(axis=1, keepdims=True)
    q = np.exp(others - largest)
    m = z[own] - largest[:, 0] - np.log(q.sum(axis=1))
    q /= q.sum(axis=1, keepdims=True)
    pieces = [reference(loss).piece(mp.mpf(value)) for value in m]
    slope, curvature = (
        weights * np.array([float(getattr(piece, name)(mp.mpf(v))) for piece, v in zip(pieces, m, strict=True)])
        for name in ("slope", "curvature")
    )
    first = own - q
    second = curvature[:, None, None] * first[:, :, None] * first[:, None, :]
    second += slope[:, None, None] * (q[:, :, None] * q[:, None, :] - q[:, :, None] * np.eye(K))
    rows = np.column_stack([X, np.ones(n)]) if fit_intercept else X
    gradient = (slope[:, None] * first).T @ rows
    gradient[:, :d] += penalty * W
    hessian = np.einsum("iab,ij,ik->ajbk", second, rows, rows, optimize=True)
    for k in range(K):
        hessian[k, np.arange(d), k, np.arange(d)] += penalty
    return gradient.ravel(), hessian.reshape(gradient.size, gradient.size)


def expected(loss, X, codes, weights, W, b, fit_intercept, penalty=1.0):
    """The changes of the decision values, which a number added to all classes is no part of, and ½ gᵀH⁺g."""
    gradient, hessian = system(loss, X, codes, weights, W, b, fit_intercept, penalty)
    # A number added to the intercepts of all classes changes nothing; without a penalty, nor does one of coefficients.
    idle = np.eye(len(gradient) // K) if not penalty else np.zeros((len(gradient) // K,) * 2)
    idle[-1, -1] = max(idle[-1, -1], float(fit_intercept))
    step = -np.linalg.solve(hessian + np.kron(np.full((K, K), 1.0 / K), idle), gradient)
    step = step.reshape(K, -1)
    change = X @ step[:, : X.shape[1]].T + (step[:, -1] if fit_intercept else 0.0)
    return change - change.mean(axis=1, keepdims=True), -0.5 * float(gradient @ step.ravel())


def changes(objective, found, X):
    change = X @ objective.by_class(found.step).T + objective.b(found.step)
    return change - change.mean(axis=1, keepdims=True)


@pytest.mark.parametrize("penalty", [1.0, 0.0], ids=["penalty", "no-penalty"])
@INTERCEPT
@pytest.mark.parametrize("store", STORES)
@pytest.mark.parametrize("road", ["factored", "conjugate gradients"])
@pytest.mark.parametrize("loss", [Logistic(), Exponential(), SquaredHinge(), DWD()], ids=repr)
def test_solves_the_linear_system(loss, road, store, fit_intercept, penalty, monkeypatch):
    X, codes, s, W = draw()
    X = X + (10.0 if fit_intercept and store == "dense" else 0.0)  # sparse columns lie around zero
    objective, point = point_of(loss, STORES[store](X), codes, 2.0 * s, W, fit_intercept, penalty)
    if road != "factored":
        monkeypatch.setattr(Objective, "direct_limit", 0)
        monkeypatch.setattr(JointCurvature, "residual", 1e-10)
    found = module.newton_direction(objective, point)
    change, decrement = expected(loss, X, codes, 2.0 * s, W, point.b, fit_intercept, penalty)
    np.testing.assert_allclose(changes(objective, found, X), change, rtol=1e-6, atol=1e-6 * np.abs(change).max())
    assert found.decrement == pytest.approx(decrement, rel=1e-8)
    db = objective.b(found.step)
    assert abs(db.sum()) <= 1e-14 * K * np.abs(db).max()
    assert fit_intercept or not db.any()


@INTERCEPT
@pytest.mark.parametrize("store", STORES)
@pytest.mark.parametrize("C", [1.0, 1e4])
@pytest.mark.parametrize("loss", [Logistic(), SquaredHinge()], ids=repr)
def test_conjugate_gradients_never_understate_the_decrement(loss, C, store, fit_intercept):
    """A status is said for it: what their truncation hides is added, and hardly more than that."""
    d = 250
    X, codes, s, _ = draw(60, d)
    rng = np.random.default_rng(1)
    # In units so different that conjugate gradients stop far from the end.
    X = np.where(rng.random(X.shape) < 0.3, X * np.geomspace(1e-2, 3.0, d), 0.0)
    W = rng.normal(size=(K, d)) / np.sqrt(d)
    objective, point = point_of(loss, STORES[store](X), codes, C * s, W, fit_intercept)
    assert not objective.direct
    found = module.newton_direction(objective, point)
    _, decrement = expected(loss, X, codes, C * s, W, point.b, fit_intercept)
    # Conjugate gradients know a part of it, and go on until what they bound is no more than that.
    assert 1.0 - 1e-9 <= found.decrement / decrement <= 2.0
    point.gain = np.inf  # these coefficients are worse than none: F alone is the measure
    just_short = (1.0 - 1e-6) * point.relative(decrement)
    point.bound = np.inf  # b is not at its minimum
    assert check_convergence(objective, point, found, just_short, stalled=True) is None
    enough = 2.0 * point.relative(decrement)
    assert check_convergence(objective, point, found, enough, stalled=True) is Status.LIMIT_OF_PRECISION


@INTERCEPT
@pytest.mark.parametrize("road", ["factored", "conjugate gradients"])
@pytest.mark.parametrize("loss", [Savage(), Sigmoid(), GeneralizedCrossEntropy(1.0)], ids=repr)
def test_goes_down_where_the_hessian_is_indefinite(loss, road, fit_intercept, monkeypatch):
    if road != "factored":
        monkeypatch.setattr(Objective, "direct_limit", 0)
    indefinite = 0
    for seed in range(8):
        X, codes, s, W = draw(seed=seed)
        objective, point = point_of(loss, X, codes, 100.0 * s, 3.0 * W, fit_intercept)
        _, hessian = system(loss, X, codes, 100.0 * s, 3.0 * W, point.b, fit_intercept)
        indefinite += np.linalg.eigvalsh(hessian)[0] < -1.0
        found = module.newton_direction(objective, point)
        assert found.decrement > 0.0
        db = objective.b(found.step)
        assert abs(db.sum()) <= 1e-14 * K * np.abs(db).max()
        assert point.gradient @ found.step < 0.0
        t = 1e-5 / np.abs(found.step).max()
        assert objective.evaluate(point.theta + t * found.step).value < point.value
    assert indefinite > 2, "this is what the test is for"


@pytest.mark.parametrize("loss", ["logistic", "squared_hinge"])
def test_columns_that_say_nothing_new_without_a_penalty(loss):
    """Beside the intercept a constant column is a second one; rounding would decide its coefficients."""
    X, _, s, _ = draw(60)
    codes = np.random.default_rng(3).integers(0, K, 60)
    plain, messages = fit(loss, X, codes, s, C=np.inf, multi_class="joint", solver="newton")
    assert not messages
    for column in (np.full(60, 3.7), X @ [1.0, 2.0, -1.0]):
        rows = np.column_stack([X, column])
        model, messages = fit(loss, rows, codes, s, C=np.inf, multi_class="joint", solver="newton")
        assert not messages
        assert model.objective_[0] == pytest.approx(plain.objective_[0], rel=1e-8)
        assert np.abs(model.coef_).max() < 10.0 * np.abs(plain.coef_).max()
