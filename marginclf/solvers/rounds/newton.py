"""Newton's method with one round for each point: value, gradient and Hessian come back together."""

from __future__ import annotations

import numpy as np

from ...objective import PartitionedObjective, PartitionedPoint, shortened, with_penalty
from ..convergence import MUCH
from ..solution import Solution, Status
from .proof import bound, excess, mean_of, settled, verdict
from .system import solved

_SUFFICIENT = 1e-4
_SEARCHES = 8
_LONGEST = 1e3
_LENGTHS = 0.6 ** np.arange(1, 13)
"""Of shorter steps that one round looks at."""

_LAST = 1e-12
"""Relative decrement whose step is the last, and needs no Hessian: what it leaves is about the square of that."""

_LAST_OF_SAMPLE = 1e-10
"""The same where the Hessian is one of sampled rows, whose steps leave about a hundredth."""

_PROGRESS = 0.1
"""Part of a decrement that a step should leave at most, by a Hessian of sampled rows."""

_ROUNDING = 1e-14
_PATIENCE = 4
"""Iterations after which it is asked whether the classes are separated, where nothing holds the coefficients."""


def newton_by_rounds(
    objective: PartitionedObjective, theta: np.ndarray, *, tol: float, max_iter: int
) -> Solution[PartitionedPoint]:
    """Minimise an objective; it need not be convex.

    Parameters
    ----------
    objective : PartitionedObjective
        F.
    theta : ndarray of shape (K, d + 1)
        Where to start; zero is taken instead where that is not finite.
    tol : float
        Relative suboptimality at which to stop. Where it is proven and a step more gains digits, that step is taken.
    max_iter : int
        Largest number of iterations.
    """
    before = np.inf
    point = first_point(objective, theta, "all")
    for n_iter in range(max_iter + 1):
        sampled = objective.problem.stride > 1
        assert point.hessian is not None
        hessian = with_penalty(point.hessian, len(theta), objective.problem.penalty)
        point.bound = bound(objective, point, hessian, tol)
        if sampled and not point.excess <= tol and excess(point) <= tol:
            # All but the intercepts are there, and those follow a sampled Hessian more slowly.
            point = settled(objective, point, tol, mean_of(hessian, *theta.shape))
        objective.report(lambda: point)  # noqa: B023 (called at once)
        step, decrement = newton_step(objective, point, hessian)
        last = point.unreached(decrement) <= (_LAST_OF_SAMPLE if sampled else _LAST)
        looks = n_iter >= _PATIENCE
        proven = point.excess <= tol
        status = Status.PROVEN if proven else verdict(objective, point, step, decrement, tol, looks=looks)
        if status is Status.SEPARABLE:
            # Leave the coefficients where they separate.
            further = objective.evaluate(point.theta + _length_to_separate(objective, point, step) * step)
            return Solution(further if further.finite and further.value < point.value else point, status, n_iter + 1)
        # What is not proven yet may be after a step more, though it cannot be seen in F.
        unproven = objective.provable and status is Status.LIMIT_OF_PRECISION
        if status is not None and (not status.converged or (last and not unproven)):
            return Solution(point, status, n_iter)
        if n_iter == max_iter:
            return Solution(point, status or Status.MAX_ITER, n_iter)
        if sampled and n_iter and decrement > _PROGRESS * before:
            # Rows that differ so much are not told by a few of them.
            objective = objective.with_stride(max(1, objective.problem.stride // 4))
        before = decrement
        final = last and (unproven or not objective.provable)
        trial = downhill(objective, point, step, decrement, "" if final else "all")
        if trial is None:
            # Rounding of F hides what is left to gain, or no step gains.
            lost = point.relative(decrement) <= _ROUNDING and 0.0 <= decrement <= MUCH * point.gain
            return Solution(point, status or (Status.LIMIT_OF_PRECISION if lost else Status.LINE_SEARCH), n_iter)
        if final:
            trial.bound = bound(objective, trial, hessian, tol)
            if objective.provable:
                best = min(trial, point, key=lambda p: p.excess)
                return Solution(best, Status.PROVEN if best.excess <= tol else Status.LIMIT_OF_PRECISION, n_iter + 1)
            ended = verdict(objective, trial, step, decrement, tol) or Status.LIMIT_OF_PRECISION
            return Solution(trial, ended, n_iter + 1)
        point = trial
    raise AssertionError("unreachable")


def _length_to_separate(objective: PartitionedObjective, point: PartitionedPoint, step: np.ndarray) -> float:
    """Of a step along which classes are separated, or from a point that separates them."""
    steps = objective.reach(point.theta, step)["steps"]
    return 1.5 * max(1.0, steps) if np.isfinite(steps) and steps < _LONGEST else 1.0


def first_point(objective: PartitionedObjective, theta: np.ndarray, curvature: str) -> PartitionedPoint:
    """The point where to start, or zero where that overflows."""
    point = objective.evaluate(theta, curvature)
    if not point.finite and theta.any():
        point = objective.evaluate(np.zeros_like(theta), curvature)
    if not point.finite:
        raise OverflowError("the objective or its gradient overflows")
    return point


def newton_step(
    objective: PartitionedObjective, point: PartitionedPoint, hessian: np.ndarray
) -> tuple[np.ndarray, float]:
    """−H⁻¹g, with H's curvatures made positive, and its decrement ½ gᵀH⁻¹g."""
    k, size = point.theta.shape
    free = np.ones((k, size), dtype=bool)
    free[:, -1] = objective.problem.fit_intercept
    chosen = free.ravel()
    if not np.isfinite(hessian).all():
        raise OverflowError("the Hessian overflows")
    step = np.zeros(k * size)
    step[chosen] = solved(
        hessian[np.ix_(chosen, chosen)], -point.gradient.ravel()[chosen], strict=not objective.problem.penalty
    )
    step = step.reshape(k, size)
    longest, in_b = float(np.abs(step[:, -1]).max()), shortened(step[:, -1], point.theta[:, -1])
    if objective.problem.loss.convex and longest > 0.0:
        # All of it, since it is downhill as a whole.
        step *= float(np.abs(in_b).max()) / longest
    else:
        step[:, -1] = in_b
    if k > 1:
        step[:, -1] -= step[:, -1].mean()
    return step, -0.5 * float(point.gradient.ravel() @ step.ravel())


def downhill(
    objective: PartitionedObjective, point: PartitionedPoint, step: np.ndarray, decrement: float, curvature: str
) -> PartitionedPoint | None:
    """A point along the step that is lower, the full step first; None where there is none.

    Where the full step is too long, one round looks at many shorter ones, and the next goes to the best of them.
    """
    slope = -2.0 * decrement
    rounding = _ROUNDING * abs(point.value)
    trial = objective.evaluate(point.theta + step, curvature)
    if trial.finite and trial.value <= point.value + _SUFFICIENT * slope + rounding:
        return trial
    longest = 1.0
    for _ in range(_SEARCHES):
        if longest * decrement <= rounding:
            return None
        t = longest * _LENGTHS
        values, slopes = objective.along(point.theta, step, t)
        lower = np.isfinite(values) & (values <= point.value + _SUFFICIENT * t * slope)
        if lower.any():
            trial = objective.evaluate(point.theta + _lowest(t, values, slopes, lower) * step, curvature)
            if trial.finite and trial.value < point.value:
                return trial
        longest = t[-1]
    return None


def _lowest(t: np.ndarray, values: np.ndarray, slopes: np.ndarray, lower: np.ndarray) -> float:
    """Where F is lowest along a step, from its values and slopes at decreasing lengths."""
    best = int(np.where(lower, values, np.inf).argmin())
    # The zero of the slope is between the best one and its neighbour on the side to which F falls.
    other = best - 1 if slopes[best] < 0.0 else best + 1
    if not 0 <= other < len(t) or not slopes[best] * slopes[other] < 0.0:
        return float(t[best])
    share = slopes[best] / (slopes[best] - slopes[other])
    return float(t[best] + share * (t[other] - t[best]))
