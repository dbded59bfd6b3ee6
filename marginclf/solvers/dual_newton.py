"""A Newton step in the dual of the joint margin, between sweeps of coordinate ascent.

Sweeps find which rows are at 0 or at their largest multiplier, and how it is divided among the classes; how rows depend
on each other they see one by one, which takes thousands of them where C is large and rows contradict each other. A step
solves for all at once, by conjugate gradients with each row's own part as the preconditioner, and goes to the maximum
along its way. Dual variables of any size are feasible, so that nothing needs to be exact; the next sweeps mend what a
step bends.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..kernels import joint_ascent_newton as kernel

if TYPE_CHECKING:
    from .ascent import JointAscent

_LEFT, _LEFT_FAR, _MOST = 0.5, 0.8, 150
"""Part of the residual that is left, as the preconditioner measures it; the same after a step that came to less than
half of its length, as on the way there; and products at most. Text of 12,000 × 18,800 with 20 classes and
contradictions, squared hinge at C = 100: 1143 products, with 0.5 everywhere 1305, with 0.3 1427."""

_LENGTHS, _FLAT = 8, 0.2
"""Lengths that are tried, and part of the first slope that may be left."""


class DualNewton:
    """Newton steps for the dual variables of an ascent.

    Parameters
    ----------
    ascent : JointAscent
        Whose loss has ``inverse_slope``.
    """

    def __init__(self, ascent: JointAscent) -> None:
        self._ascent = ascent
        loss = ascent.objective.loss
        self._inverse, self._cap = loss.compiled_inverse(), -loss.slope_bounds()[0]
        n, lanes = ascent.alpha.shape
        self._z, self._dz, self._g, self._v, self._s, self._product, self._step = np.zeros((7, n, lanes))
        self._dw, self._room = np.empty_like(ascent.w), np.empty((2, lanes))
        self._stiffness, self._work = np.zeros(n), np.empty((3, n))
        self._last = 0.0

    def step(self) -> float:
        """Move the dual variables and the coefficients of the ascent; the length of the step, 0 if it leads nowhere."""
        ascent, k = self._ascent, self._ascent.objective.n_outputs
        kernel.decisions_of_dual(ascent.rows.rows, ascent.rows.diagonal, ascent.alpha, ascent.w, self._z)
        self._gradient(ascent.alpha, self._z, ascent.balance)
        self._solve()
        change = self._product
        kernel.changes(ascent.codes, k, ascent.alpha, self._step, self._cap, ascent.weights, self._stiffness, change)
        kernel.combine_joint(ascent.rows.rows, change, self._dw)
        kernel.decisions_of_dual(ascent.rows.rows, ascent.rows.diagonal, change, self._dw, self._dz)
        self._last = length = self._length(change)
        if length > 0.0:
            ascent.move(length * change, length * self._dw)
        return length

    def _gradient(self, alpha: np.ndarray, z: np.ndarray, balance: np.ndarray) -> None:
        ascent, k = self._ascent, self._ascent.objective.n_outputs
        address, parameters, _ = self._inverse
        kernel.gradients(
            ascent.codes, k, alpha, z, ascent.b + ascent.spring * balance, ascent.weights, self._cap, address,
            parameters, self._work, self._stiffness, self._g,
        )  # fmt: skip

    def _solve(self) -> None:
        """H⁻¹g, truncated, to ``_step``; g becomes the residual."""
        ascent, k, rows = self._ascent, self._ascent.objective.n_outputs, self._ascent.rows
        kappa, v, s, g = rows.squares + ascent.spring, self._v, self._s, self._g
        for a in (self._step, self._product, s):
            a[...] = 0.0
        enough = (_LEFT if self._last > 0.5 else _LEFT_FAR) ** 2
        first = size = kernel.precondition(ascent.codes, k, ascent.alpha, kappa, self._stiffness, g, s)
        v[...] = s
        for _ in range(_MOST if first > 0.0 else 0):
            along = kernel.hessian_product(
                rows.rows, rows.diagonal, ascent.codes, k, ascent.alpha, self._stiffness, ascent.spring, v, self._dw,
                self._room, self._product,
            )  # fmt: skip
            ascent.objective.matrix.passes += 1
            if not along > 0.0:
                break
            self._step += (size / along) * v
            g -= (size / along) * self._product
            last, size = size, kernel.precondition(ascent.codes, k, ascent.alpha, kappa, self._stiffness, g, s)
            if not size > enough * first:
                break
            v *= size / last
            v += s

    def _length(self, change: np.ndarray) -> float:
        """Where the dual objective is largest along a change, about; no pass over X."""
        ascent, k = self._ascent, self._ascent.objective.n_outputs
        sums = change[:, :k].sum(axis=0)

        def slope(t: float) -> float:
            self._gradient(ascent.alpha + t * change, self._z + t * self._dz, ascent.balance + t * sums)
            return float(kernel.slope_along(ascent.codes, k, self._g, change))

        low, high, at_high, t = 0.0, 1.0, np.nan, 1.0
        start = at_low = slope(0.0)
        if not 0.0 < start < np.inf:
            return 0.0
        for _ in range(_LENGTHS):
            found = slope(t)
            if (t == 1.0 and found >= 0.0) or abs(found) <= _FLAT * start:
                return t
            if found > 0.0:
                low, at_low = t, found
            else:
                high, at_high = t, found
            part = at_low / (at_low - at_high) if np.isfinite(at_high) else 0.5
            t = low + (high - low) * min(max(part, 0.1), 0.9)
        return low
