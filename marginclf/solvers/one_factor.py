"""Several classes against the rest by one factor, where the loss is a parabola: its Hessian is the same for all."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from scipy.linalg import lapack

from ..losses import MarginLoss
from ..matrix import DesignMatrix
from ..objective import DIRECT_LIMIT, L2, BinaryObjective, BinaryPoint, Point
from .convergence import proves_coefficients
from .solution import Solution, Status

_STEPS = 2
"""Newton steps by the same factor: the second takes off what rounding left, the condition times that of the first."""

_PAYS = 500
"""Operations of a Hessian for each stored entry and problem up to which it pays: twenty passes take as long."""

Evaluate = Callable[[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]


def one_factor_suits(loss: MarginLoss, penalty: L2, matrix: DesignMatrix, n_problems: int) -> bool:
    """Whether the loss is a parabola, and its Hessian costs less than what it spares the problems."""
    least, most = loss.curvature_bounds()
    (n, d), entries = matrix.shape, matrix.entries
    cheap = d <= DIRECT_LIMIT and n * d * d <= _PAYS * entries * n_problems
    return bool(0.0 < least == most and cheap and penalty.uniform and penalty)


def one_factor(
    objectives: Sequence[BinaryObjective], evaluate: Evaluate, *, tol: float
) -> list[Solution[Point] | None]:
    """The optimum of each problem; None where it is not proven.

    Parameters
    ----------
    objectives : sequence of BinaryObjective
        F of each class, over one matrix and with the same weights of rows.
    evaluate : callable
        ``evaluate(W, b)`` returns Σ C s φ, its slope and curvature in b, (K, 3), and its gradients in w, (K, d).
    tol : float
        Relative suboptimality that is to be proven.
    """
    first = objectives[0]
    k, d, weights = len(objectives), first.matrix.shape[1], first.row_weights
    centre = first.centre
    hessian = first.matrix.gram(first.loss.curvature_bounds()[0] * weights, centre)
    hessian.flat[:: d + 1] += first.penalty.diagonal
    factor, info = lapack.dpotrf(hessian.T, lower=True, overwrite_a=True)
    if info != 0 or not np.isfinite(factor.diagonal()).all():
        return [None] * k
    W, b = np.zeros((k, d)), np.zeros(k)
    for _ in range(_STEPS):
        sums, gradients = evaluate(W, b)
        in_w = gradients + (first.penalty.diagonal * W)
        slope = sums[:, 1] if first.fit_intercept else np.zeros(k)
        step = -lapack.dpotrs(factor, (in_w - slope[:, None] * centre).T, lower=True)[0].T
        W = W + step
        b = b - (slope / sums[:, 2] + step @ centre if first.fit_intercept else 0.0)
    sums, gradients = evaluate(W, b)
    mean = float(np.linalg.norm(centre))
    found: list[Solution[Point] | None] = []
    for i, objective in enumerate(objectives):
        value, slope_i, curvature = sums[i].tolist()
        gradient = objective.gradient(gradients[i], slope_i, W[i])
        point: Point = BinaryPoint(
            objective, objective.theta(W[i], b[i]), intercept_minimised=not objective.fit_intercept,
            value=value + objective.penalty.value(W[i]), gradient=gradient, curvature=curvature,
        )  # fmt: skip
        # Mostly what b leaves is seen to be nothing; where columns are far from 0, it has to be minimised to show it.
        point = objective.minimise_intercept(point, 1e-3 * tol, mean)
        if not _proven(point, tol):
            point = objective.at(point.theta)
        found.append(Solution(point, Status.PROVEN, _STEPS) if _proven(point, tol) else None)
    return found


def _proven(point: Point, tol: float) -> bool:
    return point.finite and point.excess <= tol and proves_coefficients(point, tol)
