"""The least value of a loss, as far as its values and slopes tell."""

from __future__ import annotations

from typing import Any

import numpy as np


def infimum(loss: Any) -> float:
    """A lower bound of a loss over all margins, tight but for rounding; −inf where none is found.

    A convex loss lies above its tangents: of two whose slopes differ in sign, above the point where they meet. Where no
    slope is positive, its value at the largest margin of a grid to 1e300 is its limit, if it is flat there.
    """
    if not (loss.convex and loss.bounded_below):
        return -np.inf
    grid = np.geomspace(1e-3, 1e300, 3031)
    grid = np.concatenate([-grid[::-1], [0.0], grid])
    values, slopes, _ = loss.evaluate(grid)
    known = np.isfinite(values) & np.isfinite(slopes)
    grid, values, slopes = grid[known], values[known], slopes[known]
    if (slopes == 0.0).any():
        return float(values[slopes == 0.0].min())
    down, up = grid[slopes < 0.0], grid[slopes > 0.0]
    if not len(up):
        flat = abs(slopes[-1]) * grid[-1] <= 1e-3
        return float(values[-1]) if flat else -np.inf
    if not len(down):
        return -np.inf
    low, high = float(down.max()), float(up.min())
    for _ in range(200):
        middle = 0.5 * (low + high)
        if middle in (low, high):
            break
        value, slope, _ = (float(found[0]) for found in loss.evaluate([middle]))
        if slope == 0.0:
            return value
        low, high = (middle, high) if slope < 0.0 else (low, middle)
    (v, other), (s, rise), _ = loss.evaluate([low, high])
    meet = (other - v + s * low - rise * high) / (s - rise)
    return float(v + s * (meet - low))
