"""Fits whose penalty is squares alone: by columns scaled so that their weights are one, where that pays.

    ½ Σ v_j ‖W_j‖²  with  U_j = √v_j W_j  is  ½ ‖U‖²,  and  X W = (X / √v) U.

Where there are more columns than rows, or few rows are at a kink, the fast solvers are those of ½‖U‖².
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from ..losses import MarginLoss
from ..matrix import DesignMatrix
from ..objective import BinaryObjective, JointObjective, above, few_operations, signed_weights
from ..solvers import Solution, Status
from .joint import fit_jointly
from .one_vs_rest import OneVsRest, Settings

_MOST = 1e16
"""Weights up to which, and down to whose inverse, columns are scaled: squares of these are still numbers."""

_Rows = tuple[MarginLoss, np.ndarray, np.ndarray | None, int]

Problems = Callable[[Sequence[int], Sequence[tuple | None]], Iterator[tuple[Solution, float]]]


def squares_problems(
    matrix: DesignMatrix,
    loss: MarginLoss,
    codes: np.ndarray,
    row_weights: np.ndarray | None,
    n_classes: int,
    settings: Settings,
    *,
    joint: bool,
) -> Problems:
    """What solves the problems, one after another.

    Parameters
    ----------
    matrix, loss, codes, row_weights, n_classes, settings
        As of :class:`~.one_vs_rest.OneVsRest`.
    joint : bool
        Whether there is one problem with one joint margin.
    """
    rows = loss, codes, row_weights, n_classes
    if _pays(matrix, loss, settings, joint=joint):
        return _ByScaledColumns(matrix, rows, settings, joint=joint).solve
    return _as_they_are(matrix, rows, settings, joint=joint)


def _as_they_are(matrix: DesignMatrix, rows: _Rows, settings: Settings, *, joint: bool) -> Problems:
    if joint:
        return lambda _, starts: iter([fit_jointly(matrix, *rows, settings, starts[0])])
    return OneVsRest(matrix, *rows, settings).solve


def _pays(matrix: DesignMatrix, loss: MarginLoss, settings: Settings, *, joint: bool) -> bool:
    """Whether other solvers than those of any weights are faster: those of few rows, and the dual's active set.

    With more rows than columns ascent in the dual, which sparse rows would get, takes one to six times as long as
    Newton's method with the weights.
    """
    weights, (n, d) = settings.weights, matrix.shape
    if weights is None or settings.solver != "auto" or not loss.convex or loss.affine or not np.isfinite(settings.C):
        return False
    if not 1.0 / _MOST <= float(weights.min()) <= float(weights.max()) <= _MOST:
        return False
    return n < d or (not (loss.smooth or joint or matrix.sparse) and few_operations(n, d))


class _ByScaledColumns:
    """The problems of scaled columns, and their solutions as those of the columns as they are."""

    def __init__(self, matrix: DesignMatrix, rows: _Rows, settings: Settings, *, joint: bool) -> None:
        self._matrix, self._rows, self._settings, self._joint = matrix, rows, settings, joint
        self._root = np.sqrt(np.asarray(settings.weights))

    def solve(self, positive: Sequence[int], starts: Sequence[tuple | None]) -> Iterator[tuple[Solution, float]]:
        """The solution of each problem, and the seconds that it took."""
        began = time.perf_counter()
        watched: Any = self._settings.progress and _Watched(self._settings.progress, self._root)
        settings = self._settings._replace(weights=None, progress=watched)
        scaled = [None if start is None else (start[0] * self._root, start[1]) for start in starts]
        with self._matrix.scaled(1.0 / self._root) as inside:
            spent = (time.perf_counter() - began) / len(scaled)
            found = _as_they_are(inside, self._rows, settings, joint=self._joint)(positive, scaled)
            for k, (solution, seconds) in zip([None] if self._joint else positive, found, strict=True):
                began = time.perf_counter()
                yield self._outside(k, solution), seconds + spent + time.perf_counter() - began

    def _outside(self, k: int | None, solution: Solution) -> Solution:
        """What is claimed is of F at the coefficients of the columns as they are."""
        inside, objective = solution.point, self._objective(k)
        point = objective.evaluate(objective.theta(inside.coefficients / self._root, inside.b))
        # Scaled columns are rounded, by no more than what products with them are.
        lower = inside.value - inside.bound - inside.rounding
        point = point.certified(above(point.value, lower, rounding=True), inside.gain)
        point.release()
        status = solution.status
        if status is Status.PROVEN and not point.excess <= self._settings.tol:
            status = Status.LIMIT_OF_PRECISION
        return Solution(point, status, solution.n_iter)

    def _objective(self, k: int | None) -> Any:
        (loss, codes, weights, n_classes), settings = self._rows, self._settings
        how: dict[str, Any] = {"penalty": settings.quadratic, "fit_intercept": settings.fit_intercept}
        if k is not None:
            return BinaryObjective(self._matrix, loss, signed_weights(codes, k, n_classes, weights, settings.C), **how)
        scaled = np.full(1, float(settings.C)) if weights is None else np.multiply(settings.C, weights)
        codes = codes if weights is None else np.minimum(codes, n_classes - 1)
        return JointObjective(self._matrix, loss, codes, scaled, n_classes, **how)


class _Seen(NamedTuple):
    """What is seen of a point, of the columns as they are; ``theta`` says which one it is."""

    theta: np.ndarray
    value: float
    suboptimality: float
    coefficients: np.ndarray
    b: np.ndarray


class _Watched:
    """Who watches a fit sees points of the columns as they are."""

    def __init__(self, progress: Any, root: np.ndarray) -> None:
        self._progress, self._root = progress, root

    def monitor(self, number: int, matrix: DesignMatrix) -> Any:
        """Who watches the problem of a number."""
        return _Monitor(self._progress.monitor(number, matrix), self._root)


class _Monitor:
    """Of one problem."""

    def __init__(self, monitor: Any, root: np.ndarray) -> None:
        self._monitor, self._root = monitor, root

    @property
    def n_iter(self) -> int:
        return int(self._monitor.n_iter)

    def __call__(self, iterate: Callable[[], Any]) -> bool:
        return bool(self._monitor(lambda: self._seen(iterate())))

    def _seen(self, point: Any) -> _Seen:
        return _Seen(point.theta, point.value, point.suboptimality, point.coefficients / self._root, point.b)
