"""What a solver returns, and in which words it may say how it ended."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import Enum
from typing import Any, Generic, TypeVar

import numpy as np

from ..objective import Objective, Point
from .direction import Direction, gradient_is_rounding

_RUNAWAY = 0.02
"""A step that gains nothing and yet moves a decision value by this much belongs to an optimum at infinity."""

_NOTHING = 1e-11
"""Far below any useful tol, and still so far above rounding that the result does not depend on it."""


class Status(Enum):
    """How a fit ended; the value is the sentence that a user sees."""

    PROVEN = "Optimal: the proven bound on the relative suboptimality is at most tol."
    LIMIT_OF_PRECISION = (
        "Optimal to the limit of precision: the Newton decrement is at most tol, or no representable step lowers the "
        "objective; the proven bound says less here."
    )
    STATIONARY = "Stationary point of a loss that is not convex: the Newton decrement is at most tol."
    MAX_ITER = "max_iter iterations were done before the objective was within tol of its minimum."
    LINE_SEARCH = "No step along the search direction lowers the objective, though the bound is above tol."
    SEPARABLE = (
        "The coefficients grow without bound: with C=inf nothing holds them back along a direction that separates "
        "classes."
    )
    STOPPED = "A callback asked to stop."
    LONE_CLASS = (
        "One of the two classes has no weight: coefficients are zero, and the intercept is as from half a row of it."
    )
    RUNS_OFF = (
        "There is no stationary point within reach: the loss saturates and the coefficients or the intercept run off."
    )

    @property
    def converged(self) -> bool:
        return self in (Status.PROVEN, Status.LIMIT_OF_PRECISION, Status.STATIONARY)

    @property
    def remedy(self) -> str:
        """The one useful thing to do; empty where the fit converged."""
        return _REMEDIES.get(self, "")


_REMEDIES = {
    Status.MAX_ITER: "Increase max_iter, or scale the features (sklearn.preprocessing.StandardScaler).",
    Status.LINE_SEARCH: "Scale the features (sklearn.preprocessing.StandardScaler).",
    Status.SEPARABLE: "Use a finite C.",
    Status.LONE_CLASS: "Give rows of both classes a positive weight, for example by stratified samples.",
    Status.RUNS_OFF: "Use class_weight='balanced', fit_intercept=False, a larger C, or a convex loss.",
}


UNSEEN = 1e-14
"""Relative change of F, a sum over the rows, that is none."""

MUCH = 1e-6
"""Part of what the coefficients gain that is no rounding, whatever F can show."""

LITTLE = 0.1
"""Part of F up to which the coefficients gain little: C is small, and the penalty is most of the Hessian."""

_APPROXIMATELY = 0.1
_PRECISE = 3e-3
"""Change of the coefficients, relative to them and to the root of tol. With 1e-2, what L-BFGS left of them was up to
2e-6 at the default tol, by its model of the step; 1e-6 is asked for."""

_UNREPRESENTABLE = 4.0 * np.finfo(float).eps
"""A relative gain that F, a sum of many terms, cannot show."""


AnyPoint = TypeVar("AnyPoint")


@dataclass(frozen=True)
class Solution(Generic[AnyPoint]):
    """Where a solver ended.

    Attributes
    ----------
    point : Point or JointPoint
        Coefficients, intercepts and objective.
    status : Status
        How it ended.
    n_iter : int
        Iterations.
    alpha : ndarray of shape (n,), optional
        Dual variables C s y a of each row, from a solver that has them.
    """

    point: AnyPoint
    status: Status
    n_iter: int
    alpha: np.ndarray | None = None


def bounded_by(point: Any, other: Any) -> None:
    """Let a point have the bound that the dual variables of another prove of the optimum.

    The gradient at a point proves nothing where the loss has a kink.
    """
    bound = other.value - other.suboptimality * abs(other.value)
    point.suboptimality = point.relative(max(point.value - bound, 0.0)) if np.isfinite(bound) else np.inf


def descends(point: Any, trial: Any, dw: np.ndarray, db: Any, decrement: float) -> bool:
    """Whether a full step of Newton's method lowers F, where F itself cannot show it: by the slope at its end.

    That has to be less than 1 − 2δ of what it was, 2·decrement: the approximate Wolfe condition of Hager and Zhang
    (2005), A new conjugate gradient method with guaranteed descent and an efficient line search, SIAM J. Optim. 16.
    """
    if not abs(trial.value - point.value) <= UNSEEN * abs(point.value):
        return False
    return slope_along(trial, dw, db) <= (1.0 - 2.0 * _APPROXIMATELY) * 2.0 * decrement


def slope_along(point: Any, dw: np.ndarray, db: Any) -> float:
    """The derivative of F along a direction."""
    return float(point.gradient.ravel() @ dw.ravel()) + float(np.dot(point.slope, db))


def precise(step: np.ndarray, w: np.ndarray, tol: float) -> bool:
    """Whether a step that is left changes the coefficients w so little that it need not be taken.

    F is 1-strongly convex: a suboptimality of tol may leave the root of 2 tol of the coefficients, where C is small.
    """
    return bool(np.linalg.norm(step) <= _PRECISE * math.sqrt(tol) * np.linalg.norm(w))


def proves_coefficients(point: Any, tol: float) -> bool:
    """Whether what is proven of a point says the same, whatever step may be left."""
    left = math.sqrt(2.0 * point.suboptimality * abs(point.value))
    return left <= _PRECISE * math.sqrt(tol) * float(np.linalg.norm(point.w))


def verdict(
    objective: Objective,
    point: Point,
    direction: Direction,
    tol: float,
    *,
    stalled: bool = False,
    rough: bool = False,
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
    """
    if point.excess <= tol:
        return Status.PROVEN
    enough = tol if stalled or rough or not objective.loss.convex else 0.0
    # A decrement far below zero belongs to a direction that leads uphill, or to a pass that was spoilt.
    decrement = abs(direction.decrement)
    left = point.relative(decrement) if rough else point.unreached(decrement)
    small = left <= max(enough, _UNREPRESENTABLE)
    if not small and point.relative(decrement) <= _UNREPRESENTABLE:
        # Where nothing is gained, it is beside the gradient's own rounding that the decrement is small.
        small = gradient_is_rounding(objective, point)
    # A loss that can be zero is computed as the square of a rounding error there.
    small = small or bool(abs(point.value) <= _UNREPRESENTABLE**2 * np.abs(objective.v).sum())
    if objective.provable:
        return Status.LIMIT_OF_PRECISION if small else None
    point.release(keep_z=True)
    change = objective.matrix.product(direction.dw)
    change += direction.db
    if objective.separates(point.z + point.b) or objective.separates(change):
        return Status.SEPARABLE
    if not small:
        return None
    # Relative to decision values that are large: far rows move with every step.
    change /= np.maximum(np.abs(point.z + point.b), 1.0)
    if np.abs(change, out=change).max(where=objective.v != 0.0, initial=0.0) > _RUNAWAY:
        # Without a proof, a step that gains next to nothing may be one of many towards an optimum at infinity. Go on;
        # where it still moves decision values when there is nothing left to gain, that is what it was.
        if point.relative(direction.decrement) > _NOTHING:
            return None
        return Status.SEPARABLE if objective.loss.convex else Status.RUNS_OFF
    return Status.LIMIT_OF_PRECISION if objective.loss.convex else Status.STATIONARY
