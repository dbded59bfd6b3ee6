"""Rows of a compressed sparse column matrix, given as (data, indices, indptr, number of rows).

A block of rows is a part of every column, which is found by bisection; so blocks are to be large, that there is more in
a column than the search for it. The indices are unsigned, as in :mod:`csr`, and all that is computed from them is, too:
a signed number beside 64 unsigned bits would be a float to Numba.

For several columns of coefficients, the decision values of a row lie side by side in the work space, as many as it
holds, so that a stored entry meets those of all classes.
"""

from __future__ import annotations

import numpy as np

from .cache import inner, kernel
from .csr import add_multiple
from .storage import NARROW, OPTIONS, Storage, call_storage
from .view import c_view


@inner(forceinline=True, **OPTIONS)
def _find(indices, first, last, row, n_rows):
    """The first place from ``first`` to ``last`` whose row is at least ``row``.

    Sought where it would be if the rows were spread evenly, and from there in growing steps: the places that are looked
    at are then mostly neighbours in memory.
    """
    one, step = np.uintp(1), np.uintp(16)
    guess = first + np.uintp((last - first) * row // n_rows)
    if guess < last and indices[guess] < row:
        first = guess + one
        while last - first > step and indices[first + step] < row:
            first += step + one
            step += step
        last = min(last, first + step)
    else:
        last = guess
        while last - first > step and indices[last - step] >= row:
            last -= step
            step += step
        first = max(first, last - min(step, last))
    size = last - first
    while size > np.uintp(0):
        half = (size + one) >> one
        # A number that is added, instead of a branch, which would be guessed wrong every other time.
        first += half if indices[first + half - one] < row else np.uintp(0)
        size = min(size - half, size >> one)
    return first


@inner(forceinline=True, **OPTIONS)
def _part(rows, j, start, n):
    """Where column j has the rows ``start`` to ``start + n``."""
    _, indices, indptr, n_rows = rows
    first, last = np.uintp(indptr[j]), np.uintp(indptr[j + 1])
    if start > 0:
        first = _find(indices, first, last, np.uintp(start), np.uintp(n_rows))
    if start + n < n_rows:
        last = _find(indices, first, last, np.uintp(start + n), np.uintp(n_rows))
    return first, last


def _forward(rows, start, n, w, b, z, ahead):
    data, indices = rows[0], rows[1]
    for i in range(n):
        z[i] = b
    for j in range(w.size):
        wj = w[j]
        first, last = _part(rows, j, start, n)
        for p in range(first, last):
            z[np.uintp(indices[p]) - np.uintp(start)] += wj * data[p]


def _backward(rows, start, n, r, g, ahead):
    data, indices = rows[0], rows[1]
    for j in range(g.size):
        first, last = _part(rows, j, start, n)
        total = 0.0
        for p in range(first, last):
            total += data[p] * r[np.uintp(indices[p]) - np.uintp(start)]
        g[j] += total


def _squares(rows, start, n, r, g, ahead):
    data, indices = rows[0], rows[1]
    for j in range(g.size):
        first, last = _part(rows, j, start, n)
        total = 0.0
        for p in range(first, last):
            x = 1.0 * data[p]
            total += x * x * r[np.uintp(indices[p]) - np.uintp(start)]
        g[j] += total


def _copy(rows, start, n, centre, out):
    data, indices = rows[0], rows[1]
    for j in range(centre.size):
        for k in range(n):
            out[j, k] = -centre[j]
        first, last = _part(rows, j, start, n)
        for p in range(first, last):
            out[j, np.uintp(indices[p]) - np.uintp(start)] += data[p]


def _forward_all(rows, start, n, w, b, z, work):
    data, indices = rows[0], rows[1]
    for c in range(0, w.shape[1], NARROW):
        lanes = min(NARROW, w.shape[1] - c)
        total = c_view(work, (n, lanes))
        for i in range(n):
            for k in range(lanes):
                total[i, k] = 0.0
        for j in range(w.shape[0]):
            wj = w[j, c : c + lanes]
            first, last = _part(rows, j, start, n)
            for p in range(first, last):
                add_multiple(1.0 * data[p], wj, total[np.uintp(indices[p]) - np.uintp(start)])
        for k in range(c, min(c + lanes, z.shape[0])):
            for i in range(n):
                z[k, i] = total[i, k - c] + b[k]


@inner(forceinline=True, **OPTIONS)
def _collect(rows, start, n, r, g, work, squared):
    data, indices = rows[0], rows[1]
    for c in range(0, g.shape[1], NARROW):
        lanes = min(NARROW, g.shape[1] - c)
        part = c_view(work, (n, lanes))
        for k in range(lanes):
            for i in range(n):
                part[i, k] = r[c + k, i] if c + k < r.shape[0] else 0.0
        for j in range(g.shape[0]):
            gj = g[j, c : c + lanes]
            first, last = _part(rows, j, start, n)
            for p in range(first, last):
                x = 1.0 * data[p]
                add_multiple(x * x if squared else x, part[np.uintp(indices[p]) - np.uintp(start)], gj)


def _backward_all(rows, start, n, r, g, work):
    _collect(rows, start, n, r, g, work, False)


def _squares_all(rows, start, n, r, g, work):
    _collect(rows, start, n, r, g, work, True)


@kernel()
def copy_rows(copy, start, n, centre, out):
    """out[j, i] = x_(start+i, j) − centre_j for i < n."""
    call_storage(copy, start, n, 1, centre, out, 0.0, centre, 0)


def _view(data, indices, indptr, n, d):
    pointers = c_view(indptr, (d + 1,))
    return c_view(data, (pointers[d],)), c_view(indices, (pointers[d],)), pointers, n


CSC = Storage(
    "csc",
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
