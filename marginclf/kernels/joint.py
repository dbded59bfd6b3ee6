"""The passes over the rows for the joint margin of many classes (formula: :mod:`marginclf.kernels.joint_margins`).

Coefficients lie as the storage reads them, (K, d) or (d, P); a block of decision values is (K, B) in both cases.
"""

from __future__ import annotations

import math

import numpy as np

from .block import BLOCK_ROWS
from .cache import inner, kernel
from .elementary import exp
from .joint_margins import add_between, evaluate_margins
from .storage import call_storage, work_rows
from .view import part_of

_VECTORS = 6
_SUMS = {"fastmath": {"contract", "reassoc", "nsz"}}


def joint_scratch(n_classes: int, block_rows: int = BLOCK_ROWS) -> np.ndarray:
    """Work space of one thread: three planes of K vectors over a block, then `_VECTORS` vectors, then the storage's."""
    return np.empty((3 * n_classes + _VECTORS + work_rows(n_classes), max(BLOCK_ROWS, block_rows)))


@inner(**_SUMS)
def sum_of(v, size):
    """Σ of the first entries of v.

    In a loop that also stores, the compiler asks where the arrays lie before it adds up several at a time: the same sum
    would have other bits from run to run.
    """
    total = 0.0
    for i in range(size):
        total += v[i]
    return total


