"""The system of an interior-point step, by the columns or, where rows are fewer, by the rows.

    (Xᵀ D X + E) Δu + Xᵀ D 1 Δb = r + Xᵀ D e,    1ᵀ D X Δu + 1ᵀ D 1 Δb = s + 1ᵀ D e,    η = D (e − X Δu − Δb).

With the rows less their mean, weighted by D, b drops out of the first; or with the last of them put into the others,

    (D⁻¹ + X E⁻¹ Xᵀ) η + 1 Δb = e − X E⁻¹ r,    −1ᵀ η = s,

bordered also by the columns where E is zero.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from scipy.linalg import lapack

from ...matrix.blas import add_square, mirrored

_RIDGES = (0.0, 1e-15, 1e-13, 1e-11, 1e-9)
"""What is added to a diagonal of ones until it can be factored."""


class Products:
    """Columns of X, written down where the system is by the rows.

    Parameters
    ----------
    matrix : DesignMatrix
        The columns.
    """

    def __init__(self, matrix: Any) -> None:
        self._matrix, (n, d) = matrix, matrix.shape
        self.dense: np.ndarray | None = None
        if n < d:
            self.dense = np.empty((n, d))
            matrix.copy_rows(slice(0, n), self.dense)

    def product(self, u: np.ndarray) -> np.ndarray:
        """X u."""
        found: np.ndarray = self._matrix.product(u) if self.dense is None else self.dense @ u
        return found

    def transposed(self, r: np.ndarray) -> np.ndarray:
        """Xᵀ r."""
        found: np.ndarray = self._matrix.transposed_product(r) if self.dense is None else r @ self.dense
        return found

    def gram(self, c: np.ndarray, centre: np.ndarray) -> np.ndarray:
        """Σ c (x − centre)(x − centre)ᵀ."""
        found: np.ndarray = self._matrix.gram(c, centre)
        return found


def solver_of(X: Products, flexible: np.ndarray, diagonal: np.ndarray, *, free: bool) -> Callable[..., tuple]:
    """A function of r, s and e that returns Δu, Δb and η.

    Parameters
    ----------
    X : Products
        The columns.
    flexible : ndarray of shape (n,)
        D⁻¹.
    diagonal : ndarray of shape (d,)
        E.
    free : bool
        Whether there is b.
    """
    if X.dense is None:
        return _by_columns(X, 1.0 / flexible, diagonal, free=free)
    return _by_rows(X.dense, flexible, diagonal, free=free)


class _Factor:
    """The factor of a positive definite matrix, its diagonal scaled to ones; with a ridge where it needs one."""

    def __init__(self, A: np.ndarray) -> None:
        self.failed, self._matrix, diagonal = True, A, A.diagonal()
        if not np.isfinite(A).all():
            return
        self._scale = 1.0 / np.sqrt(np.where(diagonal > 0.0, diagonal, 1.0))
        scaled = self._scale[:, None] * A * self._scale
        for ridge in _RIDGES:
            scaled.flat[:: len(A) + 1] = 1.0 + ridge
            self._factor, info = lapack.dpotrf(scaled.T, lower=False, clean=False)
            if info == 0:
                self.failed = False
                return

    def solve(self, right: np.ndarray) -> np.ndarray:
        """Of one right side or several; refined once, which a ridge needs."""
        found = self._once(right)
        return found + self._once(right - self._matrix @ found)

    def _once(self, right: np.ndarray) -> np.ndarray:
        scale = self._scale if right.ndim == 1 else self._scale[:, None]
        found: np.ndarray = scale * lapack.dpotrs(self._factor, scale * right, lower=False)[0]
        return found


def _none(right: np.ndarray, in_b: float, aimed: np.ndarray) -> tuple:
    return np.full_like(right, np.nan), np.nan, aimed


def _by_columns(X: Products, c: np.ndarray, diagonal: np.ndarray, *, free: bool) -> Callable[..., tuple]:
    total = float(c.sum())
    mean = X.transposed(c) / total if free else np.zeros(len(diagonal))
    H = X.gram(c, mean)
    H.flat[:: len(H) + 1] += diagonal
    factor = _Factor(H)
    if factor.failed:
        return _none

    def solve(right: np.ndarray, in_b: float, aimed: np.ndarray) -> tuple:
        push = c * aimed
        first, second = right + X.transposed(push), in_b + float(push.sum()) if free else 0.0
        du = factor.solve(first - mean * second)
        db = second / total - float(mean @ du) if free else 0.0
        return du, db, push - c * (X.product(du) + db)

    return solve


def _by_rows(X: np.ndarray, flexible: np.ndarray, diagonal: np.ndarray, *, free: bool) -> Callable[..., tuple]:
    held, n = diagonal > 0.0, len(X)
    loose = np.flatnonzero(~held)
    inverse = np.divide(1.0, diagonal, out=np.zeros_like(diagonal), where=held)
    lower = np.zeros((n, n))
    add_square(lower, (X * np.sqrt(inverse)).T)
    S = mirrored(lower)
    S.flat[:: n + 1] += flexible
    factor = _Factor(S)
    if factor.failed:
        return _none
    border = np.column_stack([X[:, loose], np.ones((n, int(free)))])
    across = factor.solve(border) if border.shape[1] else border
    small = border.T @ across

    def solve(right: np.ndarray, in_b: float, aimed: np.ndarray) -> tuple:
        eta = factor.solve(aimed - X @ (inverse * right))
        du, db = np.zeros_like(right), 0.0
        if border.shape[1]:
            lacks = np.append(right[loose], [in_b] * int(free))
            moves = np.linalg.lstsq(small, border.T @ eta + lacks, rcond=None)[0]
            eta = eta - across @ moves
            du[loose], db = moves[: len(loose)], float(moves[-1]) if free else 0.0
        return du + inverse * (right + eta @ X), db, eta

    return solve
