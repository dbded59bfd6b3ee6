"""Block coordinate ascent in the dual of the joint objective, until the bound is at most tol."""

from __future__ import annotations

import math

from ...objective import JointObjective, JointPoint
from ..dual import climb
from ..solution import Solution, Status
from .ascent import JointAscent
from .multipliers import joint_certified

_EXCESS = 25.0
"""The bound from the gradient, relative to the gap that the sweeps leave: 20 to 40 on text."""


_FEW = math.inf
"""Sweeps that are worth waiting for, where the loss has a kink: rows beyond it are curved too, so that Newton's method
has all of them to go through, and a step of it costs hundreds of sweeps.
"""


def joint_dual(
    objective: JointObjective, start: JointPoint | None, *, tol: float, max_iter: int, seed: int = 0
) -> Solution[JointPoint]:
    """Maximise the dual of a joint objective.

    Parameters
    ----------
    objective : JointObjective
        F, of a convex loss and with a penalty.
    start : JointPoint or None
        Returned as it is where it is good enough; otherwise only its intercepts are used.
    tol : float
        Relative suboptimality at which to stop, as proven.
    max_iter : int
        Largest number of sweeps.
    seed : int, default=0
        Of the order of the visits.

    Returns
    -------
    Solution
        With the multipliers −φ' of the rows; MAX_ITER also where the sweeps have become a poor choice.
    """
    smooth = objective.loss.smooth
    if start is None:
        scale, b = objective.best_at_zero
    else:
        scale, b = start.value, start.b
        if smooth and start.excess <= tol:
            return Solution(start, Status.PROVEN, 0)
    ascent = JointAscent(objective, b, seed)

    def certify() -> JointPoint:
        if smooth:
            return ascent.point()
        return joint_certified(objective, ascent.coefficients(), ascent.b - ascent.b.mean(), ascent.multipliers)

    point, status, n_iter = climb(
        ascent,
        certify,
        abs(scale),
        smooth=smooth,
        tol=tol,
        max_iter=max_iter,
        excess=_EXCESS if smooth else 1.0,
        few=_FEW,
        report=objective.report,
    )
    return Solution(point, status, n_iter, ascent.multipliers)
