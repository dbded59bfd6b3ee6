"""A primal-dual interior-point method for losses of two lines beside separable penalties with kinks and bounds.

With φ(m) = value + right (m − kink) + (right − left) ξ, where ξ ≥ 0, t = m − kink + ξ ≥ 0, and a coefficient that has a
kink at zero as p − n with p, n ≥ 0, F is a quadratic program. Its conditions of optimality, each product of a slack and
its multiplier put at μ in place of 0, are followed to μ = 0 by Newton's method: each step is a system

    (Xᵀ D X + E) Δw = …,

bordered by the intercept, of positive diagonals D of the rows and E of the columns, or, where rows are fewer, one of
D⁻¹ + X E⁻¹ Xᵀ. Twenty to forty of them end it, whatever C is and however rows and columns are correlated.

References
----------
Mehrotra (1992), On the implementation of a primal-dual interior point method, SIAM J. Optim. 2.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from .interior_system import ColumnSystem, RowSystem

_SHORTER = 1e-3
"""Part of the way to the nearest slack or multiplier of zero that a step leaves."""


class Pairs:
    """Slacks and their multipliers, both positive, whose products go to zero together.

    Parameters
    ----------
    slack, multiplier : ndarray
        Where they start.
    """

    def __init__(self, slack: np.ndarray, multiplier: np.ndarray) -> None:
        self.slack, self.multiplier = slack, multiplier
        self.d_slack = self.d_multiplier = np.zeros(0)
        self.right = np.zeros(0)

    def aim(self, mu: float, *, second: bool) -> None:
        """What a step has to add to the products; ``second`` counts that of the last step's changes."""
        self.right = mu - self.slack * self.multiplier
        if second:
            # A long step says nothing of what its products will be.
            self.right -= self.d_slack * self.d_multiplier

    @property
    def product(self) -> float:
        return float(self.slack @ self.multiplier)

    def room(self) -> tuple[float, float]:
        """The longest steps of the slacks and of the multipliers."""
        return _room(self.slack, self.d_slack), _room(self.multiplier, self.d_multiplier)

    def product_after(self, primal: float, dual: float) -> float:
        return float((self.slack + primal * self.d_slack) @ (self.multiplier + dual * self.d_multiplier))

    def move(self, primal: float, dual: float) -> None:
        self.slack = self.slack + primal * self.d_slack
        self.multiplier = self.multiplier + dual * self.d_multiplier


def _room(x: np.ndarray, dx: np.ndarray) -> float:
    falls = dx < 0.0
    return float((x[falls] / -dx[falls]).min()) if falls.any() else np.inf


class Split:
    """x = slack⁺ − slack⁻, whose multipliers add up to a constant: margins beside their kink, coefficients beside zero.

    Parameters
    ----------
    where : ndarray of int
        Which entries these are.
    plus, minus : Pairs
        The multiplier of x itself is ``half − plus.multiplier``, up to a constant.
    """

    def __init__(self, where: Any, plus: Pairs, minus: Pairs) -> None:
        self.where, self.plus, self.minus = where, plus, minus

    def flexibility(self) -> np.ndarray:
        """∂x/∂multiplier, without its sign."""
        return self.plus.slack / self.plus.multiplier + self.minus.slack / self.minus.multiplier

    def aimed(self, x: np.ndarray) -> np.ndarray:
        """How far x would move by itself to the aimed products, from where it is."""
        apart = x - (self.plus.slack - self.minus.slack)
        return self.plus.right / self.plus.multiplier - self.minus.right / self.minus.multiplier - apart

    def follow(self, change: np.ndarray) -> None:
        """The changes of all four, from that of the multiplier of plus."""
        plus, minus = self.plus, self.minus
        plus.d_multiplier, minus.d_multiplier = change, -change
        plus.d_slack = (plus.right - plus.slack * change) / plus.multiplier
        minus.d_slack = (minus.right + minus.slack * change) / minus.multiplier


class Side:
    """A bound of coefficients: sign·(u − bound) ≥ 0."""

    def __init__(self, where: np.ndarray, sign: float, bound: np.ndarray, pairs: Pairs) -> None:
        self.where, self.sign, self.bound, self.pairs = where, sign, bound, pairs

    def apart(self, u: np.ndarray) -> np.ndarray:
        found: np.ndarray = self.sign * (u[self.where] - self.bound) - self.pairs.slack
        return found

    def follow(self, u: np.ndarray, du: np.ndarray) -> None:
        pairs = self.pairs
        pairs.d_slack = self.sign * du[self.where] + self.apart(u)
        pairs.d_multiplier = (pairs.right - pairs.multiplier * pairs.d_slack) / pairs.slack


class Columns(NamedTuple):
    """Σ kink |u| + slope u + ½ quadratic u², lower ≤ u ≤ upper."""

    kink: np.ndarray
    slope: np.ndarray
    quadratic: np.ndarray
    lower: np.ndarray
    upper: np.ndarray


class Rows(NamedTuple):
    """Σ weights (right (m − kink) + (right − left) max(kink − m, 0)) for m = signs (X u + b + offset)."""

    signs: np.ndarray
    weights: np.ndarray
    left: float
    right: float
    kink: float
    offset: np.ndarray


