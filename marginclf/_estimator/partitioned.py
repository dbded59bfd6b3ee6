"""The fit of rows in parts: where the solvers start, and in which problems."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from ..losses import MarginLoss
from ..matrix.parts import Part, Parts
from ..objective import PartitionedObjective, Point, Problem
from ..solvers import Solution, Status, solve
from .problems import COMPANION, Settings

_LARGE_BYTES, _LARGE_ROWS = 1 << 26, 1 << 18
_HESSIAN_ROWS = 200
"""Rows for each coefficient that a Hessian is made of, at least."""

_SAMPLE_TOL, _SAMPLE_ITERATIONS = 1e-5, 100


def on_disk(X: Any) -> bool:
    """Whether X is an array in a file that is mapped into memory, and large."""
    if not isinstance(X, np.ndarray) or (X.nbytes < _LARGE_BYTES and len(X) < _LARGE_ROWS):
        return False
    owner: Any = X
    while isinstance(owner, np.ndarray):
        if isinstance(owner, np.memmap):
            return True
        owner = owner.base
    return False


def fits_by_parts(X: Any, solver: str) -> bool:
    """Whether a fit goes through X part by part: by itself, where that suits data on disk."""
    return solver == "auto" and on_disk(X) and X.shape[1] < X.shape[0]


class PartitionedFit:
    """The problems over rows in parts.

    Parameters
    ----------
    parts : Parts
        The rows.
    sample : Part
        Some of them, whose weights say what they stand for.
    loss : MarginLoss
        φ.
    class_weights : ndarray of shape (n_classes,) or None
        Where the weights of the rows have them not in themselves.
    n_classes : int
        How many classes there are.
    totals : ndarray of shape (n_classes,)
        Sum of the weights of the rows of each class, without class weights that these have not in themselves.
    settings : Settings
        The rest.
    """

    def __init__(
        self,
        parts: Parts,
        sample: Part,
        loss: MarginLoss,
        class_weights: np.ndarray | None,
        n_classes: int,
        totals: np.ndarray,
        settings: Settings,
    ) -> None:
        self._totals = totals
        self._parts, self._sample, self._loss, self._settings = parts, sample, loss, settings
        self._n_classes = n_classes
        d = parts.shape[1]
        centre = np.zeros(d)
        if settings.fit_intercept and isinstance(sample.X, np.ndarray) and sample.weights is not None:
            with np.errstate(all="ignore"):
                total = sample.weights.sum()
                centre = np.asarray(sample.weights / total @ sample.X, dtype=float) if total > 0.0 else centre
            centre[~np.isfinite(centre)] = 0.0
        self._problem = Problem(
            loss, n_classes, None, settings.C, class_weights, settings.fit_intercept, centre,
            settings.quadratic, settings.n_jobs,
        )  # fmt: skip

    def _stride(self, positive: int | None) -> int:
        """One row in how many makes a Hessian."""
        n, d = self._parts.shape
        size = (d + 1) * (self._n_classes if positive is None else 1)
        return max(1, min(size // self._parts.whole_hessian, n // (_HESSIAN_ROWS * size)))

    def solve(self, positive: Sequence[int | None], starts: Sequence[tuple | None]) -> Iterator[tuple[Solution, float]]:
        """The solution of each problem, and the seconds that it took.

        Parameters
        ----------
        positive : sequence of int or None
            The class of each problem, against the rest; None for one joint margin of all.
        starts : sequence of tuple or None
            Where each starts, as (W, b); None for the optimum of the sample.
        """
        for number, (k, start) in enumerate(zip(positive, starts, strict=True)):
            began = time.perf_counter()
            solution = self._solve(replace(self._problem, positive=k, stride=self._stride(k)), number, start)
            yield solution, time.perf_counter() - began

    def _solve(self, problem: Problem, number: int, start: tuple | None) -> Solution[Point]:
        how: dict[str, Any] = {key: getattr(self._settings, key) for key in ("solver", "tol", "max_iter")}
        loss, spent = self._loss, 0
        objective = PartitionedObjective(self._parts, problem, self._totals, self._sample)
        theta = objective.zeros()
        if start is not None:
            theta = objective.theta(*start)
        elif loss.convex and not loss.affine:
            theta = self._optimum_of_sample(objective)
        elif not loss.affine:
            convex = PartitionedObjective(self._parts, replace(problem, loss=COMPANION), self._totals, self._sample)
            found = solve(convex, self._optimum_of_sample(convex), **how)
            theta, spent = found.point.theta, found.n_iter
        if self._settings.progress is not None:
            objective.monitor = self._settings.progress.monitor(number, self._parts)
        solution = solve(objective, theta, **how)
        return Solution(solution.point, solution.status, spent + solution.n_iter)

    def _optimum_of_sample(self, problem: PartitionedObjective) -> np.ndarray:
        """Where F of the sample, whose rows stand for all, is least, about; zero where there is no such point."""
        zero = problem.zeros()
        present = np.unique(self._sample.codes)
        if len(present) < (self._n_classes if problem.n_outputs > 1 else 2):
            return zero
        how: dict[str, Any] = {"solver": "auto", "tol": _SAMPLE_TOL, "max_iter": _SAMPLE_ITERATIONS}
        try:
            with problem.problem.in_memory(self._sample) as objective:
                found = solve(objective, objective.zeros(), **how)
                w, b, status = found.point.coefficients, found.point.b, found.status
        except OverflowError:
            return zero
        # Without a penalty a sample may be separable where the rows are not.
        near = status.converged or (problem.penalty and status is Status.MAX_ITER)
        return problem.theta(w, b) if near else zero
