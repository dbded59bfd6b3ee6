"""The end of ascent for a loss of two lines on sparse rows: the rows that are at neither line, by one linear system.

Sweeps find which rows lie at the kink long before they find the multipliers there, which depend on each other. For the
free rows F, with Q their Gram and α = C s y a,

    Q α_F + b = y kink − the rest of w,   Σ α = 0 where b is free,

by conjugate gradients; multipliers beyond a bound go there, and the others are solved for again. Then a pass tells
which rows lie on the wrong side. What comes out is proven by its duality gap.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..objective import BinaryObjective, Point
from .conjugate_gradients import conjugate_gradients
from .dual_active_set import certified_by_lines
from .lines import two_lines

_ROUNDS, _INNER, _PRODUCTS = 6, 12, 300
"""Looks at all rows, systems between two, and products for a system. Text with 20 classes takes one or two of the
first, one to three of the second, and 30 to 60 of the third."""

_LEFT, _EXACT = 1e-10, 1e-14
"""Part of a margin that rows may be away from the kink, on average, or on the wrong side of it; and the least, which is
rounding."""

_OF_TOL = 0.3
"""Part of what is to be proven that these, which F counts with C s, may come to."""


def free_rows_suit(objective: Any) -> bool:
    """Whether there is such an end for an objective."""
    plain = objective.n_outputs == 1 and objective.offset is None and objective.matrix.sparse
    return plain and not objective.loss.smooth and two_lines(objective.loss, objective.compiled) is not None


def end_by_free_rows(objective: BinaryObjective, multipliers: np.ndarray, b: float, tol: float) -> Point | None:
    """The optimum with its duality gap; None where that is more than tol.

    Parameters
    ----------
    objective : BinaryObjective
        F, which :func:`free_rows_suit`.
    multipliers : ndarray of shape (n,)
        −φ' of each row, nearly.
    b : float
        The intercept, nearly.
    tol : float
        Relative duality gap.
    """
    lines = two_lines(objective.loss, objective.compiled)
    assert lines is not None
    low, high = -lines.right, -lines.left
    run = _Run(objective, np.clip(multipliers, low, high), b)
    run.sharpen(tol)
    for _ in range(_ROUNDS):
        free = run.free(low, high, lines.kink)
        settled = run.solve(free, low, high, lines.kink)
        run.look()
        if settled and not run.wrong(low, high, lines.kink).any():
            break
    point = run.certified(lines)
    return point if point.excess <= tol else None


def certified_multipliers(objective: BinaryObjective, multipliers: np.ndarray) -> Point:
    """The point that multipliers make, without an intercept, with its duality gap."""
    lines = two_lines(objective.loss, objective.compiled)
    assert lines is not None
    return _Run(objective, np.clip(multipliers, -lines.right, -lines.left), 0.0).certified(lines)


class _Run:
    """The multipliers and what they make."""

    def __init__(self, objective: BinaryObjective, a: np.ndarray, b: float) -> None:
        self._objective, self._a, self._b = objective, a, b
        self._signs, self._weights = objective.signs, objective.row_weights
        self._left = _LEFT
        self.look()

    def sharpen(self, tol: float) -> None:
        """Let margins be so near the kink as a proof of tol needs."""
        enough = _OF_TOL * tol * self._objective.penalty.value(self._w) / self._objective.total
        self._left = min(max(enough, _EXACT), _LEFT)

    def look(self) -> None:
        """The coefficients and decision values of the multipliers: two passes."""
        matrix = self._objective.matrix
        self._w = matrix.transposed_product(self._signs * self._weights * self._a)
        self._z = matrix.product(self._w)

    def wrong(self, low: float, high: float, kink: float) -> np.ndarray:
        """Which rows are on a line that is not theirs."""
        beyond = self._signs * (self._z + self._b) - kink
        miss = self._left * (1.0 + abs(kink))
        found = ((self._a <= low) & (beyond < -miss)) | ((self._a >= high) & (beyond > miss))
        return found & (self._weights > 0.0)

    def free(self, low: float, high: float, kink: float) -> np.ndarray:
        """The rows between the lines, and those on the wrong one."""
        between = (self._a > low) & (self._a < high) & (self._weights > 0.0)
        return np.flatnonzero(between | self.wrong(low, high, kink))

    def solve(self, free: np.ndarray, low: float, high: float, kink: float) -> bool:
        """Put the margins of free rows at the kink; whether none met a bound at last."""
        fit_intercept = self._objective.fit_intercept
        for _ in range(_INNER):
            if len(free) == 0:
                return True
            rows = self._objective.matrix.packed(free, single=False)
            signs, weights = self._signs[free], self._weights[free]
            scale = 1.0 / np.sqrt(np.where(rows.squares > 0.0, rows.squares, 1.0))
            missing = signs * kink - self._z[free] - self._b
            surplus = float(self._signs @ (self._weights * self._a)) if fit_intercept else 0.0
            change, db, image = _system(
                rows.gram_product, missing, scale, surplus, self._left, fit_intercept=fit_intercept
            )
            if not np.isfinite(change).all():
                return False
            a = self._a[free] + signs * change / weights
            inside = np.clip(a, low, high)
            self._a[free], self._b = inside, self._b + db
            beyond = a != inside
            if not beyond.any():
                self._z[free] += image
                return True
            # Decision values of free rows change by what these do to each other.
            self._z[free] += rows.gram_product(signs * weights * (inside - a) + change)
            free = free[~beyond]
        return False

    def certified(self, lines: Any) -> Point:
        """The point with the duality gap as its bound."""
        theta = self._objective.theta(self._w, self._b)
        return certified_by_lines(self._objective, lines, self._weights * self._a, theta, self._z)


def _system(
    gram_product: Any, missing: np.ndarray, scale: np.ndarray, surplus: float, left: float, *, fit_intercept: bool
) -> tuple[np.ndarray, float, np.ndarray]:
    """q and db with Q q + db = missing and, where b is free, Σ q = −surplus; and Q q."""
    square = scale * scale
    weight = square / square.sum() if fit_intercept else np.zeros_like(square)
    q, step, db = np.full(len(missing), -surplus / len(missing)), np.zeros_like(square), 0.0
    residual = missing - gram_product(q) if surplus else missing.copy()
    steps = conjugate_gradients(gram_product, lambda r: square * (r - weight @ r), residual, step)
    enough = 0.0
    # Of rows that depend on each other and contradict, multipliers run to a bound, which the caller sees to.
    for products, rho in enumerate(steps):
        # The mean is what b takes up, and steps add up to 0; left in, it would round what is small beside it.
        mean = float(weight @ residual)
        residual -= mean
        db += mean
        enough = enough or max(left**2 * len(missing), 1e-26 * rho)
        if rho <= enough or products == _PRODUCTS:
            break
    return q + step, db, missing - db - residual
