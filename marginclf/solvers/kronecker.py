"""A preconditioner for many classes: a Kronecker product and the penalty, in place of the Hessian.

    H ≈ A ⊗ G + λ,   A = Σ C s ∂²φ/∂z² of (K, K),   G = Σ C s (x − x̄)(x − x̄)ᵀ / Σ C s of (d, d).

It is exact at zero where classes are of one size, and wherever curvatures have nothing to do with where rows lie. With
the eigenvectors of A it comes apart into a system for each of them, a G + λ = a (G + λ/a). Of 1/a the power of four
that is nearest will do, so that few factors are made, and most of these serve all steps. For the intercepts it is A⁺.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.linalg import lapack

from ..objective import Curvature, JointObjective

_PAYS = 256
"""Operations of G, relative to those of a product with the Hessian, up to which it is worth its making: it spares 20 to
2,400 products on the data of the map, and a product of matrices takes a quarter of the time that a pass does."""

_MOST = 1500
"""Rows and columns of G, or of the Gram of the rows instead of it, at most."""

_COPIED = 1 << 22
"""Entries of X up to which rows of data that is wider than tall are copied, centred."""

_MANY, _STALE = 128, 12
"""Classes from which on the eigenvectors of A take as long as a dozen products with the Hessian (600 classes of 1500
rows and 10 columns: 88 ms and 6), and times that it is applied in a step after which it is made anew."""

_FLAT = 1e-10
"""Eigenvalue of A, relative to the largest, that is rounding: a number added to all classes."""


class Spread:
    """G, and solutions of (G + ρ λ) u = r; it lives as long as the objective.

    Parameters
    ----------
    objective : JointObjective
        F, with a penalty of every feature.
    centre : ndarray of shape (d,) or None
        x̄; None for nothing.

    Attributes
    ----------
    rows : RowSystem or None
        What takes over where the product serves badly.
    """

    def __init__(self, objective: JointObjective, centre: np.ndarray | None) -> None:
        self._objective, matrix = objective, objective.matrix
        self._last: Kronecker | None = None
        self.rows: Any = None
        n, d = matrix.shape
        self.weights = np.broadcast_to(np.asarray(objective.penalty.weights, dtype=float), d)
        shares = objective.row_weights / objective.total
        self._factors: dict[float, np.ndarray] = {}
        self._inverses: dict[float, np.ndarray] = {}
        self._gram: np.ndarray | None = None
        self._rows: np.ndarray | None = None
        dense = _PAYS * matrix.entries * objective.n_outputs
        if min(n, d) <= _MOST and n * d <= _COPIED and n < d and n * n * d <= dense:
            mean = np.zeros(d) if centre is None else centre
            self._rows = np.empty((n, d))
            matrix.copy_rows(slice(0, n), self._rows)
            self._rows -= mean
            self._rows *= np.sqrt(shares)[:, None] / np.sqrt(self.weights)
            self._gram = self._rows @ self._rows.T
        elif d <= _MOST and n * d * d <= dense:
            self._gram = matrix.gram(shares, centre)
        else:
            squares = matrix.squared_product(shares)
            self._diagonal = np.maximum(squares - centre**2, 0.0) if centre is not None else squares

    def at(self, curvature: Curvature) -> Kronecker:
        """The preconditioner at a point; of hundreds of classes that of a point before, while it serves."""
        last, k = self._last, self._objective.n_outputs
        if last is None or k < _MANY or last.calls > _STALE:
            self._last = last = Kronecker(self._objective, curvature.intercepts(), self)
        last.calls = 0
        return last

    def solve(self, rho: float, r: np.ndarray) -> np.ndarray:
        """(G + ρ λ)⁻¹ for each row of r, of shape (k, d)."""
        if self._gram is None:
            return r / (self._diagonal + rho * self.weights)
        if self._rows is None:
            return lapack.dpotrs(self._factor(rho), r.T, lower=True)[0].T
        # With fewer rows than columns, G in the coordinates of the rows.
        r = r / np.sqrt(self.weights)
        inside = lapack.dpotrs(self._factor(rho), (r @ self._rows.T).T, lower=True)[0].T
        return (r - inside @ self._rows) / (rho * np.sqrt(self.weights))

    def inverse(self, rho: float) -> np.ndarray | None:
        """(G + ρ λ)⁻¹, of shape (d, d); None where G is that of the rows, or its diagonal."""
        if self._gram is None or self._rows is not None:
            return None
        found = self._inverses.get(rho)
        if found is None:
            lower, _ = lapack.dpotri(self._factor(rho), lower=True)
            # Its upper half is not written to.
            found = self._inverses[rho] = np.ascontiguousarray(np.tril(lower) + np.tril(lower, -1).T)
        return found

    def _factor(self, rho: float) -> np.ndarray:
        found = self._factors.get(rho)
        if found is None:
            assert self._gram is not None
            matrix = self._gram.copy()
            matrix.flat[:: len(matrix) + 1] += rho if self._rows is not None else rho * self.weights
            # Symmetric: its transpose is the same matrix in Fortran order.
            found, info = lapack.dpotrf(matrix.T, lower=True, overwrite_a=True)
            if info != 0:
                raise OverflowError("the Gram of the rows overflows")
            self._factors[rho] = found
        return found


class Kronecker:
    """The preconditioner at a point.

    Attributes
    ----------
    calls : int
        How often it has been applied.
    penalty : ndarray of shape (d,)
        λ.
    """

    def __init__(self, objective: JointObjective, between: np.ndarray, spread: Spread) -> None:
        self._objective, self._spread, self.calls = objective, spread, 0
        self.penalty = spread.weights
        if not np.isfinite(between).all():
            raise OverflowError("the Hessian overflows")
        values, vectors = np.linalg.eigh(between)
        curved = values > _FLAT * max(float(values[-1]), 1e-300)
        inverse = np.where(curved, 1.0 / np.where(curved, values, 1.0), 0.0)
        exponents = np.round(0.5 * np.log2(np.where(curved, inverse, 1.0))).tolist()
        # Eigenvalues are in order, those without curvature first: for these, the penalty alone.
        n_flat = self._n_flat = len(values) - int(curved.sum())
        starts = [k for k in range(n_flat, len(values)) if k == n_flat or exponents[k] != exponents[k - 1]]
        self._groups = [
            (4.0 ** exponents[k], slice(k, end)) for k, end in zip(starts, [*starts[1:], len(values)], strict=True)
        ]
        self._turn = np.ascontiguousarray(vectors.T)
        self._back_in_b = vectors * inverse
        self._back = np.where(curved, self._back_in_b, vectors)

    def __call__(self, r: np.ndarray) -> np.ndarray:
        objective, found = self._objective, np.zeros_like(r)
        self.calls += 1
        turned = self._turn @ objective.by_class(r)
        for rho, group in self._groups:
            turned[group] = self._spread.solve(rho, turned[group])
        if self._n_flat:
            turned[: self._n_flat] /= self._spread.weights
        objective.by_class(found)[...] = self._back @ turned
        if objective.fit_intercept:
            objective.b(found)[...] = self._back_in_b @ (self._turn @ objective.b(r))
        return found

    def parts(self) -> tuple[np.ndarray, ...] | None:
        """What :func:`~marginclf.kernels.joint_solve.solve_joint` takes for it; None where there are no inverses."""
        found = [self._spread.inverse(rho) for rho, _ in self._groups]
        inverses = [inverse for inverse in found if inverse is not None]
        if len(inverses) < len(found):
            return None
        starts = np.array([*(group.start for _, group in self._groups), len(self._turn)])
        stacked = np.stack(inverses) if inverses else np.empty((0, 1, 1))
        return self._turn, np.ascontiguousarray(self._back), np.ascontiguousarray(self._back_in_b), starts, stacked
