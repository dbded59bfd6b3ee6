"""Dense data of two classes: a sample of the rows and some of the columns first, since a look at all of them is dear.

What these leave is little, and found as elsewhere: all columns are looked at in the end, and say what is proven.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ...kernels.gram import GRAM_COLUMNS
from ...objective import NonsmoothPenalty, Point
from ..solution import Solution
from .compiled_sets import CompiledSets
from .dense_sample import of_sample
from .kept_hessian import KeptHessian
from .proximal_newton import ACCURATE, MODEL, ROUGH, SHARPER, STEPS_LAST, ProximalRun, proximal_newton
from .proximal_proof import clipped
from .proximal_step import At, ProximalNewton
from .working_sets import WorkingSets

_LARGE = 1 << 20
"""Entries from which on passes take longer than what spares them."""

_FEW_ROWS = 2000
"""Rows up to which steps on some of the columns are taken with arrays."""

_WIDE, _TOP, _NEAR, _MOST, _ROUNDS = 2000, 8, 0.7, 4, 4
"""Columns from which on some are solved for first: one of so many with the largest slopes, from zero, or those whose
slope is such a part of their kink, at most one of so many; and how often."""

_GOAL, _INNER, _GUESSED = 0.3, 1e-4, 0.1
"""Part of tol, and of the gap before, to which a working set is solved, and the gap for columns that are a guess."""

_CHEAP = 3_000_000
"""Products of a Hessian that take no longer than what is around it."""

_ASKED = 0.95
"""Columns whose slope is this part of their kink are let in for the last stage: another look for a few that come later
costs more."""

_SPARE, _WIDER = 24, 1.5
"""Columns up to which all are taken, and how many times more than wanted, in place of a copy."""


def minimise_dense(
    objective: Any,
    penalty: NonsmoothPenalty,
    theta: np.ndarray,
    *,
    least: float,
    tol: float,
    max_iter: int,
    provable: bool = True,
) -> Solution[Point]:
    """As :func:`~.proximal_newton.proximal_newton`; large dense data of two classes by way of parts of it."""
    how: dict[str, Any] = {"least": least, "max_iter": max_iter, "provable": provable}
    n, d = objective.matrix.shape
    suits = provable and objective.n_outputs == 1 and not (objective.matrix.sparse or penalty.grouped)
    suits = suits and bool((penalty.kink > 0.0).all())
    if suits and n * d < _LARGE and objective.offset is None:
        return _by_compiled_sets(objective, penalty, theta, tol=tol, **how)
    # Of losses that are flat beyond a margin few rows are curved, and other ones from step to step.
    if not (suits and objective.curved and n * d >= _LARGE):
        return proximal_newton(objective, penalty, theta, tol=tol, **how)
    columns = None
    if not objective.by_class(theta).any() and objective.offset is None and penalty.holds_zero:
        theta, columns = of_sample(objective, penalty, theta, least, max_iter)
    run = DenseRun(KeptHessian(objective, penalty), theta, tol=tol, **how)
    run.guess = columns
    return run.minimise()


def _by_compiled_sets(
    objective: Any, penalty: NonsmoothPenalty, theta: np.ndarray, *, tol: float, max_iter: int, **how: Any
) -> Solution[Point]:
    """Steps with arrays in place of points, and what proves their end or goes on from there."""
    sets = CompiledSets(objective, penalty, clipped(objective, penalty, theta), how["least"])
    sets.descend(_GOAL * tol, max_iter)
    found = proximal_newton(objective, penalty, sets.theta, tol=tol, max_iter=max_iter - sets.steps, **how)
    return Solution(found.point, found.status, sets.steps + found.n_iter)


class DenseSets(WorkingSets):
    """Working sets whose Hessians are kept, and which are kept themselves while they hold what is wanted."""

    long, asked = 0, _ASKED
    _whole: KeptHessian

    def __init__(self, whole: KeptHessian) -> None:
        super().__init__(whole)
        self.first = max(self.first, min(GRAM_COLUMNS, math.isqrt(_CHEAP // whole.objective.matrix.shape[0])))
        self._kept: tuple[np.ndarray, KeptHessian] | None = None

    def part(self, columns: np.ndarray) -> KeptHessian:
        whole = self._whole
        if len(columns) == whole.penalty.shape[1]:
            return whole
        if self._kept is None or not np.array_equal(self._kept[0], columns):
            self._kept = columns, part_of(whole, columns)
        return self._kept[1]

    def columns(self, here: At) -> tuple[np.ndarray, bool]:
        wanted, cut = super().columns(here)
        d, most = self._whole.penalty.shape[1], max(_SPARE, _WIDER * len(wanted))
        if d <= most:
            return np.arange(d), cut
        kept = wanted if self._kept is None else self._kept[0]
        if len(kept) <= most and np.isin(wanted, kept, assume_unique=True).all():
            return kept, cut
        return wanted, cut


def part_of(whole: ProximalNewton, columns: np.ndarray) -> KeptHessian:
    """The problem of some of the columns."""
    objective = whole.objective.columns(columns)
    if "centre" in whole.objective.__dict__:
        objective.centre = whole.objective.centre[columns]
    return KeptHessian(objective, whole.penalty.restricted(columns))


class DenseRun(ProximalRun):
    """A minimisation over dense data of two classes.

    Parameters
    ----------
    whole : KeptHessian
        F of all columns.
    theta, least, tol, max_iter, provable, at_zero
        As of the class that this one extends.
    first : At, optional
        The point θ, if it is at hand.

    Attributes
    ----------
    guess : ndarray of int or None
        Columns that are solved for before all are looked at.
    """

    _whole: KeptHessian
    sets: DenseSets

    def __init__(self, whole: KeptHessian, *given: Any, first: At | None = None, **how: Any) -> None:
        super().__init__(whole.objective, whole.penalty, *given, **how)
        self._whole, self.sets = whole, DenseSets(whole)
        self.guess: np.ndarray | None = None
        self._given, self._rounds = first, _ROUNDS if first is not None else 0

    def _first(self) -> At:
        if self._given is not None or self.guess is None:
            return super()._first()
        objective, part = self._whole.objective, part_of(self._whole, self.guess)
        theta = part.objective.theta(objective.by_class(self._start)[:, self.guess], objective.b(self._start))
        return self._solved(part, part.weighed(part.objective.point(theta), 1.0), self.guess, self._tol)

    def _stage(self, here: At, point: Point) -> At | None:
        if self._rounds < _ROUNDS and self._whole.penalty.shape[1] >= _WIDE:
            self._rounds += 1
            columns = self._candidates(here)
            if len(columns) * _MOST <= self._whole.penalty.shape[1]:
                part = part_of(self._whole, columns)
                before = self._n_iter
                within = self._tol if here.u.any() else max(self._tol, _GUESSED)
                found = self._solved(part, self._inside(part, here, columns, 1.0), columns, within)
                if self._n_iter > before:
                    return found
        return self._on_set(here, point)

    def _candidates(self, here: At) -> np.ndarray:
        penalty = self._whole.penalty
        d = penalty.shape[1]
        score = penalty.pull(here.u, self._whole.slopes(here.point)) / penalty.kink
        score[here.u != 0.0] = math.inf
        if here.u.any():
            return np.flatnonzero(score >= _NEAR)
        return np.sort(np.argpartition(score, -(d // _TOP))[-(d // _TOP) :])

    def _solved(self, part: KeptHessian, inside: At, columns: np.ndarray, tol: float) -> At:
        """The optimum of some of the columns, about, as a point of all."""
        if part.objective.matrix.shape[0] <= _FEW_ROWS and part.objective.offset is None:
            sets = CompiledSets(part.objective, part.penalty, inside.point.theta, self._least)
            sets.descend(_GOAL * tol, self._max_iter - self._n_iter)
            self._n_iter += sets.steps
            return self._outside(part.at(sets.theta).point, columns)
        run = DenseRun(
            part, inside.point.theta, self._least, _GOAL * tol, self._max_iter - self._n_iter, provable=True,
            at_zero=self._at_zero, first=inside,
        )  # fmt: skip
        found = run.minimise()
        self._n_iter += found.n_iter
        self._promise = run._promise
        return self._outside(found.point, columns)

    def _inside(self, part: KeptHessian, here: At, columns: np.ndarray, factor: float) -> At:
        """A point of all columns as one of some, the others being zero."""
        objective = self._whole.objective
        theta = part.objective.theta(objective.by_class(here.point.theta)[:, columns], objective.b(here.point.theta))
        return part.weighed(part.objective.carried(here.point, theta, columns), factor)

    def _outside(self, point: Point, columns: np.ndarray) -> At:
        whole = self._whole
        W = np.zeros(whole.penalty.shape)
        W[:, columns] = point.coefficients
        return whole.weighed(whole.objective.carried(point, whole.objective.theta(W, point.b)), 1.0)

    def _on_set(self, here: At, point: Point) -> At | None:
        """Newton steps on a working set, after which the gradient of all columns is looked at again."""
        whole = self._whole
        columns, cut = self.sets.columns(here)
        part, factor = self.sets.part(columns), self.sets.factor
        if not part.written:
            return super()._stage(here, point)
        inside = whole.weighed(here.point, factor) if part is whole else self._inside(part, here, columns, factor)
        part.damping = self._damping
        losses = max(float(here.point.value) - self._least, 1e-300)
        left = min(point.bound, part.left(inside, self._least)) if factor == 1.0 else point.bound
        accuracy = ROUGH if cut else min(ROUGH, MODEL * min(left / losses, 1.0)) * SHARPER**self._idle + ACCURATE
        goal = max(_GOAL * self._tol * abs(here.value), _INNER * left)
        steps = self.sets.steps if cut else STEPS_LAST
        done = 0
        while done < steps and self._n_iter < self._max_iter:
            found = part.advance(inside, factor, accuracy)
            if found is None:
                break
            done, self._n_iter = done + 1, self._n_iter + 1
            inside, self._promise = found
            if not cut and done < steps:
                left = part.left(inside, self._least)
                if left <= goal:
                    break
                accuracy = min(accuracy, MODEL * left / losses + ACCURATE)
        inside = part.settled(inside, factor)
        self._damping = part.damping
        if cut or part.damping:
            self._promise = math.inf
        if not done:
            return None
        return whole.weighed(inside.point, 1.0) if part is whole else self._outside(inside.point, columns)
