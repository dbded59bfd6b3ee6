"""Dual variables from a Newton step: where they combine to what its model says, to the accuracy of the model's minimum.

At the end of a step from z to z⁺, the slopes r⁺ miss those of the model, r + c (z⁺ − z), by the curvature's own change,
a second-order amount, and dual variables that miss their bounds are scaled, which costs as much of F. The slopes of the
model meet the bounds as its minimum does. They are slopes of the losses at other decision values z̃, close to z⁺; with
φ(z̃) and φ'(z̃) their conjugate is known without a formula, and

    Σ C s (φ(z⁺) + φ*(α) − α z⁺) = Σ C s (φ(z⁺) − φ(z̃) − φ'(z̃) (z⁺ − z̃))

is of the fourth order.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .binary_point import BinaryPoint
from .certificate import rounding_of

_CORRECTIONS, _LONGEST = 3, 1.0
"""Newton steps from slopes to decision values, and how long one may be: there may be no such slope."""


def newton_dual(
    objective: Any, before: Any, after: Any, curvatures: np.ndarray | None = None, b: float | None = None
) -> tuple[BinaryPoint, float]:
    """Decision values whose slopes are those of the model, as a point with b at its minimum, and the gap they leave.

    Parameters
    ----------
    objective : BinaryObjective
        The losses, without a penalty.
    before, after : BinaryPoint
        Where the model was made, and where a whole step led to; b may have been moved since.
    curvatures : ndarray of shape (n,), optional
        Those of the rows in the model, where they are not those of ``before``.
    b : float, optional
        Where the model has the intercept, if it has been moved since: the model's slopes add up to zero there.
    """
    end = after.z + after.b[0]
    curvatures, b = before.c if curvatures is None else curvatures, after.b[0] if b is None else b
    wanted = before.r + curvatures * (after.z + b - before.z - before.b[0])
    z, r, c = end, after.r, after.c
    for _ in range(_CORRECTIONS):
        step = np.divide(wanted - r, c, out=np.zeros_like(z), where=c > 0.0)
        z = z + np.clip(step, -_LONGEST, _LONGEST)
        _, _, r, c = objective.matrix.pointwise(objective.compiled, objective.v, z, 0.0)
    theta = after.theta.copy()
    theta[-1] = objective.best_intercept(z, 0.0)
    found = BinaryPoint(objective, theta, intercept_minimised=True, z=z)
    left = after.loss_value - found.loss_value - float(found.r @ (end - z - theta[-1]))
    return found, max(left, 0.0) + rounding_of(after.loss_value)
