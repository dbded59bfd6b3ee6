"""The augmented Lagrangian for losses with a kink: a sequence of smooth problems with the same optimum.

With multipliers a, a width γ and the Moreau envelope φ_γ(m) = min_u φ(u) + (u − m)²/(2γ), which is smooth,

    θ ← argmin Σ C s φ_γ(m − γ a) + ½ ‖w‖²,    a ← −φ_γ'(m − γ a),

has the optimum of φ itself as its fixed point, for any γ. Smoothing alone is exact only as γ → 0, where too few rows
lie in the zone of width γ for Newton's method to go by; here the zone follows the multipliers. Each smooth problem is
solved as accurately as the multipliers are wrong, and γ is narrowed only while that takes few steps. Once the rows of
the zone are the right ones, a round or two end at rounding.

The kink is one of φ, a function of one number a row: the multipliers are as many as there are rows, whatever K is. With
b at its minimum the dual variables C s a ∂m/∂z add up to zero, and

    F − D = Σ C s (φ(m) + φ*(−a) + a m) + ½ ‖∂F_γ/∂w‖²

is the duality gap; the first part is the Fenchel–Young gap of the multipliers. For the joint margin,
α·z = C s a (m + H) and the conjugate of φ(m(z)) at −α is φ*(−a) − a H, with H the entropy of the softmax over the other
classes.

References
----------
Rockafellar (1976), Augmented Lagrangians and applications of the proximal point algorithm in convex programming;
Li, Sun, Toh (2018), A highly efficient semismooth Newton augmented Lagrangian method for solving Lasso problems.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ..objective import Objective, Point, by_duality, fenchel_young, gain
from .convergence import UNSEEN, descends
from .direction import direct, newton_direction
from .kink_rows import reconciled
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

_SUFFICIENT = 1e-4
_ULP = float(np.finfo(float).eps)

_ROUNDS, _ROUNDS_LONG, _ROUNDING = 3, 10, 1e-15
"""Rounds without progress that end it; the same for many classes whose Hessian is not factored; and the relative gap
that does."""


class _Answer(NamedTuple):
    """Where a round ended.

    Attributes
    ----------
    point : Point
        As one of F itself, with the duality gap as its bound.
    multipliers : ndarray of shape (n,)
        The new a.
    slack : float
        The part of the gap that these leave, relative to F, where rounding makes up most of it, or infinity.
    """

    point: Point
    multipliers: np.ndarray
    slack: float


class Round:
    """One smooth problem: multipliers and Moreau parameter."""

    def __init__(self, objective: Objective, multipliers: np.ndarray, gamma: float) -> None:
        self.objective, self.gamma, self.before = objective, gamma, multipliers
        self.smooth = objective.replaced(objective.loss.smoothed(gamma), -gamma * multipliers)
        self.weights = objective.row_weights

    def slack(self, point: Point) -> float:
        """The Fenchel–Young gap Σ C s (φ(m) + φ*(−a) + a m) of the new a."""
        return self._slack(point, self.smooth.margins(point))[0]

    def _slack(self, point: Point, margins: np.ndarray) -> tuple[float, float, np.ndarray, np.ndarray]:
        """What :func:`fenchel_young` says of the new a."""
        loss, before = self.objective.compiled, self.before
        return fenchel_young(self.smooth, loss, point, margins, before, self.gamma, self.weights)

    def answer(self, point: Point, *, reconcile: bool = False) -> _Answer:
        """The point as one of F; ``reconcile`` corrects the multipliers of rows at the kink to combine to w."""
        objective, margins = self.objective, self.smooth.margins(point)
        slack, value, slopes, after = self._slack(point, margins)
        miss, farthest = point.half_square, float(np.abs(margins).max(initial=0.0))
        offset = float(np.abs(point.b).max())

        def imbalance(slopes_in_b: np.ndarray) -> float:
            # What the gap may hide because Σ α is not quite zero, where b is too large to be more exact.
            return float(np.abs(slopes_in_b).sum()) * (offset + farthest)

        rest = miss + imbalance(point.slope)
        if reconcile and objective.keeps_decisions and rest > ENOUGH * slack:
            better = reconciled(self, point, margins, after)
            if better is not None:
                other_rest = better.miss + imbalance(better.balance)
                if other_rest < rest:
                    after, slack, rest = better.multipliers, slack + better.slack, other_rest
        if not np.isfinite(slack + rest):
            slack = np.inf
        # What the kink's slopes make of the rounding of decision values, in which offsets of the columns cancel.
        rounding = _ULP * float(np.abs(slopes) @ (np.abs(margins) + 2.0 * offset))
        gap = max(slack, 0.0) + rest + rounding
        found = objective.adopted(point, margins, value)
        by_convexity = by_duality(objective.penalty.value(point.w), miss, gap)
        found = found.certified(gap, gain(objective.at_zero, found.value, by_convexity))
        return _Answer(found, after, found.relative(max(slack, 0.0)) if rest > slack else np.inf)


def certified(objective: Objective, theta: np.ndarray, multipliers: np.ndarray) -> Point:
    """The point of another solver's coefficients and multipliers, with the duality gap as its bound.

    No step is taken but that of b: the dual bounds F only where Σ α = 0, and what the multipliers of one round would
    become satisfies that.
    """
    this = Round(objective, multipliers, WIDEST)
    return this.answer(this.smooth.at(theta)).point


def augmented_lagrangian(
    objective: Objective, start: Point, *, tol: float, max_iter: int, multipliers: np.ndarray | None = None
) -> Solution[Point]:
    """Minimise an objective whose loss has a kink.

    Parameters
    ----------
    objective : Objective
        F, of a convex loss with a kink and with a penalty.
    start : Point
        Where to start.
    tol : float
        Relative duality gap at which to stop. Where the Hessian is factored, rounds go on to rounding, so that the
        result does not depend on the order of the rows; that takes a few more steps.
    max_iter : int
        Largest number of Newton steps.
    multipliers : ndarray of shape (n,), optional
        a to start from.
    """
    start.require_finite()
    a = np.zeros(objective.matrix.shape[0]) if multipliers is None else multipliers
    gamma, theta, best = WIDEST, start.theta, None
    least = last = np.inf
    lower, n_iter, idle = -np.inf, 0, 0
    to_rounding = direct(objective)
    patience = _ROUNDS if to_rounding or objective.keeps_decisions else _ROUNDS_LONG
    while True:
        this = Round(objective, a, gamma)
        point, steps = _solved(this, theta, max_iter - n_iter)
        n_iter += steps
        answer, a, slack = this.answer(point, reconcile=to_rounding)
        theta, left, spoilt = point.theta, answer.suboptimality, np.isfinite(slack)
        if spoilt and to_rounding:
            # In the units of badly scaled columns, or of large weights that cancel, the bound is far above what
            # Newton's method says is left.
            left = min(left, slack + answer.relative(abs(newton_direction(this.smooth, point).decrement)))
        better = best is None or left <= 0.5 * least
        # Margins that lie close together are told apart by a narrow zone only: no progress before is no sign.
        idle = 0 if better else idle + int(spoilt or gamma == NARROWEST or not to_rounding)
        # What the dual variables of any round prove of the optimum holds for the points of all.
        lower = max(lower, answer.value - answer.bound)
        if best is None or not left > least:
            best, least = answer, left
        best = best.certified(min(best.bound, max(best.value - lower, _ROUNDING * abs(best.value))))
        objective.report(lambda: best)  # noqa: B023 (called at once)
        met = best.excess <= tol
        if best.excess <= _ROUNDING or (met and (not better or not to_rounding)):
            return Solution(best, Status.PROVEN, n_iter, a)
        if n_iter >= max_iter or idle >= patience:
            return Solution(best, _how(met=met, near=least <= tol, stuck=idle >= patience), n_iter, a)
        slow = to_rounding or objective.keeps_decisions or left > _SLOW * last
        last = left
        few_long = _FEW_LONG if objective.keeps_decisions else _FEW_LONG_JOINT
        if slow and steps <= (_FEW if to_rounding else few_long):
            gamma = max(gamma * NARROWER, NARROWEST)


def _how(*, met: bool, near: bool, stuck: bool) -> Status:
    """The status where neither the gap nor the iterations allow to go on."""
    if met:
        return Status.PROVEN
    if near:
        return Status.LIMIT_OF_PRECISION
    return Status.LINE_SEARCH if stuck else Status.MAX_ITER


def _solved(this: Round, theta: np.ndarray, max_iter: int) -> tuple[Point, int]:
    """The smooth problem, as accurately as its multipliers are wrong, and the steps that it took."""
    point, steps = this.smooth.at(theta), 0
    while steps < max_iter and not (steps and point.half_square <= ENOUGH * max(this.slack(point), 0.0)):
        further = _newton_step(this.smooth, point)
        steps += 1
        if further is None:
            break
        fall, before = point.value - further.value, point.half_square
        # The step ends where the slope along it is zero: what F shows of it may be rounding.
        point = further if fall > -UNSEEN * abs(point.value) else point
        if not fall > _ROUNDING * abs(point.value) and not point.half_square < SEEN_LESS * before:
            break
    # Steps may be added up on decision values: what is claimed is about those of w itself.
    return this.smooth.at(point.theta), steps


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
    return line_search(smooth, point, direction, full, settled=True)
