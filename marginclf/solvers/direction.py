"""The Newton direction, by a factorisation of the Hessian or by conjugate gradients, and its decrement."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
from scipy.linalg import eigh, lapack

from ..objective import CONSTANT, Curvature, InMemoryObjective, JointObjective, Objective, Point, shortened
from .conjugate_gradients import ConjugateGradients, diagonal, superlinear
from .kronecker import Spread
from .kronecker_loop import compiled_loop
from .row_newton import row_direction
from .row_system import RowSystem, rows_suit
from .woodbury import row_space_step

_SMALLEST_EIGENVALUE = 1e-12
_ROUNDING = 16.0 * np.finfo(float).eps
_UNEVEN = 80
"""Products with the Kronecker product of all rows after which those that differ most stand by themselves: making these
terms takes as long as 20 to 40."""

_DEPENDENT = 1e-6
"""Root of the part of a column's variance that the columns before it leave unexplained, below which it is rounding."""


@dataclass
class Direction:
    """A descent direction.

    Attributes
    ----------
    step : ndarray
        In θ; of many intercepts, those of the step add up to 0.
    gain : float
        −½ gᵀ step.
    missing : function, optional
        Returns a bound on what the truncation hides of gᵀH⁻¹g, by some passes over the rows.
    """

    step: np.ndarray
    gain: float
    missing: Callable[[], float] | None = None

    _decrement: float | None = None

    @property
    def decrement(self) -> float:
        """At least ½ gᵀH⁻¹g: what a quadratic model says can be gained, where the gain may be too small a part of it.

        Only a status needs it, and only where the gain is small already.
        """
        if self.missing is None:
            return self.gain
        if self._decrement is None:
            self._decrement = self.gain + 0.5 * self.missing()
        return self._decrement


def newton_direction(
    objective: Objective, point: Point, *, tol: float = 0.0, spread: Spread | None = None
) -> Direction:
    """−H⁻¹g at a point; where H is not positive definite, with H's curvatures made positive.

    ``spread`` is for conjugate gradients of many classes, which then go no further than ``tol`` needs.
    """
    if spread is not None:
        return _preconditioned(objective, point, tol, spread)
    if objective.provable and objective.n_outputs == 1 and objective.keeps_decisions and objective.penalty.uniform:
        found = row_space_step(cast("InMemoryObjective", objective), point, limit=objective.direct_limit)
        if found is not None:
            step, missing = found
            return _direction(point, step, lambda: missing)
    factored = objective.direct
    curvature = objective.curvature(point, robust=factored and objective.n_outputs > 1)
    if factored:
        return _direction(point, _factored(objective, point, curvature))
    if not curvature.definite:
        return _by_diagonal(objective, point, objective.curvature(point, robust=True))
    return _conjugate_gradients(objective, point, curvature)


def gradient_is_rounding(objective: Objective, point: Point) -> bool:
    """Whether the gradient in w is what rounding leaves of the sums that it is made of."""
    in_w, noise = objective.w(point.gradient), objective.w(objective.noise(point))
    return bool(np.linalg.norm(in_w) <= _ROUNDING * np.linalg.norm(noise))


def _direction(point: Point, step: np.ndarray, missing: Callable[[], float] | None = None) -> Direction:
    return Direction(step, -0.5 * float(point.gradient @ step), missing)


def _centred(objective: Objective, curvature: Curvature, gradient: np.ndarray) -> np.ndarray:
    """A gradient in the coordinates of the curvature."""
    gradient = gradient.copy()
    if curvature.centre is None:
        return gradient
    if objective.n_outputs == 1:
        gradient[:-1] -= gradient[-1] * curvature.centre
    else:
        by_class = objective.by_class(gradient)
        by_class -= objective.b(gradient)[:, None] * curvature.centre
    return gradient


def _uncentred(objective: Objective, curvature: Curvature, step: np.ndarray) -> np.ndarray:
    """A step, changed in place to (w, b) from the coordinates of the curvature."""
    if objective.n_outputs == 1:
        if curvature.centre is not None:
            step[-1] -= step[:-1] @ curvature.centre
        return step
    b = objective.b(step)
    if curvature.centre is not None:
        b -= objective.by_class(step) @ curvature.centre
    b -= b.mean()
    return step


