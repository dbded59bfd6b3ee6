"""The method of multipliers for the joint margin and losses with a kink; :mod:`marginclf.solvers.multipliers` says how.

The kink is one of φ, a function of one number a row: the multipliers are as many as there are rows, whatever K is. With
a = −φ_γ'(m − γ a_before) and b at its minimum, the dual variables C s a (e_y − q) add up to zero, and

    F − D = Σ C s (φ(m) + φ*(−a) + a m) + ½ ‖∇F_γ‖²

is the duality gap, as α·z = C s a (m + H(q)) and the conjugate of φ(m(z)) at −α is φ*(−a) − a H(q), with H the entropy.
"""

from __future__ import annotations

import numpy as np

from ...objective import JointObjective, JointPoint
from ...objective.measure import by_duality, gain
from ..multipliers import NARROWER, NARROWEST, SEEN_LESS, SHARE, WIDEST
from ..solution import Solution, Status, descends
from .direction import direct, joint_direction
from .newton import line_search

_FEW, _FEW_LONG = 8, 3
_SLOW = 0.5
"""Part of the gap that a round may leave before the next is narrower, where that means long conjugate gradients."""

_ULP = float(np.finfo(float).eps)

_ROUNDS, _ROUNDS_LONG, _ROUNDING = 3, 10, 1e-15
"""Rounds without much progress that end the method, where the Hessian is factored and where it is not; rounding."""


class _Round:
    """One smooth problem: multipliers and width."""

    def __init__(self, objective: JointObjective, a: np.ndarray, gamma: float) -> None:
        self._objective, self._gamma, self._before = objective, gamma, a
        self.smooth = objective.with_loss(objective.loss.smoothed(gamma), -gamma * a)
        n = objective.matrix.shape[0]
        self._weights = np.array(np.broadcast_to(objective.passes.weights, n))

    def certified(self, point: JointPoint) -> tuple[float, float, np.ndarray]:
        """Σ C s (φ + φ*(−a) + a m), Σ C s φ, and the new multipliers a."""
        objective, smooth, gamma, weights = self._objective, self.smooth, self._gamma, self._weights
        margins = objective.passes.margins(point.w, point.b)
        value, _, _, _ = objective.matrix.pointwise(objective.compiled, weights, margins, 0.0)
        envelope, _, r, _ = objective.matrix.pointwise(smooth.compiled, weights, margins - gamma * self._before, 0.0)
        a = np.divide(-r, weights, out=np.zeros_like(r), where=weights > 0.0)
        slack = value - envelope - gamma * float(r @ (self._before - 0.5 * a))
        # What the kink's slopes make of the rounding of decision values, in which offsets of the columns cancel.
        rounding = _ULP * float(np.abs(r) @ (np.abs(margins) + float(np.abs(point.b).max())))
        return max(slack, 0.0) + rounding, value, a

    def answer(self, point: JointPoint) -> tuple[JointPoint, np.ndarray, float]:
        """The point as one of F itself, with the duality gap as its proven suboptimality; the new multipliers; and the
        part of the gap that these leave, where rounding makes up most of it, or infinity.
        """
        slack, value, a = self.certified(point)
        flat = point.w.ravel()
        value += 0.5 * float(flat @ flat)
        answer = JointPoint(self._objective, point.w, point.b, value, point.gradient, point.slope)
        # What the gap may hide because Σ α is not quite zero, where b is too large to be more exact.
        imbalance = float(np.abs(point.slope).sum()) * float(np.abs(point.b).max(initial=0.0))
        rest = _miss(point) + imbalance
        answer.suboptimality = answer.relative(slack + rest)
        answer.gain = gain(self._objective.at_zero, answer.value, by_duality(flat, _miss(point), slack + rest))
        return answer, a, answer.relative(slack) if rest > slack else np.inf


