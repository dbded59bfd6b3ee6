"""The Newton direction, by a factorisation of the Hessian or by conjugate gradients, and its decrement.

The intercept is eliminated: with weights c_i = C s_i φ''(m_i) and the mean x̄ = Σ c x / Σ c, the Hessian in w after
minimising over b is penalty·I + Σ c (x − x̄)(x − x̄)ᵀ. Formed from centred rows, it keeps its digits when features
have large offsets, and it is positive definite whenever the loss is convex and there is a penalty.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.linalg import eigh, lapack

from ..matrix import DesignMatrix
from ..objective import Objective, Point
from .row_space import row_space_step

DIRECT_LIMIT = 1000
"""Columns up to which the Hessian is formed and factored."""

_FEW_CURVED = 0.25
"""Part of the rows up to which a copy of the curved ones is worth its making."""

_MAX_PRODUCTS = 200
_RESIDUAL = 1e-2
_SMALLEST_EIGENVALUE = 1e-12
_ROUNDING = 16.0 * np.finfo(float).eps
_CONSTANT = 1e-20
"""Variance of a column, relative to its squared mean, that is rounding."""

_DEPENDENT = 1e-6
"""Root of the part of a column's variance that the columns before it leave unexplained, below which it is rounding."""


@dataclass(frozen=True)
class Direction:
    """A descent direction (dw, db) with its decrement ½ gᵀH⁻¹g."""

    dw: np.ndarray
    db: float
    decrement: float


def newton_direction(objective: Objective, point: Point) -> Direction:
    """−H⁻¹g at a point; where H is not positive definite, with H's curvatures made positive."""
    curved = np.flatnonzero(point.c)
    step = _in_row_space(objective, point, curved) if objective.provable else None
    if step is not None:
        return step
    matrix, c = objective.matrix, point.c
    if 0 < len(curved) <= _FEW_CURVED * len(c):
        # The Hessian is theirs alone.
        matrix, c = matrix.take(curved), c[curved]
    centre, total = _centre(objective, point, matrix, c)
    if total is None:
        return _modified(objective, point)
    gradient = point.gradient if centre is None else point.gradient - point.slope * centre
    if len(gradient) <= DIRECT_LIMIT:
        dw, missing = _factored(objective.penalty, matrix, c, gradient, centre, total), 0.0
    else:
        dw, missing = _conjugate_gradients(objective.penalty, matrix, c, gradient, centre, total)
    if dw is None:
        return _modified(objective, point)
    db, decrement = 0.0, 0.5 * (missing - float(gradient @ dw))
    if centre is not None:
        db = -float(centre @ dw)
        if total > 0.0:
            db -= point.slope / total
            decrement += 0.5 * point.slope**2 / total
    return Direction(dw, db, decrement)


def _in_row_space(objective: Objective, point: Point, curved: np.ndarray) -> Direction | None:
    """The direction by way of the curved rows, where that is less work than by way of the columns."""
    n, d = objective.matrix.shape
    m = len(curved)
    if m == 0 or m >= d:
        return None
    direct = m <= DIRECT_LIMIT
    if direct:
        # Gram matrix and factor, and on this side three passes more over all rows.
        if d <= DIRECT_LIMIT and 6 * n * d + m * m * (d + m / 3) >= d * d * (m + d / 3):
            return None
    elif not (objective.matrix.sparse and 2 * m <= n):
        # Conjugate gradients run through the rows on either side; it pays only to leave many of them out.
        return None
    step = row_space_step(objective, point, curved, direct=direct, residual=_RESIDUAL)
    if step is None:
        return None
    dw, db, missing = step
    decrement = 0.5 * (missing - float(point.gradient @ dw))
    if objective.fit_intercept:
        db -= point.slope / point.curvature
        decrement += 0.5 * point.slope**2 / point.curvature
    return Direction(dw, db, decrement)


