"""Newton's method itself with the systems of :mod:`row_system`.

It is the end of primal-dual steps for a smooth loss, and what goes on where one Kronecker product for all rows serves
badly. Once no row changes between the straight and the curved part of the loss, a step leaves the square of what was
missing, where μ makes primal-dual steps leave a part of it. Too early, it leads away; then nothing is taken of it.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..losses import MarginLoss
from ..objective import JointObjective
from .row_kronecker import Rows
from .row_system import RowSystem

_LEAVES = 0.25
"""Part of ½‖∂F/∂w‖² that a step leaves at most: those that work leave 1e-2 to 1e-10 of it, others a thousandfold."""


def row_hessians(loss: MarginLoss, z: np.ndarray, codes: np.ndarray, weights: np.ndarray) -> Rows:
    """q, β and the response of rows with decision values z: the softmax of the other classes, −C s φ' and C s φ''."""
    at = np.arange(len(z)), codes
    others = z.copy()
    others[at] = -np.inf
    top = others.max(axis=1)
    q = np.exp(others - top[:, None])
    total = q.sum(axis=1)
    q /= total[:, None]
    _, slopes, curvatures = loss.evaluate(z[at] - top - np.log(total))
    return q, -slopes * weights, curvatures * weights


def row_direction(objective: JointObjective, system: RowSystem, point: Any) -> np.ndarray | None:
    """The Newton step of a point, in θ; None if it is no number."""
    theta = system.inside(point.coefficients, point.b)
    step = _step(objective, system, theta, system.X @ theta.T)
    return None if step is None else objective.theta(*system.outside(step))


def _step(objective: JointObjective, system: RowSystem, theta: np.ndarray, z: np.ndarray) -> np.ndarray | None:
    """The Newton step in the coordinates of a system, from coefficients and decision values there."""
    rows = q, beta, _ = row_hessians(objective.loss, z, system.codes, system.weights)
    pull = q * -beta[:, None]
    pull[np.arange(len(z)), system.codes] = beta
    right = pull.T @ system.X
    right[:, : system.d] -= theta[:, : system.d]
    if not np.isfinite(right).all():
        return None
    try:
        return system.solve(right, *rows, near=True)
    except (ArithmeticError, np.linalg.LinAlgError):
        return None


def newton_step(
    objective: JointObjective, system: RowSystem, theta: np.ndarray, z: np.ndarray, point: Any
) -> tuple[np.ndarray, np.ndarray, Any] | None:
    """Coefficients, decision values and the point after a step, if that leaves far less; else None.

    Parameters
    ----------
    objective : JointObjective
        F.
    system : RowSystem
        Its rows.
    theta, z : ndarray
        Coefficients and decision values of these rows.
    point : Point
        The same as a point of F.
    """
    step = _step(objective, system, theta, z)
    if step is None:
        return None
    theta = theta + step
    after = objective.evaluate(objective.theta(*system.outside(theta)))
    if not (np.isfinite(after.value) and after.half_square <= _LEAVES * point.half_square):
        return None
    return theta, z + system.X @ step.T, after
