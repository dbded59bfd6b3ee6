"""One problem for each class against the rest: one after another, or side by side where a pass can serve them all."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import numpy as np

from ..losses import Logistic, MarginLoss
from ..matrix import DesignMatrix
from ..objective import L2, BinaryObjective, signed_weights
from ..solvers import (
    AT_ONCE,
    Begun,
    Solution,
    begin_classes,
    classes_suit,
    dual_suits,
    most_sweeps,
    newton_suits,
    solve,
)
from ..solvers.lockstep import Ask, lockstep
from ..solvers.one_factor import one_factor, one_factor_suits
from .progress import Progress

COMPANION = Logistic()
"""The convex loss at whose optimum a fit of a non-convex loss starts."""

_WIDE, _LARGE = 128, 1 << 20
"""Columns and entries of dense data from which on one pass for all classes is 1.5 to 3 times as fast as one a class."""


class Settings(NamedTuple):
    """Parameters of the estimator that the problems share."""

    C: float
    fit_intercept: bool
    solver: str
    tol: float
    max_iter: int
    seed: int = 0
    n_jobs: int = 1
    progress: Progress | None = None
    weights: np.ndarray | None = None  # of the quadratic penalty, of each feature

    @property
    def quadratic(self) -> L2:
        """The penalty of fits that have no other."""
        return L2(0.0 if not np.isfinite(self.C) else 1.0 if self.weights is None else self.weights)


class OneVsRest:
    """The problems over one design matrix.

    Parameters
    ----------
    matrix : DesignMatrix
        The rows.
    loss : MarginLoss
        φ.
    codes : ndarray of int of shape (n,)
        Class of each row.
    weights : ndarray of shape (n,) or None
        s; None for ones.
    n_classes : int
        How many classes there are.
    settings : Settings
        The rest.
    """

    def __init__(
        self,
        matrix: DesignMatrix,
        loss: MarginLoss,
        codes: np.ndarray,
        weights: np.ndarray | None,
        n_classes: int,
        settings: Settings,
    ) -> None:
        self._matrix = matrix
        self._loss = loss
        self._codes = codes
        self._weights = weights
        self._n_classes = n_classes
        self._settings = settings
        self._penalty = settings.quadratic
        self._first: BinaryObjective | None = None

    def solve(self, positive: Sequence[int], starts: Sequence[tuple | None]) -> Iterator[tuple[Solution, float]]:
        """The solution of each problem, and the seconds that it took.

        Parameters
        ----------
        positive : sequence of int
            The class of each problem.
        starts : sequence of tuple or None
            Where each starts, as (w, b); None for zero.
        """
        began = time.perf_counter()
        if len(positive) > 1 and self._pays():
            for solution in self._together(positive, starts):
                yield solution, time.perf_counter() - began
            return
        solutions = self._by_one_factor(positive)
        if solutions is not None:
            seconds = (time.perf_counter() - began) / len(positive)
            for k, start, found in zip(positive, starts, solutions, strict=True):
                yield (found, seconds) if found else self._timed(self._matrix, k, start)
            return
        ascends = self._ascends()
        threads = min(self._settings.n_jobs, len(positive)) if ascends else 1
        # In groups whatever the threads: which classes begin together must not depend on them.
        for first in range(0, len(positive), AT_ONCE):
            part = slice(first, first + AT_ONCE)
            began = time.perf_counter()
            begun = self._begun(positive[part], starts[part], ascends=ascends)
            spent = (time.perf_counter() - began) / len(positive[part])
            tasks = list(zip(positive[part], starts[part], begun, strict=True))
            for solution, seconds in self._each(tasks, threads):
                yield solution, seconds + spent

    def _begun(
        self, positive: Sequence[int], starts: Sequence[tuple | None], *, ascends: bool
    ) -> Sequence[Begun | None]:
        """The first sweeps of ascent of all problems together, where that is faster; None for each where not."""
        settings, apart = self._settings, [None] * len(positive)
        if not ascends or any(start is not None for start in starts):
            return apart
        objectives = [self._objective(self._matrix, self._loss, k) for k in positive]
        if not classes_suit(objectives):
            return apart
        for k, objective in zip(positive, objectives, strict=True):
            self._watch(objective, k, self._matrix)
        return begin_classes(objectives, tol=settings.tol, max_iter=most_sweeps(settings.max_iter), seed=settings.seed)

    def _each(self, tasks: list[tuple], threads: int) -> Iterator[tuple[Solution, float]]:
        if threads > 1:
            yield from self._side_by_side(tasks, threads)
            return
        for k, start, begun in tasks:
            yield self._timed(self._matrix, k, start, begun)

    def _watch(self, objective: BinaryObjective, k: int, matrix: DesignMatrix) -> None:
        if self._settings.progress is not None:
            objective.monitor = self._settings.progress.monitor(k if self._n_classes > 2 else 0, matrix)

    def _ascends(self) -> bool:
        """Whether the problems spend their time in coordinate ascent, which cannot share its passes."""
        solver = self._settings.solver
        suits = dual_suits(*self._matrix.shape, self._matrix.entries, loss=self._loss)
        provable = self._loss.convex and np.isfinite(self._settings.C) and not self._loss.affine
        return bool(provable) and (solver == "dual" or (solver == "auto" and suits))

    def _side_by_side(self, tasks: list[tuple], threads: int) -> Iterator[tuple[Solution, float]]:
        self._matrix.sweep_rows(self._settings.seed)  # once, for all of them

        def run(task: tuple) -> tuple[Solution, float]:
            # Each thread has NumPy's error state of its own.
            with np.errstate(all="ignore"):
                return self._timed(self._matrix.alone(), *task)

        with ThreadPoolExecutor(threads) as pool:
            yield from pool.map(run, tasks)

    def _timed(
        self, matrix: DesignMatrix, k: int, start: tuple | None, begun: Begun | None = None
    ) -> tuple[Solution, float]:
        began = time.perf_counter()
        return self._solve(k, start, matrix=matrix, begun=begun), time.perf_counter() - began

    def _pays(self) -> bool:
        """Whether the problems spend their time in evaluations, and one pass for all is faster than one for each."""
        n, d = self._matrix.shape
        entries = self._matrix.entries
        by_evaluations = self._settings.solver == "lbfgs" or (
            self._settings.solver == "auto" and not newton_suits(n, d, entries) and not self._ascends()
        )
        dense = entries == n * d
        return (
            dense
            and d >= _WIDE
            and entries >= _LARGE
            and by_evaluations
            and self._loss.convex
            and self._loss.smooth
            and not self._loss.affine
        )

    def _objective(self, matrix: DesignMatrix, loss: MarginLoss, k: int, evaluator: Any = None) -> BinaryObjective:
        C, fit_intercept = self._settings.C, self._settings.fit_intercept

        def signed() -> np.ndarray:
            return signed_weights(self._codes, k, self._n_classes, self._weights, C)

        if evaluator is not None:
            # Side by side, a vector for each class would outweigh narrow data: it is made where it is needed.
            return BinaryObjective(
                matrix, loss, signed, penalty=self._penalty, fit_intercept=fit_intercept, evaluator=evaluator
            )
        if matrix is not self._matrix or loss is not self._loss:
            return BinaryObjective(matrix, loss, signed(), penalty=self._penalty, fit_intercept=fit_intercept)
        if self._first is None:
            self._first = BinaryObjective(matrix, loss, signed(), penalty=self._penalty, fit_intercept=fit_intercept)
            self._first.first_hessian = [] if self._n_classes > 2 else None
            return self._first
        return self._first.relabelled(signed())

    def _solve(
        self,
        k: int,
        start: tuple | None,
        evaluator: Any = None,
        *,
        matrix: DesignMatrix | None = None,
        begun: Begun | None = None,
    ) -> Solution:
        matrix = matrix or self._matrix
        how: dict[str, Any] = {key: getattr(self._settings, key) for key in ("solver", "tol", "max_iter", "seed")}
        objective = self._objective(matrix, self._loss, k, evaluator)
        theta = objective.zeros() if start is None else objective.theta(*start)
        spent = 0
        if not self._loss.convex and start is None:
            found = solve(self._objective(matrix, COMPANION, k), theta, **how)
            theta, spent = found.point.theta, found.n_iter
        self._watch(objective, k, matrix)
        solution = solve(objective, theta, begun=begun, **how)
        solution.point.release()
        return Solution(solution.point, solution.status, spent + solution.n_iter)

    def _by_one_factor(self, positive: Sequence[int]) -> list[Solution | None] | None:
        """Where the loss is a parabola, a solution for each class that has one; None for another loss."""
        settings, named = self._settings, self._settings.solver in ("auto", "newton")
        if len(positive) == 1 or not named or settings.progress is not None:
            return None
        if not one_factor_suits(self._loss, self._penalty, self._matrix, len(positive)):
            return None
        evaluate = self._evaluator(positive)

        def alone(i: int) -> Any:
            def run(w: np.ndarray, b: float) -> tuple:
                sums, gradients = evaluate(w[None], np.array([b]), [i])
                return float(sums[0, 0]), gradients[0], float(sums[0, 1]), float(sums[0, 2])

            return run

        def objective(i: int) -> BinaryObjective:
            return self._objective(self._matrix, self._loss, positive[i], alone(i))

        return one_factor([objective(i) for i in range(len(positive))], evaluate, tol=settings.tol)

    def _evaluator(self, positive: Sequence[int]) -> Any:
        """A function of W, b and which of the problems they are of, all by default, that evaluates them in one pass."""
        classes, compiled = np.asarray(positive, dtype=np.intp), self._loss.compiled()
        scale = self._settings.C if np.isfinite(self._settings.C) else 1.0
        weights = np.full(1, float(scale)) if self._weights is None else scale * self._weights

        def evaluate(w: np.ndarray, b: np.ndarray, which: Any = slice(None)) -> tuple[np.ndarray, np.ndarray]:
            return self._matrix.evaluate_all(compiled, self._codes, weights, classes[which], w, b)

        return evaluate

    def _together(self, positive: Sequence[int], starts: Sequence[tuple | None]) -> list[Solution]:
        evaluate = self._evaluator(positive)

        def task(k: int, start: tuple | None) -> Any:
            def run(ask: Ask) -> Solution:
                # Each thread has NumPy's error state of its own.
                with np.errstate(all="ignore"):
                    return self._solve(k, start, lambda w, b: ask((w, b)))

            return run

        def answer(which: list[int], requests: list[tuple]) -> list[tuple]:
            w, b = np.array([w for w, _ in requests]), np.array([float(b) for _, b in requests])
            sums, gradients = evaluate(w, b, which)
            return [
                (float(value), gradient, float(slope), float(curvature))
                for (value, slope, curvature), gradient in zip(sums, gradients, strict=True)
            ]

        return lockstep([task(k, start) for k, start in zip(positive, starts, strict=True)], answer)
