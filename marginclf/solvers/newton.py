"""Newton's method, run to rounding where the Hessian is factored.

From zero, Newton's step has the direction of Fisher's discriminant but not its length, so where decision values are
kept the first step goes to the minimum along its line. Later a full step is tried first, and only where it does not
lower the objective is the line searched.
"""

from __future__ import annotations

from functools import partial
from typing import Any, cast

import numpy as np

from ..objective import JointObjective, Objective, Point
from .conjugate_gradients import last_step
from .convergence import (
    LITTLE,
    ROUGH,
    UNREPRESENTABLE,
    check_convergence,
    descends,
    precise,
    proves_coefficients,
    stuck,
)
from .direction import Direction, newton_direction
from .kronecker import Spread
from .line_search import line_search, moved
from .solution import Solution, Status

_SUFFICIENT = 1e-4
_LONGEST = 1e3
"""First steps that are longer than this, in units of Newton's, are not worth taking: nothing holds them back."""

_PROGRESS = 0.25
"""Beyond tol, steps are taken while each cuts the decrement to this fraction: quadratic convergence, then rounding."""

_TOO_LITTLE = 0.1
"""Part of a decrement that a step should leave at most, where the second derivatives can be refined."""

_SETTLED = 1e-6
"""What b may leave to gain, as a fraction of tol, where it is not at its minimum: it cannot be seen then."""

_PATIENCE = 4
"""Iterations after which it is asked whether the classes are separated, where that is a round over the rows."""

