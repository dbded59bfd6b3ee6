"""The optimum of a sample of dense rows, as far as these can tell it: where a fit of all rows begins.

What a sample takes for a slope differs from that of all rows by chance. Where this is as large as the kinks, the sample
lets in columns that have no coefficient, and it is solved with stronger kinks instead.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ...matrix.dense import RUN
from ...objective import NonsmoothPenalty
from .compiled_sets import CompiledSets, stronger
from .proximal_step import ProximalNewton
from .working_sets import WorkingSets

_PART, _FOR_EACH, _LEAST, _MOST = 20, 4, 2000, 4
"""Of how many rows one is in a sample, how many of its rows there are for each column, its least size, and of how many
rows one is in it at most."""

_OF_SAMPLE, _ROWS_EACH = 0.1, 50
"""Gap to which a sample is solved, and its rows for each coefficient that is not zero."""

_CLEAR, _WEAKER, _COLUMNS = 2.0, 0.7, 16
"""Kinks of a sample, in standard deviations of its slopes; how much weaker ones are worth another fit of it; and the
columns by which the deviations are measured."""

_EXACT, _BEYOND = 0.5, 0.5
"""Standard deviation of a sample's slopes, as a part of the kinks, up to which it says which columns are solved for
first, and how many of them the slopes of these may be below their kinks."""


def of_sample(
    objective: Any, penalty: NonsmoothPenalty, theta: np.ndarray, least: float, max_iter: int
) -> tuple[np.ndarray, np.ndarray | None]:
    """About the optimum of a sample of the rows, and the columns that it leaves to be solved for, if it says so much.

    Parameters
    ----------
    objective : BinaryObjective
        The losses, smooth and convex, without a penalty.
    penalty : NonsmoothPenalty
        What is added to them: no groups, and each entry with a kink.
    theta : ndarray
        Zero coefficients, which are returned where a sample is no use.
    least : float
        inf Σ C s φ.
    max_iter : int
        Largest number of steps.
    """
    n, d = objective.matrix.shape
    size = max(n // _PART, _FOR_EACH * d, _LEAST)
    if size * _MOST > n:
        return theta, None
    rows = _some_rows(n, size, RUN if objective.matrix.by_columns else 1)
    sample = objective.sample(rows, np.full(len(rows), n / len(rows)))
    if not ((sample.v > 0.0).any() and (sample.v < 0.0).any()):
        return theta, None
    whole = ProximalNewton(sample, penalty)
    here = whole.at(theta)
    if WorkingSets(whole).nearly_all(here):
        return theta, None
    noise, strength, limit = _noise(sample, penalty, here.point), math.inf, len(rows) // _ROWS_EACH
    while max(1.0, _CLEAR * noise) <= _WEAKER * strength:
        # Weaker kinks than that would let in what only the sample has.
        strength = max(1.0, _CLEAR * noise)
        sets = CompiledSets(sample, stronger(penalty, strength), theta, least)
        sets.descend(_OF_SAMPLE, max_iter, limit)
        if np.count_nonzero(sets.u) > limit:
            return theta, None
        theta, point = sets.theta, sample.at(sets.theta)
        noise = _noise(sample, penalty, point)
    if strength > 1.0 or noise > _EXACT:
        return theta, None
    u = penalty.vector(sample.by_class(theta))
    score = penalty.pull(u, -penalty.vector(sample.by_class(point.gradient))) / penalty.kink
    return theta, np.flatnonzero((u != 0.0) | (score >= 1.0 - _BEYOND * noise))


def _some_rows(n: int, size: int, together: int) -> np.ndarray:
    """Rows by chance, so many together, in rising order."""
    starts = np.sort(np.random.RandomState(0).choice(n // together, size // together, replace=False))
    return (together * starts[:, None] + np.arange(together)).ravel()


def _noise(sample: Any, penalty: NonsmoothPenalty, point: Any) -> float:
    """The standard deviation of a slope by the choice of the sample, relative to its kink: the median of columns."""
    d = sample.matrix.shape[1]
    which = np.unique(np.linspace(0, d - 1, min(d, _COLUMNS)).astype(int))
    X = np.empty((len(point.r), len(which)))
    sample.matrix.columns(which).copy_rows(slice(0, len(X)), X)
    squares = point.r**2
    mean = squares @ X / squares.sum()
    spread = squares @ (X - mean) ** 2
    return float(np.median(np.sqrt(spread) / penalty.kink[which]))
