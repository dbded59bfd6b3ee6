"""Rows of a dense matrix, in C or Fortran order, float32 or float64; everything is added up in float64.

Four rows at a time in C order: the coefficients and the gradient are then loaded and stored once for four rows,
which decides the speed where there are few columns.
"""

from __future__ import annotations

from .dense_classes import backward_classes, backward_narrow, forward_classes, forward_narrow
from .prefetch import prefetch
from .storage import Storage
from .view import c_view, f_view


def _forward_c(X, start, n, w, b, z, ahead):
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


def _backward_c(X, start, n, r, g, ahead):
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


def _forward_f(X, start, n, w, b, z, ahead):
    for k in range(n):
        z[k] = b
    for j in range(X.shape[1]):
        x = X[start : start + n, j]
        wj = w[j]
        if wj == 0.0:  # of many columns, most may be zero
            continue
        if ahead > 0:
            prefetch(X, j * X.shape[0] + start + n, n)
        for k in range(n):
            z[k] += x[k] * wj


def _backward_f(X, start, n, r, g, ahead):
    for j in range(X.shape[1]):
        x = X[start : start + n, j]
        if ahead > 0:
            prefetch(X, j * X.shape[0] + start + n, n)
        total = 0.0
        for k in range(n):
            total += x[k] * r[k]
        g[j] += total


def _squares(X, start, n, r, g, ahead):
    for k in range(n):
        rk = r[k]
        for j in range(X.shape[1]):
            xj = float(X[start + k, j])
            g[j] += rk * xj * xj


def _copy(X, start, n, centre, out):
    for k in range(n):
        for j in range(centre.size):
            out[j, k] = X[start + k, j] - centre[j]


def _copy_f(X, start, n, centre, out):
    for j in range(centre.size):
        x, shift = X[start : start + n, j], centre[j]
        for k in range(n):
            out[j, k] = x[k] - shift


def _by_rows(data, indices, indptr, n, d):
    return c_view(data, (n, d))


def _by_columns(data, indices, indptr, n, d):
    return f_view(data, (n, d))


DENSE_C = Storage(
    "dense_C",
    _by_rows,
    {
        "forward": _forward_c,
        "backward": _backward_c,
        "squares": _squares,
        "copy": _copy,
        "forward_all": forward_classes,
        "backward_all": backward_classes,
    },
)
# A storage of its own, so that a fit does not compile what is for rows of another width.
DENSE_NARROW = DENSE_C._replace(
    name="dense_narrow",
    functions=DENSE_C.functions | {"forward_all": forward_narrow, "backward_all": backward_narrow},
)
DENSE_F = Storage(
    "dense_F", _by_columns, {"forward": _forward_f, "backward": _backward_f, "squares": _squares, "copy": _copy_f}
)
