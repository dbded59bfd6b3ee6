"""What objectives of rows in memory have in common, whatever the margin."""

from __future__ import annotations

import copy
from functools import cached_property
from typing import Any, Self

import numpy as np

from ..losses import MarginLoss
from ..matrix import DesignMatrix
from .base import Objective
from .envelope import Envelope
from .penalty import L2
from .point import Point

CONSTANT = 1e-20
"""Variance of a column, relative to its squared mean, that is rounding."""


class InMemoryObjective(Objective):
    """F for a design matrix, and what else can be asked where its rows are at hand.

    Parameters
    ----------
    matrix : DesignMatrix
        The rows x_i.
    loss, n_outputs, penalty, fit_intercept, shape, by_column
        As of :class:`~.base.Objective`.
    """

    def __init__(
        self,
        matrix: DesignMatrix,
        loss: MarginLoss,
        n_outputs: int,
        *,
        penalty: L2,
        fit_intercept: bool,
        shape: tuple[int, int],
        by_column: bool,
    ) -> None:
        super().__init__(
            matrix.shape[1], loss, n_outputs,
            penalty=penalty, fit_intercept=fit_intercept, shape=shape, by_column=by_column,
        )  # fmt: skip
        self.matrix = matrix

    def rows_of_sample(self, rows: np.ndarray) -> DesignMatrix:
        """Some of the rows, as :meth:`~marginclf.matrix.DesignMatrix.take` makes them."""
        found = self.matrix.take(rows)
        assert found.rows.storage.by_column == self.matrix.rows.storage.by_column, (
            f"{type(self.matrix).__name__}.take must keep by_column of the storage: θ of a sample is θ of all rows"
        )
        return found

    def like(self, **changes: Any) -> Self:
        """The same but for some arguments."""
        raise NotImplementedError

    def columns(self, which: np.ndarray) -> Self:
        """The same for some of the columns: what depends on the loss and the rows alone is not made anew."""
        assert self.penalty.uniform
        other = copy.copy(self)
        other.matrix, other.n_features = self.matrix.columns(which), len(which)
        other._shape, other._size, other.monitor = (1, len(which)), len(which), None
        for known in ("centre", "constant_columns"):
            other.__dict__.pop(known, None)
        return other

    def row_curvatures(self, point: Point) -> np.ndarray:
        """Second derivatives of the rows, C s φ'', of shape (1, n), of two classes."""
        raise NotImplementedError

    def carried(self, point: Point, theta: np.ndarray, columns: np.ndarray | None = None) -> Point:
        """A point of an objective that has more of the columns, or fewer, as one of this: zeros make the difference.

        ``columns`` are those of this objective, where the other has more.
        """
        # What rows keep lies in blocks, whose size depends on the columns.
        found = self.evaluate(theta)
        found.intercept_minimised = point.intercept_minimised
        return found

    def settled(self, point: Point) -> Point:
        """A point with b moved to its minimum."""
        return self.at(point.theta)

    @property
    def row_weights(self) -> np.ndarray:
        """C s, of shape (n,)."""
        raise NotImplementedError

    @cached_property
    def total(self) -> float:
        return float(self.row_weights.sum())

    @cached_property
    def at_zero(self) -> float:
        return self.origin().value

    @cached_property
    def centre(self) -> np.ndarray:
        """The mean of the rows, weighted; zero without intercepts."""
        if not self.fit_intercept:
            return np.zeros(self.matrix.shape[1])
        weights = self.row_weights / self.row_weights.max()
        return self.matrix.transposed_product(weights) / weights.sum()

    @cached_property
    def constant_columns(self) -> np.ndarray:
        # Centred, they are zero but for rounding.
        weights = self.row_weights / self.row_weights.max()
        spread = self.matrix.gram(weights, self.centre).diagonal()
        return spread <= CONSTANT * weights.sum() * self.centre**2

    def envelope(self, gamma: float, multipliers: np.ndarray | None) -> Envelope:
        return Envelope(self, np.zeros(self.matrix.shape[0]) if multipliers is None else multipliers, gamma)

    def point(self, theta: np.ndarray) -> Point:
        """The point θ; where decision values are kept, all else follows from these."""
        return self.evaluate(theta)

    def margins(self, point: Point) -> np.ndarray:
        """m of every row, without what is added to it."""
        raise NotImplementedError

    def pointwise(self, loss: Any, margins: np.ndarray, weights: np.ndarray | None = None) -> tuple[float, np.ndarray]:
        """Σ C s φ and C s φ' at margins, for the compiled loss; no pass over X. ``weights`` are C s, if at hand."""
        weights = self.row_weights if weights is None else weights
        value, _, slopes, _ = self.matrix.pointwise(loss, weights, margins, 0.0)
        return value, slopes

    def losses(self, point: Point, margins: np.ndarray) -> tuple[float, np.ndarray]:
        """Σ C s φ and C s φ' at a point whose margins are given, with what is added to these."""
        raise NotImplementedError

    def adopted(self, point: Point, margins: np.ndarray, value: float) -> Point:
        """A point of another loss on the same rows as one of this objective.

        Parameters
        ----------
        point : Point
            With b at its minimum there.
        margins : ndarray of shape (n,)
            Its margins, without what is added to them there.
        value : float
            Σ C s φ of this objective's loss.
        """
        raise NotImplementedError

    def replaced(self, loss: MarginLoss, shifts: np.ndarray) -> Self:
        """The same data with another loss, and with numbers added to the margins."""
        raise NotImplementedError

    def sample(self, rows: np.ndarray, scale: np.ndarray) -> Self:
        """F with some of the rows, their weights multiplied by ``scale`` to stand for all."""
        raise NotImplementedError

    def decision_values(self, theta: np.ndarray) -> np.ndarray:
        """W x + b of all rows, of shape (K, n), without what is added to them."""
        raise NotImplementedError

    def class_margins(self, z: np.ndarray) -> np.ndarray:
        """How far the own class of each row is above the best of the others, from decision values (K, n)."""
        raise NotImplementedError

    def along(self, theta: np.ndarray, step: np.ndarray, lengths: np.ndarray) -> np.ndarray:
        """Σ C s φ and its slope at θ + t·step for each length t, of shape (2, len(lengths))."""
        raise NotImplementedError

    def intercept_hessian(self, point: Point) -> np.ndarray:
        """∂²F/∂b², of shape (K, K)."""
        raise NotImplementedError

    def hessian(self, point: Point, centre: np.ndarray, drawn: tuple[np.ndarray, float] | None = None) -> np.ndarray:
        """The Hessian of the losses in (w_1, b_1, w_2, b_2, …), for rows less a centre.

        Where rows are ``drawn``, they stand for so many each, at least for what is between coefficients.
        """
        raise NotImplementedError

    def diagonal(self, point: Point, centre: np.ndarray) -> np.ndarray:
        """Its diagonal, and the mixed derivatives with the intercept of the same class: of shape (2, K, d + 1)."""
        raise NotImplementedError

    def slopes(self, point: Point) -> np.ndarray:
        """The magnitudes of C s φ' of each row."""
        return np.abs(self.losses(point, self.margins(point))[1])

    def magnitudes(self, slopes: np.ndarray) -> np.ndarray:
        """What Σ |∂m/∂w_j| slopes is at most for each column, of slopes that are not negative."""
        # Of a row, all classes together have twice the slope of its margin at most.
        factor = 1.0 if self.n_outputs == 1 else 2.0
        return factor * np.sqrt(self.matrix.squared_product(slopes) * slopes.sum())

    def noise(self, point: Point) -> np.ndarray:
        slopes, noise = self.slopes(point), self.zeros()
        self.by_class(noise)[...] = self.magnitudes(slopes)
        self.w(noise)[...] += np.abs(self.penalty.gradient(point.w))
        self.b(noise)[...] = (1.0 if self.n_outputs == 1 else 2.0) * slopes.sum()
        return noise
