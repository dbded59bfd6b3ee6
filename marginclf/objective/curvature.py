"""The Hessian of an objective at a point, in coordinates in which large offsets of the columns cost it no digits.

For rows less a centre, the intercepts become b + W·centre: the decision values amid the rows. Where the centre is the
mean of the rows weighted by their curvatures, the Hessian of two classes has no mixed derivatives.
"""

from __future__ import annotations

import math
from typing import Any, Protocol

import numpy as np

from ..matrix.blas import add_product, bordered
from ..matrix.joint import pairs

_FEW_CURVED = 0.25
"""Part of the rows up to which a copy of the curved ones is worth its making."""

_DEFINITE = 1e-8
"""Σ c relative to Σ |c| up to which the curvature in b is that of a saddle, or rounding."""

_NUMBERS = 1 << 20
_FEW_PAIRS = 10
"""Pairs of classes, those of four, up to which a Hessian writes down no pairs of columns, however few these are."""

_KEPT_PAIRS, _ROWS = 1 << 24, 4096
"""Second derivatives of rows by pairs of classes that may be kept at once, and rows that are looked at at a time."""


class Curvature(Protocol):
    """The Hessian at a point, with the penalty.

    Attributes
    ----------
    centre : ndarray of shape (d,) or None
        What is taken off the rows; None for nothing.
    definite : bool
        Whether it can be positive definite, as far as the intercept shows.
    decoupled : float
        The curvature in b where there are no mixed derivatives with it; 0 where b is not free, NaN where there are.
    residual : float
        Part of the gradient at which conjugate gradients stop.
    hidden : float
        How many times more than a step by the diagonal says may be gained, where that is all there is.
    """

    centre: np.ndarray | None
    definite: bool
    decoupled: float
    residual: float
    hidden: float

    def dense(self) -> np.ndarray:
        """Of shape (K (d + 1), K (d + 1)), in the order (w_1, b_1, w_2, b_2, …); without b where that is decoupled."""

    def product(self, p: np.ndarray) -> np.ndarray:
        """Times a direction θ."""

    def diagonal(self) -> np.ndarray:
        """Its diagonal, of the shape of θ."""

    def intercepts(self) -> np.ndarray:
        """The part in b, of shape (K, K)."""


class BinaryCurvature:
    """Σ c (x − centre, 1)(x − centre, 1)ᵀ and the penalty, for the curvatures c of the rows."""

    residual = 1e-2
    hidden = 1.0

    def __init__(self, objective: Any, point: Any, *, robust: bool = False) -> None:
        self._objective = objective
        matrix, c = objective.matrix, point.c
        curved = np.count_nonzero(c)
        if 0 < curved <= _FEW_CURVED * len(c):
            # The Hessian is theirs alone.
            rows = np.flatnonzero(c)
            matrix, c = matrix.take(rows), c[rows]
        self._matrix, self._c = matrix, c
        self.centre, self.definite, self.decoupled = None, True, 0.0
        if not objective.fit_intercept:
            return
        self._total = float(c.sum())
        size = self._total if objective.loss.convex else float(np.abs(c).sum())
        self.definite = objective.loss.convex or self._total > _DEFINITE * size
        if robust or not self.definite or self._total == 0.0:
            # Where no row is curved any centre is right, and one amid the rows keeps them near their decision values.
            if size > 0.0:
                self.centre = matrix.transposed_product(np.abs(c)) / float(np.abs(c).sum())
            else:
                weights = objective.row_weights
                self.centre = objective.matrix.transposed_product(weights) / weights.sum()
            self.decoupled = 0.0 if self._total == 0.0 and objective.loss.convex else np.nan
        else:
            self.centre = matrix.transposed_product(c) / self._total
            self.decoupled = self._total

    def dense(self) -> np.ndarray:
        matrix, c, centre = self._matrix, self._c, self.centre
        coupled = centre is not None and math.isnan(self.decoupled)
        hessian = binary_hessian(matrix, c, np.asarray(centre)) if coupled else matrix.gram(c, centre)
        if not np.isfinite(hessian).all():
            raise OverflowError("the Hessian overflows")
        d = matrix.shape[1]
        hessian.flat[: d * (len(hessian) + 1) : len(hessian) + 1] += self._objective.penalty.diagonal
        return hessian

    def product(self, p: np.ndarray) -> np.ndarray:
        free, centre = self.centre is not None, self.centre
        shift = float(p[-1] - centre @ p[:-1]) if centre is not None else 0.0
        product = np.empty_like(p)
        product[:-1], total = self._matrix.hessian_product(self._c, p[:-1], shift)
        product[:-1] += self._objective.penalty.gradient(p[:-1])
        if centre is not None:
            product[:-1] -= centre * total
        product[-1] = total if free else 0.0
        return product

    def diagonal(self) -> np.ndarray:
        diagonal = np.empty(self._matrix.shape[1] + 1)
        squares = self._matrix.squared_product(self._c)
        if not np.isfinite(squares).all():
            raise OverflowError("the Hessian overflows")
        diagonal[:-1] = squares + self._objective.penalty.diagonal
        if self.centre is not None:
            diagonal[:-1] -= self._total * self.centre**2
        diagonal[-1] = self._total if self.centre is not None else 0.0
        return diagonal

    def intercepts(self) -> np.ndarray:
        return np.array([[self._total]])


