"""What a part of the rows adds to the objective and its derivatives, evaluated where the part is.

Each part evaluates its share with :mod:`.binary` or :mod:`.joint`. Coefficients and intercepts are one array θ of shape
(K, d + 1), K = 1 for a binary problem. Its last column is b + centre·w, the decision value amid the rows, so that large
offsets of the columns cost the Hessian no digits.
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
from .binary import Objective, Point, signed_weights
from .joint import JointObjective


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
    n_jobs: int = 1
    stride: int = 1
    width: float = 0.0

    @property
    def shape(self) -> tuple[int, int]:
        """Of θ."""
        return (self.n_classes if self.positive is None else 1), len(self.centre) + 1

    @property
    def penalty(self) -> float:
        """1 for the penalty ½‖w‖², 0 for none."""
        return float(math.isfinite(self.C))

    def coefficients(self, theta: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """W and b at θ."""
        w = np.ascontiguousarray(theta[:, :-1])
        return w, (theta[:, -1] - w @ self.centre if self.fit_intercept else np.zeros(len(w)))

    def theta(self, w: np.ndarray, b: np.ndarray) -> np.ndarray:
        """θ at (W, b)."""
        return np.column_stack([w, b + w @ self.centre if self.fit_intercept else np.zeros(len(w))])

    @contextmanager
    def in_memory(self, part: Part) -> Iterator[Objective | JointObjective]:
        """F of a part alone, as if it was all."""
        with design_matrix(part.X, self.n_jobs) as matrix:
            yield self.objective(part, matrix, self.penalty)

    def objective(self, part: Part, matrix: DesignMatrix, penalty: float) -> Objective | JointObjective:
        """F of a part, whose rows have been made a matrix."""
        weights, a = part.weights, part.multipliers
        if self.class_weights is not None:
            factors = self.class_weights[part.codes]
            weights = factors if weights is None else weights * factors
        loss = self.loss.smoothed(self.width) if self.width else self.loss
        if self.positive is not None:
            v = signed_weights(part.codes, self.positive, self.n_classes, weights, self.C)
            offset = None if a is None or not self.width else -self.width * np.sign(v) * a
            return Objective(matrix, loss, v, penalty=penalty, fit_intercept=self.fit_intercept, offset=offset)
        C = self.C if math.isfinite(self.C) else 1.0
        scaled = np.full(1, float(C)) if weights is None else np.multiply(C, weights)
        shifts = None if a is None or not self.width else -self.width * a
        return JointObjective(
            matrix, loss, part.codes, scaled, self.n_classes,
            penalty=penalty, fit_intercept=self.fit_intercept, shifts=shifts,
        )  # fmt: skip

    def class_sums(self, part: Part) -> Sums:
        """Σ C s and Σ C s x of each class, of shape (n_classes,) and (n_classes, d)."""
        weights = np.ones(part.X.shape[0]) if part.weights is None else part.weights
        weights = weights * (self.C if math.isfinite(self.C) else 1.0)
        if self.class_weights is not None:
            weights = weights * self.class_weights[part.codes]
        totals = np.bincount(part.codes, weights, minlength=self.n_classes)[: self.n_classes]
        with np.errstate(over="ignore", invalid="ignore"), design_matrix(part.X, self.n_jobs) as matrix:
            sums = [matrix.transposed_product(np.where(part.codes == k, weights, 0.0)) for k in range(self.n_classes)]
        return totals, np.array(sums)

    def share(self, part: Part, theta: np.ndarray, curvature: str = "") -> Sums:
        """What a part adds to F and its derivatives in θ.

        Parameters
        ----------
        part : Part
            The rows.
        theta : ndarray of shape (K, d + 1)
            Where.
        curvature : {"", "intercepts", "diagonal", "all"}
            Which second derivatives are wanted, if any: those in the last column of θ, each by itself, or all.

        Returns
        -------
        values : ndarray of shape (1,) or (4,)
            Σ C s φ; with a width, that of the envelope, that of φ itself, Σ C s (φ + φ*(−a) + a m), which the new
            multipliers a leave of the duality gap, and the sum of the squared margins.
        gradient : ndarray of shape (K, d + 1)
            Without the penalty.
        hessian : ndarray
            Of shape (K (d + 1), K (d + 1)), (K, K), or (0, 0) where none is wanted. As a diagonal (2, K, d + 1): that,
            and the mixed ones with the intercept of the same class.
        """
        with np.errstate(over="ignore", invalid="ignore"), design_matrix(part.X, self.n_jobs) as matrix:
            objective = self.objective(part, matrix, 0.0)
            if isinstance(objective, Objective):
                return self._binary(objective, part, *self.coefficients(theta), curvature)
            return self._joint(objective, part, *self.coefficients(theta), curvature)

    def along(self, part: Part, theta: np.ndarray, step: np.ndarray, lengths: np.ndarray) -> Sums:
        """What a part adds to F and to its slope at θ + t·step for each length t, of shape (2, len(lengths))."""
        (w, b), (dw, db) = self.coefficients(theta), self.coefficients(step)
        found = np.empty((2, len(lengths)))
        with np.errstate(over="ignore", invalid="ignore"), design_matrix(part.X, self.n_jobs) as matrix:
            objective = self.objective(part, matrix, 0.0)
            if isinstance(objective, Objective):
                z, change = objective.decisions(w[0]) + b[0], matrix.product(dw[0]) + db[0]
                for k, t in enumerate(lengths):
                    value, _, r, _ = matrix.pointwise(objective.compiled, objective.v, z + t * change, 0.0)
                    found[:, k] = value, r @ change
                return (found,)
            passes = objective.passes
            at, step_inside = passes.zeros(), passes.zeros()
            passes.by_class(at)[...], passes.by_class(step_inside)[...] = w, dw
            for k, t in enumerate(lengths):
                value, gradient, slope = passes.evaluate(objective.compiled, at + t * step_inside, b + t * db)
                found[:, k] = value, gradient.ravel() @ step_inside.ravel() + slope @ db
        return (found,)

    def _drawn(self, m: int) -> tuple[np.ndarray | None, float]:
        """One row in each stretch of a part, for its Hessian, and how many each stands for; None for all rows."""
        if self.stride == 1:
            return None, 1.0
        starts = np.arange(0, m, self.stride)
        rows = np.minimum(starts + np.random.default_rng(0).integers(0, self.stride, len(starts)), m - 1)
        return rows, m / len(rows)

    def _binary(self, objective: Objective, part: Part, w: np.ndarray, b: np.ndarray, curvature: str) -> Sums:
        d, matrix, centre = w.shape[1], objective.matrix, self.centre
        if curvature in ("all", "diagonal") or self.width:
            point = Point(objective, w[0], float(b[0]))
            _ = point.z  # from which all else follows
        else:
            point = objective.evaluate(w[0], float(b[0]))
        values = np.array([point.value, *(self._gap(objective, part, point) if self.width else ())])
        gradient = np.append(point.gradient - point.slope * centre, point.slope)[None]
        if curvature in ("", "intercepts"):
            return values, gradient, np.array([[point.curvature]]) if curvature else np.empty((0, 0))
        total = float(point.c.sum())
        along = matrix.transposed_product(point.c)
        mixed = along - total * centre
        if curvature == "diagonal":
            squares = matrix.squared_product(point.c) - centre * (along + mixed)
            return values, gradient, np.array([[[*squares, total]], [[*mixed, total]]])
        hessian = np.empty((d + 1, d + 1))
        rows, scale = self._drawn(len(point.c))
        if rows is None:
            hessian[:d, :d] = matrix.gram(point.c, centre)
        else:
            hessian[:d, :d] = matrix.take(rows).gram(scale * point.c[rows], centre)
        hessian[d, d] = total
        hessian[d, :d] = hessian[:d, d] = mixed
        return values, gradient, hessian

    def _gap(self, objective: Objective, part: Part, point: Point) -> tuple[float, float, float]:
        """Σ C s φ at the point, what the new multipliers leave of the duality gap, and the sum of squared margins."""
        before = np.zeros_like(point.z) if part.multipliers is None else np.sign(objective.v) * part.multipliers
        after = np.divide(-point.r, np.abs(objective.v), out=np.zeros_like(point.r), where=objective.v != 0.0)
        z = point.z + self.width * before
        value, _, _, _ = objective.matrix.pointwise(self.loss.compiled(), objective.v, z, point.b)
        slack = value - point.value - self.width * float(point.r @ (before - 0.5 * after))
        return value, slack, float(z @ z)

    def _joint(self, objective: JointObjective, part: Part, w: np.ndarray, b: np.ndarray, curvature: str) -> Sums:
        passes = objective.passes
        inside = passes.zeros()
        passes.by_class(inside)[...] = w
        point = objective.evaluate(inside, b)
        gap = self._joint_gap(objective, part, inside, b, point.value)[0] if self.width else ()
        values = np.array([point.value, *gap])
        gradient = np.empty(self.shape)
        gradient[:, :-1] = passes.by_class(point.gradient) - point.slope[:, None] * self.centre
        gradient[:, -1] = point.slope
        if curvature == "all":
            rows, scale = self._drawn(len(part.codes))
            if rows is not None:
                objective = objective.sample(rows, np.full(len(rows), scale))
            return values, gradient, objective.hessian(point, self.centre)
        if curvature == "intercepts":
            return values, gradient, passes.intercepts(objective.compiled, inside, b)[2]
        if curvature == "diagonal":
            squares, total = passes.diagonal(objective.compiled, inside, b)
            diagonal = np.zeros((2, *self.shape))
            # As if the centre was the mean by these weights as well.
            diagonal[0, :, :-1] = passes.by_class(squares) - total[:, None] * self.centre**2
            diagonal[:, :, -1] = total
            return values, gradient, diagonal
        return values, gradient, np.empty((0, 0))

    def _joint_gap(
        self, objective: JointObjective, part: Part, w: np.ndarray, b: np.ndarray, envelope: float
    ) -> tuple[tuple[float, float, float], np.ndarray]:
        """What :meth:`_gap` returns, and the new multipliers."""
        margins, shifts = objective.passes.margins(w, b), objective.passes.shifts
        weights = np.array(np.broadcast_to(objective.passes.weights, len(margins)))
        before = np.zeros_like(margins) if part.multipliers is None else part.multipliers
        value, _, _, _ = objective.matrix.pointwise(self.loss.compiled(), weights, margins, 0.0)
        _, _, r, _ = objective.matrix.pointwise(objective.compiled, weights, margins + shifts, 0.0)
        after = np.divide(-r, weights, out=np.zeros_like(r), where=weights > 0.0)
        slack = value - envelope - self.width * float(r @ (before - 0.5 * after))
        return (value, slack, float(margins @ margins)), after

    def multipliers(self, part: Part, theta: np.ndarray) -> np.ndarray:
        """a = −φ_γ'(m − γ a_before) of each row."""
        w, b = self.coefficients(theta)
        with np.errstate(over="ignore", invalid="ignore"), design_matrix(part.X, self.n_jobs) as matrix:
            objective = self.objective(part, matrix, 0.0)
            if isinstance(objective, Objective):
                r = Point(objective, w[0], float(b[0])).r
                return np.divide(-r, objective.v, out=np.zeros_like(r), where=objective.v != 0.0)
            inside = objective.passes.zeros()
            objective.passes.by_class(inside)[...] = w
            return self._joint_gap(objective, part, inside, b, 0.0)[1]
