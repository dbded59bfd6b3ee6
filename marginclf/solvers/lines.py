"""Losses of two straight lines, as the hinge is one, found by their values."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ..losses import MarginLoss
from ..losses.base import CompiledLoss

_FAR, _GRID = 64.0, np.linspace(-8.0, 8.0, 65)
_SAME = 1e-12


class Lines(NamedTuple):
    """φ(m) = φ_0 + max(left (m − kink), right (m − kink))."""

    left: float
    right: float
    kink: float
    value: float


def two_lines(loss: MarginLoss, compiled: CompiledLoss) -> Lines | None:
    """The two lines of a loss; None for another loss, as far as a grid of margins shows."""
    _, parameters, code = compiled
    key = code, *parameters.tolist()
    if key not in _known:
        _known[key] = _two_lines(loss)
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
