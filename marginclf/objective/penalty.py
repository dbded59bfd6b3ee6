"""The quadratic penalty, a part of F; beside F there may be another, :mod:`.nonsmooth_penalty`."""

from __future__ import annotations

import math
from typing import Self

import numpy as np


class L2:
    """½ Σ_j λ_j Σ_k w_kj², of the coefficients as a vector in the order of θ.

    That it is quadratic is taken for granted: the gradient at a step is the product with the Hessian, ``diagonal`` is
    the Hessian, the value at 0 is 0, and the conjugate of ∂F/∂w bounds F − F*.

    Parameters
    ----------
    weights : float or ndarray of shape (n_features,), default=1.0
        λ ≥ 0; one number for all features. 0 does not penalise a feature.

    Attributes
    ----------
    diagonal : float or ndarray
        λ of each entry of w, or one number for all.
    strong_convexity : float
        The largest μ with which it is μ-strongly convex, min λ; 0 where a feature is not penalised.
    uniform : bool
        Whether it is ½‖w‖² or nothing, which ascent in the dual and steps in the space of the rows take it for.
    """

    def __init__(self, weights: float | np.ndarray = 1.0) -> None:
        self.weights = weights
        self.diagonal = weights
        least, most = float(np.min(weights, initial=math.inf)), float(np.max(weights, initial=0.0))
        if not (least >= 0.0 and most < math.inf):
            raise ValueError(f"weights of the penalty must be numbers of at least 0, and not infinite; got {weights!r}")
        self.strong_convexity = least if least < math.inf else 1.0
        self._any = most > 0.0
        self.uniform = np.ndim(weights) == 0 and weights in (0.0, 1.0)

    def __bool__(self) -> bool:
        """Whether it penalises any feature."""
        return self._any

    def laid_out(self, shape: tuple[int, int], *, by_column: bool) -> Self:
        """The same for coefficients of a shape, (K, d) or, ``by_column``, (d, P): an objective asks for it once."""
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
        """What it adds to F."""
        if self.uniform:
            return 0.5 * self.strong_convexity * float(w @ w)
        return 0.5 * float(w @ (self.diagonal * w))

    def gradient(self, w: np.ndarray) -> np.ndarray:
        """Of w, and the product of the Hessian with w as well."""
        return w if self.strong_convexity == 1.0 and self.uniform else self.diagonal * w

    def conjugate(self, g: np.ndarray) -> float:
        """sup_w g·w − penalty(w)."""
        if self.uniform:
            return 0.5 * float(g @ g) / self.strong_convexity if self._any else (math.inf if g.any() else 0.0)
        free = np.asarray(self.diagonal) == 0.0
        if g[free].any():
            return math.inf
        return 0.5 * float((g[~free] ** 2 / np.asarray(self.diagonal)[~free]).sum())
