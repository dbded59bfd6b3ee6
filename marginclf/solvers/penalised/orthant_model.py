"""The quadratic model of the losses of many classes beside kinks, where the signs of most coefficients stand.

Where they stand kinks are a linear term, and conjugate gradients with the Kronecker product of :mod:`..kronecker`
minimise the model on what is not zero. A column whose signs change is put where a diagonal model has it, with kinks.

A number added to a column of all classes changes no margin. Without squares the best one makes a class zero, the
median of them; of an even number of classes, it makes as many positive as negative.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ...objective import L2, JointObjective, NonsmoothPenalty
from ..conjugate_gradients import ConjugateGradients
from ..kronecker import Spread
from .orthant_face import Face

_FLAT = 1e-8
"""What holds a number that is added to a column of all classes, beside the curvature of the column."""

_LOOSEST, _SUPERLINEAR, _EXACT = 0.3, 4.0, 0.2
"""Part of the gradient that conjugate gradients may leave: at most; its square, beside the relative gain that is left;
and where the step may be the last, beside the room between aim and kink."""

_SQUARED, _FACES = 0.16, 4
"""Square of a relative gain, beside tol, from which on a step may be the last: its model misses by so much, about. How
often signs of that may change."""

_MISSED = 250.0
"""By how much dual variables of a step's end miss slopes, beside the square of its relative gain and the standard error
of a slope: the rows of a step that gains so much move by 5 times the root of that, and miss by the fourth power."""

_PRODUCTS = 60
"""Of one step: classes that can nearly be separated take more, and another method."""


class Orthants:
    """What the models of one minimisation have in common.

    Parameters
    ----------
    objective : JointObjective
        The losses, without a penalty.
    penalty : NonsmoothPenalty
        Of single entries, without bounds.
    curvature : ndarray of shape (d,)
        That of the losses in a column, about.
    """

    def __init__(self, objective: JointObjective, penalty: NonsmoothPenalty, curvature: np.ndarray) -> None:
        self.objective = objective
        self.kink, self.quadratic = penalty.matrix(penalty.kink), penalty.matrix(penalty.quadratic)
        self.deviation = math.sqrt(objective.total / objective.matrix.shape[0] * float(curvature.max()))
        flat = _FLAT * np.maximum(curvature, float(curvature.mean()))
        self.smooth = objective.like(penalty=L2(self.quadratic[0] + flat))
        self.spread = Spread(self.smooth, objective.centre if objective.fit_intercept else None)


class OrthantModel:
    """The model at a point.

    Parameters
    ----------
    orthants : Orthants
        The problem.
    point : JointPoint
        Where.
    factor : float
        What its kinks are multiplied by.
    room : float
        By how much slopes may miss theirs for a proof.

    Attributes
    ----------
    first : bool
        Whether no sign is known.
    last : bool
        Whether dual variables at the end of the step may prove what is asked for.
    step : ndarray
        In θ, to where the model is least, about.
    slope : float
        By how much F falls along it at first.
    """

    def __init__(self, orthants: Orthants, point: Any, factor: float, room: float) -> None:
        self._orthants, self._objective = orthants, orthants.objective
        self._W, self._kink = point.coefficients, factor * orthants.kink
        self._room = room
        self._y, self._held = self._signs(self._W, slice(None))
        self.first, self.last = not self._W.any(), False
        self._held &= not self.first
        self._curvature = orthants.smooth.curvature(point, robust=True)
        self._kronecker = orthants.spread.at(self._curvature)
        self._face: Face | None = None
        self._left, self.step, self.slope = -point.gradient, np.zeros_like(point.gradient), 0.0
        in_w = self._objective.by_class(self._left)
        in_w -= orthants.quadratic * self._W
        if self._curvature.centre is not None:
            in_w -= self._objective.b(self._left)[:, None] * self._curvature.centre

    def _signs(self, W: np.ndarray, columns: Any) -> tuple[np.ndarray, np.ndarray]:
        """Slopes of the kinks, and which entries stay at zero."""
        kink = self._kink[:, columns]
        return kink * np.sign(W), (W == 0.0) & (kink > 0.0)

    def minimise(self, measure: float, tol: float) -> bool:
        """Whether that is of any use; ``measure`` is what ``tol`` is relative to."""
        objective, least = self._objective, 0.0
        start = self._left.copy()
        objective.by_class(start)[...] -= self._y
        for _ in range(_FACES):
            if not self._on_face(measure, tol, least):
                return False
            W = self._W + objective.by_class(self.step)
            columns = self.changing(W)
            if not self.last or (least and not len(columns)):
                break
            least = _EXACT * self._room
            if len(columns):
                self._change(W, columns)
        self.slope = -float(start @ self.step)
        if self._curvature.centre is not None:
            objective.b(self.step)[...] -= objective.by_class(self.step) @ self._curvature.centre
        in_b = objective.b(self.step)
        in_b -= in_b.mean()
        return bool(np.isfinite(self.step).all() and self.slope < 0.0)

    def _on_face(self, measure: float, tol: float, least: float) -> bool:
        """Minimise it where signs stand, until slopes are exact to ``least``, or as far as is worth it."""
        self._face = Face.of(self._objective, self._kronecker, self._held)
        if self._face is None:
            return False
        r = self._left.copy()
        in_w = self._objective.by_class(r)
        in_w -= self._y
        largest = float(np.abs(in_w[~self._held]).max(initial=0.0))

        def enough(start: float) -> tuple[float, float]:
            if least:
                return min(least / largest, 1.0) if largest > 0.0 else 1.0, math.inf
            gain = 0.5 * start / measure
            missed = _MISSED * self._orthants.deviation * gain * gain
            self.last = gain * gain <= _SQUARED * tol and missed <= self._room
            return min(_LOOSEST, math.sqrt(_SUPERLINEAR * gain)), math.inf

        system = ConjugateGradients(self._orthants.smooth, self._curvature, self._face)
        step, self._left = system.solve(r, enough, _PRODUCTS)
        self._objective.by_class(self._left)[...] += self._y
        self.step += step
        return True

    def changing(self, W: np.ndarray) -> np.ndarray:
        """Columns in which a sign changes on the way to W, or what pulls at a zero is more than its kink."""
        if self.first:
            return np.arange(W.shape[1])
        left = self._objective.by_class(self._left)
        # Of an entry that is zero, no more is known than what is left of the others of its column.
        unsure = np.abs(np.where(self._held, 0.0, left - self._y)).sum(axis=0)
        released = self._held & (np.abs(left) > self._kink + unsure)
        return np.flatnonzero((released | (W * self._y < 0.0)).any(axis=0))

    def near(self, W: np.ndarray, columns: np.ndarray, reach: float = 1.0) -> np.ndarray:
        """Where the diagonal model puts some of the columns, with ``reach`` times its inverse."""
        slopes = np.where(self._held, self._objective.by_class(self._left), self._y)
        assert self._face is not None
        return self._face.near(columns, W, slopes, self._kink, self._orthants.quadratic, reach)

    def _change(self, W: np.ndarray, columns: np.ndarray) -> None:
        """Take other signs of some of the columns."""
        objective, W_new = self._objective, self.near(W, columns)
        move = objective.zeros()
        objective.by_class(move)[:, columns] = W_new - W[:, columns]
        self._left -= self._curvature.product(move)
        self.step += move
        self._y[:, columns], self._held[:, columns] = self._signs(W_new, columns)
