"""Primal-dual Newton's method for the joint margin of losses that never increase.

log Σ exp is nearly a maximum once coefficients are large: its curvature says little of what is a step away, and
Newton's method takes hundreds of short steps, most of them between C = 1 and 10. With a dual variable α_k for each
other class of a row, and β = Σ α, the optimum is where

    W = Σ x (β e_y − α)ᵀ,   Σ (β e_y − α) = 0,   z_y − z_k = m(β) + s − t − log(α_k/β),

with m(β) the margin where −C s φ'(m) = β. Where φ is constant beyond a margin, s ≥ 0 says by how much a row is beyond
it, and s β = 0; where it is a straight line on the left, t ≥ 0 does the same, and t (cap − β) = 0. These products are
μ instead, and μ goes to 0. Linearised in α, s and t, which are eliminated, a step is a system with a Hessian as in
:mod:`row_system`, of the dual variables in the place of slopes. The step of W is taken whole; α, s and t are kept
positive row by row.

What is claimed of a point is what the objective says of its coefficients, with b at its minimum, or for a loss with a
kink, what the multipliers β/(C s) prove. Where that does not come, the best point is for another method to go on from.

References
----------
Chan, Golub, Mulet (1999), A nonlinear primal-dual method for total variation-based image restoration, SIAM J. Sci.
Comput. 20; Wright (1997), Primal-dual interior-point methods, SIAM.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..kernels import primal_dual as kernel
from ..losses import MarginLoss
from ..objective import FAR_MARGIN, JointObjective, Point
from .augmented_lagrangian import certified
from .convergence import ROUGH, proves_coefficients
from .row_newton import newton_step
from .row_system import RowSystem, rows_suit
from .solution import Solution, Status

_STEPS = 100
"""Steps after which another method goes on: 6 to 28 on digits, wine and movement_libras with C = 1e-3 to 1e4, up to 50
on iris, whose classes overlap, with C = 1e4."""

_FIRST = 0.1
"""β in the mean at zero; and μ, with slacks of 1. Their size on data that can nearly be separated."""

_LESS, _LESS_NEAR = 0.1, 0.01
"""What is kept of s β from step to step: far from the optimum and near, where steps are short."""

_CENTRED, _MORE = 0.1, 10.0
"""Part of Σ α·(what the third equation misses) that μ is not below, and by what μ may rise for it at a step. Without
the first s β goes to 0 long before the rows fit; without the second, hinge on iris with C = 100 goes nowhere in 60
steps."""

_SHORT, _MODERATE = 0.1, 1.0
"""A step of the decision values, beside a margin of 1, that is short; and after which a rough answer may be proven."""

_TRIED_AGAIN = 0.1
"""Part of the length at which a step of Newton's method led away, below which another one is tried."""

_PROMISING = 10.0
"""½‖∂F/∂w‖² or the sum of all products, relative to tol, from which on it is worth a proof."""

_ROUNDING = 1e-18, 1e-15
"""Relative bounds, without and with a kink, at which the result does not depend on the order of the rows any more."""

_PROGRESS, _SLOW = 0.25, 2
"""Beyond tol, part of the bound that is left by a step that is worth its time, and how many are not until it ends."""


def primal_dual_suits(objective: Any) -> bool:
    """Whether there is such a method for an objective, and its steps are cheap."""
    if objective.n_outputs == 1:
        return False
    return objective.provable and objective.loss.invertible and rows_suit(objective)


def primal_dual(objective: JointObjective, start: Point, *, tol: float, max_iter: int) -> Solution[Point]:
    """Minimise a joint objective.

    Parameters
    ----------
    objective : JointObjective
        F, of a loss with ``inverse_slope`` and with a penalty of every feature.
    start : Point
        Where to start.
    tol : float
        Relative suboptimality at which to stop, as proven.
    max_iter : int
        Largest number of steps.

    Returns
    -------
    Solution
        MAX_ITER also where the method does not get there: the point is then the better of the first and the last.
    """
    start.require_finite()
    if objective.loss.smooth and start.w.any() and start.excess <= tol and proves_coefficients(start, tol):
        return Solution(start, Status.PROVEN, 0)
    with np.errstate(all="ignore"):
        system = RowSystem(objective, reuse=objective.loss.smooth and not ends(objective.loss)[0])
        if not system.finite:
            return Solution(start, Status.MAX_ITER, 0)
        return _Run(objective, system, start, tol).solve(max_iter)


