"""Losses of two straight lines, as the hinge: the dual problem of little data by its active set, proven by the gap."""

from __future__ import annotations

from typing import Any, cast

import numpy as np

from ..kernels import dual_active_set as kernel
from ..objective import BinaryObjective, BinaryPoint, Point, answer, few_operations
from .lines import Lines, two_lines
from .newton import newton
from .solution import Solution, Status

_SWEEPS = 20
"""Of coordinate ascent: on iris, wine and breast cancer they leave fewer free rows than there are coefficients."""

_WIDTHS, _ROUGH = (1.0, 0.1), 1e-3
"""Moreau parameters of smooth losses whose optimum is the start where they leave more, each from the one before, and
its accuracy; 0.1 at once is no good start, and narrower ones cost more than they spare."""

_STEPS, _SPARE, _ROOM = 20, 32, 3
"""Steps for each coefficient, and free rows after sweeps and after smooth losses, after which another method is faster.
"""

_ULP = 4.0 * float(np.finfo(float).eps)


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
    run = _Run(objective, lines, max_iter, seed)
    ended = run.go(_SWEEPS, d + 1 + _SPARE)
    if ended == kernel.MANY:
        run.smooth()
        ended = run.go(0, _ROOM * (d + 1 + _SPARE))
    if ended != kernel.DONE:
        return None
    point = run.certified()
    return Solution(point, Status.PROVEN, max(1, run.n_iter)) if point.excess <= tol else None


class _Run:
    """The dual variables and what they make."""

    def __init__(self, objective: BinaryObjective, lines: Lines, max_iter: int, seed: int) -> None:
        self._objective, self._lines, self._max_iter = objective, lines, max_iter
        self._seed = np.uint64(seed + 88172645463325252)  # not 0, for the generator
        weights = objective.row_weights
        self._low, self._high = -lines.right * weights, -lines.left * weights
        self._alpha, self._z = np.zeros(len(weights)), np.empty(len(weights))
        self._theta, self._state = objective.zeros(), np.empty(len(weights), dtype=np.int8)
        self._polished = np.zeros(1, dtype=np.int64)
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
                self._alpha, self._theta, self._z, self._state, self._polished,
            )  # fmt: skip
            objective.matrix.passes += sweeps + steps
            sweeps, begins, self.n_iter, most = 0, False, self.n_iter + steps, most - max(1, steps)
            objective.report(self.certified)
        return int(ended)

    def smooth(self) -> None:
        """Go to where smooth losses have their optimum, and to their slopes."""
        objective = self._objective
        theta = objective.zeros()
        for width in _WIDTHS:
            smooth = objective.replaced(objective.loss.smoothed(width), None)
            found = newton(smooth, smooth.at(theta), tol=_ROUGH, max_iter=self._max_iter)
            theta, self.n_iter = found.point.theta.copy(), self.n_iter + found.n_iter
        at: Any = smooth.at(theta)
        self._theta = at.theta.copy()
        np.clip(-objective.signs * at.r, self._low, self._high, out=self._alpha)

    def certified(self) -> Point:
        """The point with the duality gap as its bound."""
        return certified_by_lines(self._objective, self._lines, self._alpha, self._theta.copy(), self._z.copy())


def certified_by_lines(
    objective: BinaryObjective, lines: Lines, alpha: np.ndarray, theta: np.ndarray, z: np.ndarray
) -> Point:
    """The point θ, b put at its minimum, with its duality gap: α in its bounds, w what it combines to, z = X w."""
    theta[-1] = objective.best_intercept(z, float(theta[-1]))
    point = BinaryPoint(objective, theta, intercept_minimised=True, z=z)
    margins, b = objective.signs * (z + theta[-1]), abs(float(theta[-1]))
    # Row by row, what φ is above the line of slope −α.
    loss, total = point.loss_value, float(objective.row_weights.sum())
    slack = loss - lines.value * total + float(alpha @ (margins - lines.kink))
    sizes = np.abs(margins)
    balance = abs(float(objective.signs @ alpha)) if objective.fit_intercept else 0.0
    rest = balance * (b + float(sizes.max(initial=0.0)))
    rounding = _ULP * (float(np.abs(alpha) @ (sizes + 2.0 * b)) + abs(loss))
    return answer(objective, point, alpha, slack=slack, miss=0.0, rest=rest, rounding=rounding).point
