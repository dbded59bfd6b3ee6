"""What follows from decision values of many classes that are kept: no pass over X.

They lie in blocks, (blocks, K, B), as the passes leave them (:mod:`marginclf.kernels.joint`): q, the softmax over the
other classes, beside them; margins, slopes and curvatures of each row in (blocks, B). A chunk begins a block.
"""

from __future__ import annotations

from .block import apply_block
from .cache import inner, kernel
from .elementary import log1p
from .joint import sum_of
from .joint_margins import add_between, evaluate_margins
from .view import part_of

_SUMS = {"fastmath": {"contract", "reassoc", "nsz"}}


@kernel(**_SUMS)
def weigh_joint(
    codes, weights, shifts, before, b, address, parameters, z, q, margins, slopes, curvatures,
    first, last, chunk_rows, block_rows, work, sums,
):  # fmt: skip
    """Everything at ``before`` + b: per chunk, Σ C s φ and the slopes in b to ``sums``."""
    n, n_classes = codes.size, b.size
    v, top, values = work[3 * n_classes], work[3 * n_classes + 1], work[3 * n_classes + 2]
    block = first * (-(-chunk_rows // block_rows))
    for chunk in range(first, last):
        for k in range(n_classes + 1):
            sums[chunk, k] = 0.0
        stop = min((chunk + 1) * chunk_rows, n)
        for start in range(chunk * chunk_rows, stop, block_rows):
            size = min(block_rows, stop - start)
            for k in range(n_classes):
                for i in range(size):
                    z[block, k, i] = before[block, k, i] + b[k]
            sums[chunk, 0] += evaluate_margins(
                z[block], codes, weights, shifts, start, size, q[block], margins[block], v, address, parameters, top,
                values, slopes[block], curvatures[block],
            )  # fmt: skip
            for k in range(n_classes):
                total = 0.0
                for i in range(size):
                    total += slopes[block, i] if codes[start + i] == k else -slopes[block, i] * q[block, k, i]
                sums[chunk, 1 + k] += total
            block += 1


@kernel(**_SUMS)
def between_joint(codes, q, slopes, curvatures, first, last, chunk_rows, block_rows, work, sums):
    """The Hessian in b, (K, K): per chunk, the sum over its rows of φ'' (e_y − q)(e_y − q)ᵀ − φ' (diag q − q qᵀ)."""
    n, n_classes = codes.size, q.shape[1]
    u, v, top = part_of(work, 0, n_classes), work[3 * n_classes], work[3 * n_classes + 1]
    block = first * (-(-chunk_rows // block_rows))
    for chunk in range(first, last):
        total = sums[chunk]
        for k in range(total.size):
            total[k] = 0.0
        stop = min((chunk + 1) * chunk_rows, n)
        for start in range(chunk * chunk_rows, stop, block_rows):
            size = min(block_rows, stop - start)
            add_between(codes, start, size, q[block], slopes[block], curvatures[block], u, v, top, 0, total)
            block += 1


@kernel(**_SUMS)
def along_joint(
    codes, weights, shifts, z, change, t, address, parameters, first, last, chunk_rows, block_rows, work, sums
):
    """Σ C s φ at z + t·change, its slope and its curvature in t: three sums a chunk."""
    n, n_classes = codes.size, z.shape[1]
    at, q = part_of(work, 0, n_classes), part_of(work, n_classes, n_classes)
    m, v, top = work[3 * n_classes], work[3 * n_classes + 1], work[3 * n_classes + 2]
    values, slopes, curvatures = work[3 * n_classes + 3], work[3 * n_classes + 4], work[3 * n_classes + 5]
    block = first * (-(-chunk_rows // block_rows))
    for chunk in range(first, last):
        value = slope = curvature = 0.0
        stop = min((chunk + 1) * chunk_rows, n)
        for start in range(chunk * chunk_rows, stop, block_rows):
            size = min(block_rows, stop - start)
            for k in range(n_classes):
                for i in range(size):
                    at[k, i] = z[block, k, i] + t * change[block, k, i]
            value += evaluate_margins(
                at, codes, weights, shifts, start, size, q, m, v, address, parameters, top, values, slopes, curvatures
            )
            for i in range(size):
                top[i] = v[i] = 0.0
            for k in range(n_classes):
                for i in range(size):
                    part = q[k, i] * change[block, k, i]
                    top[i] += part
                    v[i] += part * change[block, k, i]
            for i in range(size):
                lead = change[block, codes[start + i], i] - top[i]
                slope += slopes[i] * lead
                curvature += curvatures[i] * lead * lead - slopes[i] * (v[i] - top[i] * top[i])
            block += 1
        sums[chunk, 0], sums[chunk, 1], sums[chunk, 2] = value, slope, curvature


@inner(fastmath={"contract", "reassoc", "nsz"}, forceinline=True)
def _log(f):
    """log f for f from 1/2 to 2."""
    near = log1p(f - 1.0 if f >= 1.0 else (1.0 - f) / f)
    return near if f >= 1.0 else -near


@inner(fastmath={"contract", "reassoc", "nsz"}, forceinline=True)
def _dual_slopes(codes, start, size, q, margins, slopes, curvatures, u, mean, aim, ratio, mu):
    """The mean of u over q, which slope of φ to aim at, the old one relative to it, and m + dm, dm = u_y − q·u."""
    for i in range(size):
        mean[i] = 0.0
    for k in range(q.shape[0]):
        for i in range(size):
            mean[i] += q[k, i] * u[k, i]
    for i in range(size):
        lead = u[codes[start + i], i] - mean[i]
        aim[i] = slopes[i] + curvatures[i] * lead
        mu[i] = margins[i] + lead
        ratio[i] = slopes[i] / aim[i] if aim[i] < 0.0 else 0.0


@inner(fastmath={"contract", "reassoc", "nsz"}, forceinline=True)
def _dual_softmax(codes, start, size, z, q, margins, u, mean, ratio, total, entropy, q_dual):
    """q̂, not yet divided by its sum ``total``, and Σ q̂ log q̂ of that to ``entropy``, with the shift of the margin."""
    for i in range(size):
        total[i] = entropy[i] = 0.0
    for k in range(q.shape[0]):
        for i in range(size):
            f = min(max(1.0 + ratio[i] * (u[k, i] - mean[i]), 0.5), 2.0)
            part = q[k, i] * f
            total[i] += part
            # log q is z_k − log Σ e^z over the others.
            log_q = 0.0 if codes[start + i] == k else z[k, i] - z[codes[start + i], i] + margins[i]
            entropy[i] += part * (log_q + _log(f))
            q_dual[k, i] = part


@kernel(**_SUMS)
def dual_joint(
    codes, weights, shifts, z, q, margins, slopes, curvatures, change, b, address, parameters, q_dual, slopes_dual,
    first, last, chunk_rows, block_rows, work, sums,
):  # fmt: skip
    """Dual variables near what slopes become when z changes by ``change`` + b, by their derivatives.

    Of a row they are β and q̂: the slopes −β in its own decision value and β q̂ in the others. β is −φ' at a margin μ
    that makes it nearly −φ' − φ'' dm, and q̂ is nearly q (1 + u − q·u): whatever μ and q̂ are, what is said of them is
    exact. Per chunk, −Σ C s h*, with h* = φ*(−β) + β Σ q̂ log q̂ and −φ*(−β) = φ(μ) + β μ, and the sums of the slopes,
    which ought to be 0.
    """
    n, n_classes = codes.size, q.shape[1]
    u = part_of(work, 0, n_classes)
    mean, v, mu = work[3 * n_classes], work[3 * n_classes + 1], work[3 * n_classes + 2]
    values, found, curved = work[3 * n_classes + 3], work[3 * n_classes + 4], work[3 * n_classes + 5]
    ratio, entropy = work[n_classes], work[n_classes + 1]
    block = first * (-(-chunk_rows // block_rows))
    for chunk in range(first, last):
        for k in range(n_classes + 1):
            sums[chunk, k] = 0.0
        stop = min((chunk + 1) * chunk_rows, n)
        for start in range(chunk * chunk_rows, stop, block_rows):
            size = min(block_rows, stop - start)
            for k in range(n_classes):
                for i in range(size):
                    u[k, i] = change[block, k, i] + b[k]
            _dual_slopes(
                codes, start, size, q[block], margins[block], slopes[block], curvatures[block], u, mean, entropy,
                ratio, mu,
            )  # fmt: skip
            for i in range(size):
                v[i] = weights[start + i] if weights.size > 1 else weights[0]
            apply_block(address, parameters, mu, v, values, found, curved, size)
            for i in range(size):
                better = mu[i] - (found[i] - entropy[i]) / curved[i] if curved[i] > 0.0 else mu[i]
                mu[i] = better if abs(better - mu[i]) < 1.0 else mu[i]
            apply_block(address, parameters, mu, v, values, found, curved, size)
            _dual_softmax(
                codes, start, size, z[block], q[block], margins[block], u, mean, ratio, curved, entropy, q_dual[block]
            )
            for i in range(size):
                total = curved[i]
                shift = shifts[start + i] if shifts.size > 1 else 0.0
                entropy[i] = entropy[i] / total - shift - _log(total)
                values[i] -= found[i] * (mu[i] - shift - entropy[i])
                slopes_dual[block, i] = found[i]
                curved[i] = 1.0 / total
            sums[chunk, 0] += sum_of(values, size)
            for k in range(n_classes):
                slope = 0.0
                for i in range(size):
                    q_dual[block, k, i] *= curved[i]
                for i in range(size):
                    slope += found[i] if codes[start + i] == k else -found[i] * q_dual[block, k, i]
                sums[chunk, 1 + k] += slope
            block += 1
