"""The regularised objective, and what can be proved about a point.

    F(w, b) = Σ_i C s_i φ(y_i (x_i·w + b)) + ½ ‖w‖²,

with the intercept b never penalised, and without the last term where C is infinite.
"""

from __future__ import annotations

import math
from functools import cached_property

import numpy as np

from .kernels import line
from .kernels.block import scratch
from .losses import Loss
from .matrix import DesignMatrix

_ONES = np.empty(0)
"""Stands for the direction of the intercept, 1 for every row."""

_FAR_MARGIN = 30.0
_NO_FALL = 1e-9
"""Rows on the separating plane do not move; their computed change is rounding of this relative size at most."""


class Objective:
    """F for one design matrix, one loss and one binary labelling.

    Parameters
    ----------
    matrix : DesignMatrix
        The rows x_i.
    loss : Loss
        φ.
    y : ndarray of shape (n,)
        Labels −1 and +1.
    weights : ndarray of shape (n,)
        s, at least 0, with class weights folded in.
    C : float
        Inverse strength of the penalty; infinite for none.
    fit_intercept : bool
        Whether b is free; otherwise it is 0.
    """

    def __init__(
        self,
        matrix: DesignMatrix,
        loss: Loss,
        y: np.ndarray,
        weights: np.ndarray,
        *,
        C: float,
        fit_intercept: bool,
    ) -> None:
        self.matrix = matrix
        self.loss = loss
        self.fit_intercept = fit_intercept
        self.penalty = 1.0 if math.isfinite(C) else 0.0
        self.compiled = loss.compiled()
        if loss.affine and fit_intercept:
            weights = _half_each(y, weights)
        self.v = y * weights * (C if self.penalty else 1.0)
        self._work = scratch()[0]

    @property
    def provable(self) -> bool:
        """Whether the gradient at a point bounds its suboptimality: F is then 1-strongly convex in w."""
        return self.loss.convex and self.penalty > 0.0

    def value_gradient(self, w: np.ndarray, b: float) -> tuple[float, np.ndarray, float]:
        """F, its gradient in w of shape (d,) and its slope in b, in one pass over the rows."""
        value, gradient, slope = self.matrix.evaluate(self.compiled, self.v, w, b)
        if self.penalty:
            value += 0.5 * float(w @ w)
            gradient += w
        return value, gradient, slope

    def at(self, w: np.ndarray, b: float) -> Point:
        """The point (w, b); for a convex loss, with b moved to its exact one-dimensional minimum."""
        z = self.matrix.product(w)
        if self.fit_intercept and self.loss.convex and not self.loss.affine:
            b = self.line_minimum(z, _ONES, 0.0, 0.0, start=b)
        return Point(self, w, b, z)

    def line_minimum(
        self, z: np.ndarray, q: np.ndarray, linear: float, quadratic: float, *, start: float = 0.0
    ) -> float:
        """A minimiser over t of Σ |v| φ(y (z + t q)) + linear·t + ½ quadratic·t²."""
        address, parameters, _ = self.compiled
        return line.minimise(z, q, self.v, linear, quadratic, start, address, parameters, self._work)

    def separates(self, change: np.ndarray) -> bool:
        """Whether moving the decision values along ``change`` lowers F for ever, so that it has no minimum.

        That is so without a penalty, where no margin falls and one grows, and the loss goes on falling. A loss that
        is zero from some margin on (squared hinge) reaches its minimum instead.
        """
        if self.penalty:
            return False
        _, (far_slope,), _ = self.loss.evaluate([_FAR_MARGIN])
        growth = (np.sign(self.v) * change)[self.v != 0.0]
        largest = growth.max()
        return bool(far_slope < 0.0 < largest and growth.min() >= -_NO_FALL * largest)


class Point:
    """A point (w, b) with what its decision values give; the gradient only when it is asked for.

    Attributes
    ----------
    w, b : ndarray of shape (d,), float
        Coefficients and intercept.
    z : ndarray of shape (n,)
        X w, without the intercept.
    value : float
        F.
    r, c : ndarray of shape (n,)
        C s y φ'(m) and C s φ''(m).
    slope : float
        ∂F/∂b, zero to rounding where b is at its minimum.
    """

    def __init__(self, objective: Objective, w: np.ndarray, b: float, z: np.ndarray) -> None:
        self._objective = objective
        self.w, self.b, self.z = w, b, z
        self.value, self.slope, self.r, self.c = objective.matrix.pointwise(objective.compiled, objective.v, z, b)
        if objective.penalty:
            self.value += 0.5 * float(w @ w)
        if not objective.fit_intercept:
            self.slope = 0.0

    @cached_property
    def gradient(self) -> np.ndarray:
        """∂F/∂w, of shape (d,)."""
        gradient = self._objective.matrix.transposed_product(self.r)
        if self._objective.penalty:
            gradient += self.w
        return gradient

    @cached_property
    def suboptimality(self) -> float:
        """Proven bound on (F − F*)/|F|: ½‖∂F/∂w‖² / |F|; NaN where nothing can be proved."""
        if not self._objective.provable:
            return math.nan
        return self.relative(0.5 * float(self.gradient @ self.gradient))

    def relative(self, amount: float) -> float:
        """An amount of F as a fraction of |F|, with 0/0 = 0."""
        if amount == 0.0:
            return 0.0
        return amount / abs(self.value) if self.value else math.inf


def _half_each(y: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Weights with half of their total on each class: an affine loss with an intercept is unbounded otherwise."""
    positive = y > 0.0
    total, heavy = weights.sum(), weights[positive].sum()
    return weights * np.where(positive, 0.5 * total / heavy, 0.5 * total / (total - heavy))
