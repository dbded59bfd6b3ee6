"""The Newton direction of the joint objective, by a factorisation of the Hessian or by conjugate gradients."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.linalg import eigh, lapack

from ...objective import JointObjective, JointPoint, intercept_step, shortened

DIRECT_LIMIT = 1000
"""Coefficients and intercepts up to which the Hessian is formed and factored."""

_MAX_PRODUCTS = 200
_RESIDUAL = 0.03
_PAYS = 0.1
"""Part of a bound that conjugate gradients may leave of it, to go on once more: a thousandth, where they get on."""

_CONSTANT = 1e-20
"""Variance of a column, relative to its squared mean, that is rounding."""

_DEPENDENT = 1e-6
_SMALLEST_EIGENVALUE = 1e-12
_ROUNDING = 16.0 * np.finfo(float).eps


@dataclass(frozen=True)
class JointDirection:
    """A descent direction (dw, db), Σ db = 0.

    Attributes
    ----------
    dw, db : ndarray
        The step in W, as the passes keep it, and in b, of shape (K,).
    gain : float
        −½ gᵀ(dw, db).
    missing : function, optional
        Returns a bound on what the truncation hides of gᵀH⁻¹g, by some passes over the rows.
    """

    dw: np.ndarray
    db: np.ndarray
    gain: float
    missing: Callable[[], float] | None = None

    @cached_property
    def decrement(self) -> float:
        """At least ½ gᵀH⁻¹g: what a quadratic model says can be gained, where the gain may be too small a part of it.

        Only a status needs it, and only where the gain is small already.
        """
        return self.gain if self.missing is None else self.gain + 0.5 * self.missing()


def direct(objective: JointObjective) -> bool:
    """Whether the Hessian is small enough to be factored."""
    return objective.n_classes * (objective.matrix.shape[1] + 1) <= DIRECT_LIMIT


def joint_direction(objective: JointObjective, point: JointPoint) -> JointDirection:
    """−H⁻¹g at a point; where H is not positive definite, with H's curvatures made positive."""
    if direct(objective):
        dw, db = _factored(objective, point)
        return JointDirection(dw, db - db.mean(), _gain(point, dw, db))
    system = _System(objective, point)
    step, step_b, r, r_b = system.solve(system.centred(-point.gradient, -point.slope), -point.slope)
    db = system.uncentred(step, step_b)
    gain = _gain(point, step, db)
    return JointDirection(step, db - db.mean(), gain, lambda: system.missing(r, r_b, 2.0 * gain))


def _gain(point: JointPoint, dw: np.ndarray, db: np.ndarray) -> float:
    return -0.5 * (float(point.gradient.ravel() @ dw.ravel()) + float(point.slope @ (db - db.mean())))


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
    if objective.fit_intercept and not objective.penalty:
        # A constant column is a second intercept: centred it is zero but for rounding.
        curvature = np.abs(hessian.diagonal()).reshape(k, d + 1)
        constant = (curvature[:, :d] < _CONSTANT * curvature[:, d:] * centre**2).all(axis=0)
        free[:, :d] = ~constant
    step: np.ndarray = np.zeros(size)
    chosen = free.ravel()
    if not chosen.all():
        hessian = hessian[np.ix_(chosen, chosen)]
    step[chosen] = solved(hessian, -gradient.ravel()[chosen], strict=not objective.penalty)
    step = step.reshape(k, d + 1)
    longest, in_b = float(np.abs(step[:, d]).max()), shortened(step[:, d], point.b)
    if objective.loss.convex and longest > 0.0:
        # All of it: shortened in b alone, it need not be downhill.
        step *= float(np.abs(in_b).max()) / longest
    else:
        step[:, d] = in_b
    dw = passes.zeros()
    passes.by_class(dw)[...] = step[:, :d]
    return dw, step[:, d] - step[:, :d] @ centre if objective.fit_intercept else step[:, d]


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


