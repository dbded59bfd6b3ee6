"""Points of a penalised fit as points of F, with what is proven of them."""

from __future__ import annotations

import copy
import math
from typing import Any

import numpy as np

from ...objective import NonsmoothPenalty, Point, above, gain
from .proximal_step import At, ProximalNewton

NOTHING = 1e-14
"""Part of F that is rounding."""

BETTER = 1e-4
"""Part by which a bound has to be less to say more than another."""


def least_of(best: Any, point: Any) -> tuple[Any, bool]:
    """The point where F is less, with what both prove of it, and whether the second one says more than the first.

    Both bound the same minimum from below.
    """
    if best is None:
        return point, True
    lower = max(best.value - best.bound, point.value - point.bound)
    falls = point.value < best.value - NOTHING * abs(best.value)
    better = falls or point.bound < (1.0 - BETTER) * best.bound
    found = point if point.value < best.value or not point.bound >= best.bound else best
    bound = found.bound if math.isnan(lower) else min(found.bound, above(found.value, lower, rounding=True))
    return found.certified(bound), better


def clipped(objective: Any, penalty: NonsmoothPenalty, theta: np.ndarray) -> np.ndarray:
    """θ with its coefficients within the bounds."""
    u = penalty.clipped(penalty.vector(objective.by_class(theta)))
    found: np.ndarray = objective.theta(penalty.matrix(u), objective.b(theta))
    return found


def certified(
    whole: ProximalNewton, here: At, least: float, at_zero: float, *, provable: bool, dual: tuple | None = None
) -> Point:
    """A point of the losses as one of F, with what is proven of it."""
    value, bound = here.value, math.nan
    if dual is not None:
        value += dual[0] - float(here.point.value)
    if here.dual is not None:
        bound = whole.proven_by(here, here.dual, least)
    elif provable:
        bound = whole.gap(here, least, dual)
        if not here.u.any() and bound <= NOTHING * abs(value):
            bound = 0.0  # the coefficients gain nothing, of which rounding would be much
    point = copy.copy(here.point)  # with the gradient, if there is one by now
    point.__dict__.update(value=value, bound=bound, gain=gain(at_zero, value, 0.0))
    return point
