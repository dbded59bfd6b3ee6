"""What a fit tells while it runs: printed lines, a history, and scikit-learn's callbacks."""

from __future__ import annotations

import time
from collections.abc import Callable
from threading import Lock
from typing import Any

import numpy as np

from .._process import say
from ..matrix import DesignMatrix
from ..matrix.parts import Parts
from .callbacks import Tasks
from .report import proven

COLUMNS = ("objective", "suboptimality", "seconds", "passes")


class Progress:
    """Who watches a fit.

    Parameters
    ----------
    labels : list of str
        What each problem is called, such as "class 1".
    verbose : bool
        Whether to print a line for each iteration.
    tasks : Tasks or None
        For callbacks.
    """

    def __init__(self, labels: list[str], *, verbose: bool, tasks: Tasks | None) -> None:
        self.labels, self.verbose, self.tasks = labels, verbose, tasks
        self.stopped = False
        self.lock = Lock()  # problems may run side by side
        self._monitors: dict[int, Monitor] = {}

    def monitor(self, number: int, matrix: DesignMatrix | Parts) -> Monitor:
        """Who watches the problem of a number."""
        if number not in self._monitors:
            self._monitors[number] = Monitor(self, number, matrix)
        return self._monitors[number]

    def history(self) -> list[dict[str, np.ndarray]]:
        """Of each problem, a column for each figure."""
        found = []
        for number in range(len(self.labels)):
            rows = self._monitors[number].rows if number in self._monitors else []
            columns = np.array(rows, dtype=float).reshape(-1, len(COLUMNS)).T
            found.append(dict(zip(COLUMNS, columns, strict=True)))
        return found


class Monitor:
    """Who watches one problem. Neither its time nor its passes count."""

    def __init__(self, progress: Progress, number: int, matrix: DesignMatrix | Parts) -> None:
        self._progress, self._number, self._matrix = progress, number, matrix
        self.rows: list[tuple[float, float, float, int]] = []
        self._last: Any = None
        self._began, self._first = time.perf_counter(), matrix.passes

    @property
    def n_iter(self) -> int:
        """Iterations so far; the start is none."""
        return max(0, len(self.rows) - 1)

    def __call__(self, iterate: Callable[[], Any]) -> bool:
        called, passes = time.perf_counter(), self._matrix.passes
        progress = self._progress
        if not progress.stopped:
            point = iterate()
            # Of the same point, more may have been proven since.
            if point.theta is not self._last or point.suboptimality < self.rows[-1][1]:
                self._last = point.theta
                self._add(point, called - self._began, passes - self._first)
        self._matrix.passes = passes
        self._began += time.perf_counter() - called
        return progress.stopped

    def _add(self, point: Any, seconds: float, passes: int) -> None:
        self.rows.append((float(point.value), float(point.suboptimality), seconds, passes))
        progress = self._progress
        with progress.lock:
            if progress.verbose:
                say(self._line(progress.labels[self._number], *self.rows[-1]))
            # Of problems side by side, another may have been told to stop meanwhile.
            if progress.tasks is not None and self.n_iter and not progress.stopped:
                progress.stopped = progress.tasks.iteration(self._number, point)

    def _line(self, label: str, objective: float, bound: float, seconds: float, passes: int) -> str:
        where = f"[marginclf] {label}, iteration {self.n_iter}"
        return f"{where}: objective {objective:.10g}, {proven(bound)}, {seconds:.3f} s, passes {passes}"


def progress_of(
    estimator: Any, labels: list[str], shape: tuple[int, int], fitted: dict[str, Any], given: dict[str, Any]
) -> Progress | None:
    """Who watches a fit; None where nobody does.

    Parameters
    ----------
    estimator : MarginLinearClassifier
        Whose fit it is, and who may have callbacks.
    labels : list of str
        What each problem is called.
    shape : tuple of int
        Of ``coef_``.
    fitted : dict
        What the fitted estimator will have beside coefficients and intercepts.
    given : dict
        X, y and metadata as the user gave them.
    """
    tasks = None
    # A pipeline or a search tells its estimators where they are in it, callbacks or not: nobody may be watching.
    if getattr(estimator, "_skl_callbacks", None):
        tasks = Tasks(estimator, len(labels), shape, fitted, **given)
    if not (estimator.verbose or estimator.record_history or tasks is not None):
        return None
    return Progress(labels, verbose=bool(estimator.verbose), tasks=tasks)
