"""What a part of the rows adds to the objective and its derivatives, evaluated where the part is.

Each part evaluates its share with :mod:`.binary` or :mod:`.joint`. θ is a vector: the coefficients of one class after
the other, and then the intercepts. Second derivatives are those of rows less a centre, so that large offsets of the
columns cost the Hessian no digits.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np

from ..losses import MarginLoss
from ..matrix import DesignMatrix, design_matrix
from ..matrix.parts import Part, Sums
from .binary import BinaryObjective
from .certificate import fenchel_young
from .in_memory import InMemoryObjective
from .joint import JointObjective
from .labels import signed_weights
from .penalty import L2
from .point import Point


@dataclass(frozen=True)
class Problem:
    """What a part has to know to evaluate its share. It travels with every round, to where the part is.

    Attributes
    ----------
    loss : MarginLoss
        φ.
    n_classes : int
        How many classes there are.
    positive : int or None
        The class that is against the rest; None for one joint margin of all.
    C : float
        Inverse strength of the penalty; infinite for none.
    class_weights : ndarray of shape (n_classes,) or None
        Multiplied with the sample weights; None for ones.
    fit_intercept : bool
        Whether the intercepts are free; otherwise they are 0.
    centre : ndarray of shape (d,)
        A point amid the rows; zero without intercepts.
    penalty : L2
        Of the coefficients; no part adds it.
    n_jobs : int
        Threads that share a part.
    stride : int
        One in so many rows makes the Hessian of the coefficients, where those of all would cost far more than a pass.
    width : float
        γ of a loss with a kink, in whose place is its envelope φ_γ(m − γ a), with the multipliers a of the part; 0 for
        the loss itself.
    """

    loss: MarginLoss
    n_classes: int
    positive: int | None
    C: float
    class_weights: np.ndarray | None
    fit_intercept: bool
    centre: np.ndarray
    penalty: L2
    n_jobs: int = 1
    stride: int = 1
    width: float = 0.0

    @property
    def shape(self) -> tuple[int, int]:
        """K and d + 1."""
        return (self.n_classes if self.positive is None else 1), len(self.centre) + 1

    @property
    def factor(self) -> float:
        """What weights of the rows are multiplied with."""
        return float(self.C) if math.isfinite(self.C) else 1.0

    def coefficients(self, theta: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """W and b at θ."""
        k, size = self.shape
        return theta[:-k].reshape(k, size - 1), theta[-k:]

    @contextmanager
    def of_part(self, part: Part) -> Iterator[InMemoryObjective]:
        """What a part adds to F, without the penalty; what overflows shows in the sums."""
        with np.errstate(over="ignore", invalid="ignore"), design_matrix(part.X, self.n_jobs) as matrix:
            yield self.objective(part, matrix, L2(0.0))

    @contextmanager
    def in_memory(self, part: Part) -> Iterator[InMemoryObjective]:
        """F of a part alone, as if it was all."""
        with design_matrix(part.X, self.n_jobs) as matrix:
            yield self.objective(part, matrix, self.penalty)

    def objective(self, part: Part, matrix: DesignMatrix, penalty: L2) -> InMemoryObjective:
        """F of a part, whose rows have been made a matrix."""
        weights, a = part.weights, part.multipliers
        if self.class_weights is not None:
            factors = self.class_weights[part.codes]
            weights = factors if weights is None else weights * factors
        loss = self.loss.smoothed(self.width) if self.width else self.loss
        if self.positive is not None:
            v = signed_weights(part.codes, self.positive, self.n_classes, weights, self.C)
            offset = None if a is None or not self.width else -self.width * np.sign(v) * a
            return BinaryObjective(matrix, loss, v, penalty=penalty, fit_intercept=self.fit_intercept, offset=offset)
        scaled = np.full(1, self.factor) if weights is None else np.multiply(self.factor, weights)
        shifts = None if a is None or not self.width else -self.width * a
        return JointObjective(
            matrix, loss, part.codes, scaled, self.n_classes,
            penalty=penalty, fit_intercept=self.fit_intercept, shifts=shifts,
        )  # fmt: skip

    def class_sums(self, part: Part) -> Sums:
        """Σ C s and Σ C s x of each class, of shape (n_classes,) and (n_classes, d)."""
        weights = np.ones(part.X.shape[0]) if part.weights is None else part.weights
        weights = weights * self.factor
        if self.class_weights is not None:
            weights = weights * self.class_weights[part.codes]
        totals = np.bincount(part.codes, weights, minlength=self.n_classes)[: self.n_classes]
        with np.errstate(over="ignore", invalid="ignore"), design_matrix(part.X, self.n_jobs) as matrix:
            sums = [matrix.transposed_product(np.where(part.codes == k, weights, 0.0)) for k in range(self.n_classes)]
        return totals, np.array(sums)

    def partial_sums(self, part: Part, theta: np.ndarray, seconds: str = "") -> Sums:
        """What a part adds to F and its derivatives in θ.

        Parameters
        ----------
        part : Part
            The rows.
        theta : ndarray of shape (K (d + 1),)
            Where.
        seconds : {"", "intercepts", "diagonal", "all"}
            Which second derivatives are wanted, if any: those in b, each by itself, or all.

        Returns
        -------
        values : ndarray of shape (1,) or (4,)
            Σ C s φ; with a width, that of the envelope, that of φ itself, Σ C s (φ + φ*(−a) + a m), which the new
            multipliers a leave of the duality gap, and the sum of the squared margins.
        gradient : ndarray of shape (K (d + 1),)
            Without the penalty.
        second : ndarray
            Of shape (K (d + 1), K (d + 1)) in the order (w_1, b_1, w_2, b_2, …), (K, K), or (0, 0) where none is
            wanted. As a diagonal (2, K, d + 1): that, and the mixed ones with the intercept of the same class.
        """
        with self.of_part(part) as objective:
            at = objective.theta(*self.coefficients(theta))
            # Where decision values are kept, all follows from these.
            kept = seconds in ("all", "diagonal") or self.width
            point = objective.point(at) if kept else objective.evaluate(at)
            values = np.array([point.value, *(self._gap(objective, part, point)[0] if self.width else ())])
            gradient = self._flat(objective, point.gradient)
            if seconds == "intercepts":
                return values, gradient, objective.intercept_hessian(point)
            if seconds == "diagonal":
                return values, gradient, objective.diagonal(point, self.centre)
            if seconds == "all":
                return values, gradient, objective.hessian(point, self.centre, self._drawn(len(part.codes)))
            return values, gradient, np.empty((0, 0))

    def _flat(self, objective: InMemoryObjective, theta: np.ndarray) -> np.ndarray:
        """A vector of a part's objective in the order of θ."""
        return np.concatenate([objective.by_class(theta).ravel(), objective.b(theta)])

    def noise(self, part: Part, theta: np.ndarray) -> Sums:
        """What a part adds to the magnitudes that are added up in each entry of the gradient."""
        with self.of_part(part) as objective:
            point = objective.point(objective.theta(*self.coefficients(theta)))
            return (self._flat(objective, objective.noise(point)),)

    def along(self, part: Part, theta: np.ndarray, step: np.ndarray, lengths: np.ndarray) -> Sums:
        """What a part adds to F and to its slope at θ + t·step for each length t, of shape (2, len(lengths))."""
        with self.of_part(part) as objective:
            at, direction = (objective.theta(*self.coefficients(t)) for t in (theta, step))
            return (objective.along(at, direction, lengths),)

    def _drawn(self, m: int) -> tuple[np.ndarray, float] | None:
        """One row in each stretch of a part, for its Hessian, and how many each stands for; None for all rows."""
        if self.stride == 1:
            return None
        starts = np.arange(0, m, self.stride)
        rows = np.minimum(starts + np.random.default_rng(0).integers(0, self.stride, len(starts)), m - 1)
        return rows, m / len(rows)

    def _gap(
        self, objective: InMemoryObjective, part: Part, point: Point
    ) -> tuple[tuple[float, float, float], np.ndarray]:
        """Σ C s φ, the Fenchel–Young gap of the new multipliers, and the sum of squared margins; and these a."""
        margins, weights = objective.margins(point), objective.row_weights
        before = np.zeros_like(margins) if part.multipliers is None else part.multipliers
        loss = self.loss.compiled()
        gap, value, _, after = fenchel_young(objective, loss, point, margins, before, self.width, weights)
        return (value, gap, float(margins @ margins)), after

    def multipliers(self, part: Part, theta: np.ndarray) -> np.ndarray:
        """a = −φ_γ'(m − γ a_before) of each row."""
        with self.of_part(part) as objective:
            return self._gap(objective, part, objective.point(objective.theta(*self.coefficients(theta))))[1]
