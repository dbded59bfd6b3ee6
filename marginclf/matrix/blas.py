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


def rank_two(total: np.ndarray, left: np.ndarray, right: np.ndarray) -> None:
    """Take left rightᵀ + right leftᵀ off the lower triangle of a total in C order."""
    blas.dsyr2(-1.0, left, right, lower=False, a=total.T, overwrite_a=True)


def bordered(gram: np.ndarray, along: np.ndarray, total: float, centre: np.ndarray) -> np.ndarray:
    """The Gram matrix of rows less a centre with one of ones beside them, from Xᵀ c and Σ c."""
    d = len(centre)
    found = np.empty((d + 1, d + 1))
    found[:d, :d] = gram
    found[d, :d] = found[:d, d] = along - total * centre
    found[d, d] = total
    return found
