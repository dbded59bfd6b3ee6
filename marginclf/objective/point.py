"""A point θ of an objective: F and its gradient there, what is proven of it, and by what amounts of F are measured."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from typing import Any, Self

import numpy as np

from .certificate import UNDERFLOW, gain


class kept:
    """A property that is computed once and kept in the instance.

    Other than functools.cached_property, which until Python 3.12 holds one lock for all instances while it computes:
    points of several classes are computed in turns.
    """

    def __init__(self, compute: Callable[[Any], Any]) -> None:
        self._compute = compute
        self._name = compute.__name__

    def __get__(self, instance: Any, owner: type) -> Any:
        value = instance.__dict__[self._name] = self._compute(instance)
        return value


class Measured:
    """A point, as far as amounts of F are measured by it.

    Attributes
    ----------
    value : float
        F.
    bound : float
        Proven: F − F* is at most that. Infinite where nothing is known yet, NaN where nothing can be proved.
    gain : float
        F(0, b₀) − F at least, with the best b₀: what the coefficients are good for. Infinite where it is not known, and
        then F alone is the measure.
    """

    value: float
    bound: float
    gain: float

    @property
    def suboptimality(self) -> float:
        """Proven bound on (F − F*)/|F|."""
        return self.relative(self.bound)

    @property
    def excess(self) -> float:
        """What is proven of the suboptimality, by the measure that tol is compared with."""
        return self.unreached(self.bound)

    def relative(self, amount: float) -> float:
        """An amount of F as a fraction of |F|, with 0/0 = 0."""
        if amount == 0.0:
            return 0.0
        return amount / abs(self.value) if self.value else math.inf

    def unreached(self, amount: float) -> float:
        """An amount of F as a fraction of |F| or of the gain, whichever is less, with 0/0 = 0.

        Where C is tiny, nothing that coefficients do is much beside F: zero would pass for the optimum.
        """
        if amount == 0.0:
            return 0.0
        scale = min(abs(self.value), max(self.gain, UNDERFLOW))
        return amount / scale if scale > 0.0 else math.inf


class Point(Measured):
    """A point; whatever is not given is computed when it is asked for, and kept.

    Parameters
    ----------
    objective : Objective
        F.
    theta : ndarray
        Coefficients and intercepts.
    intercept_minimised : bool
        Whether the intercepts are at their minimum or not free, which the bound by the gradient needs.
    **known : dict
        Attributes of those below that are known already.

    Attributes
    ----------
    value : float
        F.
    gradient : ndarray
        ∂F/∂θ; zero for intercepts that are not free, and zero to rounding for those at their minimum.
    bound, gain : float
        As in :class:`Measured`; by the gradient, the bound is ½‖∂F/∂w‖².
    rounding : float
        The part of the bound that stands for rounding, as far as it is known: no step makes that less.
    """

    gradient: np.ndarray
    rounding = 0.0

    moved = False
    """Whether decision values were carried on from another point, and not computed anew."""

    def __init__(self, objective: Any, theta: np.ndarray, *, intercept_minimised: bool, **known: Any) -> None:
        self._objective, self.theta, self.intercept_minimised = objective, theta, intercept_minimised
        self.__dict__.update(known)

    @property
    def w(self) -> np.ndarray:
        """The coefficients as they lie in θ, a vector."""
        return self._objective.w(self.theta)

    @property
    def b(self) -> np.ndarray:
        """The intercepts, of shape (K,)."""
        return self._objective.b(self.theta)

    @property
    def coefficients(self) -> np.ndarray:
        """W, of shape (K, d)."""
        return self._objective.by_class(self.theta)

    @property
    def slope(self) -> np.ndarray:
        """∂F/∂b, of shape (K,)."""
        return self._objective.b(self.gradient)

    @kept
    def half_square(self) -> float:
        """½‖∂F/∂w‖², by the weights of the penalty: F is that far from its minimum at most, with b at its own."""
        objective = self._objective
        in_w = objective.w(self.gradient)
        return objective.penalty.conjugate(in_w) if objective.provable else 0.5 * float(in_w @ in_w)

    @kept
    def bound(self) -> float:
        if not self._objective.provable:
            return math.nan
        return self.half_square if self.intercept_minimised else math.inf

    @kept
    def gain(self) -> float:
        if not self._objective.provable:
            return math.inf
        w = self.w
        by_convexity = self._objective.penalty.value(w) - float(self._objective.w(self.gradient) @ w)
        return gain(self._objective.at_zero, self.value, by_convexity)

    def certified(self, bound: float, gain: float | None = None) -> Self:
        """The same point with another bound, and another gain if there is one."""
        other = copy.copy(self)
        other.bound = bound
        if gain is not None:
            other.gain = gain
        return other

    @property
    def finite(self) -> bool:
        """Whether F, its gradient and the square of that are numbers."""
        return math.isfinite(self.value) and math.isfinite(self.gradient @ self.gradient)

    def require_finite(self) -> None:
        """Raise OverflowError where they are not."""
        if not self.finite:
            raise OverflowError("the objective or its gradient overflows")

    @property
    def decisions_are_finite(self) -> bool:
        """Whether decision values are, as far as they are known: a margin of infinity would not be seen in F."""
        return True

    def prepare(self) -> None:
        """Compute the vectors of length n that second derivatives need, before a gradient is made without them."""

    def release(self, *, keep_z: bool = False) -> None:
        """Forget vectors of length n, which are computed again if they are asked for."""
