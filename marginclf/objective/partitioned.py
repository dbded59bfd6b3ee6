"""The objective of rows in parts: one round for each evaluation, and nothing of the length of the rows.

It is the same F as in :mod:`.binary` or, for many classes at once, in :mod:`.joint`; :mod:`.partial_sums` has what each
part adds to it; :mod:`.active_rows` and :mod:`.separation` have what is asked of the rows beside.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cache, cached_property
from typing import Self

import numpy as np
from scipy import sparse

from ..matrix.parts import Part, Parts, added, combined
from .active_rows import ActiveRows, active_rows
from .base import Objective, Reach
from .endless import separated
from .intercepts import intercept_gain
from .partial_sums import Problem
from .partitioned_envelope import PartitionedEnvelope
from .partitioned_point import PartitionedCurvature, PartitionedPoint, Seconds
from .penalty import L2
from .point import Point
from .separation import separation

_SETTLES = 8
"""Rounds that bring b to its minimum, at most."""

_SUFFICIENT = 1e-4
_SEARCHES = 8
_LENGTHS = 0.6 ** np.arange(1, 13)
"""Of shorter steps that one round looks at."""

_LONGEST = 1e3
_ROUNDING = 1e-14


class PartitionedObjective(Objective):
    """F over rows in parts.

    Parameters
    ----------
    parts : Parts
        The rows.
    problem : Problem
        What F is.
    totals : ndarray of shape (n_classes,)
        Σ s of each class, without class weights.
    sample : Part, optional
        Some of the rows, whose weights say what they stand for.
    """

    in_memory = False

    def __init__(self, parts: Parts, problem: Problem, totals: np.ndarray, sample: Part | None = None) -> None:
        k, size = problem.shape
        super().__init__(
            size - 1, problem.loss, k,
            penalty=problem.penalty, fit_intercept=problem.fit_intercept, shape=(k, size - 1), by_column=False,
        )  # fmt: skip
        self.parts, self.problem, self.totals, self.drawn = parts, problem, totals, sample

    @property
    def last_decrement(self) -> float:  # type: ignore[override]
        """Larger than in memory, where a step costs no round; sampled rows leave about a hundredth of a step."""
        return 1e-10 if self.problem.stride > 1 else 1e-12

    @property
    def _seconds(self) -> str:
        """The second derivatives that steps take."""
        return "all" if self.direct else "diagonal"

    @property
    def centre(self) -> np.ndarray:
        """A point amid the rows; zero without intercepts."""
        return self.problem.centre

    @cached_property
    def _zero(self) -> tuple[float, np.ndarray]:
        """F at W = 0 and the best b, where every row of a class has the same margin, and that b; without a round."""
        k = len(self.totals)
        one_of_each = Part(np.zeros((k, 1)), np.arange(k), self.totals, None)
        alone = replace(self.problem, penalty=L2(), centre=np.zeros(1))
        with alone.in_memory(one_of_each) as objective:
            origin = objective.origin()
            return objective.at_zero, origin.b

    @property
    def at_zero(self) -> float:
        return self._zero[0]

    @cached_property
    def total(self) -> float:
        weights = self.totals if self.problem.class_weights is None else self.totals * self.problem.class_weights
        return float(weights.sum()) * self.problem.factor

    def changed(self, **changes: object) -> Self:
        """The same with another width or stride of its :class:`Problem`."""
        other = type(self)(self.parts, replace(self.problem, **changes), self.totals, self.drawn)  # type: ignore[arg-type]
        other.monitor = self.monitor
        return other

    def refined(self) -> Self:
        stride = self.problem.stride
        return self.changed(stride=max(1, stride // 4)) if stride > 1 else self

    def sums(self, theta: np.ndarray, seconds: str, near: Seconds | None = None) -> dict:
        """What one round tells of a point θ; see :meth:`Problem.partial_sums` for ``seconds``."""
        values, gradient, second = self.parts.sum(self.problem.partial_sums, theta, seconds)
        # What comes from elsewhere may be read-only.
        gradient, w = np.array(gradient), self.w(theta)
        pull = self.penalty.value(w)
        self.w(gradient)[...] += self.penalty.gradient(w)
        if not self.fit_intercept:
            self.b(gradient)[...] = 0.0
        known = {"value": float(values[0]) + pull, "gradient": gradient, "seconds": near}
        if seconds:
            known["seconds"] = Seconds(seconds, np.array(second), theta)
        if self.problem.width:
            _, loss_value, slack, squares = map(float, values)
            known |= {"loss_value": loss_value + pull, "slack": slack, "farthest": np.sqrt(squares), "gain": np.inf}
        return known

    def _point(self, theta: np.ndarray, **known: object) -> PartitionedPoint:
        return PartitionedPoint(self, theta, intercept_minimised=not self.fit_intercept, **known)

    def known(self, theta: np.ndarray, **known: object) -> Point:
        return PartitionedPoint(self, theta, intercept_minimised=True, **known)

    def origin(self) -> Point:
        b = self._zero[1] if self.loss.convex and not self.problem.width else 0.0
        return self.at(self.theta(0.0, b if self.fit_intercept else 0.0))

    def evaluate(self, theta: np.ndarray, seconds: str = "", near: Seconds | None = None) -> PartitionedPoint:
        return self._point(theta, **self.sums(theta, seconds, near))

    def visit(self, theta: np.ndarray, *, last: Point | None = None) -> Point:
        if last is not None:
            return self.evaluate(theta, near=getattr(last, "seconds", None))
        return self.evaluate(theta, self._seconds)

    def at(self, theta: np.ndarray) -> Point:
        return self.visit(theta)

    def minimise_intercept(self, point: Point, enough: float, mean: float) -> Point:
        """By its second derivatives, or those of a point near it, if these were of all rows; else by a few rounds."""
        assert isinstance(point, PartitionedPoint)
        if point.intercept_minimised:
            return point
        if point.seconds is not None and point.seconds.kind == "all":
            found = self._settled_by_model(point, enough)
            if found is not None:
                return found
            if self.problem.stride == 1:
                return point  # the next step will do it
        mean = self.curvature(point).mean if point.seconds is not None else mean
        theta, near, gain = point.theta, point.seconds, np.inf
        for _ in range(_SETTLES):
            point = self.evaluate(theta, "intercepts")
            step, gain = intercept_gain(point.slope, self.curvature(point).intercepts())
            point.seconds = near
            if not np.isfinite(gain) or point.unreached(gain) <= enough:
                break
            theta = theta.copy()
            self.b(theta)[...] += step
        if not self.provable:
            return point
        length = np.sqrt(2.0 * point.half_square) + mean * float(np.linalg.norm(point.slope))
        found = point.certified(0.5 * length**2 + (max(gain, 0.0) if np.isfinite(gain) else np.inf))
        found.intercept_minimised = True
        return found

    def _settled_by_model(self, point: PartitionedPoint, enough: float) -> Point | None:
        """With the bound that it would have with b at its minimum, if what is left there cannot be seen."""
        assert point.seconds is not None
        k, d = self.n_outputs, self.n_features
        blocks = point.seconds.array.reshape(k, d + 1, k, d + 1)
        step, gain = intercept_gain(point.slope, blocks[:, d, :, d])
        if not point.unreached(gain) <= enough:
            return None
        in_w = point.centred + blocks[:, :d, :, d] @ step
        found = point.certified(self.penalty.conjugate(in_w.ravel()) + gain) if self.provable else point
        found.intercept_minimised = True
        return found

    def length_to_minimum(
        self, point: Point, step: np.ndarray, *, full: Point | None = None, beyond: bool = False
    ) -> float | None:
        """One round looks at many shorter steps; the best of them, with what their slopes say of the minimum."""
        slope, longest = float(point.gradient @ step), 1.0
        for _ in range(_SEARCHES):
            t = longest * _LENGTHS
            values, slopes = self.along(point.theta, step, t)
            lower = np.isfinite(values) & (values <= point.value + _SUFFICIENT * t * slope)
            if lower.any():
                return _lowest(t, values, slopes, lower)
            longest = float(t[-1])
            if longest * abs(slope) <= _ROUNDING * abs(point.value):
                break
        return longest

    def along(self, theta: np.ndarray, step: np.ndarray, lengths: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """F and its slopes at θ + t·step for each length t, from one round."""
        ((values, slopes),) = self.parts.sum(self.problem.along, theta, step, lengths)
        w, dw = self.w(theta), self.w(step)
        pull = self.penalty.gradient(dw)
        linear, quadratic = float(w @ pull), float(dw @ pull)
        values = values + self.penalty.value(w) + lengths * linear + 0.5 * lengths**2 * quadratic
        return values, slopes + linear + lengths * quadratic

    def curvature(self, point: Point, *, robust: bool = False) -> PartitionedCurvature:
        assert isinstance(point, PartitionedPoint)
        if point.seconds is None:
            point.seconds = self.sums(point.theta, self._seconds)["seconds"]
        return PartitionedCurvature(self, point.seconds)

    def reach(self, point: Point, step: np.ndarray) -> Reach:
        @cache
        def found() -> np.ndarray:
            return self.parts.largest(separation, self.problem, point.theta, step)

        def separates() -> bool:
            return self.endless and any(separated(-found()[k], *found()[k + 1 : k + 3]) for k in (0, 3))

        def steps() -> float:
            steps = float(found()[7])
            return 1.5 * max(1.0, steps) if np.isfinite(steps) and steps < _LONGEST else 1.0

        return Reach(separates, lambda: float(found()[6]), steps)

    def rounding(self, point: Point) -> float:
        return _ROUNDING * abs(point.value)

    def noise(self, point: Point) -> np.ndarray:
        (noise,) = self.parts.sum(self.problem.noise, point.theta)
        noise = np.array(noise)
        self.w(noise)[...] += np.abs(self.penalty.gradient(point.w))
        return noise

    def class_sums(self) -> tuple[np.ndarray, np.ndarray]:
        totals, sums = self.parts.sum(self.problem.class_sums)
        own = np.arange(len(totals)) == self.problem.positive
        plus, minus = ([a[side].sum(axis=0) for a in (totals, sums)] for side in (own, ~own))
        return np.array([plus[0], minus[0]]), np.array([plus[1], minus[1]])

    def envelope(self, gamma: float, multipliers: object) -> PartitionedEnvelope:
        return PartitionedEnvelope(self, gamma, first=multipliers is None)

    def active_rows(self, theta: np.ndarray, reach: float, most: int) -> ActiveRows:
        """Of all parts together, from one round; see :func:`.active_rows.active_rows`."""
        found = self.parts.each(active_rows, self.problem, theta, reach, most)
        stack = sparse.vstack if sparse.issparse(found[0].X) else np.concatenate
        n_rows = sum(one.n_rows for one in found)
        kept = found if n_rows <= most else [one._replace(X=one.X[:0], v=one.v[:0]) for one in found]
        X, v = stack([one.X for one in kept]), np.concatenate([one.v for one in kept])
        return ActiveRows(combined([one.sums for one in found], added), n_rows, X, v)


def _lowest(t: np.ndarray, values: np.ndarray, slopes: np.ndarray, lower: np.ndarray) -> float:
    """Where F is lowest along a step, from its values and slopes at decreasing lengths."""
    best = int(np.where(lower, values, np.inf).argmin())
    # The zero of the slope is between the best one and its neighbour on the side to which F falls.
    other = best - 1 if slopes[best] < 0.0 else best + 1
    if not 0 <= other < len(t) or not slopes[best] * slopes[other] < 0.0:
        return float(t[best])
    part = slopes[best] / (slopes[best] - slopes[other])
    return float(t[best] + part * (t[other] - t[best]))
