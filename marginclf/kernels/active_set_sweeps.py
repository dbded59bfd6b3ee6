"""The sweeps of coordinate ascent that begin the active set of the dual, and the sums over its rows."""

from __future__ import annotations

import math

import numpy as np

from .cache import inner
from .storage import call_storage
from .view import part_of

_SUMS = {"fastmath": {"contract", "reassoc", "nsz"}}

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
        other = int(((seed >> np.uint64(32)) * np.uint64(k + 1)) >> np.uint64(32))  # a division takes as long as a row
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
def balance(signs, low, high, alpha):
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
def zeros(size):
    zeros = np.empty(size)
    for j in range(size):
        zeros[j] = 0.0
    return zeros


@inner(**_SUMS, _nrt=True)
def swept(forward, backward, copy, signs, low, high, kink, intercept, seed, sweeps, alpha, w, b):
    """α and w after some sweeps from ``low``; b."""
    n, d = signs.size, w.size
    squares, order, one = np.empty(n), np.empty(n, np.int64), np.empty(2)
    idle, wait, column, centre = np.empty(n, np.int32), np.empty(n, np.int32), np.empty((d, 1)), zeros(d)
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
def combine(backward, signs, alpha, r, w):
    """w = Σ α y x."""
    for j in range(w.size):
        w[j] = 0.0
    for i in range(signs.size):
        r[i] = signs[i] * alpha[i]
    call_storage(backward, 0, signs.size, 1, r, w, 0.0, r, 0)
