"""Block coordinate ascent in the dual of the joint objective, until the bound is at most tol."""

from __future__ import annotations

from ...joint import JointObjective, JointPoint
from ..dual import climb
from ..solution import Solution, Status
from .ascent import JointAscent
from .multipliers import joint_certified


def joint_dual(objective: JointObjective, start: JointPoint, *, tol: float, max_iter: int, seed: int = 0) -> Solution:
    """Maximise the dual of a joint objective; see :func:`marginclf.solvers.dual.dual` for the parameters.

    Returns
    -------
    Solution
        With the multipliers −φ' of the rows; MAX_ITER also where the sweeps have become a poor choice.
    """
    smooth = objective.loss.smooth
    if smooth and start.w.any() and start.suboptimality <= tol:
        return Solution(start, Status.PROVEN, 0)
    start.require_finite()
    ascent = JointAscent(objective, start, seed)

    def certify() -> JointPoint:
        if smooth:
            return ascent.point(tol)
        return joint_certified(objective, ascent.coefficients(), ascent.b - ascent.b.mean(), ascent.multipliers)

    point, status, n_iter = climb(ascent, certify, abs(start.value), smooth=smooth, tol=tol, max_iter=max_iter)
    return Solution(point, status, n_iter, ascent.multipliers)
