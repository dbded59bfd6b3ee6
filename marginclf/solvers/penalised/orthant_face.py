"""The Kronecker product of many classes where some coefficients stay at zero, and signs as its diagonal has them."""

from __future__ import annotations

from itertools import pairwise
from typing import Any, Self

import numpy as np
from scipy.linalg import lapack

from ..kronecker import Kronecker


class Face:
    """The inverse of the product on the other coefficients.

    Parameters
    ----------
    objective : JointObjective
        Which θ is of.
    kronecker : Kronecker
        Of all coefficients.
    parts : tuple of ndarray
        What it consists of.
    held : ndarray of bool of shape (K, d)
        Which stay.

    Attributes
    ----------
    held : ndarray of bool
    """

    def __init__(self, objective: Any, kronecker: Kronecker, parts: tuple[np.ndarray, ...], held: np.ndarray) -> None:
        self._objective, self._kronecker, self.held = objective, kronecker, held
        self._turn, self._back, _, starts, self._inverses = parts
        self._groups = [slice(first, end) for first, end in pairwise(starts)]
        self._flat, self._which = slice(0, starts[0]), np.nonzero(held)
        self._factor: np.ndarray | None = None

    @classmethod
    def of(cls, objective: Any, kronecker: Kronecker, held: np.ndarray) -> Self | None:
        """None where the product has no inverses, or that of what stays is singular."""
        parts = kronecker.parts()
        if parts is None:
            return None
        found = cls(objective, kronecker, parts, held)
        return found if not held.any() or found._factored() else None

    def _between(self, group: slice) -> np.ndarray:
        found: np.ndarray = self._back[:, group] @ self._turn[group]
        return found

    def _factored(self) -> bool:
        k, j = self._which
        total = np.where(j[:, None] == j, self._between(self._flat)[np.ix_(k, k)] / self._kronecker.penalty[j], 0.0)
        for group, inverse in zip(self._groups, self._inverses, strict=True):
            total += self._between(group)[np.ix_(k, k)] * inverse[np.ix_(j, j)]
        # Symmetric: its transpose is the same matrix in Fortran order.
        self._factor, info = lapack.dpotrf(total.T, lower=True, overwrite_a=True)
        return bool(info == 0)

    def __call__(self, r: np.ndarray) -> np.ndarray:
        found = self._kronecker(r)
        if self._factor is not None:
            in_w, other = self._objective.by_class(found), self._objective.zeros()
            pull, _ = lapack.dpotrs(self._factor, in_w[self._which], lower=True)
            self._objective.by_class(other)[self._which] = pull
            found -= self._kronecker(other)
            in_w[self._which] = 0.0
        return found

    def near(
        self,
        columns: np.ndarray,
        W: np.ndarray,
        slopes: np.ndarray,
        kink: np.ndarray,
        quadratic: np.ndarray,
        part: float,
    ) -> np.ndarray:
        """Where a diagonal model, and the best number that is added to all classes, put some of the columns.

        Parameters
        ----------
        columns : ndarray of int
            Which.
        W, slopes : ndarray of shape (K, d)
            Where the model is least with these slopes of the kinks.
        kink, quadratic : ndarray of shape (K, d)
            The penalty.
        part : float
            What m is multiplied by.

        Returns
        -------
        ndarray of shape (K, len(columns))
            u = soft(z + a, κ m), z = W + m · slopes, with a such that the slopes of the penalty add up to zero.
        """
        slopes, kink, square = slopes[:, columns], kink[:, columns], quadratic[:, columns]
        m = part * sum(
            self._between(group).diagonal()[:, None] * inverse.diagonal()[columns]
            for group, inverse in zip(self._groups, self._inverses, strict=True)
        )
        z, reach = W[:, columns] + m * slopes, m * kink
        # The sum is piecewise linear in a, with bends where an entry leaves zero.
        bends = np.sort(np.concatenate([-z - reach, reach - z]), axis=0)
        at = z + bends[:, None]
        inside = np.clip(at, -reach, reach)
        total = (inside / m + square * (at - inside)).sum(axis=1)
        every, after = np.arange(len(columns)), np.minimum((total < 0.0).sum(axis=0), len(bends) - 1)
        before = np.maximum(after - 1, 0)
        low, high, rise = total[before, every], total[after, every], bends[after, every] - bends[before, every]
        crossed = bends[before, every] - low * rise / np.where(high > low, high - low, 1.0)
        # An even number of classes has all between two bends.
        last = np.maximum((total <= 0.0).sum(axis=0) - 1, after)
        a = np.where(high > 0.0, crossed, 0.5 * (bends[after, every] + bends[last, every]))
        found: np.ndarray = np.sign(z + a) * np.maximum(np.abs(z + a) - reach, 0.0)
        return found
