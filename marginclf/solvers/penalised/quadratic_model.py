"""The quadratic model of the losses at a point, which a proximal Newton step minimises with the penalty as it is.

Here with the Hessian written down; where that is too large, see :mod:`.column_model`.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ...kernels.coordinate_descent import minimise_quadratic
from ...objective import NonsmoothPenalty, Point

MOST_WRITTEN, MOST_WRITTEN_SPARSE = 2500, 1200
"""Entries up to which the Hessian of two classes is written down, of dense and of sparse rows, where columns are cheap
beside it."""

MOST_WRITTEN_JOINT, MOST_WRITTEN_JOINT_SPARSE = 1200, 500
"""The same for many classes, whose Hessian costs more: of five classes and 5000 × 500 dense rows steps by columns take
0.3 to 0.9 of the time, of 5000 × 100 0.7 to 2.4."""

_ROUNDS = 1000

_HELD = 1e-6
"""Curvature, beside the mean one, of what changes no margin and yet is penalised."""

RIDGE = 1e-13


def written(matrix: Any, penalty: NonsmoothPenalty, entries: int) -> bool:
    """Whether the Hessian of some entries is written down."""
    if penalty.shape[0] > 1:
        most = MOST_WRITTEN_JOINT_SPARSE if matrix.sparse else MOST_WRITTEN_JOINT
    else:
        most = MOST_WRITTEN_SPARSE if matrix.sparse else MOST_WRITTEN
    # Steps by columns have no Newton steps of what nothing penalises in groups.
    return entries <= most or (penalty.grouped and bool(penalty.unheld.any()))


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
        self._objective, self._penalty = objective, penalty
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
        if not objective.fit_intercept:
            at = at[: k * d]
        whole = len(at) == len(h) and (at == np.arange(len(at))).all()
        self.h = h if whole else np.ascontiguousarray(h[np.ix_(at, at)])
        n = len(u)
        if not np.isfinite(self.h).all():
            raise OverflowError("the Hessian overflows")
        self.curved = bool(self.h.any())
        self.reached = True
        self.h[np.arange(n), np.arange(n)] += penalty.quadratic
        self.move(point, u)

    def move(self, point: Point, u: np.ndarray) -> None:
        """Take the gradient of a point, and leave the Hessian as it is."""
        objective, penalty = self._objective, self._penalty
        slope = objective.b(point.gradient)
        in_w = penalty.vector(objective.by_class(point.gradient) - slope[:, None] * self._centre)
        in_w += penalty.quadratic * u
        self.q = np.concatenate([in_w, slope]) if objective.fit_intercept else in_w
        self._point, self._u = point, u

    def minimised(self, factor: float, accuracy: float, damping: float) -> tuple[np.ndarray, float]:
        """θ where the model is least, with its kinks multiplied by a factor, and by how much it falls there."""
        objective, penalty, theta, h, q = self._objective, self._penalty, self._point.theta, self.h, self.q
        n, m = len(self._u), len(q)
        if damping:
            h = h.copy()
            h[np.arange(m), np.arange(m)] += damping
        diagonal = h[np.arange(m), np.arange(m)]
        ridge = RIDGE * float(diagonal.max(initial=0.0)) + 1e-300
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
        promise = float(q @ (end - start)) + factor * change_of_kinks(penalty, self._u, end[:n])
        W = penalty.matrix(end[:n])
        return objective.theta(W, end[n:] - W @ self._centre if m > n else 0.0), promise


def change_of_kinks(penalty: NonsmoothPenalty, before: np.ndarray, after: np.ndarray) -> float:
    return float(penalty.kink @ (penalty.norms(after) - penalty.norms(before)))


def _block_scales(h: np.ndarray, penalty: NonsmoothPenalty) -> np.ndarray:
    """A bound on the largest eigenvalue of each block's part of the Hessian."""
    found = np.diag(h)[penalty.starts[:-1]].copy()
    for g in np.flatnonzero(penalty.sizes > 1):
        block = slice(penalty.starts[g], penalty.starts[g + 1])
        found[g] = np.linalg.norm(h[block, block], 2) * (1.0 + 1e-12)
    return found
