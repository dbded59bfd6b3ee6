"""The penalty of the coefficients: what solvers and proofs may ask of it. It is quadratic, so far."""

from __future__ import annotations

import math
from typing import Protocol, Self

import numpy as np


class Penalty(Protocol):
    """A quadratic penalty ½ Σ_j λ_j w_j² of the coefficients w, a vector in the order of θ.

    Solvers and proofs take no other yet. They take the gradient at a step for the product with the Hessian,
    ``diagonal`` for the Hessian, the value at 0 for 0, and the conjugate of ∂F/∂w for a bound on F − F*, which holds of
    quadratic penalties alone. Of any convex one it is penalty(w) + penalty*(−∂L/∂w) + ∂L/∂w · w, L being F without it.

    Attributes
    ----------
    weights : float or ndarray of shape (n_features,)
        λ, one number for all features or one for each.
    diagonal : float or ndarray
        λ of each entry of w, or one number for all.
    strong_convexity : float
        The largest μ with which it is μ-strongly convex, min λ; 0 where a feature is not penalised.
    uniform : bool
        Whether it is ½‖w‖² or nothing.
    smooth : bool
        Whether it has a gradient everywhere. Not asked for yet.
    """

    weights: float | np.ndarray
    diagonal: float | np.ndarray
    strong_convexity: float
    uniform: bool
    smooth: bool

    def __bool__(self) -> bool:
        """Whether it penalises any feature."""

    def laid_out(self, shape: tuple[int, int], *, by_column: bool) -> Self:
        """The same for coefficients of a shape, (K, d) or, ``by_column``, (d, P): an objective asks for it once."""

    def value(self, w: np.ndarray) -> float:
        """What it adds to F."""

    def gradient(self, w: np.ndarray) -> np.ndarray:
        """Of w, and the product of the Hessian with w as well."""

    def conjugate(self, g: np.ndarray) -> float:
        """sup_w g·w − penalty(w)."""

    def prox(self, w: np.ndarray, step: float) -> np.ndarray:
        """argmin_u penalty(u) + ‖u − w‖²/(2 step). No solver asks for it: it is for penalties with a kink, to come."""

    def subgradient_distance(self, w: np.ndarray, g: np.ndarray) -> np.ndarray:
        """How far −g is from the subdifferential at w, entry by entry. For penalties with a kink, as the last."""


class L2:
    """½ Σ_j λ_j Σ_k w_kj².

    Parameters
    ----------
    weights : float or ndarray of shape (n_features,), default=1.0
        λ ≥ 0; one number for all features. 0 does not penalise a feature.
    """

    smooth = True

    def __init__(self, weights: float | np.ndarray = 1.0) -> None:
        self.weights = weights
        self.diagonal = weights
        least, most = float(np.min(weights, initial=math.inf)), float(np.max(weights, initial=0.0))
        if not (least >= 0.0 and most < math.inf):
            raise ValueError(f"weights of the penalty must be numbers of at least 0, and not infinite; got {weights!r}")
        self.strong_convexity = least if least < math.inf else 1.0
        self._any = most > 0.0
        # Whether it is ½‖w‖² or nothing, which ascent in the dual and steps in the space of the rows take it for.
        self.uniform = np.ndim(weights) == 0 and weights in (0.0, 1.0)

    def __bool__(self) -> bool:
        """Whether it penalises any feature."""
        return self._any

    def laid_out(self, shape: tuple[int, int], *, by_column: bool) -> Self:
        """For coefficients of a shape, (K, d) or, ``by_column``, (d, P)."""
        if self.uniform:
            return self
        d = shape[0] if by_column else shape[1]
        if np.ndim(self.weights) and np.shape(self.weights) != (d,):
            raise ValueError(
                f"weights of the penalty have shape {np.shape(self.weights)}, and X has {d} features; give one for each"
            )
        found = type(self)(np.full(d, self.weights, dtype=float))
        weights = np.asarray(found.weights)
        found.diagonal = np.repeat(weights, shape[1]) if by_column else np.tile(weights, shape[0])
        return found

    def value(self, w: np.ndarray) -> float:
        if self.uniform:
            return 0.5 * self.strong_convexity * float(w @ w)
        return 0.5 * float(w @ (self.diagonal * w))

    def gradient(self, w: np.ndarray) -> np.ndarray:
        return w if self.strong_convexity == 1.0 and self.uniform else self.diagonal * w

    def prox(self, w: np.ndarray, step: float) -> np.ndarray:
        return w / (1.0 + step * self.diagonal)

    def subgradient_distance(self, w: np.ndarray, g: np.ndarray) -> np.ndarray:
        return np.abs(g + self.diagonal * w)

    def conjugate(self, g: np.ndarray) -> float:
        if self.uniform:
            return 0.5 * float(g @ g) / self.strong_convexity if self._any else (math.inf if g.any() else 0.0)
        free = np.asarray(self.diagonal) == 0.0
        if g[free].any():
            return math.inf
        return 0.5 * float((g[~free] ** 2 / np.asarray(self.diagonal)[~free]).sum())
