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
from .direction import DIRECT_LIMIT, newton_direction
from .solution import Solution, Status

_WIDEST, _WARM, _NARROWEST, _NARROWER = 1.0, 0.1, 1e-9, 0.125
"""Width at the start, with multipliers given, at the end, and from round to round."""

_FEW = 8
"""Steps in a round up to which the next is narrower."""

_SHARE = 0.1
"""Part of what the multipliers leave to which the smooth problem is solved."""

_ROUNDS, _ROUNDING = 3, 1e-15
"""Rounds without progress that end the method, and the relative gap that does."""


class _Round:
    """One smooth problem: multipliers and width."""

    def __init__(self, objective: Objective, alpha: np.ndarray, gamma: float) -> None:
        self._objective, self._gamma = objective, gamma
        self._weights = np.abs(objective.v)
        self._before = np.divide(alpha, self._weights, out=np.zeros_like(alpha), where=self._weights > 0.0)
        self.smooth = Objective(
            objective.matrix, objective.loss.smoothed(gamma), objective.v,
            penalty=objective.penalty, fit_intercept=objective.fit_intercept, offset=-gamma * self._before,
        )  # fmt: skip

    def margin_values(self, point: Point) -> np.ndarray:
        """X w, without the offset."""
        return point.z + self._gamma * self._before

    def slack(self, point: Point) -> float:
        """Σ C s (φ(m) + φ*(−a) + a m) for the new a, which with ½ ‖∇‖² of the smooth problem is the duality gap.

        With u where the envelope's minimum is, −a ∈ ∂φ(u), φ*(−a) = −a u − φ(u) and φ(u) = φ_γ − ½ γ a².
        """
        objective, gamma = self._objective, self._gamma
        value, _, _, _ = objective.matrix.pointwise(
            objective.compiled, objective.v, self.margin_values(point), point.b
        )
        alpha = -point.r
        after = np.divide(alpha, self._weights, out=np.zeros_like(alpha), where=self._weights > 0.0)
        # a (m − u), with u = m − γ a_before + γ a; its sign is that of y² = 1.
        drift = gamma * float(alpha @ (self._before - 0.5 * after))
        return value - point.loss_value + drift


def certified(objective: Objective, alpha: np.ndarray, b: float) -> Point:
    """The point that dual variables make, with the duality gap as its proven suboptimality; no step is taken.

    The dual bounds F only where Σ α = 0: what the multipliers of one round would become satisfies that.
    """
    this = _Round(objective, alpha, _WIDEST)
    return _answer(objective, this, this.smooth.at(objective.matrix.transposed_product(alpha), b))


def _answer(objective: Objective, this: _Round, point: Point) -> Point:
    z = this.margin_values(point)
    answer = Point(objective, point.w, objective.best_intercept(z, point.b), z=z)
    answer.suboptimality = answer.relative(max(this.slack(point), 0.0) + _miss(point))
    return answer


def multipliers(
    objective: Objective, start: Point, *, tol: float, max_iter: int, alpha: np.ndarray | None = None
) -> Solution:
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
    gamma = _WIDEST if alpha is None else _WARM
    alpha = np.zeros_like(objective.v) if alpha is None else alpha
    w, b = start.w, start.b
    best: Point | None = None
    n_iter = idle = 0
    to_rounding = len(w) <= DIRECT_LIMIT
    while True:
        this = _Round(objective, alpha, gamma)
        point, steps = this.smooth.at(w, b), 0
        while n_iter < max_iter and not (steps and _miss(point) <= _SHARE * this.slack(point)):
            further = _newton_step(this.smooth, point)
            steps, n_iter = steps + 1, n_iter + 1
            if not further.value < point.value:
                break
            point = further
        alpha, w, b = -point.r, point.w, point.b
        answer = _answer(objective, this, point)
        idle = 0 if best is None or answer.suboptimality <= 0.5 * best.suboptimality else idle + 1
        if best is None or not answer.suboptimality > best.suboptimality:
            best = answer
        met = best.suboptimality <= tol
        if best.suboptimality <= _ROUNDING or (met and (idle or not to_rounding)):
            return Solution(best, Status.PROVEN, n_iter, alpha)
        if n_iter >= max_iter or idle >= _ROUNDS:
            stuck = Status.LINE_SEARCH if idle >= _ROUNDS else Status.MAX_ITER
            return Solution(best, Status.PROVEN if met else stuck, n_iter, alpha)
        if steps <= _FEW:
            gamma = max(gamma * _NARROWER, _NARROWEST)


def _miss(point: Point) -> float:
    return 0.5 * float(point.gradient @ point.gradient)


def _newton_step(smooth: Objective, point: Point) -> Point:
    direction = newton_direction(smooth, point)
    dw, db = direction.dw, direction.db
    q = smooth.matrix.product(dw)
    t = smooth.line_minimum(point.z + point.b, q + db, float(point.w @ dw), float(dw @ dw))
    z = point.z + t * q
    return Point(smooth, point.w + t * dw, smooth.best_intercept(z, point.b + t * db), z=z)
