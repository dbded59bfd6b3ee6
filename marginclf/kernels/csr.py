"""Rows of a compressed sparse row matrix, given as (data, indices, indptr).

The indices are unsigned (the matrix passes such a view), so that a place in memory comes without extending a sign.
Several columns of coefficients lie side by side, so that a stored entry meets those of all classes.
"""

from __future__ import annotations

from .cache import inner
from .storage import OPTIONS, Storage
from .view import c_view


def _forward(rows, start, n, w, b, z, ahead):
    data, indices, indptr = rows
    for k in range(n):
        total = 0.0
        for p in range(indptr[start + k], indptr[start + k + 1]):
            total += data[p] * w[indices[p]]
        z[k] = total + b


def _backward(rows, start, n, r, g, ahead):
    data, indices, indptr = rows
    for k in range(n):
        rk = r[k]
        # Rows beyond the kink of a loss have no slope: their columns need not be touched.
        if rk != 0.0:
            for p in range(indptr[start + k], indptr[start + k + 1]):
                g[indices[p]] += rk * data[p]


def _squares(rows, start, n, r, g, ahead):
    data, indices, indptr = rows
    for k in range(n):
        rk = r[k]
        if rk != 0.0:
            for p in range(indptr[start + k], indptr[start + k + 1]):
                x = float(data[p])
                g[indices[p]] += rk * x * x


def _copy(rows, start, n, centre, out):
    data, indices, indptr = rows
    for j in range(centre.size):
        for k in range(n):
            out[j, k] = -centre[j]
    for k in range(n):
        for p in range(indptr[start + k], indptr[start + k + 1]):
            out[indices[p], k] += data[p]


@inner(forceinline=True, **OPTIONS)
def add_multiple(x, source, target):
    """target += x · source, for vectors whose length is a multiple of LANES."""
    for k in range(0, target.size, 4):
        # All is loaded before anything is stored: they may overlap for all that the compiler knows.
        s0, s1, s2, s3 = source[k], source[k + 1], source[k + 2], source[k + 3]
        t0, t1, t2, t3 = target[k], target[k + 1], target[k + 2], target[k + 3]
        target[k], target[k + 1], target[k + 2], target[k + 3] = t0 + x * s0, t1 + x * s1, t2 + x * s2, t3 + x * s3


def _forward_all(rows, start, n, w, b, z, work):
    data, indices, indptr = rows
    total = c_view(work, (w.shape[1],))
    for i in range(n):
        for k in range(total.size):
            total[k] = 0.0
        for p in range(indptr[start + i], indptr[start + i + 1]):
            add_multiple(1.0 * data[p], w[indices[p]], total)
        for k in range(z.shape[0]):
            z[k, i] = total[k] + b[k]


@inner(forceinline=True, **OPTIONS)
def _collect(rows, start, n, r, g, work, squared):
    data, indices, indptr = rows
    part = c_view(work, (g.shape[1],))
    for k in range(part.size):
        part[k] = 0.0
    for i in range(n):
        some = 0.0
        for k in range(r.shape[0]):
            part[k] = r[k, i]
        for k in range(r.shape[0]):
            some += abs(part[k])
        # Rows beyond the kink of a loss have no slope: their columns need not be touched.
        if some != 0.0:
            for p in range(indptr[start + i], indptr[start + i + 1]):
                x = 1.0 * data[p]
                add_multiple(x * x if squared else x, part, g[indices[p]])


def _backward_all(rows, start, n, r, g, work):
    _collect(rows, start, n, r, g, work, False)


def _squares_all(rows, start, n, r, g, work):
    _collect(rows, start, n, r, g, work, True)


def _view(data, indices, indptr, n, d):
    pointers = c_view(indptr, (n + 1,))
    return c_view(data, (pointers[n],)), c_view(indices, (pointers[n],)), pointers


CSR = Storage(
    "csr",
    _view,
    {
        "forward": _forward,
        "backward": _backward,
        "squares": _squares,
        "copy": _copy,
        "forward_all": _forward_all,
        "backward_all": _backward_all,
        "squares_all": _squares_all,
    },
    by_column=True,
)
