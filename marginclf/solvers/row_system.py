"""Linear systems with Hessians of the joint margin that rows kept in memory make, dense and centred.

A row's Hessian in its decision values is response (e_y − q)(e_y − q)ᵀ + β (diag q − q qᵀ). They are solved by conjugate
gradients, preconditioned by the product of a K × K matrix and the Gram of the columns, as if all rows had the mean of
these Hessians; once that takes many products, with terms of the rows that differ most (:mod:`row_kronecker`); or, where
these are too many, by the Cholesky factor of what matters of the Hessian.
"""

from __future__ import annotations

from functools import cached_property

import numpy as np
from scipy.linalg import lapack

from ..kernels import primal_dual as kernel
from ..objective import JointObjective
from .conjugate_gradients import conjugate_gradients
from .row_kronecker import RowKronecker, Solve

_LEFT_OUT = 1.0, 1e-2
"""Sum of the curvatures of rows, beside the penalty's 1, that the factor and the products may leave out. With ten times
as much, fits with little data take more products (digits and movement_libras, C = 1e-3 to 1e4)."""

_LOOSE, _EXACT, _TIGHT = 5e-2, 1e-2, 1e-2
"""Part of the residual, as the preconditioner measures it, that is left without a factor, the same with a kink, and
with a factor; of 3e-3 to 1e-1, what was fastest on digits and movement_libras. With a kink, 3e-2 nearly doubles the
steps at C = 100."""

_NEAR = 3e-3, 1e-4
"""The same near the optimum, without and with a kink: with 1e-2 there, b of the certificate is off by 1e-4 of F."""

_LONGEST = 100
"""Products after which the factor takes over. With rows that stand by themselves, 5 to 30 are enough nearly always."""

_SMALL = 200
"""Coefficients up to which a factor costs less than a few products."""

_STALE = 10, 20
"""Products with the factor of an earlier step after which the next step has a new one, and this step too: a factor
costs 20 to 25 of them on digits and movement_libras."""

_MOST = 40
_RIDGE = 1e-12, 100.0
"""What is added to a unit diagonal whose factor fails, and by what more each time."""

_EVEN = 15, 30
"""Products with one matrix for all rows from which on rows stand by themselves: in a step that is far from the optimum,
and near, where more is asked of it. Of 10 to 20, what was fastest on digits and movement_libras."""


_NUMBERS = 1 << 22
"""Entries of X up to which it is copied, dense."""

_SIZE = 2000
"""Coefficients up to which they may have to be factored."""


def rows_suit(objective: JointObjective) -> bool:
    """Whether such systems are small enough, and rows are what the objective says that they are."""
    (n, d), k = objective.matrix.shape, objective.n_outputs
    return n * (d + 1) <= _NUMBERS and k * (d + 1) <= _SIZE and objective.passes.shifts.size == 1


