"""The optimum of a loss whose slope is the same at every margin."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..objective import BinaryPoint, Point
from .solution import Solution, Status


def closed_form(objective: Any, start: Point) -> Solution[Point]:
    """w = −∇(Σ C s φ), which does not depend on w; b midway between the class means along w.

    Parameters
    ----------
    objective : BinaryObjective
        F, with an affine loss, a penalty and, with an intercept, the same weight on both classes.
    start : Point
        Any point.
    """
    start.require_finite()
    w = start.w - objective.w(start.gradient) / objective.penalty.diagonal
    point = objective.at(objective.theta(w, 0.0))
    if objective.fit_intercept:
        weights, positive = objective.row_weights, objective.v > 0.0
        means = [np.average(point.z[side], weights=weights[side]) for side in (positive, ~positive & (weights > 0.0))]
        point = BinaryPoint(objective, objective.theta(w, -0.5 * float(sum(means))), settled=True, z=point.z)
    return Solution(point.certified(0.0), Status.PROVEN, 1)
