"""SciPy's L-BFGS-B for the joint objective, in preconditioned coordinates and stopped by the proven bound."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from scipy.optimize import minimize

from ...objective import JointObjective, JointPoint
from ..lbfgs import OPTIONS, PATIENCE, by_gradients
from ..solution import Solution, Status, precise
from .coordinates import Coordinates, JointCoordinates
from .direction import joint_direction
from .newton import joint_verdict

_PROMISING = 1e-2

_FIRST_STAGE, _LONGER = 12, 3
"""Iterations in the coordinates of the start, and how much longer each next stage is: curvatures change on the way."""


def joint_lbfgs(objective: JointObjective, start: JointPoint, *, tol: float, max_iter: int) -> Solution[JointPoint]:
    """Minimise a joint objective; see :func:`marginclf.solvers.lbfgs.lbfgs` for the parameters."""
    maker = Coordinates(objective)
    point, n_iter, stage = start, 0, _FIRST_STAGE
    while True:
        run = _Run(objective, maker.around(point), tol, n_iter)
        last = n_iter + stage >= max_iter or maker.whole
        limit = max_iter - n_iter if last else stage
        result = minimize(
            run.value_gradient,
            np.zeros(run.coordinates.size),
            jac=True,
            method="L-BFGS-B",
            callback=run.callback,
            options={**OPTIONS, "maxiter": limit, "maxfun": 20 * limit},
        )
        ended = run.n_iter - n_iter < limit
        if ended and run.solution is None and objective.provable:
            by_gradients(run, result.x, max_iter)
        if run.solution is not None:
            return run.solution
        n_iter, point = run.n_iter, objective.evaluate(*run.coordinates.point(result.x))
        if last or (ended and stage > _FIRST_STAGE):
            break
        stage *= _LONGER
    point = objective.at(point.w, point.b)
    status = joint_verdict(objective, point, joint_direction(objective, point), tol, settled=True, stalled=True)
    if status is None:
        status = Status.MAX_ITER if n_iter >= max_iter else Status.LINE_SEARCH
    return Solution(point, status, n_iter)


class _Run:
    """What one run remembers between SciPy's calls."""

    def __init__(self, objective: JointObjective, coordinates: JointCoordinates, tol: float, n_iter: int) -> None:
        self.objective, self.coordinates, self.tol = objective, coordinates, tol
        self.n_iter = n_iter
        self.solution: Solution[JointPoint] | None = None
        self._last = coordinates.origin
        # SciPy's test of progress is relative to F or 1, whichever is more: F is divided by its size.
        self._scale = abs(coordinates.origin.value) or 1.0
        self.decrement = self._next_check = np.inf
        self._deadline = math.inf

    def value_gradient(self, theta: np.ndarray) -> tuple[float, np.ndarray]:
        self._last = self.objective.evaluate(*self.coordinates.point(theta)) if theta.any() else self.coordinates.origin
        gradient = self.coordinates.gradient(self._last)
        self.decrement = self.coordinates.decrement(gradient)
        return self._last.value / self._scale, gradient / self._scale

    def model_step(self) -> np.ndarray:
        """From the last evaluation, the step of the quadratic model in θ."""
        return -self.coordinates.gradient(self._last) / self.coordinates.unit**2

    def callback(self, intermediate_result: Any) -> None:
        self.iterated()
        if self.solution is not None:
            raise StopIteration

    def iterated(self) -> None:
        """Take note of an iterate, and see whether it will do."""
        self.n_iter += 1
        point = self._last
        if self.objective.provable:
            centred = self.coordinates.centred(point).ravel()
            self._attempt(0.5 * float(centred @ centred), self.tol)
        else:
            self._attempt(self.decrement, _PROMISING * self.tol)
        if self.solution is None:
            self.objective.report(lambda: self.objective.at(self._last.w, self._last.b))

    def _attempt(self, amount: float, tol: float) -> None:
        """Conclude where it can succeed: it costs a pass or two."""
        amount = self._last.unreached(amount)
        if amount > min(tol, self._next_check) or (self.objective.provable and self._improves()):
            return
        self._next_check = 0.25 * amount
        point = self.objective.at(self._last.w, self._last.b)
        if self.objective.provable:
            if point.excess <= self.tol:
                self.solution = Solution(point, Status.PROVEN, self.n_iter)
            return
        direction = joint_direction(self.objective, point)
        status = joint_verdict(self.objective, point, direction, self.tol, settled=True, stalled=True)
        if status is not None:
            self.solution = Solution(point, status, self.n_iter)

    def _improves(self) -> bool:
        """Whether F is good enough, but not the coefficients, and a few more iterations are spent on these."""
        self._deadline = min(self._deadline, self.n_iter + PATIENCE)
        step = self.coordinates.point(self.model_step())[0] - self.coordinates.origin.w
        return self.n_iter < self._deadline and not precise(step, self._last.w, self.tol)
