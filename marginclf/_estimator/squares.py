"""Fits whose penalty is squares alone: by columns scaled so that their weights are one, where that pays.

    ½ Σ v_j ‖W_j‖²  with  U_j = √v_j W_j  is  ½ ‖U‖²,  and  X W = (X / √v) U.

Where there are more columns than rows, or few rows are at a kink, the fast solvers are those of ½‖U‖².
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from ..matrix import DesignMatrix
from ..objective import above, few_operations
from ..solvers import Solution, Status
from .joint import fit_jointly
from .one_vs_rest import OneVsRest
from .problems import Problems, Solve

_MOST = 1e16
"""Weights up to which, and down to whose inverse, columns are scaled: squares of these are still numbers."""

_SPREAD = 1e3
"""How many times the least weight the largest may be: with 1e6 and a large C, scaled columns prove less than others."""


def squares_solver(problems: Problems, *, joint: bool) -> Solve:
    """What solves the problems, called with the class of each, None for all of them, and where it starts.

    Parameters
    ----------
    problems : Problems
        Of a quadratic penalty without bounds.
    joint : bool
        Whether there is one problem with one joint margin.
    """
    if _pays(problems, joint=joint):
        return _ByScaledColumns(problems, joint=joint).solve
    return _as_they_are(problems, joint=joint)


def _as_they_are(problems: Problems, *, joint: bool) -> Solve:
    if joint:
        return lambda _, starts: iter([fit_jointly(problems, starts[0])])
    return OneVsRest(problems).solve


def _pays(problems: Problems, *, joint: bool) -> bool:
    """Whether other solvers than those of any weights are faster: those of few rows, and the dual's active set.

    With more rows than columns ascent in the dual, which sparse rows would get, takes one to six times as long as
    Newton's method with the weights.
    """
    matrix, loss, settings = problems.matrix, problems.loss, problems.settings
    weights, (n, d) = settings.weights, matrix.shape
    if weights is None or settings.solver != "auto" or not loss.convex or loss.affine or not np.isfinite(settings.C):
        return False
    least, most = float(weights.min()), float(weights.max())
    if not 1.0 / _MOST <= least <= most <= min(_MOST, _SPREAD * least):
        return False
    return n < d or (not (loss.smooth or joint or matrix.sparse) and few_operations(n, d))


class _ByScaledColumns:
    """The problems of scaled columns, and their solutions as those of the columns as they are."""

    def __init__(self, problems: Problems, *, joint: bool) -> None:
        self._problems, self._joint = problems, joint
        self._root = np.sqrt(np.asarray(problems.settings.weights))
        self._objectives: dict[int | None, Any] = {}

    def solve(self, positive: Sequence[int | None], starts: Sequence[tuple | None]) -> Iterator[tuple[Solution, float]]:
        """The solution of each problem, and the seconds that it took."""
        began, settings = time.perf_counter(), self._problems.settings
        alone = positive[0] if len(positive) == 1 else None
        watched: Any = settings.progress and _Watched(
            settings.progress, lambda number, point: self._point(number if len(positive) > 1 else alone, point)
        )
        settings = settings._replace(weights=None, progress=watched)
        scaled = [None if start is None else (start[0] * self._root, start[1]) for start in starts]
        with self._problems.matrix.scaled(1.0 / self._root) as matrix:
            spent = (time.perf_counter() - began) / len(scaled)
            inside = _as_they_are(self._problems._replace(matrix=matrix, settings=settings), joint=self._joint)
            for k, (solution, seconds) in zip(positive, inside(positive, scaled), strict=True):
                began = time.perf_counter()
                yield self._outside(k, solution), seconds + spent + time.perf_counter() - began

    def _outside(self, k: int | None, solution: Solution) -> Solution:
        """A solution, without a claim that the columns as they are do not bear out."""
        point = self._point(k, solution.point)
        self._objectives.pop(k)
        point.release()
        status = solution.status
        if status is Status.PROVEN and not point.excess <= self._problems.settings.tol:
            status = Status.LIMIT_OF_PRECISION
        return Solution(point, status, solution.n_iter)

    def _point(self, k: int | None, inside: Any) -> Any:
        """What is claimed is of F at the coefficients of the columns as they are."""
        if k not in self._objectives:
            # Problems side by side are watched from threads of their own.
            problems = self._problems._replace(matrix=self._problems.matrix.alone())
            self._objectives[k] = problems.joint() if k is None else problems.binary(k)
        objective = self._objectives[k]
        point = objective.evaluate(objective.theta(inside.coefficients / self._root, inside.b))
        # Scaled columns are rounded, by no more than what products with them are.
        lower = inside.value - inside.bound - inside.rounding
        return point.certified(above(point.value, lower, rounding=True), inside.gain)


class _Seen(NamedTuple):
    """What is seen of a point, of the columns as they are; ``theta`` says which one it is."""

    theta: np.ndarray
    value: float
    suboptimality: float
    coefficients: np.ndarray
    b: np.ndarray


class _Watched:
    """Who watches a fit sees points of the columns as they are."""

    def __init__(self, progress: Any, outside: Callable[[int, Any], Any]) -> None:
        self._progress, self._outside = progress, outside

    def monitor(self, number: int, matrix: DesignMatrix) -> Any:
        """Who watches the problem of a number."""
        return _Monitor(self._progress.monitor(number, matrix), partial(self._outside, number))


class _Monitor:
    """Of one problem."""

    def __init__(self, monitor: Any, outside: Callable[[Any], Any]) -> None:
        self._monitor, self._outside = monitor, outside

    @property
    def n_iter(self) -> int:
        return int(self._monitor.n_iter)

    def __call__(self, iterate: Callable[[], Any]) -> bool:
        return bool(self._monitor(lambda: self._seen(iterate())))

    def _seen(self, inside: Any) -> _Seen:
        point = self._outside(inside)
        return _Seen(inside.theta, point.value, point.suboptimality, point.coefficients, point.b)
