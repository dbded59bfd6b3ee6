"""Losses of two straight lines, as the hinge is one, and those with the corner rounded off; found by their values."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from ..losses import MarginLoss
from ..losses.base import CompiledLoss

_FAR, _FARTHEST, _GRID = 64.0, 1e6, np.linspace(-8.0, 8.0, 65)
_SAME = 1e-12


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
    return _remembered(_two_lines, loss, compiled)


def soft_lines(loss: MarginLoss, compiled: CompiledLoss) -> Lines | None:
    """Two lines with the corner rounded off by a parabola; None for another loss, as far as a grid of margins shows."""
    return _remembered(_soft_lines, loss, compiled)


def _remembered(find: Callable[[MarginLoss], Lines | None], loss: MarginLoss, compiled: CompiledLoss) -> Lines | None:
    _, parameters, code = compiled
    key = find, code, *parameters.tolist()
    if key not in _known:
        _known[key] = find(loss)
    return _known[key]


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


def _soft_lines(loss: MarginLoss) -> Lines | None:
    """One slope says where the parabola would be, and values whether it is: a proof would trust ``inverse_slope``."""
    if not (loss.smooth and loss.invertible):
        return None
    most = -loss.slope_bounds()[0]
    width = most if np.isfinite(most) else 1.0
    margin, change = loss.inverse_slope(0.5 * width)
    softness, kink, value = -float(change), float(margin - change * 0.5 * width), loss.infimum()
    if not (softness > 0.0 and np.isfinite(kink)):
        return None
    grid = kink + np.concatenate([_GRID, softness * width * _GRID, [-_FARTHEST, -_FAR, _FAR, -1e-6, 1e-6]])
    short = np.maximum(kink - grid, 0.0)
    a = np.minimum(short / softness, most)
    found, expected = loss.evaluate(grid)[0], value + a * (short - 0.5 * softness * a)
    same = np.abs(found - expected) <= _SAME * (1.0 + np.abs(expected))
    return Lines(-most, 0.0, kink, value, softness) if same.all() else None
