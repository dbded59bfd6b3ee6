"""What objectives of rows in memory have in common, whatever the margin.

    F(θ) = Σ_i C s_i φ(m_i) + penalty(w),   θ = (w, b),

with the intercepts b never penalised. θ is one vector: the coefficients in the order in which the storage reads them,
and after them the K intercepts.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import Any, NamedTuple, Self

import numpy as np

from ..losses import MarginLoss
from ..matrix import DesignMatrix
from .curvature import Curvature
from .monitored import Monitored
from .penalty import L2
from .point import Point

CONSTANT = 1e-20
"""Variance of a column, relative to its squared mean, that is rounding."""

FAR_MARGIN = 30.0
"""Where a loss that goes on falling still has a slope to show."""


class Reach(NamedTuple):
    """Where a step leads.

    Attributes
    ----------
    separates : bool
        Whether the point, or going on along the step, lowers F for ever, so that it has no minimum.
    change : function
        Returns the largest change of a decision value, relative to those that are larger than 1.
    """

    separates: bool
    change: Callable[[], float]


class Objective(Monitored):
    """F for one design matrix, one loss and one labelling.

    Parameters
    ----------
    matrix : DesignMatrix
        The rows x_i.
    loss : MarginLoss
        φ.
    n_outputs : int
        K: columns of coefficients, 1 for two classes.
    penalty : L2
        With weights of 0, none.
    fit_intercept : bool
        Whether the intercepts are free; otherwise they are 0.
    by_column : bool
        Whether the coefficients of all outputs lie beside each other for each column, as (d, P).
    """

    keeps_decisions = False
    """Whether points keep decision values, one number a row, so that b and steps along a line cost no pass over X."""

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
        self.matrix, self.loss, self.n_outputs = matrix, loss, n_outputs
        self.penalty, self.fit_intercept = penalty.laid_out(shape, by_column=by_column), fit_intercept
        self.compiled = loss.compiled()
        # Whether the gradient at a point bounds its suboptimality: F is then strongly convex in w.
        self.provable = loss.convex and penalty.strong_convexity > 0.0
        self._shape, self._by_column = shape, by_column
        self._size = shape[0] * shape[1]

    @property
    def n_parameters(self) -> int:
        """Coefficients and intercepts."""
        return self.n_outputs * (self.matrix.shape[1] + 1)

    def zeros(self) -> np.ndarray:
        """θ = 0."""
        return np.zeros(self._size + self.n_outputs)

    def w(self, theta: np.ndarray) -> np.ndarray:
        """The coefficients of θ, a vector."""
        return theta[: self._size]

    def b(self, theta: np.ndarray) -> np.ndarray:
        """The intercepts of θ, of shape (K,)."""
        return theta[self._size :]

    def by_class(self, theta: np.ndarray) -> np.ndarray:
        """The coefficients of θ, of shape (K, d)."""
        w = theta[: self._size].reshape(self._shape)
        return w.T[: self.n_outputs] if self._by_column else w

    def theta(self, W: np.ndarray | float, b: Any) -> np.ndarray:
        """θ of coefficients (K, d) or (d,) and intercepts."""
        theta = self.zeros()
        self.by_class(theta)[...] = W
        self.b(theta)[...] = b
        return theta

    @property
    def row_weights(self) -> np.ndarray:
        """C s, of shape (n,)."""
        raise NotImplementedError

    @cached_property
    def total(self) -> float:
        """Σ C s."""
        return float(self.row_weights.sum())

    @cached_property
    def at_zero(self) -> float:
        """F at w = 0 and the best b."""
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
        """Which columns are second intercepts, of shape (d,): centred, they are zero but for rounding."""
        weights = self.row_weights / self.row_weights.max()
        spread = self.matrix.gram(weights, self.centre).diagonal()
        return spread <= CONSTANT * weights.sum() * self.centre**2

    def origin(self) -> Point:
        """The point w = 0, for a convex loss with b at its minimum."""
        raise NotImplementedError

    def evaluate(self, theta: np.ndarray) -> Point:
        """The point θ with its value and gradient, from one pass over the rows."""
        raise NotImplementedError

    def point(self, theta: np.ndarray) -> Point:
        """The point θ; where decision values are kept, all else follows from these."""
        return self.evaluate(theta)

    def at(self, theta: np.ndarray) -> Point:
        """The point θ; for a convex loss, with b moved to its minimum, which the bound needs."""
        raise NotImplementedError

    def settle(self, point: Point, enough: float, mean: float) -> Point:
        """A point of :meth:`evaluate` with b at its minimum, and its bound.

        Parameters
        ----------
        point : Point
            Where.
        enough : float
            What b may leave to gain, as a fraction of what the coefficients gain, if that is part of the bound.
        mean : float
            Length of the mean of the rows, weighted by their curvatures.
        """
        return self.at(point.theta)

    def length_to_minimum(
        self, point: Point, step: np.ndarray, *, full: Point | None = None, beyond: bool = False
    ) -> float | None:
        """Where F is least along a step, if decision values are kept that tell.

        ``full`` is the end of the whole step, where that is known; ``beyond`` starts the search there.
        """
        return None

    def proven_by_step(self, point: Point, full: Point, tol: float) -> Point:
        """The end of a full Newton step, with what dual variables that are known from it prove, if that is more."""
        return full

    def minimum_along(self, point: Point, step: np.ndarray) -> Point:
        """The point where F is least along a step, with b at its minimum, where decision values are kept."""
        raise NotImplementedError

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

    def curvature(self, point: Point, *, robust: bool = False) -> Curvature:
        """The Hessian at a point.

        ``robust`` asks for a centre that serves any curvatures, also those of a saddle, and a Hessian that is formed.
        """
        raise NotImplementedError

    def reach(self, point: Point, step: np.ndarray) -> Reach:
        """Where a step leads; without a penalty it may be endless."""
        raise NotImplementedError

    def separates_nearly(self, point: Point) -> bool:
        """Whether a point separates the classes for ever, once rows that hardly move are made to rest."""
        return False

    def rounding(self, point: Point) -> float:
        """About what rounding the decision values may change of F."""
        raise NotImplementedError

    def slopes(self, point: Point) -> np.ndarray:
        """The magnitudes of C s φ' of each row."""
        return np.abs(self.losses(point, self.margins(point))[1])

    def noise(self, point: Point) -> np.ndarray:
        """What is added up in each entry of the gradient, in magnitude, at most: its rounding is in proportion."""
        slopes = self.slopes(point)
        # Of a row, all classes together have twice the slope of its margin at most.
        factor = 1.0 if self.n_outputs == 1 else 2.0
        noise = self.zeros()
        self.by_class(noise)[...] = factor * np.sqrt(self.matrix.squared_product(slopes) * slopes.sum())
        self.w(noise)[...] += np.abs(self.penalty.gradient(point.w))
        self.b(noise)[...] = factor * slopes.sum()
        return noise

    @cached_property
    def curved(self) -> bool:
        """Whether the loss is curved on either side, as far as margins usually are: every row then has a say."""
        return bool((np.diff(self.loss.evaluate([-4.0, -1.0, 1.0, 4.0])[1]) > 0.0).all())

    @property
    def endless(self) -> bool:
        """Whether nothing but the rows holds the coefficients, and the loss goes on falling: on a separating step."""
        return not self.penalty and bool(self.loss.evaluate([FAR_MARGIN])[1][0] < 0.0)
