"""What can be said of a point from strong convexity and from dual variables."""

from __future__ import annotations

import math

import numpy as np

_ROUNDING = 64.0 * np.finfo(float).eps
"""What adding up the rows may change of F, relative to it; measured up to 8 ulp on a million rows."""

UNDERFLOW = 1e-290
"""A gain whose rounding is no longer in proportion to it: it is a sum of squares that underflow."""


def gain(at_zero: float, value: float, by_convexity: float) -> float:
    """F(0, b₀) − F(w, b) at least: the difference, or where rounding hides it what convexity says.

    Parameters
    ----------
    at_zero, value : float
        F(0, b₀) and F(w, b).
    by_convexity : float
        ½‖w‖² − ∂F/∂w·w, with b at its minimum; or ½‖w‖² less the duality gap, for the w that dual variables make. F is
        1-strongly convex in w, and so is its dual bound.
    """
    return max(at_zero - value - _ROUNDING * abs(at_zero), by_convexity, 0.0)


def by_duality(value: float, miss: float, gap: float) -> float:
    """What convexity says of the gain where dual variables make w but for a gradient g: ½(‖w‖ − ‖g‖)² less their gap.

    Parameters
    ----------
    value : float
        ½‖w‖².
    miss : float
        ½‖g‖².
    gap : float
        The duality gap.
    """
    return max(math.sqrt(value) - math.sqrt(miss), 0.0) ** 2 - gap


def above(value: float, lower: float) -> float:
    """How far F can be above its minimum where that is no less than ``lower``; infinite where that says nothing."""
    return max(value - lower, 0.0) if math.isfinite(lower) else math.inf