def _factored(objective: Objective, point: Point, curvature: Curvature) -> np.ndarray:
    solution = _by_cholesky(objective, point, curvature) if curvature.definite else None
    if solution is None:
        curvature = objective.curvature(point, robust=True)
        solution = _by_eigenvalues(objective, point, curvature)
    if objective.n_outputs > 1:
        d = objective.n_features
        solution = solution.reshape(-1, d + 1)
        longest, in_b = float(np.abs(solution[:, d]).max()), shortened(solution[:, d], point.b)
        if objective.loss.convex and longest > 0.0:
            # All of it: shortened in b alone, it need not be downhill.
            solution = solution * (float(np.abs(in_b).max()) / longest)
        else:
            solution[:, d] = in_b
        solution = objective.theta(solution[:, :d], solution[:, d])
    return _uncentred(objective, curvature, solution)


def _in_order(objective: Objective, theta: np.ndarray) -> np.ndarray:
    """θ in the order (w_1, b_1, w_2, b_2, …)."""
    if objective.n_outputs == 1:
        return theta
    return np.column_stack([objective.by_class(theta), objective.b(theta)]).ravel()


def _by_cholesky(objective: Objective, point: Point, curvature: Curvature) -> np.ndarray | None:
    """None where the Hessian is not positive definite to rounding."""
    hessian = curvature.dense()
    right = -_in_order(objective, _centred(objective, curvature, point.gradient))
    solution = np.zeros_like(right)
    if not math.isnan(curvature.decoupled):
        # Without mixed derivatives, b is by itself.
        solution[-1] = right[-1] / curvature.decoupled if curvature.decoupled > 0.0 else 0.0
        right = right[:-1]
    held = objective.penalty.strong_convexity > 0.0
    if held and objective.fit_intercept | (objective.n_outputs == 1):
        _, solution[: len(right)], info = lapack.dposv(hessian, right, lower=True)
        return solution if info == 0 else None
    free = _free(objective, len(right))
    if not free.any():
        return solution
    hessian, right = hessian[np.ix_(free, free)], right[free]
    # Without a penalty nothing keeps the Hessian away from singular: a column that is constant amid the curved rows, or
    # depends on others, has to be noticed here, or rounding decides its coefficient.
    spread = hessian.diagonal().copy()
    if not (spread > _rounding(objective, curvature, len(free))[free]).all():
        return None
    scale = np.sqrt(spread)
    factor, found, info = lapack.dposv(hessian / scale / scale[:, None], right / scale, lower=True)
    if info != 0 or (not held and not factor.diagonal().min() > _DEPENDENT):
        return None
    solution[: len(free)][free] = found / scale
    return solution


def _free(objective: Objective, size: int) -> np.ndarray:
    """What may move, of so many coefficients and intercepts: no column that is another intercept, and b if it may."""
    k, d = objective.n_outputs, objective.n_features
    free = np.ones((k, d + 1), dtype=bool)
    free[:, d] = objective.fit_intercept
    if objective.fit_intercept and not objective.penalty.strong_convexity:
        loose = np.broadcast_to(objective.penalty.weights, d) == 0.0
        free[:, :d] = ~(objective.constant_columns & loose)
    return free.ravel()[:size]


def _rounding(objective: Objective, curvature: Curvature, size: int) -> np.ndarray:
    """What of the diagonal may be rounding: the squared mean of a column that has been taken off."""
    found = np.zeros((objective.n_outputs, objective.n_features + 1))
    if curvature.centre is not None and not objective.penalty.strong_convexity:
        in_b = np.abs(curvature.intercepts().diagonal())
        found[:, :-1] = CONSTANT * in_b[:, None] * curvature.centre**2
    return found.ravel()[:size]


def _by_eigenvalues(objective: Objective, point: Point, curvature: Curvature) -> np.ndarray:
    """With the magnitudes of the Hessian's eigenvalues: a descent direction, saddle or not."""
    gradient = _in_order(objective, _centred(objective, curvature, point.gradient))
    hessian = curvature.dense()
    free = _free(objective, len(hessian))

    def noise() -> np.ndarray:
        found = objective.noise(point)
        if curvature.centre is not None:
            by_class = objective.by_class(found)
            by_class += objective.b(found)[:, None] * np.abs(curvature.centre)
        return _in_order(objective, found)[: len(free)][free]

    step = np.zeros_like(gradient)
    step[: len(free)] = _by_magnitudes(hessian, gradient[: len(free)], noise, free)
    return step


