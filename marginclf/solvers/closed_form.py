"""The optimum of a loss whose slope is the same at every margin."""

from __future__ import annotations

import numpy as np

from ..objective import Objective, Point
from .solution import Solution, Status


def closed_form(objective: Objective) -> Solution[Point]:
    """w = −∇(Σ C s φ), which does not depend on w; b midway between the class means along w.

    Parameters
    ----------
    objective : Objective
        F of two classes, with an affine loss and a penalty; with an intercept, both classes get half of the weight.
    """
    (plus, minus), (x_plus, x_minus) = objective.class_sums()
    values, slopes, _ = objective.loss.evaluate([0.0])
    total = float(plus + minus)
    if objective.fit_intercept:
        # Half of the weight on each class, or b would have no optimum.
        x_plus, x_minus = 0.5 * total / plus * x_plus, 0.5 * total / minus * x_minus
    gradient = float(slopes[0]) * (x_plus - x_minus)
    if not np.isfinite(gradient @ gradient):
        raise OverflowError("the gradient overflows")
    w = -gradient / objective.penalty.diagonal
    b = -float((x_plus + x_minus) @ w) / total if objective.fit_intercept else 0.0
    value = total * float(values[0]) + float(gradient @ w) + objective.penalty.value(w)
    zero = objective.zeros()
    point = objective.known(objective.theta(w, b), value=value, gradient=zero)
    return Solution(point.certified(0.0), Status.PROVEN, 1)
