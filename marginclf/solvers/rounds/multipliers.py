"""The augmented Lagrangian of :mod:`marginclf.solvers.augmented_lagrangian`, its multipliers where the rows are.

A round of the smooth problem also brings what its new multipliers would leave of the duality gap, so that nothing but
their own update is a round of its own.
"""

from __future__ import annotations

import math

import numpy as np

from ...matrix.parts import Part
from ...objective import PartitionedObjective, PartitionedPoint, by_duality, gain, with_penalty
from ..augmented_lagrangian import ENOUGH, NARROWER, NARROWEST, SEEN_LESS, WIDEST
from ..solution import Solution, Status
from .kinks import KinkRows
from .lbfgs import lbfgs_by_rounds
from .newton import downhill, first_point, newton_step

_FEW, _ROUNDS = 8, 3
_HALF = 0.5
_ROUNDS_LONG, _SOME = 10, 0.9
"""The same for L-BFGS, and the part of the gap that counts as less then."""

_BEYOND = 1e-10
"""Relative gap to which it goes on after tol: objectives are then the same as in memory."""

_NARROWEST_LONG = 1e-2
"""Where L-BFGS solves the smooth problems: what a narrow zone gains, it loses by its curvature."""

_INNER, _LOOSE = 100, 0.1
"""Iterations of L-BFGS for one smooth problem, and its tolerance as a part of the gap."""


def multipliers_by_rounds(
    objective: PartitionedObjective,
    theta: np.ndarray,
    sample: Part | None = None,
    *,
    factored: bool,
    tol: float,
    max_iter: int,
) -> Solution[PartitionedPoint]:
    """Minimise an objective whose loss has a kink; see :func:`~.newton.newton_by_rounds` for the parameters.

    ``factored`` says whether the smooth problems are solved by Newton's method or by L-BFGS. Of a binary problem, as
    soon as a ``sample`` shows that few enough rows are left near the kink, these end it (:mod:`.kinks`).
    """
    near = KinkRows(objective, sample) if sample is not None and objective.problem.positive is not None else None
    moved = near.first_reach if near is not None else np.inf
    gamma, idle, n_iter, bound = WIDEST, 0, 0, -np.inf
    best: PartitionedPoint | None = None
    objective.set_multipliers(None)
    goal, patience = (min(tol, _BEYOND), _ROUNDS) if factored else (tol, _ROUNDS_LONG)
    while True:
        last = np.inf if best is None else best.excess
        if near is not None and moved <= near.reach(theta) and n_iter < max_iter:
            end = near.attempt(theta, moved, goal, max_iter - n_iter)
            n_iter, bound = n_iter + end.rounds, max(bound, end.bound)
            best = _better(objective, best, end.point, bound)
            objective.report(lambda: best)  # noqa: B023 (called at once)
            if best.excess <= tol:
                return Solution(best, Status.PROVEN, n_iter)
            theta = best.theta
        smooth = objective.with_width(gamma)
        before = theta
        if factored:
            point, steps = _newton(smooth, theta, max_iter - n_iter)
        else:
            enough = _LOOSE * min(last, 0.1)
            found = lbfgs_by_rounds(smooth, theta, tol=enough, max_iter=max(1, min(_INNER, max_iter - n_iter)))
            point, steps = found.point, found.n_iter
        n_iter += steps
        theta = point.theta
        gap = _gap(point)
        point.value = point.loss_value
        point.gain = gain(
            objective.at_zero, point.value, by_duality(0.5 * float((theta[:, :-1] ** 2).sum()), _miss(point), gap)
        )
        bound = max(bound, point.value - gap)
        best = _better(objective, best, point, bound)
        objective.report(lambda: best)  # noqa: B023 (called at once)
        left = best.excess
        better = np.isfinite(left) and left <= (_HALF if factored else _SOME) * last
        idle = 0 if better else idle + 1
        # A step more is cheap where few were needed; where many were, the end is near.
        if left <= goal or (left <= tol and (not better or steps > _FEW)):
            return Solution(best, Status.PROVEN, n_iter)
        if n_iter >= max_iter or idle >= patience:
            stuck = Status.LIMIT_OF_PRECISION if best.suboptimality <= tol else Status.LINE_SEARCH
            return Solution(best, stuck if idle >= patience else Status.MAX_ITER, n_iter)
        smooth.set_multipliers(theta)
        if near is not None:
            moved = near.moved(before, theta)
        if steps <= (_FEW if factored else _INNER // 2):
            gamma = max(gamma * NARROWER, NARROWEST if factored else _NARROWEST_LONG)


def _better(
    objective: PartitionedObjective, best: PartitionedPoint | None, point: PartitionedPoint, bound: float
) -> PartitionedPoint:
    """The lower of two points, with what a bound on F from below proves of it."""
    if not np.isfinite(point.gain):
        point.gain = gain(objective.at_zero, point.value, 0.0)
    if best is None or point.value < best.value or not np.isfinite(best.value):
        best = point
    # Rounding: of the sum, and of decision values, in which offsets of the columns cancel against the intercept.
    offset = float(np.abs(best.b).max()) * objective.problem.loss.lipschitz * objective.total
    gap = max(best.value - bound, 1e-15 * abs(best.value)) + np.finfo(float).eps * offset
    best.bound = gap if np.isfinite(bound) else np.inf
    return best


def _newton(smooth: PartitionedObjective, theta: np.ndarray, max_iter: int) -> tuple[PartitionedPoint, int]:
    """The smooth problem, as accurately as its multipliers are wrong."""
    point, steps = first_point(smooth, theta, "all"), 0
    while steps < max_iter:
        assert point.hessian is not None
        hessian = with_penalty(point.hessian, len(theta), smooth.problem.penalty)
        if steps and _miss(point) + _imbalance(point) <= ENOUGH * point.slack:
            break
        step, decrement = newton_step(smooth, point, hessian)
        trial = downhill(smooth, point, step, decrement, "all")
        steps += 1
        if trial is None:
            break
        fall, before, point = point.value - trial.value, _miss(point), trial
        # Where F shows no fall, the gradient may.
        if not fall > 1e-15 * abs(point.value) and not _miss(point) < SEEN_LESS * before:
            break
    return point, steps


def _gap(point: PartitionedPoint) -> float:
    """The duality gap at a point of the smooth problem."""
    amount = max(point.slack, 0.0) + _miss(point) + _imbalance(point)
    return amount if math.isfinite(amount) else math.inf


def _miss(point: PartitionedPoint) -> float:
    in_w = point.gradient[:, :-1].ravel()
    return 0.5 * float(in_w @ in_w)


def _imbalance(point: PartitionedPoint) -> float:
    """What the gap may hide because Σ α is not quite zero."""
    slope = float(np.abs(point.gradient[:, -1]).sum())
    return slope * (float(np.abs(point.b).max()) + point.reach)
