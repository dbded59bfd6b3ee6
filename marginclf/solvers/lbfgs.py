"""SciPy's L-BFGS-B in preconditioned coordinates, stopped by the proven bound instead of its own tests."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from scipy.optimize import minimize

from ..objective import Objective, Point
from .coordinates import Coordinates, coordinates
from .direction import newton_direction
from .solution import Solution, Status, precise, verdict

OPTIONS = {"ftol": 4.0 * np.finfo(float).eps, "gtol": 0.0, "maxls": 40}
"""L-BFGS-B's own tests are switched off as far as they go: they say nothing about the distance to the optimum."""

_SETTLED = 1e-6
"""What b may leave to gain, as a fraction of tol: it then adds nothing to the bound that could be seen."""

PATIENCE = 8
"""Iterations after F is good enough that may be spent on the coefficients."""

_HALF = 0.5

_PROMISING = 1e-2
"""Estimated decrement, as a fraction of tol, from which on it is computed where nothing can be proved."""


def lbfgs(objective: Objective, start: Point, *, tol: float, max_iter: int) -> Solution[Point]:
    """Minimise an objective.

    Parameters
    ----------
    objective : Objective
        F.
    start : Point
        Where to start.
    tol : float
        Relative suboptimality at which to stop, by the proven bound, or by the Newton decrement where the bound
        stays above.
    max_iter : int
        Largest number of iterations.
    """
    run = _Run(objective, coordinates(objective, start), tol)
    result = minimize(
        run.value_gradient,
        np.zeros(run.coordinates.size),
        jac=True,
        method="L-BFGS-B",
        callback=run.callback,
        options={**OPTIONS, "maxiter": max_iter, "maxfun": 20 * max_iter},
    )
    if run.solution is not None:
        return run.solution
    if objective.provable:
        by_gradients(run, result.x, max_iter)
        if run.solution is not None:
            return run.solution
    point = objective.at(*run.coordinates.point(result.x))
    status = verdict(objective, point, newton_direction(objective, point), tol, stalled=True)
    if status is None:
        status = Status.MAX_ITER if run.n_iter >= max_iter else Status.LINE_SEARCH
    return Solution(point, status, run.n_iter)


def by_gradients(run: Any, theta: np.ndarray, max_iter: int) -> None:
    """Steps of the quadratic model from where SciPy has ended, while each leaves at most half of the decrement.

    Where C is tiny, F cannot show what a step gains, and that is where SciPy ends.
    """
    run.value_gradient(theta)
    while run.n_iter < max_iter and run.solution is None:
        before, theta = run.decrement, theta + run.model_step()
        run.value_gradient(theta)
        if not run.decrement <= _HALF * before:
            return
        run.iterated()


class _Run:
    """What one run remembers between SciPy's calls."""

    def __init__(self, objective: Objective, coordinates: Coordinates, tol: float) -> None:
        self.objective = objective
        self.coordinates = coordinates
        self.tol = tol
        self.n_iter = 0
        self.solution: Solution[Point] | None = None
        self._last = coordinates.origin
        # SciPy's test of progress is relative to F or 1, whichever is more: F is divided by its size.
        self._scale = abs(coordinates.origin.value) or 1.0
        self.decrement = np.inf
        self._next_check = np.inf
        self._deadline = math.inf

    def value_gradient(self, theta: np.ndarray) -> tuple[float, np.ndarray]:
        # Of the last evaluation, which in L-BFGS-B is that of the iterate when the callback is called.
        self._last = self.objective.evaluate(*self.coordinates.point(theta)) if theta.any() else self.coordinates.origin
        gradient = self.coordinates.gradient(self._last)
        self.decrement = self.coordinates.decrement(gradient)
        return self._last.value / self._scale, gradient / self._scale

    def callback(self, intermediate_result: Any) -> None:
        self.iterated()
        if self.solution is not None:
            raise StopIteration

    def model_step(self) -> np.ndarray:
        """From the last evaluation, the step of the quadratic model in θ."""
        return -self.coordinates.gradient(self._last) / self.coordinates.unit**2

    def iterated(self) -> None:
        """Take note of an iterate, and see whether it will do."""
        self.n_iter += 1
        point = self._last
        if self.objective.provable:
            centred = point.gradient - point.slope * self.coordinates.mean
            self._attempt(0.5 * float(centred @ centred), self.tol, self._prove)
        else:
            self._attempt(self.decrement, _PROMISING * self.tol, self._judge)
        if self.solution is None:
            self.objective.report(lambda: self.objective.at(self._last.w, self._last.b))

    def _attempt(self, amount: float, tol: float, conclude: Any) -> None:
        """Conclude where it can succeed: it costs a pass or two."""
        amount = self._last.unreached(amount)
        if amount <= min(tol, self._next_check) and not (self.objective.provable and self._improves()):
            conclude()
            self._next_check = 0.25 * amount

    def _prove(self) -> None:
        point = self._settled()
        if point.excess <= self.tol:
            self.solution = Solution(point, Status.PROVEN, self.n_iter)

    def _improves(self) -> bool:
        """Whether F is good enough, but not the coefficients, and a few more iterations are spent on these."""
        self._deadline = min(self._deadline, self.n_iter + PATIENCE)
        step = self.coordinates.point(self.model_step())[0] - self.coordinates.origin.w
        return self.n_iter < self._deadline and not precise(step, self._last.w, self.tol)

    def _judge(self) -> None:
        point = self.objective.at(self._last.w, self._last.b)
        status = verdict(self.objective, point, newton_direction(self.objective, point), self.tol, stalled=True)
        if status is not None:
            self.solution = Solution(point, status, self.n_iter)

    def _settled(self) -> Point:
        """The last iterate with b at its minimum, which the bound needs: by one Newton step if that is enough."""
        point = self._last
        for _ in range(2):
            if not self.objective.fit_intercept:
                return point
            if not point.curvature > 0.0:
                break
            mean = float(np.linalg.norm(self.coordinates.mean))
            in_b, in_w = point.slope**2 / point.curvature, mean * abs(point.slope)
            if point.unreached(in_b + in_w**2) <= _SETTLED * self.tol:
                length = float(np.linalg.norm(point.gradient))
                point.suboptimality = point.relative(0.5 * (length + in_w) ** 2 + in_b)
                return point
            point = self.objective.evaluate(point.w, point.b - point.slope / point.curvature)
        return self.objective.at(point.w, point.b)
