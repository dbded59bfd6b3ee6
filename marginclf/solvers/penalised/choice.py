"""Which solver a penalty with kinks and bounds gets: by what the loss is."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from typing import Any

import numpy as np

from ...objective import NonsmoothPenalty, Point, StopFit, fenchel_young, few_operations, rounding_of_proof
from ..convergence import UNREPRESENTABLE
from ..solution import Solution, Status
from .dense_columns import minimise_dense
from .flat_losses import minimise_flat
from .interior_sets import by_interior_point
from .orthant_newton import orthant_newton
from .proximal_loop import proximal_loop
from .proximal_newton import proximal_newton
from .proximal_proof import certified, clipped, least_of
from .proximal_step import ProximalNewton
from .quasi_newton import quasi_newton

_WIDEST, _NARROWEST, _NARROWER = 1.0, 1e-7, 0.125
"""Moreau parameter at the start, at the end, and from round to round."""

_AFTER = 1e-3
"""That at the start where an interior point has been found already."""

_PRECISE = 1e-12
"""Relative gap of the end of an interior point which is that of rounding, where coefficients gain next to nothing."""

_TALL, _GAINS = 200, 0.1
"""Rows for each column from which on an interior point is asked for only once a round leaves such a part of the gap:
25,000 × 10 takes five rounds, or twice as long."""

_FEW = 8
"""Steps in a round up to which the next is narrower."""

_ENOUGH, _LEAST, _BELOW = 0.03, 1e-13, 0.01
"""Part of the gap, and of what it was before, to which a smooth problem is solved; and the least, relative to F and to
tol."""

_MANY, _WORTH = 1000, 0.8
"""Columns from which on it is asked which can have coefficients, and the part of them that is worth a copy."""

_HALF, _IDLE = 0.5, 6
"""Part of the gap that a round has to leave to be progress, and rounds without."""


def solve_penalised(
    objective: Any,
    penalty: NonsmoothPenalty,
    theta: np.ndarray,
    *,
    tol: float,
    max_iter: int,
    provable: bool,
    screen: bool = True,
) -> Solution[Point]:
    """Minimise losses and a penalty with kinks and bounds.

    Parameters
    ----------
    objective : Objective
        The losses, convex, without a penalty.
    penalty : NonsmoothPenalty
        What is added to them.
    theta : ndarray
        Where to start.
    tol : float
        Relative suboptimality at which to stop.
    max_iter : int
        Largest number of Newton steps.
    provable : bool
        Whether there is a penalty at all.
    screen : bool, default=True
        Whether columns that cannot have coefficients may be left out of the point that is returned.

    Raises
    ------
    OverflowError
        If the losses or their gradient overflow.
    """
    how: dict[str, Any] = {"tol": tol, "max_iter": max_iter}
    kept = _screened(objective, penalty, theta) if screen else None
    if kept is not None:
        start = objective.by_class(theta)[:, kept]
        few = objective.columns(kept)
        widened = _Widened(objective, few, kept)
        few.monitor = widened if objective.monitor is not None else None
        found = solve_penalised(
            few, penalty.restricted(kept), few.theta(start, objective.b(theta)), provable=provable, screen=False, **how
        )
        return Solution(widened.point(found.point), found.status, found.n_iter)
    least = objective.loss.infimum() * objective.total if not objective.loss.affine else 0.0
    try:
        if objective.loss.affine:
            return closed(objective, penalty)
        if objective.loss.smooth:
            solution = _smooth(objective, penalty, theta, least=least, provable=provable, **how)
        else:
            solution = _multipliers(objective, penalty, theta, least, **how)
    except StopFit as stop:
        solution = Solution(stop.point, Status.STOPPED, stop.n_iter)
    if not (np.isfinite(solution.point.value) and np.isfinite(solution.point.theta).all()):
        raise OverflowError("the solution overflows")
    return solution


def _smooth(
    objective: Any, penalty: NonsmoothPenalty, theta: np.ndarray, *, provable: bool, **how: Any
) -> Solution[Point]:
    """A loss without a kink."""
    if provable and not objective.curved:
        found = minimise_flat(_by_steps, objective, penalty, theta, **how)
        objective.report(lambda: found.point)  # of several attempts, the last may not have been the best
        return found
    return _by_steps(objective, penalty, theta, provable=provable, **how)


def _by_steps(
    objective: Any, penalty: NonsmoothPenalty, theta: np.ndarray, *, max_iter: int, **how: Any
) -> Solution[Point]:
    """Newton steps, and quasi-Newton ones."""
    spent = 0
    found = proximal_loop(objective, penalty, theta, max_iter=max_iter, **how)
    if objective.n_outputs > 1:
        found = orthant_newton(objective, penalty, theta, max_iter=max_iter, **how)
    elif found is None and not few_operations(*objective.matrix.shape):
        found = quasi_newton(objective, penalty, theta, max_iter=max_iter, **how)
    if found is not None:
        if found.status is Status.PROVEN or found.n_iter >= max_iter:
            return found if found.status is Status.PROVEN else Solution(found.point, Status.MAX_ITER, found.n_iter)
        theta, spent = found.point.theta, found.n_iter
    last = minimise_dense(objective, penalty, theta, max_iter=max_iter - spent, **how)
    return Solution(last.point, last.status, spent + last.n_iter)


def _screened(objective: Any, penalty: NonsmoothPenalty, theta: np.ndarray) -> np.ndarray | None:
    """The columns that may have coefficients at the optimum, where a look at all slopes rules most of the others out.

    The slopes of a row are within those of the loss, from 0 where it never increases: that of a column is at most what
    its rows add to it of one sign.
    """
    matrix, loss = objective.matrix, objective.loss
    d, slope = matrix.shape[1], -loss.slope_bounds()[0]
    wanted = matrix.sparse and d >= _MANY
    if not (wanted and np.isfinite(slope) and penalty.holds_zero and loss.increases_at() is None):
        return None
    if objective.by_class(theta).any():  # a warm start, which knows better
        return None
    with np.errstate(over="ignore"):
        most = slope * _largest_sums(objective)
    block = penalty.norms(penalty.vector(most))
    may = ~(block < penalty.kink)
    if not penalty.in_order:
        unit = np.zeros(int(penalty.unit.max()) + 1, dtype=bool)
        np.logical_or.at(unit, penalty.unit, may)
        may = unit[penalty.unit_of_column]
    kept = np.flatnonzero(may)
    return kept if len(kept) <= _WORTH * d else None


def _largest_sums(objective: Any) -> np.ndarray:
    """The most that the slopes of a column can be where those of the rows are 1 at most, of shape (K, d)."""
    matrix = objective.matrix
    if objective.n_outputs == 1:
        return np.array([matrix.largest_products(objective.v)])
    codes, weights = objective.passes.codes, objective.row_weights
    classes = range(objective.n_outputs)
    return np.array([matrix.largest_products(np.where(codes == k, weights, -weights)) for k in classes])


class _Widened:
    """Points of the columns that are left, as points of all; who watches the fit sees those.

    Parameters
    ----------
    objective, few : Objective
        Of all columns, and of some.
    kept : ndarray of int
        Which.
    """

    def __init__(self, objective: Any, few: Any, kept: np.ndarray) -> None:
        self._objective, self._few, self._kept = objective, few, kept
        self._passes, self._last = objective.matrix.passes, (None, None)

    def point(self, point: Any) -> Any:
        """A point with zeros in the other columns; θ of the same θ is the same."""
        if point.theta is not self._last[0]:
            W = np.zeros((len(point.coefficients), self._objective.n_features))
            W[:, self._kept] = point.coefficients
            self._last = point.theta, self._objective.theta(W, point.b)
        known = {name: getattr(point, name) for name in ("value", "bound", "gain")}
        return self._objective.known(self._last[1], **known)

    @property
    def n_iter(self) -> int:
        """As of the one who watches."""
        return int(getattr(self._objective.monitor, "n_iter", 0))

    def __call__(self, iterate: Callable[[], Any]) -> bool:
        self._objective.matrix.passes = self._passes + self._few.matrix.passes
        return bool(self._objective.monitor(lambda: self.point(iterate())))


def closed(objective: Any, penalty: NonsmoothPenalty) -> Solution[Point]:
    """A loss that is a straight line: each coefficient by itself, where its penalty or its bounds hold it."""
    point = objective.evaluate(objective.zeros())
    g = -penalty.vector(objective.by_class(point.gradient))
    kink = np.repeat(penalty.kink, penalty.sizes)
    left = np.sign(g) * np.maximum(np.abs(g) - kink, 0.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        u = np.where(left == 0.0, 0.0, left / penalty.quadratic)
    W = penalty.matrix(penalty.clipped(u))
    whole = ProximalNewton(objective, penalty)
    here = whole.at(objective.theta(W, 0.0))
    point = copy.copy(here.point)
    point.__dict__.update(value=here.value, bound=4.0 * math.ulp(abs(here.value)), gain=math.inf)
    return Solution(point, Status.PROVEN, 1)


def _ended(objective: Any, penalty: NonsmoothPenalty, point: Any, least: float, tol: float, status: Status) -> Status:
    """A status, unless the point is optimal to rounding.

    Where features of weight 0 separate the classes, F is 0 to the rounding of the margins, and no bound is little
    beside it.
    """
    u = penalty.vector(objective.by_class(point.theta))
    none = penalty.value(u) <= UNREPRESENTABLE * float(penalty.kink.sum() * np.abs(u).max(initial=0.0))
    none = none and point.value - least <= UNREPRESENTABLE * objective.total
    return Status.LIMIT_OF_PRECISION if none or point.suboptimality <= tol else status


def _multipliers(
    objective: Any, penalty: NonsmoothPenalty, theta: np.ndarray, least: float, *, tol: float, max_iter: int
) -> Solution[Point]:
    """The augmented Lagrangian, as in :mod:`marginclf.solvers.augmented_lagrangian`; of two lines, interior points."""
    gamma, multipliers = _WIDEST, np.zeros(objective.matrix.shape[0])
    theta, spent, idle, smallest = clipped(objective, penalty, theta), 0, 0, math.inf
    weights, best, within = objective.row_weights, None, 1.0
    at_zero = float(objective.origin().value) if penalty.holds_zero else math.inf
    n, d = objective.matrix.shape
    asks, asked = n <= _TALL * d, False
    while True:
        if asks and not asked and spent < max_iter:
            asked, end = True, by_interior_point(objective, penalty, least, tol=tol, max_iter=max_iter - spent)
            if end is not None:
                spent, (best, _) = spent + end.n_iter, least_of(best, end.point)
                if best.excess <= tol:
                    return Solution(best, Status.PROVEN, spent)
                if best.suboptimality <= min(tol, _PRECISE) or spent >= max_iter:
                    return Solution(best, _ended(objective, penalty, best, least, tol, Status.MAX_ITER), spent)
                if end.multipliers is not None:
                    gamma, multipliers, theta, smallest = _AFTER, end.multipliers, best.theta, best.suboptimality
        smooth = objective.envelope(gamma, multipliers).smooth
        within = max(_ENOUGH * min(smallest, within), _LEAST, _BELOW * tol)
        steps = max(1, max_iter - spent)
        found = proximal_newton(smooth, penalty, theta, least=least, tol=within, max_iter=steps)
        spent, theta = spent + found.n_iter, found.point.theta
        whole = ProximalNewton(smooth, penalty)
        here = whole.at(theta)
        margins = smooth.margins(here.point)
        slack, value, slopes, after = fenchel_young(
            smooth, objective.compiled, here.point, margins, multipliers, gamma, weights
        )
        slack = max(slack, 0.0) + rounding_of_proof(objective, theta, margins, slopes, value, slack)
        point = certified(whole, here, least, at_zero, provable=True, dual=(value, slack))
        best, _ = least_of(best, point)
        left = best.suboptimality
        idle = 0 if left <= _HALF * smallest < math.inf else idle + 1
        narrower = found.n_iter <= _FEW or left > _HALF * smallest
        asks, smallest = asks or left > _GAINS * smallest, min(smallest, left)
        objective.report(lambda point=best: point)
        if best.excess <= tol:
            return Solution(best, Status.PROVEN, spent)
        if spent >= max_iter or idle > _IDLE or best.value <= least:
            status = Status.MAX_ITER if spent >= max_iter else Status.LINE_SEARCH
            return Solution(best, _ended(objective, penalty, best, least, tol, status), spent)
        multipliers = after
        if narrower:
            gamma = max(gamma * _NARROWER, _NARROWEST)
