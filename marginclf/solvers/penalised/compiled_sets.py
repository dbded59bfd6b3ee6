"""Working sets of dense rows of two classes, with arrays in place of points, and compiled steps on each.

What :mod:`.proximal_newton` does, for a start: on little data, or with some hundred rows, a step is a fifth of a
millisecond, and objects around it would take as long again. It proves nothing; its end is looked at as any other point.
"""

from __future__ import annotations

import copy
import math
from typing import Any

import numpy as np

from ...kernels.gram import GRAM_COLUMNS
from ...objective import NonsmoothPenalty
from .compiled_steps import CompiledSteps

_SHRINK, _NEAR, _ASKED, _STEPS, _STEPS_LAST = 0.1, 0.6, 0.95, 2, 12
"""As of :mod:`.working_sets`: kinks from stage to stage, columns that are let in, steps for a guess and in the end."""

_FIRST, _CHEAP = 50, 3_000_000
"""Columns in a working set at least, and products of a Hessian that take no longer than what is around it."""

_AIM, _INNER = 0.5, 1e-3
"""Part of tol, and of the gap, to which a working set is solved."""


class CompiledSets:
    """F = losses + penalty, of two classes, and where it is.

    Parameters
    ----------
    objective : BinaryObjective
        The losses, without a penalty and an offset.
    penalty : NonsmoothPenalty
        What is added to them: no groups, and each entry with a kink.
    theta : ndarray of shape (d + 1,)
        Where to start.
    least : float
        inf Σ C s φ.
    """

    def __init__(self, objective: Any, penalty: NonsmoothPenalty, theta: np.ndarray, least: float) -> None:
        self._objective, self._penalty, self._least = objective, penalty, least
        self.u, self._b = objective.w(theta).copy(), float(objective.b(theta)[0])
        z = objective.decisions(theta)
        self._losses, _, self._r, _ = objective.matrix.pointwise(objective.compiled, objective.v, z, self._b)
        self.steps = 0

    @property
    def theta(self) -> np.ndarray:
        return np.append(self.u, self._b)

    def descend(self, tol: float, most: int, limit: float = math.inf) -> None:
        """Go on until about ``tol`` is left, ``most`` steps are done, or more coefficients than ``limit``."""
        penalty, factor = self._penalty, math.inf
        first = max(_FIRST, min(GRAM_COLUMNS, math.isqrt(_CHEAP // len(self._r))))
        while self.steps < most:
            g = -self._objective.matrix.transposed_product(self._r)
            used = self.u != 0.0
            score = penalty.pull(self.u, g) / penalty.kink
            score[used] = 0.0
            factor = max(1.0, min(factor, _SHRINK * float(score.max(initial=0.0))))
            left = self._left(g) if factor == 1.0 else math.inf
            if left <= tol or np.count_nonzero(used) > limit:
                return
            score[used] = math.inf
            room = max(first, 2 * int(used.sum()))
            cut = factor > 1.0 or int((score >= 1.0 - 1e-3).sum()) > room
            chosen = np.flatnonzero(score >= (_NEAR * factor if factor > 1.0 else _ASKED))
            if len(chosen) > room:
                chosen = np.sort(chosen[np.argpartition(score[chosen], -room)[-room:]])
            steps = min(most - self.steps, _STEPS if cut else _STEPS_LAST)
            if not self._on_set(chosen, factor, 0.0 if cut else max(_AIM * tol, _INNER * left), steps):
                return

    def _left(self, g: np.ndarray) -> float:
        """About what F is above its minimum, relative to it, if b is at its own."""
        above = max(self._losses - self._least, 0.0)
        t, total = self._penalty.proof(self.u, g, np.zeros(len(g)), above)
        return (total + (1.0 - t) * above) / max(abs(self._losses + self._penalty.value(self.u)), 1e-300)

    def _on_set(self, chosen: np.ndarray, factor: float, goal: float, most: int) -> int:
        """Steps on some of the columns, with stronger kinks; how many."""
        penalty = self._penalty.of_entries(chosen)
        if factor > 1.0:
            penalty = stronger(penalty, factor)
        part, theta = self._objective.matrix.columns(chosen), np.append(self.u[chosen], self._b)
        steps = CompiledSteps(self._objective, part, penalty, theta, least=self._least, at_zero=math.inf)
        done = steps.take(goal, most)
        if np.isfinite(steps.theta).all():
            self.u[chosen], self._b = steps.theta[:-1], steps.theta[-1]
            self._r, self._losses = steps.slopes, steps.losses
            self.steps += done
        return done


def stronger(penalty: NonsmoothPenalty, factor: float) -> NonsmoothPenalty:
    """The same with its kinks multiplied by a factor."""
    other = copy.copy(penalty)
    other.kink = factor * penalty.kink
    return other
