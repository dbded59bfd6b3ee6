"""The coordinates of L-BFGS: a change of variables that is right everywhere, and good where the sample is."""

import importlib

import numpy as np
import pytest
import scipy.sparse as sp
from problems import fit, objective_of
from references import SMOOTH, usually

from marginclf.losses import Logistic, SmoothHinge, SquaredHinge

module = importlib.import_module("marginclf.solvers.preconditioner")
INTERCEPT = pytest.mark.parametrize("fit_intercept", [True, False], ids=["intercept", "no-intercept"])
BOUNDED_BELOW = [case for case in SMOOTH if not case.values[0].affine]
N, D = 6000, 12


def labels(rng, z):
    return (z + rng.logistic(size=len(z)) > 0.0).astype(int)


def draw(n=N, d=D, seed=0):
    """Correlated columns, labels that overlap."""
    rng = np.random.default_rng([seed, n, d])
    X = rng.normal(size=(n, d)) @ (np.eye(d) + 0.5 * np.eye(d, k=1))
    return X, labels(rng, X @ np.linspace(2.0, -1.0, d) / np.sqrt(d) + 0.3), rng


X, Y, _ = draw()


def coordinates_of(objective):
    return module.preconditioners(objective).around(objective.origin())


@INTERCEPT
@pytest.mark.parametrize("store", [np.array, sp.csr_array], ids=["dense", "sparse"])
@pytest.mark.parametrize("n", [N, 20], ids=["sampled", "diagonal"])
def test_gradients_belong_to_the_map(store, n, fit_intercept):
    """∂F/∂θ is the derivative of F along the map, by differences."""
    objective = objective_of("logistic", store(X[:n] + 3.0), Y[:n], fit_intercept=fit_intercept)
    found = coordinates_of(objective)
    rng = np.random.default_rng(1)
    u, direction = rng.normal(size=(2, found.size))
    if not fit_intercept:
        direction[-1] = 0.0
    gradient = found.gradient(objective.evaluate(found.theta(u)))
    step = 1e-5
    ahead, behind = (objective.evaluate(found.theta(u + sign * step * direction)).value for sign in (1, -1))
    assert gradient @ direction == pytest.approx((ahead - behind) / (2 * step), rel=1e-6)


@INTERCEPT
def test_zero_is_the_origin_and_its_newton_step_has_length_one(fit_intercept):
    found = coordinates_of(objective_of("logistic", X, Y, fit_intercept=fit_intercept))
    np.testing.assert_array_equal(found.theta(np.zeros(found.size)), found.origin.theta)
    # Newton's step from there has length 1.
    assert np.linalg.norm(found.step(found.gradient(found.origin))) == pytest.approx(1.0)


@INTERCEPT
@pytest.mark.parametrize("loss", ["logistic", "squared_hinge", "smooth_hinge", "exponential", "dwd"])
def test_the_hessian_is_nearly_the_identity(loss, fit_intercept):
    """Its eigenvalues in these coordinates differ by a small factor, where those in w differ by 1e9."""
    scaled = X * np.geomspace(1e-3, 1e3, D) + np.linspace(-5.0, 5.0, D)
    objective = objective_of(loss, scaled, Y, C=10.0, fit_intercept=fit_intercept)
    found = coordinates_of(objective)
    u, step = np.zeros(found.size), 1e-3
    hessian = np.empty((found.size, found.size))
    for j, e in enumerate(np.eye(found.size)):
        ahead, behind = (found.gradient(objective.evaluate(found.theta(u + s * step * e))) for s in (1, -1))
        hessian[j] = (ahead - behind) / (2 * step)
    free = slice(None if fit_intercept else -1)
    values = np.linalg.eigvalsh((hessian + hessian.T)[free, free])
    assert 0.0 < values.max() < 6.0 * values.min()


def test_sample_rows():
    assert module.sample_rows(10**6, 20, 20 * 10**6) == 2000, "100 a column, where that is cheap"
    assert module.sample_rows(10**5, 300, 300 * 10**5) == 6000, "20 a column, where that is 4 % of the rows or more"
    assert module.sample_rows(20_000, 1000, 1000 * 20_000) == 3000, "3 a column at least"
    assert module.sample_rows(100_000, 50, 50 * 100_000) == 4000, "4 % of the rows, where that is enough"
    assert module.sample_rows(3000, 3000, 3000 * 3000) == 0, "too few rows"
    assert module.sample_rows(10**6, 20, 10**6) == 0, "sparse"


