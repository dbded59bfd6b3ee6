"""The systems of an interior-point step: (Xᵀ D X + E) Δw with a border for b, by columns or by rows."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.linalg import lapack

from ..matrix.blas import add_square, mirrored

_RIDGES = (0.0, 1e-15, 1e-13, 1e-11, 1e-9)
"""What is added to a diagonal of ones until it can be factored."""


class Factor:
    """The Cholesky factor of a positive definite matrix, its diagonal scaled to ones, with a ridge if it needs one."""

    def __init__(self, A: np.ndarray) -> None:
        self.failed = not np.isfinite(A).all()
        if self.failed:
            return
        diagonal = A.diagonal()
        self._scale = 1.0 / np.sqrt(np.where(diagonal > 0.0, diagonal, 1.0))
        self._matrix = A
        scaled = self._scale[:, None] * A * self._scale
        for ridge in _RIDGES:
            scaled.flat[:: len(A) + 1] = 1.0 + ridge
            self._factor, info = lapack.dpotrf(scaled.T, lower=False, clean=False)
            if info == 0:
                return
        self.failed = True

    def solve(self, right: np.ndarray) -> np.ndarray:
        """Of one right side or several; refined once, which a ridge needs."""
        found = self._once(right)
        return found + self._once(right - self._matrix @ found)

    def _once(self, right: np.ndarray) -> np.ndarray:
        scale = self._scale if right.ndim == 1 else self._scale[:, None]
        return scale * lapack.dpotrs(self._factor, scale * right, lower=False)[0]


class ColumnSystem:
    """(Xᵀ D X + E) Δw + Xᵀ D 1 Δb, for D = 1/flexible."""

    def __init__(self, X: Any, flexible: np.ndarray, diagonal: np.ndarray, *, free: bool) -> None:
        self._X, self._c, self._free = X, 1.0 / flexible, free
        self._total = float(self._c.sum())
        self._mean = X.transposed(self._c) / self._total if free else np.zeros(len(diagonal))
        H = X.gram(self._c, self._mean)
        H.flat[:: len(H) + 1] += diagonal
        self._factor = Factor(H)

    def solve(self, right: np.ndarray, in_b: float, aimed: np.ndarray) -> tuple[np.ndarray, float, np.ndarray]:
        """Δw, Δb and what these change of signs × multipliers."""
        if self._factor.failed:
            return np.full_like(right, np.nan), np.nan, aimed
        push = self._c * aimed
        first, second = right + self._X.transposed(push), in_b + float(push.sum())
        du = self._factor.solve(first - self._mean * second if self._free else first)
        db = second / self._total - float(self._mean @ du) if self._free else 0.0
        return du, db, push - self._c * (self._X.product(du) + db)


class RowSystem:
    """The same by D⁻¹ + X E⁻¹ Xᵀ, bordered by b and the columns where E is zero."""

    def __init__(self, X: Any, flexible: np.ndarray, diagonal: np.ndarray, *, free: bool) -> None:
        self._X, self._free = X, free
        held = diagonal > 0.0
        self._loose = np.flatnonzero(~held)
        self._inverse = np.divide(1.0, diagonal, out=np.zeros_like(diagonal), where=held)
        S = X.row_gram(self._inverse)
        S.flat[:: len(S) + 1] += flexible
        self._factor = Factor(S)
        self._border = X.dense[:, self._loose]
        if free:
            self._border = np.column_stack([self._border, np.ones(len(S))])
        self._across = self._factor.solve(self._border) if self._border.shape[1] and not self._factor.failed else None

    def solve(self, right: np.ndarray, in_b: float, aimed: np.ndarray) -> tuple[np.ndarray, float, np.ndarray]:
        """Δw, Δb and what these change of signs × multipliers."""
        if self._factor.failed:
            return np.full_like(right, np.nan), np.nan, aimed
        eta = self._factor.solve(aimed - self._X.product(self._inverse * right))
        du, db = np.zeros_like(right), 0.0
        if self._across is not None:
            q = np.append(right[self._loose], in_b) if self._free else right[self._loose]
            small = self._border.T @ self._across
            c = np.linalg.lstsq(small, self._border.T @ eta + q, rcond=None)[0]
            eta = eta - self._across @ c
            du[self._loose] = c[: len(self._loose)]
            db = float(c[-1]) if self._free else 0.0
        du += self._inverse * (right + self._X.transposed(eta))
        return du, db, eta


class Products:
    """Columns of X for an interior point, written down where the systems are of the rows."""

    def __init__(self, matrix: Any, *, by_rows: bool) -> None:
        self._matrix, self.by_rows = matrix, by_rows
        if by_rows:
            self.dense = np.empty(matrix.shape)
            matrix.copy_rows(slice(0, matrix.shape[0]), self.dense)

    def product(self, u: np.ndarray) -> np.ndarray:
        found: np.ndarray = self.dense @ u if self.by_rows else self._matrix.product(u)
        return found

    def transposed(self, r: np.ndarray) -> np.ndarray:
        found: np.ndarray = r @ self.dense if self.by_rows else self._matrix.transposed_product(r)
        return found

    def gram(self, c: np.ndarray, centre: np.ndarray) -> np.ndarray:
        """Σ c (x − centre)(x − centre)ᵀ."""
        found: np.ndarray = self._matrix.gram(c, centre)
        return found

    def row_gram(self, weights: np.ndarray) -> np.ndarray:
        """X diag(weights) Xᵀ."""
        n = len(self.dense)
        total = np.zeros((n, n))
        add_square(total, np.asfortranarray((self.dense * np.sqrt(weights)).T))
        return mirrored(total)
