"""Proximal Newton steps for two classes in one compiled loop: small problems beside a penalty with kinks.

    F(w, b) = Σ C s φ(y (x·w + b)) + Σ_g κ_g ‖w_g‖ + ½ Σ λ w²,   of a smooth convex loss, every entry with a κ or λ > 0.

The steps are those of :mod:`marginclf.solvers.penalised.proximal_newton`, with b at its minimum at every point; where
they do not lower F, another method goes on. The caller says what is proven of the coefficients that come back.
"""

from __future__ import annotations

import math

from .block import BLOCK_ROWS
from .cache import inner, kernel
from .coordinate_descent import minimised
from .gram import GRAM_ROWS, add_gram
from .line import next_place
from .penalty import SUMS, gap, penalty
from .rows import apply_loss
from .storage import call_storage
from .view import part_of

LOSS, SLOPE, CURVATURE, SCALE, AT_ZERO, STEPS, PASSES, PROVEN, STUCK, IDLE, BEGUN, SIZE = range(12)
"""What ``state`` holds. Of the end: Σ C s φ, its slope and curvature in b, Σ C s |φ'|. F at zero, NaN where that is
the start. Steps and passes done; whether tol is reached; whether no step lowers F; steps that promised next to none;
whether an earlier call has left its point. And how many these are."""

_SUFFICIENT, _HALVINGS, _RISE, _IDLE, _TRIES, _ROUNDING = 1e-4, 5, 4e-13, 3.0, 200, 4.0 * 2.0**-52
_ROUGH, _MODEL, _ACCURATE, _ROUNDS = 0.05, 0.03, 1e-12, 1000
_AIM, _MOST_AIM = 0.5, 0.05
"""Part of tol that is spent on aiming below the kinks, and the most of a kink; see ``quasi_newton``."""

_RIDGE = 1e-13


@inner(**SUMS)
def _at_best(z, b, free, v, address, parameters, work, r, c, state):
    """The b at the minimum of the loss, from b: C s y φ' to ``r``, C s φ'' to ``c``, its sums to ``state``."""
    low, high, reach, width = -math.inf, math.inf, 1.0, math.inf
    for tries in range(_TRIES):
        loss = slope = curvature = scale = 0.0
        for start in range(0, z.size, BLOCK_ROWS):
            size = min(BLOCK_ROWS, z.size - start)
            for k in range(size):
                work[0, k] = z[start + k] + b
            block_loss, block_slope, block_curvature = apply_loss(v, start, size, address, parameters, work)
            loss += block_loss
            slope += block_slope
            curvature += block_curvature
            for k in range(size):
                scale += abs(work[2, k])
            for k in range(size):
                r[start + k], c[start + k] = work[2, k], work[3, k]
        state[LOSS], state[SLOPE], state[CURVATURE], state[SCALE] = loss, slope, curvature, scale
        if not free or not abs(slope) > _ROUNDING * scale:
            break
        low, high = (b, high) if slope < 0.0 else (low, b)
        proposal, reach, width = next_place(tries, b, slope, curvature, low, high, reach, width)
        if proposal == b or proposal == low or proposal == high:
            break
        b = proposal
    return b


@inner(**SUMS)
def _decisions(forward, w, z):
    """z = X w."""
    for start in range(0, z.size, BLOCK_ROWS):
        size = min(BLOCK_ROWS, z.size - start)
        call_storage(forward, start, size, 1, w, part_of(z, start, size), 0.0, z, 0)


@inner()
def _place(forward, v, theta, free, address, parameters, work, z, r, c, state):
    """Put b at its minimum, and have the decision values and the losses there."""
    d = theta.size - 1
    _decisions(forward, part_of(theta, 0, d), z)
    state[PASSES] += 1.0
    theta[d] = _at_best(z, theta[d], free, v, address, parameters, work, r, c, state)


@inner(**SUMS)
def _gradient(backward, r, c, free, g, m, state):
    """Σ C s y φ' x to ``g``, the mean of the rows by their curvatures to ``m``."""
    for j in range(g.size):
        g[j] = m[j] = 0.0
    for start in range(0, r.size, BLOCK_ROWS):
        size = min(BLOCK_ROWS, r.size - start)
        call_storage(backward, start, size, 1, part_of(r, start, size), g, 0.0, r, size)
        if free:
            call_storage(backward, start, size, 1, part_of(c, start, size), m, 0.0, r, 0)
    curvature = state[CURVATURE]
    for j in range(g.size):
        m[j] = m[j] / curvature if curvature > 0.0 else 0.0


