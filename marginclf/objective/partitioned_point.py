"""A point of an objective whose rows are in parts, and the second derivatives that a round has brought."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from .curvature import with_penalty
from .point import Point, kept

_HIDDEN = 100.0
"""How much less than is left a diagonal says can be gained; with 10, objectives were above tol where it was small."""


class Seconds(NamedTuple):
    """Second derivatives of the losses, without the penalty, for rows less a centre.

    Attributes
    ----------
    kind : str
        What they are, as :meth:`~.partial_sums.Problem.partial_sums` says.
    array : ndarray
        They.
    theta : ndarray
        Where they were taken.
    """

    kind: str
    array: np.ndarray
    theta: np.ndarray


class PartitionedPoint(Point):
    """A point θ with what one round tells of it.

    Attributes
    ----------
    seconds : Seconds or None
        Second derivatives there, or at a point near it.
    loss_value, slack, farthest : float
        Of a smooth problem: F of the loss itself, what the multipliers leave of the duality gap, and no less than the
        largest margin.
    """

    _objective: Any
    seconds: Seconds | None = None
    loss_value: float
    slack: float
    farthest: float

    def _see(self) -> None:
        known = self._objective.sums(self.theta, "")
        known.pop("seconds")
        self.__dict__.update(known)

    @kept
    def value(self) -> float:
        self._see()
        return float(self.__dict__["value"])

    @kept
    def gradient(self) -> np.ndarray:
        self._see()
        found: np.ndarray = self.__dict__["gradient"]
        return found

    @property
    def centred(self) -> np.ndarray:
        """∂F/∂W with the decision values amid the rows held, of shape (K, d)."""
        objective = self._objective
        found: np.ndarray = objective.by_class(self.gradient) - self.slope[:, None] * objective.centre
        return found

    @kept
    def half_square(self) -> float:
        in_w = self.centred.ravel()
        return self._objective.penalty.conjugate(in_w) if self._objective.provable else 0.5 * float(in_w @ in_w)


class PartitionedCurvature:
    """The Hessian as far as a round has brought it, with the penalty."""

    residual = 0.0

    def __init__(self, objective: Any, seconds: Seconds) -> None:
        self._objective, self._seconds = objective, seconds
        self._k, self._d = objective.n_outputs, objective.n_features
        self.centre = objective.centre if objective.fit_intercept else None
        # A diagonal alone is no system to be solved.
        self.definite = seconds.kind == "all"
        self.decoupled = float("nan") if objective.fit_intercept or self._k > 1 else 0.0
        self.hidden = 1.0 if self.definite else _HIDDEN

    def dense(self) -> np.ndarray:
        hessian = self._seconds.array
        if not np.isfinite(hessian).all():
            raise OverflowError("the Hessian overflows")
        hessian = with_penalty(hessian, self._k, self._objective.penalty.weights)
        return hessian if np.isnan(self.decoupled) else hessian[:-1, :-1]

    def _parts(self) -> np.ndarray:
        """The diagonal, and the mixed derivatives with the intercept of the same class: of shape (2, K, d + 1)."""
        kind, array, _ = self._seconds
        if kind == "diagonal":
            return array
        k, d = self._k, self._d
        own = np.einsum("kikj->kij", array.reshape(k, d + 1, k, d + 1))
        return np.array([np.einsum("kii->ki", own), own[:, :, d]])

    def diagonal(self) -> np.ndarray:
        objective, diagonal = self._objective, self._parts()[0]
        found = objective.theta(diagonal[:, :-1], diagonal[:, -1])
        objective.w(found)[...] += objective.penalty.diagonal
        return np.asarray(found)

    @property
    def mean(self) -> float:
        """How far the rows' mean, weighted by their curvatures, is from the centre."""
        if self._seconds.kind == "intercepts":
            return 0.0
        diagonal, mixed = self._parts()
        mixed, total = mixed[:, :-1], diagonal[:, -1:]
        return float(np.linalg.norm(np.divide(mixed, total, out=np.zeros_like(mixed), where=total > 0.0)))

    def intercepts(self) -> np.ndarray:
        kind, array, _ = self._seconds
        k, d = self._k, self._d
        if kind == "intercepts":
            return array
        return np.diag(array[0, :, d]) if kind == "diagonal" else array.reshape(k, d + 1, k, d + 1)[:, d, :, d]

    def product(self, p: np.ndarray) -> np.ndarray:
        return self.diagonal() * p
