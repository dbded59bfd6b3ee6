"""Newton's method for many classes of dense rows beside kinks so weak that they hold little at zero.

Where signs stand, kinks are a linear term, and a step is one of the smooth problem, which :mod:`.orthant_model`
minimises. With the slopes of its model as dual variables, F is proven where the step leads to.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from ...objective import JointObjective, JointPoint, NonsmoothPenalty, Point, above, dual_of_step
from ..preconditioner import mean_curvature
from ..solution import Solution, Status
from .orthant_model import OrthantModel, Orthants
from .proximal_proof import certified
from .proximal_step import At, Dual, ProximalNewton
from .weak_kinks import aimed, are_weak, room_of, some_squares

_SUFFICIENT, _ROUNDING, _HALF = 1e-4, 4e-13, 0.5

_WAYS = (1.0, 1.0), (1.0, 1e-3), (0.5, 1e-3), (0.25, 1e-3)
"""Part of a step, and of what an entry moves by its kink alone, which is too far where columns are correlated."""

_LONGEST = 10.0
"""How many times longer than Newton's the first step may be."""

_LITTLE = 2_000_000
"""Products of a Hessian below which steps with one take as long: 600 × 15 with four classes has 2,500,000."""

_STEPS = 20
"""Steps after which another method goes on: where classes can nearly be separated, signs do not settle."""


def orthant_newton(
    objective: Any,
    penalty: NonsmoothPenalty,
    theta: np.ndarray,
    *,
    least: float,
    tol: float,
    max_iter: int,
    provable: bool = True,
) -> Solution[Point] | None:
    """Minimise losses and a penalty with kinks from zero, as :func:`.proximal_newton` does.

    None where another method is faster. Where the solution is not proven, another can go on from there.
    """
    if not (provable and objective.n_outputs > 1 and objective.keeps_decisions and objective.curved):
        return None
    if objective.matrix.sparse or penalty.grouped or penalty.bounded or penalty.unpenalised.any() or theta.any():
        return None
    (n, d), k = objective.matrix.shape, objective.n_outputs
    if n * (k * (d + 1)) ** 2 < _LITTLE:
        return None
    squares = np.maximum(some_squares(objective) - objective.total * objective.centre**2, 0.0)
    curvature = mean_curvature(objective.loss) * squares
    if not are_weak(objective, penalty, curvature[penalty.columns]):
        return None
    return _Run(objective, penalty, curvature, least, tol).minimise(max_iter)


class _Run:
    """One minimisation."""

    def __init__(
        self, objective: JointObjective, penalty: NonsmoothPenalty, curvature: np.ndarray, least: float, tol: float
    ) -> None:
        self._objective, self._penalty, self._least, self._tol = objective, penalty, least, tol
        self._whole, self._at_zero = ProximalNewton(objective, penalty), float(objective.origin().value)
        self._orthants = Orthants(objective, penalty, curvature)
        self._factor, self._near = 1.0, False

    def minimise(self, max_iter: int) -> Solution[Point]:
        """From zero, and back to it where a step fails before the optimum is near: from there others do not get on.

        Not where no step would be left to take from zero.
        """
        start = here = self._whole.weighed(self._objective.origin(), 1.0)
        most = min(max_iter, _STEPS)
        for n_iter in range(most + 1):
            self._objective.report(partial(self._certified, here))
            if self._gap(here) <= self._tol * self._measure(here.value):
                here = self._settled(here)
                point = self._certified(here)
                if point.excess <= self._tol:
                    return Solution(point, Status.PROVEN, n_iter)
            if n_iter == most:
                break
            there = self._next(here)
            if there is None:
                last = (start, n_iter + 1) if not self._near and n_iter + 1 < max_iter else (here, n_iter)
                return Solution(self._certified(last[0]), Status.LINE_SEARCH, last[1])
            here = there
        return Solution(self._certified(here), Status.MAX_ITER, most)

    def _next(self, here: At) -> At | None:
        """The first point on the way of a step that lowers F with the kinks aimed at; None where that is no use."""
        objective, penalty, measure = self._objective, self._penalty, self._measure(here.value)
        self._factor = aimed(penalty, here.u, self._tol * measure)
        room = float(room_of(penalty, self._factor, self._tol * measure).min())
        model = OrthantModel(self._orthants, here.point, self._factor, room)
        useful = model.minimise(measure, self._tol)
        # No step can gain more than losses are above their infimum. Where one promises it, classes can nearly be
        # separated, and next to nothing holds the coefficients; if squares do, it is shortened.
        held = model.first or penalty.smooth_conjugate or -_HALF * model.slope <= here.value - self._least
        if not (useful and held):
            return None
        self._near = self._near or model.last
        value, t = float(here.point.value) + penalty.value(here.u, self._factor), 1.0
        if model.first:
            full = objective.evaluate(here.point.theta + model.step)
            t = objective.length_to_minimum(here.point, model.step, full=full, beyond=True) or 1.0
            t = min(max(t, 1.0), _LONGEST)
        for part, reach in _WAYS:
            theta = here.point.theta + part * t * model.step
            W = objective.by_class(theta)
            columns = model.changing(W)
            if len(columns):
                W[:, columns] = model.near(W, columns, reach)
            there = self._whole.weighed(objective.evaluate(theta), 1.0)
            found = float(there.point.value) + penalty.value(there.u, self._factor)
            if found <= value + _SUFFICIENT * part * t * model.slope + _ROUNDING * abs(value):
                whole = model.last and part == t == 1.0 and not len(columns)
                return self._proven(here, there) if whole else there
        return None

    def _proven(self, before: At, here: At) -> At:
        """The end of a whole step with its dual variables, where these prove enough."""
        objective, here = self._objective, self._settled(here)
        enough, start, end = self._tol * self._measure(here.value), before.point, here.point
        assert isinstance(start, JointPoint)
        assert isinstance(end, JointPoint)
        lower, combined, rounding = dual_of_step(objective, start, end, enough)
        slack = above(float(end.value), lower + float(combined @ end.theta), rounding=True) + rounding
        dual = Dual(JointPoint(objective, end.theta, intercept_minimised=True, gradient=combined), slack)
        return here._replace(dual=dual) if self._whole.proven_by(here, dual, self._least) <= enough else here

    def _settled(self, here: At) -> At:
        """The same with intercepts at their minimum."""
        if here.point.intercept_minimised:
            return here
        return self._whole.weighed(self._objective.minimise_intercept(here.point, 0.0, 0.0), 1.0)

    def _certified(self, here: At) -> Point:
        return certified(self._whole, self._settled(here), self._least, self._at_zero, provable=True)

    def _gap(self, here: At) -> float:
        """About what is proven once intercepts are at their minimum."""
        if here.dual is not None:
            return 0.0
        above_least = max(float(here.point.value) - self._least, 0.0)
        g = self._whole.slopes(here.point)
        t, total = self._penalty.proof(here.u, g, np.zeros(len(g)), above_least)
        return total + (1.0 - t) * above_least

    def _measure(self, value: float) -> float:
        """What tol is relative to."""
        gained = self._at_zero - value
        return max(min(abs(value), gained) if gained > 0.0 else abs(value), np.finfo(float).tiny)
