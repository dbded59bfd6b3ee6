"""What the rows keep at a point of many classes, and sums over them that need no pass over X."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ..kernels.joint import joint_scratch
from ..kernels.joint_kept import between_joint, weigh_joint
from ..losses.base import CompiledLoss
from .blas import add_square, mirrored

MANY = 32
"""Classes from which on a product of BLAS adds up all pairs of them faster than a loop over the rows."""


class Kept(NamedTuple):
    """Decision values of the rows, in blocks, and what the loss makes of them.

    Attributes
    ----------
    z, q : ndarray of shape (blocks, K, B)
        Decision values, and the softmax over the other classes.
    margins, slopes, curvatures : ndarray of shape (blocks, B)
        m with its shift, C s φ' and C s φ''.
    """

    z: np.ndarray
    q: np.ndarray
    margins: np.ndarray
    slopes: np.ndarray
    curvatures: np.ndarray


def by_row(blocks: np.ndarray, n: int, chunk_rows: int) -> np.ndarray:
    """What is kept in blocks, (blocks, K, B) or (blocks, B), as (n, K) or (n,); each chunk has begun a block."""
    size = blocks.shape[-1]
    ordered = np.moveaxis(blocks, -1, 1)
    if chunk_rows % size == 0 or n <= chunk_rows:
        return ordered.reshape(-1, *ordered.shape[2:])[:n]
    each = -(-chunk_rows // size)
    starts = range(0, len(blocks), each)
    parts = [ordered[k : k + each].reshape(-1, *ordered.shape[2:])[:chunk_rows] for k in starts]
    return np.concatenate(parts)[:n]


def by_block(values: np.ndarray, chunk_rows: int, block_rows: int) -> np.ndarray:
    """(K, n) as it is kept in blocks, (blocks, K, B), with zeros where a block has fewer rows."""
    (k, n), parts = values.shape, []
    for start in range(0, n, chunk_rows):
        part = values[:, start : start + chunk_rows]
        blocks = -(-part.shape[1] // block_rows)
        padded = np.zeros((k, blocks * block_rows))
        padded[:, : part.shape[1]] = part
        parts.append(padded.reshape(k, blocks, block_rows).transpose(1, 0, 2))
    return np.ascontiguousarray(np.concatenate(parts))


def between_classes(codes: np.ndarray, q: np.ndarray, slopes: np.ndarray, curvatures: np.ndarray) -> np.ndarray:
    """Σ φ'' (e_y − q)(e_y − q)ᵀ − φ' (diag q − q qᵀ), of shape (K, K), by products of BLAS.

    Of many classes, Σ (φ'' + φ') q qᵀ is most of the work, and the other terms are sums over the rows of each class.

    Parameters
    ----------
    codes : ndarray of int of shape (n,)
        y.
    q : ndarray of shape (n, K)
        The softmax over the other classes, 0 for the class itself.
    slopes, curvatures : ndarray of shape (n,)
        C s φ' and C s φ''.
    """
    k = q.shape[1]
    hessian, both = np.zeros((k, k)), slopes + curvatures
    for sign in (1.0, -1.0):
        rows = sign * both > 0.0
        if rows.any():
            add_square(hessian, q[rows] * np.sqrt(np.abs(both[rows]))[:, None], sign)
    hessian = mirrored(hessian)
    mixed = np.zeros((k, k))
    present, starts = np.unique(np.sort(codes), return_index=True)
    mixed[present] = np.add.reduceat((q * curvatures[:, None])[np.argsort(codes, kind="stable")], starts, axis=0)
    hessian -= mixed
    hessian -= mixed.T
    hessian.flat[:: k + 1] += np.bincount(codes, curvatures, minlength=k) - slopes @ q
    return hessian


def weighed_rows(
    loss: CompiledLoss, codes: np.ndarray, weights: np.ndarray, z: np.ndarray
) -> tuple[float, np.ndarray, np.ndarray]:
    """Σ C s φ, its slopes (K,) and its Hessian (K, K) in b of m rows, from their decision values (K, m)."""
    address, parameters, _ = loss
    (k, m), sums = z.shape, np.empty((1, 1 + len(z)))
    (before, at, q), (margins, slopes, curvatures) = np.empty((3, 1, k, m)), np.empty((3, 1, m))
    before[0] = z
    weigh_joint(
        codes, weights, np.zeros(1), before, np.zeros(k), address, parameters, at, q, margins, slopes, curvatures,
        0, 1, m, m, joint_scratch(k, m), sums,
    )  # fmt: skip
    if k >= MANY:
        return float(sums[0, 0]), sums[0, 1:], between_classes(codes, q[0].T, slopes[0], curvatures[0])
    total = np.empty((1, k * k))
    between_joint(codes, q, slopes, curvatures, 0, 1, m, m, joint_scratch(k, m), total)
    return float(sums[0, 0]), sums[0, 1:], total.reshape(k, k)
