"""Rows of a compressed sparse row matrix, given as (data, indices, indptr).

The indices are unsigned (the matrix passes such a view): a signed index makes Numba test for negative wrap-around
at every access.
"""

from __future__ import annotations

from numba import njit

_OPTIONS = {"fastmath": {"contract", "reassoc", "nsz"}, "error_model": "numpy", "forceinline": True}


@njit(**_OPTIONS)
def forward(rows, start, n, w, b, z, ahead):
    data, indices, indptr = rows
    for k in range(n):
        total = 0.0
        for p in range(indptr[start + k], indptr[start + k + 1]):
            total += data[p] * w[indices[p]]
        z[k] = total + b


@njit(**_OPTIONS)
def backward(rows, start, n, r, g, ahead):
    data, indices, indptr = rows
    for k in range(n):
        rk = r[k]
        # Rows beyond the kink of a loss have no slope: their columns need not be touched.
        if rk != 0.0:
            for p in range(indptr[start + k], indptr[start + k + 1]):
                g[indices[p]] += rk * data[p]


@njit(**_OPTIONS)
def squares(rows, start, n, r, g):
    data, indices, indptr = rows
    for k in range(n):
        rk = r[k]
        if rk != 0.0:
            for p in range(indptr[start + k], indptr[start + k + 1]):
                x = float(data[p])
                g[indices[p]] += rk * x * x
