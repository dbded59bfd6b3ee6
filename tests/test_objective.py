"""F, its gradient and Hessian by differences in 60 digits, and what is proved about a point."""

import math

import numpy as np
import problems
import pytest
from problems import Exact, draw, fit
from references import CONVEX, LOSSES, SMOOTH, mp, reference
from scipy.optimize import brentq

from marginclf.losses import Exponential, Linear, Logistic, ModifiedHuber, Savage, SmoothHinge, SquaredHinge
from marginclf.objective.endless import separates

X, Y, S = draw(n=12, d=3, seed=50)
SIGNS = 2.0 * Y - 1.0
W, B = np.array([0.7, -0.3, 1.1]), -0.2
INTERCEPT = pytest.mark.parametrize("fit_intercept", [True, False], ids=["intercept", "no-intercept"])
BOUNDED_BELOW = [case for case in CONVEX if case.values[0].smooth and not case.values[0].affine]


def objective_of(loss, *, X=X, signs=SIGNS, s=S, C=1.7, fit_intercept=True):
    return problems.objective_of(loss, X, signs > 0.0, s, C=C, fit_intercept=fit_intercept)


def at(objective, w, b):
    """The point with b moved to its minimum."""
    return objective.at(objective.theta(w, b))


def differences(f, theta):
    """Gradient and Hessian of f by central differences of values, right to about 1e-28."""
    size, step = len(theta), mp.mpf(10) ** -15

    def moved_by(*moves):
        moved = list(theta)
        for j, sign in moves:
            moved[j] += sign * step
        return f(moved)

    gradient = [(moved_by((j, 1)) - moved_by((j, -1))) / (2 * step) for j in range(size)]
    hessian = np.empty((size, size))
    for j in range(size):
        for k in range(j + 1):
            corners = (
                moved_by((j, 1), (k, 1))
                - moved_by((j, 1), (k, -1))
                - moved_by((j, -1), (k, 1))
                + moved_by((j, -1), (k, -1))
            )
            hessian[j, k] = hessian[k, j] = corners / (4 * step**2)
    return np.array([float(g) for g in gradient]), hessian


@INTERCEPT
@pytest.mark.parametrize("C", [1.7, np.inf])
@pytest.mark.parametrize("loss", SMOOTH)
def test_value_gradient_and_hessian(loss, C, fit_intercept):
    if loss.affine and fit_intercept:
        return  # It has a rule of its own, below.
    objective = objective_of(loss, C=C, fit_intercept=fit_intercept)
    b = B if fit_intercept else 0.0
    exact = Exact(loss, X, Y, S, C=C, fit_intercept=fit_intercept)
    theta = exact.theta(W, b)
    margins = SIGNS * (X @ W + b)
    assert all(abs(float(kink) - m) > 1e-9 for kink in reference(loss).kinks for m in margins), "no derivative there"
    gradient, hessian = differences(exact.value, theta)
    tolerance = {"rtol": 1e-10, "atol": 1e-10 * np.abs(gradient).max()}

    point = objective.evaluate(objective.theta(W, b))
    assert point.value == pytest.approx(float(exact.value(theta)), rel=1e-13)
    np.testing.assert_allclose(point.gradient[:3], gradient[:3], **tolerance)
    if fit_intercept:
        np.testing.assert_allclose([point.slope[0], point.curvature], [gradient[3], hessian[3, 3]], **tolerance)

    # A point with b moved to its minimum has the derivatives that belong to that b.
    point = objective.at(objective.theta(W, b))
    gradient, hessian = differences(exact.value, exact.theta(W, point.b[0]))
    assert point.value == pytest.approx(float(exact.value(exact.theta(W, point.b[0]))), rel=1e-13)
    np.testing.assert_allclose(point.gradient[:3], gradient[:3], **tolerance)
    np.testing.assert_allclose(point.z, X @ W, rtol=1e-14)
    assert abs(point.slope[0] - (gradient[3] if fit_intercept else 0.0)) <= 1e-10 * np.abs(point.r).sum()
    centre = np.array([0.1, -0.4, 2.0])
    curvature = objective.matrix.gram(point.c, None) + objective.penalty.weights * np.eye(3)
    np.testing.assert_allclose(curvature, hessian[:3, :3], rtol=1e-9, atol=1e-9 * np.abs(hessian).max())
    centred = ((X - centre).T * point.c) @ (X - centre)
    np.testing.assert_allclose(objective.matrix.gram(point.c, centre), centred, atol=1e-12 * np.abs(point.c).sum())
    if fit_intercept:
        cross = objective.matrix.transposed_product(point.c)
        np.testing.assert_allclose(cross, hessian[3, :3], rtol=1e-9, atol=1e-9 * np.abs(hessian).max())
        np.testing.assert_allclose(point.c.sum(), hessian[3, 3], rtol=1e-9, atol=1e-9 * np.abs(hessian).max())


