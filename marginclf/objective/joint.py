"""The objective with one joint margin for many classes, and what can be proved about a point.

    F(W, b) = Σ_i C s_i φ(m_i) + ½ ‖W‖²,   m_i = z_y − log Σ_{k≠y} e^{z_k},   z = W x_i + b,

with the intercepts never penalised and Σ b = 0, as a number added to all of them changes nothing. m is concave in z,
so that F is convex for a convex loss that never increases. For the logistic loss it is softmax regression.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cached_property

import numpy as np

from ..losses import MarginLoss
from ..matrix import DesignMatrix
from ..matrix.blas import add_product
from ..matrix.joint import JointPasses, pairs, second_derivatives
from .measure import Measured, gain
from .watched import Watched

_STEPS, _BACKTRACKS = 50, 40
_NEARLY = 1e-12

_FAR_MARGIN = 30.0
_NUMBERS = 1 << 20
_FEW_PAIRS = 10
"""Pairs of classes, those of four, up to which a Hessian writes down no pairs of columns, however few these are."""

_PART = 1 << 12
"""Rows at a time where what is asked of them is no sum."""


class JointObjective(Watched):
    """F for one design matrix, one loss and one labelling with K classes.

    Parameters
    ----------
    matrix : DesignMatrix
        The rows x_i.
    loss : MarginLoss
        φ, which never increases.
    codes : ndarray of int of shape (n,)
        Class of each row.
    weights : ndarray of shape (n,) or (1,)
        C s, or s without a penalty.
    n_classes : int
        K, at least 3.
    penalty : float
        1 for the penalty ½‖W‖², 0 for none.
    fit_intercept : bool
        Whether b is free; otherwise it is 0.
    shifts : ndarray of shape (n,), optional
        Added to the margins.
    """

    def __init__(
        self,
        matrix: DesignMatrix,
        loss: MarginLoss,
        codes: np.ndarray,
        weights: np.ndarray,
        n_classes: int,
        *,
        penalty: float,
        fit_intercept: bool,
        shifts: np.ndarray | None = None,
    ) -> None:
        self.passes = JointPasses(matrix, codes, weights, n_classes, shifts)
        self.matrix, self.loss, self.penalty, self.fit_intercept = matrix, loss, penalty, fit_intercept
        self.n_classes = n_classes
        self.compiled = loss.compiled()

    @property
    def provable(self) -> bool:
        """Whether the gradient at a point bounds its suboptimality: F is then 1-strongly convex in W."""
        return self.loss.convex and self.penalty > 0.0

    def with_loss(self, loss: MarginLoss, shifts: np.ndarray | None = None) -> JointObjective:
        """The same data with another loss, and with numbers added to the margins."""
        passes = self.passes
        return JointObjective(
            self.matrix, loss, passes.codes, passes.weights, self.n_classes,
            penalty=self.penalty, fit_intercept=self.fit_intercept, shifts=shifts,
        )  # fmt: skip

    def class_weights(self) -> np.ndarray:
        """Σ C s of each class."""
        weights, codes = self.passes.weights, self.passes.codes
        if weights.size == 1:
            return weights[0] * np.bincount(codes, minlength=self.n_classes)
        return np.bincount(codes, weights, minlength=self.n_classes)

    @cached_property
    def at_zero(self) -> float:
        """F at W = 0 and the best b."""
        return self.best_at_zero[0]

    @cached_property
    def best_at_zero(self) -> tuple[float, np.ndarray]:
        """F at W = 0 and, for a convex loss, at the best b, which is returned as well; without a pass over X."""
        k = self.n_classes
        # Every row of a class has the same margin there: one row of the whole weight stands for it.
        codes, weights = np.arange(k, dtype=self.passes.codes.dtype), self.class_weights()

        def see(b: np.ndarray) -> tuple[float, np.ndarray, np.ndarray]:
            z = np.repeat(b[:, None], k, axis=1)
            value, first, second = second_derivatives(self.compiled, codes, weights, z, np.zeros(1))
            return value, first.sum(axis=1), second.sum(axis=1)[pairs(k)]

        b = np.zeros(k)
        if self.fit_intercept and self.loss.convex:
            b = minimised(see, b)
        return see(b)[0], b

    def origin(self) -> JointPoint:
        """The point W = 0, for a convex loss with b at its minimum."""
        return self.evaluate(self.passes.zeros(), self.best_at_zero[1])

    def evaluate(self, w: np.ndarray, b: np.ndarray) -> JointPoint:
        """The point (W, b) with its value and gradient, from one pass over the rows."""
        value, gradient, slope = self.passes.evaluate(self.compiled, w, b)
        if self.penalty:
            flat = w.ravel()
            value += 0.5 * float(flat @ flat)
            gradient += w
        return JointPoint(self, w, b, value, gradient, slope if self.fit_intercept else np.zeros_like(slope))

    def at(self, w: np.ndarray, b: np.ndarray) -> JointPoint:
        """The point (W, b); for a convex loss, with b moved to its minimum, which the bound needs."""
        if self.fit_intercept and self.loss.convex:
            b = minimised(lambda b: self.passes.intercepts(self.compiled, w, b), b)
        return self.evaluate(w, b)

    @cached_property
    def centre(self) -> np.ndarray:
        """The mean of the rows, weighted."""
        weights = self.passes.weights
        weights = np.ones(self.matrix.shape[0]) if weights.size == 1 else weights / weights.max()
        return self.matrix.transposed_product(weights) / weights.sum()

    def hessian(self, point: JointPoint, centre: np.ndarray) -> np.ndarray:
        """The Hessian in (w_1, b_1, w_2, b_2, …), of shape (K (d + 1), K (d + 1)), for rows less a centre.

        Each row adds the product of a K × K and a (d + 1) × (d + 1) matrix, both symmetric. One product of matrices
        adds up all pairs of classes with all pairs of columns. Where the pairs of classes are few, to write down those
        of columns takes longer than the sum: there the rows times each pair of classes meet the rows.
        """
        passes, (n, d), k = self.passes, self.matrix.shape, self.n_classes
        by_class = pairs(k)
        n_pairs = k * (k + 1) // 2
        few = n_pairs <= max(_FEW_PAIRS, d // 2)
        i, j = np.tril_indices(d + 1)
        total = np.zeros((n_pairs * (d + 1), d + 1) if few else (n_pairs, len(i)))
        size = max(64, _NUMBERS // (n_pairs * (d + 1) if few else len(i) + n_pairs))
        for start in range(0, n, size):
            stop = min(start + size, n)
            _, _, second = passes.second_derivatives(
                self.compiled, passes.decisions(point.w, point.b, start, stop), start
            )
            rows = np.ones((d + 1, stop - start))
            self.matrix.copy_rows(slice(start, stop), rows[:d].T)
            rows[:d] -= centre[:, None]
            if few:
                add_product(total, (second[:, None, :] * rows).reshape(len(total), -1), rows)
            else:
                add_product(total, second, rows[i] * rows[j])
        if few:
            blocks = total.reshape(n_pairs, d + 1, d + 1)
            blocks = 0.5 * (blocks + blocks.transpose(0, 2, 1))  # rounding apart, they are the same
            hessian = blocks[by_class].transpose(0, 2, 1, 3)
        else:
            hessian = total[by_class[:, None, :, None], pairs(d + 1)[None, :, None, :]]
        hessian = hessian.reshape(k * (d + 1), k * (d + 1))
        if not np.isfinite(hessian).all():
            raise OverflowError("the Hessian overflows")
        return hessian

    def whole_hessian(self, point: JointPoint, centre: np.ndarray) -> np.ndarray:
        """:meth:`hessian` with the penalty, and with a curvature of its own for what changes no margin.

        A number added to the coefficients or intercepts of all classes is such a direction; no step uses it.
        """
        return with_penalty(self.hessian(point, centre), self.n_classes, self.penalty)

    def sample(self, rows: np.ndarray, scale: np.ndarray) -> JointObjective:
        """F with some of the rows, their weights multiplied by ``scale`` to stand for all."""
        passes = self.passes
        weights = passes.weights[rows] * scale if passes.weights.size > 1 else passes.weights[0] * scale
        shifts = passes.shifts[rows] if passes.shifts.size > 1 else None
        return JointObjective(
            self.matrix.take(rows), self.loss, passes.codes[rows], weights, self.n_classes,
            penalty=self.penalty, fit_intercept=self.fit_intercept, shifts=shifts,
        )  # fmt: skip

    def largest_decision(self, w: np.ndarray, b: np.ndarray) -> float:
        """The largest magnitude of a decision value."""
        n, _ = self.matrix.shape
        parts = range(0, n, _PART)
        return max(float(np.abs(self.passes.decisions(w, b, i, min(i + _PART, n))).max()) for i in parts)

    def largest_change(self, point: JointPoint, dw: np.ndarray, db: np.ndarray) -> float:
        """The largest change of a decision value by a step, relative to those that are larger than 1."""
        passes, (n, _), largest = self.passes, self.matrix.shape, 0.0
        for start in range(0, n, _PART):
            stop = min(start + _PART, n)
            change = np.abs(passes.decisions(dw, db, start, stop))
            change /= np.maximum(np.abs(passes.decisions(point.w, point.b, start, stop)), 1.0)
            if passes.weights.size > 1:
                change = change[:, passes.weights[start:stop] > 0.0]
            largest = max(largest, float(change.max(initial=0.0)))
        return largest

    def separates(self, w: np.ndarray, b: np.ndarray) -> bool:
        """Whether going on along (w, b) lowers F for ever, so that it has no minimum.

        That is so without a penalty, where every row's own class comes first and one of them by a distance, and the
        loss goes on falling.
        """
        if self.penalty:
            return False
        _, (far_slope,), _ = self.loss.evaluate([_FAR_MARGIN])
        if not far_slope < 0.0:
            return False
        passes, (n, _) = self.passes, self.matrix.shape
        least, largest, scale = math.inf, 0.0, 0.0
        for start in range(0, n, _PART):
            stop = min(start + _PART, n)
            z = passes.decisions(w, b, start, stop)
            codes, rows = passes.codes[start:stop], np.arange(stop - start)
            own = z[codes, rows]
            scale = max(scale, float(np.abs(z).max()))
            z[codes, rows] = -math.inf
            lead = own - z.max(axis=0)
            if passes.weights.size > 1:
                lead = lead[passes.weights[start:stop] > 0.0]
            if lead.size:
                least, largest = min(least, float(lead.min())), max(largest, float(lead.max()))
        return least >= -1e-9 * scale and largest > 1e-9 * scale


class JointPoint(Measured):
    """A point (W, b) with its value and gradient.

    Attributes
    ----------
    w, gradient : ndarray
        Coefficients and ∂F/∂W, as :class:`~marginclf.matrix.joint.JointPasses` keeps them.
    b, slope : ndarray of shape (K,)
        Intercepts and ∂F/∂b; the slope is zero to rounding where b is at its minimum, and zero where b is not free.
    value : float
        F.
    suboptimality : float
        Proven bound on (F − F*)/|F|, for b at its minimum: ½‖∂F/∂W‖² / |F|; NaN where nothing can be proved.
    gain : float
        F(0, b₀) − F at least; infinite where nothing can be proved.
    """

    def __init__(
        self,
        objective: JointObjective,
        w: np.ndarray,
        b: np.ndarray,
        value: float,
        gradient: np.ndarray,
        slope: np.ndarray,
    ) -> None:
        self._objective = objective
        self.w, self.b, self.value, self.gradient, self.slope = w, b, value, gradient, slope
        flat = gradient.ravel()
        self.suboptimality = self.relative(0.5 * float(flat @ flat)) if objective.provable else math.nan

    @property
    def by_class(self) -> np.ndarray:
        """W, of shape (K, d)."""
        return self._objective.passes.by_class(self.w)

    def require_finite(self) -> None:
        """Raise OverflowError where F, its gradient or the square of that is not a number."""
        flat = self.gradient.ravel()
        if not (math.isfinite(self.value) and math.isfinite(flat @ flat)):
            raise OverflowError("the objective or its gradient overflows")

    @cached_property
    def gain(self) -> float:  # type: ignore[override]
        if not self._objective.provable:
            return math.inf
        w = self.w.ravel()
        return gain(self._objective.at_zero, self.value, 0.5 * float(w @ w) - float(self.gradient.ravel() @ w))


def with_penalty(hessian: np.ndarray, k: int, penalty: float) -> np.ndarray:
    """A Hessian, changed to one with the penalty and, of several classes, a curvature for what changes no margin.

    See :meth:`JointObjective.whole_hessian`.
    """
    d = len(hessian) // k - 1
    hessian = hessian.reshape(k, d + 1, k, d + 1)
    if k > 1:
        together = np.einsum("kikj->ij", hessian) / k
        if penalty:
            together[:d] = together[:, :d] = 0.0
        hessian += together[None, :, None, :] / k
    columns = np.arange(d)
    for i in range(k):
        hessian[i, columns, i, columns] += penalty
    return hessian.reshape(k * (d + 1), k * (d + 1))


def minimised(see: Callable[[np.ndarray], tuple[float, np.ndarray, np.ndarray]], b: np.ndarray) -> np.ndarray:
    """Newton's method for the intercepts alone; ``see(b)`` returns value, slopes and Hessian.

    The last step is that whose decrement is next to nothing, relative to the value: it leaves about its square.
    """
    b = b - b.mean()
    value, slope, hessian = see(b)
    for _ in range(_STEPS):
        step = shortened(intercept_step(slope, hessian), b)
        decrement = -0.5 * float(slope @ step)
        if not decrement > _NEARLY * abs(value):
            # What this step leaves is the square of that.
            return b + step if decrement > 0.0 else b
        for _ in range(_BACKTRACKS):
            found = see(b + step)
            if found[0] <= value:
                break
            step = 0.5 * step
        else:
            break
        last, (value, slope, hessian) = value, found
        b = b + step
        if not value < last:
            break
    return b


def shortened(step: np.ndarray, b: np.ndarray) -> np.ndarray:
    """A step of the intercepts that is no longer than what may still be seen from here.

    Where all rows are far from their bends, the curvature underflows and says nothing.
    """
    longest, allowed = float(np.abs(step).max()), _FAR_MARGIN + float(np.abs(b).max())
    return step if longest <= allowed else step * (allowed / longest)


def intercept_step(slope: np.ndarray, hessian: np.ndarray) -> np.ndarray:
    """−H⁺ slope with Σ = 0, for a Hessian that does not see a number added to all intercepts."""
    k = len(slope)
    slope = slope - slope.mean()
    scale = float(hessian.diagonal().max())
    if not scale > 0.0:
        return -slope
    # Where a class has no curvature, what it has to be held by is next to nothing.
    padded = hessian / scale + np.full((k, k), 1.0 / k)
    padded.flat[:: k + 1] += 1e-12
    step = -np.linalg.solve(padded, slope / scale)
    return step - step.mean()
