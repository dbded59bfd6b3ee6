"""Fits without bounds that may turn out not to bind: squares alone hold the coefficients, as in a plain fit."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from ..losses import MarginLoss
from ..objective import NonsmoothPenalty
from ..solvers import Solution, Status
from .problems import Problems
from .squares import squares_solver

_TIMES, _LOOKED_AT = 5.0, 2000
"""How many times what a coefficient would be alone its bounds have to be, and rows that are asked for that. Where
bounds turn out to bind, the fit without them was half of the time or less; where they do not, 2 to 16 times as much is
spared."""


def squares_alone(penalty: NonsmoothPenalty) -> bool:
    """Whether without the bounds squares are all that is added, and 0 is at none of the bounds.

    At a bound of 0, half of the coefficients would have to be on the right side of it by chance.
    """
    squares = not penalty.kink.any() and bool((penalty.quadratic > 0.0).all())
    return penalty.bounded and squares and bool((penalty.room > 0.0).all())


def surely_loose(penalty: NonsmoothPenalty, above: float) -> bool:
    """Whether ½ λ w² at the bounds is more than F at zero is above its infimum: nothing outside is below that."""
    return bool((0.5 * penalty.quadratic * penalty.room**2 >= above).all())


def may_be_loose(objective: Any, penalty: NonsmoothPenalty, start: np.ndarray) -> bool:
    """Whether the bounds are so wide that the optimum without them lies within, or probably does.

    The bounds have to be some times what a coefficient would be that is alone, and that of the start.
    """
    room = penalty.room
    origin, least = objective.origin(), objective.loss.infimum() * objective.total
    if surely_loose(penalty, float(origin.value) - least):
        return True
    if not (np.abs(penalty.vector(objective.by_class(start))) < room).all():
        return False
    n = objective.matrix.shape[0]
    few = objective
    if n > _LOOKED_AT:
        few = objective.sample(np.arange(0, n, n // _LOOKED_AT), np.full(len(range(0, n, n // _LOOKED_AT)), 1.0))
        origin = few.origin()
    slope = np.abs(penalty.vector(few.by_class(origin.gradient)))
    centre = few.centre
    spread = few.matrix.squared_product(few.row_weights) - few.row_weights.sum() * centre**2
    bend = _bend(objective.loss) * penalty.vector(np.tile(spread, (penalty.shape[0], 1)))
    held = penalty.quadratic * (few.row_weights.sum() / objective.total)
    return bool((slope * _TIMES <= room * (np.maximum(bend, 0.0) + held)).all())


def _bend(loss: MarginLoss) -> float:
    """What the slope of a loss changes by from a margin of 0 to one of 1."""
    slopes = loss.evaluate([0.0, 1.0])[1]
    return abs(float(slopes[1] - slopes[0]))


def without_bounds(
    problems: Problems, weights: np.ndarray | None, penalty: Callable[[int], NonsmoothPenalty]
) -> Callable[[Sequence[int | None], Sequence[tuple | None]], Iterator[tuple[Solution, float]]]:
    """What solves the problems without their bounds.

    Parameters
    ----------
    problems : Problems
        The rows and what is done with them.
    weights : ndarray of shape (d,), or None
        Of the squares; None for ones.
    penalty : callable
        ``penalty(number)`` returns that of a problem, with its bounds.
    """
    settings = problems.settings
    progress: Any = settings.progress and _WithinBounds(settings.progress, penalty)
    plain = problems._replace(settings=settings._replace(weights=weights, progress=progress))

    def solve(positive: Sequence[int | None], starts: Sequence[tuple | None]) -> Iterator[tuple[Solution, float]]:
        return squares_solver(plain, joint=positive[0] is None)(positive, starts)

    return solve


def holds(penalty: NonsmoothPenalty, coefficients: np.ndarray) -> bool:
    """Whether coefficients (K, d) are within the bounds."""
    u = penalty.vector(coefficients)
    return bool((u >= penalty.lower).all() and (u <= penalty.upper).all())


def is_all(penalty: NonsmoothPenalty, found: Solution) -> bool:
    """Whether what was found without bounds is within them, and there is no more to do."""
    ended = found.status.converged or found.status is Status.STOPPED
    return ended and holds(penalty, found.point.coefficients)


class _WithinBounds:
    """Who watches sees the iterates that are within the bounds: what is proven of them without, holds with them."""

    def __init__(self, progress: Any, penalty: Callable[[int], NonsmoothPenalty]) -> None:
        self._progress, self._penalty = progress, penalty

    def monitor(self, number: int, matrix: Any) -> Any:
        return _Monitor(self._progress, self._progress.monitor(number, matrix), self._penalty(number), matrix)


class _Monitor:
    """Of one problem."""

    def __init__(self, progress: Any, monitor: Any, penalty: NonsmoothPenalty, matrix: Any) -> None:
        self._progress, self._monitor, self._penalty, self._matrix = progress, monitor, penalty, matrix

    @property
    def n_iter(self) -> int:
        return int(self._monitor.n_iter)

    def __call__(self, iterate: Callable[[], Any]) -> bool:
        passes = self._matrix.passes
        point = iterate()
        self._matrix.passes = passes
        if holds(self._penalty, point.coefficients):
            return bool(self._monitor(lambda: point))
        return bool(self._progress.stopped)