@inner(**SUMS)
def _hessian(copy, c, m, gram_work, total):
    """Σ c (x − m)(x − m)ᵀ, its lower half."""
    width = total.shape[0]
    for i in range(width):
        for j in range(width):
            total[i, j] = 0.0
    for start in range(0, c.size, GRAM_ROWS):
        count = min(GRAM_ROWS, c.size - start)
        call_storage(copy, start, count, 1, m, gram_work[0], 0.0, m, 0)
        add_gram(c, start, count, m.size, gram_work[0], gram_work[1], total)


@inner(**SUMS)
def _model(total, g, u, order, starts, kink, quadratic, h, q, scale, unit):
    """The Hessian and the slope of losses and squares, entry by entry, and what measures steps of a block."""
    most = highest = steepest = 0.0
    for i in range(u.size):
        a = order[i]
        for j in range(u.size):
            b = order[j]
            h[i, j] = total[max(a, b), min(a, b)]
        h[i, i] += quadratic[i]
        q[i] = g[i] + quadratic[i] * u[i]
    for i in range(u.size):
        highest, steepest = max(highest, h[i, i]), max(steepest, abs(q[i]))
    for k in range(kink.size):
        most = max(most, kink[k])
    for k in range(kink.size):
        size = 0.0
        for i in range(starts[k], starts[k + 1]):
            for j in range(starts[k], starts[k + 1]):
                size += h[i, j] * h[i, j]
        scale[k] = math.sqrt(size) * (1.0 + 1e-12) + _RIDGE * highest + 1e-300
        unit[k] = kink[k] if kink[k] > 0.0 else max(most, steepest, 1e-300)


@inner(**SUMS)
def _aim(factor, kink, u, q, aimed, to, slopes):
    """What the model begins with."""
    for k in range(kink.size):
        aimed[k] = factor * kink[k]
    for i in range(u.size):
        to[i], slopes[i] = u[i], q[i]


@inner(**SUMS)
def _promised(q, u, to):
    """What losses and squares change by along their slopes."""
    found = 0.0
    for i in range(u.size):
        found += q[i] * (to[i] - u[i])
    return found


@inner()
def _unbounded(lower, upper):
    found = True
    for i in range(lower.size):
        found = found and lower[i] == -math.inf and upper[i] == math.inf
    return found


@inner()
def _further(
    v, free, order, starts, kink, quadratic, address, parameters, work, to, factor, found, z, r, c, trial, state,
):  # fmt: skip
    """From a step that began at zero to twice, four times its length, while F falls: it is too short for itself."""
    scale = 2.0
    while True:  # what is penalised has its minimum at a finite length
        for i in range(z.size):
            z[i] *= scale
        for i in range(to.size):
            to[i] *= scale
            trial[order[i]] = to[i]
        trial[to.size] = _at_best(z, trial[to.size], free, v, address, parameters, work, r, c, state)
        if scale < 1.0:
            return
        kinks, squares = penalty(to, starts, kink, quadratic)
        value = state[LOSS] + squares + factor * kinks
        scale, found = (2.0, value) if value < found else (0.5, found)


@inner()
def _advanced(
    forward, v, theta, free, order, starts, kink, quadratic, address, parameters, work, u, to, m, factor, value,
    promise, first, z, r, c, trial, state,
):  # fmt: skip
    """The first point on the way from u to ``to`` that lowers F enough, to ``trial`` and ``state``; whether it does."""
    d, t = u.size, 1.0
    for _ in range(_HALVINGS):
        b = theta[d]
        for i in range(d):
            trial[order[i]] = to[i] if t == 1.0 else u[i] + t * (to[i] - u[i])
        for i in range(d):
            b -= t * m[order[i]] * (to[i] - u[i])
        _decisions(forward, part_of(trial, 0, d), z)
        state[PASSES] += 1.0
        trial[d] = _at_best(z, b if free else 0.0, free, v, address, parameters, work, r, c, state)
        for i in range(d):
            to[i] = trial[order[i]]
        kinks, squares = penalty(to, starts, kink, quadratic)
        found = state[LOSS] + squares + factor * kinks
        if found <= value + _SUFFICIENT * t * promise + _RISE * abs(value):
            if first and t == 1.0:
                _further(
                    v, free, order, starts, kink, quadratic, address, parameters, work, to, factor, found, z, r,
                    c, trial, state,
                )  # fmt: skip
            return True
        for i in range(d):  # back to the end of the whole step
            to[i] = u[i] + (to[i] - u[i]) / t
        t *= 0.5
    _place(forward, v, theta, free, address, parameters, work, z, r, c, state)  # back to where it was
    return False


