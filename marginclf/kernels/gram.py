"""The Hessian of narrow data: Σ c (x − centre)(x − centre)ᵀ, without BLAS.

A product of BLAS wakes threads of its own, and on a busy machine waiting for them takes a hundred times as long as the
work of a small problem.
"""

from __future__ import annotations

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from .cache import inner, kernel
from .storage import call_storage

GRAM_COLUMNS = 128
"""Columns up to which this is used; wider data is left to BLAS, whose blocking it does not have."""

GRAM_ROWS = 256
_PADDING = 8
"""Without it, column after column would fall on the same lines of the cache."""

_TILE = 4


def gram_scratch(d: int) -> np.ndarray:
    """Work space of one thread: a block of rows, transposed, and the same times c.

    The columns are whole tiles and one more, for the numbers of the rows with curvature.
    """
    return np.zeros((2, -(-d // _TILE) * _TILE + 1, GRAM_ROWS + _PADDING))


def gram_totals(chunks: int, d: int) -> np.ndarray:
    """Partial sums, one a chunk."""
    width = -(-d // _TILE) * _TILE
    return np.empty((chunks, width, width))


@intrinsic
def _add_tile(typingctx, left, i, right, j, size, total):
    """Add Σ_k left[i + p, k] right[j + q, k], k < size, to total[i + p, j + q] for p, q < 4.

    Sixteen sums at a time, so that each number loaded is used four times. As instructions of LLVM, because as Python
    they compile for half a second.
    """

    def codegen(context, builder, signature, args):
        flags, zero = ("contract", "reassoc", "nsz"), ir.Constant(ir.DoubleType(), 0.0)

        def row(array, number, column):
            """The address of an entry."""
            found = context.make_array(signature.args[array])(context, builder, args[array])
            width = cgutils.unpack_tuple(builder, found.shape)[1]
            return builder.gep(found.data, [builder.add(builder.mul(number, width), column)])

        numbers = [[builder.add(args[k], cgutils.intp_t(p)) for p in range(_TILE)] for k in (1, 3)]
        origin = cgutils.intp_t(0)
        factors = [[row(k, number, origin) for number in numbers[k // 2]] for k in (0, 2)]
        sums = [[cgutils.alloca_once_value(builder, zero) for _ in range(_TILE)] for _ in range(_TILE)]
        with cgutils.for_range(builder, args[4]) as loop:
            u, v = ([builder.load(builder.gep(f, [loop.index])) for f in side] for side in factors)
            for p, q in np.ndindex(_TILE, _TILE):
                product = builder.fmul(u[p], v[q], flags=flags)
                builder.store(builder.fadd(builder.load(sums[p][q]), product, flags=flags), sums[p][q])
        for p, q in np.ndindex(_TILE, _TILE):
            place = row(5, numbers[0][p], numbers[1][q])
            builder.store(builder.fadd(builder.load(place), builder.load(sums[p][q]), flags=flags), place)
        return context.get_dummy_value()

    matrix = types.Array(types.float64, 2, "C")
    return types.void(matrix, types.intp, matrix, types.intp, types.intp, matrix), codegen


# Inlined by force, for the reason given at rows.apply_loss.
@inner(forceinline=True, fastmath={"contract", "reassoc", "nsz"})
def add_gram(c, start, size, d, x, cx, total):
    """Add Σ c u uᵀ over the columns u of ``x``, a block of rows; the lower half, four by four."""
    # Of a loss that is curved somewhere only, a few rows may be all.
    curved, count = x[total.shape[0]], 0
    for k in range(size):
        curved[count] = k
        count += c[start + k] != 0.0
    for i in range(d):
        if count == size:  # of most losses all are, and nothing has to be moved
            for k in range(size):
                cx[i, k] = c[start + k] * x[i, k]
        else:
            for k in range(count):
                row = int(curved[k])
                x[i, k] = x[i, row]
                cx[i, k] = c[start + row] * x[i, k]
    for i in range(0, total.shape[0], _TILE):
        for j in range(0, i + 1, _TILE):
            _add_tile(cx, i, x, j, count, total)


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
