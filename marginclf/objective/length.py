"""How far to go along a line, from slopes and curvatures of a convex function of one variable."""

from __future__ import annotations

import math
from collections.abc import Callable

_STEPS = 40
_FLAT = 0.1
"""Slope, relative to the first, at which a point is near enough to the minimum: a Newton step follows anyway."""

_NEAR, _FAR = 0.05, 8.0
"""How near to an end of the bracket a step may come, as a part of that, and how much farther than before it may go."""


def root_of_slope(see: Callable[[float], tuple[float, float]], first: float, t: float) -> float:
    """About where the slope is zero, by Newton's method within a bracket.

    Parameters
    ----------
    see : callable
        ``see(t)`` returns slope and curvature.
    first : float
        The slope at 0, which is negative.
    t : float
        Where to look first.
    """
    low, high = 0.0, math.inf
    for _ in range(_STEPS):
        slope, curvature = see(t)
        if abs(slope) <= _FLAT * abs(first):
            break
        # Where it overflows, the minimum has been passed.
        low, high = (t, high) if slope < 0.0 else (low, t)
        further = t - slope / curvature if curvature > 0.0 else math.nan
        if high < math.inf:
            width = high - low
            inside = low + _NEAR * width <= further <= high - _NEAR * width
            t = further if inside else 0.5 * (low + high)
        else:
            t = min(further, _FAR * t) if further > t else _FAR * t
    return t
