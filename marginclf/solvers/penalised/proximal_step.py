"""A Newton step for losses beside a penalty with kinks and bounds, and what a point of them proves."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from ...objective import Move, NonsmoothPenalty, Point, imbalance, newton_dual
from .block_column_model import BlockColumnModel
from .column_model import ColumnModel, Columns
from .joint_column_model import JointColumnModel
from .quadratic_model import WrittenModel, written

_SUFFICIENT, _HALF, _HALVINGS = 1e-4, 0.5, 4

_OVERSHOT, _LOOKS, _LEAST, _MOST = 0.5, 6, 0.1, 0.7
"""Where decision values are at hand: the slope at the end of a step, as a part of that at its start, above which it is
shortened; lengths that are looked at; and by what one is multiplied, at least and at most."""

_TRIALS, _DAMPED, _MORE, _LESS = 12, 1e-3, 10.0, 0.1
"""Models of one step, what the first that is damped adds to the diagonal as a part of slope and coefficients, and by
what that changes from trial to trial and after a step."""

_ROUNDING = 4e-13
"""What F may rise by in a step, relative to it: it is a sum over the rows."""

_FREE_STEPS, _FREE = 12, 1e-13
"""Newton steps of what nothing penalises, for a proof, and what they may leave of its slope beside its noise."""

_NOISE = 1e-10

_ROWS_DUAL, _ENTRIES_DUAL = 1000, 16
"""Rows, and entries of each, from which on dual variables come from the model of a step. That spares the step that
proves what the one before has reached, which of little data takes no time, and gives coefficients more digits."""


class Dual(NamedTuple):
    """Dual variables of the rows, as slopes of the losses at a point, and the Fenchel–Young gap that they leave."""

    point: Point
    slack: float


class Before(NamedTuple):
    """From where a whole step of an undamped model led: the curvatures of its rows, and where it has the intercept."""

    point: Point
    curvatures: np.ndarray | None = None
    b: float | None = None


class At(NamedTuple):
    """A point of the losses with what the penalty makes of it.

    Attributes
    ----------
    before : Before or None
        From where a whole step of an undamped model led here.
    dual : Dual or None
        What that model says of dual variables.
    """

    point: Point
    u: np.ndarray
    value: float
    before: Before | None = None
    dual: Dual | None = None


class ProximalNewton:
    """F = losses + penalty, for one set of columns, or for all of them.

    Parameters
    ----------
    objective : Objective
        The losses, smooth and convex, without a penalty.
    penalty : NonsmoothPenalty
        What is added to them.

    Attributes
    ----------
    has_dual : bool
        Whether dual variables may come from the model of a step, not only from slopes at its end.
    """

    def __init__(self, objective: Any, penalty: NonsmoothPenalty) -> None:
        self.objective, self.penalty = objective, penalty
        self.damping = 0.0
        self.written = written(objective.matrix, penalty, len(penalty.order))
        self._columns: Any = None
        n = objective.matrix.shape[0]
        many = n >= _ROWS_DUAL and objective.matrix.entries >= _ENTRIES_DUAL * n
        # Of losses that are flat beyond a margin, dual variables of rows without curvature do not follow a model.
        suits = objective.n_outputs == 1 and objective.keeps_decisions and objective.curved
        self.has_dual = bool(many and suits and not penalty.unheld.any())

    def at(self, theta: np.ndarray, factor: float = 1.0) -> At:
        """The point θ, with b at its minimum."""
        return self.weighed(self.objective.at(theta), factor)

    def weighed(self, point: Point, factor: float) -> At:
        """A point with the penalty, whose kinks are multiplied by a factor."""
        u = self.penalty.vector(self.objective.by_class(point.theta))
        return At(point, u, float(point.value) + self.penalty.value(u, factor))

    def slopes(self, point: Point) -> np.ndarray:
        """−∂L/∂W of each entry."""
        return -self.penalty.vector(self.objective.by_class(point.gradient))

    def step(self, here: At, factor: float, accuracy: float) -> tuple[At, float] | None:
        """One Newton step, and what its model promised of F; None where no step lowers F."""
        model = self._model(here)
        least = _DAMPED * float(np.abs(model.q).max(initial=0.0)) / (1.0 + float(np.abs(here.u).max(initial=0.0)))
        if not model.curved:  # alone it has no minimum
            self.damping = max(self.damping, least)
        for _ in range(_TRIALS):
            target, promise = model.minimised(factor, accuracy, self.damping)
            if self.objective.n_outputs > 1 and not self.written and self.objective.keeps_decisions:
                there = self._moved(here, model, target, promise, factor)
            else:
                there = self._shortened(here, target, promise, factor)
                if there is not None:
                    there = self.weighed(self._settled(there.point, model), factor)._replace(before=there.before)
            if there is not None:
                whole = not self.damping and there.before is not None
                self.damping = self.damping * _LESS if self.damping > least * _LESS else 0.0
                promise = abs(promise) if model.reached else math.inf
                return there if whole else there._replace(before=None), promise
            # Where few rows are curved, the model has directions with next to no curvature, and its minimum is far off.
            self.damping = max(_MORE * self.damping, least)
        return None

    def _model(self, here: At) -> Any:
        objective, penalty = self.objective, self.penalty
        if self.written:
            return WrittenModel(objective, penalty, here.point, here.u)
        if self._columns is None:
            self._columns = Columns.of(objective.matrix)
        model: Any = ColumnModel if objective.n_outputs == 1 else JointColumnModel
        return (BlockColumnModel if penalty.grouped else model)(objective, penalty, here.point, here.u, self._columns)

    def _shortened(self, here: At, target: np.ndarray, promise: float, factor: float) -> At | None:
        """The first point on the way that lowers F enough; None where that is no use."""
        if not np.isfinite(target).all():
            return None
        change, t = target - here.point.theta, 1.0
        for _ in range(_HALVINGS):
            theta = target if t == 1.0 else here.point.theta + t * change
            there = self.weighed(self.objective.point(theta), factor)
            if there.value <= here.value + _SUFFICIENT * t * promise + _ROUNDING * abs(here.value):
                if t < 1.0:
                    return there
                return there._replace(before=Before(here.point, b=float(self.objective.b(theta)[0])))
            t *= _HALF
        return None

    def _moved(self, here: At, model: Any, target: np.ndarray, promise: float, factor: float) -> At | None:
        """As :meth:`_shortened`, not far beyond the minimum, and with b at its own.

        By what the step changes of the decision values, a length costs no pass over X.
        """
        objective, penalty = self.objective, self.penalty
        if not (np.isfinite(target).all() and np.isfinite(model.change).all()):
            return None
        move, end = Move(objective, here.point, model.change), penalty.vector(objective.by_class(target))
        moving = penalty.norms(np.abs(here.u) + np.abs(end)) > 0.0
        which, sizes = np.flatnonzero(np.repeat(moving, penalty.sizes)), penalty.sizes[moving]
        start, change = here.u[which], end[which] - here.u[which]
        kink, quadratic, first = factor * penalty.kink[moving], penalty.quadratic[which], np.cumsum(sizes) - sizes

        def look(t: float) -> tuple[float, float]:
            """F and its slope in t, from below."""
            value, slope = move.along(t)
            u = start + t * change
            norms, farthest = (np.sqrt(np.add.reduceat(it * it, first)) for it in (u, change))
            rates = np.divide(np.add.reduceat(u * change, first), norms, out=-farthest, where=norms > 0.0)
            value += float(kink @ norms + 0.5 * (quadratic * u) @ u)
            return value, slope + float((quadratic * u) @ change + kink @ rates)

        t = 1.0
        for _ in range(_LOOKS):
            value, slope = look(t)
            falls = value <= here.value + _SUFFICIENT * t * promise + _ROUNDING * abs(here.value)
            if falls and slope <= _OVERSHOT * abs(promise):
                theta = target if t == 1.0 else here.point.theta + t * (target - here.point.theta)
                return self.weighed(move.end(theta, t), factor)
            # F is convex along the way: its minimum is before, about where the slopes say.
            t *= min(max(promise / (promise - slope), _LEAST), _MOST) if slope > 0.0 else _HALF
        return None

    def _settled(self, point: Point, model: Any) -> Point:
        """A point with intercepts, and all else that nothing penalises, at their minimum."""
        objective, penalty = self.objective, self.penalty
        point = objective.settled(point)
        free = np.flatnonzero(penalty.free(penalty.vector(objective.by_class(point.theta))))
        if not (len(free) and isinstance(model, WrittenModel)):
            return point
        h = model.h
        noise = penalty.vector(objective.by_class(objective.noise(point)))[free]
        for _ in range(_FREE_STEPS):
            slope = self.slopes(point)[free]
            if (np.abs(slope) <= _FREE * noise).all():
                break
            n = len(penalty.order)
            move = np.zeros(n)
            keep = np.concatenate([free, np.arange(n, len(h))])
            step = np.linalg.lstsq(h[np.ix_(keep, keep)], np.append(slope, np.zeros(len(h) - n)), rcond=1e-12)[0]
            move[free] = step[: len(free)]
            theta = point.theta.copy()
            W = objective.by_class(theta)
            W[...] = penalty.matrix(penalty.clipped(penalty.vector(W + penalty.matrix(move))))
            other = objective.at(theta)
            if not other.value <= point.value + _ROUNDING * abs(point.value):
                break
            point = other
            h = WrittenModel(objective, penalty, point, penalty.vector(objective.by_class(point.theta))).h
        return point

    def dual(self, here: At) -> Dual | None:
        """What the model of the step that led here says of dual variables; None where that was no whole step."""
        if here.before is None or not self.has_dual:
            return None
        return Dual(*newton_dual(self.objective, here.before.point, here.point, here.before.curvatures, here.before.b))

    def proven_by(self, here: At, dual: Dual, least: float) -> float:
        """F − F* at most, by these dual variables; infinite where they say nothing."""
        found = self.gap(At(dual.point, here.u, here.value), least, (float(here.point.value), dual.slack))
        return found if found >= 0.0 else math.inf

    def gap(self, here: At, least: float, dual: tuple | None = None) -> float:
        """F − F* at most; see :mod:`marginclf.objective.nonsmooth_penalty`.

        Parameters
        ----------
        here : At
            Where.
        least : float
            inf Σ C s φ.
        dual : tuple, optional
            Where the losses are the smooth problem of a loss with a kink: what those of F are there in their place, and
            the Fenchel–Young gap of its multipliers.
        """
        objective, penalty = self.objective, self.penalty
        point, g = here.point, self.slopes(here.point)
        if not point.intercept_minimised:
            return math.inf
        noise = np.zeros(len(g))
        if penalty.unheld.any():
            noise = _NOISE * penalty.vector(objective.by_class(objective.noise(point)))
        value, slack = (float(point.value), 0.0) if dual is None else dual
        above = max(value - least, 0.0)
        t, total = penalty.proof(here.u, g, noise, above)
        left = float((np.abs(g) * (2.0 * np.abs(here.u) + 1.0))[penalty.unheld & penalty.free(here.u)].sum())
        if dual is not None:
            left += imbalance(objective.b(point.gradient), point.b, 1.0)
        return total + (1.0 - t) * above + t * max(slack, 0.0) + left
