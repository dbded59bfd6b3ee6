"""What the problems of a fit in memory share, and the objective of each."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from ..losses import Logistic, MarginLoss
from ..matrix import DesignMatrix
from ..objective import L2, BinaryObjective, JointObjective, signed_weights
from ..solvers import Solution, solve
from .progress import Progress

Solve = Callable[[Sequence[Any], Sequence[tuple | None]], Iterator[tuple[Solution, float]]]
"""What solves problems, called with the class of each, None for all of them, and where each starts: the solution of
each, and the seconds that it took."""

COMPANION = Logistic()
"""The convex loss at whose optimum a fit of a non-convex loss starts."""


class Settings(NamedTuple):
    """Parameters of the estimator that the problems share."""

    C: float
    fit_intercept: bool
    solver: str
    tol: float
    max_iter: int
    seed: int = 0
    n_jobs: int = 1
    progress: Progress | None = None
    weights: np.ndarray | None = None  # of the quadratic penalty, of each feature

    @property
    def quadratic(self) -> L2:
        """The penalty of fits that have no other."""
        return L2(0.0 if not np.isfinite(self.C) else 1.0 if self.weights is None else self.weights)

    @property
    def how(self) -> dict[str, Any]:
        """What solvers take of them."""
        return {key: getattr(self, key) for key in ("solver", "tol", "max_iter", "seed")}


class Problems(NamedTuple):
    """The problems over one design matrix: each class against the rest, or one joint margin of all.

    Attributes
    ----------
    matrix : DesignMatrix
        The rows.
    loss : MarginLoss
        φ.
    codes : ndarray of int of shape (n,)
        Class of each row; of one of weight 0 that may be any number.
    weights : ndarray of shape (n,) or None
        s; None for ones.
    n_classes : int
        How many classes there are.
    settings : Settings
        The rest.
    """

    matrix: DesignMatrix
    loss: MarginLoss
    codes: np.ndarray
    weights: np.ndarray | None
    n_classes: int
    settings: Settings

    def signed(self, k: int) -> np.ndarray:
        """v of each row, for a class against the rest."""
        return signed_weights(self.codes, k, self.n_classes, self.weights, self.settings.C)

    @property
    def scaled(self) -> np.ndarray:
        """C s of each row, or of all."""
        C = float(self.settings.C) if np.isfinite(self.settings.C) else 1.0
        return np.full(1, C) if self.weights is None else np.multiply(C, self.weights)

    def binary(self, k: int, penalty: L2 | None = None, evaluator: Any = None) -> BinaryObjective:
        """That of a class against the rest, beside ½‖w‖² if not another penalty."""
        return BinaryObjective(
            self.matrix, self.loss,
            # Side by side, a vector for each class would outweigh narrow data: it is made where it is needed.
            self.signed(k) if evaluator is None else lambda: self.signed(k),
            penalty=self.settings.quadratic if penalty is None else penalty,
            fit_intercept=self.settings.fit_intercept, evaluator=evaluator,
        )  # fmt: skip

    def joint(self, penalty: L2 | None = None, *, always: bool = False) -> JointObjective:
        """That of one joint margin, which keeps decision values of a loss that is curved, or ``always``."""
        codes = self.codes if self.weights is None else np.minimum(self.codes, self.n_classes - 1)
        return JointObjective(
            self.matrix, self.loss, codes, self.scaled, self.n_classes,
            penalty=self.settings.quadratic if penalty is None else penalty,
            fit_intercept=self.settings.fit_intercept, keep=self.loss.smooth, always=always,
        )  # fmt: skip

    def first(self, objective: Any, start: tuple | None, convex: Callable[[Problems], Any]) -> tuple[np.ndarray, int]:
        """Where a problem starts, and the iterations that this took: ``convex`` makes the one of a convex loss."""
        if start is not None or self.loss.convex:
            return objective.zeros() if start is None else objective.theta(*start), 0
        found = solve(convex(self._replace(loss=COMPANION)), objective.zeros(), **self.settings.how)
        return found.point.theta, found.n_iter

    def watch(self, objective: Any, number: int) -> None:
        """Have whoever watches a fit see the points of a problem."""
        if self.settings.progress is not None:
            objective.monitor = self.settings.progress.monitor(number, objective.matrix)
