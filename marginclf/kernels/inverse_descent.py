"""The quadratic model of a smooth function beside a penalty with kinks and bounds, by the inverse of its Hessian.

    u = u₀ − M (q + y),   y_g ∈ ∂(kink_g ‖u_g‖ + bounds),

in the order and with the names of :mod:`.coordinate_descent`. Where an entry keeps its sign, its y stands, and costs
nothing: descent over y is over in a few rounds where few entries are zero or at a bound.
"""

from __future__ import annotations

import math

from .cache import inner, kernel
from .coordinate_descent import _block_step


@inner()
def _shifted(m, u, i, d):
    """y_i changes by d, and u with it."""
    row = m[i]
    for j in range(u.size):
        u[j] -= d * row[j]


@inner()
def _scales(m, starts, scale):
    """A bound on the largest eigenvalue of each block's part of M: the root of its sum of squares."""
    for g in range(scale.size):
        size = 0.0
        for i in range(starts[g], starts[g + 1]):
            for j in range(starts[g], starts[g + 1]):
                size += m[i, j] * m[i, j]
        scale[g] = math.sqrt(size) * (1.0 + 1e-12)


@kernel()
def minimise_by_inverse(m, u, y, starts, kink, lower, upper, accuracy, most, scale, v, new):
    """Find y and u in place, from a y and the u that belongs to it.

    Parameters
    ----------
    m : ndarray of shape (k, k)
        M, symmetric and positive definite; entries after the last block have no penalty.
    u : ndarray of shape (k,)
        The minimum for y as it is.
    y : ndarray of shape (m,)
        Slopes of the penalty.
    starts : ndarray of int of shape (n_blocks + 1,)
        Where each block begins.
    kink : ndarray of shape (n_blocks,)
        The weight of the norm of each block.
    lower, upper : ndarray of shape (m,)
        The bounds, infinite where there are none.
    accuracy : float
        The largest change of a y in a last round, relative to its kink or what else it was.
    most : int
        The largest number of rounds.
    scale, v, new : ndarray of shape (n_blocks,), (m,) and (k,)
        Work space; ``new`` has at the end the entries as their own blocks have them, exact zeros and bounds among them.

    Returns
    -------
    int
        Rounds.
    """
    _scales(m, starts, scale)
    for done in range(most):
        worst = 0.0
        for g in range(kink.size):
            first, last = starts[g], starts[g + 1]
            for i in range(first, last):
                v[i] = u[i] / scale[g] + y[i]
            if last == first + 1:
                x = v[first]
                x = x - kink[g] if x > kink[g] else (x + kink[g] if x < -kink[g] else 0.0)
                new[first] = min(max(scale[g] * x, lower[first]), upper[first])
            else:
                _block_step(v, first, last, 1.0 / scale[g], kink[g], lower, upper, new)
            for i in range(first, last):
                d = v[i] - new[i] / scale[g] - y[i]
                # What is no more than rounding of the entry itself changes nothing.
                if abs(d) * scale[g] > 1e-15 * abs(new[i]):
                    worst = max(worst, abs(d) / (kink[g] + abs(y[i])) if kink[g] + abs(y[i]) > 0.0 else math.inf)
                    _shifted(m, u, i, d)
                    y[i] += d
        if worst <= accuracy:
            return done + 1
    return most
