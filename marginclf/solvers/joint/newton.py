"""Newton's method for the joint objective, run to rounding where the Hessian is factored."""

from __future__ import annotations

import math

import numpy as np

from ...objective import JointObjective, JointPoint
from ..solution import LITTLE, MUCH, Solution, Status, descends, precise, proves_coefficients, slope_along
from .direction import JointDirection, direct, gradient_is_rounding, joint_direction

_SUFFICIENT = 1e-4
_BACKTRACKS = 40
_FLAT = 0.1
"""Slope along a direction, relative to the first, at which a point is near enough to the minimum there."""

_PROGRESS = 0.25
_LAST = 1e-14
_UNREPRESENTABLE = 4.0 * np.finfo(float).eps
_RUNAWAY, _NOTHING = 0.02, 1e-11
_PROMISING = 2.0


def joint_newton(
    objective: JointObjective, start: JointPoint, *, tol: float, max_iter: int, to_rounding: bool = True
) -> Solution[JointPoint]:
    """Minimise a joint objective; see :func:`marginclf.solvers.newton.newton` for the parameters."""
    start.require_finite()
    factored = direct(objective)
    previous = point = start
    met, last, seen, proven = None, np.inf, True, factored
    for n_iter in range(max_iter + 1):
        if n_iter:
            # The bound needs b at its minimum.
            objective.report(lambda: point if factored else objective.at(point.w, point.b))  # noqa: B023
        if met is None and not factored and objective.provable and point.excess <= _PROMISING * tol:
            # The bound needs b at its minimum, and may then spare a direction.
            point = objective.at(point.w, point.b)
            proven = point.excess <= tol
            exact = point.gain > LITTLE * abs(point.value) or proves_coefficients(point, tol)
            if proven and (exact or not to_rounding):
                return Solution(point, Status.PROVEN, n_iter)
        direction = joint_direction(objective, point)
        status = joint_verdict(objective, point, direction, tol, settled=proven, rough=not to_rounding)
        if met is status is None and not seen and direction.gain > _PROGRESS * last:
            # Neither F nor the slope tells the last two points apart any more.
            return Solution(point, _stuck(objective, point, direction, tol), n_iter)
        if met is not None and not (status and direction.gain <= _PROGRESS * last):
            # Rounding has been reached: whichever of the last two points is better.
            return Solution(previous if status is None or direction.gain > last else point, met, n_iter)
        if status is Status.SEPARABLE:
            further = objective.evaluate(point.w + direction.dw, point.b + direction.db)
            return Solution(further if further.value < point.value else point, status, n_iter + 1)
        if status is Status.PROVEN and to_rounding and not factored and not precise(direction.dw, point.w, tol):
            # The direction is there already, and to take it costs no more than to look whether it was good.
            trial = objective.at(point.w + direction.dw, point.b + direction.db)
            return Solution(trial if trial.excess < point.excess else point, status, n_iter)
        if status is not None and (not to_rounding or not factored or not status.converged):
            return Solution(point, status, n_iter)
        if status is not None and direction.gain <= 0.0:
            return Solution(point, status, n_iter)
        if n_iter == max_iter:
            return Solution(point, status or Status.MAX_ITER, n_iter)
        if status is None and point.unreached(max(direction.gain, last)) <= _UNREPRESENTABLE:
            # Only the bound on what conjugate gradients hide is in the way, and a step from here did not lower it.
            return Solution(point, _stuck(objective, point, direction, tol), n_iter)
        trial = _moved(objective, point, direction, 1.0, exact=factored)
        seen = trial.value <= point.value - _SUFFICIENT * direction.gain
        if status is None and not (seen or descends(point, trial, direction.dw, direction.db, direction.gain)):
            better = line_search(objective, point, direction, trial, exact=factored)
            if better is None:
                return Solution(point, _stuck(objective, point, direction, tol), n_iter)
            trial, seen = better, True
        if status is not None and point.unreached(direction.gain) <= _LAST and not trial.excess > tol:
            return Solution(trial, Status.PROVEN if trial.excess <= tol else status, n_iter + 1)
        previous, point, met, last = point, trial, status, direction.gain
    raise AssertionError("unreachable")


