"""How far the own class of each row of a part leads, which says whether a step separates the classes for ever."""

from __future__ import annotations

import math

import numpy as np

from ..matrix import design_matrix
from ..matrix.parts import Part
from .binary import Objective
from .share import Problem


def separation(part: Part, problem: Problem, theta: np.ndarray, step: np.ndarray) -> np.ndarray:
    """Of the leads that the rows' own classes have, whose maxima say whether and how far a step separates them.

    Returns
    -------
    ndarray of shape (8,)
        The largest of −lead, of lead and of the magnitudes of decision values, at θ and, in the same order, of the
        changes that the step makes; the largest change of a decision value relative to those above 1; and how many
        such steps take all leads above 0, if any number does.
    """
    (w, b), (dw, db) = problem.coefficients(theta), problem.coefficients(step)
    with np.errstate(over="ignore", invalid="ignore"), design_matrix(part.X, problem.n_jobs) as matrix:
        objective = problem.objective(part, matrix, 0.0)
        m = part.X.shape[0]
        if isinstance(objective, Objective):
            z = (matrix.product(w[0]) + b[0])[None]
            change = (matrix.product(dw[0]) + db[0])[None]
            sign, counted = np.sign(objective.v), objective.v != 0.0
            leads = [sign * z[0], sign * change[0]]
        else:
            passes = objective.passes
            inside, inside_step = passes.zeros(), passes.zeros()
            passes.by_class(inside)[...], passes.by_class(inside_step)[...] = w, dw
            z, change = passes.decisions(inside, b, 0, m), passes.decisions(inside_step, db, 0, m)
            counted = np.broadcast_to(passes.weights > 0.0, m)
            leads = [_lead(values, part.codes) for values in (z, change)]
    if not counted.any():
        return np.full(8, -math.inf)
    found = []
    for lead, values in zip(leads, (z, change), strict=True):
        found += [-lead[counted].min(), lead[counted].max(), np.abs(values).max()]
    relative = np.abs(change) / np.maximum(np.abs(z), 1.0)
    lead, growth = (values[counted] for values in leads)
    steps = np.divide(-lead, growth, out=np.where(lead > 0.0, -np.inf, np.inf), where=growth > 0.0)
    return np.array([*found, relative[:, counted].max(), steps.max()])


def _lead(z: np.ndarray, codes: np.ndarray) -> np.ndarray:
    rows = np.arange(z.shape[1])
    others = z.copy()
    others[codes, rows] = -math.inf
    return z[codes, rows] - others.max(axis=0)
