"""The optimum of a loss whose slope is the same at every margin."""

from __future__ import annotations

import numpy as np

from ..objective import Objective, Point
from .solution import Solution, Status


def closed_form(objective: Objective, start: Point, *, tol: float, max_iter: int) -> Solution[Point]:
    """w = −∇(Σ C s φ), which does not depend on w; b midway between the class means along w.

    Parameters
    ----------
    objective : Objective
        F, with an affine loss, a penalty and, with an intercept, the same weight on both classes.
    start : Point
        Any point.
    tol, max_iter : float, int
        Not used: the result is exact to rounding.
    """
    start.require_finite()
    w = start.w - start.gradient
    point = objective.at(w, 0.0)
    if objective.fit_intercept:
        weights, positive = np.abs(objective.v), objective.v > 0.0
        means = [np.average(point.z[side], weights=weights[side]) for side in (positive, ~positive & (weights > 0.0))]
        point = Point(objective, w, -0.5 * float(sum(means)), z=point.z)
    point.suboptimality = 0.0
    return Solution(point, Status.PROVEN, 1)
