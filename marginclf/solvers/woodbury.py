"""The Newton direction in the space of the rows, where fewer of them are curved than there are columns.

By the matrix inversion lemma, with Y the curved rows less their mean and D the diagonal of their c_i,

    (I + Yᵀ D Y)⁻¹ g = g − Yᵀ D^½ (I + D^½ Y Yᵀ D^½)⁻¹ D^½ Y g.

Rows without curvature drop out: for the relatives of the hinge those are most, and what is left of a wide sparse
matrix is small enough to stay in the cache.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy.linalg import lapack

from ..objective import BinaryPoint, InMemoryObjective, Point

_MAX_PRODUCTS = 500
_RESIDUAL = 1e-2
"""Norm of the residual at which conjugate gradients stop, relative to the first."""


def _direct(objective: InMemoryObjective, m: int, limit: int) -> bool | None:
    """Whether to factor for m curved rows, rather than conjugate gradients; None where the columns are less work."""
    n, d = objective.matrix.shape
    if m == 0 or m >= d:
        return None
    if m <= limit:
        # Gram matrix and factor, and on this side three passes more over all rows.
        cheap = d > limit or 6 * n * d + m * m * (d + m / 3) < d * d * (m + d / 3)
        return True if cheap else None
    # Conjugate gradients run through the rows on either side; it pays only to leave many of them out.
    return False if objective.matrix.sparse and 2 * m <= n else None


def row_space_step(objective: InMemoryObjective, point: Point, *, limit: int) -> tuple[np.ndarray, float] | None:
    """The Newton step, and what truncation may hide of gᵀH⁻¹g.

    None where it is less work by way of the columns, or the system cannot be factored.

    Parameters
    ----------
    objective : Objective
        F, with a penalty, whose curvatures are one number a row.
    point : Point
        Where.
    limit : int
        Rows up to which the system is factored.
    """
    assert isinstance(point, BinaryPoint)
    direct = _direct(objective, int(np.count_nonzero(point.c)), limit)
    if direct is None:
        return None
    rows = np.flatnonzero(point.c)
    matrix, g = objective.matrix, objective.w(point.gradient)
    c = point.c[rows]
    root = np.sqrt(c)
    mean = c / c.sum() if objective.fit_intercept else None

    def centred(t: np.ndarray) -> np.ndarray:
        return t if mean is None else t - float(mean @ t)

    def spread(q: np.ndarray) -> np.ndarray:
        # The transpose of `centred`.
        return q if mean is None else q - mean * float(q.sum())

    def combination(q: np.ndarray) -> np.ndarray:
        full = np.zeros(matrix.shape[0])
        full[rows] = q
        return matrix.transposed_product(full)

    Xg = matrix.product(g)[rows]
    right = root * centred(Xg)
    if direct:
        gram = matrix.row_gram(rows, mean)
        system = root[:, None] * gram * root
        system.flat[:: len(rows) + 1] += 1.0
        if not np.isfinite(system).all():
            raise OverflowError("the Hessian overflows")
        _, solution, info = lapack.dposv(system, right, lower=True, overwrite_a=True)
        if info != 0:
            return None
        missing = 0.0
        q = spread(root * solution)
    else:
        packed = matrix.packed(rows)
        # Without a preconditioner: the columns that occur in one row only are in the diagonal already.
        solution, missing = _conjugate_gradients(
            lambda p: p + root * centred(packed.gram_product(spread(root * p))),
            right,
            _RESIDUAL * float(np.linalg.norm(g)),
        )
        q = spread(root * solution)
    dw = combination(q) - g
    db = 0.0
    if mean is not None:
        db = -float(mean @ matrix.product(dw)[rows]) - float(point.slope[0]) / point.curvature
    return objective.theta(dw, db), missing


def _conjugate_gradients(
    product: Callable[[np.ndarray], np.ndarray], right: np.ndarray, enough: float
) -> tuple[np.ndarray, float]:
    """Until the residual in the columns is at most ``enough``; also returns the square of it.

    That is Yᵀ D^½ r for the residual r in the rows. It can be far larger, and its square is rᵀ(A − I)r for the matrix A
    of the system, which comes without a further product.
    """
    solution = np.zeros_like(right)
    residual = p = right
    rho = float(residual @ residual)
    image = image_of_residual = product(p)
    missing = 0.0
    for _ in range(_MAX_PRODUCTS):
        missing = max(float(residual @ image_of_residual) - rho, 0.0)
        if missing <= enough**2:
            break
        step = rho / float(p @ image)
        solution = solution + step * p
        residual = residual - step * image
        rho, last = float(residual @ residual), rho
        p = residual + (rho / last) * p
        before, image = image, product(p)
        image_of_residual = image - (rho / last) * before
    return solution, missing
