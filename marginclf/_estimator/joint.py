"""One joint problem for all classes."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np

from ..losses import MarginLoss
from ..matrix import DesignMatrix, design_matrix
from ..matrix.row_space import row_coordinates, wide
from ..objective import JointObjective, Point, above
from ..solvers import Solution, Status, solve
from .one_vs_rest import COMPANION, Settings

_SLACK = 4.0
"""Times what the slopes at the end say of their dual variables, which are near them."""


def takes_joint(multi_class: str, loss: MarginLoss) -> bool:
    """Whether more than two classes get one joint margin.

    Raises
    ------
    ValueError
        If that is asked for and the loss has no such form.
    """
    if multi_class == "ovr" or (multi_class == "auto" and not loss.convex):
        return False
    why = loss.why_not_joint()
    if why is not None and multi_class == "joint":
        raise ValueError(
            f"multi_class='joint' with loss={loss!r}: {why}; use multi_class='ovr', or a loss such as 'logistic' or "
            "'squared_hinge'"
        )
    return why is None


def fit_jointly(
    matrix: DesignMatrix,
    loss: MarginLoss,
    codes: np.ndarray,
    weights: np.ndarray | None,
    n_classes: int,
    settings: Settings,
    start: tuple[np.ndarray, np.ndarray] | None,
) -> tuple[Solution[Point], float]:
    """The solution, and the seconds that it took.

    Parameters
    ----------
    matrix : DesignMatrix
        The rows.
    loss : MarginLoss
        φ.
    codes : ndarray of int of shape (n,)
        Class of each row.
    weights : ndarray of shape (n,) or None
        s; None for ones.
    n_classes : int
        How many classes there are.
    settings : Settings
        The rest.
    start : tuple or None
        Where to start, as (W, b); None for zero.
    """
    began = time.perf_counter()
    C = settings.C if np.isfinite(settings.C) else 1.0
    scaled = np.full(1, float(C)) if weights is None else np.multiply(C, weights)
    if weights is not None:
        # Rows of weight 0 may have any code.
        codes = np.minimum(codes, n_classes - 1)
    how: dict[str, Any] = {key: getattr(settings, key) for key in ("solver", "tol", "max_iter", "seed")}

    def objective(loss: MarginLoss, rows: DesignMatrix = matrix) -> JointObjective:
        penalty = settings.quadratic
        return JointObjective(
            rows, loss, codes, scaled, n_classes,
            penalty=penalty, fit_intercept=settings.fit_intercept, keep=loss.smooth,
        )  # fmt: skip

    problem = objective(loss)
    theta = problem.zeros() if start is None else problem.theta(*start)
    spent = 0
    if not loss.convex and start is None:
        found = solve(objective(COMPANION), theta, **how)
        theta, spent = found.point.theta, found.n_iter
    elif start is None and loss.smooth and settings.progress is None and settings.solver == "auto" and wide(matrix):
        found = _in_row_space(problem, lambda rows: objective(loss, rows), how)
        if found.status is Status.PROVEN:
            return found, time.perf_counter() - began
        theta, spent = found.point.theta, found.n_iter
        how["max_iter"] = max(1, settings.max_iter - spent)
    if settings.progress is not None:
        problem.monitor = settings.progress.monitor(0, matrix)
    solution = solve(problem, theta, **how)
    return Solution(solution.point, solution.status, spent + solution.n_iter), time.perf_counter() - began


def _in_row_space(problem: JointObjective, objective: Callable[[DesignMatrix], JointObjective], how: dict) -> Solution:
    """The problem solved in coordinates of the rows; what is claimed is of the coefficients that these make."""
    found = row_coordinates(problem.matrix) if problem.provable and problem.penalty.uniform else None
    if found is None:
        return Solution(problem.origin(), Status.MAX_ITER, 0)
    coordinates, back, miss = found
    with design_matrix(coordinates, 1) as rows:
        inside = objective(rows)
        solution = solve(inside, inside.zeros(), **how)
        there = solution.point
        # The dual bound has ½‖Σ α xᵀ‖², of which the coordinates miss no more than this: ‖α‖² is at most twice β².
        lower = there.value - there.bound - _SLACK * miss * float(np.square(inside.slopes(there)).sum())
    point = problem.evaluate(problem.theta(back(there.coefficients), there.b))
    point = point.certified(above(point.value, lower, rounding=True), there.gain)
    proven = solution.status is Status.PROVEN and point.excess <= how["tol"]
    return Solution(point, Status.PROVEN if proven else Status.MAX_ITER, solution.n_iter)
