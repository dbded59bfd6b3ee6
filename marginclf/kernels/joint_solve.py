"""Conjugate gradients for the joint margin in one compiled loop: small problems, where a product is over in no time.

    H p = r,   H = ∂²F/∂θ² at a point whose softmax, slopes and curvatures are kept (:mod:`joint_kept`),

in the coordinates of rows less a centre x̄, preconditioned by a Kronecker product, whose factors come as inverses.
"""

from __future__ import annotations

import numpy as np

from .cache import inner, kernel
from .joint import sum_of
from .storage import call_storage
from .view import part_of

_SUMS = {"fastmath": {"contract", "reassoc", "nsz"}}

STEP, LEFT, _DIRECTION, _CHANGE, _PRECONDITIONED = range(5)
"""The vectors: what is found, what is left of r, and work space."""


# Functions of one caller each, which need not be inlined.
@inner(**_SUMS)
def _dot(a, a_b, b, b_b):
    total = 0.0
    for k in range(a.shape[0]):
        for j in range(a.shape[1]):
            total += a[k, j] * b[k, j]
    for k in range(a_b.size):
        total += a_b[k] * b_b[k]
    return total


@inner(**_SUMS)
def _product(
    forward, backward, codes, q, slopes, curvatures, centre, free, penalty, chunk_rows, block_rows, p, p_b, b, h, h_b,
    work,
):  # fmt: skip
    """The Hessian times (p, p_b) to (h, h_b)."""
    n, n_classes = codes.size, p.shape[0]
    u, line = part_of(work, 0, n_classes), work[3 * n_classes + 6]
    m, mean = work[3 * n_classes], work[3 * n_classes + 1]
    for k in range(n_classes):
        # A sum by itself, for the reason given at sum_of.
        at_centre = 0.0
        for j in range(centre.size):
            at_centre += p[k, j] * centre[j]
        b[k], h_b[k] = p_b[k] - at_centre, 0.0
        for j in range(centre.size):
            h[k, j] = 0.0
    block = 0
    for chunk in range(0, n, chunk_rows):
        for start in range(chunk, min(chunk + chunk_rows, n), block_rows):
            size = min(block_rows, chunk + chunk_rows - start, n - start)
            call_storage(forward, start, size, n_classes, p, u, b, line, 0)
            for i in range(size):
                mean[i] = 0.0
            for k in range(n_classes):
                for i in range(size):
                    mean[i] += q[block, k, i] * u[k, i]
            for i in range(size):
                m[i] = curvatures[block, i] * (u[codes[start + i], i] - mean[i])
            for k in range(n_classes):
                for i in range(size):
                    other = -q[block, k, i] * (m[i] + slopes[block, i] * (u[k, i] - mean[i]))
                    u[k, i] = m[i] if codes[start + i] == k else other
                h_b[k] += sum_of(u[k], size)
            call_storage(backward, start, size, n_classes, u, h, b, line, size)
            block += 1
    for k in range(n_classes):
        for j in range(centre.size):
            h[k, j] += penalty[j] * p[k, j] - h_b[k] * centre[j]
        if not free:
            h_b[k] = 0.0


@inner(**_SUMS, _nrt=True)
def _precondition(r, r_b, turn, back, back_b, starts, inverses, penalty, free, turned, along, s, s_b):
    """(s, s_b) = P⁻¹ (r, r_b); eigenvectors from ``starts[g]`` to ``starts[g + 1]`` have the inverse g."""
    np.dot(turn, r, turned)
    for k in range(starts[0]):
        for j in range(penalty.size):
            along[k, j] = turned[k, j] / penalty[j]
    for group in range(starts.size - 1):
        first, last = starts[group], starts[group + 1]
        np.dot(part_of(turned, first, last - first), inverses[group], part_of(along, first, last - first))
    np.dot(back, along, s)
    for k in range(r_b.size):
        s_b[k] = 0.0
    for k in range(r_b.size if free else 0):
        in_b = 0.0
        for i in range(r_b.size):
            in_b += turn[k, i] * r_b[i]
        for i in range(r_b.size):
            s_b[i] += back_b[i, k] * in_b


@kernel(**_SUMS)
def solve_joint(
    forward, backward, codes, q, slopes, curvatures, centre, free, penalty, chunk_rows, block_rows,
    turn, back, back_b, starts, inverses, left, miss, most, vectors, in_b, turned, work,
):  # fmt: skip
    """Conjugate gradients from 0, to a residual of ``left`` in the norm of the preconditioner, relative to r.

    It also has to be at most ``miss`` by ½‖r‖² in w with the weights of the penalty. ``vectors`` is work space of
    (5, K, d) and ``in_b`` of (6, K), with r in the second place; at the end the first has the step, the second what is
    left. ``turned`` is of (2, K, d). Returns the products done.
    """
    step, r, p, h, s = vectors[0], vectors[1], vectors[2], vectors[3], vectors[4]
    step_b, r_b, p_b, h_b, s_b = in_b[0], in_b[1], in_b[2], in_b[3], in_b[4]
    n_classes, d = step.shape
    _precondition(r, r_b, turn, back, back_b, starts, inverses, penalty, free, turned[0], turned[1], s, s_b)
    for k in range(n_classes):
        step_b[k], p_b[k] = 0.0, s_b[k]
        for j in range(d):
            step[k, j], p[k, j] = 0.0, s[k, j]
    rho = start = _dot(r, r_b, s, s_b)
    for products in range(most if start > 0.0 else 0):
        _product(
            forward, backward, codes, q, slopes, curvatures, centre, free, penalty, chunk_rows, block_rows,
            p, p_b, in_b[5], h, h_b, work,
        )  # fmt: skip
        along = _dot(p, p_b, h, h_b)
        if not along > 0.0:
            if products == 0:
                for k in range(n_classes):
                    step_b[k] = s_b[k]
                    for j in range(d):
                        step[k, j] = s[k, j]
            return products + 1
        t = rho / along
        missed = 0.0
        for k in range(n_classes):
            step_b[k] += t * p_b[k]
            r_b[k] -= t * h_b[k]
            for j in range(d):
                step[k, j] += t * p[k, j]
                r[k, j] -= t * h[k, j]
            for j in range(d):
                missed += 0.5 * r[k, j] * r[k, j] / penalty[j]
        _precondition(r, r_b, turn, back, back_b, starts, inverses, penalty, free, turned[0], turned[1], s, s_b)
        after = _dot(r, r_b, s, s_b)
        if after <= left * left * start and missed <= miss:
            return products + 1
        for k in range(n_classes):
            p_b[k] = s_b[k] + after / rho * p_b[k]
            for j in range(d):
                p[k, j] = s[k, j] + after / rho * p[k, j]
        rho = after
    return most if start > 0.0 else 0
