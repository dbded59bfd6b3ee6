"""A point of the binary objective, which keeps vectors of the length of the rows."""

from __future__ import annotations

from typing import Any

import numpy as np

from .point import Point, kept


class BinaryPoint(Point):
    """A point of the binary objective, which keeps the decision values where it has them.

    Attributes
    ----------
    z : ndarray of shape (n,)
        X w and the offset, without the intercept.
    r, c : ndarray of shape (n,)
        C s y φ'(m) and C s φ''(m).
    curvature : float
        ∂²F/∂b².
    known_slope : float, optional
        ∂F/∂b where it is known without a pass.
    """

    _objective: Any
    known_slope: float

    @kept
    def z(self) -> np.ndarray:
        return self._objective.decisions(self.theta)

    @property
    def plain_z(self) -> np.ndarray:
        """X w, without an offset."""
        offset = self._objective.offset
        return self.z if offset is None else self.z - offset

    @property
    def decisions_are_finite(self) -> bool:
        z = self.__dict__.get("z")
        return z is None or bool(np.isfinite(z).all())

    @kept
    def _losses(self) -> tuple[float, float, np.ndarray, np.ndarray]:
        objective = self._objective
        return objective.matrix.pointwise(objective.compiled, objective.v, self.z, float(self.b[0]))

    @property
    def loss_value(self) -> float:
        """Σ |v| φ, without the penalty."""
        return self._losses[0]

    @kept
    def value(self) -> float:
        return self.loss_value + self._objective.penalty.value(self.w)

    @kept
    def curvature(self) -> float:
        return float(self.c.sum()) if self._objective.fit_intercept else 0.0

    @kept
    def r(self) -> np.ndarray:
        return self._losses[2]

    @kept
    def c(self) -> np.ndarray:
        return self._losses[3]

    @kept
    def gradient(self) -> np.ndarray:
        objective = self._objective
        if "z" not in self.__dict__ and objective.offset is None:
            # One pass, and no vector of length n.
            gradient = objective.evaluate(self.theta).gradient
        else:
            gradient = objective.gradient(objective.matrix.transposed_product(self.r), self._losses[1], self.w)
        if "known_slope" in self.__dict__:  # the same to the last bit, whoever asks first
            gradient[-1] = self.known_slope
        return gradient

    def of_rows(self, columns: np.ndarray | None = None) -> dict[str, Any]:
        """What is known of the rows whatever the columns, and of the intercept; of some columns, their slopes too."""
        found = {"z": self.z, "_losses": self._losses, "intercept_minimised": self.intercept_minimised}
        if columns is not None and "gradient" in self.__dict__:
            found["gradient"] = np.append(self.gradient[columns], self.gradient[-1])
        return found

    def prepare(self) -> None:
        _ = self.c

    def release(self, *, keep_z: bool = False) -> None:
        _ = self.value, self.gradient
        for name in ("_losses", "r", "c", *(() if keep_z else ("z",))):
            self.__dict__.pop(name, None)
