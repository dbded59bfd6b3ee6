"""The objective with one joint margin for many classes.

    m_i = z_y − log Σ_{k≠y} e^{z_k},   z = W x_i + b,

with Σ b = 0, as a number added to all intercepts changes nothing. m is concave in z, so that F is convex for a convex
loss that never increases. For the logistic loss it is softmax regression.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from typing import Any

import numpy as np

from ..losses import MarginLoss
from ..matrix import DesignMatrix
from ..matrix.joint import JointPasses
from ..matrix.joint_kept import Kept
from .base import Reach
from .curvature import JointCurvature, joint_hessian
from .endless import class_margins, separates_jointly
from .in_memory import InMemoryObjective
from .intercepts import at_zero, minimised
from .joint_dual import proven_by_step
from .joint_point import JointPoint
from .length import root_of_slope
from .penalty import L2
from .point import Point

_PART = 1 << 12
"""Rows at a time where what is asked of them is no sum."""

_KEPT = 1 << 23
"""Decision values that are kept, 64 MB of them and as much again for the softmax: three points have them at a time."""

_FEW, _SMALL = 3, 1 << 17
"""Rows for each column below which their Gram tells little of the Hessian, where it costs something: on 1000 × 500 the
steps that it preconditions have 0.6 to 0.9 of the speed of L-BFGS, on 200 × 100 four times that of the Hessian."""

_EPS = float(np.finfo(float).eps)


class JointObjective(InMemoryObjective):
    """F for one design matrix, one loss and one labelling with K classes.

    Parameters
    ----------
    matrix : DesignMatrix
        The rows x_i.
    loss : MarginLoss
        φ, which never increases.
    codes : ndarray of int of shape (n,)
        Class of each row.
    weights : ndarray of shape (n,) or (1,)
        C s, or s without a penalty.
    n_classes : int
        K, at least 3.
    penalty : L2
        With weights of 0, none.
    fit_intercept : bool
        Whether b is free; otherwise it is 0.
    shifts : ndarray of shape (n,), optional
        Added to the margins.
    keep, always : bool, default=False
        Whether points keep decision values if there is room: for a loss that is curved, or whatever loss and shape.
    """

    def __init__(
        self,
        matrix: DesignMatrix,
        loss: MarginLoss,
        codes: np.ndarray,
        weights: np.ndarray,
        n_classes: int,
        *,
        penalty: L2,
        fit_intercept: bool,
        shifts: np.ndarray | None = None,
        keep: bool = False,
        always: bool = False,
    ) -> None:
        self.passes = passes = JointPasses(matrix, codes, weights, n_classes, shifts)
        super().__init__(
            matrix, loss, n_classes,
            penalty=penalty, fit_intercept=fit_intercept, shape=passes.shape, by_column=passes.by_column,
        )  # fmt: skip
        self.keep, self.always = keep, always
        (n, d), room = matrix.shape, n_classes * matrix.shape[0] <= _KEPT
        tells = self.curved and not (d < n < _FEW * d and n * d > _SMALL)
        self.keeps_decisions = room and (always or (keep and tells))

    def split(self, theta: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """W as the passes take it, and b."""
        return self.w(theta).reshape(self.passes.shape), self.b(theta)

    def like(self, **changes: Any) -> JointObjective:
        """The same but for some arguments; decision values are kept only if that is one of them, or always."""
        passes = self.passes
        given = {name: getattr(self, name) for name in ("matrix", "loss", "penalty", "fit_intercept", "always")}
        given |= {"codes": passes.codes, "weights": passes.weights, "n_classes": self.n_outputs}
        given |= {"shifts": passes.shifts if passes.shifts.size > 1 else None}
        return JointObjective(**{**given, **changes})

    def replaced(self, loss: MarginLoss, shifts: np.ndarray) -> JointObjective:
        return self.like(loss=loss, shifts=shifts)

    def sample(self, rows: np.ndarray, scale: np.ndarray) -> JointObjective:
        passes = self.passes
        weights = passes.weights[rows] * scale if passes.weights.size > 1 else passes.weights[0] * scale
        shifts = passes.shifts[rows] if passes.shifts.size > 1 else None
        return self.like(matrix=self.rows_of_sample(rows), codes=passes.codes[rows], weights=weights, shifts=shifts)

    def columns(self, which: np.ndarray) -> JointObjective:
        return self.like(matrix=self.matrix.columns(which), keep=self.keep)

    @property
    def row_weights(self) -> np.ndarray:
        return np.array(np.broadcast_to(self.passes.weights, self.matrix.shape[0]), dtype=float)

    def class_weights(self) -> np.ndarray:
        """Σ C s of each class."""
        weights, codes = self.passes.weights, self.passes.codes
        if weights.size == 1:
            return weights[0] * np.bincount(codes, minlength=self.n_outputs)
        return np.bincount(codes, weights, minlength=self.n_outputs)

    def class_sums(self) -> tuple[np.ndarray, np.ndarray]:
        own = np.eye(self.n_outputs)[self.passes.codes] * self.row_weights[:, None]
        return self.class_weights(), self.by_class(self.passes.combination(own))

    @cached_property
    def total(self) -> float:
        return float(self.class_weights().sum())

    @property
    def at_zero(self) -> float:
        return self.best_at_zero[0]

    @cached_property
    def best_at_zero(self) -> tuple[float, np.ndarray]:
        """F at W = 0 and, for a convex loss, at the best b, which is returned as well; without a pass over X."""
        free = self.fit_intercept and self.loss.convex
        codes = np.arange(self.n_outputs, dtype=self.passes.codes.dtype)
        return at_zero(self.compiled, codes, self.class_weights(), free=free, curved=self.curved)

    def origin(self) -> Point:
        value, b = self.best_at_zero
        return JointPoint(self, self.theta(0.0, b), intercept_minimised=True, value=value)

    def evaluate(self, theta: np.ndarray) -> JointPoint:
        rows = self.passes.room() if self.keeps_decisions else None
        value, gradient = self.passes.evaluate(self.compiled, *self.split(theta), rows)
        return self._point(theta, value, gradient, rows, intercept_minimised=not self.fit_intercept)

    def _point(
        self, theta: np.ndarray, value: float, gradient: np.ndarray, rows: Kept | None, *, intercept_minimised: bool
    ) -> JointPoint:
        """A point from Σ C s φ and the gradient of that."""
        if self.penalty:
            w, in_w = self.w(theta), self.w(gradient)
            value += self.penalty.value(w)
            in_w += self.penalty.gradient(w)
        if not self.fit_intercept:
            self.b(gradient)[...] = 0.0
        how = {"value": value, "gradient": gradient, "rows": rows}
        return JointPoint(self, theta, intercept_minimised=intercept_minimised, **how)

    def at(self, theta: np.ndarray) -> JointPoint:
        if not (self.fit_intercept and self.loss.convex):
            point, reached = self.evaluate(theta), True
        elif self.keeps_decisions:
            return self.minimise_intercept(self.evaluate(theta), 0.0, 0.0)
        else:
            w, b = self.split(theta)
            theta = theta.copy()
            self.b(theta)[...], reached = minimised(lambda b: self.passes.intercepts(self.compiled, w, b), b)
            point = self.evaluate(theta)
        point.intercept_minimised = reached
        return point

    def minimise_intercept(self, point: Point, enough: float, mean: float) -> JointPoint:
        if not self.keeps_decisions or not (self.fit_intercept and self.loss.convex):
            return self.at(point.theta)
        return self.at_decisions(point.theta, point.rows.z)  # type: ignore[attr-defined]

    def at_decisions(self, theta: np.ndarray, z: np.ndarray) -> JointPoint:
        """The point θ by its decision values, with b at its minimum by Newton steps on these: half a pass over X."""
        passes, before, rows, theta, reached = self.passes, self.b(theta), self.passes.room(), theta.copy(), True

        def see(b: np.ndarray) -> tuple[float, np.ndarray, np.ndarray]:
            return *passes.weighed(self.compiled, z, b - before, rows), passes.between(rows)

        if self.fit_intercept:
            self.b(theta)[...], reached = minimised(see, before)
        value, _ = passes.weighed(self.compiled, z, self.b(theta) - before, rows)
        gradient = passes.gradient(self.compiled, *self.split(theta), rows)
        return self._point(theta, value, gradient, rows, intercept_minimised=reached)

    def length_to_minimum(
        self, point: Point, step: np.ndarray, *, full: Point | None = None, beyond: bool = False
    ) -> float | None:
        if not self.keeps_decisions:
            return None
        assert isinstance(point, JointPoint)
        end: Any = self.evaluate(point.theta + step) if full is None else full
        z, w, dw = point.rows.z, point.w, self.w(step)
        change, pull = end.rows.z - z, self.penalty.gradient(dw)
        linear, quadratic = float(w @ pull), float(dw @ pull)

        def see(t: float) -> tuple[float, float]:
            _, slope, curvature = self.passes.along(self.compiled, z, change, t)
            return float(slope) + linear + t * quadratic, float(curvature) + quadratic

        return root_of_slope(see, float(point.gradient @ step), 1.0)

    def proven_by_step(self, point: Point, full: Point, tol: float) -> Point:
        assert isinstance(point, JointPoint)
        assert isinstance(full, JointPoint)
        return proven_by_step(self, point, full, tol)

    def decision_values(self, theta: np.ndarray) -> np.ndarray:
        return self.passes.decisions(*self.split(theta), 0, self.matrix.shape[0])

    def class_margins(self, z: np.ndarray) -> np.ndarray:
        return class_margins(z, self.passes.codes)

    def along(self, theta: np.ndarray, step: np.ndarray, lengths: np.ndarray) -> np.ndarray:
        found = np.empty((2, len(lengths)))
        for k, t in enumerate(lengths):
            value, gradient = self.passes.evaluate(self.compiled, *self.split(theta + t * step))
            found[:, k] = value, gradient @ step
        return found

    def intercept_hessian(self, point: Point) -> np.ndarray:
        assert isinstance(point, JointPoint)
        return point.between

    def hessian(self, point: Point, centre: np.ndarray, drawn: tuple[np.ndarray, float] | None = None) -> np.ndarray:
        if drawn is None:
            return joint_hessian(self, point.theta, centre)
        rows, scale = drawn
        return joint_hessian(self.sample(rows, np.full(len(rows), scale)), point.theta, centre)

    def diagonal(self, point: Point, centre: np.ndarray) -> np.ndarray:
        found = self.passes.diagonal(self.compiled, *self.split(point.theta))
        total, diagonal = self.b(found), np.zeros((2, self.n_outputs, len(centre) + 1))
        # As if the centre was the mean by these weights as well.
        diagonal[0, :, :-1] = self.by_class(found) - total[:, None] * centre**2
        diagonal[:, :, -1] = total
        return diagonal

    def curvature(self, point: Point, *, robust: bool = False) -> JointCurvature:
        """The Hessian at a point."""
        assert isinstance(point, JointPoint)
        # Where no Hessian is formed, the columns of sparse data lie around zero as they are.
        centred = self.fit_intercept and not (self.matrix.sparse and not robust)
        return JointCurvature(self, point, self.centre if centred else None)

    def margins(self, point: Point) -> np.ndarray:
        return self.passes.margins(*self.split(point.theta))

    def losses(self, point: Point, margins: np.ndarray) -> tuple[float, np.ndarray]:
        return self.pointwise(self.compiled, margins + self.passes.shifts)

    def adopted(self, point: Point, margins: np.ndarray, value: float) -> Point:
        value += self.penalty.value(point.w)
        return JointPoint(self, point.theta, intercept_minimised=True, value=value, gradient=point.gradient)

    def decisions_in_parts(self, theta: np.ndarray) -> Iterator[tuple[slice, np.ndarray]]:
        """Part of the rows and their decision values (K, m)."""
        n = self.matrix.shape[0]
        for start in range(0, n, _PART):
            rows = slice(start, min(start + _PART, n))
            yield rows, self.passes.decisions(*self.split(theta), rows.start, rows.stop)

    def counted(self, rows: slice) -> np.ndarray | slice:
        weights = self.passes.weights
        return weights[rows] > 0.0 if weights.size > 1 else slice(None)

    def reach(self, point: Point, step: np.ndarray) -> Reach:
        def relative_change() -> float:
            largest = 0.0
            for (rows, z), (_, change) in zip(
                self.decisions_in_parts(point.theta), self.decisions_in_parts(step), strict=True
            ):
                relative = np.abs(change) / np.maximum(np.abs(z), 1.0)
                largest = max(largest, float(relative[:, self.counted(rows)].max(initial=0.0)))
            return largest

        return Reach(lambda: self.separates(point.theta) or self.separates(step), relative_change)

    def separates(self, theta: np.ndarray) -> bool:
        """Whether going on along θ lowers F for ever, so that it has no minimum."""
        return self.endless and separates_jointly(self, theta)

    def rounding(self, point: Point) -> float:
        largest = max(float(np.abs(z).max()) for _, z in self.decisions_in_parts(point.theta))
        return 16.0 * _EPS * (1.0 + largest) * max(abs(point.value), float(np.abs(point.slope).sum()))
