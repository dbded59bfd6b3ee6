"""Products of matrices that are going to be factored, by the BLAS that factors them.

NumPy and SciPy each bring a BLAS with threads of its own. Those of either wait while the others still spin: with two on
two cores, a Hessian of 200 columns by NumPy and its factor by SciPy take six times as long as both by SciPy.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from scipy.linalg import blas

_GRAM_NUMBERS = 1 << 18
"""Entries of rows that are copied at a time."""


def add_product(total: np.ndarray, left: np.ndarray, right: np.ndarray) -> None:
    """Add left · rightᵀ to a total; all of them in C order."""
    blas.dgemm(1.0, right.T, left.T, 1.0, total.T, trans_a=True, overwrite_c=True)


def add_square(total: np.ndarray, rows: np.ndarray, factor: float = 1.0) -> None:
    """Add rowsᵀ · rows, multiplied by a factor, to the lower triangle of a total in C order, in its precision."""
    if rows.size:
        by_rows, syrk = rows.flags.c_contiguous, blas.ssyrk if total.dtype == np.float32 else blas.dsyrk
        syrk(factor, rows.T if by_rows else rows, 1.0, total.T, trans=not by_rows, lower=False, overwrite_c=True)


def mirrored(total: np.ndarray) -> np.ndarray:
    """The symmetric matrix with the lower triangle of a total."""
    lower = np.tril(total)
    lower += np.tril(total, -1).T
    return lower


def gram_by_blas(
    copy_rows: Callable[[slice, np.ndarray], None],
    shape: tuple[int, int],
    c: np.ndarray,
    centre: np.ndarray,
    kind: Any = np.float64,
) -> np.ndarray:
    """Σ_i c_i (x_i − centre)(x_i − centre)ᵀ of rows that a function copies, added up in a precision."""
    n, d = shape
    size = min(n, max(64, _GRAM_NUMBERS // d))
    buffer, total = np.empty((size, d)), np.zeros((d, d), dtype=kind)
    signed = bool((c < 0.0).any())
    root = np.sqrt(np.abs(c))
    for start in range(0, n, size):
        part = slice(start, min(start + size, n))
        block = buffer[: part.stop - part.start]
        copy_rows(part, block)
        block -= centre
        block *= root[part, None]
        block = block.astype(kind, copy=False)
        if signed:
            add_square(total, block[c[part] > 0.0])
            add_square(total, block[c[part] < 0.0], -1.0)
        else:
            add_square(total, block)
    return mirrored(total)


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