class RowSystem:
    """The rows of positive weight, with columns divided by the root of the penalty's weights, less their mean.

    Coefficients are (K, p), with p = d or, where intercepts are free, d + 1.

    Parameters
    ----------
    objective : JointObjective
        F, with a penalty of every feature.
    reuse : bool, default=False
        Whether what rows that stand by themselves make is kept for steps to come. Where φ is constant beyond a margin,
        μ changes the response of rows by much in every step, and steps that go by the last one go astray.
    uneven : bool, default=False
        Whether it is known that one matrix for all rows does not serve.

    Attributes
    ----------
    X : ndarray of shape (n, p)
        The rows, with a last column of ones for the intercepts.
    codes, weights, squares : ndarray of shape (n,)
        Classes, C s and squared lengths.
    kept : ndarray or slice
        Which rows of the data these are.
    """

    def __init__(self, objective: JointObjective, *, reuse: bool = False, uneven: bool = False) -> None:
        (n, d), self.k = objective.matrix.shape, objective.n_outputs
        weights = objective.row_weights
        self.d, self.p = d, d + objective.fit_intercept
        self._centre = objective.centre
        self._scale = 1.0 / np.sqrt(np.broadcast_to(objective.penalty.weights, d))
        X = np.ones((n, self.p))
        objective.matrix.copy_rows(slice(0, n), X[:, :d])
        X[:, :d] -= self._centre
        X[:, :d] *= self._scale
        self.kept: np.ndarray | slice = slice(None) if (weights > 0.0).all() else np.flatnonzero(weights)
        self.X, self.weights = X[self.kept], weights[self.kept]
        self.codes = objective.passes.codes[self.kept]
        self.squares = np.einsum("ij,ij->i", self.X, self.X)
        self._smooth = objective.loss.smooth
        self._loose = _LOOSE if objective.loss.smooth else _EXACT
        self._factored = self.k * self.p <= _SMALL
        self._factor: Solve | None = None
        self._uneven, self._reuse = uneven, reuse
        self._last: Solve | None = None
        self._again = 0

    @property
    def finite(self) -> bool:
        return bool(np.isfinite(self.squares * self.weights).all() and np.isfinite(self._scale).all())

    def inside(self, W: np.ndarray, b: np.ndarray) -> np.ndarray:
        """Coefficients of the data as those of these rows."""
        found = np.empty((self.k, self.p))
        found[:, : self.d] = W / self._scale
        if self.p > self.d:
            found[:, self.d] = b + W @ self._centre
        return found

    def outside(self, theta: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Coefficients of these rows as those of the data, W and b with Σ b = 0."""
        W = theta[:, : self.d] * self._scale
        if self.p == self.d:
            return W, np.zeros(self.k)
        b = theta[:, self.d] - W @ self._centre
        return W, b - b.mean()

    def solve(
        self, right: np.ndarray, q: np.ndarray, beta: np.ndarray, response: np.ndarray, *, near: bool
    ) -> np.ndarray:
        """About H⁻¹ right, for the Hessian with the penalty; ``near`` the optimum, where Hessians change less."""
        rows = q, beta, response
        loose, tight = (_NEAR[not self._smooth],) * 2 if near else (self._loose, _TIGHT)
        if not self._factored:
            if not self._uneven:
                step, k = self._iterate(self._kronecker.even(rows), right, *rows, _EVEN[True], loose)
                self._uneven = k >= _EVEN[near]
                if k < _EVEN[True]:
                    return step
            if self._last is not None:
                step, k = self._iterate(self._last, right, *rows, self._again, loose)
                if k < self._again:
                    return step
            found, spared = self._kronecker.uneven(rows)
            step, k = self._iterate(found, right, *rows, _LONGEST, loose)
            if k < _LONGEST:
                self._last, self._again = found if self._reuse else None, k + spared
                return step
            self._factored = True
        if self._factor is not None and self._smooth:
            step, k = self._iterate(self._factor, right, *rows, _STALE[1], tight)
            if k > _STALE[0]:
                self._factor = None
            if k < _STALE[1]:
                return step
        self._factor = self._by_factor(*rows, single=not near)
        return self._iterate(self._factor, right, *rows, _MOST, tight)[0]

    def _iterate(
        self,
        precondition: Solve,
        right: np.ndarray,
        q: np.ndarray,
        beta: np.ndarray,
        response: np.ndarray,
        most: int,
        tight: float,
    ) -> tuple[np.ndarray, int]:
        """Conjugate gradients, and how many products they took."""
        d = self.d
        rows = np.flatnonzero((beta + response) * self.squares > _LEFT_OUT[1] / len(beta))
        X = self.X if len(rows) == len(beta) else self.X[rows]

        def product(p: np.ndarray) -> np.ndarray:
            change = X @ np.ascontiguousarray(p.T)
            kernel.row_products(change, self.codes, rows, q, beta, response)
            found = change.T @ X
            found[:, :d] += p[:, :d]
            return found

        step, left, products = np.zeros_like(right), right.copy(), 0
        left[:, d:] -= left[:, d:].mean(axis=0)
        steps = conjugate_gradients(product, precondition, left, step)
        enough = tight**2 * next(steps)
        for products, size in enumerate(steps, 1):
            if size <= enough or products == most:
                break
        return step, products

    @cached_property
    def _X32(self) -> np.ndarray:
        return self.X.astype(np.float32)

    @cached_property
    def _squared(self) -> np.ndarray:
        return self.X**2

    @cached_property
    def _kronecker(self) -> RowKronecker:
        return RowKronecker(self.X, self.d, self.codes, self.squares)

    def _by_factor(self, q: np.ndarray, beta: np.ndarray, response: np.ndarray, *, single: bool) -> Solve:
        """The inverse of the Hessian without what is little in it, by Cholesky; in single precision if that will do."""
        ridge, more = _RIDGE
        hessian, scale = self._assembled(self._X32 if single else self.X, q, beta, response)
        factorise = lapack.spotrf if single else lapack.dpotrf
        factor, info = factorise(hessian.T, lower=0, clean=0, overwrite_a=1)
        if single and info > 0:
            return self._by_factor(q, beta, response, single=False)
        while info > 0 and ridge < 1.0:
            hessian, scale = self._assembled(self.X, q, beta, response)
            hessian.flat[:: len(scale) + 1] += ridge
            ridge *= more
            factor, info = lapack.dpotrf(hessian.T, lower=0, clean=0, overwrite_a=1)
        if info != 0:
            raise ArithmeticError("the Hessian has no factor")
        back = lapack.spotrs if single else lapack.dpotrs

        def solve(right: np.ndarray) -> np.ndarray:
            return (back(factor, right.ravel() * scale, lower=0)[0] * scale).reshape(right.shape)

        return solve

    def _assembled(
        self, X: np.ndarray, q: np.ndarray, beta: np.ndarray, response: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """The lower half of a Hessian of unit diagonal, and what its rows and columns were multiplied by.

        A class of a row counts if its part of the row's curvature matters, or if it is the row's own: what remains is
        positive semidefinite, as with single entries left out it would not be.
        """
        k, p, d, all_rows = self.k, self.p, self.d, np.arange(len(beta))
        size = (beta + response) * self.squares
        live = q.T * size > _LEFT_OUT[0] / len(beta)
        live[self.codes, all_rows] = size > _LEFT_OUT[0] / len(beta)
        q = np.ascontiguousarray(q.T)
        V = -q
        V[self.codes, all_rows] = 1.0
        by_response, by_beta = response * V, beta * q
        diagonal = np.where(live, by_response * V - by_beta * q + by_beta, 0.0) @ self._squared
        diagonal[:, :d] += 1.0
        # A number added to all intercepts changes no margin: it gets the mean curvature of the others.
        together = float(diagonal[:, d:].sum()) or 1.0
        diagonal[:, d:] += 1e-12 * together + together / k**2
        scale = 1.0 / np.sqrt(diagonal)
        hessian = np.zeros((k, p, k, p), dtype=X.dtype)
        for i in range(k):
            for j in range(i + 1):
                both = live[i] & live[j]
                rows = slice(None) if both.all() else np.flatnonzero(both)
                entries = by_response[i, rows] * V[j, rows] - by_beta[i, rows] * q[j, rows]
                if i == j:
                    entries += by_beta[i, rows]
                block, some = hessian[i, :, j, :], X[rows]
                np.matmul((some * entries[:, None].astype(X.dtype, copy=False)).T, some, out=block)
                block[d:, d:] += together / k**2
                block *= scale[i][:, None]
                block *= scale[j]
        hessian = hessian.reshape(k * p, k * p)
        hessian.flat[:: k * p + 1] = 1.0
        return hessian, scale.ravel()
