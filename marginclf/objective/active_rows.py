"""Rows of a part that are near a kink of the loss, and sums of those that are on one of its straight lines."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from ..losses import MarginLoss
from ..matrix.parts import Part, Sums
from .partial_sums import Problem

_FAR = 1e6
"""A margin where a loss that ends in a straight line is on it."""


class ActiveRows(NamedTuple):
    """Rows near a kink, and what is left of the others.

    Attributes
    ----------
    sums : tuple of ndarray
        Σ C s φ of all rows; of the others, Σ C s and Σ C s x, for positive labels left and right of the kinks and for
        negative ones.
    n_rows : int
        How many rows are near.
    X, v : array and ndarray of shape (n_rows,)
        Those rows and their C s y, if they are not too many.
    """

    sums: Sums
    n_rows: int
    X: Any
    v: np.ndarray


def sides(loss: MarginLoss, m: np.ndarray, reach: float) -> np.ndarray:
    """−1 or 1 where the loss is the line of its far left or right within ``reach`` of a margin, 0 elsewhere."""
    far = loss.evaluate([-_FAR, _FAR])[1]
    lower, upper = loss.evaluate(m - reach)[1], loss.evaluate(m + reach)[1]
    return np.where(upper == far[0], -1, np.where(lower == far[1], 1, 0))


def active_rows(part: Part, problem: Problem, theta: np.ndarray, reach: float, most: int) -> ActiveRows:
    """The rows that a change of their margins by ``reach`` may take over a kink, and the sums of the others.

    Parameters
    ----------
    part : Part
        The rows.
    problem : Problem
        What F is, of two classes.
    theta : ndarray of shape (d + 1,)
        Where.
    reach : float
        Change of a margin.
    most : int
        More rows than these are counted only.
    """
    with problem.of_part(part) as objective:
        of_two: Any = objective
        v, point = of_two.v, objective.point(objective.theta(*problem.coefficients(theta)))
        m = objective.margins(point)
        side = sides(problem.loss, m, reach)
        rows = np.flatnonzero((side == 0) & (v != 0.0))
        value, totals, sums = np.array([point.value]), np.zeros(4), np.zeros((4, part.X.shape[1]))
        for k, (sign, left) in enumerate(((1, -1), (1, 1), (-1, -1), (-1, 1))):
            weights = np.where((np.sign(v) == sign) & (side == left), np.abs(v), 0.0)
            totals[k], sums[k] = weights.sum(), objective.matrix.transposed_product(weights)
    few = rows if len(rows) <= most else rows[:0]
    return ActiveRows((value, totals, sums), len(rows), part.X[few], v[few])