def test_the_sample_stands_for_all_rows():
    """Weights and class shares are those of all rows, whatever order they are in; a rare class has many of them."""
    rng = np.random.default_rng(2)
    y = (np.arange(N) < 60).astype(int)
    s = rng.uniform(0.5, 1.5, N)
    objective = objective_of("logistic", X, y, s)
    sample = module._sample(objective, 400)
    assert len(sample.v) == 400
    assert (sample.v > 0).sum() == 60
    for sign in (-1.0, 1.0):
        total, found = (np.maximum(sign * v, 0.0).sum() for v in (objective.v, sample.v))
        assert found == pytest.approx(total, rel=0.1)
    # Rows without weight are not looked at where they would leave too few.
    s[rng.random(N) < 0.99] = 0.0
    s[:2] = s[-2:] = 1.0
    sparse = module._sample(objective_of("logistic", X, y, s), 400)
    assert (sparse.v != 0.0).all()
    assert len(sparse.v) == (s > 0.0).sum()
    assert module._sample(objective_of("logistic", X, np.zeros(N, dtype=int)), 400) is None


@pytest.mark.parametrize("loss", usually(BOUNDED_BELOW))
def test_lbfgs_needs_few_iterations_and_finds_newtons_optimum(loss):
    found, messages = fit(loss, X, Y, solver="lbfgs")
    newton, _ = fit(loss, X, Y, solver="newton")
    assert not messages
    assert found.objective_[0] == pytest.approx(newton.objective_[0], rel=1e-8)
    if loss.convex and loss != SmoothHinge(1e-3):
        assert found.n_iter_[0] <= 40


def hard_data():
    wide, y, rng = draw(seed=3)
    w = np.linspace(2.0, -1.0, D)
    rare = (rng.random((N, 4)) < [0.001, 0.003, 0.01, 0.3]).astype(float)
    heavy = rng.standard_t(2, size=(N, D))
    order = np.argsort(y, kind="stable")
    return {
        "scales over 1e6": (wide * np.geomspace(1e-3, 1e3, D), y),
        "offsets": (wide + 100.0 * np.linspace(-1.0, 1.0, D), y),
        "sorted": (wide[order], y[order]),
        "constant columns": (np.hstack([wide, np.ones((N, 2)), np.zeros((N, 1))]), y),
        "duplicate columns": (np.hstack([wide, wide[:, :3]]), y),
        "nearly dependent columns": (np.hstack([wide, wide[:, :3] + 1e-5 * rng.normal(size=(N, 3))]), y),
        "rare values": (np.hstack([wide, rare]), labels(rng, wide @ w + 2.0 * rare.sum(axis=1))),
        "heavy tails": (heavy, labels(rng, np.clip(heavy @ w, -4.0, 4.0))),
        "rare class": (wide, (np.arange(N) % 300 == 7).astype(int)),
        "separable": (wide, (wide @ w > 0.0).astype(int)),
        "float32": (wide.astype(np.float32), y),
        "Fortran order": (np.asfortranarray(wide), y),
        "sparse": (sp.csr_array(np.where(rng.random((N, D)) < 0.05, wide, 0.0)), y),
    }


HARD = hard_data()


@pytest.mark.parametrize("C", [1e-4, 1.0, 1e4])
@pytest.mark.parametrize("data", HARD)
@pytest.mark.parametrize("loss", [Logistic(), SquaredHinge(), SmoothHinge(0.5)], ids=repr)
def test_auto_on_hard_data(loss, data, C):
    rows, y = HARD[data]
    found, messages = fit(loss, rows, y, C=C)
    newton, _ = fit(loss, rows, y, C=C, solver="newton")
    assert not messages
    assert found.suboptimality_[0] <= 1e-8
    assert found.objective_[0] == pytest.approx(newton.objective_[0], rel=2e-8)


@pytest.mark.parametrize("data", [name for name in HARD if name != "separable"])
def test_without_a_penalty(data):
    """Columns that are constant, also only in the sample, must not run away on rounding."""
    rows, y = HARD[data]
    found, messages = fit("logistic", rows, y, C=np.inf)
    newton, _ = fit("logistic", rows, y, C=np.inf, solver="newton")
    assert not messages
    assert found.objective_[0] == pytest.approx(newton.objective_[0], rel=2e-8)
    assert np.abs(found.coef_).max() <= 1e3 * np.abs(newton.coef_).max()


@pytest.mark.parametrize("loss", [case for case in BOUNDED_BELOW if case.values[0].convex])
def test_labels_that_say_nothing(loss):
    """The optimum is near zero, where a sample says it is elsewhere."""
    y = np.random.default_rng(4).integers(0, 2, N)
    found, messages = fit(loss, X, y, solver="lbfgs")
    newton, _ = fit(loss, X, y, solver="newton")
    assert not messages
    assert found.objective_[0] == pytest.approx(newton.objective_[0], rel=1e-8)
