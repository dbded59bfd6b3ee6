"""Coordinates in which the joint objective is nearly a ball.

    w_k = w⁰_k + τ_k L⁻ᵀ u_k,   b_k = b⁰_k + β_k τ_k / √(Σ c) − x̄·(w_k − w⁰_k),
    L Lᵀ = penalty·I + Σ c (x − x̄)(x − x̄)ᵀ,

with curvatures c averaged over the classes and τ_k² = c̄ / c_k for those of class k: the product of a matrix for the
classes, taken as diagonal, and one for the columns. Where the full Hessian of a sample is small, its factor is used.
"""

from __future__ import annotations

import math

import numpy as np
from scipy.linalg import blas

from ...matrix.joint import pairs
from ...objective import JointObjective, JointPoint
from ..coordinates import LEAST_SAMPLES, cholesky, sample_rows, usable_scale
from .direction import direct
from .newton import joint_newton

_SAMPLE_TOL = 1e-3
_SAMPLE_ITERATIONS = 20
_SEED = 0
_LEAST_SHARE = 0.25
"""Part of the sample that classes share equally, whatever their size."""

_WHOLE_LIMIT = 600
"""Coefficients and intercepts up to which the factor of a whole Hessian of the sample is used."""

_SMALL = 1 << 18
_PART = 1 << 11
_RAREST = 1e-6
_CONSTANT = 1e-20
"""Variance of a column, relative to its squared mean, that is rounding."""


