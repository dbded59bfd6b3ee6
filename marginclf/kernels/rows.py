"""The passes over the rows, written once for every storage and compiled once for every loss.

A pass covers the chunks ``first`` to ``last`` of ``chunk_rows`` rows each and leaves one partial result a chunk, so
that threads can share the chunks and the sums still run in one order. Inside a chunk it goes by blocks that stay in
the cache: decision values, then the loss, then the gradient.

`forward`, `backward` and `squares` are the functions of the storage (:mod:`storage`). `v` holds C·s·y for each row: its
sign is the label and its magnitude the weight, one vector to read instead of two. `work` is one plane of
:func:`block.scratch` a chunk: decision values, values, slopes, curvatures.
"""

from __future__ import annotations

from .block import BLOCK_ROWS, apply_block
from .cache import inner, kernel
from .storage import call_storage
from .view import part_of

_AHEAD_NUMBERS = 1024

# Reassociation vectorises the sums. It is safe: the loss is behind a call by address and cannot be inlined here.
_SUMS = {"fastmath": {"contract", "reassoc", "nsz"}}


# Inlined by force: as a function of its own it would be in several kernels, and which of the copies is called, with
# which rounding, would depend on the order in which they are loaded.
@inner(forceinline=True, **_SUMS)
def apply_loss(v, start, n, address, parameters, work):
    """Loss of one block whose decision values are in ``work[0]``: C s y φ' to ``work[2]``, C s φ'' to ``work[3]``.

    Returns the sums of C s φ, C s y φ' and C s φ''.
    """
    values, slopes, curvatures = work[1], work[2], work[3]
    apply_block(address, parameters, work[0], part_of(v, start, n), values, slopes, curvatures, n)
    value = slope = curvature = 0.0
    for k in range(n):
        value += values[k]
        slope += slopes[k]
        curvature += curvatures[k]
    return value, slope, curvature


@inner(forceinline=True)
def _ahead(d):
    """Rows between those that are computed and those that are asked of memory, where nothing comes in between."""
    return max(4, min(64, _AHEAD_NUMBERS // max(1, d)))


@kernel()
def evaluate(
    forward, backward, v, w, b, address, parameters, first, last, chunk_rows, block_rows, work, sums, gradients
):
    """Value and gradient in one pass.

    Per chunk, Σ C s φ, Σ C s y φ' and Σ C s φ'' to ``sums``, Σ C s y φ' x to ``gradients``.
    """
    n = v.size
    for chunk in range(first, last):
        gradient = gradients[chunk]
        for j in range(gradient.size):
            gradient[j] = 0.0
        value = slope = curvature = 0.0
        stop = min((chunk + 1) * chunk_rows, n)
        for start in range(chunk * chunk_rows, stop, block_rows):
            size = min(block_rows, stop - start)
            z = work[chunk, 0]
            call_storage(forward, start, size, 1, w, z, b, z, 0)
            block_value, block_slope, block_curvature = apply_loss(v, start, size, address, parameters, work[chunk])
            call_storage(backward, start, size, 1, work[chunk, 2], gradient, 0.0, z, size)
            value += block_value
            slope += block_slope
            curvature += block_curvature
        sums[chunk, 0] = value
        sums[chunk, 1] = slope
        sums[chunk, 2] = curvature


@kernel()
def product(forward, w, first, last, chunk_rows, block_rows, z):
    """z = X w."""
    for chunk in range(first, last):
        stop = min((chunk + 1) * chunk_rows, z.size)
        for start in range(chunk * chunk_rows, stop, block_rows):
            size = min(block_rows, stop - start)
            call_storage(forward, start, size, 1, w, part_of(z, start, size), 0.0, z, _ahead(w.size))


@kernel()
def transposed_product(backward, r, first, last, chunk_rows, block_rows, gradients):
    """Xᵀ r, one partial sum a chunk; (X²)ᵀ r, with the square taken elementwise, where ``backward`` is ``squares``."""
    for chunk in range(first, last):
        gradient = gradients[chunk]
        for j in range(gradient.size):
            gradient[j] = 0.0
        stop = min((chunk + 1) * chunk_rows, r.size)
        for start in range(chunk * chunk_rows, stop, block_rows):
            size = min(block_rows, stop - start)
            call_storage(backward, start, size, 1, part_of(r, start, size), gradient, 0.0, r, _ahead(gradient.size))


@kernel(**_SUMS)
def hessian_product(forward, backward, c, p, shift, first, last, chunk_rows, block_rows, work, sums, gradients):
    """Xᵀ u for u = c (X p + shift) in one pass; per chunk, Σ u to ``sums`` and Xᵀ u to ``gradients``."""
    for chunk in range(first, last):
        gradient, u = gradients[chunk], work[chunk, 0]
        for j in range(gradient.size):
            gradient[j] = 0.0
        total = 0.0
        stop = min((chunk + 1) * chunk_rows, c.size)
        for start in range(chunk * chunk_rows, stop, block_rows):
            size = min(block_rows, stop - start)
            call_storage(forward, start, size, 1, p, u, shift, u, 0)
            for k in range(size):
                u[k] *= c[start + k]
            # In a loop of its own: beside stores, how it is added up depends on where the arrays lie.
            for k in range(size):
                total += u[k]
            call_storage(backward, start, size, 1, u, gradient, 0.0, u, size)
        sums[chunk, 0] = total


@kernel(**_SUMS)
def pointwise(z, v, b, address, parameters, first, last, chunk_rows, work, sums, r, c):
    """The loss at stored decision values z + b, without X: C s y φ' to ``r``, C s φ'' to ``c``; sums as `evaluate`."""
    for chunk in range(first, last):
        value = slope = curvature = 0.0
        stop = min((chunk + 1) * chunk_rows, z.size)
        for start in range(chunk * chunk_rows, stop, BLOCK_ROWS):
            size = min(BLOCK_ROWS, stop - start)
            for k in range(size):
                work[chunk, 0, k] = z[start + k] + b
            block_value, block_slope, block_curvature = apply_loss(v, start, size, address, parameters, work[chunk])
            # Loops, here and below: assigning slices takes Numba three times as long to compile.
            for k in range(size):
                r[start + k] = work[chunk, 2, k]
                c[start + k] = work[chunk, 3, k]
            value += block_value
            slope += block_slope
            curvature += block_curvature
        sums[chunk, 0] = value
        sums[chunk, 1] = slope
        sums[chunk, 2] = curvature