def _by_magnitudes(
    hessian: np.ndarray, gradient: np.ndarray, noise: Callable[[], np.ndarray], free: np.ndarray
) -> np.ndarray:
    """−|H|⁻¹g where it is free."""
    hessian, right = hessian[np.ix_(free, free)], -gradient[free]
    # Scaled to a unit diagonal first: eigenvalues, unlike Cholesky factors, mix columns of different units.
    scale = np.sqrt(np.abs(hessian.diagonal()))
    scale[scale == 0.0] = 1.0
    values, vectors = eigh(hessian / scale / scale[:, None])
    magnitudes = np.abs(values)
    least = _SMALLEST_EIGENVALUE * (magnitudes.max(initial=0.0) or 1.0)
    part = vectors.T @ (right / scale)
    # Without curvature to speak of, a true slope leads far, until the line search stops it; one that is rounding leads
    # nowhere.
    flat = magnitudes < least
    if flat.any():
        part[flat & (np.abs(part) <= _ROUNDING * (np.abs(vectors.T) @ (noise() / scale)))] = 0.0
    magnitudes[flat] = least
    step = np.zeros_like(gradient)
    step[free] = (vectors @ (part / magnitudes)) / scale
    return step


def _by_diagonal(objective: Objective, point: Point, curvature: Curvature) -> Direction:
    """The diagonal alone, in its magnitudes."""
    g = _centred(objective, curvature, point.gradient)
    diagonal = np.abs(curvature.diagonal())
    diagonal[diagonal == 0.0] = float(diagonal.max()) or 1.0
    found = _direction(point, _uncentred(objective, curvature, -g / diagonal))
    if curvature.hidden > 1.0:
        return _direction(point, found.step, lambda: 2.0 * (curvature.hidden - 1.0) * found.gain)
    return found


def _conjugate_gradients(objective: Objective, point: Point, curvature: Curvature) -> Direction:
    """Truncated and preconditioned by the diagonal; they stop at the first direction of negative curvature."""
    system = ConjugateGradients(objective, curvature, diagonal(objective, curvature))
    g = _centred(objective, curvature, point.gradient)
    in_b: Any = 0.0
    if not math.isnan(curvature.decoupled):
        slope = objective.b(g).copy()
        in_b = -slope / curvature.decoupled if curvature.decoupled > 0.0 else 0.0
        objective.b(g)[...] = 0.0
    step, residual = system.solve(-g)
    hidden = -float(g @ step)
    step = step.copy()
    objective.b(step)[...] += in_b
    step = _uncentred(objective, curvature, step)
    return _direction(point, step, lambda: system.missing(residual, hidden))


def _preconditioned(objective: Objective, point: Point, tol: float, spread: Spread) -> Direction:
    """Truncated conjugate gradients for many classes, preconditioned by a Kronecker product."""
    curvature = objective.curvature(point, robust=True)
    kronecker, of_many = spread.at(curvature), cast("JointObjective", objective)
    system = ConjugateGradients(objective, curvature, kronecker, compiled_loop(of_many, curvature, kronecker))
    g = _centred(objective, curvature, point.gradient)
    if spread.rows is not None:
        step = row_direction(of_many, spread.rows, point)
        if step is not None:
            inside = step.copy()
            if curvature.centre is not None:
                objective.b(inside)[...] += objective.by_class(step) @ curvature.centre
            left = -g - curvature.product(inside)
            return _direction(point, step, lambda: system.missing(left, -float(g @ inside)))
    step, residual = system.solve(-g, superlinear(point, tol))
    if kronecker.calls > _UNEVEN and rows_suit(of_many):
        spread.rows = RowSystem(of_many, reuse=True, uneven=True)
    hidden = -float(g @ step)
    step = _uncentred(objective, curvature, step)
    return _direction(point, step, lambda: system.missing(residual, hidden))