class InteriorPoint:
    """The path from somewhere inside to the optimum.

    Parameters
    ----------
    X : Products
        The columns.
    rows, columns
        The problem.
    fit_intercept : bool
        Whether b is free.
    """

    def __init__(self, X: Any, rows: Rows, columns: Columns, *, fit_intercept: bool) -> None:
        self._X, self._rows, self._columns, self._free = X, rows, columns, fit_intercept
        held = columns.kink * 1.0
        finite = np.isfinite(columns.lower), np.isfinite(columns.upper)
        lower, upper = np.where(finite[0], columns.lower, -1.0), np.where(finite[1], columns.upper, 1.0)
        inside = np.where(finite[0] & finite[1], 0.5 * (lower + upper), np.where(finite[0], lower + 1.0, upper - 1.0))
        inside = np.where((columns.lower < 0.0) & (columns.upper > 0.0), 0.0, inside)
        self.u, self.b = inside, 0.0
        self._linear = -(X.transposed(rows.signs * rows.weights) * -rows.right) + columns.slope
        self._balance = rows.right * float(rows.signs @ rows.weights)
        self.n_iter = 0
        self._decide()
        whole = (rows.right - rows.left) * rows.weights
        t = np.maximum(self._beyond, 0.0) + 1.0
        self.rows = Split(slice(None), Pairs(t, 0.5 * whole), Pairs(t - self._beyond, 0.5 * whole))
        mu = float((self.rows.plus.product + self.rows.minus.product) / (2 * len(whole)))
        kinked = np.flatnonzero(held > 0.0)
        kink = held[kinked]
        p = np.maximum(self.u[kinked], 0.0) + np.minimum(mu / kink, 1.0)
        self.columns = Split(kinked, Pairs(p, kink.copy()), Pairs(p - self.u[kinked], kink.copy()))
        self.sides = []
        for there, sign, bound in ((finite[0], 1.0, columns.lower), (finite[1], -1.0, columns.upper)):
            at = np.flatnonzero(there)
            slack = sign * (self.u[at] - bound[at])
            self.sides.append(Side(at, sign, bound[at], Pairs(slack, np.minimum(mu / slack, 1e3 * mu + 1.0))))
        self._all = [self.rows.plus, self.rows.minus, self.columns.plus, self.columns.minus]
        self._all += [side.pairs for side in self.sides]
        self._count = sum(len(pairs.slack) for pairs in self._all)
        self._joined = bool(columns.quadratic.any())

    def _decide(self) -> None:
        """Decision values without b, and how far margins are beyond the kink."""
        self.z = self._X.product(self.u) + self._rows.offset
        self._beyond = self._rows.signs * (self.z + self.b) - self._rows.kink

    @property
    def mu(self) -> float:
        """The mean product."""
        return sum(pairs.product for pairs in self._all) / self._count

    @property
    def gap(self) -> float:
        """What the products add up to: F above its dual, but for what is not yet satisfied."""
        return sum(pairs.product for pairs in self._all)

    @property
    def alpha(self) -> np.ndarray:
        """The dual variables, −C s φ' of each row."""
        return self.rows.plus.multiplier - self._rows.right * self._rows.weights

    def step(self) -> bool:
        """One step of predictor and corrector; whether there was one."""
        solve = self._system()
        for pairs in self._all:
            pairs.aim(0.0, second=False)
        if not self._direction(solve):
            return False
        mu = self.mu
        primal, dual = self._lengths(1.0)
        after = sum(pairs.product_after(primal, dual) for pairs in self._all) / self._count
        target = mu * min(max(after, 0.0) / mu, 1.0) ** 3
        for pairs in self._all:
            pairs.aim(target, second=True)
        if not self._direction(solve):
            return False
        primal, dual = self._lengths(1.0 - _SHORTER)
        for pairs in self._all:
            pairs.move(primal, dual)
        self.u, self.b = self.u + primal * self._du, self.b + primal * self._db
        self._decide()
        self.n_iter += 1
        return True

    def _lengths(self, part: float) -> tuple[float, float]:
        rooms = np.array([pairs.room() for pairs in self._all])
        primal, dual = np.minimum(part * rooms.min(axis=0), 1.0)
        if self._joined:
            primal = dual = min(primal, dual)
        return float(primal), float(dual)

    def _system(self) -> Callable[[np.ndarray, float, np.ndarray], tuple]:
        """What solves for a step; see :mod:`.interior_system`."""
        d = self._columns.quadratic.copy()
        self._stiff = 1.0 / self.columns.flexibility()
        d[self.columns.where] += self._stiff
        for side in self.sides:
            d[side.where] += side.pairs.multiplier / side.pairs.slack
        self._flexible = self.rows.flexibility()
        how = RowSystem if self._X.by_rows else ColumnSystem
        system = how(self._X, self._flexible, d, free=self._free)
        slopes = self._linear + self._columns.quadratic * self.u
        slopes -= self._X.transposed(self._rows.signs * self.rows.plus.multiplier)
        split = self.columns
        slopes[split.where] += 0.5 * (split.minus.multiplier - split.plus.multiplier)
        for side in self.sides:
            slopes[side.where] -= side.sign * side.pairs.multiplier
        self._slopes = slopes
        self._unbalanced = self._balance - float(self._rows.signs @ self.rows.plus.multiplier)
        return system.solve

    def _direction(self, solve: Callable) -> bool:
        """The changes of everything for the products that are aimed at."""
        split, signs = self.columns, self._rows.signs
        right = -self._slopes
        right[split.where] += self._stiff * split.aimed(self.u[split.where])
        for side in self.sides:
            pairs = side.pairs
            right[side.where] += side.sign * (pairs.right - pairs.multiplier * side.apart(self.u)) / pairs.slack
        aimed = self.rows.aimed(self._beyond)
        du, db, eta = solve(right, -self._unbalanced, signs * aimed)
        if not (np.isfinite(du).all() and np.isfinite(eta).all() and np.isfinite(db)):
            return False
        self._du, self._db = du, db
        self.rows.follow(signs * eta)
        split.follow(self._stiff * (split.aimed(self.u[split.where]) - du[split.where]))
        for side in self.sides:
            side.follow(self.u, du)
        return True
