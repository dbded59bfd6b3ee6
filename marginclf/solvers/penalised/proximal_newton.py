"""Newton's method for a smooth loss beside a penalty with kinks and bounds, on working sets of the columns.

Each step minimises the quadratic model of the losses with the penalty as it is, as Lee, Sun, Saunders (2014), Proximal
Newton-type methods for minimizing composite functions, SIAM J. Optim. 24, do. Most columns are zero at the optimum and
are looked at in the gradient alone. Which ones are not is found from strong kinks down to those asked for: from zero at
once, the first steps bring in columns that leave again.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ...objective import L2, NonsmoothPenalty, Point
from ..lbfgs import lbfgs
from ..solution import Solution, Status
from .proximal_proof import NOTHING, certified, clipped, least_of
from .proximal_step import At, ProximalNewton
from .working_sets import WorkingSets

STEPS_LAST = 12
_INNER = 0.1
"""Newton steps on a last working set, and the part of the gap to which it is solved."""

ROUGH, MODEL, _LAST, ACCURATE = 0.05, 0.03, 0.1, 1e-12
"""The last move of coordinate descent, relative to the kink: where the working set is a guess, beside the
gap, beside the gap asked for where the model's own dual variables prove it, and at least."""

_TALL, _PART_DENSE, _PART_SPARSE, _LEAST_SAMPLE = 400, 10, 4, 5000
"""Rows for each column from which on a sample of dense rows comes first, how many rows one of it stands for, and its
least size: 200k × 50 takes half as long, text a third less."""

_OF_SAMPLE, _ROWS_EACH, _FAR = 1e-2, 50, 2.0
"""Gap to which a sample is solved, rows for each coefficient that is not zero, and where it has more of them, how many
times stronger its kinks are than those asked for if many more are to come."""

_OF_SQUARES = 1e-3
"""Gap to which squares in place of kinks are solved."""

SHARPER, _HARDLY = 0.1, 0.5
"""What the accuracy of the model is multiplied by after a step that proves hardly more, and the part of a bound that
such a step leaves: where columns are correlated, moves of descent are short far from the minimum."""


_IDLE = 4
"""Steps that prove no more than those before, after which rounding is what is left."""


def proximal_newton(
    objective: Any,
    penalty: NonsmoothPenalty,
    theta: np.ndarray,
    *,
    least: float,
    tol: float,
    max_iter: int,
    provable: bool = True,
) -> Solution[Point]:
    """Minimise losses and a penalty with kinks and bounds.

    Parameters
    ----------
    objective : Objective
        The losses, smooth and convex, without a penalty.
    penalty : NonsmoothPenalty
        What is added to them.
    theta : ndarray
        Where to start.
    least : float
        inf Σ C s φ.
    tol : float
        Suboptimality asked for, relative to |F| and to what the coefficients gain.
    max_iter : int
        Largest number of Newton steps.
    provable : bool, default=True
        Whether there is a penalty at all.
    """
    how: dict[str, Any] = {"max_iter": max_iter, "provable": provable}
    at_once = False
    if provable and not objective.by_class(theta).any():
        theta, at_once = _of_sample(objective, penalty, theta, least, **how)
    run = ProximalRun(objective, penalty, theta, least, tol, **how)
    run.sets.at_once = at_once
    return run.minimise()


def _of_sample(
    objective: Any, penalty: NonsmoothPenalty, theta: np.ndarray, least: float, **how: Any
) -> tuple[np.ndarray, bool]:
    """About the optimum of a sample of the rows, where these are many; where it starts elsewhere.

    And whether so many columns come in that all that is asked for is better asked at once, from the start.
    """
    start, (n, d), matrix = (theta, False), objective.matrix.shape, objective.matrix
    size = n // _PART_SPARSE if matrix.sparse else n // _PART_DENSE if n > _TALL * d else 0
    if size < _LEAST_SAMPLE:
        return start
    rows = np.sort(np.random.RandomState(0).choice(n, size, replace=False))
    sample = objective.sample(rows, np.full(size, n / size))
    if sample.n_outputs == 1 and not ((sample.v > 0.0).any() and (sample.v < 0.0).any()):
        return start
    run = ProximalRun(sample, penalty, theta, least, _OF_SAMPLE, **how)
    run.sets.rows, first = n, run._first()
    run._given = first
    if run.sets.nearly_all(first):
        return start
    if run.sets.crowded(first):
        return theta, True
    run.most = size // _ROWS_EACH
    try:
        found = run.minimise().point.theta
    except OverflowError:
        return start
    many = matrix.sparse and not penalty.grouped and run.sets.factor > _FAR and np.count_nonzero(found) > run.most
    return (theta, True) if many else (found, False)