def binary_hessian(
    matrix: Any, c: np.ndarray, centre: np.ndarray, drawn: tuple[np.ndarray, float] | None = None
) -> np.ndarray:
    """Σ c (x − centre, 1)(x − centre, 1)ᵀ; where rows are ``drawn``, they stand for all between coefficients."""
    if drawn is None:
        found: np.ndarray = matrix.gram_with_intercept(c, centre)
        return found
    rows, scale = drawn
    gram = matrix.take(rows).gram(scale * c[rows], centre)
    return bordered(gram, matrix.transposed_product(c), float(c.sum()), centre)


def binary_diagonal(matrix: Any, c: np.ndarray, centre: np.ndarray) -> np.ndarray:
    """The diagonal of :func:`binary_hessian` and the mixed derivatives with the intercept, of shape (2, 1, d + 1)."""
    total, along = float(c.sum()), matrix.transposed_product(c)
    mixed = along - total * centre
    squares = matrix.squared_product(c) - centre * (along + mixed)
    return np.array([[[*squares, total]], [[*mixed, total]]])


class JointCurvature:
    """By passes over the rows; the centre is the weighted mean of the rows."""

    residual = 0.03
    hidden = 1.0
    definite = True
    decoupled = float("nan")

    def __init__(self, objective: Any, point: Any, centre: np.ndarray | None) -> None:
        self._objective, self._point, self.centre = objective, point, centre

    def dense(self) -> np.ndarray:
        objective = self._objective
        centre = np.zeros(objective.matrix.shape[1]) if self.centre is None else self.centre
        hessian = joint_hessian(objective, self._point.theta, centre)
        return with_penalty(hessian, objective.n_outputs, objective.penalty.weights)

    @property
    def kept(self) -> Any:
        """What the rows keep at the point, if they do."""
        return self._point.rows

    def product(self, p: np.ndarray) -> np.ndarray:
        objective, passes = self._objective, self._objective.passes
        w, b = objective.split(self._point.theta)
        inside, in_b = objective.split(p)
        if self.centre is not None:
            in_b = in_b - objective.by_class(p) @ self.centre
        product = passes.hessian_product(objective.compiled, w, b, inside, in_b, self._point.rows)
        if objective.fit_intercept:
            self._centred(product)
        else:
            objective.b(product)[...] = 0.0
        in_w = objective.w(product)
        in_w += objective.penalty.gradient(objective.w(p))
        return product

    def _centred(self, gradient: np.ndarray) -> None:
        if self.centre is not None:
            by_class = self._objective.by_class(gradient)
            by_class -= self._objective.b(gradient)[:, None] * self.centre

    def diagonal(self) -> np.ndarray:
        objective = self._objective
        diagonal = objective.passes.diagonal(objective.compiled, *objective.split(self._point.theta))
        if self.centre is not None:
            by_class = objective.by_class(diagonal)
            by_class -= objective.b(diagonal)[:, None] * self.centre**2
        in_w = objective.w(diagonal)
        in_w += objective.penalty.diagonal
        if not objective.fit_intercept:
            objective.b(diagonal)[...] = 0.0
        return diagonal

    def intercepts(self) -> np.ndarray:
        return self._objective.intercept_hessian(self._point)


