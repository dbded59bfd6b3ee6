"""Many classes with decision values that are kept: the same sums as by passes, and bounds that are bounds."""

import numpy as np
import pytest
from scipy import sparse

from marginclf import MarginLinearClassifier
from marginclf.losses import Exponential, Logistic, SquaredHinge
from marginclf.matrix import design_matrix
from marginclf.matrix.joint_kept import between_classes, by_row
from marginclf.objective import L2, JointObjective
from marginclf.objective.length import root_of_slope
from marginclf.solvers.kronecker import Kronecker, Spread

RNG = np.random.default_rng(22)
CURVED = pytest.mark.parametrize("loss", [Logistic(), Exponential()], ids=repr)
STORED = pytest.mark.parametrize("kind", [np.asarray, np.asfortranarray, sparse.csr_array], ids=["C", "F", "CSR"])


def draw(n=3000, d=7, k=5, seed=0):
    """Rows of more than one chunk, whose last block is not full."""
    rng = np.random.default_rng([seed, n, d, k])
    X = rng.normal(size=(n, d)) + rng.normal(size=d)
    codes = (X @ rng.normal(size=(d, k)) + 2.0 * rng.gumbel(size=(n, k))).argmax(axis=1)
    codes[:k] = np.arange(k)
    weights = rng.uniform(0.1, 2.0, n)
    weights[k::9] = 0.0
    return X, codes, weights


def pair(matrix, loss, codes, weights, k, *, shifts=None, fit_intercept=True):
    """The same objective with and without decision values."""
    return [
        JointObjective(
            matrix, loss, codes, weights, k, penalty=L2(1.0), fit_intercept=fit_intercept, shifts=shifts, keep=keep
        )
        for keep in (True, False)
    ]


def somewhere(objective, size=0.4, seed=1):
    rng = np.random.default_rng(seed)
    k, d = objective.n_outputs, objective.matrix.shape[1]
    b = rng.normal(size=k) * size if objective.fit_intercept else np.zeros(k)
    return objective.theta(rng.normal(size=(k, d)) * size, b - b.mean())


@CURVED
@STORED
@pytest.mark.parametrize("shifted", [False, True])
def test_sums_are_those_of_passes(loss, kind, shifted):
    X, codes, weights = draw()
    shifts = RNG.normal(size=len(codes)) if shifted else None
    with design_matrix(kind(X), 1) as matrix:
        kept, passing = pair(matrix, loss, codes, weights, 5, shifts=shifts)
        theta, step = somewhere(kept), somewhere(kept, 0.1, 2)
        assert kept.keeps_decisions
        ours, theirs = kept.evaluate(theta), passing.evaluate(theta)
        assert theirs.rows is None
        assert ours.value == pytest.approx(theirs.value, rel=1e-13)
        np.testing.assert_allclose(ours.gradient, theirs.gradient, atol=1e-10 * np.abs(theirs.gradient).max())
        again = passing.passes.gradient(kept.compiled, *kept.split(theta), ours.rows)
        again[: len(kept.w(theta))] += kept.w(theta)
        np.testing.assert_allclose(again, theirs.gradient, atol=1e-10 * np.abs(theirs.gradient).max())
        np.testing.assert_allclose(ours.between, theirs.between, atol=1e-11 * np.abs(theirs.between).max())
        rows = [by_row(a, len(codes), kept.passes._chunks.rows) for a in ours.rows[1:]]
        by_blas = between_classes(codes, rows[0], rows[2], rows[3])
        np.testing.assert_allclose(by_blas, theirs.between, atol=1e-11 * np.abs(theirs.between).max())
        product, expected = (p.curvature(q).product(step) for p, q in ((kept, ours), (passing, theirs)))
        np.testing.assert_allclose(product, expected, atol=1e-10 * np.abs(expected).max())
        settled, expected = kept.at(theta), passing.at(theta)
        np.testing.assert_allclose(settled.b, expected.b, atol=1e-8)
        assert settled.value == pytest.approx(expected.value, rel=1e-12)
        np.testing.assert_allclose(settled.gradient, expected.gradient, atol=1e-7 * np.abs(theirs.gradient).max())


@CURVED
def test_slopes_and_curvatures_along_a_line(loss):
    X, codes, weights = draw(n=400)
    with design_matrix(X, 1) as matrix:
        kept, passing = pair(matrix, loss, codes, weights, 5)
        theta, step = somewhere(kept), somewhere(kept, 0.3, 2)
        z, change = kept.evaluate(theta).rows.z, kept.evaluate(theta + step).rows.z - kept.evaluate(theta).rows.z
        for t in (-0.5, 0.0, 0.7):
            value, slope, curvature = kept.passes.along(kept.compiled, z, change, t)
            expected = passing.along(theta, step, np.array([t, t - 1e-5, t + 1e-5]))
            np.testing.assert_allclose([value, slope], expected[:, 0], rtol=1e-10)
            assert curvature == pytest.approx((expected[1, 2] - expected[1, 1]) / 2e-5, rel=1e-6)


