"""Which columns an interior-point method gets, and what its last steps are as points of F: zeros exact, and proven."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from ..objective import BinaryPoint, NonsmoothPenalty, Point
from .convergence import ROUGH
from .interior_point import Columns, InteriorPoint, Rows
from .interior_system import Products
from .interior_vertex import LARGEST, Face, balanced, inside, nearest_face, on_face
from .lines import Lines, two_lines
from .proximal_newton import certified, least_of
from .proximal_step import At, ProximalNewton

_MOST, _ENTRIES = 2500, 2e7
"""Rows or columns up to which a system is factored, and entries of X that are written down where it is of the rows."""

_FEW_OPERATIONS, _FIRST, _INSIDE = 5e8, 200, 1e-6
"""Operations of a step up to which all columns are taken, columns to begin with where it would be more, and by which
part a slope has to be beyond its kink to let its column in."""

_SHRINKS, _NEARLY, _PART = 0.7, 0.8, 0.6
"""Part of the columns that would come in which the next look may leave where these would be too many, part of its kink
from which on a column comes in with others, and part of all from which on all do."""

_BEFORE_ALL = 1e-4
"""Relative gap to which the problem of some columns is solved before all are looked at."""

_NEAR, _GOAL, _IDLE, _STEPS = 1e-7, 1e-11, 3, 300
"""Relative gap from which on steps are looked at as points of F, gap at which they end, looks that prove no more after
which they do, and the largest number of steps."""

_ULP = 4.0 * float(np.finfo(float).eps)


class Ended(NamedTuple):
    """What the method has come to: a point of F, its multipliers −φ', and how many steps it took.

    Without multipliers, it took too many columns, and somebody else has to begin at the beginning.
    """

    point: Point
    multipliers: np.ndarray | None
    n_iter: int


def by_interior_point(
    objective: Any, penalty: NonsmoothPenalty, least: float, *, tol: float, max_iter: int
) -> Ended | None:
    """The optimum of a loss of two lines beside a separable penalty; None where the method does not suit.

    Parameters
    ----------
    objective, penalty, least, tol, max_iter
        As of :func:`~.proximal_newton.proximal_newton`, but for the loss.
    """
    if objective.n_outputs != 1 or penalty.grouped or objective.offset is not None:
        return None
    lines = two_lines(objective.loss, objective.compiled)
    if lines is None:
        return None
    run = _Run(objective, penalty, lines, least, tol, max_iter)
    return (run.zero() or run.solve()) if run.suits else None


class _Run:
    """What the problems of more and more columns have in common."""

    def __init__(
        self, objective: Any, penalty: NonsmoothPenalty, lines: Lines, least: float, tol: float, max_iter: int
    ) -> None:
        self._objective, self._penalty, self._lines, self._least = objective, penalty, lines, least
        self._tol, self._max_iter, self.n_iter = tol, min(max_iter, _STEPS), 0
        self._whole = ProximalNewton(objective, penalty)
        self._at_zero = float(objective.origin().value) if penalty.holds_zero else math.inf
        weights = objective.row_weights
        self._counted = np.flatnonzero(weights > 0.0)
        self._matrix = objective.matrix
        if len(self._counted) < len(weights):
            self._matrix = objective.matrix.take(self._counted)
        self._signs, self._weights = objective.signs[self._counted], weights[self._counted]
        kink, (quadratic, lower, upper) = np.repeat(penalty.kink, penalty.sizes), (
            penalty.matrix(it)[0] for it in (penalty.quadratic, penalty.lower, penalty.upper)
        )  # fmt: skip
        self._kink = penalty.matrix(kink)[0]
        # Where bounds leave one sign, a kink at zero is a slope.
        sided = (lower >= 0.0) | (upper <= 0.0)
        slope = np.where(sided, np.where(lower >= 0.0, self._kink, -self._kink), 0.0)
        self._columns = Columns(np.where(sided, 0.0, self._kink), slope, quadratic, lower, upper)
        self._fixed = np.where(lower == upper, lower, 0.0)
        offset = self._matrix.product(self._fixed) if self._fixed.any() else np.zeros(len(self._counted))
        self._rows = Rows(self._signs, self._weights, lines.left, lines.right, lines.kink, offset)
        self._free = bool(objective.fit_intercept)
        self._most = (lines.right - lines.left) * self._weights
        self._balance = lines.right * float(self._signs @ self._weights)
        self._size = np.sqrt(self._matrix.squared_product(self._weights) / self._weights.sum())
        self._movable = np.flatnonzero(lower < upper)
        self._which = self._first_columns()
        self.suits = self._fits(len(self._which))

    def _operations(self, d: int) -> float:
        """Of a step with so many columns, about."""
        n, matrix = float(len(self._counted)), self._matrix
        if d > n:
            return n * n * d
        pairs = (matrix.entries * d / matrix.shape[1]) ** 2 / n
        return min(n * d * d, 10.0 * pairs) + d * d * d / 3.0

    def _fits(self, d: int) -> bool:
        n = len(self._counted)
        return 0 < min(n, d) <= _MOST and (d <= n or float(n) * d <= _ENTRIES)

    def _first_columns(self) -> np.ndarray:
        """All that may move, or those that cannot be zero and the steepest at zero."""
        movable, at = self._movable, self._columns
        if self._operations(len(movable)) <= _FEW_OPERATIONS:
            return movable
        held = (self._kink[movable] > 0.0) & (at.lower[movable] <= 0.0) & (at.upper[movable] >= 0.0)
        if not held.any():
            return movable
        slopes = self._slopes(self._objective.at(self._objective.zeros()))
        pull = np.abs(slopes[movable]) / np.where(held, self._kink[movable], 1.0)
        pull[~held] = math.inf
        first = max(_FIRST, int((~held).sum()) + _FIRST // 2)
        return np.sort(movable[np.argsort(-pull, kind="stable")[:first]])

    def _slopes(self, point: Point) -> np.ndarray:
        """−∂L/∂w."""
        return -self._objective.by_class(point.gradient)[0]

    def zero(self) -> Ended | None:
        """Zero, where the same multiplier for all rows of a class, or of one class only the most, proves it."""
        if not self._penalty.holds_zero or self._fixed.any():
            return None
        lines, weights, first = self._lines, self._weights, self._signs > 0.0
        if self._free:
            totals = np.array([weights[~first].sum(), weights[first].sum()])
            slopes = lines.left * np.minimum(totals[::-1] / np.maximum(totals, 1e-300), 1.0)
        else:
            slopes = np.full(2, self._objective.loss.evaluate([0.0])[1][0])
        alpha = np.clip((lines.right - slopes[first.astype(int)]) * weights, 0.0, self._most)
        everything = np.ones(len(self._which), dtype=bool), first
        face = Face(np.zeros(len(self._which)), 0.0, alpha, *everything)
        point, multipliers = self._point(face)
        return Ended(point, multipliers, 1) if point.bound == 0.0 else None

    def solve(self) -> Ended:
        """Problems of more and more columns, until no other has a slope beyond its kink."""
        last, enough = math.inf, _BEFORE_ALL
        while True:
            some = len(self._which) < len(self._movable)
            found = self._minimise(enough if some else 0.0)
            if not some or self.n_iter >= self._max_iter:
                return found
            pull = self._pull(found.point)
            beyond = int((pull > 1.0 + _INSIDE).sum())
            if beyond == 0 and not enough:
                return found
            which = self._widened(pull, beyond, last) if beyond else self._which
            if which is None:
                return found if not enough else found._replace(multipliers=None)
            last, enough, self._which = beyond, enough if beyond else 0.0, which

    def _pull(self, point: Point) -> np.ndarray:
        """What pulls at each column that is not in, as a part of its kink."""
        penalty, W = self._penalty, self._objective.by_class(point.theta)
        kink = np.repeat(penalty.kink, penalty.sizes)
        pull = penalty.pull(penalty.vector(W), penalty.vector(self._slopes(point)[None]))
        part = penalty.matrix(np.divide(pull, kink, out=np.zeros_like(pull), where=kink > 0.0))[0]
        part[self._which] = 0.0
        return part

    def _widened(self, pull: np.ndarray, beyond: int, last: float) -> np.ndarray | None:
        """The columns with those that come in, at most as many as there are; None where it would be too many.

        With those that are nearly at their kinks, a look less is needed.
        """
        size, movable = len(self._which), self._movable
        if beyond > _SHRINKS * last and not self._fits(size + beyond):
            return None
        steep = np.argsort(-pull, kind="stable")[:size]
        which = np.union1d(self._which, steep[pull[steep] > _NEARLY])
        if len(which) > _PART * len(movable) and self._fits(len(movable)):
            return movable
        return which if self._fits(len(which)) else None

    def _minimise(self, enough: float) -> Ended:
        """The problem of the columns that are in; ``enough`` is the relative gap that will do for some."""
        which = self._which
        part = self._matrix if len(which) == self._matrix.shape[1] else self._matrix.columns(which)
        X = Products(part, by_rows=len(self._counted) < len(which))
        columns = Columns(*(it[which] for it in self._columns))
        run = InteriorPoint(X, self._rows, columns, fit_intercept=self._objective.fit_intercept)
        goal = enough or (self._tol if self._tol >= ROUGH else min(self._tol, _GOAL))
        looks, moves = _Looks(self._objective), True
        while moves and looks.idle < _IDLE and self.n_iter < self._max_iter:
            with np.errstate(all="ignore"):
                moves = run.step()
            self.n_iter += int(moves)
            scale = abs(self._value(run))
            if not run.gap <= max(goal, _NEAR) * scale:
                self._objective.report(lambda: self._point(inside(run))[0])
                continue
            if enough:
                break
            if self._look(run, part, looks) <= goal * scale:
                return looks.ended(self.n_iter)
        return looks.ended(self.n_iter) if looks.best is not None else Ended(*self._point(inside(run)), self.n_iter)

    def _look(self, run: InteriorPoint, part: Any, looks: _Looks) -> float:
        """A step as points of F with zeros where it tends to them; the bound of the best."""
        which = self._which
        face = nearest_face(run, self._most, self._kink[which], self._size[which])
        face = face._replace(alpha=balanced(face, self._signs, self._most, self._balance if self._free else None))
        better = self._on_face(face, part)
        if better is None:
            return looks.at(self._point(face))
        return looks.at(self._point(better), self._point(face))

    def _on_face(self, face: Face, part: Any) -> Face | None:
        """The point of a face itself."""
        which, rows, signs = self._which, self._rows, self._signs
        inner, at = np.flatnonzero(face.columns), np.flatnonzero(face.rows)
        if not at.size or len(inner) + len(at) > LARGEST:
            return None
        X = np.empty((len(at), len(which)))
        part.take(at).copy_rows(slice(0, len(at)), X)
        columns = Columns(*(it[which] for it in self._columns))
        lacking = rows.kink - signs[at] * (X @ face.u + face.b + rows.offset[at])
        slopes = columns.quadratic * face.u + columns.slope + columns.kink * np.sign(face.u)
        slopes -= part.transposed_product(signs * (face.alpha - rows.right * rows.weights))
        surplus = float(signs @ face.alpha) - self._balance if self._free else None
        misses = slopes[inner], surplus, lacking
        size, quadratic = self._size[which][inner], columns.quadratic[inner]
        change = on_face(X[:, inner], signs[at], size, quadratic, misses)
        if change is None:
            return None
        u, alpha = face.u.copy(), face.alpha.copy()
        u[inner] += change[0]
        alpha[at] = np.clip(alpha[at] + change[2], 0.0, self._most[at])
        return face._replace(u=u, b=face.b + change[1], alpha=alpha)

    def _value(self, run: InteriorPoint) -> float:
        """F, about: of the columns that are in."""
        rows, u = self._rows, run.u
        kink, quadratic = self._kink[self._which], self._columns.quadratic[self._which]
        beyond = rows.signs * (run.z + run.b) - rows.kink
        losses = np.maximum(rows.right * beyond, rows.left * beyond)
        at = self._lines.value * self._objective.total
        return float(at + rows.weights @ losses + kink @ np.abs(u) + 0.5 * quadratic @ (u * u))

    def _point(self, face: Face) -> tuple[Point, np.ndarray]:
        """The point of F with its duality gap, and its multipliers −φ'."""
        objective, penalty = self._objective, self._penalty
        w = self._fixed.copy()
        w[self._which] = face.u
        w = np.clip(w, self._columns.lower, self._columns.upper)
        alpha = np.zeros(len(objective.signs))
        alpha[self._counted] = face.alpha - self._rows.right * self._weights
        z = objective.matrix.product(w)
        theta = objective.theta(w, 0.0)
        theta[-1] = objective.best_intercept(z, face.b)
        signs, lines, b = objective.signs, self._lines, abs(float(theta[-1]))
        gradient = objective.theta(-objective.matrix.transposed_product(signs * alpha), 0.0)
        gradient[-1] = -float(signs @ alpha) if self._free else 0.0
        point = BinaryPoint(objective, theta, intercept_minimised=True, z=z, gradient=gradient)
        margins = signs * (z + theta[-1])
        loss = point.loss_value
        slack = max(loss - lines.value * objective.total + float(alpha @ (margins - lines.kink)), 0.0)
        slack += _ULP * (float(np.abs(alpha) @ (np.abs(margins) + 2.0 * b)) + abs(loss))
        u = penalty.vector(w[None])
        at = At(point, u, loss + penalty.value(u))
        found = certified(self._whole, at, self._least, self._at_zero, provable=True, dual=(loss, slack))
        weights = objective.row_weights
        return found, np.divide(alpha, weights, out=np.zeros_like(alpha), where=weights > 0.0)


class _Looks:
    """The best of the points that have been looked at."""

    def __init__(self, objective: Any) -> None:
        self._objective = objective
        self.best: Any = None
        self._multipliers: np.ndarray | None = None
        self._least, self.idle = math.inf, 0

    def at(self, *points: tuple[Point, np.ndarray]) -> float:
        """Look at points with their multipliers; the bound of the best."""
        progress = False
        for point, multipliers in points:
            found, better = least_of(self.best, point)
            if self._multipliers is None or point.bound < self._least:
                self._multipliers, self._least = multipliers, point.bound
            self.best, progress = found, progress or better
        self._objective.report(lambda: self.best)
        self.idle = 0 if progress else self.idle + 1
        return float(self.best.bound)

    def ended(self, n_iter: int) -> Ended:
        return Ended(self.best, self._multipliers, n_iter)
