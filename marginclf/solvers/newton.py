"""Newton's method with an exact line search, run to rounding where the Hessian is factored.

Each iteration costs one product with X, one with Xᵀ and the Hessian. From zero, Newton's step has the direction of
Fisher's discriminant but not its length, so the first step goes to the minimum along its line. Later a full step is
tried first, and only where it does not lower the objective is the line searched, on the stored decision values and
without a pass over X.
"""

from __future__ import annotations

import numpy as np

from ..objective import Objective, Point
from .direction import DIRECT_LIMIT, Direction, newton_direction
from .solution import MUCH, Solution, Status, descends, precise, verdict

_SUFFICIENT = 1e-4
_BACKTRACKS = 40

_LONGEST = 1e3
"""First steps that are longer than this, in units of Newton's, are not worth taking: nothing holds them back."""

_PROGRESS = 0.25
"""Beyond tol, steps are taken while each cuts the decrement to this fraction: quadratic convergence, then rounding."""

_LAST = 1e-14
"""Relative decrement whose step is the last: what it leaves is, by quadratic convergence, the square of this."""


def newton(
    objective: Objective, start: Point, *, tol: float, max_iter: int, to_rounding: bool = True
) -> Solution[Point]:
    """Minimise an objective.

    Parameters
    ----------
    objective : Objective
        F, of any loss; it need not be convex.
    start : Point
        Where to start.
    tol : float
        Relative suboptimality at which to stop. Where the Hessian is factored, steps go on to rounding, so that the
        result does not depend on the order of the rows; that takes one or two more.
    max_iter : int
        Largest number of iterations.
    to_rounding : bool, default=True
        Whether to go on after tol, and to doubt a small decrement; a rough optimum needs neither.
    """
    _ = start.c  # Needed in any case, and with it the gradient takes no pass of another kind.
    start.require_finite()
    first = objective.loss.convex and not start.w.any()
    previous = point = start
    met, last, seen = None, np.inf, True
    for n_iter in range(max_iter + 1):
        if n_iter:
            objective.report(lambda: point)  # noqa: B023 (called at once)
        direction = newton_direction(objective, point)
        status = verdict(objective, point, direction, tol, rough=not to_rounding)
        if met is status is None and not seen and direction.decrement > _PROGRESS * last:
            # Neither F nor the slope tells the last two points apart any more.
            return Solution(point, _stuck(objective, point, direction), n_iter)
        if met is not None and not (status and direction.decrement <= _PROGRESS * last):
            # Rounding has been reached: whichever of the last two points is better.
            if status is None or direction.decrement > last:
                return _solution(previous, met, n_iter, tol)
            return Solution(point, status, n_iter)
        final = not to_rounding or direction.decrement == 0.0 or len(point.w) > DIRECT_LIMIT
        if status is Status.PROVEN and final and to_rounding and not precise(direction.dw, point.w, tol):
            # The direction is there already, and to take it costs no more than to look whether it was good.
            last_step = objective.at(point.w + direction.dw, point.b + direction.db)
            return Solution(last_step if last_step.excess < point.excess else point, status, n_iter)
        if status is Status.SEPARABLE:
            # Leave the coefficients where they separate: at the start they are still zero.
            further = objective.at(point.w + direction.dw, point.b + direction.db)
            return Solution(further if further.value < point.value else point, status, n_iter + 1)
        if status is not None and (final or not status.converged):
            return Solution(point, status, n_iter)
        if n_iter == max_iter:
            return Solution(point, status or Status.MAX_ITER, n_iter)
        point.release(keep_z=True)
        trial = _first_step(objective, point, direction) if first and status is None else None
        if trial is None:
            trial = objective.at(point.w + direction.dw, point.b + direction.db)
        seen = trial.value <= point.value - _SUFFICIENT * direction.decrement
        if status is None and not (seen or descends(point, trial, direction.dw, direction.db, direction.decrement)):
            better = _line_search(objective, point, direction, trial)
            if better is None:
                return Solution(point, _stuck(objective, point, direction), n_iter)
            trial, seen = better, True
        if status is not None and point.unreached(direction.decrement) <= _LAST and not trial.excess > tol:
            return _solution(trial, status, n_iter + 1, tol)
        point.release()
        previous, point, met, last, first = point, trial, status, direction.decrement, False
    raise AssertionError("unreachable")


def _solution(point: Point, status: Status, n_iter: int, tol: float) -> Solution[Point]:
    """What was met at the point before, or proven since."""
    return Solution(point, Status.PROVEN if point.excess <= tol else status, n_iter)


def _first_step(objective: Objective, point: Point, direction: Direction) -> Point | None:
    """The minimum along the direction, if it lies beyond the full step and within reach."""
    w, dw, penalty = point.w, direction.dw, objective.penalty
    q = objective.matrix.product(dw) + direction.db
    # The minimum in units of the full step, where the search starts.
    t = 1.0 + objective.line_minimum(point.z + point.b + q, q, penalty * float((w + dw) @ dw), penalty * float(dw @ dw))
    if not 1.0 < t < _LONGEST:
        return None
    return objective.at(w + t * dw, point.b + t * direction.db)


def _line_search(objective: Objective, point: Point, direction: Direction, full: Point) -> Point | None:
    """A point along the direction that is lower; None where there is no such point."""
    w, dw, penalty = point.w, direction.dw, objective.penalty
    q = full.z - point.z + direction.db
    # Steps of the search are of the order of 1, and so must be the changes that they make to decision values.
    unit = float(np.abs(q).max()) or 1.0
    linear, quadratic = penalty * float(w @ dw) / unit, penalty * float((dw / unit) @ (dw / unit))
    t = objective.line_minimum(point.z + point.b, q / unit, linear, quadratic) / unit
    if not (np.isfinite(t) and t > 0.0):
        t = 1.0
    for _ in range(_BACKTRACKS):
        trial = objective.at(w + t * dw, point.b + t * direction.db)
        if trial.value < point.value:
            return trial
        t *= 0.5
    return None


def _stuck(objective: Objective, point: Point, direction: Direction) -> Status:
    """What it means that no step along the direction lowers F."""
    if objective.separates_nearly(point.z + point.b):
        return Status.SEPARABLE
    lost = _lost_in_rounding(point, direction.decrement) and 0.0 <= direction.decrement <= MUCH * point.gain
    return Status.LIMIT_OF_PRECISION if lost else Status.LINE_SEARCH


def _lost_in_rounding(point: Point, decrement: float) -> bool:
    """Whether rounding the decision values changes F by as much as can be gained."""
    rounding = 4.0 * np.finfo(float).eps * (np.abs(point.z).max(initial=0.0) + abs(point.b))
    return decrement <= rounding * float(np.abs(point.r).sum() + 0.5 * rounding * np.abs(point.c).sum())
