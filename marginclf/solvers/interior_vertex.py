"""From an interior point to the face of the optimum: which coefficients are zero, which rows are at the kink, and both
as exactly as one linear system makes them."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.linalg import lapack

from .interior_point import InteriorPoint

_RIDGE, _REFINED = 1e-9, 4
"""What keeps the system of a face from being singular, beside its entries, and how often its solution is refined."""

LARGEST = 2500
"""Rows and columns of a face up to which it is solved for."""


class Face(NamedTuple):
    """A point and its multipliers, with what is between its ends.

    Attributes
    ----------
    u : ndarray of shape (d,)
        Coefficients.
    b : float
        Intercept.
    alpha : ndarray of shape (n,)
        Dual variables, from 0 on.
    columns, rows : ndarray of bool
        Coefficients that are neither zero with a kink there nor at a bound, and rows at the kink.
    """

    u: np.ndarray
    b: float
    alpha: np.ndarray
    columns: np.ndarray
    rows: np.ndarray


def nearest_face(run: InteriorPoint, whole: np.ndarray, kink: np.ndarray, size: np.ndarray) -> Face:
    """What an interior point tends to: of a slack and its multiplier, the one that is less is zero.

    Slacks are measured by what they are of a margin, multipliers as parts of the largest that they can be.

    Parameters
    ----------
    run : InteriorPoint
        The point.
    whole : ndarray of shape (n,)
        Largest dual variables.
    kink, size : ndarray of shape (d,)
        Kinks, and root mean squares of the columns.
    """
    u, split, columns = run.u.copy(), run.columns, np.ones(len(run.u), dtype=bool)
    length = np.maximum(split.plus.slack, split.minus.slack) * size[split.where]
    inside = np.minimum(split.plus.multiplier, split.minus.multiplier) / kink[split.where]
    zero = split.where[length < inside]
    u[zero], columns[zero] = 0.0, False
    steepest = np.maximum(size * float(whole.sum()), 1e-300)
    for side in run.sides:
        at = side.pairs.slack * size[side.where] < side.pairs.multiplier / steepest[side.where]
        u[side.where[at]], columns[side.where[at]] = side.bound[at], False
    plus, minus = run.rows.plus, run.rows.minus
    rows = np.minimum(plus.multiplier, minus.multiplier) >= whole * np.maximum(plus.slack, minus.slack)
    alpha = np.where(rows, plus.multiplier, np.where(plus.multiplier < minus.multiplier, 0.0, whole))
    return Face(u, run.b, alpha, columns, rows)


def inside(run: InteriorPoint) -> Face:
    """An interior point as it is."""
    everything = np.ones(len(run.u), dtype=bool), np.ones(len(run.alpha), dtype=bool)
    return Face(run.u, run.b, run.rows.plus.multiplier, *everything)


def balanced(face: Face, signs: np.ndarray, whole: np.ndarray, balance: float | None) -> np.ndarray:
    """α with Σ signs α = balance, where b is free, by those between their bounds, as far as they have room."""
    room = np.where(face.rows, np.minimum(face.alpha, whole - face.alpha), 0.0)
    total = float(room.sum())
    if balance is None or not total > 0.0:
        return face.alpha
    change = (float(signs @ face.alpha) - balance) / total
    return face.alpha - signs * room * max(min(change, 1.0), -1.0)


def on_face(
    X: np.ndarray, signs: np.ndarray, size: np.ndarray, quadratic: np.ndarray, misses: tuple
) -> tuple[np.ndarray, float, np.ndarray] | None:
    """What leads to the face's own point: margins of its rows at the kink, slopes of its columns zero.

    Parameters
    ----------
    X : ndarray
        Its rows and columns.
    signs, size, quadratic : ndarray
        Labels of its rows; root mean squares and squares of its columns.
    misses : tuple
        ∂/∂u of the Lagrangian; Σ signs α beyond what it has to be, None where b is not free; what margins lack.

    Returns
    -------
    tuple or None
        The changes of u, b and α there.
    """
    slopes, surplus, lacking = misses
    free, (m, k) = surplus is not None, X.shape
    if not 0 < k + m <= LARGEST:
        return None
    scale = np.append(1.0 / np.maximum(size, 1e-300), np.ones(int(free)))
    M = signs[:, None] * (np.column_stack([X, np.ones(m)]) if free else X) * scale
    top = k + int(free)
    A, right = np.zeros((top + m, top + m)), np.empty(top + m)
    A[:k, :k].flat[:: k + 1] = -quadratic * scale[:k] ** 2
    A[:top, top:], A[top:, :top] = M.T, M
    right[:k], right[top:] = slopes * scale[:k], lacking
    if free:
        right[k] = -surplus
    ridge = np.full(top + m, _RIDGE * max(1.0, float(np.sqrt(top))))
    ridge[:top] *= -1.0
    lu, pivots, info = lapack.dgetrf(A + np.diag(ridge))
    if info != 0:
        return None
    x = np.zeros(top + m)
    for _ in range(_REFINED):
        x += lapack.dgetrs(lu, pivots, right - A @ x)[0]
    if not np.isfinite(x).all():
        return None
    return x[:k] * scale[:k], float(x[k]) if free else 0.0, x[top:]
