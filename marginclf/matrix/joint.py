"""The passes over the rows with one column of coefficients for each class."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..kernels import joint, joint_kept
from ..kernels.block import BLOCK_ROWS
from ..kernels.storage import LANES
from ..losses.base import CompiledLoss
from .base import DesignMatrix
from .joint_kept import MANY, Kept, between_classes, by_row


class JointPasses:
    """A design matrix and K columns of coefficients, for the joint margin of K classes.

    Coefficients are arrays of the shape that the storage reads fastest, (K, d) or (d, P) with zeros in columns K to P.

    Parameters
    ----------
    matrix : DesignMatrix
        The rows.
    codes : ndarray of int of shape (n,)
        Class of each row, from 0 to K − 1.
    weights : ndarray of shape (n,) or (1,)
        C s.
    n_classes : int
        K.
    shifts : ndarray of shape (n,), optional
        Added to the margins.
    """

    def __init__(
        self,
        matrix: DesignMatrix,
        codes: np.ndarray,
        weights: np.ndarray,
        n_classes: int,
        shifts: np.ndarray | None = None,
    ) -> None:
        self.shifts = np.zeros(1) if shifts is None else shifts
        self.matrix, self.codes, self.weights, self.n_classes = matrix, codes, weights, n_classes
        lanes = -(-n_classes // LANES) * LANES
        d = matrix.shape[1]
        self.by_column = matrix.rows.storage.by_column
        self.shape = (d, lanes) if self.by_column else (n_classes, d)
        self.size = self.shape[0] * self.shape[1]
        self._chunks = matrix.chunks(self.size)
        self._block_rows = matrix.blocks(n_classes)
        self._work = [joint.joint_scratch(n_classes, self._block_rows) for _ in self._chunks.shares[1:]]
        # For a loop that covers all rows by one thread.
        self.alone = self._chunks.rows, self._block_rows, self._work[0]
        self._one_block = [self._room(1) for _ in self._work]
        self._gradients: np.ndarray | None = None

    def _room(self, blocks: int) -> Kept:
        """Space for so many blocks; zeros where a block has fewer rows."""
        z, q = np.zeros((2, blocks, self.n_classes, self._block_rows))
        return Kept(z, q, *np.zeros((3, blocks, self._block_rows)))

    def room(self) -> Kept:
        """Space for all rows."""
        last = self.matrix.shape[0] - ((chunks := self._chunks).number - 1) * chunks.rows
        return self._room((chunks.number - 1) * -(-chunks.rows // self._block_rows) + -(-last // self._block_rows))

    def _pass(
        self,
        kernel: Any,
        back: str,
        loss: CompiledLoss,
        *at: np.ndarray,
        kept: Kept | None = None,
        known: bool | None = None,
    ) -> tuple[float, np.ndarray]:
        """Run a pass that leaves sums, and by the function ``back`` something of the shape of the coefficients.

        ``kept`` is space for what the rows keep, if that is all of it; ``known`` says whether it is there already,
        and is None for a pass that has no use for it.

        Returns the first of the sums, and coefficients with the other sums as one vector.
        """
        address, parameters, _ = loss
        rows, chunks = self.matrix.rows, self._chunks
        found = np.empty(self.size + self.n_classes)
        sums, gradients = np.empty((chunks.number, 1 + self.n_classes)), self._partial(found)

        def share(first: int, last: int, index: int) -> None:
            room = () if known is None else (known, *(self._one_block[index] if kept is None else kept))
            kernel(
                rows["forward_all"], rows[back], self.codes, self.weights, self.shifts, *at, address, parameters, *room,
                first, last, chunks.rows, self._block_rows, self._work[index], sums, gradients,
            )  # fmt: skip

        self._run(share)
        self._add(gradients, found)
        total = sums[0] if chunks.number == 1 else sums.sum(axis=0)
        found[self.size :] = total[1:]
        return float(total[0]), found

    def _partial(self, found: np.ndarray) -> np.ndarray:
        """Coefficients for every chunk; those of a single chunk are the result."""
        if self._chunks.number == 1:
            return found[: self.size].reshape(1, *self.shape)
        if self._gradients is None:
            self._gradients = np.empty((self._chunks.number, *self.shape))
        return self._gradients

    def _add(self, gradients: np.ndarray, found: np.ndarray) -> None:
        if len(gradients) > 1:
            np.sum(gradients, axis=0, out=found[: self.size].reshape(self.shape))

    def _run(self, share: Callable[[int, int, int], None], *, reads: bool = True) -> None:
        shares = self._chunks.shares
        self.matrix.run(lambda first, last: share(first, last, shares.index(first)), shares, reads=reads)

    def evaluate(
        self, loss: CompiledLoss, w: np.ndarray, b: np.ndarray, kept: Kept | None = None
    ) -> tuple[float, np.ndarray]:
        """Σ C s φ and its gradient, of which that in b is the end, in one pass; ``kept`` is filled."""
        return self._pass(joint.evaluate_joint, "backward_all", loss, w, b, kept=kept, known=False)

    def gradient(self, loss: CompiledLoss, w: np.ndarray, b: np.ndarray, kept: Kept) -> np.ndarray:
        """The gradient alone, from what is kept."""
        return self._pass(joint.evaluate_joint, "backward_all", loss, w, b, kept=kept, known=True)[1]

    def hessian_product(
        self,
        loss: CompiledLoss,
        w: np.ndarray,
        b: np.ndarray,
        p: np.ndarray,
        p_b: np.ndarray,
        kept: Kept | None = None,
    ) -> np.ndarray:
        """The Hessian of Σ C s φ at (w, b) times (p, p_b), in one pass; from what is ``kept`` of (w, b), if it is."""
        known = kept is not None
        return self._pass(joint.hessian_product_joint, "backward_all", loss, w, b, p, p_b, kept=kept, known=known)[1]

    def diagonal(self, loss: CompiledLoss, w: np.ndarray, b: np.ndarray) -> np.ndarray:
        """The diagonal of that Hessian, in one pass."""
        return self._pass(joint.diagonal_joint, "squares_all", loss, w, b)[1]

    def weighed(self, loss: CompiledLoss, z: np.ndarray, b: np.ndarray, kept: Kept) -> tuple[float, np.ndarray]:
        """Σ C s φ and its slopes in b at decision values z + b, which are kept; no pass over X."""
        address, parameters, _ = loss
        chunks, sums = self._chunks, np.empty((self._chunks.number, 1 + self.n_classes))
        self._run(
            lambda first, last, index: joint_kept.weigh_joint(
                self.codes, self.weights, self.shifts, z, b, address, parameters, *kept,
                first, last, chunks.rows, self._block_rows, self._work[index], sums,
            ),
            reads=False,
        )  # fmt: skip
        total = sums.sum(axis=0)
        return float(total[0]), total[1:]

    def between(self, kept: Kept) -> np.ndarray:
        """The Hessian of Σ C s φ in b, (K, K), from what is kept; no pass over X."""
        k, chunks = self.n_classes, self._chunks
        if k >= MANY:
            q, _, slopes, curvatures = (by_row(a, self.matrix.shape[0], chunks.rows) for a in kept[1:])
            return between_classes(self.codes, q, slopes, curvatures)
        sums = np.empty((chunks.number, k * k))
        self._run(
            lambda first, last, index: joint_kept.between_joint(
                self.codes, kept.q, kept.slopes, kept.curvatures,
                first, last, chunks.rows, self._block_rows, self._work[index], sums,
            ),
            reads=False,
        )  # fmt: skip
        return sums.sum(axis=0).reshape(k, k)

    def along(self, loss: CompiledLoss, z: np.ndarray, change: np.ndarray, t: float) -> np.ndarray:
        """Σ C s φ at decision values z + t·change, its slope and its curvature in t; no pass over X."""
        address, parameters, _ = loss
        chunks, sums = self._chunks, np.empty((self._chunks.number, 3))
        self._run(
            lambda first, last, index: joint_kept.along_joint(
                self.codes, self.weights, self.shifts, z, change, t, address, parameters,
                first, last, chunks.rows, self._block_rows, self._work[index], sums,
            ),
            reads=False,
        )  # fmt: skip
        return sums.sum(axis=0)

    def dual(
        self, loss: CompiledLoss, kept: Kept, change: np.ndarray, b: np.ndarray, found: Kept
    ) -> tuple[float, np.ndarray]:
        """−Σ C s h* of dual variables where z changes by ``change`` + b, and the sums of these; no pass over X.

        They are left in the softmax and slopes of ``found``.
        """
        address, parameters, _ = loss
        chunks, sums = self._chunks, np.empty((self._chunks.number, 1 + self.n_classes))
        self._run(
            lambda first, last, index: joint_kept.dual_joint(
                self.codes, self.weights, self.shifts, *kept, change, b, address, parameters, found.q, found.slopes,
                first, last, chunks.rows, self._block_rows, self._work[index], sums,
            ),
            reads=False,
        )  # fmt: skip
        total = sums.sum(axis=0)
        return float(total[0]), total[1:]

    def intercepts(self, loss: CompiledLoss, w: np.ndarray, b: np.ndarray) -> tuple[float, np.ndarray, np.ndarray]:
        """Σ C s φ, its slopes and its Hessian (K, K) in b alone."""
        address, parameters, _ = loss
        k, chunks = self.n_classes, self._chunks
        sums = np.empty((chunks.number, 1 + k + k * k))

        def share(first: int, last: int, index: int) -> None:
            joint.intercepts_joint(
                self.matrix.rows["forward_all"], self.codes, self.weights, self.shifts, w, b, address, parameters,
                first, last, chunks.rows, self._block_rows, self._work[index], sums,
            )  # fmt: skip

        self._run(share)
        total = sums.sum(axis=0)
        return float(total[0]), total[1 : 1 + k], total[1 + k :].reshape(k, k)

    def combination(self, alpha: np.ndarray) -> np.ndarray:
        """Σ x αᵀ for α of shape (n, P), as coefficients, a vector."""
        found = np.empty(self.size)
        chunks, gradients = self._chunks, self._partial(found)
        self._run(
            lambda first, last, index: joint.combination_joint(
                self.matrix.rows["backward_all"],
                alpha,
                self.n_classes,
                first,
                last,
                chunks.rows,
                self._block_rows,
                self._work[index],
                gradients,
            )
        )
        self._add(gradients, found)
        return found

    def margins(self, w: np.ndarray, b: np.ndarray) -> np.ndarray:
        """m of every row, of shape (n,), without the shifts."""
        margins = np.empty(self.matrix.shape[0])
        self._run(
            lambda first, last, index: joint.margins_joint(
                self.matrix.rows["forward_all"], self.codes, w, b, first, last,
                self._chunks.rows, self._block_rows, self._work[index], margins,
            )
        )  # fmt: skip
        return margins

    def decisions(self, w: np.ndarray, b: np.ndarray, start: int, stop: int) -> np.ndarray:
        """Decision values of some of the rows, of shape (K, stop − start)."""
        z = np.empty((self.n_classes, stop - start))
        work = self._work[0][0]
        for first in range(start, stop, self._block_rows):
            last = min(first + self._block_rows, stop)
            part = np.empty((self.n_classes, last - first))
            joint.decisions_joint(self.matrix.rows["forward_all"], first, last - first, w, b, work, part)
            z[:, first - start : last - start] = part
        return z

    def second_derivatives(self, loss: CompiledLoss, z: np.ndarray, start: int) -> tuple[float, np.ndarray, np.ndarray]:
        """:func:`second_derivatives` of the rows from ``start`` on."""
        rows = slice(start, start + z.shape[1])
        weights, shifts = (a if a.size == 1 else a[rows] for a in (self.weights, self.shifts))
        return second_derivatives(loss, self.codes[rows], weights, z, shifts)


def second_derivatives(
    loss: CompiledLoss, codes: np.ndarray, weights: np.ndarray, z: np.ndarray, shifts: np.ndarray
) -> tuple[float, np.ndarray, np.ndarray]:
    """Σ C s φ, its slopes (K, m) and its Hessians in the decision values (K, m) of m rows.

    The Hessians have the shape (K(K + 1)/2, m), in the order of :func:`pairs`.
    """
    address, parameters, _ = loss
    k, m = z.shape
    first, second, value = np.empty((k, m)), np.empty((k * (k + 1) // 2, m)), 0.0
    work = joint.joint_scratch(k)
    for start in range(0, m, BLOCK_ROWS):
        size = min(BLOCK_ROWS, m - start)
        slopes, hessians = np.empty((k, size)), np.empty((len(second), size))
        part = np.array(z[:, start : start + size], order="C")
        value += joint.curvatures_joint(
            part, codes, weights, shifts, address, parameters, start, size, work, slopes, hessians
        )
        first[:, start : start + size], second[:, start : start + size] = slopes, hessians
    return value, first, second


def pairs(k: int) -> np.ndarray:
    """Where in a lower triangle, row by row, the pair (i, j) or (j, i) is: of shape (k, k)."""
    i, j = np.indices((k, k))
    i, j = np.maximum(i, j), np.minimum(i, j)
    return i * (i + 1) // 2 + j