def _centre(
    objective: Objective, point: Point, matrix: DesignMatrix, c: np.ndarray
) -> tuple[np.ndarray | None, float | None]:
    """Mean of the rows weighted by c, and Σ c; a total of None says that b cannot be eliminated."""
    if not objective.fit_intercept:
        return None, 0.0
    total = float(c.sum())
    if objective.loss.convex and total == 0.0:
        # No row is curved. Any centre is right then, and one amid the rows keeps them near their decision values.
        return _mean(objective, point), 0.0
    if not total > 1e-8 * float(np.abs(c).sum()):
        return None, None
    return matrix.transposed_product(c) / total, total


def _finite(hessian: np.ndarray) -> np.ndarray:
    if not np.isfinite(hessian).all():
        raise OverflowError("the Hessian overflows")
    return hessian


def _factored(
    penalty: float, matrix: DesignMatrix, c: np.ndarray, gradient: np.ndarray, centre: np.ndarray | None, total: float
) -> np.ndarray | None:
    """By Cholesky; None where the Hessian is not positive definite to rounding."""
    hessian = _finite(matrix.gram(c, centre))
    if not penalty:
        # Nothing keeps the Hessian away from singular: a column that is constant, or depends on others, has to be
        # noticed here, or rounding decides its coefficient.
        spread = hessian.diagonal().copy()
        if not spread.all() or (centre is not None and (spread <= _CONSTANT * total * centre**2).any()):
            return None
        scale = np.sqrt(spread)
        factor, solution, info = lapack.dposv(hessian / scale / scale[:, None], gradient / scale, lower=True)
        return -solution / scale if info == 0 and factor.diagonal().min() > _DEPENDENT else None
    hessian.flat[:: len(hessian) + 1] += penalty
    _, solution, info = lapack.dposv(hessian, gradient, lower=True, overwrite_a=True)
    return -solution if info == 0 else None


def _conjugate_gradients(
    penalty: float, matrix: DesignMatrix, c: np.ndarray, gradient: np.ndarray, centre: np.ndarray | None, total: float
) -> tuple[np.ndarray, float]:
    """Truncated and preconditioned by the diagonal. At the first direction of negative curvature it stops.

    Also returns what the truncation may hide of gᵀH⁻¹g: rᵀH⁻¹r for the last residual r, at most ‖r‖² / penalty.
    """

    def hessian_product(p: np.ndarray) -> np.ndarray:
        product, total = matrix.hessian_product(c, p, 0.0 if centre is None else -float(centre @ p))
        product += penalty * p
        return product if centre is None else product - centre * total

    diagonal = _finite(matrix.squared_product(c)) + penalty
    if centre is not None:
        diagonal -= total * centre**2
    # Columns without curvature, or with the wrong sign, are left as they are.
    diagonal = np.where(diagonal > 0.0, diagonal, max(1.0, float(np.abs(diagonal).max())))
    solution = np.zeros_like(gradient)
    residual = -gradient
    scaled = residual / diagonal
    p = scaled
    rho = start = float(residual @ scaled)
    for _ in range(_MAX_PRODUCTS):
        if rho <= _RESIDUAL**2 * start:
            break
        product = hessian_product(p)
        curvature = float(p @ product)
        if not curvature > 0.0:
            break
        step = rho / curvature
        solution += step * p
        residual = residual - step * product
        scaled = residual / diagonal
        rho, last = float(residual @ scaled), rho
        p = scaled + (rho / last) * p
    missing = float(residual @ residual) / penalty if penalty else 0.0
    return (solution, missing) if solution.any() else (-gradient / diagonal, missing)


def _mean(objective: Objective, point: Point) -> np.ndarray:
    """Mean of the rows weighted by the magnitudes of c, or by C s where no row is curved."""
    weights = np.abs(point.c)
    if not weights.any():
        weights = np.abs(objective.v)
    return objective.matrix.transposed_product(weights) / weights.sum()


