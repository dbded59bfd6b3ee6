"""The Newton direction of the joint objective, by a factorisation of the Hessian or by conjugate gradients."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.linalg import eigh, lapack

from ...objective import JointObjective, JointPoint, shortened

DIRECT_LIMIT = 1000
"""Coefficients and intercepts up to which the Hessian is formed and factored."""

_MAX_PRODUCTS = 200
_RESIDUAL = 0.03
_DEPENDENT = 1e-6
_SMALLEST_EIGENVALUE = 1e-12
_ROUNDING = 16.0 * np.finfo(float).eps


@dataclass(frozen=True)
class JointDirection:
    """A descent direction (dw, db), Σ db = 0, with its decrement ½ gᵀH⁻¹g."""

    dw: np.ndarray
    db: np.ndarray
    decrement: float


def direct(objective: JointObjective) -> bool:
    """Whether the Hessian is small enough to be factored."""
    return objective.n_classes * (objective.matrix.shape[1] + 1) <= DIRECT_LIMIT


def joint_direction(objective: JointObjective, point: JointPoint) -> JointDirection:
    """−H⁻¹g at a point; where H is not positive definite, with H's curvatures made positive."""
    dw, db = _factored(objective, point) if direct(objective) else _conjugate_gradients(objective, point)
    db -= db.mean()
    decrement = -0.5 * (float(point.gradient.ravel() @ dw.ravel()) + float(point.slope @ db))
    return JointDirection(dw, db, decrement)


def _factored(objective: JointObjective, point: JointPoint) -> tuple[np.ndarray, np.ndarray]:
    passes, k, d = objective.passes, objective.n_classes, objective.matrix.shape[1]
    centre = objective.centre if objective.fit_intercept else np.zeros(d)
    hessian = objective.whole_hessian(point, centre)
    size = k * (d + 1)
    gradient = np.empty((k, d + 1))
    gradient[:, :d] = passes.by_class(point.gradient) - point.slope[:, None] * centre
    gradient[:, d] = point.slope
    free = np.ones((k, d + 1), dtype=bool)
    free[:, d] = objective.fit_intercept
    step: np.ndarray = np.zeros(size)
    chosen = free.ravel()
    if not chosen.all():
        hessian = hessian[np.ix_(chosen, chosen)]
    step[chosen] = solved(hessian, -gradient.ravel()[chosen], strict=not objective.penalty)
    step = step.reshape(k, d + 1)
    dw = passes.zeros()
    passes.by_class(dw)[...] = step[:, :d]
    return dw, shortened(step[:, d], point.b) - step[:, :d] @ centre if objective.fit_intercept else step[:, d]


def solved(hessian: np.ndarray, right: np.ndarray, *, strict: bool) -> np.ndarray:
    """H⁻¹ times a vector, by Cholesky; by magnitudes of the eigenvalues where H is not positive definite."""
    scale = np.sqrt(np.abs(hessian.diagonal()))
    scale[scale == 0.0] = 1.0
    scaled = hessian / scale / scale[:, None]
    factor, solution, info = lapack.dposv(scaled, right / scale, lower=True)
    if info == 0 and (not strict or factor.diagonal().min() > _DEPENDENT):
        return solution / scale
    values, vectors = eigh(scaled)
    magnitudes = np.abs(values)
    part = vectors.T @ (right / scale)
    flat = magnitudes < _SMALLEST_EIGENVALUE * (magnitudes.max() or 1.0)
    # A true slope without curvature leads far, until the line search stops it; one that is rounding leads nowhere.
    part[flat & (np.abs(part) <= 1e-12 * np.abs(part).max(initial=0.0))] = 0.0
    magnitudes[flat] = _SMALLEST_EIGENVALUE * (magnitudes.max() or 1.0)
    return (vectors @ (part / magnitudes)) / scale


def gradient_is_rounding(objective: JointObjective, point: JointPoint) -> bool:
    """Whether the gradient in W is what rounding leaves of the sums that it is made of."""
    passes, matrix = objective.passes, objective.matrix
    weights = np.array(np.broadcast_to(passes.weights, matrix.shape[0]), dtype=float)
    _, _, r, _ = matrix.pointwise(objective.compiled, weights, passes.margins(point.w, point.b), 0.0)
    slopes = np.abs(r)
    # Of a row, all classes together have twice the slope of its margin at most.
    noise = 2.0 * np.linalg.norm(np.sqrt(matrix.squared_product(slopes) * slopes.sum()))
    noise += objective.penalty * np.linalg.norm(point.w)
    return bool(np.linalg.norm(point.gradient) <= _ROUNDING * noise)


def _conjugate_gradients(objective: JointObjective, point: JointPoint) -> tuple[np.ndarray, np.ndarray]:
    """Truncated and preconditioned by the diagonal. At the first direction of negative curvature it stops."""
    passes, compiled, penalty = objective.passes, objective.compiled, objective.penalty
    free = objective.fit_intercept
    # The columns of sparse data lie around zero as they are.
    centre = objective.centre if free and not objective.matrix.sparse else None

    def uncentred(p: np.ndarray, p_b: np.ndarray) -> np.ndarray:
        return p_b if centre is None else p_b - passes.by_class(p) @ centre

    def centred(g: np.ndarray, g_b: np.ndarray) -> np.ndarray:
        if centre is not None:
            by_class = passes.by_class(g)
            by_class -= g_b[:, None] * centre
        return g

    def dot(x: tuple[np.ndarray, np.ndarray], y: tuple[np.ndarray, np.ndarray]) -> float:
        return float(x[0].ravel() @ y[0].ravel() + x[1] @ y[1])

    diagonal, diagonal_b = passes.diagonal(compiled, point.w, point.b)
    if centre is not None:
        by_class = passes.by_class(diagonal)
        by_class -= diagonal_b[:, None] * centre**2
    diagonal += penalty
    largest = max(float(diagonal.max()), 1e-300)
    diagonal[~(diagonal > 1e-12 * largest)] = largest
    largest_b = max(float(diagonal_b.max()), 1e-300)
    diagonal_b = np.where(diagonal_b > 1e-12 * largest_b, diagonal_b, largest_b)

    step, step_b = passes.zeros(), np.zeros_like(point.b)
    r, r_b = centred(-point.gradient, -point.slope), -point.slope
    s, s_b = r / diagonal, r_b / diagonal_b
    p, p_b = s.copy(), s_b
    rho = start = dot((r, r_b), (s, s_b))
    if not start > 0.0:
        return step, step_b
    for _ in range(_MAX_PRODUCTS):
        h, h_b = passes.hessian_product(compiled, point.w, point.b, p, uncentred(p, p_b))
        h_b = h_b if free else np.zeros_like(h_b)
        h = centred(h, h_b)
        h += penalty * p
        curvature = dot((p, p_b), (h, h_b))
        if not curvature > 0.0:
            if not step.any() and not step_b.any():
                step, step_b = s, s_b
            break
        t = rho / curvature
        step += t * p
        step_b = step_b + t * p_b
        r -= t * h
        r_b = r_b - t * h_b
        np.divide(r, diagonal, out=s)
        s_b = r_b / diagonal_b
        rho, last = dot((r, r_b), (s, s_b)), rho
        if rho <= _RESIDUAL**2 * start:
            break
        p *= rho / last
        p += s
        p_b = s_b + (rho / last) * p_b
    return step, uncentred(step, step_b)