def joint_hessian(objective: Any, theta: np.ndarray, centre: np.ndarray) -> np.ndarray:
    """The Hessian of the losses in (w_1, b_1, w_2, b_2, …), for rows less a centre.

    Each row adds the product of a K × K and a (d + 1) × (d + 1) matrix, both symmetric. One product of matrices
    adds up all pairs of classes with all pairs of columns. Where the pairs of classes are few, to write down those
    of columns takes longer than the sum: there the rows times each pair of classes meet the rows.
    """
    passes, (n, d), k = objective.passes, objective.matrix.shape, objective.n_outputs
    by_class = pairs(k)
    n_pairs = k * (k + 1) // 2
    few = n_pairs <= max(_FEW_PAIRS, d // 2)
    if objective.matrix.few_pairs and n_pairs * n <= _KEPT_PAIRS:
        return _joined(_blocks_by_entries(objective, theta, centre), by_class)
    i, j = np.tril_indices(d + 1)
    total = np.zeros((n_pairs * (d + 1), d + 1) if few else (n_pairs, len(i)))
    size = max(64, _NUMBERS // (n_pairs * (d + 1) if few else len(i) + n_pairs))
    for start in range(0, n, size):
        stop = min(start + size, n)
        z = passes.decisions(*objective.split(theta), start, stop)
        _, _, second = passes.second_derivatives(objective.compiled, z, start)
        rows = np.ones((d + 1, stop - start))
        objective.matrix.copy_rows(slice(start, stop), rows[:d].T)
        rows[:d] -= centre[:, None]
        if few:
            add_product(total, (second[:, None, :] * rows).reshape(len(total), -1), rows)
        else:
            add_product(total, second, rows[i] * rows[j])
    if few:
        blocks = total.reshape(n_pairs, d + 1, d + 1)
        return _joined(0.5 * (blocks + blocks.transpose(0, 2, 1)), by_class)  # rounding apart, they are the same
    hessian = total[by_class[:, None, :, None], pairs(d + 1)[None, :, None, :]]
    return _finite(hessian.reshape(k * (d + 1), k * (d + 1)))


def _blocks_by_entries(objective: Any, theta: np.ndarray, centre: np.ndarray) -> np.ndarray:
    """The block of each pair of classes, entry by entry of rows that have few."""
    passes, n = objective.passes, objective.matrix.shape[0]
    parts = []
    for start in range(0, n, _ROWS):
        z = passes.decisions(*objective.split(theta), start, min(start + _ROWS, n))
        parts.append(passes.second_derivatives(objective.compiled, z, start)[2])
    return np.array([objective.matrix.gram_with_intercept(c, centre) for c in np.concatenate(parts, axis=1)])


def _joined(blocks: np.ndarray, by_class: np.ndarray) -> np.ndarray:
    """The Hessian of the blocks of pairs of classes."""
    size = len(by_class) * blocks.shape[1]
    return _finite(blocks[by_class].transpose(0, 2, 1, 3).reshape(size, size))


def _finite(hessian: np.ndarray) -> np.ndarray:
    if not np.isfinite(hessian).all():
        raise OverflowError("the Hessian overflows")
    return hessian


def with_penalty(hessian: np.ndarray, k: int, penalty: float | np.ndarray) -> np.ndarray:
    """A Hessian with the weights of a penalty and, of several classes, a curvature for what changes no margin.

    A number added to the coefficients or intercepts of all classes is such a direction; no step uses it.
    """
    d = len(hessian) // k - 1
    hessian = hessian.reshape(k, d + 1, k, d + 1).copy()
    if k > 1:
        together = np.einsum("kikj->ij", hessian) / k
        held = np.flatnonzero(np.broadcast_to(penalty, d))
        together[held] = together[:, held] = 0.0
        hessian += together[None, :, None, :] / k
    columns = np.arange(d)
    for i in range(k):
        hessian[i, columns, i, columns] += penalty
    return hessian.reshape(k * (d + 1), k * (d + 1))
