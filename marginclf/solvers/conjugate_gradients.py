"""Conjugate gradients; truncated for the Newton step, with a bound on what the truncation hides."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

import numpy as np

from ..objective import Curvature, Objective, Point, intercept_step

Loop = Callable[[np.ndarray, float, float, int], tuple[np.ndarray, np.ndarray]]
"""A function of r, what may be left of it, and the most products, that returns H⁻¹r and the residual."""

_MAX_PRODUCTS = 200
_PAYS = 0.1
"""Part of a bound that conjugate gradients may leave of it, to go on once more: a thousandth, where they get on."""


_LOOSEST = 0.3
_LEFT = 0.1
"""Parts of the gradient that may be left, in the norm of the preconditioner: at most, and of tol."""


_SUPERLINEAR, _MISS = 4.0, 0.3
"""What a step may leave of the gain, times the square of that: on the map a full one leaves up to six times. Part of
tol that the duality gap may have from the residual."""

_SQUARED, _CUBED = 0.16, 2e-4
"""Square of a gain, and its cube times ½‖∂F/∂w‖², relative to tol, from which on a step may be the last: dual variables
that are corrected to first order miss w by what is left of a gradient that large. Steps that failed on the map at a tol
of 1e-3 had a gap of 300 to 6,000 times the second; at gains below 1e-3 it is mostly the residual."""


def conjugate_gradients(
    product: Callable[[np.ndarray], np.ndarray],
    precondition: Callable[[np.ndarray], np.ndarray],
    left: np.ndarray,
    found: np.ndarray,
) -> Iterator[float]:
    """Solve a positive semidefinite system: rᵀM⁻¹r of what is left, at the start and after each product.

    They end where nothing is left, or at a direction without positive curvature; the caller ends them before. SciPy's
    do not say which of these it was, and their tolerance has another name in the oldest version that we support.

    Parameters
    ----------
    product, precondition : callable
        The matrix times a vector, and M⁻¹ of one.
    left : ndarray
        The right side; becomes what is left of it, the residual r. The caller may take off it what M⁻¹ does not see.
    found : ndarray
        Zeros; becomes the solution.
    """
    s = precondition(left)
    p = s.copy()
    rho = float(np.vdot(left, s))
    yield rho
    while rho > 0.0:
        image = product(p)
        along = float(np.vdot(p, image))
        if not along > 0.0:
            return
        t = rho / along
        found += t * p
        left -= t * image
        s = precondition(left)
        rho, last = float(np.vdot(left, s)), rho
        yield rho
        p *= rho / last
        p += s


def diagonal(objective: Objective, curvature: Curvature) -> Callable[[np.ndarray], np.ndarray]:
    """The preconditioner that is the diagonal of the Hessian."""
    found = curvature.diagonal()
    for part in (objective.w(found), objective.b(found)):
        # What has no curvature, or the wrong sign, gets the largest.
        largest = max(float(np.abs(part).max(initial=0.0)), 1e-300)
        part[~(part > 1e-12 * largest)] = largest
    return lambda r: r / found


def superlinear(point: Point, tol: float) -> Callable[[float], tuple[float, float]]:
    """What conjugate gradients may leave, at a point on the way to a suboptimality of tol.

    Newton's method squares what is left to gain, relative to F; less than that, or than a part of tol, is lost work
    (Eisenstat and Walker 1996, Choosing the forcing terms in an inexact Newton method, SIAM J. Sci. Comput. 17). What
    is left in w counts in the duality gap after the last step.
    """
    scale = min(abs(point.value), point.gain) or abs(point.value)

    def enough(start: float) -> tuple[float, float]:
        left = 0.5 * start / scale if scale > 0.0 else 1.0
        part = max(math.sqrt(_SUPERLINEAR * left), math.sqrt(_LEFT * tol / left)) if left > 0.0 else _LOOSEST
        return min(_LOOSEST, part), _MISS * tol * scale if last_step(point, left, tol) else math.inf

    return enough


def last_step(point: Point, gain: float, tol: float) -> bool:
    """Whether a Newton step that gains so much, relative to F, may lead to a proven suboptimality of tol."""
    return gain * gain <= _SQUARED * tol and gain * gain * gain * point.unreached(point.half_square) <= _CUBED * tol


class ConjugateGradients:
    """The system of a curvature, in its coordinates.

    They stop at the first direction of negative curvature.

    Parameters
    ----------
    objective : Objective
        F.
    curvature : Curvature
        Its Hessian.
    precondition : callable
        What stands for the inverse of that.
    loop : callable, optional
        Does the same as :meth:`solve`, compiled.
    """

    def __init__(
        self,
        objective: Objective,
        curvature: Curvature,
        precondition: Callable[[np.ndarray], np.ndarray],
        loop: Loop | None = None,
    ) -> None:
        self._objective, self._curvature, self._precondition = objective, curvature, precondition
        self._loop = loop

    def solve(
        self,
        r: np.ndarray,
        enough: Callable[[float], tuple[float, float]] | None = None,
        most: int = _MAX_PRODUCTS,
    ) -> tuple[np.ndarray, np.ndarray]:
        """H⁻¹ r, truncated, and the residual, after so many products at most; r is changed.

        ``enough`` says which part of r may be left, and what of ½‖r‖² in w by the weights of the penalty, from what the
        preconditioner makes of rᵀH⁻¹r.
        """
        objective, step = self._objective, np.zeros_like(r)
        steps = conjugate_gradients(self._curvature.product, self._precondition, r, step)
        start = next(steps)
        left, miss = (self._curvature.residual, math.inf) if enough is None else enough(start)
        if self._loop is not None:
            return self._loop(r, left, miss, most)
        for products, rho in enumerate(steps, 1):
            reached = rho <= left**2 * start
            if reached and (miss == math.inf or objective.penalty.conjugate(objective.w(r)) <= miss):
                break
            if products == most:
                break
        if start > 0.0 and not step.any():
            step = self._precondition(r)  # the first direction has no positive curvature
        return step, r

    def missing(self, r: np.ndarray, known: float) -> float:
        """A bound on rᵀH⁻¹r for the residual r: what conjugate gradients leave out of gᵀH⁻¹g = known + rᵀH⁻¹r.

        Where the bound is larger than what is known, the system is solved for r: rᵀH⁻¹r splits up like gᵀH⁻¹g.

        Where the loss is not convex, nothing bounds it: ‖r‖²/penalty makes sure that a residual is not overlooked.
        Without a penalty there is not even that.
        """
        objective = self._objective
        if not objective.penalty.strong_convexity:
            return 0.0
        if not objective.provable:
            return float(r @ r) / objective.penalty.strong_convexity
        found, left, last = 0.0, self._bound(r), math.inf
        while known + found < left <= _PAYS * last:
            step, rest = self.solve(r.copy())
            found += float(r @ step)
            r = rest
            last, left = left, self._bound(r)
        return found + left

    def _bound(self, r: np.ndarray) -> float:
        """A bound on rᵀH⁻¹r, of a convex loss and with a penalty.

        With E the part of H in b and B that between w and b, solve E δ = r_b with Σ δ = 0. Then

            rᵀH⁻¹r = r_bᵀδ + uᵀS⁻¹u,   u = r_w − B δ,

        with S the Hessian in w after minimising over b. That of the losses is not negative, so that S is at least the
        penalty, and the last term at most ‖u‖²/penalty. E does not see a number added to all intercepts, and r_b has
        no such part.
        """
        objective, amount = self._objective, 0.0
        r_b = objective.b(r)
        if objective.fit_intercept and r_b.any():
            delta = -intercept_step(r_b, self._curvature.intercepts())
            amount = max(float(r_b @ delta), 0.0)
            r = r - self._curvature.product(objective.theta(0.0, delta))
        in_w = objective.w(r)
        return amount + 2.0 * objective.penalty.conjugate(in_w)
