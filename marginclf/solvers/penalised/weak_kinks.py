"""Kinks that hold little at zero: whether they are, and how much lower than they are one aims at them.

At the optimum of kinks that are lower by a part ε every slope is that much below its kink, and need not be exact to be
one of a dual point. That costs the proof ε Σ κ|u|, which is little where kinks are weak; elsewhere it takes slopes that
are exact to tol itself, which is many steps more.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ...objective import NonsmoothPenalty

_WEAK, _NEARLY, _LOOKED_AT = 0.1, 0.75, 1000
"""κ² beside the curvature in a coefficient and the weight of a row, below which it is hardly ever zero: its standard
error is three times what the kink moves it by. The part of the coefficients of which that is asked, and the rows that
are asked first."""

_AIM, _MOST_AIM = 0.7, 0.05
"""Part of what is to be proved that is spent on aiming lower, and the most of a kink."""


def some_squares(objective: Any) -> np.ndarray:
    """Σ C s x² of each column, as some of the rows tell."""
    n, weights = objective.matrix.shape[0], objective.row_weights
    rows = np.arange(0, n, max(1, n // _LOOKED_AT))
    found: np.ndarray = objective.matrix.take(rows).squared_product(weights[rows]) * (n / len(rows))
    return found


def are_weak(objective: Any, penalty: NonsmoothPenalty, curvature: np.ndarray) -> bool:
    """Whether kinks move most coefficients, of such a curvature each, by less than their standard errors."""
    kink, weight = np.repeat(penalty.kink, penalty.sizes), objective.total / np.count_nonzero(objective.row_weights)
    return bool(np.count_nonzero(kink**2 <= _WEAK * weight * curvature) >= _NEARLY * len(kink))


def aimed(penalty: NonsmoothPenalty, u: np.ndarray, amount: float) -> float:
    """What kinks are multiplied by, to prove an amount at entries like these."""
    kinks = 0.0 if penalty.smooth_conjugate else float(penalty.kink @ penalty.norms(u))
    return 1.0 - min(_AIM * amount / kinks, _MOST_AIM) if kinks > 0.0 else 1.0


def room_of(penalty: NonsmoothPenalty, factor: float, amount: float) -> np.ndarray:
    """By how much the slope of each entry may miss that of kinks multiplied by a factor, to prove an amount."""
    by_squares = np.sqrt(2.0 * penalty.quadratic * amount / len(penalty.order))
    return np.where(by_squares > 0.0, by_squares, (1.0 - factor) * np.repeat(penalty.kink, penalty.sizes))
