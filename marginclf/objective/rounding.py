"""What rounding may add to a proof by dual variables: one answer for all of them.

A duality gap is a difference of sums over the rows. Each margin carries a rounding error of its own, in proportion to
what was added up for it, and F changes by the slope of the loss there times that. At a kink the slope is any between
those on both sides: computed, the loss may be zero where the true margin is a hair less and C s counts it.
"""

from __future__ import annotations

import math
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np

_ULP = float(np.finfo(float).eps)

_MARGIN, _PRODUCTS, _SUM = 1.0, 2.0, 4.0
"""Rounding, in ulps: of a margin, of the sum of the magnitudes of its terms (up to 0.4 measured); of products of dual
variables and margins; and of a sum over the rows, which is added up by blocks."""

_MUCH, _LITTLE = 100.0, 0.01
"""How many times the rounding of sums a gap must be for a rough answer, and what part of it that may be."""

_SPREAD, _FARTHER, _TRIES = 1e4, 16.0, 5
"""Magnitude of a row's terms, as far as it tells which rows are at a kink; how many times those that are found on
average it must be; and how often it is raised."""


def rounding_of_proof(
    objective: Any, theta: np.ndarray, margins: np.ndarray, alpha: np.ndarray, value: float, gap: float
) -> float:
    """By how much F − D may be above what its computation says.

    Parameters
    ----------
    objective : InMemoryObjective
        F.
    theta : ndarray
        Where F is taken.
    margins : ndarray of shape (n,)
        m there. What they are made of, intercepts and columns that cancel, is measured here.
    alpha : ndarray of shape (n,)
        Dual variables C s a, or their opposites.
    value : float
        The largest of the sums over the rows.
    gap : float
        F − D as computed, beside which rounding may be so little that it need not be known well; else it takes a pass.
    """
    size, alpha = np.abs(margins), np.abs(alpha)
    W, shared = np.abs(objective.by_class(theta)).max(axis=0), _ULP * _SUM * abs(value)
    spread, roughly = _SPREAD, gap > _MUCH * shared
    for _ in range(_TRIES):
        pull = _pull(objective, margins, alpha, _ULP * (size + spread))
        terms = float(W @ (_roughly(objective, pull) if roughly else objective.magnitudes(pull)))
        if not np.isfinite(terms):
            terms = 0.0  # squares of entries overflow: what the margins show has to do
        rounding = shared + _ULP * (_MARGIN * (float(pull @ size) + terms) + _PRODUCTS * float(alpha @ size))
        # Columns may cancel each other: then rows farther from a kink may be beyond it.
        least = _FARTHER * terms / float(pull.sum()) if terms > 0.0 else 0.0
        if roughly and rounding > _LITTLE * gap:
            roughly = False
        elif objective.loss.smooth or not spread < least < np.inf:
            break
        else:
            spread = least
    return rounding


def _roughly(objective: Any, pull: np.ndarray) -> np.ndarray:
    """The magnitudes without a pass, by squares of the columns that are computed once: Σ p |x| ≤ ‖p‖ ‖x‖."""
    matrix = objective.matrix
    if matrix not in _norms:
        _norms[matrix] = objective.magnitudes(np.ones(matrix.shape[0])) / math.sqrt(matrix.shape[0])
    found: np.ndarray = _norms[matrix] * float(np.linalg.norm(pull))
    return found


_norms: WeakKeyDictionary[Any, np.ndarray] = WeakKeyDictionary()


def _pull(objective: Any, margins: np.ndarray, alpha: np.ndarray, near: np.ndarray) -> np.ndarray:
    """The largest of dual variables and, for a loss with a kink, C s times the slopes near the margins."""
    if objective.loss.smooth:
        return alpha
    # Slopes rise: those of a loss that never increases are largest on the left.
    sides = (-near,) if objective.loss.slope_bounds()[1] <= 0.0 else (-near, near)
    for side in sides:
        alpha = np.maximum(alpha, np.abs(objective.pointwise(objective.compiled, margins + side)[1]))
    return alpha


def rounding_in_parts(objective: Any, b: np.ndarray, farthest: float) -> float:
    """The same of rows in parts, of which only Σ C s and a margin that none is beyond are known."""
    pull = objective.total * float(objective.loss.lipschitz)
    # Decision values are about as large as the margins and the intercept together.
    far = farthest + 2.0 * float(np.abs(b).max())
    return _ULP * (_MARGIN + _PRODUCTS) * pull * far
