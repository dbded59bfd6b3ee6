"""A primal-dual interior-point method for losses of two lines, also with the corner rounded off, beside separable
penalties with kinks and bounds.

With φ(m) = value + right (m − kink) + (right − left) ξ, where ξ ≥ 0, t = m − kink + ξ ≥ 0, and a coefficient that has a
kink at zero as p − n with p, n ≥ 0, F is a quadratic program; with a corner that is rounded off, t is larger by the
softness times −φ' of the lines. Its conditions of optimality, with the product of each
slack and its multiplier at μ in place of 0, are followed to μ = 0 by Newton's method. Each step solves

    (Xᵀ D X + E) Δu + Xᵀ D 1 Δb = …

with positive diagonals D of the rows and E of the columns; see :mod:`.interior_system`. Ten to thirty of them end it,
whatever C is and however columns are correlated.

References
----------
Mehrotra (1992), On the implementation of a primal-dual interior point method, SIAM J. Optim. 2.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from .interior_system import solver_of

_SHORTER, _SHORTEST = 1e-3, 1e-10
"""Part of the way to the nearest zero of a slack or multiplier that a step leaves, and a step that is none."""


class Pairs:
    """Slacks and their multipliers, both positive, whose products go to zero together.

    Parameters
    ----------
    slack, multiplier : ndarray
        Where they start.
    """

    def __init__(self, slack: np.ndarray, multiplier: np.ndarray) -> None:
        self.slack, self.multiplier = slack, multiplier
        self.d_slack = self.d_multiplier = self.right = np.zeros(0)

    @property
    def product(self) -> float:
        """Of all of them, the sum."""
        return float(self.slack @ self.multiplier)

    def product_after(self, primal: float, dual: float) -> float:
        """The same after steps of such lengths."""
        return float((self.slack + primal * self.d_slack) @ (self.multiplier + dual * self.d_multiplier))

    def aim(self, mu: float, *, second: bool) -> None:
        """What a step has to add to the products; ``second`` counts the product of the last changes."""
        self.right = mu - self.slack * self.multiplier
        if second:
            self.right -= self.d_slack * self.d_multiplier

    def room(self) -> tuple[float, float]:
        """The longest steps of slacks and of multipliers."""
        return _room(self.slack, self.d_slack), _room(self.multiplier, self.d_multiplier)

    def move(self, primal: float, dual: float) -> None:
        """Go steps of such lengths."""
        self.slack = self.slack + primal * self.d_slack
        self.multiplier = self.multiplier + dual * self.d_multiplier


def _room(x: np.ndarray, dx: np.ndarray) -> float:
    steepest = float((dx / x).min(initial=0.0))
    return -1.0 / steepest if steepest < 0.0 else np.inf


class Split:
    """Numbers x = plus.slack − minus.slack whose two multipliers have a constant sum.

    Margins beside the kink of the loss are such, and coefficients beside that of the penalty.
    """

    def __init__(self, plus: Pairs, minus: Pairs) -> None:
        self.plus, self.minus = plus, minus

    def flexibility(self) -> np.ndarray:
        """How far x moves for a change of its multipliers."""
        return self.plus.slack / self.plus.multiplier + self.minus.slack / self.minus.multiplier

    def aimed(self, x: np.ndarray) -> np.ndarray:
        """How far x is from where the products that are aimed at put it, its multipliers as they are."""
        plus, minus = self.plus, self.minus
        return plus.right / plus.multiplier - minus.right / minus.multiplier - (x - (plus.slack - minus.slack))

    def follow(self, change: np.ndarray) -> None:
        """The changes of all four, from that of the multiplier of plus."""
        plus, minus = self.plus, self.minus
        plus.d_multiplier, minus.d_multiplier = change, -change
        plus.d_slack = (plus.right - plus.slack * change) / plus.multiplier
        minus.d_slack = (minus.right + minus.slack * change) / minus.multiplier


class Side:
    """A bound on one side of some coefficients: sign (u − bound) ≥ 0."""

    def __init__(self, where: np.ndarray, sign: float, bound: np.ndarray, pairs: Pairs) -> None:
        self.where, self.sign, self.bound, self.pairs = where, sign, bound, pairs

    def apart(self, u: np.ndarray) -> np.ndarray:
        """What slacks lack."""
        found: np.ndarray = self.sign * (u[self.where] - self.bound) - self.pairs.slack
        return found

    def follow(self, u: np.ndarray, du: np.ndarray) -> None:
        """The changes, from that of u."""
        pairs = self.pairs
        pairs.d_slack = self.sign * du[self.where] + self.apart(u)
        pairs.d_multiplier = (pairs.right - pairs.multiplier * pairs.d_slack) / pairs.slack


class Columns(NamedTuple):
    """Σ kink |u| + slope u + ½ quadratic u², lower ≤ u ≤ upper, with lower < upper."""

    kink: np.ndarray
    slope: np.ndarray
    quadratic: np.ndarray
    lower: np.ndarray
    upper: np.ndarray

    def inside(self, mu: float) -> np.ndarray:
        """A point between the bounds: zero, if it is one, or as near to a bound as products of μ with its slope are."""
        low, high = np.isfinite(self.lower), np.isfinite(self.upper)
        room = np.where(low & high, 0.5 * (self.upper - self.lower), 1.0)
        off = np.minimum(room, mu / np.maximum(np.abs(self.slope), mu))
        near_lower = low & ((self.lower >= 0.0) | ~high)
        found = np.where(near_lower, self.lower + off, self.upper - off)
        return np.where((self.lower < 0.0) & (self.upper > 0.0), 0.0, found)


class Rows(NamedTuple):
    """Σ right weights x + max_α (−α x − ½ soft α²), 0 ≤ α ≤ most, x = signs (X u + b + offset) − kink."""

    signs: np.ndarray
    weights: np.ndarray
    most: np.ndarray
    right: float
    kink: float
    soft: np.ndarray
    offset: np.ndarray

    def value(self, beyond: np.ndarray) -> float:
        """The sum where margins are so far beyond the kink."""
        short = np.maximum(-beyond, 0.0)
        steep = np.divide(short, self.soft, out=np.full_like(short, np.inf), where=self.soft > 0.0)
        alpha = np.minimum(steep, self.most)
        return float(self.right * (self.weights @ beyond) + alpha @ (short - 0.5 * self.soft * alpha))


class InteriorPoint:
    """A point inside, and the steps from there towards the optimum.

    Parameters
    ----------
    X : Products
        The columns.
    rows, columns : Rows, Columns
        The problem.
    fit_intercept : bool
        Whether b is free.

    Attributes
    ----------
    u, b : ndarray of shape (d,) and float
        Coefficients and intercept.
    beyond : ndarray of shape (n,)
        How far margins are beyond the kink.
    margins : Split
        ``plus.multiplier`` is −C s φ' and right C s.
    coefficients : Split
        Those with a kink, which ``kinked`` says.
    sides : list of Side
        The bounds.
    """

    def __init__(self, X: Any, rows: Rows, columns: Columns, *, fit_intercept: bool) -> None:
        self._X, self._rows, self._columns, self._free = X, rows, columns, fit_intercept
        whole = rows.most
        # Of a corner that is rounded off, not more than the slope at margin 0, which may be far from the largest.
        steep = np.divide(abs(rows.kink), rows.soft, out=np.full_like(whole, np.inf), where=rows.soft > 0.0)
        alpha = 0.5 * np.minimum(whole, steep)
        mu = float(alpha.mean())
        self.u, self.b = columns.inside(mu), 0.0
        self._linear = columns.slope + rows.right * X.transposed(rows.signs * rows.weights)
        self._balance = rows.right * float(rows.signs @ rows.weights)
        self._look()
        beyond = self.beyond + rows.soft * alpha
        t = np.maximum(beyond, 0.0) + 1.0
        self.margins = Split(Pairs(t, alpha), Pairs(t - beyond, whole - alpha))
        mu = 0.5 * (self.margins.plus.product + self.margins.minus.product) / len(whole)
        self.kinked = np.flatnonzero(columns.kink > 0.0)
        kink, at = columns.kink[self.kinked], self.u[self.kinked]
        p = np.maximum(at, 0.0) + np.minimum(mu / kink, 1.0)
        self.coefficients = Split(Pairs(p, kink.copy()), Pairs(p - at, kink.copy()))
        self.sides = []
        for sign, bound in ((1.0, columns.lower), (-1.0, columns.upper)):
            where = np.flatnonzero(np.isfinite(bound))
            slack = sign * (self.u[where] - bound[where])
            self.sides.append(Side(where, sign, bound[where], Pairs(slack, mu / slack)))
        splits = (self.margins, self.coefficients)
        self._all = [it for split in splits for it in (split.plus, split.minus)] + [side.pairs for side in self.sides]
        self._count = sum(len(pairs.slack) for pairs in self._all)
        self._du, self._db = np.zeros_like(self.u), 0.0

    def _look(self) -> None:
        rows = self._rows
        self.beyond = rows.signs * (self._X.product(self.u) + rows.offset + self.b) - rows.kink

    @property
    def gap(self) -> float:
        """What the products add up to: F less its dual, but for what conditions are not satisfied yet."""
        return sum(pairs.product for pairs in self._all)

    def step(self) -> bool:
        """One step, with a predictor and a corrector; False where there is none."""
        solve = self._system()
        if not self._direction(solve, 0.0, second=False):
            return False
        mean = self.gap / self._count
        primal, dual = self._lengths(1.0)
        after = sum(pairs.product_after(primal, dual) for pairs in self._all) / self._count
        if not self._direction(solve, mean * min(max(after, 0.0) / mean, 1.0) ** 3, second=True):
            return False
        primal, dual = self._lengths(1.0 - _SHORTER)
        if not min(primal, dual) > _SHORTEST:
            return False
        for pairs in self._all:
            pairs.move(primal, dual)
        self.u, self.b = self.u + primal * self._du, self.b + primal * self._db
        self._look()
        return True

    def _lengths(self, part: float) -> tuple[float, float]:
        """How far slacks and multipliers may go; with squares in F or its dual, the same."""
        primal, dual = np.minimum(part * np.array([pairs.room() for pairs in self._all]).min(axis=0), 1.0)
        if self._columns.quadratic.any() or self._rows.soft.any():
            primal = dual = min(primal, dual)
        return float(primal), float(dual)

    def _system(self) -> Callable[..., tuple]:
        """What solves for a step; and what the conditions lack that have no products."""
        split, signs, columns = self.coefficients, self._rows.signs, self._columns
        self._stiff = 1.0 / split.flexibility()
        diagonal = columns.quadratic.copy()
        diagonal[self.kinked] += self._stiff
        slopes = self._linear + columns.quadratic * self.u - self._X.transposed(signs * self.margins.plus.multiplier)
        slopes[self.kinked] += 0.5 * (split.minus.multiplier - split.plus.multiplier)
        for side in self.sides:
            diagonal[side.where] += side.pairs.multiplier / side.pairs.slack
            slopes[side.where] -= side.sign * side.pairs.multiplier
        self._slopes = slopes
        self._surplus = float(signs @ self.margins.plus.multiplier) - self._balance
        return solver_of(self._X, self.margins.flexibility() + self._rows.soft, diagonal, free=self._free)

    def _direction(self, solve: Callable[..., tuple], mu: float, *, second: bool) -> bool:
        """The changes of everything for products of μ; whether they are numbers."""
        for pairs in self._all:
            pairs.aim(mu, second=second)
        split, signs = self.coefficients, self._rows.signs
        aimed = split.aimed(self.u[self.kinked])
        right = -self._slopes
        right[self.kinked] += self._stiff * aimed
        for side in self.sides:
            pairs = side.pairs
            right[side.where] += side.sign * (pairs.right - pairs.multiplier * side.apart(self.u)) / pairs.slack
        beyond = self.beyond + self._rows.soft * self.margins.plus.multiplier
        du, db, change = solve(right, self._surplus, signs * self.margins.aimed(beyond))
        if not (np.isfinite(du).all() and np.isfinite(change).all() and np.isfinite(db)):
            return False
        self._du, self._db = du, db
        self.margins.follow(signs * change)
        split.follow(self._stiff * (aimed - du[self.kinked]))
        for side in self.sides:
            side.follow(self.u, du)
        return True
