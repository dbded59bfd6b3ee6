"""A preconditioner for rows whose Hessians differ: a Kronecker product for what is even, and terms of single rows.

    Σ_i H_i ⊗ x xᵀ + 1 ≈ A ⊗ G + 1 + Σ_j c_j (v_j v_jᵀ) ⊗ (x_j x_jᵀ),

with A the sum of what the last terms leave of the rows' Hessians H_i, and G the mean of x xᵀ. Rows at a kink, and rows
amid many without curvature, are far from the mean: c = response, v = e_y − q. Where β (diag q − q qᵀ) is large, its
first pivot c = β p/(1 − p), v = e_k − q, with p = q_k the largest, is a term as well, and what remains is of the same
form, with q_k = 0. The terms are as many as columns of one Woodbury identity.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy.linalg import lapack

Solve = Callable[[np.ndarray], np.ndarray]

_DEPENDENT = 1e-10
"""Eigenvalue of A, relative to the largest, that is rounding: a number added to all classes."""

_OWN, _OWN_PIVOT = 0.3, 10.0
"""Curvature, beside the penalty's 1, from which on a term stands by itself, of the first kind and of the second. Pivots
from 1 on make terms three times as many on movement_libras, and spare a sixth of the products."""

_MOST = 0.6
"""Terms at most, the largest, relative to the coefficients: more cost as much as a factor of all. With 0.4, squared
hinge on 2000 × 100 with ten classes at C = 100 needs 33 steps, and 19 with this."""

_BASE = 4.0
"""Eigenvalues of A count as the nearest power of it, so that few products make the system of the terms."""

_SINGLE = 1e-6
"""The least 1/c, relative to the diagonal of the system, for which single precision will do."""

Rows = tuple[np.ndarray, np.ndarray, np.ndarray]
"""q, β and the response of all rows: their Hessians are response (e_y − q)(e_y − q)ᵀ + β (diag q − q qᵀ)."""


class RowKronecker:
    """What the preconditioners of one system have in common.

    Parameters
    ----------
    X : ndarray of shape (n, p)
        The rows less their mean; a last column of ones where intercepts are free.
    d : int
        Columns with a penalty.
    codes, squares : ndarray of shape (n,)
        Classes, and squared lengths of the rows.
    """

    def __init__(self, X: np.ndarray, d: int, codes: np.ndarray, squares: np.ndarray) -> None:
        self._X, self._d, self._codes, self._squares = X, d, codes, squares
        values, self._vectors = np.linalg.eigh(X[:, :d].T @ X[:, :d] / len(X))
        self._values = np.maximum(values, 0.0)

    def even(self, rows: Rows) -> Solve:
        """The inverse of A ⊗ G + 1, with A the sum of all Hessians."""
        lengths, U = np.linalg.eigh(self._between(rows))
        return self._product(np.maximum(lengths, 0.0), U)[0]

    def uneven(self, rows: Rows) -> tuple[Solve, int]:
        """The same, where rows that differ most stand by themselves; half of what it costs to make, in products."""
        which, terms, c, rest = self._own(*rows)
        lengths, U = np.linalg.eigh(self._between(rest))
        if not len(which):
            return self._product(np.maximum(lengths, 0.0), U)[0], 0
        curved = lengths > _DEPENDENT * max(float(lengths[-1]), 1e-300)
        lengths = np.where(curved, _BASE ** np.round(np.log(np.where(curved, lengths, 1.0)) / np.log(_BASE)), 0.0)
        even, inverse, in_b = self._product(lengths, U)
        X, turned = self._X[which], terms @ U
        inside = X[:, : self._d] @ self._vectors
        diagonal = ((turned**2 @ inverse) * inside**2).sum(axis=1) + turned**2 @ in_b
        single = bool((1.0 / c).min() > _SINGLE * diagonal.max())
        factor = _factor(turned, inside, lengths, inverse, in_b, c, np.float32 if single else np.float64)
        if factor is None:
            return even, 0
        back = lapack.spotrs if single else lapack.dpotrs

        def solve(right: np.ndarray) -> np.ndarray:
            found = even(right)
            pull, _ = back(factor, np.einsum("ik,ik->i", X @ np.ascontiguousarray(found.T), terms), lower=1)
            found -= even((terms * pull[:, None]).T @ X)
            return found

        m, (n, p), k = len(c), self._X.shape, len(U)
        return solve, int(0.5 * m * m * (3 * p + m / 3) / (2 * (n + m) * k * p + m * m))

    def _between(self, rows: Rows) -> np.ndarray:
        """A of shape (K, K), the sum of the Hessians."""
        q, beta, response = rows
        V = self._own_class(q)
        A = (V * response[:, None]).T @ V - (q * beta[:, None]).T @ q
        A[np.diag_indices(len(A))] += beta @ q
        return A

    def _own_class(self, q: np.ndarray) -> np.ndarray:
        """e_y − q of each row."""
        found = -q
        found[np.arange(len(q)), self._codes] = 1.0
        return found

    def _product(self, lengths: np.ndarray, U: np.ndarray) -> tuple[Solve, np.ndarray, np.ndarray]:
        """The inverse of A ⊗ G + 1, for eigenvalues and eigenvectors of A; and of its eigenvalues in W and in b."""
        d, vectors = self._d, self._vectors
        inverse = 1.0 / (lengths[:, None] * self._values + 1.0)
        curved = lengths > _DEPENDENT * lengths.max()
        in_b = np.divide(float(self._X.shape[1] > d), lengths, out=np.zeros(len(lengths)), where=curved)

        def solve(right: np.ndarray) -> np.ndarray:
            turned = U.T @ right
            turned[:, :d] = ((turned[:, :d] @ vectors) * inverse) @ vectors.T
            turned[:, d:] *= in_b[:, None]
            return U @ turned

        return solve, inverse, in_b

    def _own(
        self, q: np.ndarray, beta: np.ndarray, response: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray, Rows]:
        """Rows, v and c of the terms that stand by themselves, and what they leave."""
        n, k = q.shape
        first = q.argmax(axis=1)
        p = q[np.arange(n), first]
        left = np.maximum(1.0 - p, 1e-300)
        sizes = np.concatenate([response * self._squares, beta * p * left * self._squares])
        found = np.flatnonzero(sizes > np.repeat([_OWN, _OWN_PIVOT], n))
        most = min(int(_MOST * k * self._X.shape[1]), n)
        if len(found) > most:
            found = found[np.argpartition(-sizes[found], most)[:most]]
        rows, pivots = found[found < n], found[found >= n] - n
        by_pivot = -q[pivots]
        by_pivot[np.arange(len(pivots)), first[pivots]] += 1.0
        terms = np.concatenate([self._own_class(q)[rows], by_pivot])
        c = np.concatenate([response[rows], beta[pivots] * p[pivots] / left[pivots]])
        q, beta, response = q.copy(), beta.copy(), response.copy()
        response[rows] = 0.0
        beta[pivots] *= left[pivots]
        q[pivots, first[pivots]] = 0.0
        q[pivots] /= left[pivots, None]
        return np.concatenate([rows, pivots]), terms, c, (q, beta, response)


def _factor(
    turned: np.ndarray, inside: np.ndarray, lengths: np.ndarray, inverse: np.ndarray, in_b: np.ndarray, c: np.ndarray,
    kind: type,
) -> np.ndarray | None:  # fmt: skip
    """The Cholesky factor of the terms' system, 1/c and what they have in common through A ⊗ G + 1; None if it fails.

    ``turned`` are the v in the eigenvectors of A, ``inside`` the x in those of G.
    """
    turned, inside, inverse = turned.astype(kind), inside.astype(kind), np.sqrt(inverse).astype(kind)
    # A matrix times its own transpose takes half of the time.
    by_b = turned * np.sqrt(in_b).astype(kind)
    system = by_b @ by_b.T
    for length in np.unique(lengths):
        some = lengths == length
        by_class, by_column = turned[:, some], inside * inverse[some][0]
        system += (by_class @ by_class.T) * (by_column @ by_column.T)
    system.flat[:: len(c) + 1] += (1.0 / c).astype(kind)
    factorise = lapack.spotrf if kind is np.float32 else lapack.dpotrf
    factor, info = factorise(system.T, lower=1, overwrite_a=1)
    return factor if info == 0 else None
