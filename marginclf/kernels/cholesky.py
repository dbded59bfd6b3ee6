"""The Cholesky factor of a small matrix, without BLAS: a call of LAPACK costs as much as a factor of ten columns."""

from __future__ import annotations

import math

from .cache import inner

_SUMS = {"fastmath": {"contract", "reassoc", "nsz"}}


# Inlined by force, for the reason given at rows.apply_loss.
@inner(forceinline=True, **_SUMS)
def factor(a, d):
    """The lower half of ``a``, d × d, becomes its factor; whether it is positive definite."""
    for i in range(d):
        for j in range(i + 1):
            left = 0.0
            for k in range(j):
                left += a[i, k] * a[j, k]
            left = a[i, j] - left
            if j < i:
                a[i, j] = left / a[j, j]
            elif left > 0.0:
                a[i, i] = math.sqrt(left)
            else:
                return False
    return True


@inner(forceinline=True, **_SUMS)
def solve(a, d, x):
    """x becomes the solution of a system whose factor is the lower half of ``a``."""
    for i in range(d):
        left = 0.0
        for k in range(i):
            left += a[i, k] * x[k]
        x[i] = (x[i] - left) / a[i, i]
    for turn in range(d):
        i = d - 1 - turn
        x[i] /= a[i, i]
        for k in range(i):
            x[k] -= x[i] * a[i, k]
