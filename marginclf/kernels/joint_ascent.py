"""One sweep of block coordinate ascent over the dual variables of the joint margin, for every storage and every loss.

A row has K dual variables α = a (e_y − q), with a = −C s φ' and q a distribution over the other classes, and
w = Σ x αᵀ. With κ = ‖x‖² and u the decision values without the row's own share, what the row adds to the dual falls by

    C s φ*(−a / (C s)) − a H(q) + ½ κ a² (1 + ‖q‖²) + a (u_y − q·u),   H(q) = −Σ q log q,

which is minimised over q for the present a (one or two of Newton's steps for q = softmax(u − κ a q), whose matrix is
diagonal and of rank one beside), and then exactly over a: that is the proximal step of φ at u_y − q·u − H(q) with
stiffness C s κ (1 + ‖q‖²). Any α of this form is feasible, so that neither needs to be exact.
"""

from __future__ import annotations

import math

from numba import types
from numba.extending import overload

from .cache import inner, kernel
from .csr import add_multiple
from .elementary import exp
from .prox import apply_prox

_OPTIONS = {"fastmath": {"contract", "reassoc", "nsz"}, "error_model": "numpy", "forceinline": True}

_PATIENCE, _LONGEST = 2, 3
"""As in :mod:`marginclf.kernels.ascent`."""

_NEWTON = 20
"""One to three are enough, but where a Newton step has set the dual variables: steps that go down make sweeps swing."""

_CLOSE = 1e-2
"""Change of a decision value, in a step for q, from which on another step is taken."""


def dot_all(rows, i, w, z):
    """z += x_i w, for all classes."""


def add_all(rows, i, step, w):
    """w += x_i stepᵀ."""


@overload(dot_all)
def _choose_dot_all(rows, i, w, z):
    if isinstance(rows, types.BaseTuple):
        return lambda rows, i, w, z: _dot_all_packed(rows, i, w, z)
    return lambda rows, i, w, z: _dot_all_dense(rows, i, w, z)


@overload(add_all)
def _choose_add_all(rows, i, step, w):
    if isinstance(rows, types.BaseTuple):
        return lambda rows, i, step, w: _add_all_packed(rows, i, step, w)
    return lambda rows, i, step, w: _add_all_dense(rows, i, step, w)


@inner(**_OPTIONS)
def _dot_all_packed(rows, i, w, z):
    values, columns, starts, stops = rows
    # Sums in registers: in memory, each would wait for the one before to be stored.
    for k in range(0, z.size, 4):
        t0 = t1 = t2 = t3 = 0.0
        for p in range(starts[i], stops[i]):
            x, c = 1.0 * values[p], columns[p]
            t0, t1, t2, t3 = t0 + x * w[c, k], t1 + x * w[c, k + 1], t2 + x * w[c, k + 2], t3 + x * w[c, k + 3]
        z[k], z[k + 1], z[k + 2], z[k + 3] = z[k] + t0, z[k + 1] + t1, z[k + 2] + t2, z[k + 3] + t3


@inner(**_OPTIONS)
def _add_all_packed(rows, i, step, w):
    values, columns, starts, stops = rows
    for p in range(starts[i], stops[i]):
        add_multiple(1.0 * values[p], step, w[columns[p]])


@inner(**_OPTIONS)
def _dot_all_dense(rows, i, w, z):
    for j in range(rows.shape[1]):
        add_multiple(1.0 * rows[i, j], w[j], z)


@inner(**_OPTIONS)
def _add_all_dense(rows, i, step, w):
    for j in range(rows.shape[1]):
        add_multiple(1.0 * rows[i, j], step, w[j])


@inner(**_OPTIONS)
def _decision_values(rows, i, w, b, own, balance, spring, diagonal, kappa, n_classes, z, step):
    """The decision values to ``z``, and what they are without the row's own share to ``step``."""
    lanes = w.shape[1]
    for k in range(lanes):
        z[k] = 0.0
    dot_all(rows, i, w, z[:lanes])
    for k in range(n_classes):
        z[k] += b[k] + spring * balance[k] + diagonal * own[k]
        step[k] = z[k] - kappa * own[k]


@inner(**_OPTIONS)
def _softmax(zeta, y, n_classes, q):
    """q from decision values, 0 for class y; returns the logarithm of the sum of the others."""
    top = -math.inf
    for k in range(n_classes):
        top = zeta[k] if k != y and zeta[k] > top else top
    for k in range(n_classes):
        q[k] = exp(zeta[k] - top)
    q[y] = 0.0
    total = 0.0
    for k in range(n_classes):
        total += q[k]
    inverse = 1.0 / total
    for k in range(n_classes):
        q[k] *= inverse
    return top + math.log(total)


