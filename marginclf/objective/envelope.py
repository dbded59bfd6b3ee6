"""The smooth problem of a loss with a kink, and what its optimum proves of the loss itself.

With multipliers a, a Moreau parameter γ and the envelope φ_γ(m) = min_u φ(u) + (u − m)²/(2γ), it is

    Σ C s φ_γ(m − γ a) + penalty(w),    after which    a ← −φ_γ'(m − γ a).

With b at its minimum the dual variables C s a ∂m/∂z add up to zero, and

    F − D = Σ C s (φ(m) + φ*(−a) + a m) + ½ ‖∂F_γ/∂w‖²

is the duality gap; the first part is the Fenchel–Young gap of the multipliers. For the joint margin,
α·z = C s a (m + H) and the conjugate of φ(m(z)) at −α is φ*(−a) − a H, with H the entropy of the softmax over the other
classes.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from .certificate import by_duality, fenchel_young, gain
from .point import Point
from .reconciled import reconciled
from .rounding import rounding_of_proof

_WORTH = 0.1
"""What the multipliers do not combine to, relative to their own gap, from which on they are corrected."""


class Answer(NamedTuple):
    """What the optimum of a smooth problem says.

    Attributes
    ----------
    point : Point
        As one of F itself, with the duality gap as its bound.
    multipliers : Any
        The new a, as the objective keeps them.
    slack : float
        The part of the gap that these leave, relative to F, where rounding makes up most of it, or infinity.
    """

    point: Point
    multipliers: Any
    slack: float


def answer(
    objective: Any, found: Point, multipliers: Any, *, slack: float, miss: float, rest: float, rounding: float
) -> Answer:
    """A point of F with its duality gap.

    Parameters
    ----------
    objective : Objective
        F.
    found : Point
        The point, as one of F.
    multipliers : Any
        The new a.
    slack : float
        Their Fenchel–Young gap.
    miss, rest : float
        ½‖∂F_γ/∂w‖², and that with what the gap may hide because Σ α is not quite zero.
    rounding : float
        Of all of these.
    """
    slack = slack if np.isfinite(slack + rest) else np.inf
    gap = max(slack, 0.0) + rest + rounding
    by_convexity = by_duality(objective.penalty.value(found.w), miss, gap)
    found = found.certified(gap, gain(objective.at_zero, found.value, by_convexity))
    found.rounding = rounding
    return Answer(found, multipliers, found.relative(max(slack, 0.0)) if rest > slack else np.inf)


def imbalance(slopes: np.ndarray, b: np.ndarray, farthest: float) -> float:
    """What the gap may hide because Σ α, the slopes in b, is not quite zero: where b is too large to be more exact."""
    return float(np.abs(slopes).sum()) * (float(np.abs(b).max()) + farthest)


class Envelope:
    """The smooth problem of rows in memory.

    Parameters
    ----------
    objective : Objective
        F, of a loss with a kink.
    multipliers : ndarray of shape (n,)
        a.
    gamma : float
        γ.
    """

    def __init__(self, objective: Any, multipliers: np.ndarray, gamma: float) -> None:
        self.objective, self.gamma, self.before = objective, gamma, multipliers
        self.smooth = objective.replaced(objective.loss.smoothed(gamma), -gamma * multipliers)
        self.weights = objective.row_weights

    def slack(self, point: Point) -> float:
        """The Fenchel–Young gap of the new a."""
        return self._slack(point, self.smooth.margins(point))[0]

    def rest(self, point: Point) -> float:
        """What else the duality gap is made of, at a point with b at its minimum."""
        return point.half_square

    def _slack(self, point: Point, margins: np.ndarray) -> tuple[float, float, np.ndarray, np.ndarray]:
        """What :func:`fenchel_young` says of the new a."""
        loss, before = self.objective.compiled, self.before
        return fenchel_young(self.smooth, loss, point, margins, before, self.gamma, self.weights)

    def answer(self, point: Point, *, reconcile: bool = False) -> Answer:
        """The point as one of F; ``reconcile`` corrects the multipliers of rows at the kink to combine to w."""
        objective, margins = self.objective, self.smooth.margins(point)
        slack, value, slopes, after = self._slack(point, margins)
        miss, farthest = point.half_square, float(np.abs(margins).max(initial=0.0))
        rest = miss + imbalance(point.slope, point.b, farthest)
        if reconcile and objective.keeps_decisions and rest > _WORTH * slack:
            better = reconciled(self, point, margins, after)
            if better is not None:
                other_rest = better.miss + imbalance(better.balance, point.b, farthest)
                if other_rest < rest:
                    after, slack, rest = better.multipliers, slack + better.slack, other_rest
        found = objective.adopted(point, margins, value)
        rounding = rounding_of_proof(objective, found.theta, margins, slopes, value, max(slack, 0.0) + rest)
        return answer(objective, found, after, slack=slack, miss=miss, rest=rest, rounding=rounding)

    def keep(self, found: Point, multipliers: np.ndarray) -> np.ndarray:
        """The multipliers of an answer, for the next smooth problem."""
        return multipliers
