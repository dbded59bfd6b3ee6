"""The quadratic model of the losses by columns where coefficients are in groups, of two classes or of many.

As :mod:`.joint_column_model` for single entries: a few rounds of coordinate descent, group by group, find which groups
are zero. What is left is smooth, and a step on it by conjugate gradients goes as far as the model falls.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ...kernels.block_column_descent import (
    along_blocks,
    bend_rows,
    block_scales,
    decisions_of_blocks,
    descend_by_blocks,
)
from ...objective import NonsmoothPenalty, Point, softmax
from ..conjugate_gradients import conjugate_gradients
from .column_model import CLOSE, Columns
from .quadratic_model import change_of_kinks

_ROUNDS, _NEAR = 4, 0.6
"""Of descent between smooth steps; and groups whose slope is this part of their kink are in the model."""

_STANDING, _CYCLES = 0.03, 4
"""Part of the groups that may become zero, or cease to be, in a round for a smooth step to come after it; and how often
they take turns."""

_LEFT, _PRODUCTS, _HALVINGS = (0.1, 1e-3), (15, 80), 20
"""Part of the gradient that conjugate gradients leave and their products, far from the optimum and near; and how often
a step on which the model does not fall is halved."""

_REACHED = 1e-8
"""Largest move of a last round, relative to the kink, up to which the minimum of the model is known."""


class BlockColumnModel:
    """By columns, for groups; arguments are those of :class:`~.joint_column_model.JointColumnModel`."""

    def __init__(
        self, objective: Any, penalty: NonsmoothPenalty, point: Point, u: np.ndarray, columns: Columns
    ) -> None:
        self._objective, self._penalty, self._point, self._u = objective, penalty, point, u
        self._X = columns.data, columns.indices, columns.indptr
        if penalty.shape[0] > 1:
            q, *bends = softmax(objective, point)
            self._rows = objective.passes.codes, np.ascontiguousarray(q.T), *bends
        else:
            c = objective.row_curvatures(point)[0]
            self._rows = np.zeros(len(c), dtype=np.uint8), np.zeros((len(c), 1)), np.zeros(len(c)), c
        self.q = penalty.vector(objective.by_class(point.gradient))
        self.curved = bool(self._rows[2].any() or self._rows[3].any())
        self.reached = False

    def minimised(self, factor: float, accuracy: float, damping: float) -> tuple[np.ndarray, float]:
        """As of :class:`~.quadratic_model.WrittenModel`, about; ``change`` is what the decision values change by."""
        objective, penalty, point = self._objective, self._penalty, self._point
        free, k = objective.fit_intercept, penalty.shape[0]
        kink = factor * penalty.kink
        chosen = (penalty.norms(self._u) > 0.0) | (penalty.pull(self._u, -self.q) >= _NEAR * kink)
        which = np.flatnonzero(np.repeat(chosen, penalty.sizes))
        # A column has all of its classes in one group.
        columns, starts = penalty.columns[which[::k]], np.append(0, np.cumsum(penalty.sizes[chosen] // k))
        slope = objective.b(point.gradient)
        parts = (part[which] for part in (self.q, self._u, penalty.lower, penalty.upper))
        groups = _Groups(self._X, self._rows, columns, starts, kink[chosen], damping, parts, slope if free else None)
        close = CLOSE * (abs(float(point.value)) + penalty.value(self._u, factor))
        self.reached = groups.minimise(accuracy, close)
        end = self._u.copy()
        end[which] = groups.u
        promise = float(self.q @ (end - self._u)) + float(slope @ groups.shift)
        promise += factor * change_of_kinks(penalty, self._u, end)
        shift = groups.shift - (groups.shift.mean() if k > 1 else 0.0)
        # A number added to all decision values changes nothing.
        self.change = groups.decisions(groups.u - self._u[which], shift).T
        return objective.theta(penalty.matrix(end), objective.b(point.theta) + shift if free else 0.0), promise


class _Groups:
    """The model on some groups: ``u`` and ``shift`` become its minimum, about.

    Parameters
    ----------
    X : tuple of ndarray
        By columns: data, indices and where columns begin.
    rows : tuple of ndarray
        Class, softmax (n, K), C s φ' and C s φ'' of each row.
    columns, starts : ndarray of int
        Columns of the groups, one after another, and where each group begins.
    kink : ndarray
        Weight of the norm of each group.
    damping : float
        Added to the diagonal.
    parts : iterable of ndarray
        Of each entry: the gradient, the entry, and its bounds.
    in_b : ndarray of shape (K,) or None
        The derivatives in the intercepts; None where they are not free.
    """

    def __init__(
        self,
        X: tuple,
        rows: tuple,
        columns: np.ndarray,
        starts: np.ndarray,
        kink: np.ndarray,
        damping: float,
        parts: Any,
        in_b: np.ndarray | None,
    ) -> None:
        n, k = rows[1].shape
        self._X, self._rows, self._columns, self._starts = X, rows, columns, starts
        self._kink, self._damping, self._k = kink, damping, k
        self._q, self._start, self._lower, self._upper = parts
        self._in_b = np.zeros(0) if in_b is None else in_b
        self.u, self.shift, self._bent = self._start.copy(), np.zeros(k), np.zeros((n, k))
        size = k * len(columns)
        self._squares, self._work, self._scale = np.empty(size), np.empty(size), np.empty(len(kink))
        block_scales(*X, columns, starts, *rows, self._squares, self._work, np.zeros(n), self._scale)
        codes, q, slopes, c = rows
        self._of_b = (q * (c[:, None] * q - slopes[:, None] * (1.0 - q))).sum(axis=0) + np.bincount(codes, c, k)

    def minimise(self, accuracy: float, close: float) -> bool:
        """Whether that is the minimum; a promise beyond ``close`` is enough."""
        before = float(self._kink @ self._norms(self.u))
        for cycle in range(_CYCLES):
            worst, changed = descend_by_blocks(
                *self._X, self._columns, self._starts, *self._rows, self._q, self._in_b, self._of_b, self._scale,
                self._damping, self._start, self.u, self.shift, self._kink, self._lower, self._upper, self._bent,
                self._work, np.empty(self._k), accuracy, _ROUNDS if cycle == 0 else 1,
            )  # fmt: skip
            inside = self._norms(self.u) > 0.0
            if worst <= accuracy or changed > _STANDING * inside.sum() or cycle == _CYCLES - 1:
                return bool(worst <= max(accuracy, _REACHED))
            promise = float(self._q @ (self.u - self._start)) + float(self._kink @ self._norms(self.u)) - before
            if len(self._in_b):
                promise += float(self._in_b @ self.shift)
            far = -promise > close
            if not self._smooth_step(inside | (self._kink == 0.0), int(not far)) or far:
                break
        return False

    def decisions(self, moved: np.ndarray, shift: np.ndarray) -> np.ndarray:
        """X times the changes of the entries, and those of the intercepts, of shape (n, K)."""
        found = np.empty_like(self._bent)
        decisions_of_blocks(*self._X, self._columns, moved, shift, found)
        return found

    def _norms(self, u: np.ndarray) -> np.ndarray:
        found: np.ndarray = np.sqrt(np.add.reduceat(u * u, self._k * self._starts[:-1])) if len(u) else u
        return found

    def _smooth_step(self, inside: np.ndarray, how: int) -> bool:
        """A step by conjugate gradients on groups that are not zero; whether the model falls."""
        k, sizes, damping = self._k, self._k * np.diff(self._starts), self._damping
        members = np.flatnonzero(np.repeat(inside, sizes) & (self._lower < self.u) & (self.u < self._upper))
        kink, norms = (np.repeat(it, sizes)[members] for it in (self._kink, self._norms(self.u)))
        bend, unit = (
            np.divide(it, norms, out=np.zeros_like(kink), where=norms > 0.0) for it in (kink, self.u[members])
        )
        group = np.repeat(np.arange(len(sizes)), sizes)[members]
        used, at = np.unique(members // k, return_inverse=True)
        columns, at = self._columns[used], at * k + members % k
        free, spread, along = len(self._in_b) > 0, np.zeros(k * len(used)), np.empty(k * len(used))
        change, bent, in_b = np.empty_like(self._bent), np.empty_like(self._bent), np.empty(k)

        def product(p: np.ndarray) -> np.ndarray:
            """Without what the norms are curved by; ``bent`` is H δ of the rows."""
            spread[at] = p[:-k]
            decisions_of_blocks(*self._X, columns, spread, p[-k:], change)
            bend_rows(*self._rows, change, bent, in_b)
            along_blocks(*self._X, columns, bent, along)
            return np.append(along[at] + damping * p[:-k], in_b + damping * p[-k:] if free else np.zeros(k))

        def whole(p: np.ndarray) -> np.ndarray:
            found, p = product(p), p[:-k]
            found[:-k] += bend * (p - np.bincount(group, unit * p, len(sizes))[group] * unit)
            return found

        along_blocks(*self._X, columns, self._bent, along)
        slope = np.append(along[at] + self._q[members] + damping * (self.u - self._start)[members], np.zeros(k))
        if free:
            slope[-k:] = self._bent.sum(axis=0) + self._in_b + damping * self.shift
        diagonal = np.append(self._squares[members] + bend * (1.0 - unit * unit), self._of_b) + damping + 1e-300
        right = -slope - np.append(kink * unit, np.zeros(k))
        step = np.zeros_like(right)
        steps = conjugate_gradients(whole, lambda r: r / diagonal, right, step)
        enough = _LEFT[how] ** 2 * next(steps)
        for done, size in enumerate(steps, 1):
            if size <= enough or done >= _PRODUCTS[how]:
                break
        curved, moved, t = float(step @ product(step)), np.zeros_like(self.u), 1.0
        moved[members] = step[:-k]
        with np.errstate(divide="ignore", invalid="ignore"):
            edge = np.where(moved > 0.0, self._upper - self.u, self._lower - self.u) / moved
            t = min(1.0, float(np.min(edge, where=moved != 0.0, initial=1.0)))
        before = float(self._kink @ self._norms(self.u))
        for _ in range(_HALVINGS):
            u = np.clip(self.u + t * moved, self._lower, self._upper)
            fall = t * float(slope @ step) + 0.5 * t * t * curved + float(self._kink @ self._norms(u)) - before
            if fall < 0.0:
                self.u, self.shift = u, self.shift + t * step[-k:]
                self._bent += t * bent
                return True
            t *= 0.5
        return False
