"""A point of the binary objective: whatever is asked of it is computed then, and kept."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from .measure import Measured, gain

if TYPE_CHECKING:
    from .binary import Objective


class _Kept:
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


class Point(Measured):
    """A point (w, b); whatever else is asked of it is computed then, and kept.

    Parameters
    ----------
    objective : Objective
        F.
    w, b : ndarray of shape (d,), float
        Coefficients and intercept.
    **known : dict
        Attributes of those below that are known already.

    Attributes
    ----------
    z : ndarray of shape (n,)
        X w and the offset, without the intercept.
    value : float
        F.
    r, c : ndarray of shape (n,)
        C s y φ'(m) and C s φ''(m).
    gradient : ndarray of shape (d,)
        ∂F/∂w.
    slope, curvature : float
        ∂F/∂b and ∂²F/∂b²; the slope is zero to rounding where b is at its minimum, and zero where b is not free.
    suboptimality : float
        Proven bound on (F − F*)/|F|, for b at its minimum: ½‖∂F/∂w‖² / |F|; NaN where nothing can be proved.
    gain : float
        F(0, b₀) − F at least; infinite where nothing can be proved.
    """

    def __init__(self, objective: Objective, w: np.ndarray, b: float, **known: Any) -> None:
        self._objective = objective
        self.w, self.b = w, b
        if "slope" in known and not objective.fit_intercept:
            known["slope"] = 0.0
        self.__dict__.update(known)

    @_Kept
    def z(self) -> np.ndarray:
        return self._objective.decisions(self.w)

    @property
    def decisions_are_finite(self) -> bool:
        """Whether they are, as far as they are known."""
        z = self.__dict__.get("z")
        return z is None or bool(np.isfinite(z).all())

    @_Kept
    def _losses(self) -> tuple[float, float, np.ndarray, np.ndarray]:
        objective = self._objective
        return objective.matrix.pointwise(objective.compiled, objective.v, self.z, self.b)

    @property
    def loss_value(self) -> float:
        """Σ |v| φ, without the penalty."""
        return self._losses[0]

    @_Kept
    def value(self) -> float:
        w = self.w
        return self.loss_value + (0.5 * float(w @ w) if self._objective.penalty else 0.0)

    @_Kept
    def slope(self) -> float:
        return self._losses[1] if self._objective.fit_intercept else 0.0

    @_Kept
    def curvature(self) -> float:
        return float(self.c.sum()) if self._objective.fit_intercept else 0.0

    @_Kept
    def r(self) -> np.ndarray:
        return self._losses[2]

    @_Kept
    def c(self) -> np.ndarray:
        return self._losses[3]

    @_Kept
    def gradient(self) -> np.ndarray:
        if "z" not in self.__dict__ and self._objective._offset is None:
            # One pass, and no vector of length n.
            return self._objective.evaluate(self.w, self.b).gradient
        gradient = self._objective.matrix.transposed_product(self.r)
        if self._objective.penalty:
            gradient += self.w
        return gradient

    @_Kept
    def suboptimality(self) -> float:
        if not self._objective.provable:
            return math.nan
        return self.relative(0.5 * float(self.gradient @ self.gradient))

    @_Kept
    def gain(self) -> float:
        if not self._objective.provable:
            return math.inf
        w = self.w
        return gain(self._objective.at_zero, self.value, 0.5 * float(w @ w) - float(self.gradient @ w))

    def release(self, *, keep_z: bool = False) -> None:
        """Forget the vectors of length n, which are computed again if they are asked for."""
        _ = self.value, self.slope, self.gradient
        for name in ("_losses", "r", "c", *(() if keep_z else ("z",))):
            self.__dict__.pop(name, None)

    def require_finite(self) -> None:
        """Raise OverflowError where F, its gradient or the square of that is not a number."""
        if not (math.isfinite(self.value) and math.isfinite(self.gradient @ self.gradient)):
            raise OverflowError("the objective or its gradient overflows")
