"""Rows in C order with several columns of coefficients at once: each row is read once for all of them.

For wide rows the arithmetic decides, not memory, and here each number that is loaded serves several products. Rows of
up to ``NARROW`` columns leave the vector units half empty: a block of them is transposed first.
"""

from __future__ import annotations

from .cache import inner
from .prefetch import prefetch
from .storage import OPTIONS
from .view import c_view


def forward_narrow(rows, start, n, w, b, z, work):
    """z[k, i] = x_(start+i) · w_k + b_k for i < n, of rows with up to ``NARROW`` columns."""
    columns = c_view(work, (rows.shape[1], n))
    _transpose(rows, start, columns)
    _forward_narrow(columns, w, b, z)


def forward_classes(rows, start, n, w, b, z, work):
    """z[k, i] = x_(start+i) · w_k + b_k for i < n."""
    # Two rows with four classes.
    n_classes, whole = w.shape[0], n - n % 2
    for k in range(0, n_classes - n_classes % 4, 4):
        for i in range(0, whole, 2):
            _forward_tile(rows[start + i], rows[start + i + 1], w[k : k + 4], b[k : k + 4], z[k : k + 4, i : i + 2])
    _forward_rest(rows, start, 0, n, w, b, z, n_classes - n_classes % 4)
    if whole < n:
        _forward_rest(rows, start, whole, n, w, b, z, 0)


@inner(forceinline=True, **OPTIONS)
def _forward_tile(x0, x1, w, b, z):
    w0, w1, w2, w3 = w[0], w[1], w[2], w[3]
    p0 = p1 = p2 = p3 = q0 = q1 = q2 = q3 = 0.0
    for j in range(x0.size):
        u0, u1 = x0[j], x1[j]
        v0, v1, v2, v3 = w0[j], w1[j], w2[j], w3[j]
        p0 += u0 * v0
        p1 += u0 * v1
        p2 += u0 * v2
        p3 += u0 * v3
        q0 += u1 * v0
        q1 += u1 * v1
        q2 += u1 * v2
        q3 += u1 * v3
    z[0, 0], z[1, 0], z[2, 0], z[3, 0] = p0 + b[0], p1 + b[1], p2 + b[2], p3 + b[3]
    z[0, 1], z[1, 1], z[2, 1], z[3, 1] = q0 + b[0], q1 + b[1], q2 + b[2], q3 + b[3]


@inner(forceinline=True, **OPTIONS)
def _transpose(X, start, columns):
    """A block by columns: where rows are short, loops run along the block instead."""
    for i in range(columns.shape[1]):
        for j in range(columns.shape[0]):
            columns[j, i] = X[start + i, j]


@inner(forceinline=True, **OPTIONS)
def _forward_narrow(columns, w, b, z):
    # Two classes with four columns.
    d, n = columns.shape
    n_classes = w.shape[0]
    for k in range(0, n_classes, 2):
        z0, z1 = z[k], z[min(k + 1, n_classes - 1)]
        w0, w1 = w[k], w[min(k + 1, n_classes - 1)]
        b0, b1 = b[k], b[min(k + 1, n_classes - 1)]
        for i in range(n):
            z0[i] = b0
            z1[i] = b1
        for j in range(0, d - d % 4, 4):
            x0, x1, x2, x3 = columns[j], columns[j + 1], columns[j + 2], columns[j + 3]
            p0, p1, p2, p3 = w0[j], w0[j + 1], w0[j + 2], w0[j + 3]
            q0, q1, q2, q3 = w1[j], w1[j + 1], w1[j + 2], w1[j + 3]
            if k + 1 < n_classes:
                for i in range(n):
                    u0, u1, u2, u3 = x0[i], x1[i], x2[i], x3[i]
                    z0[i] += (p0 * u0 + p1 * u1) + (p2 * u2 + p3 * u3)
                    z1[i] += (q0 * u0 + q1 * u1) + (q2 * u2 + q3 * u3)
            else:
                for i in range(n):
                    z0[i] += (p0 * x0[i] + p1 * x1[i]) + (p2 * x2[i] + p3 * x3[i])
        for j in range(d - d % 4, d):
            x0, p0, q0 = columns[j], w0[j], w1[j]
            for i in range(n):
                z0[i] += p0 * x0[i]
            if k + 1 < n_classes:
                for i in range(n):
                    z1[i] += q0 * x0[i]


