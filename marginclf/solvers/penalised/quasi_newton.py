"""A quasi-Newton method for tall dense data beside kinks so weak that they hold next to no coefficient at zero.

A step costs one pass over the rows, where the Hessian of all of them costs many; it minimises the quadratic model with
the penalty as it is. A Hessian of all rows comes where it spares more steps than it costs. Kinks are aimed at a little
lower than they are (:mod:`.weak_kinks`).
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ...kernels.gram import GRAM_COLUMNS
from ...objective import DIRECT_LIMIT, NonsmoothPenalty, Point
from ..preconditioner import mean_curvature, sample_rows
from ..solution import Solution, Status
from .inverse_metric import InverseMetric
from .proximal_proof import certified
from .proximal_step import At, ProximalNewton
from .weak_kinks import aimed, are_weak, room_of, some_squares

_FAR = 5.0
"""How many times a coefficient at the start its bounds have to be."""

_SUFFICIENT, _ROUNDING, _HALF, _HALVINGS = 1e-4, 4e-13, 0.5, 4

_NEAR = 30.0
"""Gap, relative to tol, from which on the intercept is put at its minimum at the next point, for a proof."""

_ACCURATE, _FEWEST, _LATELY, _AFTER = 1e-2, 2, 5, 4
"""Promise of a step, relative to F, from which on a Hessian stands for those to come; by how many steps at least,
and at most, it is judged how many are left; and how many come after it."""

_STEP, _PASS, _HESSIAN, _HESSIAN_WIDE, _INVERSE = 1e5, 0.4, 0.04, 0.0075, 0.05
"""Nanoseconds of a step beside its pass, of a pass for each entry, of a Hessian for each product, up to 128 columns and
beyond, and of an inverse."""

_MOST, _UNSOLVED = 60, 3
"""Steps, and models that could not be minimised, after which another method goes on."""


def quasi_newton(
    objective: Any,
    penalty: NonsmoothPenalty,
    theta: np.ndarray,
    *,
    least: float,
    tol: float,
    max_iter: int,
    provable: bool = True,
) -> Solution[Point] | None:
    """Minimise losses and a penalty with kinks and bounds from zero, as :func:`.proximal_newton` does.

    None where another method is faster. Where the solution is not proven, another can go on from there.
    """
    if not (provable and _may_suit(objective, penalty, theta)):
        return None
    metric = InverseMetric(objective, penalty)
    if metric.start is None or not are_weak(objective, penalty, 1.0 / metric.m.diagonal()[:-1]):
        return None
    if penalty.bounded and not (_FAR * np.abs(penalty.vector(metric.start.w)) <= penalty.room).all():
        return None
    return _Run(objective, penalty, metric, least, tol).minimise(min(max_iter, _MOST))


def _may_suit(objective: Any, penalty: NonsmoothPenalty, theta: np.ndarray) -> bool:
    """Whether next to nothing may be zero, as far as some rows tell: of two classes, of tall dense data."""
    if objective.n_outputs > 1 or objective.offset is not None or theta[:-1].any():
        return False
    (n, d), entries = objective.matrix.shape, objective.matrix.entries
    if d > DIRECT_LIMIT or sample_rows(n, d, entries) == 0 or penalty.unheld.any() or not penalty.holds_zero:
        return False
    if not (penalty.kink > 0.0).any() or (penalty.bounded and not (penalty.room > 0.0).all()):
        return False
    curvature = mean_curvature(objective.loss) * some_squares(objective)
    return are_weak(objective, penalty, curvature[penalty.order])


class _Run:
    """One minimisation."""

    def __init__(
        self, objective: Any, penalty: NonsmoothPenalty, metric: InverseMetric, least: float, tol: float
    ) -> None:
        self._objective, self._penalty, self._metric, self._least, self._tol = objective, penalty, metric, least, tol
        self._whole, self._at_zero = ProximalNewton(objective, penalty), float(objective.origin().value)
        self._factor = 1.0
        self._promises: list[float] = []

    def minimise(self, max_iter: int) -> Solution[Point]:
        """From the start of the metric."""
        penalty, metric, tol = self._penalty, self._metric, self._tol
        here = self._whole.weighed(metric.start, 1.0)  # type: ignore[arg-type]
        y, n_iter = None, 0
        while here.point.finite:
            self._objective.report(lambda here=here: self._certified(here))
            slope = metric.slope(here.point)
            excess = self._gap(here, slope) / self._measure(here.value)
            if excess <= tol:
                here, point = self._settled(here)
                if point.excess <= tol:
                    return Solution(point, Status.PROVEN, n_iter)
            if n_iter >= max_iter:
                break
            x, slope = metric.x(here.point.theta), metric.slope(here.point)
            self._factor = aimed(penalty, here.u, tol * self._measure(here.value))
            target, y, promise = metric.target(x, slope, y, self._factor * penalty.kink)
            there = self._shortened(here, x, target, promise, settles=excess <= _NEAR * tol)
            if there is None or metric.unsolved > _UNSOLVED:
                break
            n_iter += 1
            here = there
            if self._renews(here, -promise):
                self._promises = []
                metric.renew(here.point)
            else:
                metric.learn(metric.x(here.point.theta) - x, metric.slope(here.point) - slope)
        return Solution(self._settled(here)[1], Status.LINE_SEARCH, n_iter)

    def _settled(self, here: At) -> tuple[At, Point]:
        """The point with its intercept at its minimum, and what is proven of it."""
        if not here.point.intercept_minimised:
            here = self._whole.at(here.point.theta)
        return here, certified(self._whole, here, self._least, self._at_zero, provable=True)

    def _certified(self, here: At) -> Point:
        return self._settled(here)[1]

    def _gap(self, here: At, slope: np.ndarray) -> float:
        """About what is proven once the intercept is at its minimum."""
        above = max(float(here.point.value) - self._least, 0.0)
        g = self._penalty.quadratic * here.u - slope[:-1]
        t, total = self._penalty.proof(here.u, g, np.zeros(len(g)), above)
        return total + (1.0 - t) * above

    def _measure(self, value: float) -> float:
        """What tol is relative to."""
        return max(min(abs(value), self._at_zero - value), np.finfo(float).tiny)

    def _shortened(self, here: At, x: np.ndarray, target: np.ndarray, promise: float, *, settles: bool) -> At | None:
        """The first point on the way that lowers F with the kinks aimed at; None where that is no use."""
        if not (np.isfinite(target).all() and promise < 0.0):
            return None
        value, t = float(here.point.value) + self._penalty.value(here.u, self._factor), 1.0
        for _ in range(_HALVINGS):
            theta = self._metric.theta(target if t == 1.0 else x + t * (target - x))
            point = self._objective.at(theta) if settles else self._objective.evaluate(theta)
            there = self._whole.weighed(point, 1.0)
            found = float(point.value) + self._penalty.value(there.u, self._factor)
            if found <= value + _SUFFICIENT * t * promise + _ROUNDING * abs(value):
                return there
            t *= _HALF
        return None

    def _renews(self, here: At, promise: float) -> bool:
        """Whether the steps that are left, by how much shorter they become, cost more than a Hessian of all rows."""
        (n, d), measure = self._objective.matrix.shape, self._measure(here.value)
        self._promises = [*self._promises[1 - _LATELY :], promise]
        steps = len(self._promises) - 1
        if not (steps >= _FEWEST and 0.0 < promise <= _ACCURATE * measure):
            return False
        rate, enough = (promise / self._promises[0]) ** (1.0 / steps), self._enough(measure)
        if not enough < promise:
            return False
        left = math.log(enough / promise) / math.log(rate) if rate < 1.0 else math.inf
        one = _STEP + _PASS * n * d
        hessian = (_HESSIAN if d <= GRAM_COLUMNS else _HESSIAN_WIDE) * n * d * d + _INVERSE * d**3 + 2.0 * one
        return bool(left > hessian / one + _AFTER)

    def _enough(self, measure: float) -> float:
        """About what a step promises once it leaves slopes that prove tol."""
        room = room_of(self._penalty, self._factor, self._tol * measure)
        return 0.5 * float(self._metric.m.diagonal()[:-1] @ (room * room))
