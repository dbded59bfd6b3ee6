"""The quadratic model of the losses at a point, which a proximal Newton step minimises with the penalty as it is.

Two forms: with the Hessian written down, and where that is too large, by columns. The second takes each class by
itself, with twice the part of the Hessian that is its own: for a softmax that is never less than the whole, and for
other losses steps are shortened or damped where it is.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import sparse

from ..kernels.column_descent import curvatures, minimise_by_columns
from ..kernels.coordinate_descent import minimise_quadratic
from ..objective import NonsmoothPenalty, Point

MOST_WRITTEN = 2500
"""Entries up to which the Hessian is written down: 50 MB."""

_ROUNDS, _ROUNDS_BY_COLUMNS = 1000, 100

_HELD = 1e-6
"""Curvature, beside the mean one, of what changes no margin and yet is penalised."""

_RIDGE = 1e-13


class WrittenModel:
    """With the Hessian, entry by entry and the intercepts after them.

    Parameters
    ----------
    objective, penalty
        The losses and the penalty.
    point : Point
        Where.
    u : ndarray of shape (m,)
        The entries there.
    """

    def __init__(self, objective: Any, penalty: NonsmoothPenalty, point: Point, u: np.ndarray) -> None:
        self._objective, self._penalty, self._point, self._u = objective, penalty, point, u
        k, d = penalty.shape
        self._centre = centre = objective.centre
        h = objective.hessian(point, centre).reshape(k, d + 1, k, d + 1)
        if k > 1:
            # A number added to the coefficients or intercepts of all classes changes no margin. Where that is not
            # penalised, no step uses it; elsewhere it is the penalty that says how much of it is best.
            held = np.full(d + 1, _HELD)
            held[:-1][penalty.matrix(penalty.unheld.astype(float)).all(axis=0)] = held[-1] = 1.0
            together = np.einsum("kikj->ij", h) * np.minimum(held, held[:, None]) / k
            h = h + together[None, :, None, :] / k
        h = h.reshape(k * (d + 1), k * (d + 1))
        at = np.concatenate([penalty.order // d * (d + 1) + penalty.order % d, np.arange(k) * (d + 1) + d])
        slope = objective.b(point.gradient)
        in_w = objective.by_class(point.gradient) - slope[:, None] * centre
        q = np.concatenate([penalty.vector(in_w), slope])
        if not objective.fit_intercept:
            at, q = at[: k * d], q[: k * d]
        self.h, self.q = np.ascontiguousarray(h[np.ix_(at, at)]), q
        n = len(u)
        if not np.isfinite(self.h).all():
            raise OverflowError("the Hessian overflows")
        self.curved = bool(self.h.any())
        self.h[np.arange(n), np.arange(n)] += penalty.quadratic
        self.q[:n] += penalty.quadratic * u

    def minimised(self, factor: float, accuracy: float, damping: float) -> tuple[np.ndarray, float]:
        """θ where the model is least, with its kinks multiplied by a factor, and by how much it falls there."""
        objective, penalty, theta, h, q = self._objective, self._penalty, self._point.theta, self.h, self.q
        n, m = len(self._u), len(q)
        if damping:
            h = h.copy()
            h[np.arange(m), np.arange(m)] += damping
        diagonal = h[np.arange(m), np.arange(m)]
        ridge = _RIDGE * float(diagonal.max(initial=0.0)) + 1e-300
        scale = np.concatenate([_block_scales(h[:n, :n], penalty), diagonal[n:]]) + ridge
        kink = np.concatenate([factor * penalty.kink, np.zeros(m - n)])
        unit = np.where(kink > 0.0, kink, max(float(kink.max(initial=0.0)), float(np.abs(q).max(initial=0.0)), 1e-300))
        edge, start = np.full(m - n, np.inf), self._u
        if m > n:
            start = np.concatenate([start, objective.b(theta) + objective.by_class(theta) @ self._centre])
        end, left = start.copy(), q.copy()
        minimise_quadratic(
            h, left, end, np.concatenate([penalty.starts, n + 1 + np.arange(m - n)]), kink, scale,
            np.concatenate([penalty.lower, -edge]), np.concatenate([penalty.upper, edge]), unit, accuracy, _ROUNDS,
            np.empty((m, m)), np.empty(m, dtype=np.int64), np.empty((3, m)),
        )  # fmt: skip
        promise = float(q @ (end - start)) + factor * _change(penalty, self._u, end[:n])
        W = penalty.matrix(end[:n])
        return objective.theta(W, end[n:] - W @ self._centre if m > n else 0.0), promise


class ColumnModel:
    """By columns, for a penalty of single entries; the arguments are those of :class:`WrittenModel`."""

    def __init__(self, objective: Any, penalty: NonsmoothPenalty, point: Point, u: np.ndarray, columns: Any) -> None:
        self._objective, self._penalty, self._point, self._u = objective, penalty, point, u
        self._columns = columns
        self._c = objective.row_curvatures(point)
        self.q = penalty.vector(objective.by_class(point.gradient)) + penalty.quadratic * u
        self._own = np.empty(penalty.shape)
        for k, c in enumerate(self._c):
            curvatures(columns.data, columns.indices, columns.indptr, c, self._own[k])
        self.curved = bool(self._own.any())

    def minimised(self, factor: float, accuracy: float, damping: float) -> tuple[np.ndarray, float]:
        """As of :class:`WrittenModel`."""
        objective, penalty, point, X = self._objective, self._penalty, self._point, self._columns
        beside = penalty.matrix(penalty.quadratic) + damping
        kink, q = penalty.matrix(factor * penalty.kink), penalty.matrix(self.q)
        lower, upper, W = penalty.matrix(penalty.lower), penalty.matrix(penalty.upper), penalty.matrix(self._u)
        slope, b = objective.b(point.gradient), objective.b(point.theta).copy()
        for k, c in enumerate(self._c):
            scale = self._own[k] + beside[k]
            scale += _RIDGE * float(scale.max(initial=0.0)) + 1e-300
            of_b = np.array([slope[k], float(c.sum()) + damping]) * float(objective.fit_intercept)
            start, change = W[k].copy(), np.zeros(len(c))
            b[k] += minimise_by_columns(
                X.data, X.indices, X.indptr, c, q[k], scale, beside[k], of_b, start, W[k], change, kink[k],
                lower[k], upper[k], accuracy, _ROUNDS_BY_COLUMNS,
            )  # fmt: skip
        end = penalty.vector(W)
        promise = float(self.q @ (end - self._u)) + float(slope @ (b - objective.b(point.theta)))
        promise += factor * _change(penalty, self._u, end)
        if len(b) > 1:
            b -= b.mean()
        return objective.theta(W, b if objective.fit_intercept else 0.0), promise


def by_columns(matrix: Any) -> Any:
    """X by columns, of float64."""
    n = matrix.shape[0]
    if matrix.sparse:
        return matrix.scipy.tocsc().astype(np.float64)
    dense = np.empty(matrix.shape)
    matrix.copy_rows(slice(0, n), dense)
    return sparse.csc_array(dense)


def _change(penalty: NonsmoothPenalty, before: np.ndarray, after: np.ndarray) -> float:
    return float(penalty.kink @ (penalty.norms(after) - penalty.norms(before)))


def _block_scales(h: np.ndarray, penalty: NonsmoothPenalty) -> np.ndarray:
    """A bound on the largest eigenvalue of each block's part of the Hessian."""
    found = np.diag(h)[penalty.starts[:-1]].copy()
    for g in np.flatnonzero(penalty.sizes > 1):
        block = slice(penalty.starts[g], penalty.starts[g + 1])
        found[g] = np.linalg.norm(h[block, block], 2) * (1.0 + 1e-12)
    return found