class _System:
    """The Hessian in (W, b + W·centre), and conjugate gradients that are preconditioned by its diagonal.

    Parameters
    ----------
    objective : JointObjective
        F.
    point : JointPoint
        Where.
    """

    def __init__(self, objective: JointObjective, point: JointPoint) -> None:
        self._objective, self._point, self._passes = objective, point, objective.passes
        # The columns of sparse data lie around zero as they are.
        self._centre = objective.centre if objective.fit_intercept and not objective.matrix.sparse else None
        diagonal, diagonal_b = self._passes.diagonal(objective.compiled, point.w, point.b)
        if self._centre is not None:
            by_class = self._passes.by_class(diagonal)
            by_class -= diagonal_b[:, None] * self._centre**2
        diagonal += objective.penalty
        for part in (diagonal, diagonal_b):
            # What has no curvature, or the wrong sign, gets the largest.
            largest = max(float(np.abs(part).max()), 1e-300)
            part[~(part > 1e-12 * largest)] = largest
        self._diagonal, self._diagonal_b = diagonal, diagonal_b

    def uncentred(self, p: np.ndarray, p_b: np.ndarray) -> np.ndarray:
        """The change of b where that of b + W·centre is p_b."""
        return p_b if self._centre is None else p_b - self._passes.by_class(p) @ self._centre

    def centred(self, g: np.ndarray, g_b: np.ndarray) -> np.ndarray:
        """A gradient in W, changed in place to that with b + W·centre held."""
        if self._centre is not None:
            by_class = self._passes.by_class(g)
            by_class -= g_b[:, None] * self._centre
        return g

    def product(self, p: np.ndarray, p_b: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The Hessian times (p, p_b)."""
        objective, point = self._objective, self._point
        h, h_b = self._passes.hessian_product(objective.compiled, point.w, point.b, p, self.uncentred(p, p_b))
        h_b = h_b if objective.fit_intercept else np.zeros_like(h_b)
        h = self.centred(h, h_b)
        h += objective.penalty * p
        return h, h_b

    def solve(self, r: np.ndarray, r_b: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """H⁻¹ (r, r_b), truncated, and the residual; r is changed. It stops at a direction of negative curvature."""
        step, step_b = self._passes.zeros(), np.zeros_like(r_b)
        s, s_b = r / self._diagonal, r_b / self._diagonal_b
        p, p_b = s.copy(), s_b
        rho = start = _dot(r, r_b, s, s_b)
        for _ in range(_MAX_PRODUCTS if start > 0.0 else 0):
            h, h_b = self.product(p, p_b)
            curvature = _dot(p, p_b, h, h_b)
            if not curvature > 0.0:
                if not step.any() and not step_b.any():
                    step, step_b = s, s_b
                break
            t = rho / curvature
            step += t * p
            step_b = step_b + t * p_b
            r -= t * h
            r_b = r_b - t * h_b
            np.divide(r, self._diagonal, out=s)
            s_b = r_b / self._diagonal_b
            rho, last = _dot(r, r_b, s, s_b), rho
            if rho <= _RESIDUAL**2 * start:
                break
            p *= rho / last
            p += s
            p_b = s_b + (rho / last) * p_b
        return step, step_b, r, r_b

    def missing(self, r: np.ndarray, r_b: np.ndarray, known: float) -> float:
        """A bound on rᵀH⁻¹r for the residual r: what conjugate gradients leave out of gᵀH⁻¹g = known + rᵀH⁻¹r.

        Where the bound is larger than what is known, the system is solved for r: rᵀH⁻¹r splits up like gᵀH⁻¹g.

        Where the loss is not convex, nothing bounds it: ‖r‖²/penalty makes sure that a residual is not overlooked.
        Without a penalty there is not even that.
        """
        objective = self._objective
        if not objective.penalty:
            return 0.0
        if not objective.provable:
            return float(r.ravel() @ r.ravel()) / objective.penalty
        found, left, last = 0.0, self._bound(r, r_b), math.inf
        while known + found < left <= _PAYS * last:
            step, step_b, rest, rest_b = self.solve(r.copy(), r_b)
            found += _dot(r, r_b, step, step_b)
            r, r_b = rest, rest_b
            last, left = left, self._bound(r, r_b)
        return found + left

    def _bound(self, r: np.ndarray, r_b: np.ndarray) -> float:
        """A bound on rᵀH⁻¹r, of a convex loss and with a penalty.

        With E the part of H in b and B that between W and b, solve E δ = r_b with Σ δ = 0. Then

            rᵀH⁻¹r = r_bᵀδ + uᵀS⁻¹u,   u = r_W − B δ,

        with S the Hessian in W after minimising over b. That of the losses is not negative, so that S is at least the
        penalty, and the last term at most ‖u‖²/penalty. E does not see a number added to all intercepts, and r_b has
        no such part.
        """
        amount = 0.0
        if self._objective.fit_intercept and r_b.any():
            _, _, hessian = self._passes.intercepts(self._objective.compiled, self._point.w, self._point.b)
            delta = -intercept_step(r_b, hessian)
            amount = max(float(r_b @ delta), 0.0)
            change, _ = self.product(self._passes.zeros(), delta)
            r = r - change
        return amount + float(r.ravel() @ r.ravel()) / self._objective.penalty


def _dot(p: np.ndarray, p_b: np.ndarray, h: np.ndarray, h_b: np.ndarray) -> float:
    return float(p.ravel() @ h.ravel() + p_b @ h_b)