@kernel(**_SUMS)
def evaluate_joint(
    forward, backward, codes, weights, shifts, w, b, address, parameters, known, z, q, margins, slopes, curvatures,
    first, last, chunk_rows, block_rows, work, sums, gradients,
):  # fmt: skip
    """Value and gradient in one pass: per chunk, Σ C s φ and the slopes in b to ``sums``, the rest to ``gradients``.

    Decision values and what follows from them are left in ``z`` to ``curvatures``, block by block, or of one block
    after the other where these have room for one alone. Where they are ``known``, only the gradient is made of them,
    and no value.
    """
    n, n_classes = codes.size, b.size
    v, top, values = work[3 * n_classes], work[3 * n_classes + 1], work[3 * n_classes + 2]
    r, line = part_of(work, 0, n_classes), work[3 * n_classes + 6]
    block, step = first * (-(-chunk_rows // block_rows)), int(z.shape[0] > 1)
    for chunk in range(first, last):
        g = gradients[chunk]
        for k in range(g.shape[0]):
            for j in range(g.shape[1]):
                g[k, j] = 0.0
        for k in range(n_classes + 1):
            sums[chunk, k] = 0.0
        stop = min((chunk + 1) * chunk_rows, n)
        for start in range(chunk * chunk_rows, stop, block_rows):
            size, at = min(block_rows, stop - start), block * step
            if not known:
                call_storage(forward, start, size, n_classes, w, z[at], b, line, 0)
                sums[chunk, 0] += evaluate_margins(
                    z[at], codes, weights, shifts, start, size, q[at], margins[at], v, address, parameters, top,
                    values, slopes[at], curvatures[at],
                )  # fmt: skip
            for k in range(n_classes):
                for i in range(size):
                    r[k, i] = slopes[at, i] if codes[start + i] == k else -slopes[at, i] * q[at, k, i]
                sums[chunk, 1 + k] += sum_of(r[k], size)
            call_storage(backward, start, size, n_classes, r, g, b, line, size)
            block += 1


@kernel(**_SUMS)
def hessian_product_joint(
    forward, backward, codes, weights, shifts, w, b, p, p_b, address, parameters, known, z, q, margins, slopes,
    curvatures, first, last, chunk_rows, block_rows, work, sums, gradients,
):  # fmt: skip
    """The Hessian times the direction (p, p_b) in one pass: per chunk, the part in b to ``sums[1:]``.

    Of the arrays ``z`` to ``curvatures`` the same holds as in :func:`evaluate_joint`.
    """
    n, n_classes = codes.size, b.size
    m, v, top, values = work[3 * n_classes], work[3 * n_classes + 1], work[3 * n_classes + 2], work[3 * n_classes + 3]
    u, line = part_of(work, 0, n_classes), work[3 * n_classes + 6]
    block, step = first * (-(-chunk_rows // block_rows)), int(z.shape[0] > 1)
    for chunk in range(first, last):
        g = gradients[chunk]
        for k in range(g.shape[0]):
            for j in range(g.shape[1]):
                g[k, j] = 0.0
        for k in range(n_classes + 1):
            sums[chunk, k] = 0.0
        stop = min((chunk + 1) * chunk_rows, n)
        for start in range(chunk * chunk_rows, stop, block_rows):
            size, at = min(block_rows, stop - start), block * step
            call_storage(forward, start, size, n_classes, p, u, p_b, line, 0)
            if not known:
                call_storage(forward, start, size, n_classes, w, z[at], b, line, 0)
                evaluate_margins(
                    z[at], codes, weights, shifts, start, size, q[at], margins[at], v, address, parameters, top,
                    values, slopes[at], curvatures[at],
                )  # fmt: skip
            # The mean of u over q, and the change of the margin.
            for i in range(size):
                top[i] = 0.0
            for k in range(n_classes):
                for i in range(size):
                    top[i] += q[at, k, i] * u[k, i]
            for i in range(size):
                m[i] = curvatures[at, i] * (u[codes[start + i], i] - top[i])
            for k in range(n_classes):
                for i in range(size):
                    other = -q[at, k, i] * (m[i] + slopes[at, i] * (u[k, i] - top[i]))
                    u[k, i] = m[i] if codes[start + i] == k else other
                sums[chunk, 1 + k] += sum_of(u[k], size)
            call_storage(backward, start, size, n_classes, u, g, b, line, size)
            block += 1


@kernel(**_SUMS)
def diagonal_joint(
    forward, squares, codes, weights, shifts, w, b, address, parameters, first, last, chunk_rows, block_rows,
    work, sums, gradients,
):  # fmt: skip
    """The diagonal of the Hessian in w; per chunk, that in b to ``sums[1:]``."""
    n, n_classes = codes.size, b.size
    z, q = part_of(work, 0, n_classes), part_of(work, n_classes, n_classes)
    m, v, top = work[3 * n_classes], work[3 * n_classes + 1], work[3 * n_classes + 2]
    values, slopes, curvatures = work[3 * n_classes + 3], work[3 * n_classes + 4], work[3 * n_classes + 5]
    line = work[3 * n_classes + 6]
    for chunk in range(first, last):
        g = gradients[chunk]
        for k in range(g.shape[0]):
            for j in range(g.shape[1]):
                g[k, j] = 0.0
        for k in range(n_classes + 1):
            sums[chunk, k] = 0.0
        stop = min((chunk + 1) * chunk_rows, n)
        for start in range(chunk * chunk_rows, stop, block_rows):
            size = min(block_rows, stop - start)
            call_storage(forward, start, size, n_classes, w, z, b, line, 0)
            evaluate_margins(
                z, codes, weights, shifts, start, size, q, m, v, address, parameters, top, values, slopes, curvatures
            )
            for k in range(n_classes):
                for i in range(size):
                    other = q[k, i] * (curvatures[i] * q[k, i] - slopes[i] * (1.0 - q[k, i]))
                    q[k, i] = curvatures[i] if codes[start + i] == k else other
                sums[chunk, 1 + k] += sum_of(q[k], size)
            call_storage(squares, start, size, n_classes, q, g, b, line, 0)


@kernel(**_SUMS)
def curvatures_joint(z, codes, weights, shifts, address, parameters, start, n, work, first, second):
    """Slopes and Hessians in z of ``n`` rows with decision values (K, n), which are overwritten.

    ``first`` is (K, n); ``second`` has one row for each pair of classes l ≤ k, in the order of a lower triangle.
    Returns the sum of C s φ.
    """
    n_classes = z.shape[0]
    q = part_of(work, n_classes, n_classes)
    m, v, top = work[3 * n_classes], work[3 * n_classes + 1], work[3 * n_classes + 2]
    values, slopes, curvatures = work[3 * n_classes + 3], work[3 * n_classes + 4], work[3 * n_classes + 5]
    value = evaluate_margins(
        z, codes, weights, shifts, start, n, q, m, v, address, parameters, top, values, slopes, curvatures
    )
    for k in range(n_classes):
        for i in range(n):
            own = codes[start + i] == k
            first[k, i] = slopes[i] if own else -slopes[i] * q[k, i]
            # The share of e_y − q that belongs to this class.
            z[k, i] = 1.0 if own else -q[k, i]
    pair = 0
    for k in range(n_classes):
        for j in range(k + 1):
            for i in range(n):
                both = curvatures[i] * z[k, i] * z[j, i] + slopes[i] * q[k, i] * q[j, i]
                second[pair, i] = both - slopes[i] * q[k, i] if j == k else both
            pair += 1
    return value


@kernel(**_SUMS)
def intercepts_joint(
    forward, codes, weights, shifts, w, b, address, parameters, first, last, chunk_rows, block_rows, work, sums
):
    """What b alone sees: per chunk, Σ C s φ, the slopes in b and the K × K Hessian in b, one after the other."""
    n, n_classes = codes.size, b.size
    z, q = part_of(work, 0, n_classes), part_of(work, n_classes, n_classes)
    m, v, top = work[3 * n_classes], work[3 * n_classes + 1], work[3 * n_classes + 2]
    values, slopes, curvatures = work[3 * n_classes + 3], work[3 * n_classes + 4], work[3 * n_classes + 5]
    line = work[3 * n_classes + 6]
    for chunk in range(first, last):
        total = sums[chunk]
        for k in range(total.size):
            total[k] = 0.0
        stop = min((chunk + 1) * chunk_rows, n)
        for start in range(chunk * chunk_rows, stop, block_rows):
            size = min(block_rows, stop - start)
            call_storage(forward, start, size, n_classes, w, z, b, line, 0)
            total[0] += evaluate_margins(
                z, codes, weights, shifts, start, size, q, m, v, address, parameters, top, values, slopes, curvatures
            )
            for k in range(n_classes):
                slope = 0.0
                for i in range(size):
                    slope += slopes[i] if codes[start + i] == k else -slopes[i] * q[k, i]
                total[1 + k] += slope
            add_between(codes, start, size, q, slopes, curvatures, z, v, top, 1 + n_classes, total)


@kernel()
def decisions_joint(forward, start, n, w, b, work, z):
    """z[k, i] = x_(start+i) · w_k + b_k for i < n."""
    call_storage(forward, start, n, b.size, w, z, b, work, 0)


@kernel(**_SUMS)
def margins_joint(forward, codes, w, b, first, last, chunk_rows, block_rows, work, margins):
    """The margin of every row."""
    n, n_classes = codes.size, b.size
    z, top, total = part_of(work, 0, n_classes), work[3 * n_classes], work[3 * n_classes + 1]
    line = work[3 * n_classes + 6]
    for chunk in range(first, last):
        stop = min((chunk + 1) * chunk_rows, n)
        for start in range(chunk * chunk_rows, stop, block_rows):
            size = min(block_rows, stop - start)
            call_storage(forward, start, size, n_classes, w, z, b, line, 0)
            for i in range(size):
                top[i] = -math.inf
                total[i] = 0.0
            for k in range(n_classes):
                for i in range(size):
                    other = z[k, i] if codes[start + i] != k else -math.inf
                    top[i] = other if other > top[i] else top[i]
            for k in range(n_classes):
                for i in range(size):
                    e = exp(z[k, i] - top[i])
                    total[i] += e if codes[start + i] != k else 0.0
            for i in range(size):
                margins[start + i] = z[codes[start + i], i] - top[i] - math.log(total[i])


@kernel(**_SUMS)
def combination_joint(backward, alpha, n_classes, first, last, chunk_rows, block_rows, work, gradients):
    """Σ x αᵀ, one partial sum a chunk."""
    n = alpha.shape[0]
    r, line = part_of(work, 0, n_classes), work[3 * n_classes + 6]
    for chunk in range(first, last):
        g = gradients[chunk]
        for k in range(g.shape[0]):
            for j in range(g.shape[1]):
                g[k, j] = 0.0
        stop = min((chunk + 1) * chunk_rows, n)
        for start in range(chunk * chunk_rows, stop, block_rows):
            size = min(block_rows, stop - start)
            for i in range(size):
                for k in range(n_classes):
                    r[k, i] = alpha[start + i, k]
            call_storage(backward, start, size, n_classes, r, g, 0.0, line, size)
