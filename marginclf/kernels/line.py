"""Exact minimisation along a line, on stored decision values: no pass over X.

Serves the unpenalised intercept (direction 1 for every row) and the line search of Newton's method.
"""

from __future__ import annotations

import math

from numba import njit

from .block import BLOCK_ROWS
from .cache import kernel
from .rows import apply_loss

_SUMS = {"fastmath": {"contract", "reassoc", "nsz"}}

_STEPS = 200
"""Enough to bisect any bracket of doubles after the doublings that found it."""

_ROUNDING = 4.0 * 2.0**-52


@njit(nogil=True, error_model="numpy", **_SUMS)
def _derivatives(t, z, q, v, address, parameters, work):  # type: ignore[no-untyped-def]
    """First and second derivative of Σ C s φ(y (z + t q)) in t, and the sum of the magnitudes of the first."""
    slope = curvature = scale = 0.0
    unit = q.size == 0
    for start in range(0, z.size, BLOCK_ROWS):
        size = min(BLOCK_ROWS, z.size - start)
        if unit:
            for k in range(size):
                work[0, k] = z[start + k] + t
        else:
            for k in range(size):
                work[0, k] = z[start + k] + t * q[start + k]
        apply_loss(v, start, size, address, parameters, work)
        if unit:
            for k in range(size):
                slope += work[2, k]
                curvature += work[3, k]
                scale += abs(work[2, k])
        else:
            for k in range(size):
                qk = q[start + k]
                slope += work[2, k] * qk
                curvature += work[3, k] * qk * qk
                scale += abs(work[2, k] * qk)
    return slope, curvature, scale


@njit(nogil=True, error_model="numpy")
def _flat_end(t, side, z, q, v, address, parameters, work):  # type: ignore[no-untyped-def]
    """The end on one side of the interval around t where the derivative is zero to rounding; t if there is none."""
    step = 2.0**-20 * max(1.0, abs(t))
    inside = t
    outside = t
    found = False
    for _ in range(_STEPS):
        outside = t + side * step
        slope, _, scale = _derivatives(outside, z, q, v, address, parameters, work)
        if abs(slope) > _ROUNDING * scale:
            found = True
            break
        inside = outside
        step *= 2.0
        if step > 1e100:
            break
    if not found:
        return t
    for _ in range(_STEPS):
        middle = 0.5 * (inside + outside)
        if middle in (inside, outside):
            break
        slope, _, scale = _derivatives(middle, z, q, v, address, parameters, work)
        if abs(slope) > _ROUNDING * scale:
            outside = middle
        else:
            inside = middle
    return inside


@kernel()
def minimise(z, q, v, linear, quadratic, start, address, parameters, work):  # type: ignore[no-untyped-def]
    """A minimiser over t of Σ C s φ(y (z + t q)) + linear·t + ½ quadratic·t², by a guarded Newton iteration.

    An empty q stands for ones. Where the minimum is an interval, its midpoint; where the function has no minimum,
    the point where the search gave up. For a loss that is not convex, a local minimiser.
    """
    t = start
    low, high = -math.inf, math.inf
    reach = 1.0
    for _ in range(_STEPS):
        slope, curvature, scale = _derivatives(t, z, q, v, address, parameters, work)
        slope += linear + quadratic * t
        curvature += quadratic
        scale += abs(linear) + abs(quadratic * t)
        if not math.isfinite(slope):
            return start
        if abs(slope) <= _ROUNDING * scale:
            if curvature == 0.0 and linear == 0.0 and quadratic == 0.0:
                left = _flat_end(t, -1.0, z, q, v, address, parameters, work)
                right = _flat_end(t, 1.0, z, q, v, address, parameters, work)
                return 0.5 * (left + right)
            # One Newton step more takes the slope from the threshold to the rounding of t.
            return t - slope / curvature if curvature > 0.0 else t
        if slope < 0.0:
            low = t
        else:
            high = t
        proposal = t - slope / curvature if curvature > 0.0 else math.nan
        if math.isinf(low) or math.isinf(high):
            # No bracket yet: go at least as far as the doubling, so that vanishing slopes cannot hold it up.
            toward = 1.0 if slope < 0.0 else -1.0
            limit = max(reach, abs(t))
            if not abs(proposal - t) <= 8.0 * limit:
                proposal = t + toward * limit
            reach *= 2.0
        elif not low < proposal < high:
            proposal = 0.5 * (low + high)
        if proposal == t or proposal == low or proposal == high:  # noqa: PLR1714  (a tuple would be built each time)
            return t
        t = proposal
    return t
