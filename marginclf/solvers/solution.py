"""What a solver returns, and in which words it may say how it ended."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Generic, TypeVar

import numpy as np


class Status(Enum):
    """How a fit ended; the value is the sentence that a user sees."""

    PROVEN = "Optimal: the proven bound on the relative suboptimality is at most tol."
    LIMIT_OF_PRECISION = (
        "Optimal to the limit of precision: the Newton decrement is at most tol, or no representable step lowers the "
        "objective; tol itself is not proven."
    )
    STATIONARY = "Stationary point of a loss that is not convex: the Newton decrement is at most tol."
    MAX_ITER = "max_iter iterations were done before the objective was within tol of its minimum."
    LINE_SEARCH = "No step along the search direction lowers the objective, though the bound is above tol."
    SEPARABLE = "The coefficients grow without bound: nothing penalises them along a direction that separates classes."
    STOPPED = "A callback asked to stop."
    LONE_CLASS = (
        "One of the two classes has no weight: the coefficients are zero, and the intercept is that of a fit with half "
        "a row of this class."
    )
    RUNS_OFF = "No stationary point was found: the loss saturates, and the coefficients or the intercept diverge."

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
    Status.SEPARABLE: "Use a finite C. Where weights of the penalty are 0, make them positive.",
    Status.LONE_CLASS: "Give rows of both classes a positive weight, for example by stratified samples.",
    Status.RUNS_OFF: "Use class_weight='balanced', fit_intercept=False, a larger C, or a convex loss.",
}


AnyPoint = TypeVar("AnyPoint")


@dataclass(frozen=True)
class Solution(Generic[AnyPoint]):
    """Where a solver ended.

    Attributes
    ----------
    point : Point
        Coefficients, intercepts and objective.
    status : Status
        How it ended.
    n_iter : int
        Iterations.
    multipliers : ndarray of shape (n,), optional
        −φ' of each row, from a solver that has them.
    """

    point: AnyPoint
    status: Status
    n_iter: int
    multipliers: np.ndarray | None = None
