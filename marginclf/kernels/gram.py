"""The Hessian of narrow data: Σ c (x − centre)(x − centre)ᵀ, without BLAS.

A product of BLAS wakes threads of its own, and on a busy machine waiting for them takes a hundred times as long as the
work of a small problem.
"""

from __future__ import annotations

import numpy as np

from .cache import inner, kernel
from .storage import call_storage

GRAM_COLUMNS = 128
"""Columns up to which this is used; wider data is left to BLAS, whose blocking it does not have."""

GRAM_ROWS = 256
_PADDING = 8
"""Without it, column after column would fall on the same lines of the cache."""

_TILE = 4


def gram_scratch(d: int) -> np.ndarray:
    """Work space of one thread: a block of rows, transposed, and the same times c; the columns are whole tiles."""
    return np.zeros((2, -(-d // _TILE) * _TILE, GRAM_ROWS + _PADDING))


def gram_totals(chunks: int, d: int) -> np.ndarray:
    """Partial sums, one a chunk."""
    width = -(-d // _TILE) * _TILE
    return np.empty((chunks, width, width))


# Inlined by force, for the reason given at rows.apply_loss.
@inner(forceinline=True, fastmath={"contract", "reassoc", "nsz"})
def add_gram(c, start, size, d, x, cx, total):
    """Add Σ c u uᵀ over the columns u of ``x``, a block of rows; the lower half, four by four."""
    # Of a loss that is curved somewhere only, a few rows may be all.
    curved, count = np.empty(size, np.int64), 0
    for k in range(size):
        curved[count] = k
        count += c[start + k] != 0.0
    size = count
    for i in range(d):
        for k in range(size):
            x[i, k] = x[i, curved[k]]
            cx[i, k] = c[start + curved[k]] * x[i, k]
    # So that each number loaded is used four times.
    for i in range(0, total.shape[0], 4):
        a0, a1, a2, a3 = cx[i], cx[i + 1], cx[i + 2], cx[i + 3]
        for j in range(0, i + 1, 4):
            b0, b1, b2, b3 = x[j], x[j + 1], x[j + 2], x[j + 3]
            s00 = s01 = s02 = s03 = s10 = s11 = s12 = s13 = 0.0
            s20 = s21 = s22 = s23 = s30 = s31 = s32 = s33 = 0.0
            for k in range(size):
                u0, u1, u2, u3 = a0[k], a1[k], a2[k], a3[k]
                v0, v1, v2, v3 = b0[k], b1[k], b2[k], b3[k]
                s00 += u0 * v0
                s01 += u0 * v1
                s02 += u0 * v2
                s03 += u0 * v3
                s10 += u1 * v0
                s11 += u1 * v1
                s12 += u1 * v2
                s13 += u1 * v3
                s20 += u2 * v0
                s21 += u2 * v1
                s22 += u2 * v2
                s23 += u2 * v3
                s30 += u3 * v0
                s31 += u3 * v1
                s32 += u3 * v2
                s33 += u3 * v3
            tile = total[i : i + 4, j : j + 4]
            _add(tile[0], s00, s01, s02, s03)
            _add(tile[1], s10, s11, s12, s13)
            _add(tile[2], s20, s21, s22, s23)
            _add(tile[3], s30, s31, s32, s33)


# Reassociation vectorises the sums over rows; nothing here is a loss.
@kernel(fastmath={"contract", "reassoc", "nsz"})
def gram(copy, c, centre, first, last, chunk_rows, work, totals):
    """One partial sum a chunk, symmetric, in ``totals``."""
    n, d, width = c.size, centre.size, totals.shape[1]
    x, cx = work[0], work[1]
    for chunk in range(first, last):
        total = totals[chunk]
        for i in range(width):
            for j in range(width):
                total[i, j] = 0.0
        stop = min((chunk + 1) * chunk_rows, n)
        for start in range(chunk * chunk_rows, stop, GRAM_ROWS):
            size = min(GRAM_ROWS, stop - start)
            call_storage(copy, start, size, 1, centre, x, 0.0, centre, 0)
            add_gram(c, start, size, d, x, cx, total)
        for i in range(width):
            for j in range(i):
                total[j, i] = total[i, j]


@inner(forceinline=True)
def _add(row, s0, s1, s2, s3):
    row[0] += s0
    row[1] += s1
    row[2] += s2
    row[3] += s3
