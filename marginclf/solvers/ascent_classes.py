"""The first sweeps of coordinate ascent of many classes against the rest, side by side over sparse rows.

At first most rows move in most classes, and a sweep over all classes at once costs a half to a third of one sweep for
each. Once most rows rest, which they do class by class, or classes end, each goes on by itself.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np

from ..kernels.ascent_classes import sweep_classes
from ..kernels.storage import LANES
from ..objective import BinaryObjective, Point, StopFit
from .ascent import Begun, BinaryAscent, Forecast, multipliers_of_lines
from .dual import certificate, ends_here
from .spring import strength

AT_ONCE = 32
"""Classes in a group: their coefficients of a column are four lines of the cache."""

_LEAST, _MOST = 3, 1 << 23
"""Classes from which on it pays, and how many numbers a group may have of rows and classes: 18 bytes each."""

_MOVING = 0.12
"""Part of the steps that have to change something: below it, sweeps that leave out sleeping rows are as fast. Text with
20 classes and 12,000 rows: hinge 4.8 ms a sweep for all, 11.2 for one after another, and 4 once a quarter moves;
squared_hinge, half of which moves to the end, 6.7 and 14."""

_ENDED = 0.95
"""Part of the classes whose forecast says that they have ended, at which the others go on by themselves."""

_SWEEPS = 40
"""Sweeps at most: more are of problems that another method may end."""


def classes_suit(objectives: Sequence[BinaryObjective]) -> bool:
    """Whether problems over the same sparse rows may begin together."""
    first, n = objectives[0], objectives[0].matrix.shape[0]
    plain = first.matrix.sparse and first.provable and first.penalty.uniform and first.offset is None
    known = plain and (first.loss.smooth or multipliers_of_lines(first).size > 0)
    return known and len(objectives) >= _LEAST and n * (len(objectives) + LANES) <= _MOST


def begin_classes(objectives: Sequence[BinaryObjective], *, tol: float, max_iter: int, seed: int) -> list[Begun]:
    """What the first sweeps leave of each problem.

    Parameters
    ----------
    objectives : list of BinaryObjective
        One class against the rest each, over the same rows with the same weights, which :func:`classes_suit`.
    tol : float
        Relative suboptimality at which a class will stop.
    max_iter : int
        Largest number of sweeps.
    seed : int
        Of the order of the visits.
    """
    run = _Run(objectives, seed)
    starts = [objective.origin() for objective in objectives]
    scales = [abs(start.value) for start in starts]
    run.b[: len(starts)] = [float(start.b[0]) for start in starts]
    try:
        if objectives[0].loss.smooth:
            for objective, start in zip(objectives, starts, strict=True):
                objective.report(partial(_itself, start))
        for done in range(1, min(_SWEEPS, max_iter) + 1):
            moved = run.sweep()
            if run.ended(scales, tol) >= _ENDED or (done > 2 and moved < _MOVING):
                break
            if done < min(_SWEEPS, max_iter):
                run.report()
    except StopFit:
        pass  # each of them is told so again, by its own ascent
    return [run.begun(k) for k in range(len(objectives))]


def _itself(point: Point) -> Point:
    return point


class _Run:
    """The dual variables of all classes, with what they make."""

    def __init__(self, objectives: Sequence[BinaryObjective], seed: int) -> None:
        first = objectives[0]
        self._objectives, self._rng = objectives, np.random.RandomState(seed)
        self._seed, self._rows = seed, first.matrix.sweep_rows(seed)
        n, k = first.matrix.shape[0], len(objectives)
        lanes = -(-k // LANES) * LANES
        self._signs = np.zeros((n, lanes), dtype=np.int8)
        for column, objective in enumerate(objectives):
            self._signs[:, column] = np.where(objective.v < 0.0, -1, 1)[self._rows.order]
        self._weights = first.row_weights[self._rows.order]
        kappa = self._weights * self._rows.squares
        if not np.isfinite(kappa).all():
            raise OverflowError("the squared norm of a row overflows")
        self._spring = strength(first.loss, self._weights, kappa) if first.fit_intercept else 0.0
        self._a, self._u = np.zeros((2, n, lanes))
        self._idle = np.zeros((n, lanes), dtype=np.uint8)
        self._w, self.b, self._balance = np.zeros((self._rows.n_columns, lanes)), np.zeros(lanes), np.zeros(lanes)
        self._lines, self._step, self._block = multipliers_of_lines(first), first.loss.compiled_prox(), first.compiled
        self._work, self._sums = np.ones((10, lanes)), np.empty(lanes + 1)
        self.forecasts, self._done = [Forecast() for _ in objectives], 0

    def sweep(self) -> float:
        """Visit every row once, for every class; the part of the steps that changed something."""
        rows, first = self._rows, self._objectives[0]
        first.matrix.passes += 1
        order = self._rng.permutation(-(-len(self._weights) // rows.run)).astype(np.uint32)
        address, parameters, _ = self._step
        sweep_classes(
            rows.rows, order, rows.run, self._signs, self._weights, rows.squares, rows.diagonal, self._a, self._u,
            self._idle, self._w, self.b, self._balance, self._spring, self._lines, self._block.address, address,
            parameters, len(self.forecasts), self._work, self._sums,
        )  # fmt: skip
        self._done += 1
        for forecast, gained in zip(self.forecasts, self._sums[:-1].tolist(), strict=False):
            forecast.add(gained)
        self.b += self._spring * self._balance
        return float(self._sums[-1]) / (len(self._weights) * len(self.forecasts))

    def ended(self, scales: list[float], tol: float) -> float:
        """The part of the classes that need no further sweep."""
        smooth, found = self._objectives[0].loss.smooth, 0
        for forecast, scale in zip(self.forecasts, scales, strict=True):
            left, factor = forecast.rest()
            found += ends_here(left / scale, factor, tol, smooth=smooth)
        return found / len(scales)

    def report(self) -> None:
        """Tell who watches a class."""
        for k, objective in enumerate(self._objectives):
            objective.report(self._point_of(k))

    def _point_of(self, k: int) -> Callable[[], Any]:
        def make() -> Any:
            objective = self._objectives[k]
            ascent = BinaryAscent(objective, objective.origin(), self._seed, self.begun(k))
            return certificate(objective, ascent)

        return make

    def begun(self, k: int) -> Begun:
        """Where one class is."""
        a, u, w = (np.ascontiguousarray(x[:, k]) for x in (self._a, self._u, self._w))
        b, balance = float(self.b[k]), float(self._balance[k]) if self._objectives[k].fit_intercept else 0.0
        return Begun(a, u, w, self._idle[:, k].copy(), b, balance, self.forecasts[k], self._rng.get_state(), self._done)