_PROMISING = 2.0
"""½‖∂F/∂w‖², relative to tol, from which on b is moved to its minimum: the bound may then spare a direction."""


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
        Relative suboptimality at which to stop. Where the Hessian is factored and tol is below 1e-4, steps go on to
        rounding, so that the result does not depend on the order of the rows; that takes one or two more.
    max_iter : int
        Largest number of iterations.
    to_rounding : bool, default=True
        Whether to go on after tol, and to doubt a small decrement; a rough optimum needs neither.
    """
    # What a rough optimum may end at, a small decrement, the compiled loop does not look for.
    spent, steps = 0, objective.steps(start.theta, tol, tol < ROUGH) if to_rounding else None
    if steps is not None:
        start, spent = _compiled(objective, steps, start, max_iter)
        if start.excess <= tol or spent == max_iter:
            return Solution(start, Status.PROVEN if start.excess <= tol else Status.MAX_ITER, spent)
        max_iter -= spent
    start.prepare()
    start.require_finite()
    found = _Run(objective, start, tol, max_iter, to_rounding).solve()
    return Solution(found.point, found.status, spent + found.n_iter)


def _itself(point: Point) -> Point:
    return point


def _compiled(objective: Objective, steps: Any, point: Point, max_iter: int) -> tuple[Point, int]:
    """Where steps in one compiled loop lead, and how many they were; somebody who watches sees every one."""
    n_iter, ended = 0, False
    while not ended and n_iter < max_iter:
        most = max_iter if objective.monitor is None else 1
        point, taken, ended = steps.take(most)
        n_iter += taken
        if taken < most:
            break
        objective.report(partial(_itself, point))
    return point, n_iter


class _Run:
    """What one run remembers between its steps."""

    def __init__(self, objective: Objective, start: Point, tol: float, max_iter: int, to_rounding: bool) -> None:
        self._objective, self._tol, self._max_iter = objective, tol, max_iter
        self._rough, self._to_rounding, self._factored = not to_rounding, to_rounding and tol < ROUGH, objective.direct
        # Where b costs passes of its own, it is moved to its minimum only where that is asked for.
        moves_b = self._factored or (objective.keeps_decisions and objective.n_outputs == 1)
        self._minimises = objective.in_memory and moves_b
        self._spread = None
        if objective.preconditioned:
            of_many = cast("JointObjective", objective)
            self._spread = Spread(of_many, of_many.centre if objective.fit_intercept else None)
        self._first = objective.keeps_decisions and objective.loss.convex and not start.w.any()
        self._point = self._previous = start
        self._met: Status | None = None
        self._last, self._seen = np.inf, True

    def solve(self) -> Solution[Point]:
        """Take steps until one of them ends it."""
        for n_iter in range(self._max_iter + 1):
            found = self._iterate(n_iter)
            if found is not None:
                return found
        raise AssertionError("unreachable")

    def _iterate(self, n_iter: int) -> Solution[Point] | None:
        """One step, or what there is to return."""
        objective, point = self._objective, self._point
        if n_iter:
            objective.report(
                lambda: (
                    point
                    if point.intercept_minimised
                    else objective.minimise_intercept(point, _SETTLED * self._tol, 0.0)
                )
            )
        if not self._minimises and (self._factored or self._met is None):
            point = self._point = self._proven(point)
            if not self._factored and self._is_enough():
                return Solution(point, Status.PROVEN, n_iter)
        direction = newton_direction(objective, point, tol=self._tol, spread=self._spread)
        looks = objective.in_memory or n_iter >= _PATIENCE
        status = check_convergence(objective, point, direction, self._tol, rough=self._rough, looks=looks)
        ended = self._ended(direction, status, n_iter)
        if ended is not None:
            return ended
        last = status is not None and point.unreached(direction.gain) <= objective.last_decrement
        if n_iter and direction.gain > _TOO_LITTLE * self._last:
            self._objective = objective.refined()
        trial, seen = self._step(direction, status, last=last)
        if trial is None:
            return Solution(point, stuck(objective, point, direction, self._tol), n_iter)
        if last and status is not None:
            trial = self._proven(trial)
            if not trial.excess > self._tol:
                return self._solution(trial, status, n_iter + 1)
        point.release()
        self._previous, self._point, self._met, self._last = point, trial, status, direction.gain
        self._seen, self._first = seen, False
        return None

    def _proven(self, point: Point) -> Point:
        """The point, with b at its minimum where it looks as if its bound was enough then."""
        objective = self._objective
        looks = objective.provable and not point.intercept_minimised and not point.excess <= self._tol
        if looks and point.unreached(point.half_square) <= _PROMISING * self._tol:
            return objective.minimise_intercept(point, _SETTLED * self._tol, 0.0)
        return point

    def _is_enough(self) -> bool:
        point, tol = self._point, self._tol
        if self._met is not None or not point.excess <= tol:
            return False
        exact = point.gain > LITTLE * abs(point.value) or proves_coefficients(point, tol)
        return exact or not self._to_rounding

    def _ended(self, direction: Direction, status: Status | None, n_iter: int) -> Solution[Point] | None:
        """What to return before another step is taken, if anything."""
        objective, point, gain, tol = self._objective, self._point, direction.gain, self._tol
        if self._met is status is None and not self._seen and gain > _PROGRESS * self._last:
            # Neither F nor the slope tells the last two points apart any more.
            return Solution(point, stuck(objective, point, direction, tol), n_iter)
        if self._met is not None and not (status and gain <= _PROGRESS * self._last):
            # Rounding has been reached: whichever of the last two points is better.
            if status is None or gain > self._last:
                return self._solution(self._previous, self._met, n_iter)
            return Solution(point, status, n_iter)
        if status is Status.SEPARABLE:
            # Leave the coefficients where they separate: at the start they are still zero.
            steps = objective.reach(point, direction.step).steps()
            further = moved(objective, point, direction, steps, intercept_minimised=self._minimises, last=True)
            return Solution(further if further.value < point.value else point, status, n_iter + 1)
        met = status is Status.PROVEN or (status is not None and not objective.provable)
        if met and not objective.in_memory and point.unreached(gain) <= objective.last_decrement:
            # A step more is a round more, for what nobody sees.
            return Solution(point, status or Status.PROVEN, n_iter)
        final = not self._to_rounding or not gain > 0.0 or not self._factored
        if status is Status.PROVEN and not self._factored and self._to_rounding:
            return self._sharpened(direction, n_iter)
        if status is not None and (final or not status.converged):
            return Solution(point, status, n_iter)
        if n_iter == self._max_iter:
            return Solution(point, status or Status.MAX_ITER, n_iter)
        if status is None and not self._minimises and point.unreached(max(gain, self._last)) <= UNREPRESENTABLE:
            # Only the bound on what conjugate gradients hide is in the way, and a step from here did not lower it.
            return Solution(point, stuck(objective, point, direction, tol), n_iter)
        return None

    def _sharpened(self, direction: Direction, n_iter: int) -> Solution[Point]:
        """A proven point, or the end of the step from there, if its coefficients are not exact yet."""
        objective, point = self._objective, self._point
        if not precise(objective.w(direction.step), point.w, self._tol):
            # The direction is there already, and to take it costs no more than to look whether it was good.
            trial = moved(objective, point, direction, 1.0, intercept_minimised=True)
            point = trial if trial.excess < point.excess else point
        return Solution(point, Status.PROVEN, n_iter)

    def _step(self, direction: Direction, status: Status | None, *, last: bool) -> tuple[Point | None, bool]:
        """The next point, and whether F shows that it is lower."""
        objective, point, minimises = self._objective, self._point, self._minimises
        point.release(keep_z=True)
        trial = self._first_step(direction) if self._first and status is None else None
        if trial is None:
            trial = moved(objective, point, direction, 1.0, intercept_minimised=minimises, last=last)
        seen = trial.value <= point.value - _SUFFICIENT * direction.gain
        if self._spread is not None and last_step(point, point.unreached(direction.gain), self._tol):
            trial = objective.proven_by_step(point, trial, self._tol)
            if trial.excess <= self._tol:
                return trial, True
        if status is None and not (seen or descends(point, trial, direction.step, direction.gain)):
            return line_search(objective, point, direction, trial, intercept_minimised=minimises), True
        return trial, seen

    def _first_step(self, direction: Direction) -> Point | None:
        """The minimum along the direction, if it lies beyond the full step and within reach."""
        objective, point, full = self._objective, self._point, None
        if objective.n_outputs > 1:
            full = moved(objective, point, direction, 1.0, intercept_minimised=self._minimises)
        t = objective.length_to_minimum(point, direction.step, full=full, beyond=True)
        if t is None or not 1.0 < t < _LONGEST:
            return full
        return moved(objective, point, direction, t, intercept_minimised=self._minimises)

    def _solution(self, point: Point, status: Status, n_iter: int) -> Solution[Point]:
        """What was met at the point before, or proven since."""
        return Solution(point, Status.PROVEN if point.excess <= self._tol else status, n_iter)
