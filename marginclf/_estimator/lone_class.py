"""Two classes of which one has no weight, as in a bag that has missed the rare one: w = 0, and b as from half a row.

There is no optimum: F falls for ever as b goes to the side of the class that is there. Half a row of the other, at
w = 0, gives b a finite value, and probabilities that say how many rows there were to see it in (the rule of adding one
half to counts, as Haldane 1956 and Anscombe 1956 do for their logits).
"""

from __future__ import annotations

import math

import numpy as np

from ..losses import MarginLoss
from ..matrix import design_matrix
from ..objective import Objective, Point, signed_weights
from ..solvers import Solution, Status
from .one_vs_rest import COMPANION, Settings
from .validation import LoneClass


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
    with design_matrix(np.zeros((2, 1)), 1) as matrix:
        convex = loss if loss.convex else COMPANION
        objective = Objective(matrix, convex, v, penalty=1.0, fit_intercept=settings.fit_intercept)
        b = objective.best_intercept(np.zeros(2), 0.0)
        if loss.affine and settings.fit_intercept:
            b = float(np.sign(v[present]))  # every b is as good: a margin of 1 for the class that is there
        value = abs(v[present]) * float(loss.evaluate([np.sign(v[present]) * b])[0][0])
        point = Point(objective, np.zeros(d), b, value=value, suboptimality=math.nan)
        if settings.progress is not None:
            settings.progress.watch(0, matrix)(lambda: point)
    return Solution(point, Status.LONE_CLASS, 0)
