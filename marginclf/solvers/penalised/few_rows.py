"""Proximal Newton steps on few dense rows of two classes, with arrays in place of points.

What :mod:`.proximal_newton` does, for a start: with some hundred rows a step is a fifth of a millisecond, and objects
around it would take as long again. It proves nothing; its end is looked at as any other point.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ...kernels.coordinate_descent import minimise_quadratic
from ...kernels.gram import GRAM_COLUMNS
from ...objective import NonsmoothPenalty
from .quadratic_model import RIDGE

_SHRINK, _NEAR, _ASKED, _STEPS, _STEPS_LAST = 0.1, 0.6, 0.95, 2, 12
"""As of :mod:`.working_sets`: kinks from stage to stage, columns that are let in, steps for a guess and in the end."""

_FIRST, _CHEAP = 50, 3_000_000
"""Columns in a working set at least, and products of a Hessian that take no longer than what is around it."""

_INNER, _ROUGH, _MODEL, _ACCURATE = 1e-3, 0.05, 0.03, 1e-12
"""Part of the gap to which a working set is solved, and the accuracy of a model."""

_SUFFICIENT, _HALVINGS, _ROUNDING, _ROUNDS = 1e-4, 4, 4e-13, 1000
"""Part of a promise that F falls by, halvings of a step, what F may rise by, and rounds of descent in a model."""


class FewRows:
    """F = losses + penalty, of two classes on few rows, and where it is.

    Parameters
    ----------
    objective : BinaryObjective
        The losses, without a penalty.
    penalty : NonsmoothPenalty
        What is added to them: no groups, and each entry with a kink.
    theta : ndarray of shape (d + 1,)
        Where to start.
    least : float
        inf Σ C s φ.
    """

    def __init__(self, objective: Any, penalty: NonsmoothPenalty, theta: np.ndarray, least: float) -> None:
        self._objective, self._penalty, self._least = objective, penalty, least
        self._matrix, self._v, self._loss = objective.matrix, objective.v, objective.compiled
        self.u, self._b = objective.w(theta).copy(), float(objective.b(theta)[0])
        self._z = objective.decisions(theta)
        self._look(self._z, self._b)
        self.steps = 0

    @property
    def theta(self) -> np.ndarray:
        return np.append(self.u, self._b)

    def _look(self, z: np.ndarray, b: float) -> float:
        self._losses, self._slope, self._r, self._c = self._matrix.pointwise(self._loss, self._v, z, b)
        return self._losses

    def _left(self, penalty: NonsmoothPenalty, u: np.ndarray, g: np.ndarray) -> float:
        """About what F is above its minimum, relative to it, if b is at its own."""
        above = max(self._losses - self._least, 0.0)
        t, total = penalty.proof(u, g, np.zeros(len(g)), above)
        return (total + (1.0 - t) * above) / max(abs(self._losses + penalty.value(u)), 1e-300)

    def descend(self, tol: float, most: int, limit: float = math.inf) -> None:
        """Go on until about ``tol`` is left, ``most`` steps are done, or more coefficients than ``limit``."""
        penalty, factor = self._penalty, math.inf
        first = max(_FIRST, min(GRAM_COLUMNS, math.isqrt(_CHEAP // len(self._z))))
        while self.steps < most:
            g = -self._matrix.transposed_product(self._r)
            used = self.u != 0.0
            score = penalty.pull(self.u, g) / penalty.kink
            score[used] = 0.0
            factor = max(1.0, min(factor, _SHRINK * float(score.max(initial=0.0))))
            left = self._left(penalty, self.u, g) if factor == 1.0 else math.inf
            if left <= tol or np.count_nonzero(used) > limit:
                return
            score[used] = math.inf
            room = max(first, 2 * int(used.sum()))
            cut = factor > 1.0 or int((score >= 1.0 - 1e-3).sum()) > room
            chosen = np.flatnonzero(score >= (_NEAR * factor if factor > 1.0 else _ASKED))
            if len(chosen) > room:
                chosen = np.sort(chosen[np.argpartition(score[chosen], -room)[-room:]])
            before = self.steps
            steps = min(most - self.steps, _STEPS if cut else _STEPS_LAST)
            self._on_set(chosen, g[chosen], factor, left, tol, steps, cut=cut)
            if self.steps == before:
                return

    def _on_set(
        self, chosen: np.ndarray, g: np.ndarray, factor: float, left: float, tol: float, most: int, *, cut: bool
    ) -> None:
        part, penalty = self._matrix.columns(chosen), self._penalty.of_entries(chosen)
        u, goal = self.u[chosen], max(0.5 * tol, _INNER * left)
        accuracy = _ROUGH if cut else min(_ROUGH, _MODEL * left) + _ACCURATE
        m, starts = len(chosen), np.arange(len(chosen) + 1)
        kink = factor * penalty.kink
        work, members = (np.empty((m, m)), np.empty((3, m))), np.empty(m, dtype=np.int64)
        for done in range(most):
            if done:
                g = -part.transposed_product(self._r)
                if not cut:
                    left = self._left(penalty, u, g)
                    if left <= goal:
                        break
                    accuracy = min(accuracy, _MODEL * left + _ACCURATE)
            # b and the mean of the rows, by their curvatures, are apart from one another.
            total = float(self._c.sum())
            if not total > 0.0:
                break
            free = self._objective.fit_intercept
            centre = part.transposed_product(self._c) / total if free else np.zeros(m)
            slope = self._slope if free else 0.0
            h, q = part.gram(self._c, centre), -g - slope * centre + penalty.quadratic * u
            if not np.isfinite(h).all():
                break
            h[starts[:-1], starts[:-1]] += penalty.quadratic
            scale = h.diagonal().copy()
            scale += RIDGE * float(scale.max(initial=0.0)) + 1e-300
            end, along = u.copy(), q.copy()
            minimise_quadratic(
                h, along, end, starts, kink, scale, penalty.lower, penalty.upper, kink, accuracy, _ROUNDS, work[0],
                members, work[1],
            )  # fmt: skip
            change = end - u
            in_b = (-slope / total if free else 0.0) - float(centre @ change)
            promise = float(q @ change) + float(kink @ (np.abs(end) - np.abs(u)))
            promise -= slope * slope / total
            if not self._advanced(part, penalty, u, change, in_b, promise, factor):
                break
            u = self.u[chosen] = self._at
            self.steps += 1

    def _advanced(
        self, part: Any, penalty: NonsmoothPenalty, u: np.ndarray, change: np.ndarray, in_b: float, promise: float,
        factor: float,
    ) -> bool:  # fmt: skip
        """Go along a step as far as F falls; whether it does."""
        before, known = self._losses + penalty.value(u, factor), (self._losses, self._slope, self._r, self._c)
        along, t = part.product(change), 1.0
        for _ in range(_HALVINGS):
            z, b, at = self._z + t * along, self._b + t * in_b, u + t * change
            value = self._look(z, b) + penalty.value(at, factor)
            if value <= before + _SUFFICIENT * t * promise + _ROUNDING * abs(before):
                self._z, self._b, self._at = z, b, at
                return True
            t *= 0.5
        self._losses, self._slope, self._r, self._c = known
        return False
