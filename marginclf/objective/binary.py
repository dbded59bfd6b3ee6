"""The regularised objective, and what can be proved about a point.

    F(w, b) = Σ_i C s_i φ(y_i (x_i·w + b)) + ½ ‖w‖²,

with the intercept b never penalised, and without the last term where C is infinite.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cached_property
from typing import Any

import numpy as np

from ..kernels import line
from ..kernels.block import scratch
from ..losses import MarginLoss
from ..matrix import DesignMatrix
from .point import Point
from .watched import Watched

_ONES = np.empty(0)
"""Stands for the direction of the intercept, 1 for every row."""

_PART = 1 << 16
"""Rows at a time where a sum over rows needs a vector of its own."""

_FAR_MARGIN = 30.0
_HARDLY, _NEAR_ENTRIES = 1e-2, 1 << 22
"""Change of a decision value, relative to the largest, of a row that may lie on the plane; entries of such rows."""

_NO_FALL = 1e-9
"""Rows on the separating plane do not move; their computed change is rounding of this relative size at most."""


class Objective(Watched):
    """F for one design matrix, one loss and one binary labelling.

    Parameters
    ----------
    matrix : DesignMatrix
        The rows x_i.
    loss : MarginLoss
        φ.
    v : ndarray of shape (n,)
        C s y, or s y without a penalty: label in the sign, weight in the magnitude; see :func:`signed_weights`. As a
        function, it is called wherever the vector is needed, and nothing keeps it.
    penalty : float
        1 for the penalty ½‖w‖², 0 for none.
    fit_intercept : bool
        Whether b is free; otherwise it is 0.
    offset : ndarray of shape (n,), optional
        Added to the decision values: F is then Σ C s φ(y (x·w + offset + b)) + ½ ‖w‖².
    evaluator : callable, optional
        What to call for Σ |v| φ, its gradient, slope and curvature at (w, b), in place of a pass of its own.
    """

    def __init__(
        self,
        matrix: DesignMatrix,
        loss: MarginLoss,
        v: np.ndarray | Callable[[], np.ndarray],
        *,
        penalty: float,
        fit_intercept: bool,
        offset: np.ndarray | None = None,
        evaluator: Callable[[np.ndarray, float], tuple] | None = None,
    ) -> None:
        self.matrix = matrix
        self.loss = loss
        self.fit_intercept = fit_intercept
        self.penalty = penalty
        self.compiled = loss.compiled()
        self._v = _half_each(v) if not callable(v) and loss.affine and fit_intercept else v
        self._evaluator = evaluator
        self._offset = offset
        self._work = scratch()[0]

    @property
    def v(self) -> np.ndarray:
        return self._v() if callable(self._v) else self._v

    def sample(self, rows: np.ndarray, scale: np.ndarray) -> Objective:
        """F with some of the rows, their weights multiplied by ``scale`` to stand for all."""
        return Objective(
            self.matrix.take(rows),
            self.loss,
            self.v[rows] * scale,
            penalty=self.penalty,
            fit_intercept=self.fit_intercept,
        )

    @property
    def provable(self) -> bool:
        """Whether the gradient at a point bounds its suboptimality: F is then 1-strongly convex in w."""
        return self.loss.convex and self.penalty > 0.0

    def origin(self) -> Point:
        """The point w = 0, for a convex loss with b at its minimum; without a pass over X."""
        # Every row of a class has the same margin there: one row of the whole weight stands for it.
        v, classes = self.v, np.zeros(2)
        for start in range(0, len(v), _PART):
            part = v[start : start + _PART]
            classes += np.maximum(part, 0.0).sum(), np.minimum(part, 0.0).sum()
        b = self.best_intercept(np.zeros(2), 0.0, classes)
        values, slopes, _ = self.loss.evaluate([b, -b])
        value, w = float(values @ np.abs(classes)), np.zeros(self.matrix.shape[1])
        self.__dict__["at_zero"] = value
        return Point(self, w, b, value=value, slope=float(slopes @ classes))

    @cached_property
    def at_zero(self) -> float:
        """F at w = 0 and the best b."""
        return self.origin().value

    def decisions(self, w: np.ndarray) -> np.ndarray:
        """X w, and the offset if there is one."""
        # At the origin there is nothing to multiply.
        z = self.matrix.product(w) if w.any() else np.zeros(self.matrix.shape[0])
        if self._offset is not None:
            z += self._offset
        return z

    def evaluate(self, w: np.ndarray, b: float) -> Point:
        """The point (w, b) with its value, gradient and slope in b, from one pass over the rows."""
        if self._offset is not None:
            return Point(self, w, b, z=self.decisions(w))
        if self._evaluator is not None:
            value, gradient, slope, curvature = self._evaluator(w, b)
        else:
            value, gradient, slope, curvature = self.matrix.evaluate(self.compiled, self.v, w, b)
        if self.penalty:
            value += 0.5 * float(w @ w)
            gradient += w
        return Point(self, w, b, value=value, gradient=gradient, slope=slope, curvature=curvature)

    def at(self, w: np.ndarray, b: float) -> Point:
        """The point (w, b); for a convex loss, with b moved to its exact one-dimensional minimum."""
        z = self.decisions(w)
        return Point(self, w, self.best_intercept(z, b), z=z)

    def best_intercept(self, z: np.ndarray, b: float, v: np.ndarray | None = None) -> float:
        """The b that minimises Σ |v| φ(y (z + b)), sought from the given one; that one itself where b is not free."""
        v = self.v if v is None else v
        if self.fit_intercept and self.loss.convex and not self.loss.affine:
            return self._minimise(z, _ONES, v, 0.0, 0.0, b)
        return b

    def line_minimum(self, z: np.ndarray, q: np.ndarray, linear: float, quadratic: float) -> float:
        """A minimiser over t of Σ |v| φ(y (z + t q)) + linear·t + ½ quadratic·t²."""
        return self._minimise(z, q, self.v, linear, quadratic, 0.0)

    def _minimise(self, *problem: Any) -> float:
        address, parameters, _ = self.compiled
        return line.minimise(*problem, address, parameters, self._work)

    def separates(self, change: np.ndarray) -> bool:
        """Whether moving the decision values along ``change`` lowers F for ever, so that it has no minimum.

        That is so without a penalty, where no margin falls and one grows, and the loss goes on falling. A loss that
        is zero from some margin on (squared hinge) reaches its minimum instead.
        """
        if self.penalty:
            return False
        _, (far_slope,), _ = self.loss.evaluate([_FAR_MARGIN])
        # Rows of weight 0 give 0, which changes neither answer.
        growth = np.sign(self.v)
        growth *= change
        largest = growth.max()
        return bool(far_slope < 0.0 < largest and growth.min() >= -_NO_FALL * largest)

    def separates_nearly(self, change: np.ndarray) -> bool:
        """:meth:`separates` for ``change`` with the rows that hardly move made to rest.

        Rows on the separating plane hold a step where their loss is curved. Where it is a line, rounding moves them;
        what moves them is taken off, by least squares, and the rest of the step judged.
        """
        if self.penalty:
            return False
        size = np.abs(change)
        near = np.flatnonzero((size <= _HARDLY * size.max()) & (self.v != 0.0))
        d = self.matrix.shape[1]
        if not 0 < len(near) * d <= _NEAR_ENTRIES or not np.isfinite(size).all():
            return False
        rows = np.full((len(near), d + int(self.fit_intercept)), 1.0)
        self.matrix.take(near).copy_rows(slice(0, len(near)), rows[:, :d])
        off = np.linalg.lstsq(rows, change[near])[0]
        rest = change - self.matrix.product(np.ascontiguousarray(off[:d]))
        return self.separates(rest - off[d] if self.fit_intercept else rest)


def signed_weights(codes: np.ndarray, k: int, n_classes: int, weights: np.ndarray | None, C: float) -> np.ndarray:
    """v = C s y of each row, and s y for an infinite C, with y = 1 for class k and −1 for the others.

    Parameters
    ----------
    codes : ndarray of int of shape (n,)
        Class of each row.
    k, n_classes : int
        The class that is positive, and how many there are.
    weights : ndarray of shape (n,) or None
        s, at least 0, with class weights folded in; None for ones.
    C : float
        Inverse strength of the penalty; infinite for none.
    """
    signs = np.full(n_classes, -1.0)
    signs[k] = 1.0
    v = (signs * C if math.isfinite(C) else signs)[codes]
    if weights is not None:
        v *= weights
    return v


def _half_each(v: np.ndarray) -> np.ndarray:
    """Weights with half of their total on each class: an affine loss with an intercept is unbounded otherwise."""
    positive = v > 0.0
    total, heavy = np.abs(v).sum(), v[positive].sum()
    return v * np.where(positive, 0.5 * total / heavy, 0.5 * total / (total - heavy))
