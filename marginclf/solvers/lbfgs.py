"""SciPy's L-BFGS-B in preconditioned coordinates, stopped by the proven bound instead of its own tests."""

from __future__ import annotations

import math
from typing import Any, Protocol

import numpy as np
from scipy.optimize import minimize

from ..objective import Objective, Point
from .convergence import check_convergence, precise
from .direction import newton_direction
from .preconditioner import preconditioners
from .solution import Solution, Status

OPTIONS = {"ftol": 4.0 * np.finfo(float).eps, "gtol": 0.0, "maxls": 40}
"""L-BFGS-B's own tests are switched off as far as they go: they say nothing about the distance to the optimum."""

_SETTLED = 1e-6
"""What b may leave to gain, as a fraction of tol: it then adds nothing to the bound that could be seen."""

_PATIENCE = 8
"""Iterations after F is good enough that may be spent on the coefficients."""

_HALF = 0.5

_PROMISING = 1e-2
"""Estimated decrement, as a fraction of tol, from which on it is computed where nothing can be proved."""

_FIRST_STAGE, _LONGER = 12, 3
"""Iterations in the coordinates of the start, and how much longer each next stage is: curvatures change on the way."""


class Preconditioner(Protocol):
    """Coordinates u in which F is nearly a ball, and the quadratic model that says so.

    Attributes
    ----------
    origin : Point
        Where u is 0.
    size : int
        Length of u.
    mean : float
        Length of the mean of the rows, weighted by their curvatures.
    """

    origin: Any
    size: int
    mean: float

    def theta(self, u: np.ndarray) -> np.ndarray:
        """θ at u."""

    def gradient(self, point: Any) -> np.ndarray:
        """∂F/∂u at a point."""

    def step(self, gradient: np.ndarray) -> np.ndarray:
        """That of the quadratic model, in u, from ∂F/∂u."""

    def promise(self, point: Any) -> float:
        """½‖∂F/∂w‖² with b following, about what the bound is once b is at its minimum."""


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
    maker = preconditioners(objective)
    point, n_iter, stage = start, 0, _FIRST_STAGE
    while True:
        run = _Run(objective, maker.around(point), tol, n_iter)
        last = n_iter + stage >= max_iter or maker.whole
        limit = max_iter - n_iter if last else stage
        u = run.minimise(limit)
        ended = run.n_iter - n_iter < limit or maker.whole
        if ended and run.solution is None and objective.provable:
            run.go_on(u, max_iter)
        if run.solution is not None:
            return run.solution
        n_iter, theta = run.n_iter, run.preconditioner.theta(u)
        if last or (ended and stage > _FIRST_STAGE):
            break
        point = objective.evaluate(theta)
        stage *= _LONGER
    point = objective.at(theta)
    if objective.provable and not point.intercept_minimised:
        point = objective.minimise_intercept(point, _SETTLED * tol, run.preconditioner.mean)
    status = check_convergence(objective, point, newton_direction(objective, point), tol, stalled=True)
    if status is None:
        status = Status.MAX_ITER if n_iter >= max_iter else Status.LINE_SEARCH
    return Solution(point, status, n_iter)


class _Run:
    """What one run remembers between SciPy's calls."""

    def __init__(self, objective: Objective, preconditioner: Preconditioner, tol: float, n_iter: int) -> None:
        self.objective, self.preconditioner, self.tol = objective, preconditioner, tol
        self.n_iter = n_iter
        self.solution: Solution[Point] | None = None
        self._last = preconditioner.origin
        # SciPy's test of progress is relative to F or 1, whichever is more: F is divided by its size.
        self._scale = abs(preconditioner.origin.value) or 1.0
        self._gradient = np.zeros(0)
        self._next_check = self._deadline = math.inf

    def minimise(self, max_iter: int) -> np.ndarray:
        """Let SciPy iterate; where it ended, in u."""
        found: np.ndarray = minimize(
            self.value_gradient,
            np.zeros(self.preconditioner.size),
            jac=True,
            method="L-BFGS-B",
            callback=self.callback,
            options={**OPTIONS, "maxiter": max_iter, "maxfun": 20 * max_iter},
        ).x
        return found

    def go_on(self, u: np.ndarray, max_iter: int) -> None:
        """Steps of the quadratic model from where SciPy has ended, while each leaves at most half of the decrement.

        Where C is tiny, F cannot show what a step gains, and that is where SciPy ends.
        """
        self.value_gradient(u)
        while self.n_iter < max_iter and self.solution is None:
            before, u = self.decrement, u + self.preconditioner.step(self._gradient)
            self.value_gradient(u)
            if not self.decrement <= _HALF * before:
                return
            self.iterated()

    def value_gradient(self, u: np.ndarray) -> tuple[float, np.ndarray]:
        # Of the last evaluation, which in L-BFGS-B is that of the iterate when the callback is called.
        at_origin = not u.any()
        self._last = self.preconditioner.origin if at_origin else self.objective.evaluate(self.preconditioner.theta(u))
        self._gradient = self.preconditioner.gradient(self._last)
        return self._last.value / self._scale, self._gradient / self._scale

    @property
    def decrement(self) -> float:
        """What the quadratic model says can be gained from the last evaluation."""
        return -0.5 * float(self._gradient @ self.preconditioner.step(self._gradient))

    def callback(self, intermediate_result: Any) -> None:
        self.iterated()
        if self.solution is not None:
            raise StopIteration

    def iterated(self) -> None:
        """Take note of an iterate, and see whether it will do."""
        self.n_iter += 1
        provable, point = self.objective.provable, self._last
        amount, tol = (
            (self.preconditioner.promise(point), self.tol) if provable else (self.decrement, _PROMISING * self.tol)
        )
        amount = point.unreached(amount)
        if amount <= min(tol, self._next_check) and not (provable and self._improves()):
            self._conclude(point)
            self._next_check = 0.25 * amount
        if self.solution is None:
            self.objective.report(
                lambda: self.objective.minimise_intercept(self._last, _SETTLED * tol, self.preconditioner.mean)
            )

    def _improves(self) -> bool:
        """Whether F is good enough, but not the coefficients, and a few more iterations are spent on these."""
        self._deadline = min(self._deadline, self.n_iter + _PATIENCE)
        to = self.preconditioner.theta(self.preconditioner.step(self._gradient))
        step = self.objective.w(to) - self.preconditioner.origin.w
        return self.n_iter < self._deadline and not precise(step, self._last.w, self.tol)

    def _conclude(self, point: Point) -> None:
        """It costs a pass or two."""
        objective, tol = self.objective, self.tol
        if objective.provable:
            point = objective.minimise_intercept(point, _SETTLED * tol, self.preconditioner.mean)
            if point.excess <= tol:
                self.solution = Solution(point, Status.PROVEN, self.n_iter)
            return
        point = objective.at(point.theta)
        status = check_convergence(objective, point, newton_direction(objective, point), tol, stalled=True)
        if status is not None:
            self.solution = Solution(point, status, self.n_iter)
