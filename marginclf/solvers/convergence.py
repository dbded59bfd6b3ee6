"""When a solver may stop, and what may be said then: one check for all of them."""

from __future__ import annotations

import math

import numpy as np

from ..objective import Objective, Point
from .direction import Direction, gradient_is_rounding
from .solution import Status

UNSEEN = 1e-14
"""Relative change of F, a sum over the rows, that is none."""

MUCH = 1e-6
"""Part of what the coefficients gain that is no rounding, whatever F can show."""

LITTLE = 0.1
"""Part of F up to which the coefficients gain little: C is small, and the penalty is most of the Hessian."""

ROUGH = 1e-4
"""tol from which on a rough answer is asked for: whatever ends a fit is its proof, and nothing is sharpened then."""

_APPROXIMATELY = 0.1
_PRECISE = 3e-3
"""Change of the coefficients, relative to them and to the root of tol. With 1e-2, what L-BFGS left of them was up to
2e-6 at the default tol, by its model of the step; 1e-6 is asked for."""

UNREPRESENTABLE = 4.0 * np.finfo(float).eps
"""A relative gain that F, a sum of many terms, cannot show."""

_RUNAWAY = 0.02
"""A step that gains nothing and yet moves a decision value by this much belongs to an optimum at infinity."""

_NOTHING = 1e-11
"""Far below any useful tol, and still so far above rounding that the result does not depend on it."""


def descends(point: Point, trial: Point, step: np.ndarray, gain: float) -> bool:
    """Whether a full step of Newton's method lowers F, where F itself cannot show it: by the slope at its end.

    That has to be less than 1 − 2δ of what it was, 2·gain: the approximate Wolfe condition of Hager and Zhang (2005),
    A new conjugate gradient method with guaranteed descent and an efficient line search, SIAM J. Optim. 16.
    """
    if not abs(trial.value - point.value) <= UNSEEN * abs(point.value):
        return False
    return float(trial.gradient @ step) <= (1.0 - 2.0 * _APPROXIMATELY) * 2.0 * gain


def precise(step: np.ndarray, w: np.ndarray, tol: float) -> bool:
    """Whether a step that is left changes the coefficients w so little that it need not be taken.

    F is 1-strongly convex: a suboptimality of tol may leave the root of 2 tol of the coefficients, where C is small.
    Somebody who asks for a rough answer gets that.
    """
    return tol >= ROUGH or bool(np.linalg.norm(step) <= _PRECISE * math.sqrt(tol) * np.linalg.norm(w))


def proves_coefficients(point: Point, tol: float) -> bool:
    """Whether what is proven of a point says the same, whatever step may be left."""
    return tol >= ROUGH or math.sqrt(2.0 * point.bound) <= _PRECISE * math.sqrt(tol) * float(np.linalg.norm(point.w))


def check_convergence(
    objective: Objective,
    point: Point,
    direction: Direction,
    tol: float,
    *,
    stalled: bool = False,
    rough: bool = False,
    looks: bool = True,
) -> Status | None:
    """The status of a point where a solver may stop; None for one where it must go on.

    Parameters
    ----------
    objective : Objective
        F.
    point : Point
        Where.
    direction : Direction
        The Newton direction there, whose decrement is what a quadratic model says can be gained.
    tol : float
        Suboptimality asked for, relative to |F| and to what the coefficients gain.
    stalled : bool, default=False
        Whether the solver can make no more progress by itself. A decrement of at most tol is enough then. Otherwise it
        is not, for a convex loss: where few rows are curved, the decrement may be small by chance and grow again.
    rough : bool, default=False
        Whether a decrement of tol beside F alone will do, for a start.
    looks : bool, default=True
        Whether to look if the step separates the classes, where a point may still go on.
    """
    if point.excess <= tol:
        return Status.PROVEN
    enough = tol if stalled or rough or not objective.loss.convex else 0.0
    small = _is_small(objective, point, direction, tol, enough, rough=rough)
    if objective.provable:
        return Status.LIMIT_OF_PRECISION if small else None
    if not small and not looks:
        return None
    reach = objective.reach(point, direction.step)
    if reach.separates():
        return Status.SEPARABLE
    if not small:
        return None
    if reach.change() > _RUNAWAY:
        # Without a proof, a step that gains next to nothing may be one of many towards an optimum at infinity. Go on;
        # where it still moves decision values when there is nothing left to gain, that is what it was.
        if point.relative(direction.decrement) > _NOTHING:
            return None
        return Status.SEPARABLE if objective.loss.convex else Status.RUNS_OFF
    return Status.LIMIT_OF_PRECISION if objective.loss.convex else Status.STATIONARY


def _is_small(
    objective: Objective, point: Point, direction: Direction, tol: float, enough: float, *, rough: bool
) -> bool:
    """Whether next to nothing can be gained from a point."""
    measure = point.relative if rough else point.unreached
    # A decrement far below zero belongs to a direction that leads uphill, or to a pass that was spoilt.
    small = measure(abs(direction.gain)) <= max(enough, UNREPRESENTABLE)
    # What the step may leave out is within tol too.
    small = small and measure(abs(direction.decrement)) <= max(tol, UNREPRESENTABLE)
    if not small and point.relative(abs(direction.gain)) <= UNREPRESENTABLE:
        # Where nothing is gained, it is beside the gradient's own rounding that the decrement is small.
        small = gradient_is_rounding(objective, point)
    # A loss that can be zero is computed as the square of a rounding error there.
    return small or bool(abs(point.value) <= UNREPRESENTABLE**2 * objective.total)


def stuck(objective: Objective, point: Point, direction: Direction, tol: float) -> Status:
    """What it means that no step along the direction lowers F: rounding may stop steps long before the decrement."""
    if objective.separates_nearly(point):
        return Status.SEPARABLE
    rounding = min(objective.rounding(point), MUCH * point.gain)
    reached = direction.decrement <= rounding or point.unreached(direction.decrement) <= tol
    return Status.LIMIT_OF_PRECISION if reached and direction.decrement >= 0.0 else Status.LINE_SEARCH
