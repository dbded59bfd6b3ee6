"""The inverse of a Hessian that is learnt from steps, and the quadratic model of it beside kinks and bounds.

It begins with the Hessian of a sample of the rows, and learns by the update of Broyden, Fletcher, Goldfarb and Shanno.
Its coordinates are x = (u, b + x̄·w), entry by entry of the penalty, where x̄ is the mean of the rows by their curvature.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.linalg import blas, lapack

from ...kernels.inverse_descent import minimise_by_inverse
from ...objective import L2, BinaryObjective, BinaryPoint, NonsmoothPenalty
from ..preconditioner import preconditioners

_ROUNDS, _EXACT = 60, 1e-9
"""Rounds of a model, and to what its slopes are exact, relative to the kinks."""

_JITTER, _ROUGH = 1e-10, 1e-4
"""Added to a diagonal, relative to it, and the least part of a column that those before may leave unexplained where it
is added up in single precision."""

_CURVED = 1e-12
"""Cosine of a step and the change of the slope along it, below which that is rounding."""


class InverseMetric:
    """M = (∇²(losses + squares))⁻¹, about.

    Parameters
    ----------
    objective : BinaryObjective
        The losses, smooth and convex, without a penalty.
    penalty : NonsmoothPenalty
        What is added to them.

    Attributes
    ----------
    start : BinaryPoint or None
        About the optimum of a sample of the rows, or zero; None where the rows make no metric.
    m : ndarray of shape (d + 1, d + 1)
        M.
    unsolved : int
        Models that were not minimised in time: of groups with entries of very different units.
    """

    start: BinaryPoint | None = None
    unsolved = 0

    def __init__(self, objective: BinaryObjective, penalty: NonsmoothPenalty) -> None:
        self._objective, self._penalty = objective, penalty
        smooth = objective.like(penalty=L2())
        coordinates = preconditioners(smooth).around(smooth.origin())
        found = coordinates.metric()
        if found is None:
            return
        inverse, mean = found
        order = np.append(penalty.order, len(penalty.order))
        as_it_is = (order == np.arange(len(order))).all()
        self.m = inverse if as_it_is else np.ascontiguousarray(inverse[np.ix_(order, order)])
        self._mean = mean[penalty.order]
        self.start = self._without_squares(coordinates.origin)

    def _without_squares(self, there: Any) -> BinaryPoint:
        """A point of losses and ½‖w‖² as one of the losses, within the bounds."""
        objective, penalty, w = self._objective, self._penalty, there.w
        u = penalty.vector(w)
        if (penalty.clipped(u) != u).any():
            return objective.evaluate(objective.theta(penalty.matrix(penalty.clipped(u)), there.b))
        known = {"value": there.value - 0.5 * float(w @ w), "gradient": there.gradient - np.append(w, 0.0)}
        return BinaryPoint(objective, there.theta.copy(), intercept_minimised=there.intercept_minimised, **known)

    def x(self, theta: np.ndarray) -> np.ndarray:
        """θ in these coordinates."""
        u = self._penalty.vector(theta[:-1])
        return np.append(u, float(theta[-1]) + float(self._mean @ u))

    def theta(self, x: np.ndarray) -> np.ndarray:
        """And back."""
        b = float(x[-1] - self._mean @ x[:-1]) if self._objective.fit_intercept else 0.0
        return self._objective.theta(self._penalty.matrix(x[:-1]), b)

    def slope(self, point: Any) -> np.ndarray:
        """Of losses and squares, in x."""
        penalty, in_b = self._penalty, float(point.gradient[-1])
        in_w = penalty.vector(point.gradient[:-1]) + penalty.quadratic * penalty.vector(point.w)
        return np.append(in_w - in_b * self._mean, in_b)

    def target(
        self, x: np.ndarray, slope: np.ndarray, y: np.ndarray | None, kink: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, float]:
        """Where the model is least with these kinks, the slopes of the penalty there, and what the model promises.

        ``y`` are those of the step before, if there was one.
        """
        penalty, m, n = self._penalty, self.m, len(x) - 1
        u = x - m @ slope
        y = np.repeat(kink, penalty.sizes) * np.sign(u[:n]) if y is None and not penalty.grouped else y
        y = np.zeros(n) if y is None else y.copy()
        u -= m[:, :n] @ y
        target = np.empty(n + 1)
        rounds = minimise_by_inverse(
            m, u, y, penalty.starts, kink, penalty.lower, penalty.upper, _EXACT, _ROUNDS, np.empty(len(kink)),
            np.empty(n), target,
        )  # fmt: skip
        self.unsolved += rounds == _ROUNDS
        target[n] = u[n]
        change = target - x
        return target, y, float(slope @ change) + float(kink @ (penalty.norms(target[:n]) - penalty.norms(x[:n])))

    def learn(self, step: np.ndarray, change: np.ndarray) -> None:
        """By what the slope changes along a step."""
        along = float(step @ change)
        if not along > _CURVED * float(np.linalg.norm(step)) * float(np.linalg.norm(change)):
            return
        moved = self.m @ change
        a = moved - 0.5 * (1.0 + float(change @ moved) / along) * step
        # M is symmetric: its transpose is the same matrix in Fortran order, without a copy.
        for u, v in ((a, step), (step, a)):
            blas.dger(-1.0 / along, u, v, a=self.m.T, overwrite_a=True)

    def renew(self, point: Any) -> None:
        """M of all rows at a point; as it is where that is singular."""
        curvature, n = self._objective.curvature(point), len(self._mean)
        centre = np.zeros(n) if curvature.centre is None else curvature.centre
        matrix, c = self._objective.matrix, point.c
        factor = self._factor(matrix.rough_gram(c, centre), _ROUGH)
        factor = self._factor(matrix.gram(c, centre), 0.0) if factor is None else factor
        if factor is None or not curvature.decoupled >= 0.0:
            return
        inverse, _ = lapack.dpotri(factor, lower=True)
        self.m[:n, :n] = np.tril(inverse) + np.tril(inverse, -1).T
        self.m[n, :n] = self.m[:n, n] = 0.0
        self.m[n, n] = 1.0 / curvature.decoupled if curvature.decoupled > 0.0 else 0.0
        self._mean = centre[self._penalty.order]

    def _factor(self, hessian: np.ndarray, least: float) -> np.ndarray | None:
        """That of a Hessian of the losses, with squares; None where a column is all but a combination of others."""
        penalty = self._penalty
        if not penalty.in_order:
            hessian = hessian[np.ix_(penalty.order, penalty.order)]
        hessian.flat[:: len(hessian) + 1] += penalty.quadratic + _JITTER * hessian.diagonal()
        spread = hessian.diagonal().copy()
        # Symmetric: its transpose is the same matrix in Fortran order.
        factor, info = lapack.dpotrf(hessian.T, lower=True, overwrite_a=True)
        return factor if info == 0 and (factor.diagonal() ** 2 >= least * spread).all() else None
