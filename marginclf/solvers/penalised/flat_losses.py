"""Smooth losses that are flat beyond a margin, beside a penalty with kinks and bounds.

Few rows are curved, beside a large C hardly more than coefficients are not zero, and other ones from step to step:
Newton steps may lead nowhere. Interior points do not know such rows; where they are not for a problem, steps begin
again from the optimum of a stronger penalty, from which each takes few.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from ...objective import NonsmoothPenalty, Point
from ..solution import Solution, Status
from .interior_sets import by_interior_point, lines_of
from .proximal_proof import least_of

_PATIENCE, _FAR, _ROWS_EACH = ((10, 3e8), (25, 3e9), (100, math.inf)), 0.3, 2.5
"""Steps, and operations of one of interior points up to which it is asked after these whether they are better; the gap
beside F from which on they are, and rows with curvature for each coefficient up to which."""

_STRONGER, _ON_THE_WAY = (1e6, 1e5, 1e4, 1e3, 1e2, 1e1), 1e-4
"""By how many times stronger penalties are begun with, and to which tol."""

_UNENDED = Status.MAX_ITER, Status.LINE_SEARCH


def minimise_flat(
    by_steps: Callable[..., Solution[Point]],
    objective: Any,
    penalty: NonsmoothPenalty,
    theta: np.ndarray,
    *,
    least: float,
    tol: float,
    max_iter: int,
) -> Solution[Point]:
    """Minimise losses and a penalty with kinks and bounds, of which there is one.

    Parameters
    ----------
    by_steps : callable
        Newton steps, with the following arguments.
    objective, penalty, theta, least, tol, max_iter
        As of :func:`~.proximal_newton.proximal_newton`.
    """
    best: Any = None
    start, spent = theta, 0
    how: dict[str, Any] = {"least": least, "tol": tol}
    suits = lines_of(objective, penalty) is not None
    for patience, dear in _PATIENCE if suits else _PATIENCE[-1:]:
        found = by_steps(objective, penalty, theta, max_iter=min(patience, max_iter) - spent, **how)
        spent, (best, _) = spent + found.n_iter, least_of(best, found.point)
        theta, stuck = found.point.theta, found.status is Status.LINE_SEARCH
        if found.status not in _UNENDED or spent >= max_iter:
            return _ended(best, found, spent, tol)
        if suits and (stuck or math.isinf(dear) or _wanders(objective, found.point, dear)):
            end = by_interior_point(objective, penalty, least, tol=tol, max_iter=max_iter - spent, near=theta)
            if end is not None:
                spent, (best, _) = spent + end.n_iter, least_of(best, end.point)
                theta = best.theta
                if best.excess <= tol:
                    return Solution(best, Status.PROVEN, spent)
            break
    if spent >= max_iter:
        return Solution(best, Status.MAX_ITER, spent)
    if math.isfinite(best.bound) and best.bound <= _FAR * abs(best.value):
        last = by_steps(objective, penalty, theta, max_iter=min(_PATIENCE[-1][0], max_iter - spent), **how)
        spent, (best, _) = spent + last.n_iter, least_of(best, last.point)
        if last.status not in _UNENDED or best.excess <= tol or spent >= max_iter:
            return _ended(best, last, spent, tol)
    last = _from_stronger(by_steps, objective, penalty, start, max_iter=max_iter - spent, **how)
    if last.status is Status.LIMIT_OF_PRECISION and not last.point.value <= best.value:
        last = Solution(last.point, found.status, last.n_iter)
    best, _ = least_of(best, last.point)
    return _ended(best, last, spent + last.n_iter, tol)


def _ended(best: Point, last: Solution[Point], spent: int, tol: float) -> Solution[Point]:
    """The best of all points, or the last where that alone is proven: to put two proofs together costs rounding."""
    if best.excess <= tol:
        return Solution(best, Status.PROVEN, spent)
    return Solution(last.point if last.status is Status.PROVEN else best, last.status, spent)


def _wanders(objective: Any, point: Point, dear: float) -> bool:
    """Whether so few rows are curved that they are other ones from step to step, and interior points are cheap."""
    (n, _), m = objective.matrix.shape, np.count_nonzero(point.coefficients)
    if not (point.bound > _FAR * abs(point.value) and n * m * min(n, m) <= dear):
        return False
    *_, c = objective.matrix.pointwise(objective.compiled, objective.v, objective.decisions(point.theta), point.b[0])
    return bool(np.count_nonzero(c) <= _ROWS_EACH * m)


def _from_stronger(
    by_steps: Callable[..., Solution[Point]],
    objective: Any,
    penalty: NonsmoothPenalty,
    theta: np.ndarray,
    *,
    least: float,
    tol: float,
    max_iter: int,
) -> Solution[Point]:
    """Steps from the optima of stronger penalties."""
    spent, watched = 0, objective.monitor
    objective.monitor = None  # F of a stronger penalty is not the one that is watched
    try:
        for factor in _STRONGER:
            most = min(_PATIENCE[-1][0], max_iter - spent - 1)
            if most > 0:
                stronger = penalty.multiplied(factor)
                found = by_steps(objective, stronger, theta, least=least, tol=_ON_THE_WAY, max_iter=most)
                spent, theta = spent + found.n_iter, found.point.theta
    finally:
        objective.monitor = watched
    last = by_steps(objective, penalty, theta, least=least, tol=tol, max_iter=max(max_iter - spent, 1))
    return Solution(last.point, last.status, spent + last.n_iter)
