"""The optimum of a loss whose slope is the same at every margin, from one round: the sums of the classes say all."""

from __future__ import annotations

import numpy as np

from ...objective import PartitionedObjective, PartitionedPoint
from ..solution import Solution, Status


def closed_form_by_rounds(objective: PartitionedObjective) -> Solution[PartitionedPoint]:
    """As :func:`marginclf.solvers.closed_form.closed_form`, for a binary problem."""
    problem = objective.problem
    totals, sums = objective.class_sums()
    own = np.arange(problem.n_classes) == problem.positive
    (plus, minus), (x_plus, x_minus) = ((a[own].sum(axis=0), a[~own].sum(axis=0)) for a in (totals, sums))
    values, slopes, _ = problem.loss.evaluate([0.0])
    slope, total = float(slopes[0]), float(plus + minus)
    if problem.fit_intercept:
        # Half of the weight on each class, or b would have no optimum.
        x_plus, x_minus = 0.5 * total / plus * x_plus, 0.5 * total / minus * x_minus
    gradient = slope * (x_plus - x_minus)
    w = -gradient
    # b midway between the class means along w.
    b = -float((x_plus + x_minus) @ w) / total if problem.fit_intercept else 0.0
    value = total * float(values[0]) + float(gradient @ w)
    theta = problem.theta(w[None], np.array([b]))
    found = np.array([value]), np.append(gradient, 0.0)[None], np.empty((0, 0))
    point = PartitionedPoint(problem, theta, found)
    point.bound = 0.0
    return Solution(point, Status.PROVEN, 1)
