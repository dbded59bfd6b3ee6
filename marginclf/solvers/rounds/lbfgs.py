"""SciPy's L-BFGS-B with one round for each evaluation, in coordinates scaled by the curvatures at the start."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from scipy.optimize import minimize

from ...objective import PartitionedObjective, PartitionedPoint
from ..convergence import precise
from ..lbfgs import OPTIONS
from ..solution import Solution, Status
from .newton import first_point
from .proof import settled, verdict

_PROMISING = 1e-2
_LEAST = 1e-12
PATIENCE = 8
_HALF = 0.5


def lbfgs_by_rounds(
    objective: PartitionedObjective, theta: np.ndarray, *, tol: float, max_iter: int
) -> Solution[PartitionedPoint]:
    """Minimise an objective; see :func:`~.newton.newton_by_rounds` for the parameters."""
    run = _Run(objective, first_point(objective, theta, "diagonal"), tol)
    result = minimize(
        run.value_gradient,
        np.zeros(theta.size),
        jac=True,
        method="L-BFGS-B",
        callback=run.callback,
        options={**OPTIONS, "maxiter": max_iter, "maxfun": 20 * max_iter},
    )
    if run.solution is not None:
        return run.solution
    point = run.last if np.array_equal(run.last.theta, run.theta(result.x)) else objective.evaluate(run.theta(result.x))
    if objective.provable:
        by_gradients(run, result.x, max_iter)
        if run.solution is not None:
            return run.solution
        point = run.last if run.last.value <= point.value else point
    at_rest = settled(objective, point, tol, run.mean)
    decrement = run.decrement_at(at_rest)
    status = verdict(objective, at_rest, run.step_at(at_rest), decrement, tol)
    if at_rest.excess <= tol:
        status = Status.PROVEN
    if status is None:
        out = run.n_iter >= max_iter
        lost = at_rest.unreached(decrement) <= _PROMISING * tol
        status = Status.MAX_ITER if out else Status.LIMIT_OF_PRECISION if lost else Status.LINE_SEARCH
    return Solution(at_rest, status, run.n_iter)


def by_gradients(run: Any, theta: np.ndarray, max_iter: int) -> None:
    """Steps of the quadratic model from where SciPy has ended, while each leaves at most half of the decrement."""
    run.value_gradient(theta)
    while run.n_iter < max_iter and run.solution is None:
        before, theta = run.decrement, theta + run.model_step()
        run.value_gradient(theta)
        if not run.decrement <= _HALF * before:
            return
        run.iterated()


class _Run:
    """What one run remembers between SciPy's calls."""

    def __init__(self, objective: PartitionedObjective, start: PartitionedPoint, tol: float) -> None:
        self.objective, self.tol = objective, tol
        self.n_iter = 0
        self.solution: Solution[PartitionedPoint] | None = None
        self.last = self._start = start
        assert start.hessian is not None
        diagonal, mixed = start.hessian
        total = diagonal[:, -1:]
        self.mean = float(np.linalg.norm(np.divide(mixed, total, out=np.zeros_like(mixed), where=total > 0.0)[:, :-1]))
        self._diagonal = self._usable(np.abs(diagonal))
        root = 1.0 / np.sqrt(self._diagonal)
        if not objective.problem.fit_intercept:
            root[:, -1] = 0.0
        # L-BFGS-B's first step has length 1. It shall be the Newton step of the diagonal.
        length = float(np.linalg.norm(root * start.gradient))
        self._unit = root * (length if 0.0 < length < math.inf else 1.0)
        self.decrement = self._next_check = self._deadline = np.inf
        # SciPy's test of progress is relative to F or 1, whichever is more: F is divided by its size.
        self._scale = abs(start.value) or 1.0

    def _usable(self, diagonal: np.ndarray) -> np.ndarray:
        """With the penalty, and without zeros."""
        diagonal = diagonal + 0.0
        diagonal[:, :-1] += self.objective.problem.penalty
        largest = float(diagonal.max()) if np.isfinite(diagonal).all() else 0.0
        return np.maximum(diagonal, _LEAST * largest) if largest > 0.0 else np.ones_like(diagonal)

    def theta(self, u: np.ndarray) -> np.ndarray:
        return self._start.theta + self._unit * u.reshape(self._unit.shape)

    def value_gradient(self, u: np.ndarray) -> tuple[float, np.ndarray]:
        self.last = self.objective.evaluate(self.theta(u)) if u.any() else self._start
        self.decrement = self.decrement_at(self.last)
        return self.last.value / self._scale, (self._unit * self.last.gradient).ravel() / self._scale

    def step_at(self, point: PartitionedPoint) -> np.ndarray:
        """That of the quadratic model."""
        return -point.gradient / self._diagonal

    def decrement_at(self, point: PartitionedPoint) -> float:
        return 0.5 * float((point.gradient**2 / self._diagonal).sum())

    def model_step(self) -> np.ndarray:
        """From the last evaluation, in SciPy's coordinates."""
        step = self.step_at(self.last)
        return np.divide(step, self._unit, out=np.zeros_like(step), where=self._unit != 0.0).ravel()

    def callback(self, intermediate_result: Any) -> None:
        self.iterated()
        if self.solution is not None:
            raise StopIteration

    def iterated(self) -> None:
        """Take note of an iterate, and see whether it will do."""
        self.n_iter += 1
        point = self.last
        in_w = point.gradient[:, :-1].ravel()
        provable = self.objective.provable
        amount, tol = (0.5 * float(in_w @ in_w), self.tol) if provable else (self.decrement, _PROMISING * self.tol)
        amount = point.unreached(amount)
        if amount <= min(tol, self._next_check) and not (provable and self._improves()):
            self._next_check = 0.25 * amount
            self._conclude(point)
        if self.solution is None:
            self.objective.report(lambda: settled(self.objective, self.last, self.tol, self.mean))

    def _improves(self) -> bool:
        """Whether F is good enough, but not the coefficients, and a few more iterations are spent on these."""
        self._deadline = min(self._deadline, self.n_iter + PATIENCE)
        step = self.step_at(self.last)[:, :-1]
        return self.n_iter < self._deadline and not precise(step, self.last.theta[:, :-1], self.tol)

    def _conclude(self, point: PartitionedPoint) -> None:
        point = settled(self.objective, point, self.tol, self.mean)
        if self.objective.provable:
            if point.excess <= self.tol:
                self.solution = Solution(point, Status.PROVEN, self.n_iter)
            return
        status = verdict(self.objective, point, self.step_at(point), self.decrement_at(point), self.tol)
        if status is None and self.objective.problem.loss.convex:
            status = Status.LIMIT_OF_PRECISION
        if status is not None:
            self.solution = Solution(point, status, self.n_iter)
