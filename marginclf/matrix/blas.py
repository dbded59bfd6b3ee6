"""Products of matrices that are going to be factored, by the BLAS that factors them.

NumPy and SciPy each bring a BLAS with threads of its own. Those of either wait while the others still spin: with two on
two cores, a Hessian of 200 columns by NumPy and its factor by SciPy take six times as long as both by SciPy.
"""

from __future__ import annotations

import numpy as np
from scipy.linalg import blas


def add_product(total: np.ndarray, left: np.ndarray, right: np.ndarray) -> None:
    """Add left · rightᵀ to a total; all of them in C order."""
    blas.dgemm(1.0, right.T, left.T, 1.0, total.T, trans_a=True, overwrite_c=True)


def add_square(total: np.ndarray, rows: np.ndarray, factor: float = 1.0) -> None:
    """Add rowsᵀ · rows, multiplied by a factor, to the lower triangle of a total in C order."""
    if rows.size:
        by_rows = rows.flags.c_contiguous
        blas.dsyrk(factor, rows.T if by_rows else rows, 1.0, total.T, trans=not by_rows, lower=False, overwrite_c=True)


def mirrored(total: np.ndarray) -> np.ndarray:
    """The symmetric matrix with the lower triangle of a total."""
    lower = np.tril(total)
    lower += np.tril(total, -1).T
    return lower
