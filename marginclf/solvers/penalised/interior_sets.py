"""Losses of two lines, soft or not, beside separable penalties with kinks and bounds: interior points on working sets.

A path to the optimum of the columns that are in, then a look at the slopes of all of them, and those that are beyond
their kinks come in. How it ends is in :mod:`.interior_face`.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from ...objective import NonsmoothPenalty, Point
from ..convergence import ROUGH
from ..lines import Lines, soft_lines, two_lines
from .interior_face import as_it_is
from .interior_point import InteriorPoint
from .interior_problem import Program
from .interior_system import Products
from .proximal_proof import least_of

_MOST, _ENTRIES, _OPERATIONS = 3000, 1e7, 6e10
"""Rows or columns up to which a system is factored, entries of X that are written down where it is by the rows, and
operations of a step."""

_FEW, _FIRST, _INSIDE = 3e7, 60, 1e-6
"""Operations of a step up to which all columns are taken at once, columns to begin with where there are more, and by
which part a slope has to be beyond its kink to let its column in."""

_SHRINKS, _NEARLY, _PART = 0.7, 0.8, 0.6
"""Part of the columns that would come in which, with squares, the next look may leave where these would be too many;
part of its kink from which on a column comes in with others; and part of all columns from which on all are taken."""

_BEFORE_ALL, _NEAR, _GOAL = 1e-2, 1e-7, 1e-11
"""Relative gap at which all columns are looked at, at which a face is looked for, and at which it is the end."""

_NOTHING = 1e-18
"""Gap beside the weights of the rows at which F is next to nothing at its minimum, and steps would never be near."""

_STEPS, _IDLE, _STALLED, _FALLS = 100, 3, 20, 0.5
"""The largest number of steps for some columns, looks that prove no more after which the last is made, and steps after
which the gap has to have fallen by a part."""


class Ended(NamedTuple):
    """A point of F, its multipliers −φ', and how many steps it took.

    Without multipliers there is none that is near the optimum: too many columns would have had to come in.
    """

    point: Point
    multipliers: np.ndarray | None
    n_iter: int


def by_interior_point(
    objective: Any,
    penalty: NonsmoothPenalty,
    least: float,
    *,
    tol: float,
    max_iter: int,
    near: np.ndarray | None = None,
) -> Ended | None:
    """The optimum with its proof; None where the loss, the penalty or the size is not one for this method.

    Parameters
    ----------
    objective, penalty, least, tol, max_iter
        As of :func:`~.proximal_newton.proximal_newton`, but for the loss.
    near : ndarray, optional
        θ that says which columns are in, if there is one.
    """
    lines = lines_of(objective, penalty)
    if lines is None:
        return None
    program = Program(objective, penalty, lines, least)
    zero = None if program.soft else program.at_zero()
    if zero is not None:
        objective.report(lambda: zero[0])
        return Ended(*zero, 1)
    run = _Run(program, tol, max_iter, objective.zeros() if near is None else near)
    return run.solve() if run.fits(len(run.which)) else None


def lines_of(objective: Any, penalty: NonsmoothPenalty) -> Lines | None:
    """The two lines of a loss, soft or not; None where the problem is not one for this method."""
    if objective.n_outputs != 1 or penalty.grouped or objective.offset is not None:
        return None
    if min(objective.matrix.shape) > _MOST:
        return None
    return (soft_lines if objective.loss.smooth else two_lines)(objective.loss, objective.compiled)


class _Run:
    """The columns that are in, and where their problem has got to."""

    def __init__(self, program: Program, tol: float, max_iter: int, theta: np.ndarray) -> None:
        self._program, self._max_iter, self._n_iter = program, max_iter, 0
        self._tol, self._goal = tol, tol if tol >= ROUGH else min(tol, _GOAL)
        self.which = self._first(theta)
        self._begin()

    def _operations(self, d: int) -> float:
        """Of a step with so many columns, about."""
        matrix = self._program.matrix
        n = float(matrix.shape[0])
        if d > n:
            return n * n * d
        pairs = (matrix.entries * d / matrix.shape[1]) ** 2 / n
        return min(n * d * d, 10.0 * pairs) + d * d * d / 3.0

    def fits(self, d: int) -> bool:
        """Whether a system of so many columns is factored."""
        n = self._program.matrix.shape[0]
        small = 0 < min(n, d) <= _MOST and (d <= n or float(n) * d <= _ENTRIES)
        return small and self._operations(d) <= _OPERATIONS

    def _first(self, theta: np.ndarray) -> np.ndarray:
        """All columns that may move, or those that are not or cannot be zero, and the steepest."""
        program = self._program
        movable, objective, columns = program.movable, program.objective, program.columns
        kink, lower, upper = (it[movable] for it in (program.kink, columns.lower, columns.upper))
        held = (kink > 0.0) & (lower <= 0.0) & (upper >= 0.0)
        if self._operations(len(movable)) <= _FEW or not held.any():
            return movable
        gradient = objective.by_class(objective.at(theta).gradient)[0]
        pull = np.divide(np.abs(gradient[movable]), kink, out=np.full(len(kink), math.inf), where=held)
        pull[objective.w(theta)[movable] != 0.0] = math.inf
        first = max(_FIRST, int(np.isinf(pull).sum()) + _FIRST // 2)
        return np.sort(movable[np.argsort(-pull, kind="stable")[:first]])

    def _begin(self) -> None:
        """Begin with the columns that are in."""
        program = self._program
        if not self.fits(len(self.which)):
            return
        all_of_them = len(self.which) == program.matrix.shape[1]
        self._part = program.matrix if all_of_them else program.matrix.columns(self.which)
        terms, free = program.part(self.which), program.free
        self._inside = InteriorPoint(Products(self._part), program.rows, terms, fit_intercept=free)
        self._left = _STEPS

    def solve(self) -> Ended:
        """Problems of more and more columns, until no other has a slope beyond its kink."""
        last, enough = math.inf, _BEFORE_ALL
        while True:
            some = len(self.which) < len(self._program.movable)
            found = self._minimise(enough if some else 0.0)
            if not some or self._n_iter >= self._max_iter:
                return found
            pull = self._pull(found.point)
            beyond = int((pull > 1.0 + _INSIDE).sum())
            if beyond == 0 and not enough:
                return found
            if beyond:
                which = self._widened(pull, beyond, last)
                if which is None:
                    return found if not enough else found._replace(multipliers=None)
                last, self.which = beyond, which
                self._begin()
            else:
                enough = 0.0

    def _pull(self, point: Point) -> np.ndarray:
        """What pulls at each column that is not in, as a part of its kink."""
        penalty, objective = self._program.penalty, self._program.objective
        kink = np.repeat(penalty.kink, penalty.sizes)
        u, slopes = (penalty.vector(objective.by_class(it)) for it in (point.theta, -point.gradient))
        part = np.divide(penalty.pull(u, slopes), kink, out=np.zeros_like(kink), where=kink > 0.0)
        found: np.ndarray = penalty.matrix(part)[0]
        found[self.which] = 0.0
        return found

    def _widened(self, pull: np.ndarray, beyond: int, last: float) -> np.ndarray | None:
        """The columns with those that come in, at most as many as there are; None where these would be too many.

        Those that are nearly beyond their kinks come in as well, which saves looks.
        """
        size, movable = len(self.which), self._program.movable
        squares = self._program.columns.quadratic.any()
        if squares and beyond > _SHRINKS * last and not self.fits(size + beyond):
            return None
        room = size if self.fits(2 * size) else _MOST - size
        steep = np.argsort(-pull, kind="stable")[: max(room, 0)]
        which = np.union1d(self.which, steep[pull[steep] > _NEARLY])
        if len(which) > _PART * len(movable) and self.fits(len(movable)):
            return movable
        return which if len(which) > size and self.fits(len(which)) else None

    def _minimise(self, enough: float) -> Ended:
        """Go on with the columns that are in; up to a relative gap of ``enough``, if that is not 0."""
        program, inside, looks = self._program, self._inside, _Looks(self._program.objective)
        least, since, moves = math.inf, 0, True
        while moves and self._n_iter < self._max_iter and self._left > 0:
            with np.errstate(all="ignore"):
                moves = inside.step()
            self._n_iter, self._left = self._n_iter + int(moves), self._left - 1
            scale = abs(program.value(inside, self.which))
            if not inside.gap <= max(self._goal, enough or _NEAR) * scale:
                program.objective.report(lambda: program.proven(as_it_is(inside), self.which)[0])
                since, least = (0, inside.gap) if inside.gap <= _FALLS * least else (since + 1, least)
                if since > _STALLED or inside.gap <= _NOTHING * program.objective.total:
                    break
                continue
            if enough:
                break
            faces = program.faces(inside, self.which, self._part)
            best = looks.at([program.proven(face, self.which) for face in faces])
            if (best.suboptimality <= self._goal and best.excess <= self._tol) or looks.idle >= _IDLE:
                break
        if looks.best is not None:
            return Ended(looks.best, looks.multipliers, self._n_iter)
        point, multipliers = program.proven(as_it_is(inside), self.which)
        return Ended(point, multipliers if enough else None, self._n_iter)


class _Looks:
    """The best of the points that have been looked at."""

    def __init__(self, objective: Any) -> None:
        self._objective, self._least = objective, math.inf
        self.best: Any = None
        self.multipliers: np.ndarray | None = None
        self.idle = 0

    def at(self, points: list[tuple[Point, np.ndarray]]) -> Point:
        """Look at points with their multipliers; the best."""
        progress = False
        for point, multipliers in points:
            self.best, better = least_of(self.best, point)
            progress = progress or better
            if self.multipliers is None or point.bound < self._least:
                self.multipliers, self._least = multipliers, point.bound
        self._objective.report(lambda: self.best)
        self.idle = 0 if progress else self.idle + 1
        found: Point = self.best
        return found
