"""One problem for each class against the rest: one after another, or side by side where a pass can serve them all."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

from ..objective import BinaryObjective
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
from .problems import Problems

_WIDE, _LARGE = 128, 1 << 20
"""Columns and entries of dense data from which on one pass for all classes is 1.5 to 3 times as fast as one a class."""


class OneVsRest:
    """The problems over one design matrix.

    Parameters
    ----------
    problems : Problems
        The rows and what is done with them.
    """

    def __init__(self, problems: Problems) -> None:
        self._problems, self._settings = problems, problems.settings
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
                yield (found, seconds) if found else self._timed(k, start)
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
        objectives = [self._objective(k) for k in positive]
        if not classes_suit(objectives):
            return apart
        for k, objective in zip(positive, objectives, strict=True):
            self._watch(objective, k)
        return begin_classes(objectives, tol=settings.tol, max_iter=most_sweeps(settings.max_iter), seed=settings.seed)

    def _each(self, tasks: list[tuple], threads: int) -> Iterator[tuple[Solution, float]]:
        if threads > 1:
            yield from self._side_by_side(tasks, threads)
            return
        for k, start, begun in tasks:
            yield self._timed(k, start, begun)

    def _watch(self, objective: BinaryObjective, k: int) -> None:
        self._problems.watch(objective, k if self._problems.n_classes > 2 else 0)

    def _ascends(self) -> bool:
        """Whether the problems spend their time in coordinate ascent, which cannot share its passes."""
        solver, matrix, loss = self._settings.solver, self._problems.matrix, self._problems.loss
        suits = dual_suits(*matrix.shape, matrix.entries, loss=loss)
        provable = loss.convex and np.isfinite(self._settings.C) and not loss.affine
        return bool(provable) and (solver == "dual" or (solver == "auto" and suits))

    def _side_by_side(self, tasks: list[tuple], threads: int) -> Iterator[tuple[Solution, float]]:
        matrix = self._problems.matrix
        matrix.sweep_rows(self._settings.seed)  # once, for all of them

        def run(task: tuple) -> tuple[Solution, float]:
            # Each thread has NumPy's error state of its own.
            with np.errstate(all="ignore"):
                return self._timed(*task, problems=self._problems._replace(matrix=matrix.alone()))

        with ThreadPoolExecutor(threads) as pool:
            yield from pool.map(run, tasks)

    def _timed(
        self, k: int, start: tuple | None, begun: Begun | None = None, *, problems: Problems | None = None
    ) -> tuple[Solution, float]:
        began = time.perf_counter()
        return self._solve(k, start, begun=begun, problems=problems), time.perf_counter() - began

    def _pays(self) -> bool:
        """Whether the problems spend their time in evaluations, and one pass for all is faster than one for each."""
        loss, matrix = self._problems.loss, self._problems.matrix
        (n, d), entries = matrix.shape, matrix.entries
        by_evaluations = self._settings.solver == "lbfgs" or (
            self._settings.solver == "auto" and not newton_suits(n, d, entries) and not self._ascends()
        )
        dense = entries == n * d
        return (
            dense
            and d >= _WIDE
            and entries >= _LARGE
            and by_evaluations
            and loss.convex
            and loss.smooth
            and not loss.affine
        )

    def _objective(self, k: int) -> BinaryObjective:
        """Of the rows as they are: what the first has that is the same for all classes, the others share."""
        if self._first is None:
            self._first = self._problems.binary(k)
            self._first.first_hessian = [] if self._problems.n_classes > 2 else None
            return self._first
        return self._first.relabelled(self._problems.signed(k))

    def _solve(
        self,
        k: int,
        start: tuple | None,
        evaluator: Any = None,
        *,
        begun: Begun | None = None,
        problems: Problems | None = None,
    ) -> Solution:
        shared = evaluator is None and problems is None
        problems = problems or self._problems
        objective = self._objective(k) if shared else problems.binary(k, evaluator=evaluator)
        theta, spent = problems.first(objective, start, lambda convex: convex.binary(k))
        self._watch(objective, k)
        solution = solve(objective, theta, begun=begun, **self._settings.how)
        solution.point.release()
        return Solution(solution.point, solution.status, spent + solution.n_iter)

    def _by_one_factor(self, positive: Sequence[int]) -> list[Solution | None] | None:
        """Where the loss is a parabola, a solution for each class that has one; None for another loss."""
        settings, named = self._settings, self._settings.solver in ("auto", "newton")
        if len(positive) == 1 or not named or settings.progress is not None:
            return None
        if not one_factor_suits(self._problems.loss, settings.quadratic, self._problems.matrix, len(positive)):
            return None
        evaluate = self._evaluator(positive)

        def alone(i: int) -> Any:
            def run(w: np.ndarray, b: float) -> tuple:
                sums, gradients = evaluate(w[None], np.array([b]), [i])
                return float(sums[0, 0]), gradients[0], float(sums[0, 1]), float(sums[0, 2])

            return run

        objectives = [self._problems.binary(k, evaluator=alone(i)) for i, k in enumerate(positive)]
        return one_factor(objectives, evaluate, tol=settings.tol)

    def _evaluator(self, positive: Sequence[int]) -> Any:
        """A function of W, b and which of the problems they are of, all by default, that evaluates them in one pass."""
        problems, classes, weights = self._problems, np.asarray(positive, dtype=np.intp), self._problems.scaled
        compiled = problems.loss.compiled()

        def evaluate(w: np.ndarray, b: np.ndarray, which: Any = slice(None)) -> tuple[np.ndarray, np.ndarray]:
            return problems.matrix.evaluate_all(compiled, problems.codes, weights, classes[which], w, b)

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
