"""What a solver may ask of an objective, whatever the margin and wherever the rows are.

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
from .curvature import Curvature
from .monitored import Monitored
from .penalty import L2
from .point import Point

DIRECT_LIMIT = 1000
"""Coefficients up to which the Hessian is formed and factored."""

FAR_MARGIN = 30.0
"""Where a loss that goes on falling still has a slope to show."""


def _one() -> float:
    return 1.0


def is_curved(loss: MarginLoss) -> bool:
    """Whether a loss is curved on either side, as far as margins usually are: every row then has a say."""
    return bool((np.diff(loss.evaluate([-4.0, -1.0, 1.0, 4.0])[1]) > 0.0).all())


class Reach(NamedTuple):
    """Where a step leads; each answer may cost a pass over the rows.

    Attributes
    ----------
    separates : function
        Returns whether the point, or going on along the step, lowers F for ever, so that it has no minimum.
    change : function
        Returns the largest change of a decision value, relative to those that are larger than 1.
    steps : function
        Returns how many such steps lead to where the classes are separated, about.
    """

    separates: Callable[[], bool]
    change: Callable[[], float]
    steps: Callable[[], float] = _one


class Objective(Monitored):
    """F for one design matrix, one loss and one labelling.

    Parameters
    ----------
    n_features : int
        d.
    loss : MarginLoss
        φ.
    n_outputs : int
        K: columns of coefficients, 1 for two classes.
    penalty : L2
        With weights of 0, none.
    fit_intercept : bool
        Whether the intercepts are free; otherwise they are 0.
    shape : tuple of int
        Of the coefficients in θ.
    by_column : bool
        Whether the coefficients of all outputs lie beside each other for each column, as (d, P).
    """

    in_memory = True
    """Whether a look at the rows is a pass over memory. Elsewhere it is a round, and solvers ask for as few as may be:
    value, gradient and second derivatives come from one, and b is at its minimum only where that is proven."""

    keeps_decisions = False
    """Whether points keep decision values, one number a row, so that b and steps along a line cost no pass over X."""

    last_decrement = 1e-14
    """Relative decrement whose step is the last: what it leaves is, by quadratic convergence, the square of this."""

    direct_limit = DIRECT_LIMIT

    drawn: Any = None
    """Of rows in parts, a sample, whose weights say what its rows stand for."""

    def __init__(
        self,
        n_features: int,
        loss: MarginLoss,
        n_outputs: int,
        *,
        penalty: L2,
        fit_intercept: bool,
        shape: tuple[int, int],
        by_column: bool,
    ) -> None:
        self.n_features, self.loss, self.n_outputs = n_features, loss, n_outputs
        self.penalty, self.fit_intercept = penalty.laid_out(shape, by_column=by_column), fit_intercept
        self.compiled = loss.compiled()
        # Whether the gradient at a point bounds its suboptimality: F is then strongly convex in w.
        self.provable = loss.convex and penalty.strong_convexity > 0.0
        self._shape, self._by_column = shape, by_column
        self._size = shape[0] * shape[1]

    @property
    def n_parameters(self) -> int:
        """Coefficients and intercepts."""
        return self.n_outputs * (self.n_features + 1)

    @property
    def direct(self) -> bool:
        """Whether the Hessian is small enough to be factored."""
        size = self.n_outputs * (self.n_features + (self.n_outputs > 1))
        return size <= self.direct_limit and not self.preconditioned

    @property
    def preconditioned(self) -> bool:
        """Whether conjugate gradients have the Kronecker product of many classes to precondition them.

        That is the mean of all rows: where a loss is curved on a few of them only, it tells little of the Hessian.
        """
        return self.in_memory and self.n_outputs > 1 and self.keeps_decisions and self.provable and self.curved

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
    def total(self) -> float:
        """Σ C s."""
        raise NotImplementedError

    @property
    def at_zero(self) -> float:
        """F at w = 0 and the best b."""
        raise NotImplementedError

    @property
    def constant_columns(self) -> np.ndarray:
        """Which columns are second intercepts, of shape (d,), as far as that is known."""
        return np.zeros(self.n_features, dtype=bool)

    def known(self, theta: np.ndarray, **known: Any) -> Point:
        """The point θ, with b at its minimum and with what is known of it."""
        return Point(self, theta, intercept_minimised=True, **known)

    def origin(self) -> Point:
        """The point w = 0, for a convex loss with b at its minimum."""
        raise NotImplementedError

    def steps(self, theta: np.ndarray, tol: float, to_rounding: bool = True) -> Any:
        """:class:`~.newton_steps.NewtonSteps` from a point, if there are any for this objective."""
        return None

    def evaluate(self, theta: np.ndarray) -> Point:
        """The point θ with its value and gradient, from one pass over the rows."""
        raise NotImplementedError

    def visit(self, theta: np.ndarray, *, last: Point | None = None) -> Point:
        """The point θ, whose second derivatives are asked for next; not if ``last`` is the point before it."""
        return self.evaluate(theta)

    def at(self, theta: np.ndarray) -> Point:
        """The point θ; for a convex loss, with b moved to its minimum, which the bound needs."""
        raise NotImplementedError

    def minimise_intercept(self, point: Point, enough: float, mean: float) -> Point:
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

    def refined(self) -> Self:
        """The same with second derivatives that say more, where those of the last steps said too little."""
        return self

    def class_sums(self) -> tuple[np.ndarray, np.ndarray]:
        """Σ C s and Σ C s x of each class, of shape (K,) and (K, d); of two, those with y = 1 first."""
        raise NotImplementedError

    def length_to_minimum(
        self, point: Point, step: np.ndarray, *, full: Point | None = None, beyond: bool = False
    ) -> float | None:
        """Where F is least along a step, if that costs no pass for each length.

        ``full`` is the end of the whole step, where that is known; ``beyond`` starts the search there.
        """
        return None

    def proven_by_step(self, point: Point, full: Point, tol: float) -> Point:
        """The end of a full Newton step, with what dual variables that are known from it prove, if that is more."""
        return full

    def minimum_along(self, point: Point, step: np.ndarray) -> Point:
        """The point where F is least along a step, with b at its minimum, where decision values are kept."""
        raise NotImplementedError

    def envelope(self, gamma: float, multipliers: Any) -> Any:
        """The smooth problem of a loss with a kink, with the Moreau parameter γ; see :mod:`.envelope`."""
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

    def noise(self, point: Point) -> np.ndarray:
        """What is added up in each entry of the gradient, in magnitude, at most: its rounding is in proportion."""
        raise NotImplementedError

    @cached_property
    def curved(self) -> bool:
        """As :func:`is_curved` says of the loss."""
        return is_curved(self.loss)

    @property
    def endless(self) -> bool:
        """Whether nothing but the rows holds the coefficients, and the loss goes on falling: on a separating step."""
        return not self.penalty and bool(self.loss.evaluate([FAR_MARGIN])[1][0] < 0.0)
