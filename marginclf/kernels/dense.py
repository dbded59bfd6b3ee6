"""Rows of a dense matrix, in C or Fortran order, float32 or float64; everything is added up in float64.

Four rows at a time in C order: the coefficients and the gradient are then loaded and stored once for four rows,
which decides the speed where there are few columns.
"""

from __future__ import annotations

from numba import njit

from .prefetch import prefetch

# Reassociation lets sums run in vector lanes. It is safe here: no elementary function is inlined into this file.
# Inlined by force, for the same reason as rows.apply_loss.
_OPTIONS = {"fastmath": {"contract", "reassoc", "nsz"}, "error_model": "numpy", "forceinline": True}


@njit(**_OPTIONS)
def forward_c(X, start, n, w, b, z, ahead):
    d = X.shape[1]
    whole = n - n % 4
    for k in range(0, whole, 4):
        x0, x1, x2, x3 = X[start + k], X[start + k + 1], X[start + k + 2], X[start + k + 3]
        z0 = z1 = z2 = z3 = 0.0
        if ahead > 0:
            prefetch(X, (start + k + ahead) * d, 4 * d)
        for j in range(d):
            z0 += x0[j] * w[j]
            z1 += x1[j] * w[j]
            z2 += x2[j] * w[j]
            z3 += x3[j] * w[j]
        z[k], z[k + 1], z[k + 2], z[k + 3] = z0 + b, z1 + b, z2 + b, z3 + b
    for k in range(whole, n):
        x0 = X[start + k]
        z0 = 0.0
        for j in range(d):
            z0 += x0[j] * w[j]
        z[k] = z0 + b


@njit(**_OPTIONS)
def backward_c(X, start, n, r, g, ahead):
    d = X.shape[1]
    whole = n - n % 4
    for k in range(0, whole, 4):
        x0, x1, x2, x3 = X[start + k], X[start + k + 1], X[start + k + 2], X[start + k + 3]
        r0, r1, r2, r3 = r[k], r[k + 1], r[k + 2], r[k + 3]
        if ahead > 0:
            prefetch(X, (start + k + ahead) * d, 4 * d)
        for j in range(d):
            g[j] += (r0 * x0[j] + r1 * x1[j]) + (r2 * x2[j] + r3 * x3[j])
    for k in range(whole, n):
        x0 = X[start + k]
        r0 = r[k]
        for j in range(d):
            g[j] += r0 * x0[j]


@njit(**_OPTIONS)
def forward_f(X, start, n, w, b, z, ahead):
    for k in range(n):
        z[k] = b
    for j in range(X.shape[1]):
        x = X[start : start + n, j]
        wj = w[j]
        if ahead > 0:
            prefetch(X, j * X.shape[0] + start + n, n)
        for k in range(n):
            z[k] += x[k] * wj


@njit(**_OPTIONS)
def backward_f(X, start, n, r, g, ahead):
    for j in range(X.shape[1]):
        x = X[start : start + n, j]
        if ahead > 0:
            prefetch(X, j * X.shape[0] + start + n, n)
        total = 0.0
        for k in range(n):
            total += x[k] * r[k]
        g[j] += total


@njit(**_OPTIONS)
def squares(X, start, n, r, g):
    for k in range(n):
        rk = r[k]
        for j in range(X.shape[1]):
            xj = float(X[start + k, j])
            g[j] += rk * xj * xj
