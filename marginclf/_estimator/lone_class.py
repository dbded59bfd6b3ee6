"""Two classes of which one has no weight, as in a bag that has missed the rare one: w = 0, and b as from half a row.

There is no optimum: F falls for ever as b goes to the side of the class that is there. Half a row of the other, at
w = 0, gives b a finite value, and probabilities that say how many rows there were to see it in (the rule of adding one
half to counts, as Haldane 1956 and Anscombe 1956 do for their logits).
"""

from __future__ import annotations

import math
from typing import NamedTuple, Self

import numpy as np

from ..losses import MarginLoss
from ..matrix import design_matrix
from ..objective import L2, BinaryObjective, Point, signed_weights
from ..solvers import Solution, Status
from .problems import COMPANION, Settings


class LoneClass(NamedTuple):
    """Two classes of which one has no weight.

    Attributes
    ----------
    absent : int
        The class without weight, 0 or 1.
    weights : ndarray of shape (2,)
        Those of the classes, with half a row of the absent one. A row has the weight 1, or the mean one where that is
        less: never more than the rows that are there.
    """

    absent: int
    weights: np.ndarray

    @classmethod
    def among(cls, totals: np.ndarray, n_rows: int) -> Self | None:
        """From the weights of the classes and the number of rows with weight; None where there is no such class."""
        if len(totals) != 2 or np.count_nonzero(totals) != 1:
            return None
        half = 0.5 * min(1.0, float(totals.sum()) / n_rows)
        return cls(int(totals.argmin()), np.where(totals > 0.0, totals, half))

    def times(self, class_weights: np.ndarray) -> Self:
        """With class weights."""
        return self._replace(weights=self.weights * class_weights)


def fit_lone_class(loss: MarginLoss, lone: LoneClass, d: int, settings: Settings) -> Solution[Point]:
    """The solution for two classes of which one has no weight.

    Parameters
    ----------
    loss : MarginLoss
        φ. Of one that is not convex, b is that of the convex loss where its fits start.
    lone : LoneClass
        Which class has no weight, and the weights with half a row of it.
    d : int
        Features.
    settings : Settings
        C, and whether there is an intercept.
    """
    v = signed_weights(np.arange(2), 1, 2, lone.weights, settings.C)
    present = 1 - lone.absent
    with design_matrix(np.zeros((2, d)), 1) as matrix:
        convex = loss if loss.convex else COMPANION
        objective = BinaryObjective(matrix, convex, v, penalty=L2(), fit_intercept=settings.fit_intercept)
        b = objective.best_intercept(np.zeros(2), 0.0)
        if loss.affine and settings.fit_intercept:
            b = float(np.sign(v[present]))  # every b is as good: a margin of 1 for the class that is there
        value = abs(v[present]) * float(loss.evaluate([np.sign(v[present]) * b])[0][0])
        point = Point(objective, objective.theta(0.0, b), intercept_minimised=True, value=value, bound=math.nan)
        if settings.progress is not None:
            settings.progress.monitor(0, matrix)(lambda: point)
    return Solution(point, Status.LONE_CLASS, 0)
