"""One sweep of coordinate ascent over the dual variables, for every storage and every loss.

With a_i = −φ'(u_i), α_i = C s_i y_i a_i and w = Σ α_i x_i, the dual objective is maximised over one a_i exactly by

    u_i = prox_κφ(m_i − κ a_i),   a_i ← −φ'(u_i),   κ = C s_i ‖x_i‖².

Any a_i that is −φ'(u_i) for some u_i is feasible, so that the steps may be inexact.
"""

from __future__ import annotations

import math

import numpy as np
from numba import types
from numba.extending import overload

from .cache import inner, kernel
from .prox import apply_prox

_OPTIONS = {"fastmath": {"contract", "reassoc", "nsz"}, "error_model": "numpy", "forceinline": True}

_PATIENCE, _LONGEST = 2, 3
"""A row whose step changed nothing so many times in a row is left out for 1, 3, 7 sweeps; at most 2^_LONGEST − 1."""


def longest_sleep(idle):
    """How many sweeps leave out a row after so many visits in succession that changed nothing; arrays of integers."""
    return (1 << np.maximum(idle.astype(np.int32) - _PATIENCE, 0)) - 1


def _dot(rows, i, w):
    """x_i · w."""


def _add(rows, i, t, w):
    """w += t x_i."""


@inner(**_OPTIONS)
def _dot_packed(rows, i, w):
    values, columns, starts, stops = rows
    total = 0.0
    for p in range(starts[i], stops[i]):
        total += values[p] * w[columns[p]]
    return total


@inner(**_OPTIONS)
def _add_packed(rows, i, t, w):
    values, columns, starts, stops = rows
    for p in range(starts[i], stops[i]):
        w[columns[p]] += t * values[p]


@inner(**_OPTIONS)
def _dot_dense(rows, i, w):
    total = 0.0
    for j in range(w.size):
        total += rows[i, j] * w[j]
    return total


@inner(**_OPTIONS)
def _add_dense(rows, i, t, w):
    for j in range(w.size):
        w[j] += t * rows[i, j]


@overload(_dot)
def _choose_dot(rows, i, w):
    chosen = _dot_packed if isinstance(rows, types.BaseTuple) else _dot_dense
    return lambda rows, i, w: chosen(rows, i, w)


@overload(_add)
def _choose_add(rows, i, t, w):
    chosen = _add_packed if isinstance(rows, types.BaseTuple) else _add_dense
    return lambda rows, i, t, w: chosen(rows, i, t, w)


@kernel()
def sweep(
    rows, order, run, v, kappa, diagonal, a, u, idle, w, b, balance, spring, lines, address, parameters, out, sums
):  # fmt: skip
    """Visits runs of ``run`` rows in the given order and updates a, u and w.

    The intercept is b + ``spring`` · Σ α, and ``balance`` is Σ α. ``diagonal`` is what the row's own a adds to its
    margin beside w; ``idle`` counts, for each row, the steps without a change and the sweeps that it is still left out.
    ``lines`` is empty but for a loss of two lines: the least a, the largest, and the margin where these meet.
    To ``sums``: the gain of the dual objective, about; the new Σ α; the rows that were visited.
    """
    gain = 0.0
    visited = 0
    n = v.size
    for k in range(order.size):
        for i in range(order[k] * run, min(n, (order[k] + 1) * run)):
            if idle[i, 1] > 0:
                idle[i, 1] -= 1
                continue
            vi = v[i]
            if vi == 0.0:
                continue
            visited += 1
            z = _dot(rows, i, w) + b + spring * balance
            before = a[i]
            m = (-z if vi < 0.0 else z) + diagonal[i] * before
            stiffness = kappa[i] + abs(vi) * spring
            if lines.size > 0 and stiffness > 0.0:
                out[1] = min(max(before + (lines[2] - m) / stiffness, lines[0]), lines[1])
                out[0] = m + stiffness * (out[1] - before)
            else:
                apply_prox(address, parameters, out, m - stiffness * before, stiffness, u[i])
            step = out[1] - before
            if step == 0.0:
                times = min(idle[i, 0] + 1, _PATIENCE + _LONGEST)
                idle[i, 0] = times
                if times > _PATIENCE:
                    idle[i, 1] = (1 << (times - _PATIENCE)) - 1
            elif abs(step) < math.inf:
                gain += 0.5 * abs(vi) * step * (u[i] - m)
                balance += vi * step
                _add(rows, i, vi * step, w)
                a[i] = out[1]
                idle[i, 0] = 0
            else:
                # The loss overflows within reach of this row; the others may bring it back.
                continue
            u[i] = out[0]
    sums[0] = gain
    sums[1] = balance
    sums[2] = visited


@kernel()
def combine(rows, alpha, w):
    """w += Σ α_i x_i."""
    for i in range(alpha.size):
        if alpha[i] != 0.0:
            _add(rows, i, alpha[i], w)
