"""Dense data that is wider than tall, in coordinates of its rows: as many columns as rows do for any penalty ½‖w‖²."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy.linalg import lapack, solve_triangular

from .base import DesignMatrix

_WIDER, _MOST = 1.5, 1000
"""Columns for each row from which on it pays, and rows up to which their Gram costs less than it spares."""

_RANK = 1e-10
"""Part of the largest diagonal of the Gram below which what is left of a row is rounding."""

Back = Callable[[np.ndarray], np.ndarray]


def wide(matrix: DesignMatrix) -> bool:
    """Whether dense data has so few rows that their coordinates pay."""
    n, d = matrix.shape
    return matrix.entries == n * d and n <= _MOST and n * _WIDER <= d


def row_coordinates(matrix: DesignMatrix) -> tuple[np.ndarray, Back, float] | None:
    """Y of shape (n, r), a function that makes of coefficients (K, r) those of X, and ‖X Xᵀ − Y Yᵀ‖.

    By a pivoted Cholesky factor: with the rows B that were taken, B = L Q, X is Y Q, and Q has orthonormal rows. None
    where that overflows.
    """
    n, d = matrix.shape
    X = np.empty((n, d))
    matrix.copy_rows(slice(0, n), X)
    gram = X @ X.T
    if not np.isfinite(gram).all() or not gram.any():
        return None
    factor, pivots, rank, _ = lapack.dpstrf(
        gram, lower=True, tol=_RANK * float(gram.diagonal().max()), overwrite_a=False
    )
    order = pivots - 1
    coordinates = np.empty((n, rank))
    coordinates[order] = np.tril(factor)[:, :rank]
    rows, lower = X[order[:rank]], factor[:rank, :rank]

    def back(W: np.ndarray) -> np.ndarray:
        return solve_triangular(lower, W.T, lower=True, trans=1, check_finite=False).T @ rows

    return coordinates, back, float(np.linalg.norm(gram - coordinates @ coordinates.T))
