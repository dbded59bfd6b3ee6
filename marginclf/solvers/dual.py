"""Coordinate ascent in the dual, until the duality gap is at most tol or another method is the better choice.

A sweep costs as much as an evaluation of the objective and, on sparse wide data, gains as much as several steps of any
method in the primal. What the gap will be after how many sweeps is forecast from the gains of the last ones, and checked
when the forecast says that it is worth its three passes over X.
"""

from __future__ import annotations

import math

import numpy as np

from ..objective import Objective, Point
from .ascent import Ascent
from .multipliers import certified
from .solution import Solution, Status

_PATIENCE = 400
"""Sweeps that are worth waiting for where Newton's method could go on instead, for a smooth loss ..."""

_KINKED_PATIENCE = 150
"""... and for one with a kink, where a sweep cannot see how rows at the kink depend on each other."""

_EVERY = 10
_ROUNDING = 1e-14
"""Forecast of the dual gain, relative to F, below which sweeps add up rounding, of float32 values for sparse data."""


def dual(
    objective: Objective, start: Point, *, tol: float, max_iter: int, rng: np.random.RandomState | None = None
) -> Solution:
    """Maximise the dual of an objective.

    Parameters
    ----------
    objective : Objective
        F, of a convex loss and with a penalty.
    start : Point
        Gives the scale of F; where its coefficients are not zero, the start as well.
    tol : float
        Relative suboptimality at which to stop, as proven.
    max_iter : int
        Largest number of sweeps.
    rng : RandomState, optional
        Draws the order of the visits.

    Returns
    -------
    Solution
        With the dual variables; MAX_ITER also where the sweeps have become a poor choice.
    """
    smooth = objective.loss.smooth
    # F falls with the dual's distance to its maximum, or where the loss has a kink with the root of that.
    power, patience = (1.0, _PATIENCE) if smooth else (0.5, _KINKED_PATIENCE)
    ascent = Ascent(objective, start, np.random.RandomState(0) if rng is None else rng)
    scale, excess = abs(start.value), 1.0
    for n_iter in range(1, max_iter + 1):
        ascent.sweep()
        left, factor = ascent.forecast()
        left /= scale
        enough = (tol / excess) ** (1.0 / power)
        done = left <= max(enough, _ROUNDING) or n_iter == max_iter
        if not done and (n_iter % _EVERY or _sweeps(left, factor, enough) <= patience):
            continue
        point = ascent.point() if smooth else certified(objective, ascent.alpha, ascent.b)
        if point.suboptimality <= tol:
            return Solution(point, Status.PROVEN, n_iter, ascent.alpha)
        # The forecast is checked against what could be proved.
        left, scale = left * scale / abs(point.value), abs(point.value)
        excess = max(1.0, point.suboptimality / left**power) if left > 0.0 else math.inf
        hopeless = left <= _ROUNDING or _sweeps(left, factor, (tol / excess) ** (1.0 / power)) > patience
        if n_iter == max_iter or hopeless:
            return Solution(point, Status.MAX_ITER, n_iter, ascent.alpha)
    raise AssertionError("unreachable")


def _sweeps(left: float, factor: float, target: float) -> float:
    """How many sweeps it takes to get from ``left`` to ``target``."""
    if left <= target:
        return 0.0
    if not 0.0 < factor < 1.0 or not target > 0.0:
        return math.inf
    return math.log(left / target) / -math.log(factor)
