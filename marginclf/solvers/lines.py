"""Losses of two straight lines, as the hinge is one, and those with the corner rounded off; found by their values."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ..losses import MarginLoss
from ..losses.base import CompiledLoss

_FAR, _GRID = 64.0, np.linspace(-8.0, 8.0, 65)
_SAME = 1e-12
_PARTS = np.array([1e-3, 0.1, 0.5, 0.9, 0.999])


class Lines(NamedTuple):
    """φ(m) = φ_0 + max_a (a (m − kink) − ½ softness a²), left ≤ a ≤ right: two lines where softness is 0.

    Otherwise their Moreau envelope, of which right is 0; where left is −∞, a parabola to the left of the kink.
    """

    left: float
    right: float
    kink: float
    value: float
    softness: float = 0.0


def two_lines(loss: MarginLoss, compiled: CompiledLoss) -> Lines | None:
    """The two lines of a loss; None for another loss, as far as a grid of margins shows."""
    _, parameters, code = compiled
    key = code, *parameters.tolist()
    if key not in _known:
        _known[key] = _two_lines(loss)
    return _known[key]


def soft_lines(loss: MarginLoss, _: CompiledLoss) -> Lines | None:
    """Two lines with the corner rounded off by a parabola; None for another loss, as far as its slopes show."""
    if not (loss.smooth and loss.invertible):
        return None
    most = -loss.slope_bounds()[0]
    slopes = _PARTS * (most if np.isfinite(most) else 1.0)
    margins, changes = np.array([loss.inverse_slope(float(a)) for a in slopes]).T
    softness, kink = -float(changes[0]), float(margins[0] - changes[0] * slopes[0])
    straight = np.abs(margins - (kink - softness * slopes)) <= _SAME * (1.0 + np.abs(margins))
    same = np.abs(changes + softness) <= _SAME * softness
    return Lines(-most, 0.0, kink, loss.infimum(), softness) if softness > 0.0 and (straight & same).all() else None


_known: dict[tuple, Lines | None] = {}


def _two_lines(loss: MarginLoss) -> Lines | None:
    values, slopes, _ = loss.evaluate([-_FAR, _FAR])
    (at_left, at_right), (left, right) = values.tolist(), slopes.tolist()
    if loss.smooth or not left < right:
        return None
    kink = (at_left + _FAR * left - at_right + _FAR * right) / (right - left)
    value = at_left + left * (kink + _FAR)
    grid = kink + np.concatenate([_GRID, [-_FAR, _FAR, -1e-6, 1e-6]])
    found, expected = loss.evaluate(grid)[0], value + np.maximum(left * (grid - kink), right * (grid - kink))
    same = np.abs(found - expected) <= _SAME * (1.0 + np.abs(expected))
    return Lines(left, right, kink, value) if same.all() else None
