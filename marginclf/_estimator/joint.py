"""One joint problem for all classes."""

from __future__ import annotations

import time

import numpy as np

from ..losses import MarginLoss
from ..matrix import design_matrix
from ..matrix.row_space import row_coordinates, wide
from ..objective import JointObjective, Point, above
from ..solvers import Solution, Status, solve
from .problems import Problems

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


def fit_jointly(problems: Problems, start: tuple[np.ndarray, np.ndarray] | None) -> tuple[Solution[Point], float]:
    """The solution, and the seconds that it took; from (W, b), or from zero."""
    began = time.perf_counter()
    loss, settings = problems.loss, problems.settings
    how, objective = settings.how, problems.joint()
    theta, spent = problems.first(objective, start, Problems.joint)
    plain = start is None and loss.convex and loss.smooth and settings.progress is None and settings.solver == "auto"
    if plain and wide(problems.matrix):
        found = _in_row_space(objective, problems)
        if found.status is Status.PROVEN:
            return found, time.perf_counter() - began
        theta, spent = found.point.theta, found.n_iter
        how["max_iter"] = max(1, settings.max_iter - spent)
    problems.watch(objective, 0)
    solution = solve(objective, theta, **how)
    return Solution(solution.point, solution.status, spent + solution.n_iter), time.perf_counter() - began


def _in_row_space(problem: JointObjective, problems: Problems) -> Solution:
    """The problem solved in coordinates of the rows; what is claimed is of the coefficients that these make."""
    found = row_coordinates(problem.matrix) if problem.provable and problem.penalty.uniform else None
    if found is None:
        return Solution(problem.origin(), Status.MAX_ITER, 0)
    coordinates, back, miss = found
    with design_matrix(coordinates, 1) as rows:
        inside = problems._replace(matrix=rows).joint()
        solution = solve(inside, inside.zeros(), **problems.settings.how)
        there = solution.point
        # The dual bound has ½‖Σ α xᵀ‖², of which the coordinates miss no more than this: ‖α‖² is at most twice β².
        lower = there.value - there.bound - _SLACK * miss * float(np.square(inside.slopes(there)).sum())
    point = problem.evaluate(problem.theta(back(there.coefficients), there.b))
    point = point.certified(above(point.value, lower, rounding=True), there.gain)
    proven = solution.status is Status.PROVEN and point.excess <= problems.settings.tol
    return Solution(point, Status.PROVEN if proven else Status.MAX_ITER, solution.n_iter)
