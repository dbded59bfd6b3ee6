"""Exact minimisation along a line, against SciPy and against what a minimum is."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from references import CONVEX
from scipy.optimize import brentq, minimize_scalar

from marginclf.kernels import line
from marginclf.kernels.block import scratch
from marginclf.losses import (
    DWD,
    LUM,
    Exponential,
    Linear,
    Logistic,
    MarginLoss,
    ModifiedHuber,
    SmoothHinge,
    Squared,
    SquaredHinge,
    Tangent,
)

UNIT = np.empty(0)
"""An empty direction stands for ones: the intercept."""


def minimise(loss, z, q, v, linear=0.0, quadratic=0.0, start=0.0):
    address, parameters, _keep = loss.compiled()
    return line.minimise(z, q, v, linear, quadratic, start, address, parameters, scratch()[0])


class Objective:
    """Σ C s φ(y (z + t q)) + linear·t + ½ quadratic·t², in NumPy."""

    def __init__(self, loss, z, q, v, linear=0.0, quadratic=0.0):
        q = np.ones_like(z) if q.size == 0 else q
        self.loss, self.linear, self.quadratic = loss, linear, quadratic
        self.z, self.q, self.v = z[v != 0.0], q[v != 0.0], v[v != 0.0]

    def terms(self, t, which):
        return self.loss.evaluate(np.sign(self.v) * (self.z + t * self.q))[which]

    def __call__(self, t):
        total = (np.abs(self.v) * self.terms(t, 0)).sum()
        return total + self.linear * t + 0.5 * self.quadratic * t * t

    def slope(self, t):
        """The derivative, and the sum of the magnitudes of its terms."""
        terms = np.append(self.v * self.q * self.terms(t, 1), [self.linear, self.quadratic * t])
        return terms.sum(), np.abs(terms).sum()


def problem(n=301, seed=0):
    rng = np.random.default_rng(seed)
    z = rng.normal(size=n)
    v = rng.choice([-1.0, 1.0], n, p=[0.3, 0.7]) * rng.uniform(0.1, 2.0, n)
    v[rng.random(n) < 0.1] = 0.0
    return z, rng.normal(size=n), v


@pytest.mark.parametrize("loss", [case for case in CONVEX if case.values[0].smooth])
@pytest.mark.parametrize("direction", ["intercept", "random"])
@pytest.mark.parametrize("start", [0.0, -7.0, 1e3])
def test_against_scipy(loss, direction, start):
    z, q, v = problem()
    q = UNIT if direction == "intercept" else q
    # The linear loss has a minimum along a line only with a penalty; the others are tried without.
    quadratic = 0.7 if loss.affine else 0.0
    objective = Objective(loss, z, q, v, quadratic=quadratic)
    if np.isinf(objective(start)):
        start = 60.0  # the exponential loss overflows at 1e3, and then there is no direction to go
    t = minimise(loss, z, q, v, quadratic=quadratic, start=start)
    slope, scale = objective.slope(t)
    # A slope at the level of rounding is as good as doubles can tell; SciPy knows half the digits. Where the
    # curvature is 1/γ, an ulp of t is more than an ulp of the slope.
    curvature = (np.abs(objective.v) * objective.q**2 * objective.terms(t, 2)).sum()
    assert abs(slope) <= 1e-14 * scale + 4.0 * np.spacing(abs(t) + 1.0) * curvature
    scipys = minimize_scalar(objective, bracket=(-1.0, 1.0), options={"xtol": 1e-10})
    assert objective(t) <= objective(scipys.x) + 1e-12 * abs(objective(scipys.x))
    assert abs(t - scipys.x) <= 1e-4 * (1.0 + abs(t))


@pytest.mark.parametrize("loss", [case for case in CONVEX if case.values[0].smooth])
def test_with_linear_and_quadratic_terms(loss):
    # As in the line search of Newton's method, where ½‖w‖² is a quadratic in t.
    z, q, v = problem(seed=1)
    objective = Objective(loss, z, q, v, linear=-3.0, quadratic=20.0)
    t = minimise(loss, z, q, v, -3.0, 20.0)
    assert abs(t - brentq(lambda u: objective.slope(u)[0], t - 1.0, t + 1.0, xtol=1e-15)) <= 1e-12


def test_one_row_against_one_row_is_half_way():
    for z0, z1 in ((3.0, -1.0), (-2.0, 5.0), (1e3, 1e3), (1e-9, 0.0)):
        t = minimise(Logistic(), np.array([z0, z1]), UNIT, np.array([1.0, -1.0]))
        assert abs(t + 0.5 * (z0 + z1)) <= 1e-12 * (1.0 + abs(z0 + z1))


def test_rows_of_weight_zero_are_not_there():
    z, q, v = problem()
    z[v == 0.0] = -1e5  # their loss, slope and curvature are infinite
    q[v == 0.0] = -1e300
    keep = v != 0.0
    for direction in (UNIT, q):
        found = minimise(Exponential(), z, direction, v)
        alone = minimise(Exponential(), z[keep], direction[keep] if direction.size else UNIT, v[keep])
        assert found == pytest.approx(alone, rel=1e-12)


def test_flat_interval_gives_its_midpoint():
    # Balanced classes, every margin on the slope −1 (below 1 − γ) or beyond 1: any t in between is a minimum.
    loss = SmoothHinge(gamma=0.5)
    z = np.array([-0.25, 3.0, 0.125, -4.0])
    v = np.array([1.0, 1.0, -1.0, -1.0])
    # Rows 0 and 2 stay on the slope while −0.25 + t ≤ 0.5 and −(0.125 + t) ≤ 0.5, rows 1 and 3 beyond 1 while
    # 3 + t ≥ 1 and 4 − t ≥ 1. So the interval is [−0.625, 0.75].
    for start in (0.0, -0.6, 0.7, 0.74, 5.0, -40.0):
        t = minimise(loss, z, UNIT, v, start=start)
        assert abs(t - 0.0625) <= 1e-9, start
    # The direction 2 halves it, −1 mirrors it.
    assert abs(minimise(loss, z, np.full(4, 2.0), v) - 0.03125) <= 1e-9
    assert abs(minimise(loss, z, np.full(4, -1.0), v) + 0.0625) <= 1e-9


def test_flat_interval_where_all_rows_are_right():
    # No row has a slope: nothing moves as long as none gets one, |t| ≤ 1.
    for z0, z1, middle in ((2.0, -2.0, 0.0), (5.0, -2.0, -1.5), (1.0, -4.0, 1.5)):
        for loss in (SquaredHinge(), SmoothHinge(gamma=0.25)):
            t = minimise(loss, np.array([z0, z1]), UNIT, np.array([1.0, -1.0]))
            assert abs(t - middle) <= 1e-6, (z0, z1, loss)


@pytest.mark.parametrize(
    ("loss", "z", "interval"),
    [
        (LUM(), 3.0, (-3.0, 0.0)),
        (DWD(), 3.0, (-3.5, 0.5)),
        (ModifiedHuber(), 3.0, (-2.0, -1.0)),
        (SmoothHinge(gamma=0.5), 3.0, (-3.5, 0.5)),
    ],
    ids=repr,
)
@pytest.mark.parametrize("start", [0.0, "low", "high", -1.5, 5.0, -40.0, 1e3])
def test_flat_interval_gives_its_midpoint_wherever_it_is_entered(loss, z, interval, start):
    # Margins t and −(z + t): both on the line of slope −1 (or −4) within the interval. A Newton step from the
    # curved side ends at the interval's very end, where the curvature of that side is not zero.
    start = {"low": interval[0], "high": interval[1]}.get(start, start)
    t = minimise(loss, np.array([0.0, z]), UNIT, np.array([1.0, -1.0]), start=start)
    assert t == pytest.approx(0.5 * (interval[0] + interval[1]), abs=1e-6)


@pytest.mark.parametrize("loss", [Exponential(), Logistic()], ids=repr)
def test_far_along_an_exponential_tail(loss):
    # Newton's step is 1 there, however far the minimum is.
    for distance in (100.0, 600.0):
        t = minimise(loss, np.array([0.0, -distance]), UNIT, np.array([1.0, -1.0]))
        assert t == pytest.approx(0.5 * distance, rel=1e-9)


def test_a_penalty_decides_in_a_flat_interval():
    z, v = np.array([4.0, -3.0]), np.array([1.0, -1.0])
    assert minimise(SquaredHinge(), z, UNIT, v, quadratic=0.5, start=1.5) == pytest.approx(0.0, abs=1e-15)


def test_one_class_only_has_no_minimum_and_ends_all_the_same():
    z, v = np.array([0.0, 1.0]), np.ones(2)
    for loss in (Logistic(), Exponential(), DWD(), Linear()):
        t = minimise(loss, z, UNIT, v)
        assert np.isfinite(t), loss
        assert t >= 0.0
    assert Logistic().evaluate([minimise(Logistic(), z, UNIT, v)])[0] <= 1e-12


def test_a_start_where_the_loss_overflows_is_kept_or_left_but_never_nan():
    z, _, v = problem(50)
    for start in (1e4, -1e4, 1e300):
        assert np.isfinite(minimise(Exponential(), z, UNIT, v, start=start))
        t = minimise(Squared(), z, UNIT, v, start=start)
        assert t == pytest.approx(minimise(Squared(), z, UNIT, v), rel=1e-12)


@pytest.mark.parametrize("scale", [1e-8, 1e8])
def test_badly_scaled_directions(scale):
    z, q, v = problem()
    t = minimise(Logistic(), z, q * scale, v)
    assert t * scale == pytest.approx(minimise(Logistic(), z, q, v), rel=1e-10)


def test_ends_at_a_stationary_point_where_the_loss_is_not_convex():
    z, q, v = problem()
    for direction in (UNIT, q):
        t = minimise(Tangent(), z, direction, v)
        slope, scale = Objective(Tangent(), z, direction, v).slope(t)
        assert abs(slope) <= 1e-12 * scale


def test_a_loss_with_a_wrong_curvature_is_still_minimised():
    # The bracket guards Newton's step: a curvature that is 100 times too small only costs evaluations.
    class Sloppy(MarginLoss):
        def point(self, m):
            t = 1.0 - m
            return t * t, -2.0 * t, 0.02

    z, q, v = problem(40)
    assert minimise(Sloppy(), z, q, v) == pytest.approx(minimise(Squared(), z, q, v), rel=1e-10)


@settings(max_examples=80, deadline=None, derandomize=True, database=None)
@given(
    n=st.integers(2, 30),
    seed=st.integers(0, 10_000),
    spread=st.sampled_from([1e-3, 1.0, 30.0]),
    shift=st.floats(-50.0, 50.0),
    flip=st.booleans(),
)
def test_symmetries(n, seed, spread, shift, flip):
    rng = np.random.default_rng(seed)
    z, v = spread * rng.normal(size=n), rng.uniform(0.1, 2.0, n)
    v[::2] *= -1.0  # both classes: there is a minimum
    t = minimise(Logistic(), z, UNIT, v)
    # Shifting the decision values shifts the intercept back; changing every sign changes that of t.
    assert abs(minimise(Logistic(), z + shift, UNIT, v) - (t - shift)) <= 1e-9 * (1.0 + abs(t) + abs(shift))
    assert abs(minimise(Logistic(), -z, UNIT, -v) + t) <= 1e-9 * (1.0 + abs(t))
    if flip:
        order = rng.permutation(n)
        assert abs(minimise(Logistic(), z[order], UNIT, v[order]) - t) <= 1e-9 * (1.0 + abs(t))
