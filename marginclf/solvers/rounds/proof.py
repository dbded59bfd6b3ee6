"""What a point can prove of itself where every look at the rows is a round."""

from __future__ import annotations

import math

import numpy as np

from ...objective import PartitionedObjective, PartitionedPoint, intercept_step
from ..solution import Status

SETTLED = 1e-6
"""What the intercepts may leave to gain, as a fraction of tol: it then adds nothing that could be seen."""

_SETTLES = 8
_UNREPRESENTABLE = 4.0 * np.finfo(float).eps
_ZERO = 1e-26
"""The square of a rounding error of the margins, and of what adds them up."""

_RUNAWAY, _NOTHING = 0.02, 1e-11


def intercept_gain(point: PartitionedPoint, curvature: np.ndarray) -> tuple[np.ndarray, float]:
    """The step of the intercepts to their own minimum, and about what it gains."""
    slope = point.gradient[:, -1]
    if not slope.any():
        return np.zeros_like(slope), 0.0
    if len(slope) > 1:
        step = intercept_step(slope, curvature)
    else:
        step = -slope / curvature[0, 0] if curvature[0, 0] > 0.0 else np.full(1, math.nan)
    return step, -0.5 * float(slope @ step)


def half_square(point: PartitionedPoint) -> float:
    """½‖∂F/∂W‖²."""
    in_w = point.gradient[:, :-1].ravel()
    return 0.5 * float(in_w @ in_w)


def excess(point: PartitionedPoint) -> float:
    """½‖∂F/∂W‖² as a fraction of what tol is compared with."""
    return point.unreached(half_square(point))


def mean_of(hessian: np.ndarray, k: int, size: int) -> float:
    """How far the rows' mean, weighted by their curvatures, is from the centre that θ is about."""
    own = np.einsum("kikj->kij", hessian.reshape(k, size, k, size))
    mixed, total = own[:, :-1, -1], own[:, -1, -1:]
    return float(np.linalg.norm(np.divide(mixed, total, out=np.zeros_like(mixed), where=total > 0.0)))


def bound(objective: PartitionedObjective, point: PartitionedPoint, hessian: np.ndarray, tol: float) -> float:
    """½‖∂F/∂W‖² with the intercepts at their minimum, by a Hessian of this point or one near it.

    Infinite where they are so far from it that a quadratic model would be part of the proof, NaN where nothing can be
    proved.
    """
    if not objective.provable:
        return math.nan
    k, d = point.gradient.shape[0], point.gradient.shape[1] - 1
    if not objective.problem.fit_intercept:
        return half_square(point)
    in_w = point.gradient[:, :d].ravel()
    blocks = hessian.reshape(k, d + 1, k, d + 1)
    step, gain = intercept_gain(point, blocks[:, d, :, d])
    if not point.unreached(gain) <= SETTLED * tol:
        return math.inf
    in_w = in_w + (blocks[:, :d, :, d] @ step).ravel()
    return 0.5 * float(in_w @ in_w) + gain


def settled(objective: PartitionedObjective, point: PartitionedPoint, tol: float, mean: float) -> PartitionedPoint:
    """A point with the intercepts at their minimum, which the bound needs, and with that bound; a few rounds.

    ``mean`` is the length of the rows' mean, weighted by their curvatures, from the centre that θ is about.
    """
    if not objective.problem.fit_intercept:
        point.bound = half_square(point) if objective.provable else math.nan
        return point
    theta, gain = point.theta, math.inf
    for _ in range(_SETTLES):
        point = objective.evaluate(theta, "intercepts")
        assert point.hessian is not None
        step, gain = intercept_gain(point, point.hessian)
        if not math.isfinite(gain) or point.unreached(gain) <= SETTLED * tol:
            break
        theta = theta.copy()
        theta[:, -1] += step
    slope = float(np.linalg.norm(point.gradient[:, -1]))
    length = float(np.linalg.norm(point.gradient[:, :-1])) + mean * slope
    gain = max(gain, 0.0) if math.isfinite(gain) else math.inf
    point.bound = 0.5 * length**2 + gain if objective.provable else math.nan
    return point


def verdict(
    objective: PartitionedObjective,
    point: PartitionedPoint,
    step: np.ndarray,
    decrement: float,
    tol: float,
    *,
    looks: bool = True,
) -> Status | None:
    """The status of a point where a solver may stop, short of a proof; None where it must go on.

    ``looks`` says whether to spend a round on whether the classes are separated, where nothing holds the coefficients.
    The rest is that of :func:`marginclf.solvers.solution.verdict`.
    """
    loss = objective.problem.loss
    enough = 0.0 if loss.convex else tol
    small = bool(point.unreached(abs(decrement)) <= max(enough, _UNREPRESENTABLE))
    # Nothing is gained, and what is left is what rounding leaves of a decrement of the same size as F.
    small = small or bool(point.relative(abs(decrement)) <= _UNREPRESENTABLE**2)
    # A loss that can be zero is computed as the square of a rounding error there.
    small = small or bool(abs(point.value) <= _ZERO * objective.total)
    if objective.provable:
        return Status.LIMIT_OF_PRECISION if small else None
    if not small and (objective.problem.penalty or not looks):
        return None
    seen = objective.reach(point.theta, step)
    if seen["separates"]:
        return Status.SEPARABLE
    if not small:
        return None
    if seen["change"] > _RUNAWAY:
        if point.relative(decrement) > _NOTHING:
            return None
        return Status.SEPARABLE if loss.convex else Status.RUNS_OFF
    return Status.LIMIT_OF_PRECISION if loss.convex else Status.STATIONARY