def joint_certified(objective: JointObjective, w: np.ndarray, b: np.ndarray, a: np.ndarray) -> JointPoint:
    """The point with coefficients and multipliers of another solver, with the duality gap as its suboptimality.

    No step is taken but that of b: the dual bounds F only where Σ α = 0.
    """
    this = _Round(objective, a, WIDEST)
    return this.answer(this.smooth.at(w, b))[0]


def joint_multipliers(
    objective: JointObjective, start: JointPoint, *, tol: float, max_iter: int, a: np.ndarray | None = None
) -> Solution[JointPoint]:
    """Minimise a joint objective whose loss has a kink.

    Parameters
    ----------
    objective : JointObjective
        F, of a convex loss with a kink and with a penalty.
    start : JointPoint
        Where to start.
    tol : float
        Relative duality gap at which to stop; where the Hessian is factored, rounds go on to rounding.
    max_iter : int
        Largest number of Newton steps.
    a : ndarray of shape (n,), optional
        Multipliers to start from.
    """
    start.require_finite()
    gamma, w, b = WIDEST, start.w, start.b
    a = np.zeros(objective.matrix.shape[0]) if a is None else a
    best: JointPoint | None = None
    least, last, n_iter, idle = np.inf, np.inf, 0, 0
    to_rounding = direct(objective)
    while True:
        this = _Round(objective, a, gamma)
        point, steps = this.smooth.at(w, b), 0
        while n_iter < max_iter and not (steps and _miss(point) <= SHARE * this.certified(point)[0]):
            further = _newton_step(this.smooth, point)
            steps, n_iter = steps + 1, n_iter + 1
            if further is None:
                break
            fall, before, point = point.value - further.value, _miss(point), further
            if not fall > _ROUNDING * abs(point.value) and not _miss(point) < SEEN_LESS * before:
                break
        point = this.smooth.at(point.w, point.b)
        answer, a, slack = this.answer(point)
        w, b = point.w, point.b
        left, spoilt = answer.suboptimality, np.isfinite(slack)
        if spoilt and to_rounding:
            # Sums of large weights that cancel leave more rounding than Newton's method says is left.
            left = min(left, slack + answer.relative(abs(joint_direction(this.smooth, point).decrement)))
        better = best is None or left <= 0.5 * least
        # Margins that lie close together are told apart by a narrow zone only: no progress before is no sign.
        idle = 0 if better else idle + int(spoilt or gamma == NARROWEST or not to_rounding)
        if best is None or not left > least:
            best, least = answer, left
        objective.report(lambda: answer)  # noqa: B023 (called at once)
        met = best.excess <= tol
        if best.excess <= _ROUNDING or (met and (not better or not to_rounding)):
            return Solution(best, Status.PROVEN, n_iter)
        stuck = idle >= (_ROUNDS if to_rounding else _ROUNDS_LONG)
        if n_iter >= max_iter or stuck:
            if met:
                status = Status.PROVEN
            elif least <= tol:
                status = Status.LIMIT_OF_PRECISION
            else:
                status = Status.LINE_SEARCH if stuck else Status.MAX_ITER
            return Solution(best, status, n_iter)
        slow = to_rounding or left > _SLOW * last
        last = left
        if slow and steps <= (_FEW if to_rounding else _FEW_LONG):
            gamma = max(gamma * NARROWER, NARROWEST)


def _miss(point: JointPoint) -> float:
    flat = point.gradient.ravel()
    return 0.5 * float(flat @ flat)


def _newton_step(smooth: JointObjective, point: JointPoint) -> JointPoint | None:
    direction = joint_direction(smooth, point)
    if not direction.gain > 0.0:
        return None
    w, b = point.w + direction.dw, point.b + direction.db
    full = smooth.at(w, b)
    if full.value < point.value - 1e-4 * direction.gain:
        return full
    if descends(point, full, direction.dw, direction.db, direction.gain):
        return full
    return line_search(smooth, point, direction, full, exact=True)
