"""Proximal Newton steps in one compiled loop, for two classes and little data: a step is over before Python asks."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ...kernels import proximal_steps as kernel
from ...kernels.gram import gram_scratch, gram_totals
from ...objective import BinaryPoint, NonsmoothPenalty, Point, few_operations
from ..solution import Solution, Status
from .proximal_proof import certified
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
    if not (small and provable) or penalty.bounded or penalty.unpenalised.any():
        return None
    return _Loop(objective, penalty, theta, least, tol).minimise(max_iter)


class _Loop:
    """Steps of one minimisation; what has been done is remembered from call to call."""

    def __init__(self, objective: Any, penalty: NonsmoothPenalty, theta: np.ndarray, least: float, tol: float) -> None:
        n, d = objective.matrix.shape
        self._objective, self._penalty, self._theta, self._least, self._tol = objective, penalty, theta, least, tol
        self._theta = theta.copy()
        self._rows, self._columns = np.empty((3, n)), np.empty((13, d + 1))
        self._gram, self._hessians, self._members = gram_scratch(d), gram_totals(3, d), np.empty(d, dtype=np.int64)
        self._state = np.zeros(kernel.IDLE + 1)
        self._state[kernel.AT_ZERO] = float(objective.origin().value) if theta[:-1].any() else math.nan
        self._whole = ProximalNewton(objective, penalty)

    def minimise(self, max_iter: int) -> Solution[Point]:
        """Somebody who watches sees every step."""
        objective, n_iter, watched = self._objective, 0, self._objective.monitor is not None
        if watched:
            point = self._take(0)
            objective.report(lambda: point)
        while True:
            point = self._take(1 if watched else max_iter)
            n_iter += int(self._state[kernel.STEPS])
            if watched:
                objective.report(lambda point=point: point)
            if point.excess <= self._tol:
                return Solution(point, Status.PROVEN, n_iter)
            if self._state[kernel.PROVEN] or self._state[kernel.STUCK] or not math.isfinite(point.value):
                return Solution(point, Status.LINE_SEARCH, n_iter)
            if n_iter >= max_iter:
                return Solution(point, Status.MAX_ITER, n_iter)

    def _take(self, most: int) -> Point:
        """Up to so many steps."""
        objective, penalty, state = self._objective, self._penalty, self._state
        rows = objective.matrix.rows
        address, parameters, _ = objective.compiled
        kernel.proximal_steps(
            rows["forward"], rows["backward"], rows["copy"], objective.v, self._theta, objective.fit_intercept,
            penalty.order, penalty.starts, penalty.kink, penalty.quadratic, penalty.lower, penalty.upper, address,
            parameters, self._least, self._tol, most, self._rows, self._columns, objective.work, self._gram,
            self._hessians, self._members, state,
        )  # fmt: skip
        objective.matrix.passes += int(state[kernel.PASSES])
        loss, slope, curvature, scale = (float(x) for x in state[: kernel.SCALE + 1])
        theta = self._theta.copy()
        if objective.fit_intercept and curvature <= _CURVED * scale:
            point = objective.at(theta)
        else:
            gradient = self._columns[0].copy()
            gradient[-1] = slope if objective.fit_intercept else 0.0
            known = {"value": loss, "gradient": gradient, "curvature": curvature}
            point = BinaryPoint(objective, theta, intercept_minimised=True, **known)
        at_zero = float(state[kernel.AT_ZERO])
        return certified(self._whole, self._whole.weighed(point, 1.0), self._least, at_zero, provable=True)
