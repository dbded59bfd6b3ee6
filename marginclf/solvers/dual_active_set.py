"""Losses of two straight lines, as the hinge: the dual problem of little data by its active set, proven by the gap."""

from __future__ import annotations

from typing import Any, cast

import numpy as np

from ..kernels import dual_active_set as kernel
from ..objective import BinaryObjective, BinaryPoint, Point, answer, few_operations, rounding_of_proof
from .lines import Lines, two_lines
from .newton import newton
from .solution import Solution, Status

_SWEEPS = 20
"""Of coordinate ascent: on iris, wine and breast cancer they leave fewer free rows than there are coefficients."""

_WIDTHS, _ROUGH = (0.5, 0.1), 1e-3
"""Moreau parameters of smooth losses whose optimum is the start where they leave more, each from the one before, and
its accuracy. The first is mostly enough on digits, one against the rest; narrower ones cost more than they spare."""

_STEPS, _SPARE, _ROOM = 20, 32, 3
"""Steps for each coefficient; free rows beside as many as there are coefficients, after which something else is tried;
and how many times as many before another method is faster."""


def dual_active_set(objective: BinaryObjective, *, tol: float, max_iter: int, seed: int) -> Solution[Point] | None:
    """The optimum with its proof; None where there is none, or the problem is not one for this method.

    Parameters
    ----------
    objective : BinaryObjective
        F.
    tol : float
        Relative duality gap that is to be proven.
    max_iter : int
        Largest number of steps.
    seed : int
        Of the order in which rows are visited.
    """
    n, d = objective.matrix.shape
    plain = objective.offset is None and objective.penalty.uniform and objective.provable
    lines = two_lines(objective.loss, objective.compiled) if plain and few_operations(n, d) else None
    if lines is None:
        return None
    run, room = _Run(objective, lines, max_iter, seed), d + 1 + _SPARE
    ended = run.go(_SWEEPS, room)
    theta = run.theta.copy()
    for width in _WIDTHS:
        if ended == kernel.MANY:
            theta = run.smooth(width, theta)
            ended = run.go(0, room if width > _WIDTHS[-1] else _ROOM * room)
    if ended != kernel.DONE:
        return None
    point = run.certified()
    if point.excess <= tol:
        return Solution(point, Status.PROVEN, max(1, run.n_iter))
    # No other method could prove more where the whole of the bound is rounding.
    exact = point.bound <= 2.0 * point.rounding
    return Solution(point, Status.LIMIT_OF_PRECISION, max(1, run.n_iter)) if exact else None


class _Run:
    """The dual variables and what they make."""

    def __init__(self, objective: BinaryObjective, lines: Lines, max_iter: int, seed: int) -> None:
        self._objective, self._lines, self._max_iter = objective, lines, max_iter
        self._seed = np.uint64(seed + 88172645463325252)  # not 0, for the generator
        weights = objective.row_weights
        self._low, self._high = -lines.right * weights, -lines.left * weights
        self._alpha, self._z = np.zeros(len(weights)), np.empty(len(weights))
        self.theta, self._state = objective.zeros(), np.empty(len(weights), dtype=np.int8)
        self._progress = np.zeros(kernel.PROGRESS, dtype=np.int64)
        self.n_iter = 0

    def go(self, sweeps: int, room: int) -> int:
        """Sweeps and the active set, and how that ended; somebody who watches sees every step."""
        objective, rows = self._objective, cast("Any", self._objective.matrix.rows)
        monitored = objective.monitor is not None
        most, ended = min(self._max_iter - self.n_iter, _STEPS * (objective.n_features + 1)), kernel.UNFINISHED
        begins = True
        while ended == kernel.UNFINISHED and most > 0:
            ended, steps = kernel.dual_active_set(
                rows["forward"], rows["backward"], rows["copy"], objective.signs, self._low, self._high,
                self._lines.kink, objective.fit_intercept, self._seed, sweeps, begins, room, 1 if monitored else most,
                self._alpha, self.theta, self._z, self._state, self._progress,
            )  # fmt: skip
            objective.matrix.passes += sweeps + steps
            sweeps, begins, self.n_iter, most = 0, False, self.n_iter + steps, most - max(1, steps)
            objective.report(self.certified)
        return int(ended)

    def smooth(self, width: float, theta: np.ndarray) -> np.ndarray:
        """Go to where a smooth loss has its optimum, sought from θ, and to its slopes; that optimum."""
        objective = self._objective
        smooth = objective.replaced(objective.loss.smoothed(width), None)
        found = newton(smooth, smooth.at(theta), tol=_ROUGH, max_iter=self._max_iter)
        at: Any = smooth.at(found.point.theta)
        self.theta, self.n_iter = at.theta.copy(), self.n_iter + found.n_iter
        np.clip(-objective.signs * at.r, self._low, self._high, out=self._alpha)
        return found.point.theta

    def certified(self) -> Point:
        """The point with the duality gap as its bound."""
        return certified_by_lines(self._objective, self._lines, self._alpha, self.theta.copy(), self._z.copy())


def certified_by_lines(
    objective: BinaryObjective, lines: Lines, alpha: np.ndarray, theta: np.ndarray, z: np.ndarray
) -> Point:
    """The point θ, b put at its minimum, with its duality gap: α in its bounds, w what it combines to, z = X w."""
    theta[-1] = objective.best_intercept(z, float(theta[-1]))
    point = BinaryPoint(objective, theta, intercept_minimised=True, z=z)
    margins, loss = objective.signs * (z + theta[-1]), point.loss_value
    # Row by row, what φ is above the line of slope −α.
    slack = loss - lines.value * objective.total + float(alpha @ (margins - lines.kink))
    balance = abs(float(objective.signs @ alpha)) if objective.fit_intercept else 0.0
    rest = balance * (abs(float(theta[-1])) + float(np.abs(margins).max()))
    rounding = rounding_of_proof(objective, theta, margins, alpha, loss, max(slack, 0.0) + rest)
    return answer(objective, point, alpha, slack=slack, miss=0.0, rest=rest, rounding=rounding).point