class ProximalRun:
    """What one minimisation remembers."""

    most: float = math.inf
    """Coefficients at which it is given up: of a sample, more than its rows can tell apart."""

    def __init__(
        self,
        objective: Any,
        penalty: NonsmoothPenalty,
        theta: np.ndarray,
        least: float,
        tol: float,
        max_iter: int,
        *,
        provable: bool,
        at_zero: float | None = None,
    ) -> None:
        self._whole = ProximalNewton(objective, penalty)
        self._least, self._tol, self._max_iter, self._provable = least, tol, max_iter, provable
        self._start = clipped(objective, penalty, theta)
        self._n_iter = self._idle = self._slow = 0
        self._last = math.inf
        self._damping = 0.0
        self.sets = WorkingSets(self._whole)
        self._at_zero = self._promise = math.inf
        self._given: At | None = None
        self._unheld = bool(penalty.unheld.any())
        if at_zero is not None:
            self._at_zero = at_zero
        elif penalty.holds_zero and provable:
            self._at_zero = float(objective.origin().value)

    def minimise(self) -> Solution[Point]:
        found = self._steps()
        if not found.point.moved:
            return found
        here = self._anew(found.point)
        point = certified(self._whole, here, self._least, self._at_zero, provable=self._provable)
        return Solution(point, found.status, found.n_iter)

    def _anew(self, point: Point) -> At:
        """A point with decision values that steps have not carried on, but that are computed from its coefficients."""
        objective = self._whole.objective
        return self._whole.weighed(objective.carried(point, point.theta), 1.0)

    def _steps(self) -> Solution[Point]:
        whole, objective, tol = self._whole, self._whole.objective, self._tol
        here = self._first()
        here.point.require_finite()
        if self._provable and self.sets.nearly_all(here):
            here = self._after_squares(here)
        best: Any = None
        while True:
            point = certified(whole, here, self._least, self._at_zero, provable=self._provable)
            best, better = least_of(best, point)
            if best.excess <= tol and best.moved:
                # What carried decision values say is no claim, neither here nor of points before.
                here = self._anew(best)
                best = certified(whole, here, self._least, self._at_zero, provable=self._provable)
            self._idle = 0 if better or self.sets.factor > 1.0 else self._idle + 1
            hardly = point.bound > _HARDLY * self._last and self.sets.factor == 1.0
            self._slow, self._last = self._slow + 1 if hardly else 0, point.bound
            objective.report(lambda point=best: point)
            if best.excess <= tol or np.count_nonzero(here.u) > self.most:
                return Solution(best, Status.PROVEN, self._n_iter)
            if self._n_iter >= self._max_iter:
                return Solution(best, Status.MAX_ITER, self._n_iter)
            moved = self._stage(here, point)
            if moved is None or self._idle >= _IDLE:
                return Solution(best, self._status(best), self._n_iter)
            if self._unheld and self._runs_off(moved.point.theta - here.point.theta):
                last = certified(whole, moved, self._least, self._at_zero, provable=self._provable)
                return Solution(last, Status.SEPARABLE, self._n_iter)
            if not self._provable and self.sets.factor == 1.0 and self._promise <= NOTHING * abs(moved.value):
                last = certified(whole, moved, self._least, self._at_zero, provable=False)
                return Solution(last, Status.LIMIT_OF_PRECISION, self._n_iter)
            here = moved

    def _first(self) -> At:
        """Where it starts."""
        return self._whole.at(self._start) if self._given is None else self._given

    def _after_squares(self, here: At) -> At:
        """Where F is least with squares in place of kinks, which costs no Hessian, if it is less there."""
        whole, objective = self._whole, self._whole.objective
        smooth = objective.like(penalty=L2())
        try:
            found = lbfgs(smooth, smooth.origin(), tol=_OF_SQUARES, max_iter=self._max_iter).point.theta
        except OverflowError:
            return here
        there = whole.at(clipped(objective, whole.penalty, found))
        return there if there.value < here.value and there.point.finite else here

    def _runs_off(self, step: np.ndarray) -> bool:
        """Whether what nothing penalises moves along a direction that lowers F for ever."""
        objective, penalty = self._whole.objective, self._whole.penalty
        free = penalty.matrix(penalty.unheld.astype(float)) > 0.0
        direction = objective.theta(np.where(free, objective.by_class(step), 0.0), objective.b(step))
        found: bool = objective.reach(objective.point(direction), direction).separates()
        return found

    def _status(self, best: Point) -> Status:
        """What it means that no step lowers F, or proves more: rounding may stop steps before the bound is at tol.

        Only what a model of all that is asked promises, undamped, says that little is left.
        """
        reached = self._promise <= max(self._tol, NOTHING) * abs(best.value)
        return Status.LIMIT_OF_PRECISION if reached else Status.LINE_SEARCH

    def _stage(self, here: At, point: Point) -> At | None:
        """Newton steps on a working set, after which the gradient of all columns is looked at again."""
        whole, penalty = self._whole, self._whole.penalty
        columns, cut = self.sets.columns(here)
        part = self.sets.part(columns)
        factor = self.sets.factor
        if part is whole:
            inside = whole.weighed(here.point, factor)
        else:
            by_class = whole.objective.by_class(here.point.theta)[:, columns]
            theta = part.objective.theta(by_class, whole.objective.b(here.point.theta))
            part.damping = self._damping
            inside = part.weighed(part.objective.carried(here.point, theta, columns), factor)
        # A slope that is beyond its kink by a part ε leaves about ε of what the losses are above their infimum, one
        # that is short of it ε of the penalty: far more, where the classes are separated and C is large.
        losses = 1.0
        if self._provable:
            losses = max(float(here.point.value) - self._least, here.value - float(here.point.value), 1e-300)
        excess = min(point.bound / losses, 1.0) if self._provable else 0.0
        goal = max(0.3 * self._tol * abs(here.value), _INNER * point.bound) if self._provable else 0.0
        accuracy = ROUGH if cut else min(ROUGH, MODEL * excess) * SHARPER**self._slow + ACCURATE
        if whole.has_dual and self._provable and not cut:
            # The dual variables of the model prove no less than its minimum is missed by.
            scale = min(abs(here.value), max(point.gain, 0.0))
            accuracy = min(accuracy, max(_LAST * self._tol * scale / losses, ACCURATE))
        steps = 1 if part is whole or not part.written else self.sets.steps if cut else STEPS_LAST
        done, seen, dual = 0, None, None
        while done < steps and self._n_iter < self._max_iter:
            found = part.step(inside, factor, accuracy)
            if found is None:
                break
            done, self._n_iter = done + 1, self._n_iter + 1
            inside, self._promise = found
            if done < steps and not cut and self._provable:
                seen, dual = inside, part.dual(inside)
                left = part.gap(inside, self._least) if dual is None else part.proven_by(inside, dual, self._least)
                if left <= goal:
                    break
                accuracy = min(accuracy, MODEL * left / losses + ACCURATE)
        self._damping = part.damping
        if cut or part.damping:
            self._promise = math.inf
        if not done:
            return None
        dual = None if cut or not self._provable else part.dual(inside) if seen is not inside else dual
        if part is whole:
            return whole.weighed(inside.point, 1.0)._replace(dual=dual)
        W = np.zeros(penalty.shape)
        W[:, columns] = part.objective.by_class(inside.point.theta)
        carried, theta = whole.objective.carried, whole.objective.theta
        if dual is not None:
            dual = dual._replace(point=carried(dual.point, theta(W, dual.point.b)))
        return whole.weighed(carried(inside.point, theta(W, inside.point.b)), 1.0)._replace(dual=dual)
