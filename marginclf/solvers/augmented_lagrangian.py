"""The augmented Lagrangian for losses with a kink: a sequence of smooth problems with the same optimum.

With multipliers a, a Moreau parameter γ and the Moreau envelope φ_γ(m) = min_u φ(u) + (u − m)²/(2γ), which is smooth,

    θ ← argmin Σ C s φ_γ(m − γ a) + ½ ‖w‖²,    a ← −φ_γ'(m − γ a),

has the optimum of φ itself as its fixed point, for any γ. Smoothing alone is exact only as γ → 0, where too few rows
lie in the zone of width γ for Newton's method to go by; here the zone follows the multipliers. Each smooth problem is
solved as accurately as the multipliers are wrong, and γ is narrowed only while that takes few steps. Once the rows of
the zone are the right ones, a round or two end at rounding.

The kink is one of φ, a function of one number a row: the multipliers are as many as there are rows, whatever K is.
:mod:`marginclf.objective.envelope` has the duality gap.

References
----------
Rockafellar (1976), Augmented Lagrangians and applications of the proximal point algorithm in convex programming;
Li, Sun, Toh (2018), A highly efficient semismooth Newton augmented Lagrangian method for solving Lasso problems.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..objective import Objective, Point
from .active_set import ActiveSet
from .convergence import ROUGH, UNSEEN, descends
from .direction import newton_direction
from .lbfgs import lbfgs
from .line_search import line_search
from .solution import Solution, Status

WIDEST, NARROWEST, NARROWER = 1.0, 1e-9, 0.125
"""Moreau parameter at the start, at the end, and from round to round."""

_FEW = 8
"""Steps in a round up to which the next is narrower, where the Hessian is factored."""

_FEW_LONG, _FEW_LONG_JOINT = 2, 3
"""The same where it is not."""

_SLOW = 0.5
"""Part of the gap that a round may leave before the next is narrower, where that means long conjugate gradients."""

ENOUGH = 0.1
"""Part of what the multipliers leave to which the smooth problem is solved."""

SEEN_LESS = 0.25
"""Part of the squared gradient that a step leaves which shows progress where F does not."""

_SUFFICIENT, _HALF = 1e-4, 0.5

_BEYOND = 1e-10
"""Relative gap to which it goes on after tol where steps are rounds over parts; objectives are those of memory then."""

_NARROWEST_LONG = 1e-2
"""Where L-BFGS solves the smooth problems: what a narrow zone gains, it loses by its curvature."""

_INNER, _LOOSE, _SOME = 100, 0.1, 0.9
"""Iterations of L-BFGS for one smooth problem, its tolerance as a part of the gap, and the part of the gap that counts
as progress then."""

_ROUNDS, _ROUNDS_LONG, _ROUNDING = 3, 10, 1e-15
"""Rounds without progress that end it; the same for many classes whose Hessian is not factored; and the relative gap
that does."""


def certified(objective: Objective, theta: np.ndarray, multipliers: np.ndarray) -> Point:
    """The point of another solver's coefficients and multipliers, with the duality gap as its bound.

    No step is taken but that of b: the dual bounds F only where Σ α = 0, and what the multipliers of one round would
    become satisfies that.
    """
    this = objective.envelope(WIDEST, multipliers)
    found: Point = this.answer(this.smooth.at(theta)).point
    return found


def augmented_lagrangian(
    objective: Objective,
    start: Point,
    *,
    tol: float,
    max_iter: int,
    multipliers: np.ndarray | None = None,
    solve: Callable[..., Any] | None = None,
) -> Solution[Point]:
    """Minimise an objective whose loss has a kink.

    Parameters
    ----------
    objective : Objective
        F, of a convex loss with a kink and with a penalty.
    start : Point
        Where to start.
    tol : float
        Relative duality gap at which to stop. Where the Hessian is factored and tol is below 1e-4, rounds go on to
        rounding, so that the result does not depend on the order of the rows; that takes a few more steps.
    max_iter : int
        Largest number of Newton steps.
    multipliers : ndarray of shape (n,), optional
        a to start from.
    solve : callable, optional
        What minimises a problem of few rows in memory. With it, and with a sample of rows in parts, the rows near the
        kink end it as soon as they are few enough.
    """
    run = _Run(objective, start.theta, tol, max_iter, multipliers)
    if solve is not None and objective.drawn is not None and objective.n_outputs == 1:
        run.near = ActiveSet(objective, solve)
        run.moved = run.near.first_reach
    while True:
        found = run.end_by_active_rows() or run.go_on()
        if found is not None:
            return found


class _Run:
    """What one run remembers between the smooth problems."""

    near: ActiveSet | None = None
    moved = np.inf

    def __init__(self, objective: Objective, theta: np.ndarray, tol: float, max_iter: int, multipliers: Any) -> None:
        self._objective, self._tol, self._max_iter = objective, tol, max_iter
        self._theta, self._multipliers, self._gamma = theta, multipliers, WIDEST
        self._best: Point | None = None
        self._least = self._last = np.inf
        self._lower, self._n_iter, self._idle = -np.inf, 0, 0
        self._direct = objective.direct
        # Steps are cheap in memory: there it goes on to rounding, unless a rough answer will do.
        self._goal = (tol if tol >= ROUGH else _ROUNDING) if objective.in_memory else min(tol, _BEYOND)
        self._patience = _ROUNDS if self._direct or objective.keeps_decisions else _ROUNDS_LONG
        # Whether L-BFGS solves the smooth problems: conjugate gradients take a look at the rows for each product.
        self._long = not (self._direct or objective.in_memory)

    def end_by_active_rows(self) -> Solution[Point] | None:
        """Let the rows near the kink end it, where few enough margins may still cross it."""
        near, left = self.near, self._max_iter - self._n_iter
        if near is None or not self.moved <= near.reach(self._theta) or left <= 0:
            return None
        end = near.attempt(self._theta, self.moved, self._goal, left)
        self._n_iter += end.rounds
        best = self._improve(end.point, end.bound, end.point.relative(end.point.value - end.bound))
        self._theta = best.theta
        return Solution(best, Status.PROVEN, self._n_iter) if best.excess <= self._tol else None

    def _improve(self, point: Point, lower: float, left: float) -> Point:
        """The best point so far, with what the dual variables of all smooth problems prove of it."""
        self._lower = max(self._lower, lower)
        if self._best is None or not left > self._least:
            self._best, self._least = point, left
        best = self._best
        gap = max(best.value - self._lower, _ROUNDING * abs(best.value)) + best.rounding
        self._best = best = best.certified(min(best.bound, gap))
        self._objective.report(lambda: best)
        return best

    def go_on(self) -> Solution[Point] | None:
        """One smooth problem, or what there is to return."""
        objective, direct, tol, before = self._objective, self._direct, self._tol, self._theta
        this = objective.envelope(self._gamma, self._multipliers)
        point, steps = self._minimise(this)
        self._n_iter += steps
        answer, a, slack = this.answer(point, reconcile=direct)
        self._theta, left, spoilt = point.theta, answer.suboptimality, np.isfinite(slack)
        if spoilt and direct:
            # In the units of badly scaled columns, or of large weights that cancel, the bound is far above what
            # Newton's method says is left.
            left = min(left, slack + answer.relative(abs(newton_direction(this.smooth, point).decrement)))
        better = self._best is None or left <= (_SOME if self._long else _HALF) * self._least
        # Margins that lie close together are told apart by a narrow zone only: no progress before is no sign.
        narrowest = _NARROWEST_LONG if self._long else NARROWEST
        self._idle = 0 if better else self._idle + int(spoilt or self._gamma == narrowest or not direct)
        best = self._improve(answer, answer.value - answer.bound, left)
        met = best.excess <= tol
        # A step more is cheap where few were needed; where many were, the end is near.
        enough = not better or not direct or (steps > _FEW and not objective.in_memory)
        rounding = best.bound <= 2.0 * best.rounding
        if best.excess <= self._goal or (met and (enough or rounding)):
            return Solution(best, Status.PROVEN, self._n_iter, a)
        stuck = self._idle >= self._patience
        if self._n_iter >= self._max_iter or stuck:
            near = rounding or min(self._least, best.relative(best.bound - best.rounding)) <= tol
            return Solution(best, _how(met=met, near=near, stuck=stuck), self._n_iter, a)
        self._multipliers = this.keep(answer, a)
        if self.near is not None:
            self.moved = self.near.moved(before, self._theta)
        slow = direct or objective.keeps_decisions or self._long or left > _SLOW * self._last
        self._last = left
        if slow and steps <= self._few():
            self._gamma = max(self._gamma * NARROWER, narrowest)
        return None

    def _few(self) -> int:
        """Steps up to which the next smooth problem is narrower."""
        if self._direct:
            return _FEW
        if self._long:
            return _INNER // 2
        return _FEW_LONG if self._objective.keeps_decisions else _FEW_LONG_JOINT

    def _minimise(self, this: Any) -> tuple[Point, int]:
        """The smooth problem, as accurately as its multipliers are wrong, and the steps that it took."""
        smooth, max_iter = this.smooth, self._max_iter - self._n_iter
        point, steps = smooth.at(self._theta), 0
        if not point.finite and self._theta.any():
            point = smooth.at(smooth.zeros())
        point.require_finite()
        if self._long:
            enough = _LOOSE * min(self._least, _LOOSE)
            found = lbfgs(smooth, point, tol=enough, max_iter=max(1, min(_INNER, max_iter)))
            return found.point, found.n_iter
        while steps < max_iter and not (steps and this.rest(point) <= ENOUGH * max(this.slack(point), 0.0)):
            further = _newton_step(smooth, point)
            steps += 1
            if further is None:
                break
            fall, before = point.value - further.value, point.half_square
            # The step ends where the slope along it is zero: what F shows of it may be rounding.
            point = further if fall > -UNSEEN * abs(point.value) else point
            if not fall > _ROUNDING * abs(point.value) and not point.half_square < SEEN_LESS * before:
                break
        # Steps may be added up on decision values: what is claimed is about those of w itself.
        return smooth.at(point.theta) if smooth.keeps_decisions else point, steps


def _how(*, met: bool, near: bool, stuck: bool) -> Status:
    """The status where neither the gap nor the iterations allow to go on."""
    if met:
        return Status.PROVEN
    if near:
        return Status.LIMIT_OF_PRECISION
    return Status.LINE_SEARCH if stuck else Status.MAX_ITER


def _newton_step(smooth: Objective, point: Point) -> Point | None:
    direction = newton_direction(smooth, point)
    if smooth.keeps_decisions:
        return smooth.minimum_along(point, direction.step)
    if not direction.gain > 0.0:
        return None
    full = smooth.at(point.theta + direction.step)
    if full.value < point.value - _SUFFICIENT * direction.gain:
        return full
    if descends(point, full, direction.step, direction.gain):
        return full
    return line_search(smooth, point, direction, full, intercept_minimised=True)
