"""The passes over the rows for the joint margin of many classes.

With decision values z_1 … z_K of a row of class y, the margin and its derivatives are

    m = z_y − log Σ_{k≠y} e^{z_k},   ∂m/∂z = e_y − q,   ∂²m/∂z² = −(diag q − q qᵀ),

where q is the softmax over the other classes. The loss is called on a block of margins as in the binary passes.

Coefficients lie as the storage reads them: (K, d) for a dense X, and for CSR (d, P) with P the number of classes
rounded up to a multiple of ``LANES``, so that a stored entry meets the coefficients of all classes side by side. A
block of decision values is (K, B) in both cases.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit, types
from numba.extending import overload

from .block import BLOCK_ROWS, apply_block
from .cache import kernel
from .classes import _backward_all, _forward_all
from .elementary import exp

LANES = 4
"""Classes that one vector instruction serves."""

_VECTORS = 7
_SUMS = {"fastmath": {"contract", "reassoc", "nsz"}}
_INLINE = {**_SUMS, "error_model": "numpy", "forceinline": True}


def joint_scratch(n_classes: int) -> np.ndarray:
    """Work space of one thread: three planes of K vectors over a block, then `_VECTORS` vectors, then one over P."""
    return np.empty((3 * n_classes + _VECTORS + 1, max(BLOCK_ROWS, n_classes + LANES)))


def _scores(rows, start, n, w, b, z, line):
    """z[k, i] = x_(start+i) · w_k + b_k for i < n; ``line`` is work space for one row."""


def _collect(rows, start, n, r, g, line):
    """g_k += Σ_i r[k, i] x_(start+i)."""


def _collect_squares(rows, start, n, r, g, line):
    """g_k += Σ_i r[k, i] x_(start+i)², elementwise."""


@overload(_scores)
def _choose_scores(rows, start, n, w, b, z, line):
    if isinstance(rows, types.BaseTuple):
        return lambda rows, start, n, w, b, z, line: _scores_csr(rows, start, n, w, b, z, line)
    return lambda rows, start, n, w, b, z, line: _forward_all(rows, start, n, w, b, z)


@overload(_collect)
def _choose_collect(rows, start, n, r, g, line):
    if isinstance(rows, types.BaseTuple):
        return lambda rows, start, n, r, g, line: _collect_csr(rows, start, n, r, g, line, False)
    return lambda rows, start, n, r, g, line: _backward_all(rows, start, n, r, g)


@overload(_collect_squares)
def _choose_collect_squares(rows, start, n, r, g, line):
    if isinstance(rows, types.BaseTuple):
        return lambda rows, start, n, r, g, line: _collect_csr(rows, start, n, r, g, line, True)
    return lambda rows, start, n, r, g, line: _squares_dense(rows, start, n, r, g)


@njit(**_INLINE)
def add_multiple(x, source, target):
    """target += x · source, for vectors whose length is a multiple of LANES."""
    for k in range(0, target.size, 4):
        # All is loaded before anything is stored: they may overlap for all that the compiler knows.
        s0, s1, s2, s3 = source[k], source[k + 1], source[k + 2], source[k + 3]
        t0, t1, t2, t3 = target[k], target[k + 1], target[k + 2], target[k + 3]
        target[k], target[k + 1], target[k + 2], target[k + 3] = t0 + x * s0, t1 + x * s1, t2 + x * s2, t3 + x * s3


@njit(**_INLINE)
def _scores_csr(rows, start, n, w, b, z, line):
    data, indices, indptr = rows
    total = line[: w.shape[1]]
    for i in range(n):
        for k in range(total.size):
            total[k] = 0.0
        for p in range(indptr[start + i], indptr[start + i + 1]):
            add_multiple(1.0 * data[p], w[indices[p]], total)
        for k in range(z.shape[0]):
            z[k, i] = total[k] + b[k]


@njit(**_INLINE)
def _collect_csr(rows, start, n, r, g, line, squared):
    data, indices, indptr = rows
    part = line[: g.shape[1]]
    for k in range(part.size):
        part[k] = 0.0
    for i in range(n):
        some = 0.0
        for k in range(r.shape[0]):
            part[k] = r[k, i]
            some += abs(part[k])
        # Rows beyond the kink of a loss have no slope: their columns need not be touched.
        if some != 0.0:
            for p in range(indptr[start + i], indptr[start + i + 1]):
                x = 1.0 * data[p]
                add_multiple(x * x if squared else x, part, g[indices[p]])


@njit(**_INLINE)
def _squares_dense(X, start, n, r, g):
    for k in range(g.shape[0]):
        for i in range(n):
            rk = r[k, i]
            for j in range(X.shape[1]):
                x = 1.0 * X[start + i, j]
                g[k, j] += rk * x * x


@njit(**_INLINE)
def _margins(z, codes, weights, shifts, start, n, q, m, v, address, parameters, top, values, slopes, curvatures):
    """From decision values: q to ``q`` (0 for the class itself), margins, and the loss at them, times C s.

    ``weights`` is of length 1 where all rows have the same, ``shifts`` where nothing is added to the margins.

    Returns the sum of C s φ.
    """
    n_classes = z.shape[0]
    for i in range(n):
        top[i] = -math.inf
    for k in range(n_classes):
        for i in range(n):
            other = z[k, i] if codes[start + i] != k else -math.inf
            top[i] = other if other > top[i] else top[i]
    for i in range(n):
        m[i] = 0.0
    for k in range(n_classes):
        for i in range(n):
            e = exp(z[k, i] - top[i])
            q[k, i] = e if codes[start + i] != k else 0.0
            m[i] += q[k, i]
    for i in range(n):
        total = m[i]
        m[i] = z[codes[start + i], i] - top[i] - math.log(total)
        if shifts.size > 1:
            m[i] += shifts[start + i]
        top[i] = 1.0 / total
        v[i] = weights[start + i] if weights.size > 1 else weights[0]
    for k in range(n_classes):
        for i in range(n):
            q[k, i] *= top[i]
    apply_block(address, parameters, m, v, values, slopes, curvatures, n)
    value = 0.0
    for i in range(n):
        value += values[i]
    return value


@kernel(**_SUMS)
def evaluate_joint(
    rows, codes, weights, shifts, w, b, address, parameters, first, last, chunk_rows, block_rows, work, sums, gradients
):
    """Value and gradient in one pass: per chunk, Σ C s φ and the slopes in b to ``sums``, the rest to ``gradients``."""
    n, n_classes = codes.size, b.size
    z, q = work[:n_classes], work[n_classes : 2 * n_classes]
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
            _scores(rows, start, size, w, b, z, line)
            sums[chunk, 0] += _margins(
                z, codes, weights, shifts, start, size, q, m, v, address, parameters, top, values, slopes, curvatures
            )
            for k in range(n_classes):
                total = 0.0
                for i in range(size):
                    q[k, i] = slopes[i] if codes[start + i] == k else -slopes[i] * q[k, i]
                    total += q[k, i]
                sums[chunk, 1 + k] += total
            _collect(rows, start, size, q, g, line)


@kernel(**_SUMS)
def hessian_product_joint(
    rows,
    codes,
    weights,
    shifts,
    w,
    b,
    p,
    p_b,
    address,
    parameters,
    first,
    last,
    chunk_rows,
    block_rows,
    work,
    sums,
    gradients,
):
    """The Hessian times the direction (p, p_b) in one pass: per chunk, the part in b to ``sums[1:]``."""
    n, n_classes = codes.size, b.size
    z, q, u = work[:n_classes], work[n_classes : 2 * n_classes], work[2 * n_classes : 3 * n_classes]
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
            _scores(rows, start, size, w, b, z, line)
            _scores(rows, start, size, p, p_b, u, line)
            _margins(
                z, codes, weights, shifts, start, size, q, m, v, address, parameters, top, values, slopes, curvatures
            )
            # The mean of u over q, and the change of the margin.
            for i in range(size):
                top[i] = 0.0
            for k in range(n_classes):
                for i in range(size):
                    top[i] += q[k, i] * u[k, i]
            for i in range(size):
                m[i] = curvatures[i] * (u[codes[start + i], i] - top[i])
            for k in range(n_classes):
                total = 0.0
                for i in range(size):
                    other = -q[k, i] * (m[i] + slopes[i] * (u[k, i] - top[i]))
                    q[k, i] = m[i] if codes[start + i] == k else other
                    total += q[k, i]
                sums[chunk, 1 + k] += total
            _collect(rows, start, size, q, g, line)


@kernel(**_SUMS)
def diagonal_joint(
    rows, codes, weights, shifts, w, b, address, parameters, first, last, chunk_rows, block_rows, work, sums, gradients
):
    """The diagonal of the Hessian in w; per chunk, that in b to ``sums[1:]``."""
    n, n_classes = codes.size, b.size
    z, q = work[:n_classes], work[n_classes : 2 * n_classes]
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
            _scores(rows, start, size, w, b, z, line)
            _margins(
                z, codes, weights, shifts, start, size, q, m, v, address, parameters, top, values, slopes, curvatures
            )
            for k in range(n_classes):
                total = 0.0
                for i in range(size):
                    other = q[k, i] * (curvatures[i] * q[k, i] - slopes[i] * (1.0 - q[k, i]))
                    q[k, i] = curvatures[i] if codes[start + i] == k else other
                    total += q[k, i]
                sums[chunk, 1 + k] += total
            _collect_squares(rows, start, size, q, g, line)


@kernel(**_SUMS)
def curvatures_joint(z, codes, weights, shifts, address, parameters, start, n, work, first, second):
    """Slopes and Hessians in z of ``n`` rows with decision values (K, n), which are overwritten.

    ``first`` is (K, n); ``second`` has one row for each pair of classes l ≤ k, in the order of a lower triangle.
    Returns the sum of C s φ.
    """
    n_classes = z.shape[0]
    q = work[n_classes : 2 * n_classes]
    m, v, top = work[3 * n_classes], work[3 * n_classes + 1], work[3 * n_classes + 2]
    values, slopes, curvatures = work[3 * n_classes + 3], work[3 * n_classes + 4], work[3 * n_classes + 5]
    value = _margins(z, codes, weights, shifts, start, n, q, m, v, address, parameters, top, values, slopes, curvatures)
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
    rows, codes, weights, shifts, w, b, address, parameters, first, last, chunk_rows, block_rows, work, sums
):
    """What b alone sees: per chunk, Σ C s φ, the slopes in b and the K × K Hessian in b, one after the other."""
    n, n_classes = codes.size, b.size
    z, q = work[:n_classes], work[n_classes : 2 * n_classes]
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
            _scores(rows, start, size, w, b, z, line)
            total[0] += _margins(
                z, codes, weights, shifts, start, size, q, m, v, address, parameters, top, values, slopes, curvatures
            )
            for k in range(n_classes):
                slope = spread = 0.0
                for i in range(size):
                    own = codes[start + i] == k
                    slope += slopes[i] if own else -slopes[i] * q[k, i]
                    spread += -slopes[i] * q[k, i]
                    z[k, i] = 1.0 if own else -q[k, i]
                total[1 + k] += slope
                total[1 + n_classes + k * n_classes + k] += spread
            for k in range(n_classes):
                for i in range(size):
                    v[i], top[i] = curvatures[i] * z[k, i], slopes[i] * q[k, i]
                for j in range(k + 1):
                    both = 0.0
                    for i in range(size):
                        both += v[i] * z[j, i] + top[i] * q[j, i]
                    total[1 + n_classes + k * n_classes + j] += both
                    if j < k:
                        total[1 + n_classes + j * n_classes + k] += both


# Nothing is added up here or in combination_joint. But the functions of a storage, which the passes above share with
# them, are compiled once for each set of options of whoever calls them.
@kernel(**_SUMS)
def decisions_joint(rows, start, n, w, b, line, z):
    """z[k, i] = x_(start+i) · w_k + b_k for i < n."""
    _scores(rows, start, n, w, b, z, line)


@kernel(**_SUMS)
def margins_joint(rows, codes, w, b, first, last, chunk_rows, block_rows, work, margins):
    """The margin of every row."""
    n, n_classes = codes.size, b.size
    z, top, total = work[:n_classes], work[3 * n_classes], work[3 * n_classes + 1]
    line = work[3 * n_classes + 6]
    for chunk in range(first, last):
        stop = min((chunk + 1) * chunk_rows, n)
        for start in range(chunk * chunk_rows, stop, block_rows):
            size = min(block_rows, stop - start)
            _scores(rows, start, size, w, b, z, line)
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
def combination_joint(rows, alpha, n_classes, first, last, chunk_rows, block_rows, work, gradients):
    """Σ x αᵀ, one partial sum a chunk."""
    n = alpha.shape[0]
    r, line = work[:n_classes], work[3 * n_classes + 6]
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
            _collect(rows, start, size, r, g, line)
