"""Newton's method for two classes in one compiled loop: small problems, where a step is over before Python asks for it.

    F(w, b) = Σ C s φ(y (x·w + b)) + ½ Σ λ w²,   of a smooth convex loss and with every λ > 0.

The intercept moves by the joint Newton step, and to its minimum only where something is to be certified. What is said
of the end is said by the caller, of the coefficients that come back; where the loop cannot go on, another method can.
"""

from __future__ import annotations

import math

from .block import BLOCK_ROWS
from .cache import inner, kernel
from .line import next_place
from .newton_direction import direction
from .rows import apply_loss
from .storage import call_storage
from .view import part_of

_SUMS = {"fastmath": {"contract", "reassoc", "nsz"}}

LOSS, SLOPE, CURVATURE, SCALE, VALUE, STEPS, PASSES, SETTLED, ENDED, FIRST, MET, KEPT, LAST = range(13)
"""What ``state`` holds. Of the end: Σ C s φ, its slope and curvature in b, Σ C s |φ'|, F. Steps and passes done;
whether b is at its minimum; whether the loop has ended by itself. For the next call: whether its step is the first,
whether tol was reached, whether there is a Hessian, the last decrement."""

_SUFFICIENT, _ROUGH, _PROGRESS, _FINAL = 1e-4, 1e-3, 0.25, 1e-14
"""Part of the decrement that a step gains at least; slope along a line, relative to its terms, that is near enough to
its minimum; by what decrements fall until rounding; and the decrement, relative to F, whose step is the last."""

_ROUNDING, _HIDDEN = 4.0 * 2.0**-52, 1e-13
"""Sum, relative to the magnitudes of its terms, that is zero; decrement, relative to F, of which F shows nothing."""

_PROMISING = 2.0
"""Bound, relative to tol, up to which b is moved to its minimum, for a proof."""

_TRIES = 200


# These have one caller and are compiled once: called from several kernels they would have to be inlined by force, for
# the reason given at rows.apply_loss.
@inner(**_SUMS)
def _look(z, b, v, address, parameters, work, r, c, state):
    """The loss at z + b: C s y φ' to ``r``, C s φ'' to ``c``, its sums to ``state``."""
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


@inner(**_SUMS)
def _visit(forward, w, weights, z):
    """z = X w; the penalty."""
    penalty = 0.0
    for j in range(w.size):
        penalty += 0.5 * weights[j] * w[j] * w[j]
    for start in range(0, z.size, BLOCK_ROWS):
        size = min(BLOCK_ROWS, z.size - start)
        call_storage(forward, start, size, 1, w, part_of(z, start, size), 0.0, z, 0)
    return penalty


@inner(**_SUMS)
def _shortest(z, change, linear, quadratic, t, low, high, b, v, address, parameters, work, r, c, at, state):
    """Where F(z + t·change) + linear·t + ½ quadratic·t² is near its minimum between low and high, from t."""
    reach, width = 1.0, math.inf
    for tries in range(_TRIES):
        for i in range(z.size):
            at[i] = z[i] + t * change[i]
        _look(at, b, v, address, parameters, work, r, c, state)
        along, bent, magnitude = linear + t * quadratic, quadratic, abs(linear) + abs(t * quadratic)
        for i in range(z.size):
            along += r[i] * change[i]
            bent += c[i] * change[i] * change[i]
            magnitude += abs(r[i] * change[i])
        if math.isnan(along) or abs(along) <= _ROUGH * magnitude:
            break
        low, high = (t, high) if along < 0.0 else (low, t)
        proposal, reach, width = next_place(tries, t, along, bent, low, high, reach, width)
        if proposal == t or not low < proposal < high:
            break
        t = proposal
    return t


@inner(**_SUMS)
def _settled(z, b, v, address, parameters, work, r, c, state):
    """The b at the minimum of the loss, with everything there, and whether it is; from b, where everything is known."""
    low, high, reach, width = -math.inf, math.inf, 1.0, math.inf
    for tries in range(_TRIES):
        slope = state[SLOPE]
        if abs(slope) <= _ROUNDING * state[SCALE]:
            return b, True
        low, high = (b, high) if slope < 0.0 else (low, b)
        proposal, reach, width = next_place(tries, b, slope, state[CURVATURE], low, high, reach, width)
        if proposal == b or proposal == low or proposal == high:
            return b, True
        b = proposal
        _look(z, b, v, address, parameters, work, r, c, state)
    return b, False


@inner(**_SUMS)
def _gradient(backward, w, weights, r, c, free, g, m, state):
    """∂F/∂w to ``g``, the mean of the rows by their curvatures to ``m``."""
    state[PASSES] += 1.0
    for j in range(w.size):
        g[j], m[j] = weights[j] * w[j], 0.0
    for start in range(0, r.size, BLOCK_ROWS):
        size = min(BLOCK_ROWS, r.size - start)
        call_storage(backward, start, size, 1, part_of(r, start, size), g, 0.0, r, size)
        if free:
            call_storage(backward, start, size, 1, part_of(c, start, size), m, 0.0, r, 0)
    curvature = state[CURVATURE]
    for j in range(w.size):
        m[j] = m[j] / curvature if curvature > 0.0 else 0.0


@inner(**_SUMS)
def _bound(w, penalty, g, m, in_b, weights):
    """½‖∂F/∂w‖² by the weights of the penalty, and what convexity says of the gain."""
    bound, by_convexity = 0.0, penalty
    for j in range(w.size):
        bound += 0.5 * (g[j] - m[j] * in_b) * (g[j] - m[j] * in_b) / weights[j]
        by_convexity -= g[j] * w[j]
    return bound, by_convexity


