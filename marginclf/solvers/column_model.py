"""The quadratic model of the losses of two classes by columns, where its Hessian is too large to be written down.

That of many classes is :mod:`.joint_column_model`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, Self

import numpy as np
from scipy import sparse

from ..kernels.column_descent import (
    along_columns,
    descend_by_columns,
    scale_columns,
    squared_columns,
    times_columns,
)
from ..objective import NonsmoothPenalty, Point
from .quadratic_model import RIDGE, change_of_kinks

_ROUNDS = 4
"""Of descent in a step: more of them gain little before the curvatures are looked at again."""

_STANDING, _STILL = 0.01, 1e-3
"""Part of the entries that may change signs in a round for conjugate gradients to come after it, and to be followed."""

_FIRST, _LAST, _FACES = (0.1, 15), (3e-3, 80), 3
"""Part of the gradient that they leave and their products, at first and where they are followed; how often they start
again without entries that would have changed their signs."""

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

    Its minimum is found but roughly: a few rounds of descent, and once they change next to no sign, conjugate gradients
    on the entries that are not zero, which descent is slow to bring to an end. The model of the next step goes on.
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
        parts = [
            penalty.matrix(part)
            for part in (self.q, factor * penalty.kink, penalty.quadratic + damping, penalty.lower, penalty.upper)
        ]
        W, reached = penalty.matrix(self._u), True
        for k, c in enumerate(self._c):
            of_b = np.array([slope[k], float(c.sum()) + damping]) * float(objective.fit_intercept)
            shift, found = _OneClass(self._columns, c, W[k], of_b, *(part[k] for part in parts)).minimised(accuracy)
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
    columns : Columns
        X.
    c : ndarray of shape (n,)
        Curvatures of the rows.
    u, of_b, q, kink, beside, lower, upper
        As of :func:`~marginclf.kernels.column_descent.descend_by_columns`.
    """

    def __init__(
        self,
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
        self._root, self._u, self._of_b, self._q = np.sqrt(c), u, of_b, q
        self._kink, self._beside, self._lower, self._upper = kink, beside, lower, upper
        scale_columns(columns.data, columns.indices, columns.indptr, self._root, columns.scaled)
        self._X = columns.scaled, columns.indices, columns.indptr
        self._start, self._change = u.copy(), np.zeros(len(c))
        scale = np.empty(len(u))
        squared_columns(columns.scaled, columns.indptr, scale)
        scale += beside
        self._scale = scale + RIDGE * float(scale.max(initial=0.0)) + 1e-300

    def minimised(self, accuracy: float) -> tuple[float, bool]:
        """The change of the intercept, and whether it is the minimum."""
        shift, worst, changed = descend_by_columns(
            *self._X, self._root, self._q, self._scale, self._beside, self._of_b, self._start, self._u, self._change,
            self._kink, self._lower, self._upper, accuracy, _ROUNDS,
        )  # fmt: skip
        u = self._u
        free = ((u != 0.0) | (self._kink == 0.0)) & (u > self._lower) & (u < self._upper)
        members = np.flatnonzero(free)
        if worst <= accuracy or len(members) == 0 or changed > _STANDING * len(members):
            return shift, worst <= max(accuracy, _REACHED)
        how = _LAST if changed <= _STILL * len(members) else _FIRST
        before = u.copy(), self._change.copy()
        falls, in_b = 0.0, 0.0
        for _ in range(_FACES):
            fall, d, crossed = self._smooth_step(members, *how)
            falls, in_b = falls + fall, in_b + d
            if not crossed.any():
                break
            members = members[~crossed]
        if not falls < 0.0:
            (u[...], self._change), in_b = before, 0.0
        return shift + in_b, False

    def _smooth_step(self, members: np.ndarray, less: float, most: int) -> tuple[float, float, np.ndarray]:
        """A step by conjugate gradients on entries whose signs stand; what would change its sign becomes zero.

        Returns
        -------
        fall : float
            By how much the model changes.
        d : float
            The change of the intercept.
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

        def product(p: np.ndarray) -> np.ndarray:
            found, rows = np.empty_like(p), root * p[-1]
            times_columns(*self._X, members, p[:-1], rows)
            along_columns(*self._X, members, rows, found[:-1])
            found[:-1] += beside * p[:-1]
            found[-1] = root @ rows if free else 0.0
            return found

        step = conjugate_gradients(product, -pull, diagonal, less, most)
        single = self._kink[members] > 0.0
        low = np.maximum(np.where(single & (u > 0.0), 0.0, -np.inf), self._lower[members])
        high = np.minimum(np.where(single & (u < 0.0), 0.0, np.inf), self._upper[members])
        to = np.clip(u + step[:-1], low, high)
        move = np.append(to - u, step[-1])
        rows = root * move[-1]
        times_columns(*self._X, members, move[:-1], rows)
        self._u[members] = to
        self._change += rows
        return float(pull @ move + 0.5 * (rows @ rows + beside @ move[:-1] ** 2)), float(step[-1]), to != u + step[:-1]


def conjugate_gradients(
    product: Callable[[np.ndarray], np.ndarray], right: np.ndarray, diagonal: np.ndarray, less: float, most: int
) -> np.ndarray:
    """About the solution of a positive semidefinite system, preconditioned by its diagonal.

    Parameters
    ----------
    product : callable
        The matrix times a vector.
    right, diagonal : ndarray
        The right side, and the diagonal.
    less : float
        Part of the right side, measured by the preconditioner, that is left.
    most : int
        Products.
    """
    found, left = np.zeros_like(right), right.copy()
    p = left / diagonal
    square = first = float(left @ p)
    for _ in range(most):
        image = product(p)
        curvature = float(p @ image)
        if not curvature > 0.0:
            break
        found += square / curvature * p
        left -= square / curvature * image
        z = left / diagonal
        before, square = square, float(left @ z)
        if square <= less * less * first:
            break
        p = z + square / before * p
    return found
