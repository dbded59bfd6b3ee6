"""The quadratic model of the losses of two classes by columns, where its Hessian is too large to be written down.

That of many classes is :mod:`.joint_column_model`.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple, Self

import numpy as np
from scipy import sparse

from ...kernels.column_descent import (
    along_columns,
    descend_by_columns,
    scale_columns,
    squared_columns,
)
from ...objective import NonsmoothPenalty, Point
from ..conjugate_gradients import conjugate_gradients
from .quadratic_model import RIDGE, change_of_kinks

_ROUNDS = 4
"""Of descent in a step: more of them gain little before the curvatures are looked at again."""

_STANDING = 0.03
"""Part of the entries that may change signs in a round for conjugate gradients to come after it."""

_CYCLES, _PRODUCTS, _FACES = 8, 250, 4
"""How often conjugate gradients and a round of descent take turns, products of a step, about, and how often conjugate
gradients start again without entries that would have changed their signs, where the turns led up."""

_TRIED, _LOOSE = 16, (0.1, 15)
"""Products after which signs are looked at; part of the gradient that is left, and products, where the curvatures are
worth another look."""

CLOSE = 2e-5
"""What a step may lower F by, relative to it, for its model to be minimised to the end, ten times the work."""

_REACHED = 1e-8
"""Largest move of a last round, relative to the kink, up to which the minimum of the model is known."""


class Columns(NamedTuple):
    """X by columns, and space for the same scaled by the curvature of the rows.

    Attributes
    ----------
    data, indices, indptr : ndarray
        As SciPy has them, of float64 and unsigned.
    scaled : ndarray
        Of the length of ``data``.
    """

    data: np.ndarray
    indices: np.ndarray
    indptr: np.ndarray
    scaled: np.ndarray

    @classmethod
    def of(cls, matrix: Any) -> Self:
        """From a design matrix."""
        n = matrix.shape[0]
        if matrix.sparse:
            X = matrix.scipy.tocsc()
        else:
            dense = np.empty(matrix.shape)
            matrix.copy_rows(slice(0, n), dense)
            X = sparse.csc_array(dense)
        data = X.data.astype(np.float64, copy=False)
        # Of one type, so that kernels compile once.
        indices = X.indices.astype(np.uint32 if n < 1 << 32 else np.uint64, copy=False)
        return cls(data, indices, X.indptr.astype(np.uint64), np.empty_like(data))


class ColumnModel:
    """By columns, for a penalty of single entries; the arguments are those of :class:`WrittenModel`.

    Far from the optimum its minimum is found but roughly: a few rounds of descent, and once they change few signs,
    conjugate gradients on the entries that are not zero, which descent is slow to bring to an end. Where the step is
    short, both take turns until the minimum is known, which makes its dual variables a proof.
    """

    def __init__(
        self, objective: Any, penalty: NonsmoothPenalty, point: Point, u: np.ndarray, columns: Columns
    ) -> None:
        self._objective, self._penalty, self._point, self._u = objective, penalty, point, u
        self._columns = columns
        self._c = objective.row_curvatures(point)
        self.q = penalty.vector(objective.by_class(point.gradient)) + penalty.quadratic * u
        self.curved = bool(self._c.any())
        self.reached = False

    def minimised(self, factor: float, accuracy: float, damping: float) -> tuple[np.ndarray, float]:
        """As of :class:`WrittenModel`; a promise of infinity where it is not known what the minimum is."""
        objective, penalty, point = self._objective, self._penalty, self._point
        slope, b = objective.b(point.gradient), objective.b(point.theta).copy()
        close = CLOSE * (abs(float(point.value)) + penalty.value(self._u, factor))
        parts = [
            penalty.matrix(part)
            for part in (self.q, factor * penalty.kink, penalty.quadratic + damping, penalty.lower, penalty.upper)
        ]
        W, reached = penalty.matrix(self._u), True
        for k, c in enumerate(self._c):
            of_b = np.array([slope[k], float(c.sum()) + damping]) * float(objective.fit_intercept)
            one = _OneClass(objective.matrix, self._columns, c, W[k], of_b, *(part[k] for part in parts))
            shift, found = one.minimised(accuracy, close)
            b[k] += shift
            reached &= found
        end = penalty.vector(W)
        promise = float(self.q @ (end - self._u)) + float(slope @ (b - objective.b(point.theta)))
        promise += factor * change_of_kinks(penalty, self._u, end)
        self.reached = reached
        if len(b) > 1:
            b -= b.mean()
        return objective.theta(W, b if objective.fit_intercept else 0.0), promise


class _OneClass:
    """The model of one class: ``u`` becomes its minimum, about.

    Parameters
    ----------
    matrix, columns : DesignMatrix, Columns
        X, by rows and by columns.
    c : ndarray of shape (n,)
        Curvatures of the rows.
    u, of_b, q, kink, beside, lower, upper
        As of :func:`~marginclf.kernels.column_descent.descend_by_columns`.
    """

    def __init__(
        self,
        matrix: Any,
        columns: Columns,
        c: np.ndarray,
        u: np.ndarray,
        of_b: np.ndarray,
        q: np.ndarray,
        kink: np.ndarray,
        beside: np.ndarray,
        lower: np.ndarray,
        upper: np.ndarray,
    ) -> None:
        self._matrix, self._c = matrix, c
        self._root, self._u, self._of_b, self._q = np.sqrt(c), u, of_b, q
        self._kink, self._beside, self._lower, self._upper = kink, beside, lower, upper
        scale_columns(columns.data, columns.indices, columns.indptr, self._root, columns.scaled)
        self._X = columns.scaled, columns.indices, columns.indptr
        self._start, self._change = u.copy(), np.zeros(len(c))
        scale = np.empty(len(u))
        squared_columns(columns.scaled, columns.indptr, scale)
        scale += beside
        self._scale = scale + RIDGE * float(scale.max(initial=0.0)) + 1e-300
        self._face: tuple[np.ndarray, Any] | None = None

    def minimised(self, accuracy: float, close: float) -> tuple[float, bool]:
        """The change of the intercept, and whether it is the minimum; a fall beyond ``close`` is enough."""
        u, total, products, faces = self._u, 0.0, 0, 1
        shift, worst, changed = self._descended(accuracy, _ROUNDS)
        total, value = shift, self._value(shift)
        begun = value
        for _ in range(_CYCLES):
            free = ((u != 0.0) | (self._kink == 0.0)) & (u > self._lower) & (u < self._upper)
            members = np.flatnonzero(free)
            if worst <= accuracy or len(members) == 0:
                return total, worst <= max(accuracy, _REACHED)
            if changed > _STANDING * len(members) or value < begun - close or products >= _PRODUCTS:
                break
            before = u.copy(), self._change.copy(), total
            for _ in range(faces):
                d, done, crossed = self._smooth_step(members, accuracy, close)
                total, products, members = total + d, products + done, members[~crossed]
                if crossed.all() or not crossed.any():
                    break
            shift, worst, changed = self._descended(accuracy, 1)
            total += shift
            now = self._value(total)
            if not now < value:
                # What was cut off at zero cost more than the rest gained.
                u[...], self._change, total = before
                if faces > 1:
                    break
                faces, now = _FACES, value
            value = now
        return total, False

    def _descended(self, accuracy: float, rounds: int) -> tuple[float, float, int]:
        found: tuple[float, float, int] = descend_by_columns(
            *self._X, self._root, self._q, self._scale, self._beside, self._of_b, self._start, self._u, self._change,
            self._kink, self._lower, self._upper, accuracy, rounds,
        )  # fmt: skip
        return found

    def _value(self, shift: float) -> float:
        """The model, but for a constant, at the entries as they are and the intercept moved so far."""
        moved, change = self._u - self._start, self._change
        smooth = self._q @ moved + 0.5 * (change @ change + self._beside @ moved**2) + self._of_b[0] * shift
        return float(smooth + self._kink @ np.abs(self._u))

    def _rows_of(self, members: np.ndarray) -> tuple[np.ndarray, Any]:
        """Columns that hold some of them, by rows, and where these are there."""
        if self._face is not None:
            held, part = self._face
            at = np.searchsorted(held, members)
            if at[-1] < len(held) and np.array_equal(held[at], members):
                return at, part
        self._face = members, self._matrix.columns(members)
        return np.arange(len(members)), self._face[1]

    def _smooth_step(self, members: np.ndarray, accuracy: float, close: float) -> tuple[float, int, np.ndarray]:
        """A step by conjugate gradients on entries whose signs stand; what would change its sign becomes zero.

        Returns
        -------
        d : float
            The change of the intercept.
        products : int
            Those of the matrix.
        crossed : ndarray of bool
            Which of the entries are at zero now, or at a bound.
        """
        u, root, of_b, beside = self._u[members], self._root, self._of_b, self._beside[members]
        free = of_b[1] > 0.0
        along = np.empty(len(members))
        along_columns(*self._X, members, self._change, along)
        along += self._q[members] + beside * (u - self._start[members])
        pull = np.append(along + self._kink[members] * np.sign(u), of_b[0] + root @ self._change if free else 0.0)
        diagonal = np.append(self._scale[members], of_b[1] if free else 1.0)
        at, part = self._rows_of(members)
        spread = np.zeros(part.shape[1])

        def product(p: np.ndarray) -> np.ndarray:
            spread[at] = p[:-1]
            found, total = part.hessian_product(self._c, spread, p[-1])
            return np.append(found[at] + beside * p[:-1], total if free else 0.0)

        single = self._kink[members] > 0.0
        low = np.maximum(np.where(single & (u > 0.0), 0.0, -np.inf), self._lower[members])
        high = np.minimum(np.where(single & (u < 0.0), 0.0, np.inf), self._upper[members])
        unit = np.append(np.where(single, self._kink[members], 1.0), math.inf)

        step, left, products = np.zeros_like(pull), -pull, 0
        steps = conjugate_gradients(product, lambda r: r / diagonal, left, step)
        rough = _LOOSE[0] ** 2 * next(steps)
        for products, size in enumerate(steps, 1):
            to = u + step[:-1]
            crosses = products % _TRIED == 0 and bool(((to < low) | (to > high)).any())
            if crosses or products >= _PRODUCTS or (np.abs(left) <= accuracy * unit).all():
                break
            # The model falls by half of what the gradient says of a step to its minimum.
            if (size <= rough or products >= _LOOSE[1]) and -0.5 * float(pull @ step) > close:
                break
        to = np.clip(u + step[:-1], low, high)
        move = np.append(to - u, step[-1])
        spread[at] = move[:-1]
        rows = root * (part.product(spread) + move[-1])
        self._u[members] = to
        self._change += rows
        return float(step[-1]), products, to != u + step[:-1]
