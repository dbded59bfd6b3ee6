"""The quadratic model of a smooth function beside a penalty with kinks and bounds: coordinate descent, then Newton.

    minimise q·δ + ½ δᵀHδ + Σ_g kink_g ‖u_g‖,   lower ≤ u ≤ upper,   u = u₀ + δ,

over blocks g of neighbouring entries; of a block of one entry ‖u_g‖ is |u|. Descent finds which blocks are zero and
which entries are at a bound. Once these stand, what is left is smooth: a Newton step ends it, or goes as far as the
first entry that changes its sign or meets a bound, as the feature-sign search of Lee, Battle, Raina, Ng (2006),
Efficient sparse coding algorithms, NIPS 19, does.
"""

from __future__ import annotations

import math

from . import cholesky
from .cache import inner, kernel

_SUMS = {"fastmath": {"contract", "reassoc", "nsz"}}

PAUSE = 4
"""Sweeps between two Newton steps, and one more for every 20 entries."""

MOST = 2000
"""Entries up to which the system of a Newton step is factored."""

_HALVINGS = 60


# Inlined by force, for the reason given at rows.apply_loss; the others add nothing in another order.
@inner(forceinline=True, **_SUMS)
def _move(h, q, i, d):
    """Entry i moves by d, and q with it."""
    row = h[i]
    for j in range(q.size):
        q[j] += d * row[j]


@inner()
def _block_step(v, first, last, scale, kink, lower, upper, new):
    """argmin ½ scale ‖u‖² − v·u + kink ‖u‖ within the bounds, of one block."""
    boxed, at_zero, size, high = False, True, 0.0, 0.0
    for i in range(first, last):
        boxed = boxed or lower[i] > -math.inf or upper[i] < math.inf
        at_zero = at_zero and lower[i] <= 0.0 <= upper[i]
        # What points out of the bounds at 0 does not count there.
        out = (upper[i] <= 0.0 and v[i] > 0.0) or (lower[i] >= 0.0 and v[i] < 0.0)
        size += 0.0 if out else v[i] * v[i]
        x = min(max(v[i] / scale, lower[i]), upper[i])
        high += x * x
    size, high, low = math.sqrt(size), math.sqrt(high), 0.0
    if at_zero and size <= kink:
        for i in range(first, last):
            new[i] = 0.0
        return
    if not boxed:
        for i in range(first, last):
            new[i] = (1.0 - kink / size) * v[i] / scale
        return
    # u = clip(v/(scale + kink/r)) with r = ‖u‖: the right side less r falls through 0 once.
    for _ in range(_HALVINGS):
        r = 0.5 * (low + high)
        if r <= low or r >= high:
            break
        found = 0.0
        for i in range(first, last):
            x = min(max(v[i] / (scale + kink / r), lower[i]), upper[i])
            found += x * x
        if math.sqrt(found) > r:
            low = r
        else:
            high = r
    for i in range(first, last):
        new[i] = min(max(v[i] / (scale + kink / high) if high > 0.0 else 0.0, lower[i]), upper[i])


@inner()
def _sweep(h, q, u, starts, kink, scale, lower, upper, unit, everything, v, new):
    """One round over the blocks, or those that are not zero; the largest move, in units of the gradient."""
    worst, changed = 0.0, False
    for g in range(kink.size):
        first, last = starts[g], starts[g + 1]
        if last == first + 1:
            i = first
            if not everything and u[i] == 0.0 and kink[g] > 0.0:
                continue
            t = scale[g] * u[i] - q[i]
            x = t - kink[g] if t > kink[g] else (t + kink[g] if t < -kink[g] else 0.0)
            x = min(max(x / scale[g], lower[i]), upper[i])
            if x != u[i]:
                changed = changed or (x == 0.0) != (u[i] == 0.0) or x * u[i] < 0.0
                changed = changed or (x == lower[i]) != (u[i] == lower[i]) or (x == upper[i]) != (u[i] == upper[i])
                worst = max(worst, abs(x - u[i]) * scale[g] / unit[g])
                _move(h, q, i, x - u[i])
                u[i] = x
            continue
        was = False
        for i in range(first, last):
            was = was or u[i] != 0.0
        if not everything and not was:
            continue
        for i in range(first, last):
            v[i] = scale[g] * u[i] - q[i]
        _block_step(v, first, last, scale[g], kink[g], lower, upper, new)
        now, moved = False, 0.0
        for i in range(first, last):
            moved += (new[i] - u[i]) ** 2
        for i in range(first, last):
            x = new[i]
            now = now or x != 0.0
            if x != u[i]:
                changed = changed or (x == lower[i]) != (u[i] == lower[i]) or (x == upper[i]) != (u[i] == upper[i])
                _move(h, q, i, x - u[i])
                u[i] = x
        changed = changed or now != was
        worst = max(worst, math.sqrt(moved) * scale[g] / unit[g])
    return worst, changed


@inner()
def _free_entries(q, u, starts, kink, lower, upper, members, slope, bend):
    """The entries that may move without a kink or a bound, with the slope and the radius of each one's block."""
    s = 0
    for g in range(kink.size):
        first, last = starts[g], starts[g + 1]
        size = 0.0
        for i in range(first, last):
            size += u[i] * u[i]
        size = math.sqrt(size)
        if size == 0.0 and kink[g] > 0.0:
            continue
        for i in range(first, last):
            pull = q[i] + (kink[g] * u[i] / size if kink[g] > 0.0 else 0.0)
            if (u[i] <= lower[i] and pull > 0.0) or (u[i] >= upper[i] and pull < 0.0) or lower[i] == upper[i]:
                continue
            members[s], slope[s] = i, pull
            bend[s] = kink[g] / size if last > first + 1 and kink[g] > 0.0 else 0.0
            s += 1
    return s