@inner(**_OPTIONS)
def _row_prox(z, q, step, y, n_classes, lse, stiffness, last, address, parameters, out):
    """The proximal step of φ at u_y − q·u − H(q), with H(q) = lse − q·z; to ``out``."""
    mean = mean_u = norm = 0.0
    for k in range(n_classes):
        mean += q[k] * z[k]
        mean_u += q[k] * step[k]
        norm += q[k] * q[k]
    apply_prox(address, parameters, out, step[y] - mean_u - lse + mean, stiffness * (1.0 + norm), last)


@inner(**_OPTIONS)
def _set_row(a, q, y, n_classes, own, delta):
    """Sets the dual variables of a row to a (e_y − q); the change to ``delta``, and the square of its norm returned."""
    size = 0.0
    for k in range(n_classes):
        new = a if k == y else -a * q[k]
        delta[k] = new - own[k]
        own[k] = new
    for k in range(n_classes):
        size += delta[k] * delta[k]
    for k in range(n_classes, delta.size):
        delta[k] = 0.0
    return size


@inner(**_OPTIONS)
def _sleep(idle):
    """For a row whose step changes nothing: how many times in succession, and how many sweeps pass over it now."""
    times = min(idle[0] + 1, _PATIENCE + _LONGEST)
    idle[0] = times
    if times > _PATIENCE:
        idle[1] = (1 << (times - _PATIENCE)) - 1


@kernel(**{"fastmath": {"contract", "reassoc", "nsz"}})
def sweep_joint(
    rows, order, run, codes, weights, squares, diagonal, alpha, u_last, idle, w, b, balance, spring,
    n_classes, address, parameters, out, work, sums,
):  # fmt: skip
    """Visits runs of ``run`` rows in the given order and updates alpha and w.

    The intercepts are b + ``spring`` · Σ α, and ``balance`` is Σ α. ``diagonal`` is the part of ‖x‖² that is not in
    ``rows``; ``u_last`` is a first guess of the margin. To ``sums``: about the gain of the dual objective; the rows
    that were visited.
    """
    gain = 0.0
    visited = 0
    z, q, delta, step = work[0], work[1], work[2], work[3]
    lanes = w.shape[1]
    for t in range(order.size):
        for i in range(order[t] * run, min(codes.size, (order[t] + 1) * run)):
            if idle[i, 1] > 0:
                idle[i, 1] -= 1
                continue
            weight = weights[i]
            if weight == 0.0:
                continue
            visited += 1
            y = codes[i]
            own = alpha[i]
            kappa = squares[i] + spring
            before = own[y]
            _decision_values(rows, i, w, b, own, balance, spring, diagonal[i], kappa, n_classes, z, step)
            lse = _softmax(z, y, n_classes, q)
            if before > 0.0:
                a_kappa = kappa * before
                for _ in range(_NEWTON):
                    along = across = 0.0
                    for k in range(n_classes):
                        delta[k] = (step[k] - z[k] - a_kappa * q[k]) / (1.0 + a_kappa * q[k])
                    for k in range(n_classes):
                        along += q[k] * delta[k]
                        across += q[k] * q[k] / (1.0 + a_kappa * q[k])
                    factor = a_kappa * along / (1.0 - a_kappa * across)
                    largest = 0.0
                    for k in range(n_classes):
                        change = delta[k] + factor * q[k] / (1.0 + a_kappa * q[k])
                        # Long steps are cut: exp must not run away from what was linearised.
                        change = min(max(change, -2.0), 2.0) if k != y else 0.0
                        z[k] += change
                        largest = max(largest, abs(change))
                    lse = _softmax(z, y, n_classes, q)
                    if largest < _CLOSE:
                        break
            _row_prox(z, q, step, y, n_classes, lse, weight * kappa, u_last[i], address, parameters, out)
            a = weight * out[1]
            if not abs(a) < math.inf:
                # The loss overflows within reach of this row; the others may bring it back.
                continue
            u_last[i] = out[0]
            size = _set_row(a, q, y, n_classes, own, delta[:lanes])
            if size == 0.0:
                _sleep(idle[i])
                continue
            gain += 0.5 * kappa * size
            for k in range(n_classes):
                balance[k] += delta[k]
            add_all(rows, i, delta[:lanes], w)
            idle[i, 0] = 0
    sums[0] = gain
    sums[1] = visited
