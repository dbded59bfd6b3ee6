"""The smooth problem of a loss with a kink over rows in parts, which keep their multipliers where they are.

A round of the smooth problem also brings what its new multipliers would leave of the duality gap, so that nothing but
their own update is a round of its own.
"""

from __future__ import annotations

from typing import Any

from .envelope import Answer, answer, imbalance
from .point import Point
from .rounding import rounding_in_parts


class PartitionedEnvelope:
    """The counterpart of :class:`~.envelope.Envelope`.

    Parameters
    ----------
    objective : PartitionedObjective
        F.
    gamma : float
        γ.
    first : bool
        Whether to start without multipliers.
    """

    def __init__(self, objective: Any, gamma: float, *, first: bool) -> None:
        self._objective = objective
        if first:
            objective.parts.set_multipliers(None)
        # All rows make its Hessians: few of them are curved.
        self.smooth = objective.changed(width=gamma, stride=1)
        self.smooth.monitor = None

    def slack(self, point: Any) -> float:
        """The Fenchel–Young gap of the new multipliers."""
        return float(point.slack)

    def rest(self, point: Any) -> float:
        """What else the duality gap is made of."""
        return float(point.half_square) + imbalance(point.slope, point.b, point.farthest)

    def answer(self, point: Any, *, reconcile: bool = False) -> Answer:
        """The point as one of F; multipliers that lie with the rows are not corrected."""
        objective = self._objective
        found: Point = objective.known(point.theta, value=point.loss_value, gradient=point.gradient)
        rounding = rounding_in_parts(objective, point.b, point.farthest)
        rest = self.rest(point)
        return answer(objective, found, None, slack=point.slack, miss=point.half_square, rest=rest, rounding=rounding)

    def keep(self, found: Point, multipliers: None) -> bool:
        """Let the parts have the multipliers of an answer: a round."""
        self.smooth.parts.set_multipliers(self.smooth.problem.multipliers, found.theta)
        return True
