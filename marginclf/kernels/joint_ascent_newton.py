"""What a Newton step in the dual of the joint margin does row by row; see :mod:`marginclf.solvers.dual_newton`.

The dual variables of a row are α = β e_y − Σ v_k e_k, v_k > 0 for the other classes, β = Σ v, q = v/β. In v, the dual
objective has the gradient g and, beside that of ½‖W‖², the negative Hessian M:

    g_k = m(β) − log q_k − z_y + z_k,   M = stiffness 11ᵀ + diag(1/v) − 11ᵀ/β,   stiffness = −m'(β),

with m(β) the margin where −C s φ'(m) = β. ½‖W‖² adds κ (1 + 11ᵀ) within a row. Rows at 0 rest, and those at the largest
β, with a stiffness of infinity, keep it. Arrays of classes are (n, P), zero for a row's own class and beyond K.
"""

from __future__ import annotations

import math

from .cache import kernel
from .inverse import apply_inverse
from .joint_ascent import add_all, dot_all

_FAST = {"fastmath": {"contract", "reassoc", "nsz"}}

_TINY = 1e-200
"""v whose reciprocal is of no use; it stays as it is."""

_LEAST, _GROWTH = 0.01, 1e4
"""What is left of β at least, and by what q_k grows at most, in a step."""

_AT_CAP = 1.0 - 1e-12


@kernel(**_FAST)
def combine_joint(rows, alpha, w):
    """W = Σ x αᵀ."""
    for j in range(w.shape[0]):
        for k in range(w.shape[1]):
            w[j, k] = 0.0
    for i in range(alpha.shape[0]):
        if alpha[i].any():
            add_all(rows, i, alpha[i], w)


@kernel(**_FAST)
def decisions_of_dual(rows, diagonal, alpha, w, z):
    """W x of each row, ``diagonal`` standing for columns that are in no other."""
    for i in range(z.shape[0]):
        for k in range(z.shape[1]):
            z[i, k] = diagonal[i] * alpha[i, k]
        dot_all(rows, i, w, z[i])


@kernel()
def gradients(codes, n_classes, alpha, z, b, weights, cap, address, parameters, work, stiffness, g):
    """g and the stiffness of each row, from decision values z + b."""
    slopes, margins, derivatives = work[0], work[1], work[2]
    for i in range(codes.size):
        slopes[i] = alpha[i, codes[i]] / weights[i] if weights[i] > 0.0 else 0.0
    apply_inverse(address, parameters, slopes, margins, derivatives, codes.size)
    for i in range(codes.size):
        y = codes[i]
        beta = alpha[i, y]
        for k in range(g.shape[1]):
            g[i, k] = 0.0
        if beta > 0.0:
            stiffness[i] = -derivatives[i] / weights[i] if slopes[i] < _AT_CAP * cap else math.inf
            base = margins[i] + math.log(beta) - z[i, y] - b[y]
            for k in range(n_classes):
                if k != y and -alpha[i, k] > _TINY:
                    g[i, k] = base - math.log(-alpha[i, k]) + z[i, k] + b[k]


@kernel()
def precondition(codes, n_classes, alpha, kappa, stiffness, g, found):
    """The inverse of the Hessian within each row times g to ``found``; returns the product of both."""
    product = 0.0
    for i in range(codes.size):
        y = codes[i]
        beta = alpha[i, y]
        if not beta > 0.0:
            continue
        total = along = 0.0
        for k in range(n_classes):
            found[i, k] = 0.0
            if k != y and -alpha[i, k] > _TINY:
                found[i, k] = -alpha[i, k] / (1.0 - kappa[i] * alpha[i, k])
                total += found[i, k]
                along += found[i, k] * g[i, k]
        if total == 0.0:
            continue
        if stiffness[i] == math.inf:
            mean = along / total
        else:
            common = kappa[i] + stiffness[i] - 1.0 / beta
            mean = common * along / max(1.0 + common * total, 1e-300)
        for k in range(n_classes):
            found[i, k] *= g[i, k] - mean
            product += found[i, k] * g[i, k]
    return product


@kernel(**_FAST)
def hessian_product(rows, diagonal, codes, n_classes, alpha, stiffness, spring, v, w, room, product):
    """The negative Hessian of the dual objective times v to ``product``; returns vᵀHv. ``room`` is (2, P)."""
    own, sums = room[0], room[1]
    for j in range(w.shape[0]):
        for k in range(w.shape[1]):
            w[j, k] = 0.0
    for k in range(sums.size):
        own[k] = sums[k] = 0.0
    for i in range(codes.size):
        y = codes[i]
        if alpha[i, y] > 0.0:
            total = 0.0
            for k in range(n_classes):
                own[k] = -v[i, k]
                total += v[i, k]
            own[y] = total
            for k in range(n_classes):
                sums[k] += own[k]
            add_all(rows, i, own, w)
    along = 0.0
    for i in range(codes.size):
        y, beta = codes[i], alpha[i, codes[i]]
        if not beta > 0.0:
            continue
        total = 0.0
        for k in range(n_classes):
            total += v[i, k]
            own[k] = spring * sums[k] - diagonal[i] * v[i, k]
        own[y] = spring * sums[y] + diagonal[i] * total
        dot_all(rows, i, w, own)
        common = own[y]
        if stiffness[i] < math.inf:
            common += (stiffness[i] - 1.0 / beta) * total
        for k in range(n_classes):
            if k != y and -alpha[i, k] > _TINY:
                product[i, k] = common - own[k] - v[i, k] / alpha[i, k]
                along += product[i, k] * v[i, k]
    return along


@kernel()
def changes(codes, n_classes, alpha, v, cap, weights, stiffness, found):
    """What dual variables change by in a step, with v kept positive and β at most at its cap."""
    for i in range(codes.size):
        y, beta = codes[i], alpha[i, codes[i]]
        change = total = 0.0
        for k in range(found.shape[1]):
            found[i, k] = 0.0
        for k in range(n_classes):
            change += v[i, k]
        for k in range(n_classes):
            if k != y and -alpha[i, k] > _TINY:
                # log q is what the equations are about: exact where q becomes less and z is as predicted.
                x = -v[i, k] / alpha[i, k] - change / beta
                found[i, k] = -alpha[i, k] * (math.exp(x) if x < 0.0 else min(1.0 + x, _GROWTH))
                total += found[i, k]
        if not total > 0.0:
            continue
        new = beta if stiffness[i] == math.inf else min(max(beta + change, _LEAST * beta), cap * weights[i])
        change = 0.0
        for k in range(n_classes):
            if found[i, k] > 0.0:
                found[i, k] = -found[i, k] * (new / total) - alpha[i, k]
                change -= found[i, k]
        found[i, y] = change


@kernel()
def slope_along(codes, n_classes, g, change):
    """The slope of the dual objective along a change of the dual variables, from its gradient."""
    slope = 0.0
    for i in range(codes.size):
        for k in range(n_classes):
            if k != codes[i]:
                slope -= g[i, k] * change[i, k]
    return slope
