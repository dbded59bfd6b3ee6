"""Losses of two straight lines with a kink, for two classes and little data: the dual problem, whole, to its exact end.

    max  κ Σ α − ½ ‖w‖²,   w = Σ α y x,   low ≤ α ≤ high,   Σ α y = 0 where the intercept is free,

with κ the margin of the kink (1 for the hinge, whose α is between 0 and C s). Sweeps of coordinate ascent, with the
intercept on a spring, tell most rows that are on one of the lines. A system of the others, the free ones, ends it: a
step to its solution, or to the first bound; then a row on the wrong side of the kink comes in (Scheinberg 2006, An
efficient implementation of an active set method for SVMs, JMLR 7).
"""

from __future__ import annotations

import math

import numpy as np

from .active_set_sweeps import balance, combine, swept, zeros
from .cache import inner, kernel
from .cholesky import factor, solve
from .storage import call_storage
from .view import part_of

_SUMS = {"fastmath": {"contract", "reassoc", "nsz"}}

DONE, MANY, UNFINISHED = range(3)
"""How it ends: at the optimum; where another method is needed, with more free rows than there is room for, say; or
after so many steps."""

_LEFT, _RIGHT, _FREE = 1, 0, 2
"""Where α is: at ``high``, the slope of the left line; at ``low``; or between."""

_MISS, _EXACT, _RIDGE = 1e-10, 1e-12, 1e-11
"""Part of a margin by which a row is on the wrong side; to which free rows meet the kink; and what of the largest
diagonal is added to a system whose rows may depend on each other."""

_OTHERS, _NEARLY = 16, 0.3
"""Rows on the wrong side that come next, before all rows are looked at again, and how far they are beside the worst."""

PROGRESS = 2 + _OTHERS
"""What a call leaves to the next: how often it has polished; how many others there are, and which."""

_POLISH = 5
"""How often free rows are solved for once more, where rounding keeps them from the kink."""


@inner(**_SUMS)
def _factor(rows, n_free, system):
    """The Cholesky factor of the Gram of some rows, with a ridge; whether there is one."""
    top = 0.0
    for k in range(n_free):
        for m in range(k + 1):
            total = 0.0
            for j in range(rows.shape[1]):
                total += rows[k, j] * rows[m, j]
            system[k, m] = total
        top = max(top, system[k, k])
    for k in range(n_free):
        system[k, k] += _RIDGE * top
    return factor(system, n_free)


@inner(**_SUMS)
def _step(rows, system, change, along, signs, low, high, intercept, members, n_free, state, alpha, w, b):
    """To the solution of the free rows, or to the first bound on the way: b there, and whether none was met.

    ``change`` has what the rows lack of the kink.
    """
    for k in range(n_free):
        along[k] = signs[members[k]]
    solve(system, n_free, change)
    solve(system, n_free, along)
    db, by_change, by_along = 0.0, 0.0, 0.0
    for i in range(signs.size):
        by_change += signs[i] * alpha[i]
    for k in range(n_free):
        by_change += signs[members[k]] * change[k]
        by_along += signs[members[k]] * along[k]
    if intercept and by_along > 0.0:
        db = by_change / by_along
    t, hit = 1.0, -1
    for k in range(n_free):
        i = members[k]
        change[k] -= db * along[k]
        room = high[i] - alpha[i] if change[k] > 0.0 else low[i] - alpha[i]
        if change[k] != 0.0 and room / change[k] < t:
            t, hit = room / change[k], k
    for k in range(n_free):
        i, before = members[k], alpha[members[k]]
        alpha[i] += t * change[k]
        if k == hit:
            state[i] = _LEFT if change[k] > 0.0 else _RIGHT
            alpha[i] = high[i] if change[k] > 0.0 else low[i]
        for j in range(w.size):
            w[j] += (alpha[i] - before) * rows[k, j]
    return b + t * db, hit < 0


@inner(**_SUMS)
def _between(z, signs, low, high, kink, state):
    """Where no row is free, the largest of the lower bounds on b and the least of the upper, and whose these are."""
    below, above, first, last = -math.inf, math.inf, -1, -1
    for i in range(signs.size):
        edge = signs[i] * kink - z[i]
        if high[i] <= low[i]:
            continue
        if (signs[i] > 0.0) == (state[i] == _RIGHT):
            if edge > below:
                below, first = edge, i
        elif edge < above:
            above, last = edge, i
    return below, above, first, last


@inner(forceinline=True)
def _miss(z, i, signs, low, high, kink, state):
    """How far a row that is not free is on the wrong side of the kink."""
    if state[i] == _FREE or high[i] <= low[i]:
        return 0.0
    beyond = signs[i] * z - kink
    return -beyond if state[i] == _RIGHT else beyond


