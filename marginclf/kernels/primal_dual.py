"""What a primal-dual Newton step for the joint margin does row by row (the method:
:mod:`marginclf.solvers.primal_dual`).

A row has decision values z, dual variables α_k > 0 for k ≠ y with β = Σ α, q = α/β, and, where φ has a straight end
on the right or on the left, a slack s > 0 or t > 0, with

    z_y − z_k = m(β) + s − t − log q_k,   s β = μ,   t (cap − β) = μ,

where m(β) is the margin with −C s φ'(m) = β. ``room`` is cap − β, kept beside β since rows at the cap have lost it to
rounding. Arrays of classes are (n, K), with zeros for a row's own class; ``weights`` are C s > 0.
"""

from __future__ import annotations

import math

from .cache import kernel
from .inverse import apply_inverse

_SMALL = 1e-100
"""The least α; its logarithm has to be a number."""

_GROWTH = 1e4
_HALF, _QUARTER = 0.5, 0.25
_FLOOR = 1e-11
"""Stiffness of a row, relative to ‖x‖², below which the Hessian would lose the other rows to rounding."""


@kernel()
def residuals(
    z, codes, weights, alpha, slack, excess, room, low, high, address, parameters, work, miss, q, beta, stiffness, sums
):
    """By how much the first equation is not met, to ``miss``, with q, β and −d(m + s − t)/dβ.

    ``sums`` are Σ (s β + t room) and Σ α |miss|.
    """
    n, n_classes = z.shape
    a, m, dm = work[0], work[1], work[2]
    for i in range(n):
        total = 0.0
        for k in range(n_classes):
            total += alpha[i, k]
        beta[i] = total
        a[i] = total / weights[i]
    apply_inverse(address, parameters, a, m, dm, n)
    complementarity = missed = 0.0
    for i in range(n):
        y, b = codes[i], beta[i]
        margin, stiff = m[i], -dm[i] / weights[i]
        if low:
            margin += slack[i]
            stiff += slack[i] / b
            complementarity += slack[i] * b
        if high:
            margin -= excess[i]
            stiff += excess[i] / room[i]
            complementarity += excess[i] * room[i]
        stiffness[i] = stiff
        base = margin + math.log(b) - z[i, y]
        for k in range(n_classes):
            if k == y:
                miss[i, k] = q[i, k] = 0.0
            else:
                miss[i, k] = base - math.log(alpha[i, k]) + z[i, k]
                q[i, k] = alpha[i, k] / b
                missed += alpha[i, k] * abs(miss[i, k])
    sums[0], sums[1] = complementarity, missed


@kernel()
def predictions(codes, squares, slack, excess, room, mu, low, high, miss, q, beta, stiffness, response, r):
    """Where α would go without a change of z, as −∂F/∂z to ``r``; 1/stiffness to ``response``; μ enters ``miss``."""
    n, n_classes = miss.shape
    for i in range(n):
        y, b = codes[i], beta[i]
        pull = 0.0
        if low:
            pull += mu[i] / b - slack[i]
        if high:
            pull -= mu[i] / room[i] - excess[i]
        mean = 0.0
        for k in range(n_classes):
            if k != y:
                miss[i, k] += pull
                mean += q[i, k] * miss[i, k]
        response[i] = 1.0 / max(stiffness[i], _FLOOR * squares[i])
        rise = mean * response[i] / b
        total = 0.0
        for k in range(n_classes):
            if k != y:
                moved = b * q[i, k] * (1.0 + miss[i, k] - mean + rise)
                r[i, k] = -moved
                total += moved
        r[i, y] = total


@kernel(forceinline=True)
def _damped(change, bold):
    """1 + change, kept positive: all but a fiftieth of the way if ``bold``, else ever less of it beyond the half."""
    if change >= -_HALF:
        return 1.0 + change
    return max(1.0 + change, 0.02) if bold else -_QUARTER / change


@kernel()
def advance(codes, step, weights, alpha, slack, excess, room, mu, low, high, cap, miss, q, beta, response, bold):
    """Take the dual half of a step whose change of the decision values is ``step``."""
    n, n_classes = step.shape
    for i in range(n):
        y, b = codes[i], beta[i]
        mean = 0.0
        for k in range(n_classes):
            if k != y:
                miss[i, k] += step[i, k] - step[i, y]
                mean += q[i, k] * miss[i, k]
        change = mean * response[i]
        total = 0.0
        for k in range(n_classes):
            if k != y:
                factor = min(_damped(miss[i, k] - mean + change / b, bold), _GROWTH)
                alpha[i, k] = max(alpha[i, k] * factor, _SMALL)
                total += alpha[i, k]
        # How α divides among the classes and how much it is are damped each by itself.
        new = b * _damped(change / b, bold)
        if high:
            left = room[i] + (b - new)
            if change > 0.0:
                left = room[i] * _damped(-change / room[i], bold)
                new = cap * weights[i] - left
            # The slacks go with z, whose step is not damped: else rows at the cap would miss their equation by most.
            excess[i] = max(mu[i] / room[i] + excess[i] / room[i] * change, 0.02 * excess[i])
            room[i] = left
        if low:
            slack[i] = max(mu[i] / b - slack[i] / b * change, 0.02 * slack[i])
        factor = new / total
        for k in range(n_classes):
            alpha[i, k] *= factor


@kernel()
def row_products(d, codes, rows, q, beta, response):
    """The Hessians of ``rows`` in their decision values times ``d`` of shape (m, K), in its place."""
    n_classes = d.shape[1]
    for j in range(rows.size):
        i = rows[j]
        y = codes[i]
        mean = 0.0
        for k in range(n_classes):
            mean += q[i, k] * d[j, k]
        own = response[i] * (d[j, y] - mean)
        for k in range(n_classes):
            d[j, k] = own if k == y else q[i, k] * (beta[i] * (d[j, k] - mean) - own)
