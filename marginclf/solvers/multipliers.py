"""The method of multipliers for losses with a kink: a sequence of smooth problems with the same optimum.

With dual variables a, a width γ and the envelope φ_γ(m) = min_u φ(u) + (u − m)²/(2γ), which is smooth,

    (w, b) ← argmin Σ C s φ_γ(m − γ a) + ½ ‖w‖²,    a ← −φ_γ'(m − γ a),    m = y (x·w + b),

has the optimum of φ itself as its fixed point, for any γ. Smoothing alone is exact only as γ → 0, where too few rows
lie in the zone of width γ for Newton's method to go by; here the zone follows the multipliers. Each smooth problem is
solved as accurately as the multipliers are wrong, and γ is narrowed only while that takes few steps. Once the rows of
the zone are the right ones, a round or two end at rounding.

References
----------
Rockafellar (1976), Augmented Lagrangians and applications of the proximal point algorithm in convex programming;
Li, Sun, Toh (2018), A highly efficient semismooth Newton augmented Lagrangian method for solving Lasso problems.
"""

from __future__ import annotations

import numpy as np

from ..objective import Objective, Point
from ..objective.measure import by_duality, gain
from .direction import DIRECT_LIMIT, newton_direction
from .solution import UNSEEN, Solution, Status

WIDEST, NARROWEST, NARROWER = 1.0, 1e-9, 0.125
"""Width at the start, at the end, and from round to round."""

_FEW, _FEW_LONG = 8, 2
"""Steps in a round up to which the next is narrower: where the Hessian is factored, and where it is not."""

SHARE = 0.1
"""Part of what the multipliers leave to which the smooth problem is solved."""

_RECONCILED = 1 << 22
"""Entries of the rows at the kink up to which their multipliers are corrected to combine to w."""

SEEN_LESS = 0.25
"""Part of the squared gradient that a step leaves which shows progress where F does not."""

_ULP = float(np.finfo(float).eps)

_ROUNDS, _ROUNDING = 3, 1e-15
"""Rounds without progress that end the method, and the relative gap that does."""