def ends(loss: MarginLoss) -> tuple[bool, float]:
    """Whether a loss is constant beyond some margin, and the largest of −φ'."""
    return not loss.evaluate([FAR_MARGIN])[1][0] < 0.0, -loss.slope_bounds()[0]


class _Run:
    """Dual variables and slacks, and the coefficients with their decision values."""

    def __init__(self, objective: JointObjective, system: RowSystem, start: Point, tol: float) -> None:
        self._objective, self._system, self._start, self._tol = objective, system, start, tol
        n, k = len(system.weights), system.k
        self._loss = objective.loss.compiled_inverse()
        self._to_rounding, self._rough = objective.direct, tol >= ROUGH
        # Whether steps near the optimum are solved for more than the next point: for b, or to square what is left.
        self._exact = not (self._rough and objective.loss.smooth)
        self._low, self._cap = ends(objective.loss)
        self._high = bool(np.isfinite(self._cap))
        self._bounds = self._low + self._high
        self._share = system.weights / system.weights.mean()
        self._theta = system.inside(start.coefficients, start.b)
        self._z = np.ascontiguousarray(system.X @ self._theta.T)
        self._miss, self._q, self._r = (np.empty((n, k)) for _ in range(3))
        self._beta, self._stiffness, self._response = (np.empty(n) for _ in range(3))
        self._work, self._sums = np.empty((3, n)), np.zeros(2)
        self._mu, self._longest, self._value = _FIRST, np.inf, abs(start.value)
        # Where Newton's method is tried, at what length of the last step, and where that began.
        self._here: Point | None = None
        self._before: tuple[np.ndarray, np.ndarray] | None = None
        self._tried = 0.0 if self._rough else _SHORT
        beta = np.minimum(_FIRST * self._share, 0.5 * self._cap * system.weights)
        self._alpha = np.repeat(beta[:, None] / (k - 1.0), k, axis=1)
        self._alpha[np.arange(n), system.codes] = 0.0
        self._slack = np.ones(n)
        self._room = self._cap * system.weights - beta if self._high else np.ones(n)
        self._excess = self._mu * self._share / self._room

    def solve(self, max_iter: int) -> Solution[Point]:
        """Take steps until one of them ends it."""
        best, slow, last = None, 0, min(max_iter, _STEPS)
        for n_iter in range(1, last + 1):
            if not (self._end() or self._step()):
                return self._ended(best, n_iter - 1)
            found = self._proven(last=n_iter == max_iter)
            if found is not None:
                self._value = min(self._value, abs(found.value))
            if found is not None and (found.excess <= self._tol or best is not None):
                if best is not None:
                    # Once the bound rises, what is left is rounding, or what systems leave.
                    slow += _SLOW if found.bound > best.bound else not found.bound <= _PROGRESS * best.bound
                best = found if best is None or found.bound < best.bound else best
                if slow >= _SLOW or self._is_exact(best):
                    return self._ended(best, n_iter)
            self._objective.report(self._point)
        return self._ended(best, last)

    def _is_exact(self, point: Point) -> bool:
        if self._rough:
            return True
        if self._to_rounding:
            exact = point.suboptimality <= _ROUNDING[not self._objective.loss.smooth]
            return exact or point.bound <= 2.0 * point.rounding
        return not self._objective.loss.smooth or proves_coefficients(point, self._tol)

    def _end(self) -> bool:
        """A step of Newton's method, of a smooth loss and near the optimum; whether it was one."""
        if self._here is None or not self._longest < self._tried:
            return False
        found = newton_step(self._objective, self._system, self._theta, self._z, self._here)
        if found is not None:
            self._before = self._before or (self._theta, self._z)
            self._theta, self._z, self._here = found
            return True
        if self._before is not None:
            # The dual variables and slacks are still those of where it began.
            (self._theta, self._z), self._before = self._before, None
        self._tried = _TRIED_AGAIN * self._longest
        return False

    def _step(self) -> bool:
        """One step; whether it is a number."""
        system, z = self._system, self._z
        address, parameters, _ = self._loss
        kernel.residuals(
            z, system.codes, system.weights, self._alpha, self._slack, self._excess, self._room, self._low, self._high,
            address, parameters, self._work, self._miss, self._q, self._beta, self._stiffness, self._sums,
        )  # fmt: skip
        near, close = self._choose_mu(), self._longest < _SHORT
        mu = self._mu * self._share
        kernel.predictions(
            system.codes, system.squares, self._slack, self._excess, self._room, mu, self._low, self._high, self._miss,
            self._q, self._beta, self._stiffness, self._response, self._r,
        )  # fmt: skip
        right = self._r.T @ system.X
        right[:, : system.d] -= self._theta[:, : system.d]
        if not np.isfinite(right).all():
            return False
        try:
            step = system.solve(
                right,
                self._q,
                self._beta,
                self._response,
                near=close and self._exact,
            )
        except (ArithmeticError, np.linalg.LinAlgError):
            return False
        change = system.X @ step.T
        self._longest = float(np.abs(change).max(initial=0.0))
        if not np.isfinite(self._longest):
            return False
        kernel.advance(
            system.codes, change, system.weights, self._alpha, self._slack, self._excess, self._room, mu, self._low,
            self._high, self._cap, self._miss, self._q, self._beta, self._response, near,
        )  # fmt: skip
        self._theta = self._theta + step
        self._z += change
        return True

    def _choose_mu(self) -> bool:
        """μ from what the products and the residuals are; whether the optimum is near."""
        products, missed = self._sums
        near = bool(self._longest < _SHORT and missed < _CENTRED * products / max(self._bounds, 1))
        if self._bounds and np.isfinite(self._longest):
            less = _LESS_NEAR if near else _LESS
            aim = max(less * products / self._bounds, _CENTRED * missed) / len(self._beta)
            self._mu = max(min(_MORE * self._mu, aim), 1e-16 * self._value / len(self._beta))
        return near

    def _multipliers(self) -> np.ndarray:
        """−φ' of each row of X, as the dual variables say."""
        found = np.zeros(self._objective.matrix.shape[0])
        found[self._system.kept] = np.clip(self._alpha.sum(axis=1) / self._system.weights, 0.0, self._cap)
        return found

    def _point(self) -> Point:
        """The coefficients, with what is proven of them."""
        theta = self._objective.theta(*self._system.outside(self._theta))
        if self._objective.loss.smooth:
            return self._objective.at(theta)
        return certified(self._objective, theta, self._multipliers())

    def _proven(self, *, last: bool) -> Point | None:
        """The point where it looks as if its bound was enough."""
        objective = self._objective
        if not self._longest < (_MODERATE if last or self._rough else _SHORT):
            return None
        if not objective.loss.smooth:
            products = self._products()
            if products > _PROMISING * self._tol * self._value and not last:
                # What F is now, since at the start it may have been far more.
                self._value = min(self._value, abs(objective.evaluate(self._outside()).value))
            return self._point() if products <= _PROMISING * self._tol * self._value or last else None
        if self._before is None:
            self._here = objective.evaluate(self._outside())
        point: Any = self._here
        if not np.isfinite(point.value):
            return None
        self._value = min(self._value, abs(point.value))
        worth = point.unreached(point.half_square) <= _PROMISING * self._tol
        return objective.at(point.theta) if worth or last else None

    def _outside(self) -> np.ndarray:
        return self._objective.theta(*self._system.outside(self._theta))

    def _products(self) -> float:
        """Σ (s β + t (cap − β))."""
        beta = self._alpha.sum(axis=1)
        return float(self._slack @ beta) * self._low + float(self._excess @ self._room) * self._high

    def _ended(self, best: Point | None, n_iter: int) -> Solution[Point]:
        """What is proven, or the better of the first and the last point, for another method."""
        if best is not None:
            return Solution(best, Status.PROVEN, n_iter, self._multipliers())
        if np.isfinite(self._theta).all() and np.isfinite(self._alpha).all():
            point = self._point()
            if point.finite and point.value < self._start.value:
                return Solution(point, Status.MAX_ITER, n_iter, self._multipliers())
        return Solution(self._start, Status.MAX_ITER, n_iter)