@inner()
def _fall(h, q, u, step, members, s, starts, kink, t):
    """What the model loses by a step: negative where it falls."""
    found = 0.0
    for a in range(s):
        d = t * step[a]
        found += q[members[a]] * d
        for b in range(s):
            found += 0.5 * d * h[members[a], members[b]] * t * step[b]
    a = 0
    for g in range(kink.size):
        first, last = starts[g], starts[g + 1]
        before = after = 0.0
        moved = False
        for i in range(first, last):
            d = 0.0
            if a < s and members[a] == i:
                d = t * step[a]
                a += 1
                moved = True
            before += u[i] * u[i]
            after += (u[i] + d) ** 2
        if moved:
            found += kink[g] * (math.sqrt(after) - math.sqrt(before))
    return found


@inner()
def _newton_step(h, q, u, starts, kink, lower, upper, ridge, a, members, slope, bend):
    """Minimise the model on the entries that are free, as far as the first that changes its sign or meets a bound."""
    s = _free_entries(q, u, starts, kink, lower, upper, members, slope, bend)
    if s == 0 or s > MOST:
        return False
    grouped = False
    for i in range(s):
        mi = members[i]
        for j in range(s):
            a[i, j] = h[mi, members[j]]
        a[i, i] += ridge + bend[i]
        grouped = grouped or bend[i] > 0.0
    if grouped:
        at = 0
        for g in range(kink.size):
            first, last = starts[g], starts[g + 1]
            begin = at
            size = 0.0
            for i in range(first, last):
                size += u[i] * u[i]
            while at < s and members[at] < last:
                at += 1
            if last > first + 1 and kink[g] > 0.0 and at > begin:
                for i in range(begin, at):
                    for j in range(begin, at):
                        a[i, j] -= bend[i] * u[members[i]] * u[members[j]] / size
    if not cholesky.factor(a, s):
        return False
    step = slope
    for i in range(s):
        step[i] = -slope[i]
    cholesky.solve(a, s, step)
    t, hit, bound = 1.0, -1, 0.0
    at = 0
    for g in range(kink.size):
        single = starts[g + 1] == starts[g] + 1
        while at < s and members[at] < starts[g + 1]:
            i = members[at]
            to = u[i] + step[at]
            if not abs(to) < math.inf:
                return False
            ends = 0.0 if single and kink[g] > 0.0 and u[i] * to < 0.0 else to
            ends = min(max(ends, lower[i]), upper[i])
            if ends != to and abs(ends - u[i]) < t * abs(step[at]):
                t, hit, bound = abs(ends - u[i]) / abs(step[at]), at, ends
            at += 1
    if grouped:
        halvings = 0
        while not _fall(h, q, u, step, members, s, starts, kink, t) < 0.0:
            t, hit = 0.5 * t, -1
            halvings += 1
            if halvings > 20:
                return False
    for k in range(s):
        i = members[k]
        d = bound - u[i] if k == hit else t * step[k]
        u[i] = bound if k == hit else u[i] + d
        _move(h, q, i, d)
    return True


@inner()
def minimised(h, q, u, starts, kink, scale, lower, upper, unit, accuracy, most, a, members, work):
    """As :func:`minimise_quadratic`, for other kernels."""
    m = q.size
    ridge = 0.0
    for i in range(m):
        ridge = max(ridge, h[i, i])
    ridge = 1e-13 * ridge + 1e-300
    slope, bend, new = work[0], work[1], work[2]
    pause = PAUSE + m // 20
    idle = pause  # where the blocks that are not zero are known already, a Newton step comes at once
    everything = True
    for done in range(most):
        idle += 1
        worst, changed = _sweep(h, q, u, starts, kink, scale, lower, upper, unit, everything, bend, new)
        if worst <= accuracy:
            if everything:
                return done + 1
            everything = True
            continue
        everything = False
        if not changed and idle > pause:
            idle = 0
            if _newton_step(h, q, u, starts, kink, lower, upper, ridge, a, members, slope, bend):
                everything = True
    return most


@kernel()
def minimise_quadratic(h, q, u, starts, kink, scale, lower, upper, unit, accuracy, most, a, members, work):
    """Minimise the model in place: ``u`` becomes the minimum and ``q`` the gradient of its smooth part there.

    Parameters
    ----------
    h : ndarray of shape (m, m)
        H, symmetric and positive semidefinite.
    q, u : ndarray of shape (m,)
        The gradient at u₀, and u₀.
    starts : ndarray of int of shape (n_blocks + 1,)
        Where each block begins.
    kink, scale, unit : ndarray of shape (n_blocks,)
        The weight of the norm of a block, a bound on the largest eigenvalue of its part of H, and what its moves are
        measured by, as amounts of the gradient.
    lower, upper : ndarray of shape (m,)
        The bounds, infinite where there are none.
    accuracy : float
        The largest move of a last round, in these units.
    most : int
        The largest number of rounds.
    a, members, work : ndarray of shape (m, m), of int64 of shape (m,) and of shape (3, m)
        Work space.

    Returns
    -------
    int
        Rounds.
    """
    return minimised(h, q, u, starts, kink, scale, lower, upper, unit, accuracy, most, a, members, work)
