"""SciPy's L-BFGS-B on (w, b), stopped by the proven bound instead of its own tests."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.optimize import minimize

from ..objective import Objective, Point
from .direction import newton_direction
from .solution import Solution, Status, verdict

_NO_PROGRESS = 4.0 * np.finfo(float).eps


def lbfgs(objective: Objective, start: Point, *, tol: float, max_iter: int) -> Solution:
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
    run = _Run(objective, tol)
    theta = np.append(start.w, start.b) if objective.fit_intercept else start.w
    result = minimize(
        run.value_gradient,
        theta,
        jac=True,
        method="L-BFGS-B",
        callback=run.callback,
        # Its own tests are switched off as far as they go: they say nothing about the distance to the optimum.
        options={"maxiter": max_iter, "maxfun": 20 * max_iter, "ftol": _NO_PROGRESS, "gtol": 0.0, "maxls": 40},
    )
    point = run.proven or run.point(result.x)
    if point.suboptimality <= tol:
        return Solution(point, Status.PROVEN, run.n_iter)
    status = verdict(objective, point, newton_direction(objective, point), tol)
    if status is None:
        status = Status.MAX_ITER if run.n_iter >= max_iter else Status.LINE_SEARCH
    return Solution(point, status, run.n_iter)


class _Run:
    """What one run remembers between SciPy's calls."""

    def __init__(self, objective: Objective, tol: float) -> None:
        self.objective = objective
        self.tol = tol
        self.n_iter = 0
        self.proven: Point | None = None
        self._d = objective.matrix.shape[1]
        self._bound = np.inf
        self._next_check = np.inf

    def point(self, theta: np.ndarray) -> Point:
        return self.objective.at(np.array(theta[: self._d]), self._intercept(theta))

    def _intercept(self, theta: np.ndarray) -> float:
        return float(theta[self._d]) if self.objective.fit_intercept else 0.0

    def value_gradient(self, theta: np.ndarray) -> tuple[float, np.ndarray]:
        value, gradient, slope = self.objective.value_gradient(
            np.ascontiguousarray(theta[: self._d]), self._intercept(theta)
        )
        # Of the last evaluation, which in L-BFGS-B is that of the iterate when the callback is called.
        self._bound = 0.5 * float(gradient @ gradient) / abs(value) if value else 0.0
        return value, np.append(gradient, slope) if self.objective.fit_intercept else gradient

    def callback(self, intermediate_result: Any) -> None:
        self.n_iter += 1
        # The bound holds with b at its own minimum, which costs a pass to make sure of: only where it can succeed.
        if self.objective.provable and self._bound <= min(self.tol, self._next_check):
            point = self.point(intermediate_result.x)
            if point.suboptimality <= self.tol:
                self.proven = point
                raise StopIteration
            self._next_check = 0.25 * self._bound