@inner(**_SUMS)
def _model(theta, p, g, m, in_b, weights, state):
    """Of a direction p: its step in b, its decrement, and how the penalty goes along it."""
    # −m·p keeps the sum of the slopes, the rest of the step in b is what that lacks.
    db = -in_b / state[CURVATURE] if in_b != 0.0 else 0.0
    decrement, linear, quadratic = -in_b * db, 0.0, 0.0
    for j in range(p.size):
        decrement -= (g[j] - m[j] * in_b) * p[j]
        db -= m[j] * p[j]
        linear += weights[j] * theta[j] * p[j]
        quadratic += weights[j] * p[j] * p[j]
    return db, decrement, linear, quadratic


@inner(**_SUMS)
def _advanced(
    forward, theta, p, db, linear, quadratic, decrement, weights, v, address, parameters, work, z, after, r, c, change,
    trial, state,
):  # fmt: skip
    """θ after a step, with everything there, to ``trial`` and ``state``: the penalty, or NaN where F is not lower."""
    d, t = theta.size - 1, 1.0
    for turn in range(2):
        for j in range(d):
            trial[j] = theta[j] + t * p[j]
        penalty = _visit(forward, part_of(trial, 0, d), weights, after)
        trial[d] = theta[d] + t * db
        state[PASSES] += 1.0
        if turn == 0:
            for i in range(z.size):
                change[i] = after[i] - z[i] + db
        _look(after, trial[d], v, address, parameters, work, r, c, state)
        found = state[LOSS] + penalty
        gains = found <= state[VALUE] - _SUFFICIENT * decrement
        if turn == 1 and not found < state[VALUE]:
            return math.nan
        if turn == 1 or state[MET] > 0.0 or (gains and state[FIRST] == 0.0):
            break
        # A first step is too short for its direction, others may be too long.
        t, low, high = (1.0, 1.0, math.inf) if gains else (0.5, 0.0, 1.0)
        t = _shortest(
            z, change, linear, quadratic, t, low, high, theta[d], v, address, parameters, work, r, c, after, state
        )
    return penalty


@kernel(**_SUMS)
def newton_steps(
    forward, backward, copy, v, theta, free, weights, address, parameters, at_zero, tol, to_rounding, most, rows,
    columns, work, gram_work, grams, state,
):  # fmt: skip
    """Take up to ``most`` steps from θ, in its place, until ``tol`` is reached, or ``to_rounding`` from there.

    Calls go on where the last one stopped, with the same bits as one call. ``rows`` is work space of (6, n),
    ``columns`` of (5, d + 1), whose first row is the gradient in w at the end, and ``grams`` of two Hessians.
    """
    d, trial, centre = theta.size - 1, columns[3], columns[4]
    z, after, r, c, change, known = rows[0], rows[1], rows[2], rows[3], rows[4], rows[5]
    w, g, m, p = part_of(theta, 0, d), part_of(columns[0], 0, d), part_of(columns[1], 0, d), part_of(columns[2], 0, d)
    # The b that the last call has moved to its minimum would move again, by its last bit.
    at_minimum = state[SETTLED] > 0.0
    state[SETTLED] = state[ENDED] = state[STEPS] = 0.0
    state[PASSES] = 1.0
    penalty = _visit(forward, w, weights, z)
    _look(z, theta[d], v, address, parameters, work, r, c, state)
    final = False
    while True:
        settled, at_minimum = not free or at_minimum or abs(state[SLOPE]) <= _ROUNDING * state[SCALE], False
        for _ in range(2):
            state[VALUE] = value = state[LOSS] + penalty
            if not math.isfinite(value):
                return
            _gradient(backward, w, weights, r, c, free, g, m, state)
            in_b = 0.0 if settled else state[SLOPE]
            bound, by_convexity = _bound(w, penalty, g, m, in_b, weights)
            measure = min(abs(value), max(at_zero - value, by_convexity))
            promising = bound <= _PROMISING * tol * measure or most == 0 or final or not state[CURVATURE] > 0.0
            if settled or not promising:
                break
            theta[d], settled = _settled(z, theta[d], v, address, parameters, work, r, c, state)
            if not settled:
                return
        state[SETTLED] = 1.0 if settled else 0.0
        reached = settled and bound <= tol * measure
        final = final or (reached and not to_rounding)
        if final or state[STEPS] == most:
            break
        anew, curvature = state[KEPT] == 0.0, state[CURVATURE]
        if not direction(copy, c, m, g, in_b, weights, known, centre, gram_work, grams, p, curvature, anew):
            return
        db, decrement, linear, quadratic = _model(theta, p, g, m, in_b, weights, state)
        if state[MET] > 0.0 and not 0.0 < decrement <= _PROGRESS * state[LAST]:
            final = True
            break
        if not (state[MET] > 0.0 or reached) and decrement <= _HIDDEN * abs(value):
            return
        if reached:
            state[MET] = 1.0
        final = state[MET] > 0.0 and 0.5 * decrement <= _FINAL * measure
        penalty = _advanced(
            forward, theta, p, db, linear, quadratic, decrement, weights, v, address, parameters, work, z, after, r, c,
            change, trial, state,
        )  # fmt: skip
        if math.isnan(penalty):
            state[SETTLED] = 0.0
            return
        for j in range(d + 1):
            theta[j] = trial[j]
        state[LAST], state[FIRST], state[KEPT] = decrement, 0.0, 1.0
        state[STEPS] += 1.0
        z, after = after, z
    state[ENDED] = 1.0 if final else 0.0
