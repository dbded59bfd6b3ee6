"""From an interior point to the face that it tends to: which coefficients are zero, and which rows are at the kink.

What an interior point leaves of a coefficient that is zero at the optimum is small, not zero. With what is zero put
there, one linear system of the others, and of the rows at the kink, has the optimum to rounding.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.linalg import lapack

from .interior_point import InteriorPoint

_RIDGE, _REFINED = 1e-9, 4
"""What keeps the system from being singular, and how often its solution is refined by the system without it."""

_TINY = 1e-300


class Face(NamedTuple):
    """A point and its dual variables, with what is between its ends.

    Attributes
    ----------
    u, b : ndarray of shape (d,) and float
        Coefficients and intercept.
    alpha : ndarray of shape (n,)
        Dual variables, from 0 on.
    columns, rows : ndarray of bool
        Coefficients that are neither at a kink nor at a bound, and rows that are at the kink of the loss.
    """

    u: np.ndarray
    b: float
    alpha: np.ndarray
    columns: np.ndarray
    rows: np.ndarray


def as_it_is(run: InteriorPoint) -> Face:
    """An interior point itself."""
    alpha = run.margins.plus.multiplier
    return Face(run.u, run.b, alpha, np.ones(len(run.u), dtype=bool), np.ones(len(alpha), dtype=bool))


def nearest_face(run: InteriorPoint, most: np.ndarray, kink: np.ndarray, size: np.ndarray) -> Face:
    """What an interior point tends to: of a slack and its multiplier, the one that is less becomes zero.

    Slacks are measured by what they are of a margin, multipliers by the most that they can be.

    Parameters
    ----------
    run : InteriorPoint
        The point.
    most : ndarray of shape (n,)
        Largest dual variables.
    kink, size : ndarray of shape (d,)
        Kinks, and root mean squares of the columns.
    """
    u, inner = run.u.copy(), np.ones(len(run.u), dtype=bool)
    plus, minus, at = run.coefficients.plus, run.coefficients.minus, run.kinked
    length = np.maximum(plus.slack, minus.slack) * size[at]
    zero = at[length < np.minimum(plus.multiplier, minus.multiplier) / kink[at]]
    u[zero], inner[zero] = 0.0, False
    steepest = np.maximum(size * float(most.sum()), _TINY)
    for side in run.sides:
        pairs, at = side.pairs, side.where
        there = pairs.slack * size[at] < pairs.multiplier / steepest[at]
        u[at[there]], inner[at[there]] = side.bound[there], False
    plus, minus = run.margins.plus, run.margins.minus
    rows = np.minimum(plus.multiplier, minus.multiplier) >= most * np.maximum(plus.slack, minus.slack)
    alpha = np.where(rows, plus.multiplier, np.where(plus.multiplier < minus.multiplier, 0.0, most))
    return Face(u, run.b, alpha, inner, rows)


def balanced(face: Face, signs: np.ndarray, most: np.ndarray, balance: float | None) -> Face:
    """The same with Σ signs α = balance, if that is asked for, by dual variables between their ends."""
    room = np.where(face.rows, np.minimum(face.alpha, most - face.alpha), 0.0)
    total = float(room.sum())
    if balance is None or not total > 0.0:
        return face
    change = (float(signs @ face.alpha) - balance) / total
    return face._replace(alpha=face.alpha - signs * room * max(min(change, 1.0), -1.0))


def to_face(
    X: np.ndarray, signs: np.ndarray, size: np.ndarray, quadratic: np.ndarray, soft: np.ndarray, misses: tuple
) -> tuple[np.ndarray, float, np.ndarray] | None:
    """What leads to where margins of the rows of a face are at the kink, and slopes of its columns zero.

    Parameters
    ----------
    X : ndarray of shape (m, k)
        Its rows and columns.
    signs : ndarray of shape (m,)
        Labels.
    size, quadratic : ndarray of shape (k,)
        Root mean squares of the columns, and the weights of their squares.
    soft : ndarray of shape (m,)
        What a margin is below the kink for each unit of its dual variable.
    misses : tuple
        Slopes of the columns, Σ signs α beyond what it has to be (None where b is not free), and what margins lack.

    Returns
    -------
    tuple or None
        The changes of u, b and α.
    """
    slopes, surplus, lacking = misses
    free, (m, k) = surplus is not None, X.shape
    scale, top = 1.0 / np.maximum(size, _TINY), k + int(free)
    A, right = np.zeros((top + m, top + m)), np.empty(top + m)
    A[range(k), range(k)] = -quadratic * scale**2
    A[range(top, top + m), range(top, top + m)] = soft
    A[top:, :k] = signs[:, None] * X * scale
    right[:k], right[top:] = slopes * scale, lacking
    if surplus is not None:
        A[top:, k], right[k] = signs, -surplus
    A[:top, top:] = A[top:, :top].T
    ridge = np.full(top + m, _RIDGE * np.sqrt(1.0 + top))
    ridge[:top] *= -1.0
    lu, pivots, info = lapack.dgetrf(A + np.diag(ridge))
    if info != 0:
        return None
    x = np.zeros(top + m)
    for _ in range(_REFINED):
        x += lapack.dgetrs(lu, pivots, right - A @ x)[0]
    if not np.isfinite(x).all():
        return None
    return x[:k] * scale, float(x[k]) if free else 0.0, x[top:]
