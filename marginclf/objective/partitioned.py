"""The regularised objective of rows in parts: one round for each evaluation, and nothing of the length of the rows.

It is the same F as in :mod:`.binary` or, for many classes at once, in :mod:`.joint`; :mod:`.share` has what each part
adds to it, and says what θ is; :mod:`.kinks` and :mod:`.separation` have what is asked of the rows beside.
"""

from __future__ import annotations

import math
from dataclasses import replace
from functools import cached_property
from typing import Any

import numpy as np
from scipy import sparse

from ..matrix.parts import Part, Parts, Sums, added, combined
from .base import FAR_MARGIN
from .certificate import gain
from .endless import separated
from .kinks import Zone, around_kinks
from .monitored import Monitored
from .point import Measured
from .separation import separation
from .share import Problem


class PartitionedPoint(Measured):
    """A point θ with what one round tells of it.

    Attributes
    ----------
    theta, gradient : ndarray of shape (K, d + 1)
        θ and ∂F/∂θ.
    hessian : ndarray or None
        Second derivatives without the penalty, if they were asked for.
    coefficients, b : ndarray of shape (K, d) and (K,)
        Coefficients and intercepts.
    value : float
        F; with a width, that of the smooth problem.
    bound, gain : float
        As of :class:`~.point.Measured`, for intercepts at their minimum.
    loss_value, slack, reach : float
        With a width: F of the loss itself, what the multipliers leave of the duality gap, and no less than the largest
        margin.
    """

    def __init__(self, problem: Problem, theta: np.ndarray, found: Sums) -> None:
        values, gradient, hessian = found
        # What comes from elsewhere may be read-only.
        gradient = np.array(gradient)
        self.theta, self.gradient = theta, gradient
        self.hessian = np.array(hessian) if hessian.size else None
        w, self.b = problem.coefficients(theta)
        self.coefficients = w
        self.value = float(values[0])
        quadratic = 0.0
        if problem.penalty:
            flat = w.ravel()
            quadratic = 0.5 * float(flat @ flat)
            self.value += quadratic
            gradient[:, :-1] += w
        if not problem.fit_intercept:
            gradient[:, -1] = 0.0
        if problem.width:
            _, loss_value, self.slack, squares = map(float, values)
            self.loss_value, self.reach = loss_value + quadratic, math.sqrt(squares)
        self.bound = math.nan
        self.gain = math.inf

    @property
    def finite(self) -> bool:
        flat = self.gradient.ravel()
        return math.isfinite(self.value) and math.isfinite(flat @ flat)


class PartitionedObjective(Monitored):
    """F over rows in parts.

    Parameters
    ----------
    parts : Parts
        The rows.
    problem : Problem
        What F is.
    totals : ndarray of shape (n_classes,)
        Σ s of each class, without class weights.
    """

    def __init__(self, parts: Parts, problem: Problem, totals: np.ndarray) -> None:
        self.parts, self.problem, self.totals = parts, problem, totals

    @cached_property
    def at_zero(self) -> float:
        """F at W = 0 and the best b, where every row of a class has the same margin; without a round."""
        k = len(self.totals)
        one_of_each = Part(np.zeros((k, 1)), np.arange(k), self.totals, None)
        with self.problem.in_memory(one_of_each) as objective:
            return objective.at_zero

    @cached_property
    def total(self) -> float:
        """Σ C s."""
        weights = self.totals if self.problem.class_weights is None else self.totals * self.problem.class_weights
        return float(weights.sum()) * (self.problem.C if self.problem.penalty else 1.0)

    @property
    def provable(self) -> bool:
        """Whether the gradient at a point bounds its suboptimality: F is then 1-strongly convex in W."""
        return self.problem.loss.convex and self.problem.penalty > 0.0

    def with_width(self, width: float) -> PartitionedObjective:
        """The smooth problem of this width, with the multipliers that the parts have.

        All rows make its Hessians: few of them are curved.
        """
        return PartitionedObjective(self.parts, replace(self.problem, width=width, stride=1), self.totals)

    def with_stride(self, stride: int) -> PartitionedObjective:
        """The same, with more rows or fewer in its Hessians."""
        other = PartitionedObjective(self.parts, replace(self.problem, stride=stride), self.totals)
        other.watch = self.watch
        return other

    def evaluate(self, theta: np.ndarray, curvature: str = "") -> PartitionedPoint:
        """The point θ, from one round; see :meth:`Problem.share` for ``curvature``."""
        point = PartitionedPoint(self.problem, theta, self.parts.sum(self.problem.share, theta, curvature))
        if self.provable and not self.problem.width:
            w = theta[:, :-1].ravel()
            by_convexity = 0.5 * float(w @ w) - float(point.gradient[:, :-1].ravel() @ w)
            point.gain = gain(self.at_zero, point.value, by_convexity)
        return point

    def along(self, theta: np.ndarray, step: np.ndarray, lengths: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """F and its slopes at θ + t·step for each length t, from one round."""
        ((values, slopes),) = self.parts.sum(self.problem.along, theta, step, lengths)
        if not self.problem.penalty:
            return values, slopes
        w, dw = theta[:, :-1].ravel(), step[:, :-1].ravel()
        linear, quadratic = float(w @ dw), float(dw @ dw)
        values = values + 0.5 * float(w @ w) + lengths * linear + 0.5 * lengths**2 * quadratic
        return values, slopes + linear + lengths * quadratic

    def class_sums(self) -> Sums:
        """Σ C s and Σ C s x of each class, from one round."""
        return self.parts.sum(self.problem.class_sums)

    def set_multipliers(self, theta: np.ndarray | None) -> None:
        """Let the parts have the multipliers of a point, or none."""
        if theta is None:
            self.parts.set_multipliers(None)
        else:
            self.parts.set_multipliers(self.problem.multipliers, theta)

    def around_kinks(self, theta: np.ndarray, reach: float, most: int) -> Zone:
        """Of all parts together, from one round; see :func:`.kinks.around_kinks`."""
        zones = self.parts.each(around_kinks, self.problem, theta, reach, most)
        stack = sparse.vstack if sparse.issparse(zones[0].X) else np.concatenate
        n_rows = sum(zone.n_rows for zone in zones)
        kept = zones if n_rows <= most else [zone._replace(X=zone.X[:0], v=zone.v[:0]) for zone in zones]
        X, v = stack([zone.X for zone in kept]), np.concatenate([zone.v for zone in kept])
        return Zone(combined([zone.sums for zone in zones], added), n_rows, X, v)

    def reach(self, theta: np.ndarray, step: np.ndarray) -> dict[str, Any]:
        """Whether θ, or going on along a step, separates the classes for ever, after how many steps it does so, and how
        far one moves a decision value.
        """
        found = self.parts.largest(separation, self.problem, theta, step)
        _, (far_slope,), _ = self.problem.loss.evaluate([FAR_MARGIN])
        endless = not self.problem.penalty and far_slope < 0.0

        def separates(least: float, largest: float, scale: float) -> bool:
            return bool(endless) and separated(-least, largest, scale)

        return {
            "separates": separates(*found[:3]) or separates(*found[3:6]),
            "change": float(found[6]),
            "steps": float(found[7]),
        }
