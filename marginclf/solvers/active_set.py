"""Losses of straight lines with a kink over rows in parts: those near it come to the solver, the others are four sums.

Where a row stays on one line, its loss is linear, and all rows of a label on one line weigh what a single row at their
mean weighs. With the rows near the kink, that is a problem that fits in memory. Its objective is nowhere above F, since
the loss is convex, so that its minimum bounds that of F from below; and its optimum is that of F itself if no other row
has crossed the kink. From a good start two rounds end it, where smoothing the kink away takes sixty.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from scipy import sparse

from ..matrix import design_matrix
from ..objective import ActiveRows, BinaryObjective, Point, gain, sides

_NUMBERS = 1 << 22
"""Of the rows that are asked for: 32 MB."""

_EXACT = 1e-12
_ROUNDS = 8
_FARTHER = 3.0
"""How much farther than margins of the sample have moved those of other rows may move next."""

_ERROR = 4.0


class Attempt(NamedTuple):
    """Where an attempt ended: its best point, what F cannot be below, and how many rounds it took."""

    point: Point
    bound: float
    rounds: int


class ActiveSet:
    """The rows near the kink of a binary problem, as far as a sample tells where they are.

    Parameters
    ----------
    objective : PartitionedObjective
        F, of a convex loss with a kink and with a penalty, with a sample of the rows whose weights say what they stand
        for.
    solve : callable
        What minimises a problem of few rows.
    """

    def __init__(self, objective: Any, solve: Callable[..., Any]) -> None:
        self._objective, self._sample, self._solve = objective, objective.drawn, solve
        sample = self._sample
        per_row = sample.X.nnz / max(1, sample.X.shape[0]) if sparse.issparse(sample.X) else sample.X.shape[1]
        self._most = int(_NUMBERS / max(1.0, per_row))

    @property
    def first_reach(self) -> float:
        """About how far the optimum of the sample is from that of all rows, in margins."""
        return _ERROR * math.sqrt((self._objective.n_features + 1) / max(1, len(self._sample.codes)))

    def reach(self, theta: np.ndarray) -> float:
        """How far margins may move before more rows are concerned than may be asked for, as far as the sample shows."""
        m, stands_for = self._margins(theta), self._sample.weights
        assert stands_for is not None
        most = 0.5 * self._most * float(stands_for.sum()) / self._objective.parts.shape[0]
        low, high = 0.0, max(1.0, float(np.abs(m).max(initial=0.0)))
        for _ in range(50):
            middle = 0.5 * (low + high)
            few = stands_for[sides(self._objective.problem.loss, m, middle) == 0].sum() <= most
            low, high = (middle, high) if few else (low, middle)
        return low

    def moved(self, before: np.ndarray, after: np.ndarray) -> float:
        """The largest change of a margin in the sample."""
        return float(np.abs(self._margins(after) - self._margins(before)).max(initial=0.0))

    def attempt(self, theta: np.ndarray, moved: float, goal: float, max_rounds: int) -> Attempt:
        """Take F for that of the rows near the kink, as long as the gap shrinks.

        Parameters
        ----------
        theta : ndarray of shape (d + 1,)
            Where to start.
        moved : float
            How far margins of the sample are from those of the optimum, about.
        goal : float
            Relative duality gap at which to stop.
        max_rounds : int
            Largest number of rounds.
        """
        objective, best, bound, last = self._objective, None, -math.inf, math.inf
        rounds, longest = 0, math.inf
        while rounds < min(_ROUNDS, max_rounds):
            rounds += 1
            reach = min(_FARTHER * moved, self.reach(theta), longest)
            active = objective.active_rows(theta, reach, self._most)
            value = float(active.sums[0][0]) + objective.penalty.value(objective.w(theta))
            point = objective.known(theta, value=value, gain=gain(objective.at_zero, value, 0.0), bound=math.inf)
            best = point if best is None or point.value < best.value else best
            gap = best.relative(max(best.value - bound, 0.0)) if math.isfinite(bound) else math.inf
            if gap <= goal or (math.isfinite(last) and not gap <= 0.5 * last) or not math.isfinite(point.value):
                break
            if active.n_rows > self._most:
                longest = 0.5 * reach * self._most / active.n_rows
                continue
            last = gap
            before = theta
            theta, lower = self._reduced(active, theta)
            bound, moved = max(bound, lower), self.moved(before, theta)
        assert best is not None
        return Attempt(best, bound, rounds)

    def _margins(self, theta: np.ndarray) -> np.ndarray:
        problem = self._objective.problem
        with problem.of_part(self._sample) as of_sample:
            return of_sample.margins(of_sample.point(of_sample.theta(*problem.coefficients(theta))))

    def _reduced(self, active: ActiveRows, theta: np.ndarray) -> tuple[np.ndarray, float]:
        """The optimum of the rows near the kink with the means of the others, and what F cannot be below."""
        problem = self._objective.problem
        _, totals, sums = active.sums
        some = totals > 0.0
        means = sums[some] / totals[some, None]
        v = np.append(active.v, totals[some] * np.array([1.0, 1.0, -1.0, -1.0])[some])
        if sparse.issparse(active.X):
            X = sparse.vstack([active.X, sparse.csr_array(means)], format="csr")
        else:
            X = np.concatenate([active.X, means])
        with design_matrix(X, problem.n_jobs) as matrix:
            reduced = BinaryObjective(
                matrix, problem.loss, v, penalty=problem.penalty, fit_intercept=problem.fit_intercept
            )
            start = reduced.theta(*problem.coefficients(theta))
            point = self._solve(reduced, start, solver="auto", tol=_EXACT, max_iter=1000).point
        lower = point.value - point.bound
        return self._objective.theta(point.coefficients, point.b), lower if math.isfinite(lower) else -math.inf