@CURVED
@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("offset", [0.0, 1e3])
def test_what_a_step_proves_is_true(loss, fit_intercept, offset):
    """Whatever the step; and of one that leads to the optimum, as much as there is to prove."""
    X, codes, weights = draw(n=300, d=4, k=4)
    weights *= 0.05
    with design_matrix(X + offset, 1) as matrix:
        kept, _ = pair(matrix, loss, codes, weights, 4, fit_intercept=fit_intercept)
        fitted = MarginLinearClassifier(loss, C=1.0, tol=1e-13, fit_intercept=fit_intercept).fit(
            X + offset, codes, weights
        )
        best = kept.evaluate(kept.theta(fitted.coef_, fitted.intercept_))
        slack = 1e-14 * best.value * (1.0 + offset) * 100.0
        for size in (1.0, 0.1, 1e-2, 1e-3):
            scale = size / (1.0 + offset)
            start = kept.evaluate(best.theta + somewhere(kept, scale, 3))
            for end in (best, kept.evaluate(best.theta + somewhere(kept, 0.1 * scale, 4)), start):
                proven = kept.proven_by_step(start, end, 1e-8)
                assert proven.bound >= end.value - best.value - slack
                assert proven.gain <= kept.at_zero - end.value + proven.bound + slack
        if not offset:
            start = kept.evaluate(best.theta + somewhere(kept, 1e-3, 3))
            assert kept.proven_by_step(start, best, 1e-8).excess <= 1e-6


def test_dual_variables_with_shifts():
    """h* of φ(m + shift): the Fenchel–Young gap of slopes where they are taken is zero."""
    X, codes, weights = draw(n=300, d=4, k=4)
    shifts = RNG.normal(size=300)
    with design_matrix(X, 1) as matrix:
        kept, _ = pair(matrix, Logistic(), codes, weights, 4, shifts=shifts)
        point = kept.evaluate(somewhere(kept))
        found = kept.passes.room()
        value, excess = kept.passes.dual(kept.compiled, point.rows, np.zeros_like(point.rows.z), np.zeros(4), found)
        losses = point.value - kept.penalty.value(point.w)
        slope = (kept.w(point.gradient) - point.w) @ point.w + point.slope @ point.b
        assert value + slope == pytest.approx(losses, rel=1e-12)
        np.testing.assert_allclose(excess, point.slope, atol=1e-10)


@pytest.mark.parametrize("shape", [(300, 6), (20, 40), (30, 3000)], ids=["tall", "wide", "diagonal"])
def test_the_kronecker_product_is_exact_where_classes_are_alike(shape):
    n, d = shape
    X = RNG.normal(size=shape) if d < 3000 else np.eye(30, 3000)
    codes = np.arange(n) % 5
    with design_matrix(X, 1) as matrix:
        kept, _ = pair(matrix, Logistic(), codes, np.full(1, 0.7), 5, fit_intercept=False)
        point = kept.evaluate(kept.zeros())
        curvature = kept.curvature(point, robust=True)
        spread = Spread(kept, curvature.centre)
        r = somewhere(kept)
        solved = Kronecker(kept, curvature.intercepts(), spread)(curvature.product(r))
        # Up to what a power of four is away from 1/a: a factor of two in λ.
        ratio = float(solved @ r) / float(r @ r)
        assert 0.5 <= ratio <= 2.0


def test_what_is_kept():
    X, codes, weights = draw(n=60)
    with design_matrix(X, 1) as matrix:
        assert not pair(matrix, SquaredHinge(), codes, weights, 5)[0].keeps_decisions, "curved on some rows only"
        assert not pair(matrix, Logistic(), codes, weights, 1 << 18)[0].keeps_decisions, "too many"
        kept, _ = pair(matrix, Logistic(), codes, weights, 5)
        point = kept.origin()
        point.release(keep_z=True)
        assert point.rows is not None
        point.release()
        assert "rows" not in vars(point)


def test_the_root_of_a_slope():
    for root in (0.01, 1.0, 50.0):
        t = root_of_slope(lambda t, root=root: (np.arctan(t - root), 1.0 / (1.0 + (t - root) ** 2)), -1.0, 1.0)
        assert abs(np.arctan(t - root)) <= 0.1
    assert root_of_slope(lambda t: (np.nan, np.nan), -1.0, 1.0) < 1e-9


@CURVED
@pytest.mark.parametrize("shape", [(40, 100, 3), (500, 8, 60)], ids=["wide", "many"])
def test_fits_at_any_tolerance_are_within_it(loss, shape):
    n, d, k = shape
    X, codes, weights = draw(n, d, k)
    best = MarginLinearClassifier(loss, tol=1e-13, max_iter=5000).fit(X, codes, weights).objective_[0]
    for tol in (1e-1, 1e-3, 1e-6, 1e-8):
        model = MarginLinearClassifier(loss, tol=tol).fit(X, codes, weights)
        assert model.suboptimality_[0] <= tol
        off = model.objective_[0] / best - 1.0
        assert -1e-12 <= off <= model.suboptimality_[0] + 1e-12
        assert abs(model.intercept_.sum()) <= 1e-9