class _Round:
    """One smooth problem: multipliers and width."""

    def __init__(self, objective: Objective, alpha: np.ndarray, gamma: float) -> None:
        self._objective, self._gamma = objective, gamma
        self._weights = np.abs(objective.v)
        self._before = self._multipliers(alpha)
        self.smooth = Objective(
            objective.matrix, objective.loss.smoothed(gamma), objective.v,
            penalty=objective.penalty, fit_intercept=objective.fit_intercept, offset=-gamma * self._before,
        )  # fmt: skip

    def _multipliers(self, alpha: np.ndarray) -> np.ndarray:
        """y a of each row; 0 for rows without weight."""
        return np.divide(alpha, self._weights, out=np.zeros_like(alpha), where=self._weights > 0.0)

    def slack(self, point: Point) -> float:
        """Σ C s (φ(m) + φ*(−a) + a m) for the new a: with the miss, the duality gap.

        With u where the envelope's minimum is, −a ∈ ∂φ(u), φ*(−a) = −a u − φ(u) and φ(u) = φ_γ − ½ γ a².
        """
        objective, gamma = self._objective, self._gamma
        value, _, _, _ = objective.matrix.pointwise(objective.compiled, objective.v, self.decisions(point), point.b)
        alpha = -point.r
        # a (m − u) with u = m − γ a_before + γ a.
        drift = gamma * float(alpha @ (self._before - 0.5 * self._multipliers(alpha)))
        return value - point.loss_value + drift

    def decisions(self, point: Point) -> np.ndarray:
        """X w, without the offset."""
        return point.z + self._gamma * self._before

    def answer(self, point: Point, *, reconcile: bool = False) -> tuple[Point, np.ndarray, float]:
        """The point as one of F itself, with the duality gap as its proven suboptimality; the new α; and the part of
        the gap that the multipliers leave, where rounding makes up most of it, or infinity.
        """
        z = self.decisions(point)
        alpha, slack, miss = -point.r, self.slack(point), _miss(point)
        rest = miss + self._imbalance(point, z, alpha)
        if reconcile and rest > SHARE * slack:
            other, other_slack, other_miss = self._reconciled(point, alpha, slack, miss)
            other_rest = other_miss + self._imbalance(point, z, other)
            if other_rest < rest:
                alpha, slack, rest = other, other_slack, other_rest
        if not np.isfinite(slack + rest):
            slack = np.inf
        answer = Point(self._objective, point.w, self._objective.best_intercept(z, point.b), z=z)
        # What the kink's slopes make of the rounding of decision values, in which offsets of the columns cancel.
        rounding = _ULP * float(np.abs(alpha) @ (np.abs(z) + abs(point.b)))
        gap = max(slack, 0.0) + rest + rounding
        answer.suboptimality = answer.relative(gap)
        answer.gain = gain(self._objective.at_zero, answer.value, by_duality(point.w, miss, gap))
        return answer, alpha, answer.relative(max(slack, 0.0)) if rest > slack else np.inf

    def _imbalance(self, point: Point, z: np.ndarray, alpha: np.ndarray) -> float:
        """What the gap may hide because Σ α is not quite zero, where b is too large to be more exact."""
        if not self._objective.fit_intercept:
            return 0.0
        return abs(float(alpha.sum())) * (abs(point.b) + float(np.abs(z).max(initial=0.0)))

    def _reconciled(self, point: Point, alpha: np.ndarray, slack: float, miss: float) -> tuple:
        """The multipliers of rows at the kink, corrected so that they combine to w.

        What they are read from, margins divided by γ, carries the rounding of the margins. At a kink any a between the
        slopes on both sides will do, so that they may be chosen by what they have to combine to instead.
        """
        objective, gamma = self._objective, self._gamma
        after = self._multipliers(alpha)
        sign = np.sign(objective.v)
        z = self.decisions(point) + point.b
        u = sign * (z - gamma * self._before + gamma * after)
        step = 4.0 * np.finfo(float).eps * np.maximum(np.abs(u), 1.0)
        least, most = (-objective.loss.evaluate(u + side * step)[1] for side in (1.0, -1.0))
        kink = np.flatnonzero((point.c > 0.0) & (most > least))
        d = len(point.w)
        if not 0 < len(kink) * d <= _RECONCILED:
            return alpha, slack, miss
        rows = np.empty((len(kink), d))
        objective.matrix.take(kink).copy_rows(slice(0, len(kink)), rows)
        excess, mean = (float(alpha.sum()), rows.mean(axis=0)) if objective.fit_intercept else (0.0, 0.0)
        # Less their mean, for which the sum of the corrections is known: what Σ α lacks to be zero.
        size = np.abs(rows).max(axis=0)
        rows -= mean
        rows[:, np.abs(rows).max(axis=0) <= _ROUNDING * len(kink) * size] = 0.0  # constant but for rounding
        scale = np.linalg.norm(rows, axis=0)
        scale[scale == 0.0] = 1.0
        equations, right = (rows / scale).T, (point.gradient + excess * mean) / scale
        if objective.fit_intercept:
            equations, right = np.vstack([equations, np.ones(len(kink))]), np.append(right, -excess)
        correction = np.zeros(len(kink))
        for _ in range(2):  # the second refines the first
            correction += np.linalg.lstsq(equations, right - equations @ correction)[0]
        corrected = (alpha[kink] + correction) / objective.v[kink]
        left = point.gradient + excess * mean - rows.T @ correction
        if (corrected < least[kink]).any() or (corrected > most[kink]).any() or not left @ left <= 2.0 * miss:
            return alpha, slack, miss
        alpha = alpha.copy()
        alpha[kink] += correction
        slack += float(correction @ (z - sign * u)[kink])
        return alpha, slack, 0.5 * float(left @ left)


