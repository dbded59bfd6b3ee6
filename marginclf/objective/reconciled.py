"""Multipliers of rows at a kink, corrected so that they combine to w.

What they are read from, margins divided by γ, carries the rounding of the margins. At a kink any a between the slopes
on both sides will do, so that they may be chosen by what they have to combine to instead.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from .binary_point import BinaryPoint
from .point import Point

_MOST = 1 << 22
"""Entries of the rows at the kink up to which their multipliers are corrected."""

_ROUNDING = 1e-15


class Reconciled(NamedTuple):
    """Corrected multipliers.

    Attributes
    ----------
    multipliers : ndarray of shape (n,)
        a.
    miss : float
        ½‖w − Σ α x‖².
    slack : float
        By how much the Fenchel–Young gap changes.
    balance : ndarray of shape (1,)
        Σ α, with the opposite sign.
    """

    multipliers: np.ndarray
    miss: float
    slack: float
    balance: np.ndarray


def reconciled(this: Any, point: Point, margins: np.ndarray, after: np.ndarray) -> Reconciled | None:
    """The multipliers ``after`` of a round, corrected; None where there is nothing to correct or no correction.

    Parameters
    ----------
    this : Envelope
        The smooth problem, of two classes.
    point : Point
        Its smooth optimum, about.
    margins, after : ndarray of shape (n,)
        m and the new multipliers.
    """
    assert isinstance(point, BinaryPoint)
    objective, d = this.objective, len(point.w)
    u = margins - this.gamma * this.before + this.gamma * after
    step = 4.0 * np.finfo(float).eps * np.maximum(np.abs(u), 1.0)
    least, most = (-objective.loss.evaluate(u + side * step)[1] for side in (1.0, -1.0))
    kink = np.flatnonzero((point.c > 0.0) & (most > least))
    if not 0 < len(kink) * d <= _MOST:
        return None
    rows = np.empty((len(kink), d))
    objective.matrix.take(kink).copy_rows(slice(0, len(kink)), rows)
    v = objective.v
    excess, mean = 0.0, 0.0
    if objective.fit_intercept:
        excess, mean = float((v * after).sum()), rows.mean(axis=0)
    # Less their mean, for which the sum of the corrections is known: what Σ α lacks to be zero.
    size = np.abs(rows).max(axis=0)
    rows -= mean
    rows[:, np.abs(rows).max(axis=0) <= _ROUNDING * len(kink) * size] = 0.0  # constant but for rounding
    scale = np.linalg.norm(rows, axis=0)
    scale[scale == 0.0] = 1.0
    in_w = objective.w(point.gradient)
    equations, right = (rows / scale).T, (in_w + excess * mean) / scale
    if objective.fit_intercept:
        equations, right = np.vstack([equations, np.ones(len(kink))]), np.append(right, -excess)
    correction = np.zeros(len(kink))
    for _ in range(2):  # the second refines the first
        correction += np.linalg.lstsq(equations, right - equations @ correction)[0]
    change = correction / v[kink]
    corrected = after[kink] + change
    left = in_w + excess * mean - rows.T @ correction
    if (corrected < least[kink]).any() or (corrected > most[kink]).any():
        return None
    miss = objective.penalty.conjugate(left)
    if not miss <= point.half_square:
        return None
    multipliers = after.copy()
    multipliers[kink] += change
    slack = float((np.abs(v[kink]) * change) @ (margins - u)[kink])
    balance = np.array([excess + float(correction.sum())]) if objective.fit_intercept else np.zeros(1)
    return Reconciled(multipliers, miss, slack, balance)