def _modified(objective: Objective, point: Point) -> Direction:
    """Jointly in (w, b), with the magnitudes of the Hessian's eigenvalues: a descent direction, saddle or not."""
    matrix, d = objective.matrix, len(point.w)
    if d > DIRECT_LIMIT:
        # The diagonal alone, in its magnitudes.
        diagonal = np.abs(matrix.squared_product(point.c)) + (objective.penalty or 1e-12)
        dw = -point.gradient / diagonal
        db = -point.slope / (float(np.abs(point.c).sum()) or 1.0)
        return Direction(dw, db, -0.5 * (float(point.gradient @ dw) + point.slope * db))
    if not objective.fit_intercept:
        hessian = _finite(matrix.gram(point.c, None))
        step, decrement = _by_magnitudes(objective, hessian, point.gradient, _noise(objective, point))
        return Direction(step, 0.0, decrement)
    # In the coordinates (w, b + mean·w), for the digits that a large common offset of the rows would cost.
    mean = _mean(objective, point)
    hessian = np.empty((d + 1, d + 1))
    hessian[:d, :d] = _finite(matrix.gram(point.c, mean))
    hessian[d, d] = point.c.sum()
    hessian[d, :d] = hessian[:d, d] = matrix.transposed_product(point.c) - hessian[d, d] * mean
    gradient = np.append(point.gradient - point.slope * mean, point.slope)
    slopes = float(np.abs(point.r).sum())
    noise = np.append(_noise(objective, point) + slopes * np.abs(mean), slopes)
    if not objective.penalty:
        # A constant column is a second intercept: centred it is zero but for rounding.
        constant = np.flatnonzero(_constant_columns(objective))
        hessian[constant] = hessian[:, constant] = gradient[constant] = 0.0
    step, decrement = _by_magnitudes(objective, hessian, gradient, noise)
    return Direction(step[:d], float(step[d] - mean @ step[:d]), decrement)


def _constant_columns(objective: Objective) -> np.ndarray:
    weights = np.abs(objective.v)
    mean = objective.matrix.transposed_product(weights) / weights.sum()
    return objective.matrix.gram(weights, mean).diagonal() <= _CONSTANT * weights.sum() * mean**2


def _noise(objective: Objective, point: Point) -> np.ndarray:
    """What is added up in each entry of the gradient in w, in magnitude, at most: its rounding is in proportion."""
    slopes = np.abs(point.r)
    return np.sqrt(objective.matrix.squared_product(slopes) * slopes.sum()) + objective.penalty * np.abs(point.w)


def gradient_is_rounding(objective: Objective, point: Point) -> bool:
    """Whether the gradient in w is what rounding leaves of the sums that it is made of."""
    return bool(np.linalg.norm(point.gradient) <= _ROUNDING * np.linalg.norm(_noise(objective, point)))


def _by_magnitudes(
    objective: Objective, hessian: np.ndarray, gradient: np.ndarray, noise: np.ndarray
) -> tuple[np.ndarray, float]:
    """−|H|⁻¹g and its decrement, for a Hessian that still lacks its penalty."""
    d = objective.matrix.shape[1]
    hessian.flat[: d * len(hessian) : len(hessian) + 1] += objective.penalty
    # Scaled to a unit diagonal first: eigenvalues, unlike Cholesky factors, mix columns of different units.
    scale = np.sqrt(np.abs(hessian.diagonal()))
    scale[scale == 0.0] = 1.0
    values, vectors = eigh(hessian / scale / scale[:, None])
    magnitudes = np.abs(values)
    least = _SMALLEST_EIGENVALUE * (magnitudes.max() or 1.0)
    part = vectors.T @ (gradient / scale)
    # Without curvature to speak of, a true slope leads far, until the line search stops it; one that is rounding leads
    # nowhere.
    flat = magnitudes < least
    part[flat & (np.abs(part) <= _ROUNDING * (np.abs(vectors.T) @ (noise / scale)))] = 0.0
    magnitudes[flat] = least
    step = -(vectors @ (part / magnitudes)) / scale
    return step, -0.5 * float(gradient @ step)
