"""The Hessian of narrow data: Σ c (x − centre)(x − centre)ᵀ, without BLAS.

A product of BLAS wakes threads of its own, and on a busy machine waiting for them takes a hundred times as long as the
work of a small problem.
"""

from __future__ import annotations

from numba import types
from numba.extending import overload

from .cache import kernel

GRAM_COLUMNS = 64
"""Columns up to which this is used; wider data is left to BLAS, whose blocking it does not have."""

GRAM_ROWS = 128


def _copy(rows, start, n, centre, out):
    """out[j, k] = x_(start+k, j) − centre_j for k < n."""


@overload(_copy)
def _choose_copy(rows, start, n, centre, out):
    return _copy_csr if isinstance(rows, types.BaseTuple) else _copy_dense


def _copy_dense(rows, start, n, centre, out):
    for k in range(n):
        for j in range(centre.size):
            out[j, k] = rows[start + k, j] - centre[j]


def _copy_csr(rows, start, n, centre, out):
    data, indices, indptr = rows
    for j in range(centre.size):
        for k in range(n):
            out[j, k] = -centre[j]
    for k in range(n):
        for p in range(indptr[start + k], indptr[start + k + 1]):
            out[indices[p], k] += data[p]


# Reassociation vectorises the sums over rows; nothing here is a loss.
@kernel(fastmath={"contract", "reassoc", "nsz"})
def gram(rows, c, centre, first, last, chunk_rows, work, totals):
    """The lower triangle, one partial sum a chunk in ``totals``; ``work`` is of shape (chunks, 2, d, GRAM_ROWS)."""
    n, d = c.size, centre.size
    for chunk in range(first, last):
        x, cx, total = work[chunk, 0], work[chunk, 1], totals[chunk]
        for i in range(d):
            for j in range(d):
                total[i, j] = 0.0
        stop = min((chunk + 1) * chunk_rows, n)
        for start in range(chunk * chunk_rows, stop, GRAM_ROWS):
            size = min(GRAM_ROWS, stop - start)
            _copy(rows, start, size, centre, x)
            for i in range(d):
                for k in range(size):
                    cx[i, k] = c[start + k] * x[i, k]
            # Two by two, so that each number loaded is used twice.
            for i in range(0, d - 1, 2):
                for j in range(0, i + 1, 2):
                    s00 = s01 = s10 = s11 = 0.0
                    for k in range(size):
                        s00 += cx[i, k] * x[j, k]
                        s01 += cx[i, k] * x[j + 1, k]
                        s10 += cx[i + 1, k] * x[j, k]
                        s11 += cx[i + 1, k] * x[j + 1, k]
                    total[i, j] += s00
                    total[i, j + 1] += s01
                    total[i + 1, j] += s10
                    total[i + 1, j + 1] += s11
            if d % 2:
                for j in range(d):
                    s00 = 0.0
                    for k in range(size):
                        s00 += cx[d - 1, k] * x[j, k]
                    total[d - 1, j] += s00