@inner()
def _accuracy(bound, above, beside):
    """How accurate a model is to be: slopes beyond their kink leave of the losses, short of it of the penalty."""
    return min(_ROUGH, _MODEL * min(bound / max(above, beside), 1.0)) + _ACCURATE if above > 0.0 else _ACCURATE


@kernel(**SUMS)
def proximal_steps(
    forward, backward, copy, v, theta, free, order, starts, kink, quadratic, lower, upper, address, parameters, least,
    tol, most, rows, columns, work, gram_work, hessians, members, state,
):  # fmt: skip
    """Take up to ``most`` steps from θ, in its place, until ``tol`` is reached.

    ``rows`` is work space of (3, n), ``columns`` of (13, d + 1), whose first row is the gradient in w at the end,
    ``hessians`` of (3, width, width) for a Hessian and two of the d entries, in their order, at the front of theirs.
    ``lower`` and ``upper`` are infinite beside groups. At the end the second and third row of ``rows`` are C s y φ' and
    C s φ'' of the last point.
    """
    d = theta.size - 1
    z, r, c = rows[0], rows[1], rows[2]
    g, m, u, to, q = (
        part_of(columns[0], 0, d), part_of(columns[1], 0, d), part_of(columns[2], 0, d), part_of(columns[3], 0, d),
        part_of(columns[4], 0, d),
    )  # fmt: skip
    n_blocks = kink.size
    scale, unit, aimed = (
        part_of(columns[5], 0, n_blocks), part_of(columns[6], 0, n_blocks), part_of(columns[7], 0, n_blocks),
    )  # fmt: skip
    trial, slopes = columns[8], part_of(columns[9], 0, d)
    unbounded = _unbounded(lower, upper)
    state[STEPS] = state[PROVEN] = state[STUCK] = state[PASSES] = 0.0
    if state[BEGUN] == 0.0:  # b anew may be another one, and who watches asks step by step
        state[BEGUN] = 1.0
        _place(forward, v, theta, free, address, parameters, work, z, r, c, state)
    while True:
        state[PASSES] += 1.0
        _gradient(backward, r, c, free, g, m, state)
        for i in range(d):
            u[i], slopes[i] = theta[order[i]], g[order[i]]
        kinks, squares = penalty(u, starts, kink, quadratic)
        value = state[LOSS] + kinks + squares
        if math.isnan(state[AT_ZERO]):
            state[AT_ZERO] = value
        above = max(state[LOSS] - least, 0.0)
        bound = gap(u, slopes, starts, kink, quadratic, lower, upper, above)
        measure = min(abs(value), state[AT_ZERO] - value)
        if bound <= tol * measure or not math.isfinite(bound):
            state[PROVEN], state[STUCK] = (1.0, 0.0) if math.isfinite(bound) else (0.0, 1.0)
            return
        if state[STEPS] == most:
            return
        _hessian(copy, c, m, gram_work, hessians[0])
        _model(hessians[0], slopes, u, order, starts, kink, quadratic, hessians[1], q, scale, unit)
        aim = _AIM * tol * max(measure, 0.0)
        factor = 1.0 - (min(aim / kinks, _MOST_AIM) if kinks > 0.0 else 0.0)
        _aim(factor, kink, u, q, aimed, to, slopes)
        accuracy = _accuracy(bound, above, kinks + squares)
        minimised(
            hessians[1], slopes, to, starts, aimed, scale, lower, upper, unit, accuracy, _ROUNDS, hessians[2], members,
            part_of(columns, 10, 3),
        )  # fmt: skip
        promise = _promised(q, u, to) + factor * (penalty(to, starts, kink, quadratic)[0] - kinks)
        # Near the end, what a step promises of F is less than rounding, and yet its slopes prove more.
        state[IDLE] = state[IDLE] + 1.0 if promise > -_RISE * abs(value) else 0.0
        if state[IDLE] > _IDLE or not promise <= _RISE * abs(value) or not _advanced(
            forward, v, theta, free, order, starts, kink, quadratic, address, parameters, work, u, to, m, factor,
            state[LOSS] + squares + factor * kinks, promise, kinks + squares == 0.0 and unbounded, z, r, c, trial,
            state,
        ):  # fmt: skip
            state[STUCK] = 1.0
            return
        for j in range(d + 1):
            theta[j] = trial[j]
        state[STEPS] += 1.0