@inner(forceinline=True, **OPTIONS)
def _backward_narrow(columns, r, g):
    # Four columns with two classes.
    d, n = columns.shape
    n_classes, whole = g.shape[0], d - d % 4
    for j in range(0, whole, 4):
        x0, x1, x2, x3 = columns[j], columns[j + 1], columns[j + 2], columns[j + 3]
        for k in range(0, n_classes - n_classes % 2, 2):
            r0, r1 = r[k], r[k + 1]
            p0 = p1 = p2 = p3 = q0 = q1 = q2 = q3 = 0.0
            for i in range(n):
                u0, u1 = r0[i], r1[i]
                p0 += u0 * x0[i]
                p1 += u0 * x1[i]
                p2 += u0 * x2[i]
                p3 += u0 * x3[i]
                q0 += u1 * x0[i]
                q1 += u1 * x1[i]
                q2 += u1 * x2[i]
                q3 += u1 * x3[i]
            g[k, j] += p0
            g[k, j + 1] += p1
            g[k, j + 2] += p2
            g[k, j + 3] += p3
            g[k + 1, j] += q0
            g[k + 1, j + 1] += q1
            g[k + 1, j + 2] += q2
            g[k + 1, j + 3] += q3
    for k in range(n_classes):
        rk = r[k]
        for j in range(0 if n_classes % 2 and k == n_classes - 1 else whole, d):
            total = 0.0
            for i in range(n):
                total += rk[i] * columns[j, i]
            g[k, j] += total


@inner(forceinline=True, **OPTIONS)
def _forward_rest(X, start, first, n, w, b, z, k_first):
    for k in range(k_first, w.shape[0]):
        wk = w[k]
        for i in range(first, n):
            x, total = X[start + i], 0.0
            for j in range(x.size):
                total += x[j] * wk[j]
            z[k, i] = total + b[k]


def backward_narrow(rows, start, n, r, g, work):
    """g_k += Σ_i r[k, i] x_(start+i), of rows with up to ``NARROW`` columns."""
    columns = c_view(work, (rows.shape[1], n))
    _transpose(rows, start, columns)
    _backward_narrow(columns, r, g)


def backward_classes(rows, start, n, r, g, work):
    """g_k += Σ_i r[k, i] x_(start+i); asks memory for the next n rows."""
    # Four rows with two classes.
    d, n_classes, whole = rows.shape[1], g.shape[0], n - n % 4
    for i in range(0, whole, 4):
        prefetch(rows, (start + i + n) * d, 4 * d)
        for k in range(0, n_classes - 1, 2):
            _backward_tile(rows[start + i : start + i + 4], r[k : k + 2, i : i + 4], g[k], g[k + 1])
        if n_classes % 2:
            _backward_rest(rows[start + i : start + i + 4], r[n_classes - 1, i : i + 4], g[n_classes - 1])
    for k in range(n_classes):
        _backward_rest(rows[start + whole : start + n], r[k, whole:n], g[k])


@inner(forceinline=True, **OPTIONS)
def _backward_tile(x, r, g0, g1):
    x0, x1, x2, x3 = x[0], x[1], x[2], x[3]
    p0, p1, p2, p3 = r[0, 0], r[0, 1], r[0, 2], r[0, 3]
    q0, q1, q2, q3 = r[1, 0], r[1, 1], r[1, 2], r[1, 3]
    for j in range(g0.size):
        u0, u1, u2, u3 = x0[j], x1[j], x2[j], x3[j]
        g0[j] += (p0 * u0 + p1 * u1) + (p2 * u2 + p3 * u3)
        g1[j] += (q0 * u0 + q1 * u1) + (q2 * u2 + q3 * u3)


@inner(forceinline=True, **OPTIONS)
def _backward_rest(x, r, g):
    for i in range(r.size):
        xi, ri = x[i], r[i]
        for j in range(g.size):
            g[j] += ri * xi[j]
