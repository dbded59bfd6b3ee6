"""Newton's method for two classes in one compiled loop, where the rows are in memory and few."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..kernels import newton as kernel
from ..kernels.gram import GRAM_COLUMNS, gram_scratch, gram_totals
from .binary_point import BinaryPoint
from .point import Point

_NUMBERS, _OPERATIONS = 2e5, 1.2e7
"""Numbers of X, and operations of a Hessian and its factor, up to which these steps are the fastest: L-BFGS takes 1.0
to 8 times as long on 500 × 128, 1000 × 100, 2000 × 50, 10,000 × 20 and the digits, 0.7 to 0.95 on 5000 × 50 and
2000 × 100."""

_CURVED = 0.25
"""Curvature in b, relative to the sum of slopes, above which its minimum is no interval: it would have a midpoint."""


def few_operations(n: int, d: int) -> bool:
    """Whether n rows with d columns are few enough for them."""
    return d <= GRAM_COLUMNS and n * d <= _NUMBERS and n * d**2 + d**3 <= _OPERATIONS


class NewtonSteps:
    """Newton steps, by default to rounding once ``tol`` is reached; what has been done is remembered from call to call.

    Parameters
    ----------
    objective : BinaryObjective
        F.
    theta : ndarray of shape (d + 1,)
        Where to start.
    tol : float
        Suboptimality, relative to F and to what the coefficients gain, at which they end.
    to_rounding : bool, default=True
        Whether they go on to rounding from there.
    """

    def __init__(self, objective: Any, theta: np.ndarray, tol: float, to_rounding: bool = True) -> None:
        n, d = objective.matrix.shape
        self._objective, self._tol, self._theta = objective, tol, theta.copy()
        self._to_rounding = to_rounding
        self._weights = np.full(d, objective.penalty.weights, dtype=float)
        self._rows, self._columns = np.empty((6, n)), np.empty((5, d + 1))
        self._gram, self._grams = gram_scratch(d), gram_totals(2, d)
        self._state = np.zeros(kernel.LAST + 1)
        self._state[kernel.FIRST] = not objective.w(theta).any()
        # Where other labels have curved the rows alike, their first Hessian is all or most of this one's.
        for mine, theirs in zip(self.hessian, objective.first_hessian or [], strict=False):
            mine[...] = theirs
            self._state[kernel.KEPT] = 1.0

    @property
    def hessian(self) -> tuple[np.ndarray, ...]:
        """Σ c (x − centre)(x − centre)ᵀ of the last step, with c and the centre."""
        return self._grams[0], self._rows[5], self._columns[4]

    @staticmethod
    def suit(objective: Any) -> bool:
        """Whether they are for an objective."""
        small, loss = few_operations(*objective.matrix.shape), objective.loss
        plain = objective.offset is None and objective.evaluator is None
        return bool(small and plain and objective.direct and objective.provable and loss.smooth and not loss.affine)

    def origin(self) -> Point:
        """Where they start, w = 0, with b at its minimum."""
        point = self.take(0, at_zero=math.inf)[0]
        self._objective.__dict__["at_zero"] = point.value
        return point

    def towards(self, theta: np.ndarray, tol: float, to_rounding: bool) -> NewtonSteps | None:
        """These, to another accuracy; None where they are somewhere else than at θ."""
        if not np.array_equal(self._theta, theta):
            return None
        self._tol, self._to_rounding = tol, to_rounding
        return self

    def take(self, most: int, at_zero: float | None = None) -> tuple[Point, int, bool]:
        """Up to ``most`` steps: where they lead, how many there were, and whether rounding was reached.

        ``at_zero`` is F(0, b₀), where that is not yet known.
        """
        first = self._objective.first_hessian
        if most > 0 and first is not None and not first:
            found = self._take(1, at_zero)
            if self._state[kernel.KEPT]:
                first.extend(part.copy() for part in self.hessian)
            if found[2] or not found[1] or most == 1:
                return found
            point, n_steps, ended = self._take(most - 1, at_zero)
            return point, 1 + n_steps, ended
        return self._take(most, at_zero)

    def _take(self, most: int, at_zero: float | None = None) -> tuple[Point, int, bool]:
        objective, theta, state, rows = self._objective, self._theta, self._state, self._objective.matrix.rows
        at_zero = objective.at_zero if at_zero is None else at_zero
        address, parameters, _ = objective.compiled
        kernel.newton_steps(
            rows["forward"], rows["backward"], rows["copy"], objective.v, theta, objective.fit_intercept, self._weights,
            address, parameters, at_zero, self._tol, self._to_rounding, most, self._rows, self._columns, objective.work,
            self._gram, self._grams, state,
        )  # fmt: skip
        objective.matrix.passes += int(state[kernel.PASSES])
        n_steps, ended = int(state[kernel.STEPS]), bool(state[kernel.ENDED])
        _, slope, curvature, scale, value = (float(x) for x in state[: kernel.VALUE + 1])
        if not state[kernel.SETTLED] or (objective.fit_intercept and curvature <= _CURVED * scale):
            return objective.at(theta.copy()), n_steps, ended
        gradient = self._columns[0].copy()
        gradient[-1] = slope if objective.fit_intercept else 0.0
        found = BinaryPoint(
            objective, theta.copy(), intercept_minimised=True, value=value, gradient=gradient, curvature=curvature
        )
        return found, n_steps, ended
