"""A Newton step in the dual of the joint margin, between sweeps of coordinate ascent.

Sweeps find which rows are at 0 or at their largest multiplier, and how classes share them; how the others depend on each
other they see one by one, and where C is large that takes thousands of sweeps. A step solves for all of them by conjugate
gradients, preconditioned by each row's own part: where a sweep leaves a part 1 − ε of the error, so many products with
X leave about (1 − √ε). Any dual variables are feasible, so that nothing needs to be exact; that a step climbs is seen by
the slope at its end, as the dual is concave.
"""

from __future__ import annotations

import os
import time
from typing import Any

import numpy as np

from ..kernels import joint_ascent_newton as kernel

_LEFT, _MOST = float(os.environ.get("LEFT", 0.1)), int(os.environ.get("MOST", 60))
_SHORTEST = 1.0 / 64.0


def newton_step(ascent: Any) -> bool:
    """Move the dual variables of an ascent, and its coefficients; whether they are better now."""
    codes, k, alpha, rows = ascent._codes, ascent._objective.n_outputs, ascent._alpha, ascent._rows
    weights, spring = ascent._weights, ascent._spring
    n, lanes = alpha.shape
    pad = np.zeros(lanes)
    pad[:k] = ascent.b + spring * ascent._balance
    z, g, v, s, p, h = (np.empty((n, lanes)) for _ in range(6))
    w = ascent._w
    kernel.multiply_rows(rows.rows, rows.diagonal, alpha, w, z)
    own = alpha[np.arange(n), codes]
    slopes = np.divide(own, weights, out=np.zeros(n), where=weights > 0.0)
    margins, stiffness = np.empty(n), np.empty(n)
    inverse = ascent._objective.loss.compiled_inverse()
    kernel.inverse_slopes(slopes, inverse.address if hasattr(inverse, "address") else inverse[0], inverse[1], margins, stiffness)
    cap = -ascent._objective.loss.slope_bounds()[0]
    stiffness = np.divide(-stiffness, weights, out=np.zeros(n), where=weights > 0.0)
    stiffness[slopes >= cap * (1 - 1e-12)] = np.inf
    kernel.gradients(codes, k, alpha, z, pad, margins, g)
    kappa = rows.squares + spring
    delta = np.zeros((n, lanes))
    w2 = np.empty_like(w)
    step = np.zeros((n, lanes))
    size = first = kernel.precondition(codes, k, alpha, kappa, stiffness, g, s)
    v = s.copy()
    left = g.copy()
    for it in range(_MOST):
        kernel.to_alpha(codes, k, v, delta)
        kernel.multiply_rows(rows.rows, rows.diagonal, delta, w2, z)
        pad2 = np.zeros(lanes); pad2[:k] = spring * delta[:, :k].sum(axis=0)
        along = kernel.add_products(codes, k, alpha, stiffness, v, z, pad2, p)
        if not along > 0: break
        t = size / along
        step += t * v
        left -= t * p
        last, size = size, kernel.precondition(codes, k, alpha, kappa, stiffness, left, s)
        if os.environ.get("DBG"): print("    cg", it, size / first)
        if size <= _LEFT**2 * first:
            break
        v *= size / last
        v += s
    most = np.minimum(cap * weights, 1e300)
    kernel.advance(codes, k, alpha, step, most, stiffness, delta)
    t = 1.0
    kernel.multiply_rows(rows.rows, rows.diagonal, delta, w2, z)
    z0 = np.empty_like(z)
    kernel.multiply_rows(rows.rows, rows.diagonal, alpha, w, z0)
    change = delta[:, :k].sum(axis=0)
    ok = False
    low, at_low, high, at_high = 0.0, kernel.slope(codes, k, g, delta), 0.0, 0.0
    start, tried = at_low, 0
    if start > 0:
      for tried in range(1, 9):
        new = alpha + t * delta
        pad[:k] = ascent.b + spring * (ascent._balance + t * change)
        own = new[np.arange(n), codes]
        slopes = np.divide(own, weights, out=np.zeros(n), where=weights > 0.0)
        kernel.inverse_slopes(slopes, inverse[0], inverse[1], margins, p[:, 0].copy())
        kernel.gradients(codes, k, new, z0 + t * z, pad, margins, g)
        slope = kernel.slope(codes, k, g, delta)
        if os.environ.get("DBG"): print("    t", t, "slope", slope, "start", start)
        if os.environ.get("FULL") or slope >= 0.0 and t == 1.0 or abs(slope) < 0.2 * start:
            ok = True
            break
        if slope > 0: low, at_low = t, slope
        else: high, at_high = t, slope
        t = low + (high - low) * min(max(at_low / (at_low - at_high), 0.1), 0.9)
      else:
        t = low
        new = alpha + t * delta
        ok = t > 0
    else: slope = 0.0
    print("    start", f"{start:.2e}", "tried", tried)
    print("   newton", it + 1, "products, t", t, f"slope {slope:.2e} model {first:.2e}")
    if ok:
        ascent._alpha[...] = new
        ascent._w += t * w2
        ascent._balance = ascent._balance + t * change
        ascent._idle[...] = 0
        if ascent._objective.fit_intercept and os.environ.get("BUP", "1") == "1":
            ascent.b = ascent.b + spring * ascent._balance
    return ok


def spy(a):
    return f"spring {a._spring:.2e} |b| {np.abs(a.b).max():.2f} bal {np.abs(a._balance).sum():.1e} balcheck {np.abs(a._alpha[:, :a._objective.n_outputs].sum(axis=0) - a._balance).sum():.1e} maxa {a._alpha.max():.2e} gain {a._sums[0]:.2e}"