@pytest.mark.parametrize("loss", BOUNDED_BELOW)
def test_b_is_at_its_minimum(loss):
    """Found again as the root of the slope by bracketing, from values of the loss alone."""
    for scale in (0.1, 1.0, 30.0):
        point = at(objective_of(loss), scale * W, 5.0)
        z = X @ (scale * W)

        def slope(b, z=z):
            return float(S @ (SIGNS * loss.evaluate(SIGNS * (z + b))[1]))

        # To rounding, of the terms of the slope and of the decision values.
        size = np.abs(point.r).sum() + point.c.sum() * (np.abs(z).max() + abs(point.b[0]))
        assert abs(point.slope[0]) <= 1e-14 * size
        reach = 10.0 + 4.0 * np.abs(z).max()
        root = brentq(slope, -reach, reach, xtol=1e-13, rtol=1e-13)
        at_root = at(objective_of(loss), scale * W, root).b[0]
        if point.c.any():
            assert point.b[0] == pytest.approx(root, rel=1e-7, abs=1e-7)
        assert at_root == pytest.approx(point.b[0], rel=1e-7, abs=1e-7)


@pytest.mark.parametrize("loss", LOSSES)
def test_b_stays_where_it_is_not_to_move(loss):
    assert at(objective_of(loss, fit_intercept=False), W, 0.0).b[0] == 0.0
    if loss.affine or not loss.convex:
        assert at(objective_of(loss), W, B).b[0] == B


def flat(loss):
    """Decision values for which F is flat in b: two rows a class, right and wrong ones far from any curvature."""
    rows = np.array([[9.0], [-7.0], [-6.0], [11.0]])
    return objective_of(loss, X=rows, signs=np.array([1.0, 1.0, -1.0, -1.0]), s=np.ones(4))


FLAT_ENDS = {
    # The rows 9 + b and −(−6 + b) are to stay above 1, and −7 + b and −(11 + b) below the linear zone's end.
    ModifiedHuber(): (-8.0, 5.0),
    SmoothHinge(): (-8.0, 5.0),
    SmoothHinge(2.0): (-8.0, 5.0),
}


@pytest.mark.parametrize("loss", FLAT_ENDS, ids=repr)
def test_a_flat_minimum_gives_its_midpoint(loss):
    low, high = FLAT_ENDS[loss]
    objective = flat(loss)
    for b in (low + 1e-6, 0.0, high - 1e-6):
        assert objective.evaluate(objective.theta(np.ones(1), b)).slope[0] == 0.0, "this is what the test is for"
    for b in (low - 1e-6, high + 1e-6):
        assert objective.evaluate(objective.theta(np.ones(1), b)).slope[0] != 0.0
    for start in (low + 0.5, 0.0, high - 0.5, -100.0, 100.0):
        assert at(objective, np.ones(1), start).b[0] == pytest.approx(0.5 * (low + high), abs=1e-9)


