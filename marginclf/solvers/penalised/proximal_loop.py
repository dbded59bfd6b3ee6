"""Proximal Newton steps in one compiled loop, for two classes and little data: a step is over before Python asks."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ...objective import BinaryPoint, NonsmoothPenalty, Point, few_operations
from ..solution import Solution, Status
from .compiled_steps import CompiledSteps
from .proximal_proof import certified, clipped
from .proximal_step import ProximalNewton

_CURVED = 0.25
"""Curvature in b, relative to the sum of slopes, above which its minimum is no interval: it would have a midpoint."""


def proximal_loop(
    objective: Any,
    penalty: NonsmoothPenalty,
    theta: np.ndarray,
    *,
    least: float,
    tol: float,
    max_iter: int,
    provable: bool = True,
) -> Solution[Point] | None:
    """Minimise losses and a penalty with kinks, as :func:`.proximal_newton` does.

    None where it is not for an objective. Where the solution is not proven, another method can go on from there.
    """
    small = objective.n_outputs == 1 and objective.offset is None and few_operations(*objective.matrix.shape)
    if not (small and provable and penalty.holds_zero):
        return None
    if (penalty.bounded and penalty.grouped) or penalty.unpenalised.any():
        return None
    return _Loop(objective, penalty, clipped(objective, penalty, theta), least, tol).minimise(max_iter)


class _Loop:
    """Steps of one minimisation."""

    def __init__(self, objective: Any, penalty: NonsmoothPenalty, theta: np.ndarray, least: float, tol: float) -> None:
        at_zero = float(objective.origin().value) if theta[:-1].any() else math.nan
        self._steps = CompiledSteps(objective, objective.matrix, penalty, theta, least=least, at_zero=at_zero)
        self._objective, self._least, self._tol = objective, least, tol
        self._whole = ProximalNewton(objective, penalty)

    def minimise(self, max_iter: int) -> Solution[Point]:
        """Somebody who watches sees every step."""
        objective, steps, n_iter, watched = self._objective, self._steps, 0, self._objective.monitor is not None
        if watched:
            steps.take(self._tol, 0)
            point = self._point()
            objective.report(lambda: point)
        while True:
            n_iter += steps.take(self._tol, 1 if watched else max_iter)
            point = self._point()
            if watched:
                objective.report(lambda point=point: point)
            if point.excess <= self._tol:
                return Solution(point, Status.PROVEN, n_iter)
            if steps.proven or steps.stuck or not math.isfinite(point.value):
                return Solution(point, Status.LINE_SEARCH, n_iter)
            if n_iter >= max_iter:
                return Solution(point, Status.MAX_ITER, n_iter)

    def _point(self) -> Point:
        """The last one, with what is proven of it."""
        objective, steps = self._objective, self._steps
        theta, (slope, curvature, scale) = steps.theta.copy(), steps.in_b
        if objective.fit_intercept and curvature <= _CURVED * scale:
            point = objective.at(theta)
        else:
            gradient = np.append(steps.in_w, slope if objective.fit_intercept else 0.0)
            known = {"value": steps.losses, "gradient": gradient, "curvature": curvature}
            point = BinaryPoint(objective, theta, intercept_minimised=True, **known)
        return certified(self._whole, self._whole.weighed(point, 1.0), self._least, steps.at_zero, provable=True)