def joint_verdict(
    objective: JointObjective,
    point: JointPoint,
    direction: JointDirection,
    tol: float,
    *,
    settled: bool,
    stalled: bool = False,
    rough: bool = False,
) -> Status | None:
    """The status of a point where a solver may stop; None where it must go on.

    ``settled`` says that b is at its minimum, which the bound needs; the rest is that of
    :func:`marginclf.solvers.solution.verdict`.
    """
    if settled and point.excess <= tol:
        return Status.PROVEN
    enough = tol if stalled or rough or not objective.loss.convex else 0.0
    measure = point.relative if rough else point.unreached
    # The step gains next to nothing then, and what it may leave out is within tol too.
    small = measure(abs(direction.gain)) <= max(enough, _UNREPRESENTABLE)
    small = small and measure(direction.decrement) <= max(tol, _UNREPRESENTABLE)
    if not small and point.relative(abs(direction.gain)) <= _UNREPRESENTABLE:
        # Where nothing is gained, it is beside the gradient's own rounding that the decrement is small.
        small = gradient_is_rounding(objective, point)
    small = small or bool(abs(point.value) <= _UNREPRESENTABLE**2 * objective.class_weights().sum())
    if objective.provable:
        return Status.LIMIT_OF_PRECISION if small else None
    if objective.separates(point.w, point.b) or objective.separates(direction.dw, direction.db):
        return Status.SEPARABLE
    if not small:
        return None
    if objective.largest_change(point, direction.dw, direction.db) > _RUNAWAY:
        # A step that gains next to nothing may be one of many towards an optimum at infinity.
        if point.relative(direction.decrement) > _NOTHING:
            return None
        return Status.SEPARABLE if objective.loss.convex else Status.RUNS_OFF
    return Status.LIMIT_OF_PRECISION if objective.loss.convex else Status.STATIONARY


def _stuck(objective: JointObjective, point: JointPoint, direction: JointDirection, tol: float) -> Status:
    """The status where no step lowers F: rounding may stop them long before the decrement is next to nothing."""
    rounding = min(lost_in_rounding(objective, point), MUCH * point.gain)
    reached = direction.decrement <= rounding or point.unreached(direction.decrement) <= tol
    return Status.LIMIT_OF_PRECISION if reached and direction.decrement >= 0.0 else Status.LINE_SEARCH


def lost_in_rounding(objective: JointObjective, point: JointPoint) -> float:
    """What rounding the decision values may change of F, about."""
    largest = objective.largest_decision(point.w, point.b)
    return 16.0 * np.finfo(float).eps * (1.0 + largest) * max(abs(point.value), float(np.abs(point.slope).sum()))


def _moved(
    objective: JointObjective, point: JointPoint, direction: JointDirection, t: float, *, exact: bool
) -> JointPoint:
    w, b = point.w + t * direction.dw, point.b + t * direction.db
    return objective.at(w, b) if exact else objective.evaluate(w, b)


def line_search(
    objective: JointObjective, point: JointPoint, direction: JointDirection, full: JointPoint, *, exact: bool
) -> JointPoint | None:
    """A lower point along the direction, near the minimum; None where there is none.

    By secants on the slope along the direction, within a bracket: an evaluation is cheap beside a direction.
    """
    first = -2.0 * direction.gain
    low, high = (0.0, first), (1.0, slope_along(full, direction.dw, direction.db))
    best: JointPoint | None = None
    same = 0
    for _ in range(_BACKTRACKS):
        width = high[0] - low[0]
        rise = high[1] - low[1]
        inside = low[0] - low[1] * width / rise if math.isfinite(rise) and rise > 0.0 and high[1] > 0.0 else 0.0
        # Where the slope jumps, secants creep up from one side; most often it jumps close to the start.
        inside = low[0] + 0.1 * width if same > 1 else inside
        t = min(max(inside, low[0] + 0.1 * width), high[0] - 0.1 * width)
        trial = _moved(objective, point, direction, t, exact=exact)
        slope = slope_along(trial, direction.dw, direction.db)
        if trial.value < (point if best is None else best).value:
            best = trial
        if best is not None and abs(slope) <= _FLAT * abs(first):
            break
        if slope > 0.0 or not trial.value <= point.value:
            high, same = (t, slope), same + 1
        else:
            low, same = (t, slope), 0
    return best
