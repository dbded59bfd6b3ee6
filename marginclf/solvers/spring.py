"""How strong the spring is that holds the sum of the dual variables in :mod:`.ascent`."""

from __future__ import annotations

import math

import numpy as np

from ..losses import MarginLoss

_HOLD = 8.0, 64.0
"""How strong the spring is for few rows and for many, of which it is one more direction of large curvature."""

_MARGINS = np.append(0.0, np.linspace(-2.0, 2.0, 33))
"""Margins that rows have, the first of them at the start."""


def hold(n: int) -> float:
    """How many times as strongly as the rows answer, for so many rows."""
    return float(np.clip(0.25 * math.sqrt(n), *_HOLD))


def strength(loss: MarginLoss, weights: np.ndarray, kappa: np.ndarray) -> float:
    """The spring, so strong that Σ α answers by many times what pulls at it."""
    curvatures = loss.evaluate(_MARGINS)[2]
    # A loss may be straight at zero and curved elsewhere.
    curvature = float(curvatures[0] or curvatures.max())
    softness = 1.0 / curvature if curvature > 0.0 else 0.0
    stiffness = kappa + max(softness, float(kappa.mean()) * 1e-3)
    answer = float((weights / np.where(stiffness > 0.0, stiffness, 1.0)).sum())
    return hold(len(weights)) / answer if answer > 0.0 else 0.0
