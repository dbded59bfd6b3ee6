"""Exact minimisation along a line, on stored decision values: no pass over X.

Serves the unpenalised intercept (direction 1 for every row) and the line search of Newton's method.
"""

from __future__ import annotations

import math

from .block import BLOCK_ROWS
from .cache import inner, kernel
from .rows import apply_loss

_SUMS = {"fastmath": {"contract", "reassoc", "nsz"}}

_STEPS = 400
"""Enough to bisect three brackets of doubles after the doublings that found them."""

_ROUNDING = 4.0 * 2.0**-52

_EDGE = 2.0**-20
"""First step into an interval of minimisers, relative to the place or to 1."""

_FEW_ROWS = 4096
_CURVED = 1e-2


# Inlined by force, for the reason given at rows.apply_loss; so each is called at one place only.
@inner(forceinline=True, **_SUMS)
def _derivatives(t, z, q, v, address, parameters, work):
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


@inner(forceinline=True)
def next_place(iteration, t, slope, curvature, low, high, reach, width):
    """Where to look after t: a Newton step, or half of a bracket that it leaves or hardly shortens.

    Returns it, and with which ``reach`` and ``width`` to come back.
    """
    proposal = t - slope / curvature if curvature > 0.0 else math.nan
    if math.isinf(high - low):
        # No bracket yet. Newton's step is one unit at a time where slopes decay exponentially, and none where they
        # vanish: after a few of them, go on by doubling.
        if iteration >= 8 or not abs(proposal - t) <= 8.0 * max(1.0, abs(t)):
            proposal = t + (reach if slope < 0.0 else -reach)
            reach *= 2.0
    else:
        slow = iteration % 4 == 3 and high - low > 0.5 * width
        if iteration % 4 == 3:
            width = high - low
        if slow or not low < proposal < high:
            proposal = 0.5 * (low + high)
    return proposal, reach, width


@kernel()
def minimise(z, q, v, linear, quadratic, start, address, parameters, work):
    """A minimiser over t of Σ C s φ(y (z + t q)) + linear·t + ½ quadratic·t², by a guarded Newton iteration.

    An empty q stands for ones. Where the minimum is an interval, its midpoint; where the function has no minimum,
    the point where the search gave up. For a loss that is not convex, a local minimiser.
    """
    t = last = start
    low, high = -math.inf, math.inf
    reach, width = 1.0, math.inf
    # Once the slope is zero: the way out of an interval of minimisers, first to the left (side −1), then to the right.
    side = 0.0
    centre = refined = left = step = 0.0
    # One loop and one evaluation in it for both: each further place would compile another copy of the evaluation.
    for iteration in range(_STEPS):
        slope, curvature, scale = _derivatives(t, z, q, v, address, parameters, work)
        slope += linear + quadratic * t
        curvature += quadratic
        scale += abs(linear) + abs(quadratic * t)
        flat = abs(slope) <= _ROUNDING * scale < math.inf
        if side == 0.0:
            if math.isnan(slope):
                # Infinite slopes against each other: too far, on the side where the last step went.
                if iteration == 0:
                    return start
                slope, curvature = math.copysign(math.inf, t - last), 0.0
            if flat:
                # One Newton step more takes the slope from the threshold to the rounding of t.
                refined = t - slope / curvature if curvature > 0.0 else t
                few = z.size <= _FEW_ROWS or curvature <= _CURVED * scale
                # An interval can also be met at its end, where the rows at their kink are curved; these are few.
                if not few or linear != 0.0 or quadratic != 0.0:
                    return refined
                side, centre, low, high = -1.0, t, -math.inf, t
                step = _EDGE * max(1.0, abs(t))
                t = centre - step
                continue
            low, high = (t, high) if slope < 0.0 else (low, t)
            proposal, reach, width = next_place(iteration, t, slope, curvature, low, high, reach, width)
            if proposal == t or proposal == low or proposal == high:
                return t
            last, t = t, proposal
            continue
        # Between low and high lies the end of the interval on this side; the one towards the centre is inside.
        inside = high if side < 0.0 else low
        outside = low if side < 0.0 else high
        if flat:
            inside = t
            step *= 2.0
        else:
            outside = t
        t = inside + side * step if math.isinf(outside) else 0.5 * (inside + outside)
        if step > 1e100:
            # No loss of both classes is flat for ever: there is nothing to be in the middle of.
            return refined
        at_centre = inside == centre and not flat
        if at_centre or t == inside or t == outside:
            if side > 0.0:
                return refined if left == centre == inside else 0.5 * (left + inside)
            side, left, inside, outside = 1.0, inside, centre, math.inf
            step = _EDGE * max(1.0, abs(centre))
            t = centre + step
        low, high = (outside, inside) if side < 0.0 else (inside, outside)
    return t if side == 0.0 else refined
