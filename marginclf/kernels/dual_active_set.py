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

_POLISH = 5
"""How often free rows are solved for once more, where rounding keeps them from the kink."""

_LONGEST_WAIT = 6
"""A row that did not move in three sweeps or more is left out of the next, at most of 2⁴ − 1 of them."""


@inner(**_SUMS)
def _sweep(forward, backward, signs, low, high, kink, free, squares, order, alpha, w, b, spring, seed, idle, wait, one):
    """One sweep in random order over the rows that are not asleep; b and the seed after it."""
    n, unit = signs.size, part_of(one, 1, 1)
    balance = 0.0
    for i in range(n):
        balance += signs[i] * alpha[i]
    for k in range(n - 1, 0, -1):
        seed ^= seed << np.uint64(13)
        seed ^= seed >> np.uint64(7)
        seed ^= seed << np.uint64(17)
        other = int(seed % np.uint64(k + 1))
        order[k], order[other] = order[other], order[k]
    for k in range(n):
        i = order[k]
        if wait[i] > 0:
            wait[i] -= 1
            continue
        hold = spring if free else 0.0
        call_storage(forward, i, 1, 1, w, part_of(one, 0, 1), b + hold * balance, one, 0)
        miss = signs[i] * one[0] - kink
        stiffness = squares[i] + hold
        new = min(high[i], max(low[i], alpha[i] - miss / stiffness)) if stiffness > 0.0 else alpha[i]
        if new != alpha[i]:
            unit[0] = signs[i] * (new - alpha[i])
            balance += unit[0]
            call_storage(backward, i, 1, 1, unit, w, 0.0, one, 0)
            alpha[i], idle[i] = new, 0
        else:
            idle[i] = min(idle[i] + 1, _LONGEST_WAIT)
            wait[i] = (1 << (idle[i] - 2)) - 1 if idle[i] > 2 else 0
    return b + spring * balance if free else 0.0, seed


@inner(**_SUMS)
def _balance(signs, low, high, alpha):
    """Make Σ α y zero: free rows first, then any."""
    surplus = 0.0
    for i in range(signs.size):
        surplus += signs[i] * alpha[i]
    for turn in range(2):
        for i in range(signs.size):
            down = signs[i] * surplus > 0.0
            room = alpha[i] - low[i] if down else high[i] - alpha[i]
            if room > 0.0 and (turn == 1 or low[i] < alpha[i] < high[i]):
                change = min(room, abs(surplus))
                alpha[i] += -change if down else change
                surplus += -signs[i] * change if down else signs[i] * change


# np.zeros and np.arange take Numba a quarter of a second.
@inner(_nrt=True)
def _zeros(size):
    zeros = np.empty(size)
    for j in range(size):
        zeros[j] = 0.0
    return zeros


@inner(**_SUMS, _nrt=True)
def _swept(forward, backward, copy, signs, low, high, kink, intercept, seed, sweeps, alpha, w, b):
    """α and w after some sweeps from ``low``; b."""
    n, d = signs.size, w.size
    squares, order, one = np.empty(n), np.empty(n, np.int64), np.empty(2)
    idle, wait, column, centre = np.empty(n, np.int32), np.empty(n, np.int32), np.empty((d, 1)), _zeros(d)
    for i in range(n):
        order[i], idle[i], wait[i] = i, 0, 0
    mean = 0.0
    for i in range(n):
        call_storage(copy, i, 1, 1, centre, column, 0.0, centre, 0)
        square = 0.0
        for j in range(d):
            square += column[j, 0] * column[j, 0]
        squares[i] = square
        mean += square / n
        alpha[i] = low[i]
        one[1] = signs[i] * low[i]
        call_storage(backward, i, 1, 1, part_of(one, 1, 1), w, 0.0, one, 0)
    answer = 0.0
    for i in range(n):
        answer += 1.0 / (squares[i] + 1e-3 * mean) if squares[i] + mean > 0.0 else 0.0
    # The stiffer it is, the fewer sweeps b takes, and the less rows can move.
    spring = min(64.0, max(8.0, 0.25 * math.sqrt(n))) / answer if answer > 0.0 else 1.0
    for _ in range(sweeps):
        b, seed = _sweep(
            forward, backward, signs, low, high, kink, intercept, squares, order, alpha, w, b, spring, seed, idle, wait,
            one,
        )  # fmt: skip
    return b


@inner(**_SUMS)
def _combine(backward, signs, alpha, r, w):
    """w = Σ α y x."""
    for j in range(w.size):
        w[j] = 0.0
    for i in range(signs.size):
        r[i] = signs[i] * alpha[i]
    call_storage(backward, 0, signs.size, 1, r, w, 0.0, r, 0)


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


@inner(**_SUMS)
def _worst(z, b, signs, low, high, kink, state):
    """The row that is farthest on the wrong side of the kink; −1 for none."""
    worst, which = _MISS, -1
    for i in range(signs.size):
        if state[i] != _FREE and high[i] > low[i]:
            miss = signs[i] * (z[i] + b) - kink
            miss = -miss if state[i] == _RIGHT else miss
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
    z, state, polished,
):  # fmt: skip
    """Solve the dual from α, in its place: θ, the decision values X w, how it ended, and the systems solved.

    With ``sweeps``, they begin it, and α is set by them. ``room`` is the most rows that may be free. Calls without
    ``begins`` go on where the last one stopped, with the same bits as one call.
    """
    n, d, w, b = signs.size, theta.size - 1, part_of(theta, 0, theta.size - 1), theta[-1]
    column, centre, one, r = np.empty((d, 1)), _zeros(d), np.empty(2), np.empty(n)
    if begins:
        if sweeps > 0:
            b = _swept(forward, backward, copy, signs, low, high, kink, intercept, seed, sweeps, alpha, w, b)
        if intercept:
            _balance(signs, low, high, alpha)
        _combine(backward, signs, alpha, r, w)
        polished[0] = 0
        for i in range(n):
            state[i] = _RIGHT if alpha[i] <= low[i] else _LEFT if alpha[i] >= high[i] else _FREE
    rows, system, change, along = np.empty((room, d)), np.empty((room, room)), np.empty(room), np.empty(room)
    members, how, steps = np.empty(n, np.int64), UNFINISHED, 0
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
        call_storage(forward, 0, n, 1, w, z, 0.0, z, 0)
        if n_free == 0 and intercept:
            below, above, first, last = _between(z, signs, low, high, kink, state)
            b = 0.5 * (below + above)
            if below > above + _MISS:
                state[first] = state[last] = _FREE
                continue
        which = _worst(z, b, signs, low, high, kink, state)
        if which >= 0:
            state[which] = _FREE
            continue
        miss = 0.0
        for k in range(n_free):
            miss = max(miss, abs(signs[members[k]] * (z[members[k]] + b) - kink))
        how = DONE if miss <= _EXACT or polished[0] == _POLISH else UNFINISHED
        polished[0] += 1
    if how == DONE:
        _combine(backward, signs, alpha, r, w)
    call_storage(forward, 0, n, 1, w, z, 0.0, z, 0)
    theta[-1] = b
    return how, steps