@inner(**_SUMS)
def _worst(z, b, signs, low, high, kink, state, others):
    """The row farthest on the wrong side of the kink, −1 for none; and how many ``others`` are nearly as far."""
    worst, which, n_others = _MISS, -1, 0
    for i in range(signs.size):
        miss = _miss(z[i] + b, i, signs, low, high, kink, state)
        if miss > worst:
            worst, which = miss, i
    if which >= 0:
        for i in range(signs.size):
            far = _miss(z[i] + b, i, signs, low, high, kink, state) > _NEARLY * worst
            if far and i != which and n_others < others.size:
                others[n_others] = i
                n_others += 1
    return which, n_others


@inner(**_SUMS)
def _worst_of(forward, w, b, signs, low, high, kink, state, others, n_others, one):
    """The same of a few rows, whose decision values are computed anew."""
    worst, which = _MISS, -1
    for k in range(n_others):
        i = others[k]
        call_storage(forward, i, 1, 1, w, part_of(one, 0, 1), b, one, 0)
        miss = _miss(one[0], i, signs, low, high, kink, state)
        if miss > worst:
            worst, which = miss, i
    return which


@inner(**_SUMS)
def _gathered(forward, copy, signs, kink, state, column, centre, one, w, b, rows, members, change):
    """How many rows are free, with y x of each and what it lacks of the kink; −1 for more than there is room for."""
    n_free = 0
    for i in range(signs.size):
        if state[i] == _FREE:
            if n_free == rows.shape[0]:
                return -1
            members[n_free] = i
            call_storage(copy, i, 1, 1, centre, column, 0.0, centre, 0)
            call_storage(forward, i, 1, 1, w, part_of(one, 0, 1), b, one, 0)
            change[n_free] = kink - signs[i] * one[0]
            for j in range(w.size):
                rows[n_free, j] = signs[i] * column[j, 0]
            n_free += 1
    return n_free


@kernel(**_SUMS, _nrt=True)
def dual_active_set(
    forward, backward, copy, signs, low, high, kink, intercept, seed, sweeps, begins, room, most_steps, alpha, theta,
    z, state, progress,
):  # fmt: skip
    """Solve the dual from α, in its place: θ, the decision values X w, how it ended, and the systems solved.

    With ``sweeps``, they begin it, and α is set by them. ``room`` is the most rows that may be free. Calls without
    ``begins`` go on where the last one stopped, with the same bits as one call.
    """
    n, d, w, b = signs.size, theta.size - 1, part_of(theta, 0, theta.size - 1), theta[-1]
    column, centre, one, r = np.empty((d, 1)), zeros(d), np.empty(2), np.empty(n)
    if begins:
        if sweeps > 0:
            b = swept(forward, backward, copy, signs, low, high, kink, intercept, seed, sweeps, alpha, w, b)
        if intercept:
            balance(signs, low, high, alpha)
        combine(backward, signs, alpha, r, w)
        progress[0] = progress[1] = 0
        for i in range(n):
            state[i] = _RIGHT if alpha[i] <= low[i] else _LEFT if alpha[i] >= high[i] else _FREE
    rows, system, change, along = np.empty((room, d)), np.empty((room, room)), np.empty(room), np.empty(room)
    members, others, how, steps = np.empty(n, np.int64), part_of(progress, 2, _OTHERS), UNFINISHED, 0
    while steps < most_steps and how == UNFINISHED:
        n_free = _gathered(forward, copy, signs, kink, state, column, centre, one, w, b, rows, members, change)
        if n_free < 0:
            return MANY, steps
        if n_free > 0:
            steps += 1
            if not _factor(rows, n_free, system):
                return MANY, steps
            b, whole = _step(
                rows, system, change, along, signs, low, high, intercept, members, n_free, state, alpha, w, b
            )
            if not whole:
                continue
            which = _worst_of(forward, w, b, signs, low, high, kink, state, others, progress[1], one)
            if which >= 0:
                state[which] = _FREE
                continue
        call_storage(forward, 0, n, 1, w, z, 0.0, z, 0)
        if n_free == 0 and intercept:
            below, above, first, last = _between(z, signs, low, high, kink, state)
            b = 0.5 * (below + above)
            if below > above + _MISS:
                state[first] = state[last] = _FREE
                continue
        which, progress[1] = _worst(z, b, signs, low, high, kink, state, others)
        if which >= 0:
            state[which] = _FREE
            continue
        miss = 0.0
        for k in range(n_free):
            miss = max(miss, abs(signs[members[k]] * (z[members[k]] + b) - kink))
        how = DONE if miss <= _EXACT or progress[0] == _POLISH else UNFINISHED
        progress[0] += 1
    if how == DONE:
        combine(backward, signs, alpha, r, w)
    call_storage(forward, 0, n, 1, w, z, 0.0, z, 0)
    theta[-1] = b
    return how, steps
