"""Points of many classes from changes of their decision values, which are kept: half a pass over X for each."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..matrix.joint_kept import by_block, by_row
from .joint_point import JointPoint


def softmax(objective: Any, point: Any) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """That over the other classes, of shape (K, n), and C s φ' and C s φ'' of each row."""
    passes, kept = objective.passes, point.rows
    if kept is None:
        kept = passes.room()
        passes.evaluate(objective.compiled, *objective.split(point.theta), kept)
    q, slopes, curvatures = (by_row(a, objective.matrix.shape[0], passes.alone[0]) for a in (kept.q, *kept[3:]))
    return np.ascontiguousarray(q.T), slopes, curvatures


class Move:
    """A change of all decision values, a number of times.

    Parameters
    ----------
    objective : JointObjective
        The losses, which keep decision values.
    point : JointPoint
        Where it begins.
    change : ndarray of shape (K, n)
        What the decision values change by.
    """

    def __init__(self, objective: Any, point: Any, change: np.ndarray) -> None:
        self._objective, self._point = objective, point
        self._change = by_block(change, *objective.passes.alone[:2])

    def along(self, t: float) -> tuple[float, float]:
        """Σ C s φ and its slope in t; no pass over X."""
        objective = self._objective
        value, slope, _ = objective.passes.along(objective.compiled, self._point.rows.z, self._change, t)
        return float(value), float(slope)

    def end(self, theta: np.ndarray, t: float) -> JointPoint:
        """The point θ, which t times the change leads to, with intercepts at their minimum: half a pass over X."""
        found: JointPoint = self._objective.at_decisions(theta, self._point.rows.z + t * self._change)
        found.moved = True
        return found
