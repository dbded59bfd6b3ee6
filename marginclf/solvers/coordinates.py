"""Coordinates in which F is nearly a ball, so that L-BFGS needs a handful of iterations whatever the columns are.

    w_k = w⁰_k + τ_k L⁻ᵀ u_k,   b_k = b⁰_k + β_k τ_k / √(Σ c) − x̄·(w_k − w⁰_k),
    L Lᵀ = penalty·I + Σ c (x − x̄)(x − x̄)ᵀ,

where the curvatures c (of many classes, averaged over these) and the weighted mean x̄ come from a sample of the rows;
τ_k is 1 for two classes, and τ_k² = c̄ / c_k for those of class k. For data that are not tall, L is diagonal. Where the
full Hessian of a sample of many classes is small, its factor is used. Offsets of the columns are taken up by b, so X is
left as it is. The optimum is the same, and what is reported is w and b.
"""

from __future__ import annotations

import math

import numpy as np
from scipy.linalg import blas, lapack

from ..objective import Objective, Point


class Coordinates:
    """The map from u to θ, and of gradients back.

    Parameters
    ----------
    objective : Objective
        F.
    origin : Point
        θ₀, with its gradient.
    factor : ndarray
        L of shape (d, d), lower triangular in Fortran order, or (d,) for a diagonal, or (K d,) for one of each class,
        or of the whole Hessian, of shape (K(d + 1), K(d + 1)).
    scale : ndarray of shape (K,)
        τ; not used with the factor of a whole Hessian.
    mean : ndarray of shape (d,)
        x̄; not used where b is not free.
    total : float or ndarray of shape (K,)
        Σ c, or that of each class.
    """

    def __init__(
        self,
        objective: Objective,
        origin: Point,
        factor: np.ndarray,
        scale: np.ndarray,
        mean: np.ndarray,
        total: float | np.ndarray,
    ) -> None:
        origin.require_finite()
        self.origin = origin
        self._objective, self._factor, self._scale, self._mean = objective, factor, scale, mean
        self.mean = math.sqrt(2.0 * self._miss(np.tile(mean, (objective.n_outputs, 1))))
        self._k, self._d = objective.n_outputs, objective.n_features
        self._whole = self._k > 1 and factor.ndim == 2 and len(factor) > self._d
        self._root = np.sqrt(total)
        self._unit = 1.0
        start = self.gradient(origin)
        # The first step of L-BFGS is as long as 1: it should be about the step to the optimum.
        length = float(np.linalg.norm(start))
        self._unit = length if 0.0 < length < math.inf else 1.0
        self.size = start.size

    def metric(self) -> tuple[np.ndarray, np.ndarray] | None:
        """The inverse of the model's Hessian in (w, b + x̄·w), of two classes, and x̄; None where it is diagonal."""
        if self._k > 1 or self._factor.ndim == 1:
            return None
        d, found = self._d, np.zeros((self._d + 1, self._d + 1))
        inverse, _ = lapack.dpotri(self._factor, lower=True)
        found[:d, :d] = np.tril(inverse) + np.tril(inverse, -1).T
        found[d, d] = 1.0 / float(self._root) ** 2 if self._objective.fit_intercept else 0.0
        return found, self._mean

    def theta(self, u: np.ndarray) -> np.ndarray:
        """θ at u."""
        k, d, objective = self._k, self._d, self._objective
        theta = self.origin.theta.copy()
        if k == 1:
            change = self._unit * self._solve(u[:d], transposed=True)
            theta[:d] += change
            if objective.fit_intercept:
                theta[d:] += self._unit * u[d] / self._root - float(self._mean @ change)
            return theta
        u = self._unit * u.reshape(k, d + 1)
        if self._whole:
            step = blas.dtrsv(self._factor, u.ravel(), lower=True, trans=True).reshape(k, d + 1)
            change, db = step[:, :d], step[:, d]
        else:
            change = self._solve(u[:, :d] * self._scale[:, None], transposed=True)
            db = u[:, d] * self._scale / self._root
        by_class = objective.by_class(theta)
        by_class += change
        if objective.fit_intercept:
            b = objective.b(theta)
            b += db - change @ self._mean
            b -= b.mean()
        return theta

    def gradient(self, point: Point) -> np.ndarray:
        """∂F/∂u at a point."""
        k, d = self._k, self._d
        if k == 1:
            u = np.zeros(d + 1)
            u[:d] = self._solve(self._centred(point), transposed=False)
            u[d:] = point.gradient[d] / self._root
            u *= self._unit
            return u
        g = np.empty((k, d + 1))
        g[:, :d], g[:, d] = self._centred(point), point.slope
        if self._whole:
            return self._unit * blas.dtrsv(self._factor, g.ravel(), lower=True)
        g[:, :d] = self._solve(g[:, :d], transposed=False) * self._scale[:, None]
        g[:, d] *= self._scale / self._root
        g *= self._unit
        return g.ravel()

    def step(self, gradient: np.ndarray) -> np.ndarray:
        """That of the quadratic model, in u, from ∂F/∂u."""
        return -gradient / self._unit**2

    def promise(self, point: Point) -> float:
        """½‖∂F/∂w‖² with b following, as :attr:`Point.half_square` measures it."""
        return self._miss(self._centred(point))

    def _miss(self, in_w: np.ndarray) -> float:
        """½‖·‖² of a gradient (K, d) or (d,), by the weights of the penalty where something can be proved by it."""
        flat, objective = in_w.ravel(), self._objective
        if objective.penalty.uniform or not objective.provable:
            return 0.5 * float(flat @ flat)
        return objective.penalty.conjugate(objective.w(objective.theta(in_w, 0.0)))

    def _centred(self, point: Point) -> np.ndarray:
        """∂F/∂W with b following, of shape (K, d), or (d,) of two classes."""
        if self._k == 1:
            in_w = point.gradient[:-1]
            return in_w - float(point.gradient[-1]) * self._mean if self._objective.fit_intercept else in_w
        in_w = self._objective.by_class(point.gradient)
        return in_w - point.slope[:, None] * self._mean if self._objective.fit_intercept else in_w

    def _solve(self, x: np.ndarray, *, transposed: bool) -> np.ndarray:
        """L⁻¹ or L⁻ᵀ times each row, or a vector."""
        if self._factor.ndim == 1:
            return x / (self._factor if x.ndim == 1 else self._factor.reshape(-1, self._d))
        if x.ndim == 1:
            return blas.dtrsv(self._factor, x, lower=True, trans=transposed)
        return blas.dtrsm(1.0, self._factor, x.T, lower=True, trans_a=transposed).T
