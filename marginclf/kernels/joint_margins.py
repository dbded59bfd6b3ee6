"""The joint margin of many classes on a block of rows, and the loss at it.

With decision values z_1 … z_K of a row of class y, the margin and its derivatives are

    m = z_y − log Σ_{k≠y} e^{z_k},   ∂m/∂z = e_y − q,   ∂²m/∂z² = −(diag q − q qᵀ),

where q is the softmax over the other classes. The loss is called on a block of margins as in the binary passes.
"""

from __future__ import annotations

import math

from .block import apply_block
from .cache import inner
from .elementary import exp

_INLINE = {"fastmath": {"contract", "reassoc", "nsz"}, "error_model": "numpy", "forceinline": True}


@inner(**_INLINE)
def evaluate_margins(
    z, codes, weights, shifts, start, n, q, m, v, address, parameters, top, values, slopes, curvatures
):
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


@inner(**_INLINE)
def add_between(codes, start, n, q, slopes, curvatures, u, v, top, first, total):
    """Add Σ C s (φ'' (e_y − q)(e_y − q)ᵀ − φ' (diag q − q qᵀ)) of a block, K × K, to ``total`` from ``first`` on."""
    n_classes = q.shape[0]
    for k in range(n_classes):
        spread = 0.0
        for i in range(n):
            spread -= slopes[i] * q[k, i]
        for i in range(n):
            u[k, i] = 1.0 if codes[start + i] == k else -q[k, i]
        total[first + k * n_classes + k] += spread
    for k in range(n_classes):
        for i in range(n):
            v[i], top[i] = curvatures[i] * u[k, i], slopes[i] * q[k, i]
        for j in range(k + 1):
            both = 0.0
            for i in range(n):
                both += v[i] * u[j, i] + top[i] * q[j, i]
            total[first + k * n_classes + j] += both
            if j < k:
                total[first + j * n_classes + k] += both
