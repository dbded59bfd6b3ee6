"""The objective of one class against the rest: m = y (x·w + b)."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from functools import cached_property
from typing import Any

import numpy as np

from ..kernels import line
from ..kernels.block import scratch
from ..losses import MarginLoss
from ..matrix import DesignMatrix
from .base import Reach
from .binary_point import BinaryPoint
from .curvature import BinaryCurvature, binary_diagonal, binary_hessian
from .endless import separates, separates_nearly
from .in_memory import InMemoryObjective
from .labels import class_totals, half_each
from .newton_steps import NewtonSteps
from .penalty import L2
from .point import Point

_ONES = np.empty(0)
"""Stands for the direction of the intercept, 1 for every row."""

_EPS = float(np.finfo(float).eps)


class BinaryObjective(InMemoryObjective):
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
    penalty : L2
        With weights of 0, none.
    fit_intercept : bool
        Whether b is free; otherwise it is 0.
    offset : ndarray of shape (n,), optional
        Added to the decision values.
    evaluator : callable, optional
        Called for Σ |v| φ, its gradient, slope and curvature at (w, b), in place of a pass of its own.
    """

    keeps_decisions = True

    def __init__(
        self,
        matrix: DesignMatrix,
        loss: MarginLoss,
        v: np.ndarray | Callable[[], np.ndarray],
        *,
        penalty: L2,
        fit_intercept: bool,
        offset: np.ndarray | None = None,
        evaluator: Callable[[np.ndarray, float], tuple] | None = None,
    ) -> None:
        super().__init__(
            matrix, loss, 1, penalty=penalty, fit_intercept=fit_intercept, shape=(1, matrix.shape[1]), by_column=False
        )
        self._v = half_each(v) if not callable(v) and loss.affine and fit_intercept else v
        self.evaluator = evaluator
        self.offset = offset
        self.work = scratch()[0]
        self._begun: NewtonSteps | None = None  # at the origin
        self.first_hessian: list[np.ndarray] | None = None  # a list, for those of other labels to share

    @property
    def v(self) -> np.ndarray:
        return self._v() if callable(self._v) else self._v

    @property
    def row_weights(self) -> np.ndarray:
        return np.abs(self.v)

    @cached_property
    def signs(self) -> np.ndarray:  # 0 for rows without weight
        return np.sign(self.v)

    def like(self, **changes: Any) -> BinaryObjective:
        """The same but for some arguments."""
        given = {name: getattr(self, name) for name in ("matrix", "loss", "v", "penalty", "fit_intercept")}
        return BinaryObjective(**{**given, **changes})

    def relabelled(self, v: np.ndarray) -> BinaryObjective:
        """The same with other labels: ``v`` has the same magnitudes, and what depends on them alone is kept."""
        if self.loss.affine:
            return self.like(v=v)
        other = copy.copy(self)
        other._v, other.monitor, other._begun = v, None, None
        for known in ("signs", "at_zero"):
            other.__dict__.pop(known, None)
        return other

    def sample(self, rows: np.ndarray, scale: np.ndarray) -> BinaryObjective:
        return self.like(matrix=self.rows_of_sample(rows), v=self.v[rows] * scale)

    def replaced(self, loss: MarginLoss, shifts: np.ndarray | None) -> BinaryObjective:
        return self.like(loss=loss, offset=None if shifts is None else self.signs * shifts)

    def columns(self, which: np.ndarray) -> BinaryObjective:
        other = super().columns(which)
        other.evaluator = other._begun = other.first_hessian = None
        return other

    def row_curvatures(self, point: Point) -> np.ndarray:
        return point.c[None]  # type: ignore[attr-defined]

    def carried(self, point: Point, theta: np.ndarray, columns: np.ndarray | None = None) -> Point:
        return BinaryPoint(self, theta, **point.of_rows(columns))  # type: ignore[attr-defined]

    def settled(self, point: Point) -> Point:
        return self._settled(point.theta, point.z)  # type: ignore[attr-defined]

    def origin(self) -> Point:
        """The point w = 0, for a convex loss with b at its minimum; without a pass over X."""
        if NewtonSteps.suit(self):
            self._begun = NewtonSteps(self, self.zeros(), 0.0)
            return self._begun.origin()
        # Every row of a class has the same margin there: one row of the whole weight stands for it.
        classes = class_totals(self.v)
        b = self.best_intercept(np.zeros(2), 0.0, classes)
        value, slope, _, _ = self.matrix.pointwise(self.compiled, classes, np.zeros(2), b)
        known = {"value": value, "known_slope": slope if self.fit_intercept else 0.0}
        self.__dict__["at_zero"] = value
        return BinaryPoint(self, self.theta(0.0, b), intercept_minimised=True, **known)

    def steps(self, theta: np.ndarray, tol: float, to_rounding: bool = True) -> NewtonSteps | None:
        begun, self._begun = self._begun and self._begun.towards(theta, tol, to_rounding), None
        if begun is not None:
            return begun
        return NewtonSteps(self, theta, tol, to_rounding) if NewtonSteps.suit(self) else None

    def decisions(self, theta: np.ndarray) -> np.ndarray:
        """X w, and the offset if there is one."""
        # At the origin there is nothing to multiply.
        z = self.matrix.product(w) if (w := self.w(theta)).any() else np.zeros(self.matrix.shape[0])
        return z if self.offset is None else z + self.offset

    def gradient(self, in_w: np.ndarray, slope: float, w: np.ndarray) -> np.ndarray:
        """∂F/∂θ from that of the losses."""
        gradient = np.empty(len(in_w) + 1)
        gradient[:-1] = in_w
        if self.penalty:
            gradient[:-1] += self.penalty.gradient(w)
        gradient[-1] = slope if self.fit_intercept else 0.0
        return gradient

    def class_sums(self) -> tuple[np.ndarray, np.ndarray]:
        sums = [self.matrix.transposed_product(np.maximum(sign * self.v, 0.0)) for sign in (1.0, -1.0)]
        return np.abs(class_totals(self.v)), np.array(sums)

    def evaluate(self, theta: np.ndarray) -> BinaryPoint:
        if self.offset is not None:
            return self.point(theta)
        w, b = theta[:-1], float(theta[-1])
        if self.evaluator is not None:
            value, in_w, slope, curvature = self.evaluator(w, b)
        else:
            value, in_w, slope, curvature = self.matrix.evaluate(self.compiled, self.v, w, b)
        value += self.penalty.value(w) if self.penalty else 0.0
        how = {"value": value, "gradient": self.gradient(in_w, slope, w), "curvature": curvature}
        return BinaryPoint(self, theta, intercept_minimised=not self.fit_intercept, **how)

    def point(self, theta: np.ndarray) -> BinaryPoint:
        return BinaryPoint(self, theta, intercept_minimised=not self.fit_intercept, z=self.decisions(theta))

    def at(self, theta: np.ndarray) -> BinaryPoint:
        return self._settled(theta, self.decisions(theta))

    def _settled(self, theta: np.ndarray, z: np.ndarray) -> BinaryPoint:
        """The point θ with b moved to its minimum, from its decision values."""
        theta = theta.copy()
        theta[-1] = self.best_intercept(z, float(theta[-1]))
        return BinaryPoint(self, theta, intercept_minimised=True, z=z)

    def minimise_intercept(self, point: Point, enough: float, mean: float) -> Point:
        """By one Newton step of b if that is enough: a pass, where decision values take two."""
        for _ in range(2):
            if not self.fit_intercept:
                return point
            curvature, slope = point.curvature, float(point.slope[0])  # type: ignore[attr-defined]
            if not curvature > 0.0:
                break
            in_b, in_w = slope**2 / curvature, mean * abs(slope)
            if point.unreached(in_b + in_w**2) <= enough:
                length = math.sqrt(2.0 * point.half_square)
                return point.certified(0.5 * (length + in_w) ** 2 + in_b)
            theta = point.theta.copy()
            theta[-1] -= slope / curvature
            point = self.evaluate(theta)
        return self.at(point.theta)

    def best_intercept(self, z: np.ndarray, b: float, v: np.ndarray | None = None) -> float:
        """The b that minimises Σ |v| φ(y (z + b)), sought from the given one; that one itself where b is not free."""
        v = self.v if v is None else v
        if self.fit_intercept and self.loss.convex and not self.loss.affine:
            return self._minimise(z, _ONES, v, 0.0, 0.0, b)
        return b

    def _minimise(self, *problem: Any) -> float:
        address, parameters, _ = self.compiled
        return line.minimise(*problem, address, parameters, self.work)

    def length_to_minimum(
        self, point: Point, step: np.ndarray, *, full: Point | None = None, beyond: bool = False
    ) -> float | None:
        assert isinstance(point, BinaryPoint)
        assert full is None or isinstance(full, BinaryPoint)
        change = self.matrix.product(self.w(step)) if full is None else full.z - point.z
        return self._length(point, step, change + step[-1], beyond=beyond)

    def minimum_along(self, point: Point, step: np.ndarray) -> Point:
        assert isinstance(point, BinaryPoint)
        t = self._length(point, step, (change := self.matrix.product(self.w(step))) + step[-1])
        return self._settled(point.theta + t * step, point.z + t * change)

    def _length(self, point: BinaryPoint, step: np.ndarray, change: np.ndarray, *, beyond: bool = False) -> float:
        w, dw, start = point.w, self.w(step), point.z + point.b
        # Steps of the search are of the order of 1, and so must be the changes that they make to decision values.
        unit = 1.0 if beyond else float(np.abs(change).max(initial=0.0)) or 1.0
        if beyond:
            start += change
            w = w + dw
        dw_unit = dw / unit
        pull = self.penalty.gradient(dw_unit)
        linear, quadratic = float(w @ pull), float(dw_unit @ pull)
        t = self._minimise(start, change / unit, self.v, linear, quadratic, 0.0) / unit
        return 1.0 + t if beyond else t

    def losses(self, point: Point, margins: np.ndarray) -> tuple[float, np.ndarray]:
        return point.loss_value, self.signs * point.r  # type: ignore[attr-defined]

    def adopted(self, point: Point, margins: np.ndarray, value: float) -> Point:
        assert isinstance(point, BinaryPoint)
        return self._settled(point.theta, point.plain_z)

    def margins(self, point: Point) -> np.ndarray:
        assert isinstance(point, BinaryPoint)
        return self.signs * (point.plain_z + point.b)

    def decision_values(self, theta: np.ndarray) -> np.ndarray:
        return (self.matrix.product(self.w(theta)) + theta[-1])[None]

    def class_margins(self, z: np.ndarray) -> np.ndarray:
        return self.signs * z[0]

    def along(self, theta: np.ndarray, step: np.ndarray, lengths: np.ndarray) -> np.ndarray:
        z, change = self.decisions(theta) + theta[-1], self.decision_values(step)[0]
        found = np.empty((2, len(lengths)))
        for k, t in enumerate(lengths):
            value, _, r, _ = self.matrix.pointwise(self.compiled, self.v, z + t * change, 0.0)
            found[:, k] = value, r @ change
        return found

    def intercept_hessian(self, point: Point) -> np.ndarray:
        return np.array([[point.curvature]])  # type: ignore[attr-defined]

    def hessian(self, point: Point, centre: np.ndarray, drawn: tuple[np.ndarray, float] | None = None) -> np.ndarray:
        return binary_hessian(self.matrix, point.c, centre, drawn)  # type: ignore[attr-defined]

    def diagonal(self, point: Point, centre: np.ndarray) -> np.ndarray:
        return binary_diagonal(self.matrix, point.c, centre)  # type: ignore[attr-defined]

    def curvature(self, point: Point, *, robust: bool = False) -> BinaryCurvature:
        """The Hessian at a point; ``robust`` takes rows by the magnitudes of their curvatures for its centre."""
        return BinaryCurvature(self, point, robust=robust)

    def slopes(self, point: Point) -> np.ndarray:
        return np.abs(point.r)  # type: ignore[attr-defined]

    def reach(self, point: Point, step: np.ndarray) -> Reach:
        assert isinstance(point, BinaryPoint)
        point.release(keep_z=True)
        change = self.matrix.product(self.w(step)) + step[-1]

        def relative_change() -> float:
            # Relative to decision values that are large: far rows move with every step.
            relative = np.abs(change) / np.maximum(np.abs(point.z + point.b), 1.0)
            return float(relative.max(where=self.v != 0.0, initial=0.0))

        return Reach(lambda: separates(self, point.z + point.b) or separates(self, change), relative_change)

    def separates_nearly(self, point: Point) -> bool:
        return not self.penalty and separates_nearly(self, point)

    def rounding(self, point: Point) -> float:
        assert isinstance(point, BinaryPoint)
        rounding = 4.0 * _EPS * (np.abs(point.z).max(initial=0.0) + abs(float(point.b[0])))
        return float(rounding * (np.abs(point.r).sum() + 0.5 * rounding * np.abs(point.c).sum()))
