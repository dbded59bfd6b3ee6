"""Solvers for rows in parts: few rounds over them, and nothing of the length of the rows."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...matrix.parts import Part
from ...objective import PartitionedObjective, PartitionedPoint, StopFit
from ..direction import DIRECT_LIMIT
from ..solution import Solution, Status
from .closed_form import closed_form_by_rounds
from .lbfgs import lbfgs_by_rounds
from .multipliers import multipliers_by_rounds
from .newton import newton_by_rounds


def solve_by_rounds(
    objective: PartitionedObjective,
    theta: np.ndarray,
    sample: Part | None = None,
    *,
    solver: str,
    tol: float,
    max_iter: int,
) -> Solution[PartitionedPoint]:
    """Minimise an objective of rows in parts.

    Up to 1000 coefficients and intercepts, each round brings the whole Hessian for Newton's method: it doubles the
    correct digits, and what it costs to form runs where the rows are. Beyond, it is L-BFGS.

    Parameters
    ----------
    objective : PartitionedObjective
        F.
    theta : ndarray of shape (K, d + 1)
        Where to start: the optimum of a sample, most often.
    sample : Part, optional
        Some of the rows, whose weights say what they stand for.
    solver : {"auto", "lbfgs", "newton"}
        The solver.
    tol : float
        Relative suboptimality at which to stop.
    max_iter : int
        Largest number of iterations.

    Raises
    ------
    OverflowError
        If F or its gradient at zero, or the solution overflows.
    """
    how: dict[str, Any] = {"tol": tol, "max_iter": max_iter}
    factored = theta.size <= DIRECT_LIMIT and solver != "lbfgs"
    try:
        if objective.problem.loss.affine:
            solution = closed_form_by_rounds(objective)
        elif not objective.problem.loss.smooth:
            solution = multipliers_by_rounds(objective, theta, sample, factored=factored, **how)
        elif factored:
            solution = newton_by_rounds(objective, theta, **how)
        else:
            solution = lbfgs_by_rounds(objective, theta, **how)
        objective.report(lambda: solution.point)
    except StopFit as stop:
        solution = Solution(stop.point, Status.STOPPED, stop.n_iter)
    if not (solution.point.finite and np.isfinite(solution.point.theta).all()):
        raise OverflowError("the solution overflows")
    return solution


__all__ = ["DIRECT_LIMIT", "solve_by_rounds"]
