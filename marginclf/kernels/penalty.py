"""A penalty with kinks and bounds inside compiled loops: Σ κ ‖u_g‖ + ½ Σ λ u², and what slopes prove beside it."""

from __future__ import annotations

import math

from .cache import inner

SUMS = {"fastmath": {"contract", "reassoc", "nsz"}}


@inner(**SUMS)
def norm(u, first, last):
    size = 0.0
    for i in range(first, last):
        size += u[i] * u[i]
    return math.sqrt(size)


@inner(**SUMS)
def penalty(u, starts, kink, quadratic):
    """Σ κ ‖u_g‖, and ½ Σ λ u²."""
    kinks = squares = 0.0
    for g in range(kink.size):
        kinks += kink[g] * norm(u, starts[g], starts[g + 1])
    for i in range(u.size):
        squares += 0.5 * quadratic[i] * u[i] * u[i]
    return kinks, squares


@inner()
def _held(g, u, kink, lower, upper):
    """The part of −g, of an entry that is a block, which a bound holds that u is at."""
    left = -g - (kink if u > 0.0 else -kink if u < 0.0 else 0.0)
    return left if (u >= upper and left > 0.0) or (u <= lower and left < 0.0) else 0.0


@inner(**SUMS)
def gap(u, g, starts, kink, quadratic, lower, upper, above):
    """What the slopes g of the losses prove: see objective/nonsmooth_penalty.py. Bounds are those of lone entries."""
    t, total = 1.0, 0.0
    for k in range(kink.size):
        i = starts[k]
        if quadratic[i] == 0.0:
            size = norm(g, i, starts[k + 1])
            if starts[k + 1] == i + 1:
                size = abs(g[i] + _held(g[i], u[i], kink[k], lower[i], upper[i]))
            if size > kink[k]:
                t = min(t, kink[k] / size)
    for k in range(kink.size):
        for i in range(starts[k], starts[k + 1]):
            total += t * g[i] * u[i] + 0.5 * quadratic[i] * u[i] * u[i]
        total += kink[k] * norm(u, starts[k], starts[k + 1])
        i = starts[k]
        if quadratic[i] > 0.0:
            over = max(t * abs(g[i]) - kink[k], 0.0)
            best = over / quadratic[i] if g[i] < 0.0 else -over / quadratic[i]
            best = min(max(best, lower[i]), upper[i])
            total -= t * g[i] * best + kink[k] * abs(best) + 0.5 * quadratic[i] * best * best
        elif starts[k + 1] == i + 1:
            held = _held(g[i], u[i], kink[k], lower[i], upper[i])
            if held != 0.0:
                total += t * held * u[i]
    return max(total, 0.0) + (1.0 - t) * above
