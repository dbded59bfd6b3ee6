"""The quadratic model of the losses of many classes by columns, with all that one class makes of another.

As :mod:`.column_model` for two classes: a few rounds of coordinate descent, which finds what is zero, and conjugate
gradients on the entries that are not. What the classes of a row make of each other takes two numbers a row, its mean
change and that of its own class, so that descent costs no more than in each class by itself.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ...kernels.joint_column_descent import decisions_jointly, descend_jointly, gradient_jointly
from ...objective import NonsmoothPenalty, Point, softmax
from ..conjugate_gradients import conjugate_gradients
from .column_model import Columns
from .quadratic_model import change_of_kinks

_ROUNDS = 4
"""Of descent in a step."""

_NEAR = 0.6
"""Entries whose slope is this part of their kink are in the model."""

_STANDING, _STILL = 0.02, 1e-3
"""Part of the entries that may change signs in a round for conjugate gradients to come after it, and to be followed."""

_FIRST, _LAST, _FACES = (0.1, 15), (3e-3, 80), 3
"""Part of the gradient that they leave and their products, at first and where they are followed; how often they start
again without entries that would have changed their signs."""

_KEPT = 0.8
"""Part of what conjugate gradients aim at that is enough where some of it is cut off."""

_REACHED = 1e-8
"""Largest move of a last round, relative to the kink, up to which the minimum of the model is known."""


class JointColumnModel:
    """By columns, for many classes and a penalty of single entries.

    Parameters
    ----------
    objective, penalty, point, u
        As of :class:`~.quadratic_model.WrittenModel`.
    columns : Columns
        X.
    """

    def __init__(
        self, objective: Any, penalty: NonsmoothPenalty, point: Point, u: np.ndarray, columns: Columns
    ) -> None:
        self._objective, self._penalty, self._point, self._u = objective, penalty, point, u
        self._X = columns.data, columns.indices, columns.indptr
        self._rows = objective.passes.codes, *softmax(objective, point)
        self.q = penalty.vector(objective.by_class(point.gradient)) + penalty.quadratic * u
        self.curved = bool(self._rows[2].any() or self._rows[3].any())
        self.reached = False

    def minimised(self, factor: float, accuracy: float, damping: float) -> tuple[np.ndarray, float]:
        """As of :class:`~.quadratic_model.WrittenModel`, about; ``change`` is what the decision values change by."""
        objective, penalty, point = self._objective, self._penalty, self._point
        free, (k, d) = objective.fit_intercept, penalty.shape
        kink = factor * penalty.kink
        pull = penalty.pull(self._u, penalty.quadratic * self._u - self.q)
        chosen = np.flatnonzero(penalty.matrix((self._u != 0.0) | (pull >= _NEAR * kink)).ravel())
        parts = (self.q, kink, penalty.quadratic + damping, penalty.lower, penalty.upper, self._u)
        pull, kink, beside, lower, upper, start = (penalty.matrix(part).ravel()[chosen] for part in parts)
        entries = _Entries(self._X, self._rows, chosen % d, np.searchsorted(chosen, np.arange(k + 1) * d))
        slope = objective.b(point.gradient)
        W = np.zeros(k * d)
        found, shift, self.reached = entries.minimised(
            pull, slope if free else slope[:0], beside, start, kink, lower, upper, damping, accuracy
        )
        W[chosen] = found
        end = penalty.vector(W.reshape(k, d))
        promise = float(self.q @ (end - self._u)) + float(slope @ shift)
        promise += factor * change_of_kinks(penalty, self._u, end)
        b = objective.b(point.theta) + shift
        # A number added to all decision values changes nothing.
        self.change = entries.change
        if free:
            self.change -= b.mean()
        return objective.theta(W.reshape(k, d), b - b.mean() if free else 0.0), promise


class _Entries:
    """The model on some entries.

    Parameters
    ----------
    X : tuple of ndarray
        By columns: data, indices and where columns begin.
    rows : tuple of ndarray
        Class, softmax, C s φ' and C s φ'' of each row.
    columns, first : ndarray of int
        Columns of the entries, class after class, and where each class begins.

    Attributes
    ----------
    change : ndarray of shape (K, n)
        What the decision values change by.
    """

    def __init__(self, X: tuple, rows: tuple, columns: np.ndarray, first: np.ndarray) -> None:
        n = len(rows[0])
        self._X, self._rows, self._columns, self._first = X, rows, columns, first
        self.change, self._mean, self._own = np.zeros((len(first) - 1, n)), np.zeros(n), np.zeros(n)
        self._work = np.empty_like(self.change)  # memory that is new costs as much as a product of few entries

    def minimised(
        self,
        pull: np.ndarray,
        in_b: np.ndarray,
        beside: np.ndarray,
        start: np.ndarray,
        kink: np.ndarray,
        lower: np.ndarray,
        upper: np.ndarray,
        damping: float,
        accuracy: float,
    ) -> tuple[np.ndarray, np.ndarray, bool]:
        """The entries, the changes of the intercepts, and whether that is the minimum."""
        n, k = len(self._rows[0]), len(self._first) - 1
        u, shift, scale = start.copy(), np.zeros(k), np.empty(len(start))
        worst, changed = descend_jointly(
            *self._X, self._columns, self._first, *self._rows, pull, in_b, scale, beside, start, u, shift, kink, lower,
            upper, damping, self.change, self._mean, self._own, np.empty((n, 2)), np.empty(n), accuracy, _ROUNDS,
        )  # fmt: skip
        self._of = pull, in_b, beside, start, kink, lower, upper, damping, scale
        members = np.flatnonzero(((u != 0.0) | (kink == 0.0)) & (u > lower) & (u < upper))
        if worst <= accuracy or len(members) == 0 or changed > _STANDING * len(members):
            return u, shift, worst <= max(accuracy, _REACHED)
        how = _LAST if changed <= _STILL * len(members) else _FIRST
        before, falls = (u.copy(), shift.copy(), self.change.copy()), 0.0
        for _ in range(_FACES):
            fall, aimed, crossed = self._smooth_step(u, shift, members, *how)
            falls += fall
            if fall <= _KEPT * aimed:
                break
            members = members[~crossed]
        if not falls < 0.0:
            u, shift, self.change = before
        return u, shift, False

    def _smooth_step(
        self, u: np.ndarray, shift: np.ndarray, members: np.ndarray, less: float, most: int
    ) -> tuple[float, float, np.ndarray]:
        """A step by conjugate gradients on entries whose signs stand; what would change its sign becomes zero.

        Returns
        -------
        fall, aimed : float
            By how much the model changes, and would change if nothing was cut off.
        crossed : ndarray of bool
            Which of the entries are at zero now, or at a bound.
        """
        pull, in_b, beside, start, kink, lower, upper, damping, scale = self._of
        k, m = len(shift), len(members)
        columns, first = self._columns[members], np.searchsorted(members, self._first)
        beside, at, free = beside[members], u[members], len(in_b) > 0
        diagonal = np.append(scale[members], np.maximum(_between(*self._rows), 1e-300) + damping)

        def along() -> np.ndarray:
            found = np.empty(m + k)
            gradient_jointly(
                *self._X, columns, first, *self._rows, self._work, self._mean, self._own, found[:m], found[m:]
            )
            if not free:
                found[m:] = 0.0
            return found

        def product(p: np.ndarray) -> np.ndarray:
            decisions_jointly(*self._X, columns, first, p[:m], p[m:], self._work)
            found = along()
            found[:m] += beside * p[:m]
            found[m:] += damping * p[m:] if free else 0.0
            return found

        self._work[...] = self.change
        slope = along()
        slope[:m] += pull[members] + beside * (at - start[members]) + kink[members] * np.sign(at)
        if free:
            slope[m:] += in_b + damping * shift
        step = np.zeros_like(slope)
        steps = conjugate_gradients(product, lambda r: r / diagonal, -slope, step)
        enough = less * less * next(steps)
        for products, size in enumerate(steps, 1):
            if size <= enough or products >= most:
                break
        single = kink[members] > 0.0
        low = np.maximum(np.where(single & (at > 0.0), 0.0, -np.inf), lower[members])
        high = np.minimum(np.where(single & (at < 0.0), 0.0, np.inf), upper[members])
        to = np.clip(at + step[:m], low, high)
        move = np.append(to - at, step[m:])
        u[members] = to
        shift += step[m:]
        fall = float(slope @ move + 0.5 * (move @ product(move)))
        decisions_jointly(*self._X, columns, first, move[:m], move[m:], self._work)
        self.change += self._work
        return fall, 0.5 * float(slope @ step), to != at + step[:m]


def _between(codes: np.ndarray, q: np.ndarray, slopes: np.ndarray, curvatures: np.ndarray) -> np.ndarray:
    """The diagonal of the Hessian in the intercepts, of shape (K,)."""
    others: np.ndarray = (q * q) @ (curvatures + slopes) - q @ slopes
    return others + np.bincount(codes, curvatures, minlength=len(q))
