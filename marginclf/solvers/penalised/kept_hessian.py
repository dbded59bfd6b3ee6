"""Proximal Newton steps for two classes on some columns, with a Hessian that is kept for some steps."""

from __future__ import annotations

import copy
import math
from typing import Any

import numpy as np

from .proximal_step import At, ProximalNewton
from .quadratic_model import WrittenModel

_STANDS = 0.1
"""What the curvatures of the rows may have changed by, relative to their sum, since a Hessian was made: a step by it
leaves about such a part of the gradient, and costs a third or less of one that makes it anew."""

_SLOW = 0.01
"""Part of what the step before has promised of F that a step may promise where a kept Hessian says enough: it leaves a
tenth of the gradient then, and three such steps cost what one with its own Hessian does."""


class KeptHessian(ProximalNewton):
    """F of two classes, without groups, on so few columns that the Hessian is written down."""

    _made: WrittenModel | None = None
    _curvatures = np.empty(0)
    _promise = 0.0

    def advance(self, here: At, factor: float, accuracy: float) -> tuple[At, float] | None:
        """One step as of :meth:`step`, but that b is where the model has it.

        Its minimum takes looks at the losses of all rows, and is for a proof.
        """
        model = self._model(here)
        if not model.curved or self.damping:
            return self._anew(here, factor, accuracy)
        target, promise = model.minimised(factor, accuracy, 0.0)
        if model is not self._made and abs(promise) > _SLOW * self._promise:
            self._made = None
            model = self._model(here)
            target, promise = model.minimised(factor, accuracy, 0.0)
        self._promise = abs(promise)
        there = self._shortened(here, target, promise, factor)
        if there is None:
            return self._anew(here, factor, accuracy)
        return there, abs(promise)

    def step(self, here: At, factor: float, accuracy: float) -> tuple[At, float] | None:
        """As there; by the Hessian of a step before where that says enough."""
        model = None if self.damping else self._standing(here)
        if model is not None:
            target, promise = model.minimised(factor, accuracy, 0.0)
            if abs(promise) <= _SLOW * self._promise:
                there = self._shortened(here, target, promise, factor)
                if there is not None:
                    self._promise = abs(promise)
                    end = self.weighed(self._settled(there.point, model), factor)
                    before = there.before and there.before._replace(curvatures=self._curvatures)
                    return end._replace(before=before), abs(promise)
        self._made = None
        found = super().step(here, factor, accuracy)
        self._promise = 0.0 if found is None else found[1]
        return found

    def left(self, here: At, least: float) -> float:
        """What :meth:`gap` would be if b were at its minimum here."""
        g = self.slopes(here.point)
        above = max(float(here.point.value) - least, 0.0)
        t, total = self.penalty.proof(here.u, g, np.zeros(len(g)), above)
        return total + (1.0 - t) * above

    def settled(self, here: At, factor: float) -> At:
        """The same with b at its minimum."""
        if here.point.intercept_minimised:
            return here
        return self.weighed(self.objective.settled(here.point), factor)

    def _anew(self, here: At, factor: float, accuracy: float) -> tuple[At, float] | None:
        self._made, self._promise = None, 0.0
        return self.step(here, factor, accuracy)

    def _model(self, here: At) -> Any:
        if not self.written:
            return super()._model(here)
        model = self._standing(here)
        if model is not None:
            return model
        self._curvatures = here.point.c  # type: ignore[attr-defined]
        self._made = WrittenModel(self.objective, self.penalty, here.point, here.u)
        self._promise = math.inf
        return self._made

    def _standing(self, here: At) -> WrittenModel | None:
        """The model with the Hessian of before, where the curvatures of the rows have changed little since."""
        if self._made is None:
            return None
        change = float(np.abs(here.point.c - self._curvatures).sum())  # type: ignore[attr-defined]
        return moved(self._made, here) if change <= _STANDS * float(self._curvatures.sum()) else None


def moved(model: WrittenModel, here: At) -> WrittenModel:
    """A model of two classes with the gradient of another point."""
    other = copy.copy(model)
    other.move(here.point, here.u)
    return other
