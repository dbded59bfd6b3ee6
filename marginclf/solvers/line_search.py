"""A lower point along a direction, near the minimum there."""

from __future__ import annotations

import math

import numpy as np

from ..objective import Objective, Point
from .direction import Direction

_BACKTRACKS, _FEW_BACKTRACKS = 40, 3
"""Halvings of a step, and where each of them is a round over the rows."""

_FLAT = 0.1
"""Slope along a direction, relative to the first, at which a point is near enough to the minimum there."""


def moved(
    objective: Objective, point: Point, direction: Direction, t: float, *, intercept_minimised: bool, last: bool = False
) -> Point:
    """The point at t steps along a direction, if asked with b at its minimum; ``last`` asks for no step there."""
    theta = point.theta + (direction.step if t == 1.0 else t * direction.step)
    return objective.at(theta) if intercept_minimised else objective.visit(theta, last=point if last else None)


def line_search(
    objective: Objective, point: Point, direction: Direction, full: Point, *, intercept_minimised: bool
) -> Point | None:
    """A lower point along a direction whose full step is not; None where there is none.

    Where decision values are kept, the minimum is found on these, without a pass over the rows. Elsewhere by secants on
    the slope along the direction, within a bracket: an evaluation is cheap beside a direction.

    Parameters
    ----------
    objective : Objective
        F.
    point, full : Point
        Where, and the end of the full step.
    direction : Direction
        A direction of descent.
    intercept_minimised : bool
        Whether b is moved to its minimum at each point.
    """
    t = objective.length_to_minimum(point, direction.step, full=full)
    if t is None:
        return _by_secants(objective, point, direction, full, intercept_minimised=intercept_minimised)
    t = t if np.isfinite(t) and t > 0.0 else 1.0
    for _ in range(_BACKTRACKS if objective.in_memory else _FEW_BACKTRACKS):
        trial = moved(objective, point, direction, t, intercept_minimised=intercept_minimised)
        if trial.value < point.value:
            return trial
        t *= 0.5
    return None


def _by_secants(
    objective: Objective, point: Point, direction: Direction, full: Point, *, intercept_minimised: bool
) -> Point | None:
    first = -2.0 * direction.gain
    low, high = (0.0, first), (1.0, float(full.gradient @ direction.step))
    best: Point | None = None
    same = 0
    for _ in range(_BACKTRACKS):
        width = high[0] - low[0]
        rise = high[1] - low[1]
        inside = low[0] - low[1] * width / rise if math.isfinite(rise) and rise > 0.0 and high[1] > 0.0 else 0.0
        # Where the slope jumps, secants creep up from one side; most often it jumps close to the start.
        inside = low[0] + 0.1 * width if same > 1 else inside
        t = min(max(inside, low[0] + 0.1 * width), high[0] - 0.1 * width)
        trial = moved(objective, point, direction, t, intercept_minimised=intercept_minimised)
        slope = float(trial.gradient @ direction.step)
        if trial.value < (point if best is None else best).value:
            best = trial
        if best is not None and abs(slope) <= _FLAT * abs(first):
            break
        if slope > 0.0 or not trial.value <= point.value:
            high, same = (t, slope), same + 1
        else:
            low, same = (t, slope), 0
    return best
