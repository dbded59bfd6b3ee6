"""How far the own class of each row of a part leads, which says whether a step separates the classes for ever."""

from __future__ import annotations

import math

import numpy as np

from ..matrix.parts import Part
from .partial_sums import Problem


def separation(part: Part, problem: Problem, theta: np.ndarray, step: np.ndarray) -> np.ndarray:
    """Of the class margins, whose maxima say whether and how far a step separates the classes.

    Returns
    -------
    ndarray of shape (8,)
        The largest of −margin, of margin and of the magnitudes of decision values, at θ and, in the same order, of the
        changes that the step makes; the largest change of a decision value relative to those above 1; and how many
        such steps take all class margins above 0, if any number does.
    """
    with problem.of_part(part) as objective:
        z, change = (objective.decision_values(objective.theta(*problem.coefficients(t))) for t in (theta, step))
        counted = objective.row_weights > 0.0
        leads = [objective.class_margins(values) for values in (z, change)]
    if not counted.any():
        return np.full(8, -math.inf)
    found = []
    for lead, values in zip(leads, (z, change), strict=True):
        found += [-lead[counted].min(), lead[counted].max(), np.abs(values).max()]
    relative = np.abs(change) / np.maximum(np.abs(z), 1.0)
    lead, growth = (values[counted] for values in leads)
    steps = np.divide(-lead, growth, out=np.where(lead > 0.0, -np.inf, np.inf), where=growth > 0.0)
    return np.array([*found, relative[:, counted].max(), steps.max()])
