"""The minimum of F in the intercepts of many classes, with everything else held."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from ..losses.base import CompiledLoss
from ..matrix.joint_kept import weighed_rows
from .base import FAR_MARGIN

_RAREST = 1e-6
"""Share of a class from which on Newton's method starts; it finds its way to rarer ones."""

_STEPS, _BACKTRACKS = 50, 40
_NEARLY = 1e-12
"""Relative decrement whose step is the last: it leaves about its square."""

_SHORT = 1e-3
"""A step that is longer is looked at, whatever its decrement: curvatures may be others at its end."""

_ROUNDING = 1e-10
"""Relative decrement of the last step, where that lowers nothing, up to which it is rounding that ends the steps."""


def minimised(
    see: Callable[[np.ndarray], tuple[float, np.ndarray, np.ndarray]], b: np.ndarray
) -> tuple[np.ndarray, bool]:
    """Newton's method for the intercepts alone; ``see(b)`` returns value, slopes and Hessian.

    The last step is that whose decrement is next to nothing, relative to the value: it leaves about its square.

    Returns
    -------
    b : ndarray of shape (K,)
        Their minimum, with a mean of 0, or how far the steps came.
    reached : bool
        Whether it is the minimum. Nothing is proven elsewhere.
    """
    b = b - b.mean()
    value, slope, hessian = see(b)
    for _ in range(_STEPS):
        step = shortened(intercept_step(slope, hessian), b)
        decrement = -0.5 * float(slope @ step)
        if decrement < 0.0:
            # All rows are far from their bends, and a Hessian of rounding errors leads uphill; the slope is right.
            downhill = shortened(slope.mean() - slope, b)
            if -0.5 * float(slope @ downhill) > _NEARLY * abs(value):
                step, decrement = downhill, -0.5 * float(slope @ downhill)
        if not decrement > 0.0:
            return b, True
        if decrement <= _NEARLY * abs(value) and np.abs(step).max() <= _SHORT:
            # What this step leaves is the square of that.
            return b + step, True
        for _ in range(_BACKTRACKS):
            found = see(b + step)
            if found[0] <= value:
                break
            step = 0.5 * step
        else:
            break
        last, (value, slope, hessian) = value, found
        b = b + step
        if not value < last:
            break
    return b, decrement <= _ROUNDING * abs(value)


def at_zero(
    loss: CompiledLoss, codes: np.ndarray, weights: np.ndarray, *, free: bool, curved: bool
) -> tuple[float, np.ndarray]:
    """Σ C s φ at W = 0, and the best b, or 0 where it is not free.

    ``codes`` are 0 to K − 1, ``weights`` Σ C s of each class; ``curved`` says whether the loss is, everywhere.
    """
    k = len(weights)

    def see(b: np.ndarray) -> tuple[float, np.ndarray, np.ndarray]:
        # Every row of a class has the same margin there: one row of the whole weight stands for it.
        return weighed_rows(loss, codes, weights, np.repeat(b[:, None], k, axis=1))

    if not free:
        return see(np.zeros(k))[0], np.zeros(k)
    # That is where the logistic loss has its minimum, and others that are curved not far from there.
    b, _ = minimised(see, np.log(np.maximum(weights / weights.sum(), _RAREST)) if curved else np.zeros(k))
    return see(b)[0], b


def shortened(step: np.ndarray, b: np.ndarray) -> np.ndarray:
    """A step of the intercepts that is no longer than what may still be seen from here.

    Where all rows are far from their bends, the curvature underflows and says nothing.
    """
    longest, allowed = float(np.abs(step).max()), FAR_MARGIN + float(np.abs(b).max())
    return step if longest <= allowed else step * (allowed / longest)


def intercept_step(slope: np.ndarray, hessian: np.ndarray) -> np.ndarray:
    """−H⁺ slope with Σ = 0, for a Hessian that does not see a number added to all intercepts."""
    k = len(slope)
    slope = slope - slope.mean()
    scale = float(hessian.diagonal().max())
    if not scale > 0.0:
        return -slope
    # Where a class has no curvature, what it has to be held by is next to nothing.
    padded = hessian / scale + np.full((k, k), 1.0 / k)
    padded.flat[:: k + 1] += 1e-12
    step = -np.linalg.solve(padded, slope / scale)
    return step - step.mean()


def intercept_gain(slope: np.ndarray, hessian: np.ndarray) -> tuple[np.ndarray, float]:
    """The step of the intercepts, one or many, to their minimum, and about what it gains; NaN where there is none."""
    if not slope.any():
        return np.zeros_like(slope), 0.0
    if len(slope) > 1:
        step = intercept_step(slope, hessian)
    else:
        step = -slope / hessian[0, 0] if hessian[0, 0] > 0.0 else np.full(1, math.nan)
    return step, -0.5 * float(slope @ step)
