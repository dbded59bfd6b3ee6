"""What a Newton step proves of the point that it leads to, for many classes.

    F* ≥ −Σ C s h*(α) − penalty*(Σ α xᵀ),   Σ α = 0 where intercepts are free,

for any slopes α = ∂h in the decision values. Those at the end of a step make a bound by the gradient of it; those at
its start, corrected by derivatives, combine to w but for what conjugate gradients leave, and miss what is of second
order. On the map the bound by the gradient is up to 10⁵ times the truth; this one spares a step or two.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .certificate import above, balanced, by_duality, gain
from .intercepts import intercept_step
from .joint_point import JointPoint

_ULP = 4.0 * np.finfo(float).eps


def proven_by_step(objective: Any, point: JointPoint, full: JointPoint, tol: float) -> JointPoint:
    """The end of a full step with that bound, if it is less; no pass over X but for the combination.

    Parameters
    ----------
    objective : JointObjective
        F, which keeps decision values.
    point, full : JointPoint
        Where the step begins and ends.
    tol : float
        Relative suboptimality that is to be proved.
    """
    passes, found = objective.passes, objective.passes.room()
    assert point.rows is not None
    assert full.rows is not None
    change = full.rows.z - point.rows.z
    reach = float(np.abs(full.b).max() + np.abs(full.rows.z).max())
    dual = balanced(
        lambda b: passes.dual(objective.compiled, point.rows, change, b, found),
        lambda excess: intercept_step(excess, point.between),
        objective.n_outputs, reach if objective.fit_intercept else 0.0, tol * min(abs(full.value), full.gain),
    )  # fmt: skip
    combined = passes.gradient(objective.compiled, *objective.split(full.theta), found)
    gap = above(full.value, dual - objective.penalty.conjugate(objective.w(combined)), rounding=True)
    # What slopes make of the rounding of decision values, in which offsets of the columns cancel.
    terms = reach + float((np.abs(full.coefficients) @ np.abs(objective.centre)).max())
    gap += _ULP * terms * float(np.abs(found.slopes).sum())
    if not gap < full.bound:
        return full
    by_convexity = by_duality(objective.penalty.value(full.w), gap, gap)
    return full.certified(gap, gain(objective.at_zero, full.value, by_convexity))
