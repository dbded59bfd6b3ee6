"""Conjugate gradients for the Newton step, truncated, and a bound on what the truncation hides."""

from __future__ import annotations

import math

import numpy as np

from ..objective import Curvature, Objective, intercept_step

_MAX_PRODUCTS = 200
_PAYS = 0.1
"""Part of a bound that conjugate gradients may leave of it, to go on once more: a thousandth, where they get on."""


class ConjugateGradients:
    """The system of a curvature, in its coordinates, preconditioned by the diagonal.

    They stop at the first direction of negative curvature.
    """

    def __init__(self, objective: Objective, curvature: Curvature) -> None:
        self._objective, self._curvature = objective, curvature
        diagonal = curvature.diagonal()
        for part in (objective.w(diagonal), objective.b(diagonal)):
            # What has no curvature, or the wrong sign, gets the largest.
            largest = max(float(np.abs(part).max(initial=0.0)), 1e-300)
            part[~(part > 1e-12 * largest)] = largest
        self._diagonal = diagonal

    def solve(self, r: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """H⁻¹ r, truncated, and the residual; r is changed."""
        curvature = self._curvature
        step = np.zeros_like(r)
        s = r / self._diagonal
        p = s.copy()
        rho = start = float(r @ s)
        for _ in range(_MAX_PRODUCTS if start > 0.0 else 0):
            h = curvature.product(p)
            along = float(p @ h)
            if not along > 0.0:
                if not step.any():
                    step = s
                break
            t = rho / along
            step += t * p
            r -= t * h
            np.divide(r, self._diagonal, out=s)
            rho, last = float(r @ s), rho
            if rho <= curvature.residual**2 * start:
                break
            p *= rho / last
            p += s
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