def certified(objective: Objective, alpha: np.ndarray, b: float) -> Point:
    """The point that dual variables make, with the duality gap as its proven suboptimality; no step is taken.

    The dual bounds F only where Σ α = 0: what the multipliers of one round would become satisfies that.
    """
    this = _Round(objective, alpha, WIDEST)
    return this.answer(this.smooth.at(objective.matrix.transposed_product(alpha), b))[0]


def multipliers(
    objective: Objective, start: Point, *, tol: float, max_iter: int, alpha: np.ndarray | None = None
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
    alpha : ndarray of shape (n,), optional
        Dual variables to start from.
    """
    gamma = WIDEST
    alpha = np.zeros_like(objective.v) if alpha is None else alpha
    w, b = start.w, start.b
    best: Point | None = None
    least, bound = np.inf, -np.inf
    start.require_finite()
    n_iter = idle = 0
    to_rounding = len(w) <= DIRECT_LIMIT
    while True:
        this = _Round(objective, alpha, gamma)
        point, steps = this.smooth.at(w, b), 0
        while n_iter < max_iter and not (steps and _miss(point) <= SHARE * this.slack(point)):
            further = _newton_step(this.smooth, point)
            steps, n_iter = steps + 1, n_iter + 1
            fall, before = point.value - further.value, _miss(point)
            # The step ends where the slope along it is zero: what F shows of it may be rounding.
            point = further if fall > -UNSEEN * abs(point.value) else point
            if not fall > _ROUNDING * abs(point.value) and not _miss(point) < SEEN_LESS * before:
                break
        # Steps were added up on the decision values: what is claimed is about those of w itself.
        point = this.smooth.at(point.w, point.b)
        answer, alpha, slack = this.answer(point, reconcile=to_rounding)
        w, b = point.w, point.b
        left, spoilt = answer.suboptimality, np.isfinite(slack)
        if spoilt and to_rounding:
            # In the units of badly scaled columns the bound is far above what Newton's method says is left.
            left = min(left, slack + answer.relative(abs(newton_direction(this.smooth, point).decrement)))
        better = best is None or left <= 0.5 * least
        # Margins that lie close together are told apart by a narrow zone only: no progress before is no sign.
        idle = 0 if better else idle + int(spoilt or gamma == NARROWEST or not to_rounding)
        # What the dual variables of any round prove of the optimum holds for the points of all.
        bound = max(bound, answer.value - answer.suboptimality * abs(answer.value))
        if best is None or not left > least:
            best, least = answer, left
        rounding = _ROUNDING * abs(best.value)
        best.suboptimality = min(best.suboptimality, best.relative(max(best.value - bound, rounding)))
        objective.report(lambda: best)  # noqa: B023 (called at once)
        met = best.excess <= tol
        if best.excess <= _ROUNDING or (met and (not better or not to_rounding)):
            return Solution(best, Status.PROVEN, n_iter, alpha)
        if n_iter >= max_iter or idle >= _ROUNDS:
            if met:
                status = Status.PROVEN
            elif least <= tol:
                status = Status.LIMIT_OF_PRECISION
            else:
                status = Status.LINE_SEARCH if idle >= _ROUNDS else Status.MAX_ITER
            return Solution(best, status, n_iter, alpha)
        if steps <= (_FEW if to_rounding else _FEW_LONG):
            gamma = max(gamma * NARROWER, NARROWEST)


def _miss(point: Point) -> float:
    return 0.5 * float(point.gradient @ point.gradient)


def _newton_step(smooth: Objective, point: Point) -> Point:
    direction = newton_direction(smooth, point)
    dw, db = direction.dw, direction.db
    q = smooth.matrix.product(dw)
    change = q + db
    # Steps of the search are of the order of 1, and so must be the changes that they make to decision values.
    unit = float(np.abs(change).max(initial=0.0)) or 1.0
    dw_unit = dw / unit
    linear, quadratic = float(point.w @ dw_unit), float(dw_unit @ dw_unit)
    t = smooth.line_minimum(point.z + point.b, change / unit, linear, quadratic) / unit
    z = point.z + t * q
    return Point(smooth, point.w + t * dw, smooth.best_intercept(z, point.b + t * db), z=z)
