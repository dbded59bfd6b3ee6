"""Whether F falls for ever along a step: without a penalty, where the step separates the classes."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

_NO_FALL = 1e-9
"""Rows on the separating plane do not move; their computed change is rounding of this relative size at most."""

_HARDLY, _NEAR_ENTRIES = 1e-2, 1 << 22
"""Change of a decision value, relative to the largest, of a row that may lie on the plane; entries of such rows."""


def separated(least: float, largest: float, scale: float) -> bool:
    """Whether no row's own class falls behind and one of them leads by a distance.

    Parameters
    ----------
    least, largest : float
        Of the class margins: how far the own class of a row is above the best of the others.
    scale : float
        The largest magnitude of a decision value.
    """
    return least >= -_NO_FALL * scale and largest > _NO_FALL * scale


def with_rows_at_rest(matrix: Any, change: np.ndarray, counted: np.ndarray, *, fit_intercept: bool) -> np.ndarray:
    """Changes of decision values less what moves the rows that hardly move, by least squares.

    Rows on the separating plane hold a step where their loss is curved. Where it is a line, rounding moves them.
    """
    size = np.abs(change)
    near = np.flatnonzero((size <= _HARDLY * size.max()) & counted)
    d = matrix.shape[1]
    if not 0 < len(near) * d <= _NEAR_ENTRIES or not np.isfinite(size).all():
        return np.zeros_like(change)
    rows = np.full((len(near), d + int(fit_intercept)), 1.0)
    matrix.take(near).copy_rows(slice(0, len(near)), rows[:, :d])
    off = np.linalg.lstsq(rows, change[near])[0]
    rest = change - matrix.product(np.ascontiguousarray(off[:d]))
    return rest - off[d] if fit_intercept else rest


def separates(objective: Any, change: np.ndarray) -> bool:
    """Whether, for two classes, moving the decision values along ``change`` lowers F for ever: it has no minimum.

    A loss that is zero from some margin on (squared hinge) reaches its minimum instead.
    """
    # 0 of rows of weight 0, which changes nothing.
    growth = objective.signs * change if objective.endless else np.zeros(1)
    return separated(float(growth.min()), float(growth.max()), float(growth.max()))


def separates_nearly(objective: Any, point: Any) -> bool:
    """The same at a point's own decision values, once rows that hardly move are made to rest."""
    change, counted = point.z + point.b, objective.v != 0.0
    rested = with_rows_at_rest(objective.matrix, change, counted, fit_intercept=objective.fit_intercept)
    return separates(objective, rested)


def class_margins(z: np.ndarray, codes: np.ndarray) -> np.ndarray:
    """How far the own class of each row is above the best of the others, from decision values (K, m)."""
    rows = np.arange(z.shape[1])
    others = z.copy()
    others[codes, rows] = -math.inf
    return z[codes, rows] - others.max(axis=0)


def separates_jointly(objective: Any, theta: np.ndarray) -> bool:
    """Whether, along θ, every row's own class comes first and one of them by a distance."""
    least, largest, scale = math.inf, 0.0, 0.0
    for rows, z in objective.decisions_in_parts(theta):
        lead = class_margins(z, objective.passes.codes[rows])[objective.counted(rows)]
        scale = max(scale, float(np.abs(z).max()))
        if lead.size:
            least, largest = min(least, float(lead.min())), max(largest, float(lead.max()))
    return separated(least, largest, scale)