class JointCoordinates:
    """The map from θ to (W, b), and of gradients back.

    Parameters
    ----------
    objective : JointObjective
        F.
    origin : JointPoint
        (W₀, b₀), with its gradient.
    factor : ndarray
        L of shape (d, d) or (d,) for one matrix of all classes; or of the whole Hessian, of shape (K(d + 1), K(d + 1)).
    scale : ndarray of shape (K,)
        τ; not used with the factor of a whole Hessian.
    mean : ndarray of shape (d,)
        x̄.
    total : float
        Σ c.
    """

    def __init__(
        self,
        objective: JointObjective,
        origin: JointPoint,
        factor: np.ndarray,
        scale: np.ndarray,
        mean: np.ndarray,
        total: float,
    ) -> None:
        origin.require_finite()
        self.origin = origin
        self._objective, self._factor, self._scale, self._mean = objective, factor, scale, mean
        self._k, self._d = objective.n_classes, objective.matrix.shape[1]
        self._whole = factor.ndim == 2 and len(factor) > self._d
        self._root = math.sqrt(total)
        start = self._to_theta(origin)
        # The first step of L-BFGS is as long as 1: it should be about the step to the optimum.
        self.unit = float(np.linalg.norm(start)) or 1.0
        self.size = start.size

    def point(self, theta: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(W, b) at θ."""
        k, d = self._k, self._d
        theta = self.unit * theta.reshape(k, d + 1)
        if self._whole:
            step = blas.dtrsv(self._factor, theta.ravel(), lower=True, trans=True).reshape(k, d + 1)
            change, db = step[:, :d], step[:, d]
        else:
            change = self._solve(theta[:, :d] * self._scale[:, None], transposed=True)
            db = theta[:, d] * self._scale / self._root
        w = self.origin.w.copy()
        by_class = self._objective.passes.by_class(w)
        by_class += change
        if not self._objective.fit_intercept:
            return w, self.origin.b
        b = self.origin.b + db - change @ self._mean
        return w, b - b.mean()

    def gradient(self, point: JointPoint) -> np.ndarray:
        """∂F/∂θ at a point."""
        return self.unit * self._to_theta(point).ravel()

    def decrement(self, gradient: np.ndarray) -> float:
        """What the quadratic model says can be gained, from ∂F/∂θ."""
        return 0.5 * float(gradient @ gradient) / self.unit**2

    def centred(self, point: JointPoint) -> np.ndarray:
        """∂F/∂W with b following, of shape (K, d)."""
        return self._objective.passes.by_class(point.gradient) - point.slope[:, None] * self._mean

    def _to_theta(self, point: JointPoint) -> np.ndarray:
        k, d = self._k, self._d
        g = np.empty((k, d + 1))
        g[:, :d], g[:, d] = self.centred(point), point.slope
        if self._whole:
            return blas.dtrsv(self._factor, g.ravel(), lower=True)
        g[:, :d] = self._solve(g[:, :d], transposed=False) * self._scale[:, None]
        g[:, d] *= self._scale / self._root
        return g

    def _solve(self, x: np.ndarray, *, transposed: bool) -> np.ndarray:
        """L⁻¹ or L⁻ᵀ times each row."""
        if self._factor.ndim == 1:
            return x / self._factor
        return blas.dtrsm(1.0, self._factor, x.T, lower=True, trans_a=transposed).T


class Coordinates:
    """Makes coordinates around one point after another, from the same sample of the rows.

    Parameters
    ----------
    objective : JointObjective
        F.
    """

    def __init__(self, objective: JointObjective) -> None:
        self._objective = objective
        n, d = objective.matrix.shape
        # 4 % of the memory that X takes: one matrix for all classes is too rough to gain by a larger sample.
        size = min(sample_rows(n, d, objective.matrix.entries), max(n // 25, LEAST_SAMPLES * d))
        # Data that is not tall is its own sample, and small data as well; its diagonal is all that is taken of others.
        self._dense = size > 0 or n * d <= _SMALL
        rows, scale = _sample(objective, size or min(n, max(_SMALL // d, 20 * math.isqrt(n))))
        self._sample = objective.sample(rows, scale)
        self.whole = objective.loss.convex and direct(objective) and objective.n_classes * (d + 1) <= _WHOLE_LIMIT

    def around(self, start: JointPoint) -> JointCoordinates:
        """Coordinates around a start, or around the optimum of the sample where that is lower and cheap to find."""
        objective, sample = self._objective, self._sample
        k, d = objective.n_classes, objective.matrix.shape[1]
        if self.whole:
            if not start.w.any():
                start = self._optimum(start)
            centre = sample.centre if objective.fit_intercept else np.zeros(d)
            factor = cholesky(sample.whole_hessian(start, centre))
            if factor is not None:
                return JointCoordinates(objective, start, factor, np.ones(k), centre, 1.0)
        by_class, c = self._curvatures(start)
        total = float(c.sum())
        mean = sample.matrix.transposed_product(c) / total if objective.fit_intercept else np.zeros(d)
        average = float(by_class.mean())
        scales = np.sqrt(average / np.maximum(by_class, _RAREST * average))
        factor = None
        if self._dense:
            hessian = sample.matrix.gram(c, mean)
            spread = hessian.diagonal().copy()
            constant = spread <= _CONSTANT * total * mean**2
            if constant.any():
                hessian[constant] = hessian[:, constant] = 0.0
            hessian.flat[:: d + 1] += objective.penalty or 1e-10 * max(float(spread.max()), 1e-300)
            factor = cholesky(hessian)
        if factor is None:
            spread = sample.matrix.squared_product(c) - total * mean**2
            factor = usable_scale(np.maximum(spread, 0.0) + objective.penalty)
        return JointCoordinates(objective, start, factor, scales, mean, total)

    def _optimum(self, start: JointPoint) -> JointPoint:
        sample = self._sample
        found = joint_newton(
            sample, sample.origin(), tol=_SAMPLE_TOL, max_iter=_SAMPLE_ITERATIONS, to_rounding=False
        ).point
        there = self._objective.evaluate(found.w, found.b)
        return there if there.value < start.value else start

    def _curvatures(self, point: JointPoint) -> tuple[np.ndarray, np.ndarray]:
        """C s of the sample times the curvature in a decision value: the sums by class, and the means by row."""
        sample, k = self._sample, self._objective.n_classes
        m = sample.matrix.shape[0]
        by_class, c = np.zeros(k), np.empty(m)
        diagonal = pairs(k).diagonal()
        for start in range(0, m, _PART):
            stop = min(start + _PART, m)
            z = sample.passes.decisions(point.w, point.b, start, stop)
            _, _, second = sample.passes.second_derivatives(sample.compiled, z, start)
            part = np.abs(second[diagonal])
            by_class += part.sum(axis=1)
            c[start:stop] = part.mean(axis=0)
        if not 0.0 < c.sum() < math.inf:
            # No row is curved here, or one of them beyond all bounds: all alike, then.
            return np.ones(k), np.array(np.broadcast_to(sample.passes.weights, m), dtype=float)
        return by_class, c


def _sample(objective: JointObjective, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Rows of every class, and what each of them stands for."""
    codes, k = objective.passes.codes, objective.n_classes
    rng = np.random.default_rng(_SEED)
    counts = np.bincount(codes, minlength=k)
    order = np.argsort(codes, kind="stable")
    ends = np.cumsum(counts)
    rows, scale = [], []
    for count, end in zip(counts, ends, strict=True):
        share = (1.0 - _LEAST_SHARE) * count / len(codes) + _LEAST_SHARE / k
        m = min(int(count), max(1, round(size * share)))
        # One in each stretch of the rows, whatever order they are in.
        places = ((np.arange(m) + rng.random(m)) * (count / m)).astype(np.intp)
        rows.append(order[end - count : end][places])
        scale.append(np.full(m, count / m))
    return np.concatenate(rows), np.concatenate(scale)