def test_a_flat_minimum_of_a_fit_depends_on_no_order():
    """Balanced classes and a small C: every b is optimal that leaves all rows in the linear zone."""
    rng = np.random.default_rng(51)
    rows, y = rng.normal(size=(20, 2)), np.arange(20) % 2
    for gamma in (0.3, 0.5):
        model, _ = fit(SmoothHinge(gamma), rows, y, C=1e-3)
        z = rows @ model.coef_[0]
        ends = (-(1.0 - gamma) - z[y == 0]).max(), (1.0 - gamma - z[y == 1]).min()
        assert ends[0] < ends[1], "this is what the test is for"
        assert model.intercept_[0] == pytest.approx(0.5 * sum(ends), abs=1e-7)
        for seed in range(4):
            order = np.random.default_rng(seed).permutation(20)
            again, _ = fit(SmoothHinge(gamma), rows[order], y[order], C=1e-3)
            assert again.intercept_[0] == pytest.approx(model.intercept_[0], abs=1e-7)


def test_suboptimality():
    point = at(objective_of(Logistic()), W, B)
    assert point.suboptimality == pytest.approx(0.5 * point.gradient[:3] @ point.gradient[:3] / point.value, rel=1e-14)
    assert math.isnan(at(objective_of(Logistic(), C=np.inf), W, B).suboptimality)
    assert math.isnan(at(objective_of(Savage()), W, B).suboptimality)


def test_relative():
    point = at(objective_of(Logistic()), W, B)
    assert point.relative(point.value) == 1.0
    point.value = -2.0
    assert point.relative(1.0) == 0.5
    point.value = 0.0
    assert point.relative(0.0) == 0.0
    assert point.relative(1e-300) == math.inf


def test_the_bound_needs_b_at_its_minimum():
    """With b off by 0.03 the gradient in w may vanish far from the optimum: at() does not let that happen."""
    rows = np.array([[1.0], [1.0], [-1.0]])
    objective = objective_of(Logistic(), X=rows, signs=np.array([1.0, -1.0, -1.0]), s=np.ones(3))
    best = at(objective, np.array([0.4]), 0.0)
    for _ in range(200):
        best = objective.at(best.theta - 0.3 * best.gradient * [1.0, 0.0])
    for b in (-3.0, 0.0, 3.0):
        for w in np.linspace(-2.0, 2.0, 41):
            point = at(objective, np.array([w]), b)
            assert point.value - best.value <= point.suboptimality * point.value + 1e-15


def test_separates():
    right = SIGNS * np.linspace(1.0, 2.0, 12)
    without = {name: objective_of(loss, C=np.inf) for name, loss in [("exp", Exponential()), ("hinge", SquaredHinge())]}
    assert separates(without["exp"], right)
    assert not separates(without["exp"], -right)
    assert not separates(without["exp"], np.zeros(12))
    assert not separates(without["hinge"], right)
    assert not separates(objective_of(Exponential()), right)
    # Rows on the plane do not move; one that falls is enough; rows without weight do not count.
    some = right.copy()
    weighted = np.flatnonzero(S > 0.0)
    for rounding in (0.0, -1e-12):
        some[weighted[0]] = rounding * SIGNS[weighted[0]]
        assert separates(without["exp"], some)
    some[weighted[0]] = -1e-3 * SIGNS[weighted[0]]
    assert not separates(without["exp"], some)
    ignored = objective_of(Exponential(), C=np.inf, s=np.where(np.arange(12) == weighted[0], 0.0, 1.0))
    assert separates(ignored, some)


@INTERCEPT
def test_weights_of_an_affine_loss_are_halved_by_class(fit_intercept):
    v = objective_of(Linear(), C=2.0, fit_intercept=fit_intercept).v
    sums = v[Y == 1].sum(), -v[Y == 0].sum()
    if fit_intercept:
        assert sums == pytest.approx((S.sum(), S.sum()))
    else:
        assert sums == pytest.approx((2.0 * S[Y == 1].sum(), 2.0 * S[Y == 0].sum()))
