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


def dual_of_step(objective: Any, point: JointPoint, full: JointPoint, enough: float) -> tuple[float, np.ndarray, float]:
    """−Σ C s h*(α), Σ α (x, 1)ᵀ as θ, and what rounding may hide; no pass over X but for the combination.

    Parameters
    ----------
    objective : JointObjective
        F, which keeps decision values.
    point, full : JointPoint
        Where a step begins and ends.
    enough : float
        What is to be proved; next to nothing of it is left of Σ α.
    """
    passes, found = objective.passes, objective.passes.room()
    assert point.rows is not None
    assert full.rows is not None
    change = full.rows.z - point.rows.z
    reach = float(np.abs(full.b).max() + np.abs(full.rows.z).max())
    dual = balanced(
        lambda b: passes.dual(objective.compiled, point.rows, change, b, found),
        lambda excess: intercept_step(excess, point.between),
        objective.n_outputs, reach if objective.fit_intercept else 0.0, enough,
    )  # fmt: skip
    combined = passes.gradient(objective.compiled, *objective.split(full.theta), found)
    # What slopes make of the rounding of decision values, in which offsets of the columns cancel.
    terms = reach + float((np.abs(full.coefficients) @ np.abs(objective.centre)).max())
    return dual, combined, _ULP * terms * float(np.abs(found.slopes).sum())


def proven_by_step(objective: Any, point: JointPoint, full: JointPoint, tol: float) -> JointPoint:
    """The end of a full step with that bound, if it is less.

    Parameters
    ----------
    objective, point, full
        As of :func:`dual_of_step`, of an objective with squares.
    tol : float
        Relative suboptimality that is to be proved.
    """
    dual, combined, rounding = dual_of_step(objective, point, full, tol * min(abs(full.value), full.gain))
    gap = above(full.value, dual - objective.penalty.conjugate(objective.w(combined)), rounding=True) + rounding
    if not gap < full.bound:
        return full
    by_convexity = by_duality(objective.penalty.value(full.w), gap, gap)
    return full.certified(gap, gain(objective.at_zero, full.value, by_convexity))
