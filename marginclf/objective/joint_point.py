"""A point of the joint objective, which keeps the decision values of all classes where there is room for them."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..matrix.joint_kept import Kept
from .point import Point, kept


class JointPoint(Point):
    """A point of the joint objective.

    Attributes
    ----------
    rows : Kept or None
        Decision values and what the loss makes of them; None where the objective does not keep them.
    """

    _objective: Any

    @kept
    def gradient(self) -> np.ndarray:
        return self._evaluated().gradient

    @kept
    def rows(self) -> Kept | None:
        return self._evaluated().rows

    def _evaluated(self) -> JointPoint:
        """The same, with all that one pass gives."""
        found = self._objective.evaluate(self.theta)
        for name in ("value", "gradient", "rows"):
            self.__dict__.setdefault(name, getattr(found, name))
        return found

    @kept
    def between(self) -> np.ndarray:
        """The Hessian of the losses in b, of shape (K, K)."""
        objective = self._objective
        if self.rows is None:
            return objective.passes.intercepts(objective.compiled, *objective.split(self.theta))[2]
        return objective.passes.between(self.rows)

    def release(self, *, keep_z: bool = False) -> None:
        if not keep_z:
            self.__dict__.pop("rows", None)
