"""What a Newton step in the dual of the joint margin does row by row (the method: :mod:`marginclf.solvers.dual_newton`).

The dual variables of a row are α = β e_y − Σ v_k e_k, v_k > 0 for the other classes, β = Σ v, q = v/β. Their dual
objective has, in v, the gradient and the negative Hessian

    g_k = m(β) − log q_k − z_y + z_k,   M = (−m'(β)) 11ᵀ + diag(1/v) − 11ᵀ/β,

the latter beside that of ½‖W‖², which is κ (1 + 11ᵀ) within a row. Rows at β = 0 rest, and those at the largest β
(``stiffness`` of infinity) keep it.
"""

from __future__ import annotations

import math

from .cache import inner, kernel
from .inverse import apply_inverse
from .joint_ascent import add_all, dot_all

_OPTIONS = {"fastmath": {"contract", "reassoc", "nsz"}, "error_model": "numpy", "forceinline": True}

_TINY = 1e-200
"""v whose reciprocal is of no use; it stays as it is."""

_LEAST, _GROWTH = 0.01, 1e4


@kernel(**{"fastmath": {"contract", "reassoc", "nsz"}})
def multiply_rows(rows, diagonal, alpha, w, z):
    """W = Σ x αᵀ to ``w``, and W x to ``z``."""
    for j in range(w.shape[0]):
        for k in range(w.shape[1]):
            w[j, k] = 0.0
    for i in range(z.shape[0]):
        if alpha[i].any():
            add_all(rows, i, alpha[i], w)
    for i in range(z.shape[0]):
        for k in range(z.shape[1]):
            z[i, k] = diagonal[i] * alpha[i, k]
        dot_all(rows, i, w, z[i])


@kernel()
def gradients(codes, n_classes, alpha, z, b, margins, g):
    """g; 0 where v is."""
    for i in range(codes.size):
        y = codes[i]
        beta = alpha[i, y]
        if beta > 0.0:
            base = margins[i] + math.log(beta) - z[i, y] - b[y]
        for k in range(g.shape[1]):
            g[i, k] = 0.0
            if k < n_classes and k != y and -alpha[i, k] > _TINY:
                g[i, k] = base - math.log(-alpha[i, k]) + z[i, k] + b[k]


@kernel()
def precondition(codes, n_classes, alpha, kappa, stiffness, g, found):
    """The Hessian within each row, its inverse times g to ``found``; returns the product of both."""
    product = 0.0
    for i in range(codes.size):
        y, beta = codes[i], alpha[i, codes[i]]
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
            c = kappa[i] + stiffness[i] - 1.0 / beta
            mean = c * along / max(1.0 + c * total, 1e-300)
        for k in range(n_classes):
            found[i, k] *= g[i, k] - mean
            product += found[i, k] * g[i, k]
    return product


@kernel()
def to_alpha(codes, n_classes, v, alpha):
    """What v is as dual variables."""
    for i in range(codes.size):
        total = 0.0
        for k in range(n_classes):
            alpha[i, k] = -v[i, k]
            total += v[i, k]
        alpha[i, codes[i]] = total


@kernel()
def add_products(codes, n_classes, alpha, stiffness, v, z, b, product):
    """The Hessian times v to ``product``, from what v makes of the decision values; returns vᵀHv."""
    along = 0.0
    for i in range(codes.size):
        y, beta = codes[i], alpha[i, codes[i]]
        total = 0.0
        for k in range(n_classes):
            total += v[i, k]
        common = z[i, y] + b[y]
        if beta > 0.0 and stiffness[i] < math.inf:
            common += (stiffness[i] - 1.0 / beta) * total
        for k in range(n_classes):
            product[i, k] = 0.0
            if k != y and -alpha[i, k] > _TINY:
                product[i, k] = common - z[i, k] - b[k] - v[i, k] / alpha[i, k]
                along += product[i, k] * v[i, k]
    return along


@kernel()
def advance(codes, n_classes, alpha, v, most, stiffness, found):
    """Dual variables after a step, kept positive and no larger than ``most``; what they change by, to ``found``."""
    for i in range(codes.size):
        y, beta = codes[i], alpha[i, codes[i]]
        total = change = 0.0
        for k in range(n_classes):
            change += v[i, k]
        for k in range(n_classes):
            found[i, k] = 0.0
            if k != y and -alpha[i, k] > _TINY:
                # How β is divided, and how much it is, are damped each by itself.
                x = -v[i, k] / alpha[i, k] - change / beta
                found[i, k] = -alpha[i, k] * (math.exp(x) if x < 0.0 else min(1.0 + x, _GROWTH))
                total += found[i, k]
        if total > 0.0:
            new = beta if stiffness[i] == math.inf else min(max(beta + change, _LEAST * beta), most[i])
            for k in range(n_classes):
                if k != y and -alpha[i, k] > _TINY:
                    found[i, k] *= new / total
        for k in range(n_classes):
            if k != y:
                found[i, k] = -found[i, k] - alpha[i, k] if -alpha[i, k] > _TINY else 0.0
        total = 0.0
        for k in range(n_classes):
            if k != y:
                total -= found[i, k]
        found[i, y] = total


@kernel()
def slope(codes, n_classes, g, change):
    """Σ gᵀ Δv."""
    total = 0.0
    for i in range(codes.size):
        for k in range(n_classes):
            if k != codes[i]:
                total -= g[i, k] * change[i, k]
    return total


@kernel()
def inverse_slopes(slopes, address, parameters, margins, derivatives):
    """m(β), and its derivative, by the loss."""
    apply_inverse(address, parameters, slopes, margins, derivatives, slopes.size)
