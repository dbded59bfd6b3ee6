"""Which coordinates L-BFGS runs in: from a sample of the rows, or from a diagonal."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from scipy.linalg import lapack

from ..losses import MarginLoss
from ..matrix.joint import pairs
from ..matrix.parts import stratified
from ..objective import CONSTANT, BinaryObjective, BinaryPoint, InMemoryObjective, JointObjective, Point
from .coordinates import Coordinates
from .newton import newton

_MOST_SAMPLES, LEAST_SAMPLES = 100, 3
"""Sampled rows for each column. Fewer than 3 make a Hessian that is worse than its diagonal."""

_CANDIDATES, _LEAST_CANDIDATES = 4, 1 << 14
"""Rows looked at for each sampled one, and at least, so that a rare class has its share of the sample."""

_SAMPLE_TOL = 1e-3
_SAMPLE_ITERATIONS = 20
_CHEAP = 4
"""Operations of a sample's Hessian, relative to those of a pass over X, up to which its optimum is worth finding."""

_CURVED = 8.0
"""Curved rows for each column (in effective number) that make a Hessian."""

_JITTER = 1e-10
_LOST = 1e-13
"""Variance of a column, relative to its squared mean, that is rounding where that is taken off last."""

_AT_REST = 1e300
_LEAST = 1e-12
"""Of the largest entry of a diagonal, what a smaller one is taken for."""

_SEED = 0


_WHOLE_LIMIT = 600
"""Coefficients and intercepts up to which the factor of a whole Hessian of the sample is used."""

_SMALL = 1 << 18
_PART = 1 << 11
_RAREST = 1e-6


def preconditioners(objective: Any) -> Any:
    """What makes coordinates around one point after another, from the same sample of the rows."""
    if not objective.in_memory:
        return OfParts(objective)
    return OfTwo(objective) if objective.n_outputs == 1 else OfMany(objective)


class OfTwo:
    """For two classes: coordinates around the start, or around the optimum of a sample where that is lower."""

    whole = True

    def __init__(self, objective: BinaryObjective) -> None:
        self._objective = objective
        n, d = objective.matrix.shape
        self._sample = _sample(objective, sample_rows(n, d, objective.matrix.entries))

    def around(self, start: Point) -> Coordinates:
        """Coordinates around a start, or around the optimum of the sample where that is lower and cheap to find."""
        objective, sample = self._objective, self._sample
        n, d = objective.matrix.shape
        if sample is None:
            return self._by_diagonal(start)
        m = sample.matrix.shape[0]
        if objective.loss.convex and not start.w.any() and m * d <= _CHEAP * n:
            start = _lower(objective, sample, start)
        c = np.abs(BinaryPoint(sample, start.theta, intercept_minimised=False).c) if start.w.any() else np.zeros(m)
        if c.sum() ** 2 <= _CURVED * d * (c @ c) or not np.isfinite(c).all():
            # Too few rows are curved here: all alike, then, by their weights.
            c = c + mean_curvature(objective.loss) * np.abs(sample.v)
        total = float(c.sum())
        mean = sample.matrix.transposed_product(c) / total if objective.fit_intercept else np.zeros(d)
        hessian = sample.matrix.gram(c, mean)
        constant = hessian.diagonal() <= CONSTANT * total * mean**2
        if constant.any():
            # In the sample; a rare value elsewhere may well matter.
            hessian[constant] = hessian[:, constant] = 0.0
            hessian[constant, constant] = self._spread()[2][constant]
        hessian.flat[:: d + 1] += objective.penalty.weights
        factor = cholesky(hessian)
        if factor is None:
            return self._by_diagonal(start)
        return Coordinates(objective, start, factor, np.ones(1), mean, total)

    def _by_diagonal(self, start: Point) -> Coordinates:
        total, mean, spread = self._spread()
        factor = usable_scale(spread + self._objective.penalty.weights)
        return Coordinates(self._objective, start, factor, np.ones(1), mean, total)

    def _spread(self) -> tuple[float, np.ndarray, np.ndarray]:
        """Σ c, the mean and the centred squares of each column over all rows, whose curvatures are taken as alike."""
        objective = self._objective
        c = mean_curvature(objective.loss) * objective.row_weights
        total = float(c.sum())
        squares = objective.matrix.squared_product(c)
        if not objective.fit_intercept:
            return total, np.zeros_like(squares), squares
        mean = objective.matrix.transposed_product(c) / total
        spread = squares - total * mean**2
        spread[spread <= _LOST * squares] = 0.0
        return total, mean, spread


class OfParts:
    """For rows in parts: by the diagonal that the round at the start has brought."""

    whole = True

    def __init__(self, objective: InMemoryObjective) -> None:
        self._objective = objective

    def around(self, start: Point) -> Coordinates:
        """Coordinates around a start."""
        objective = self._objective
        diagonal = np.abs(objective.curvature(start).diagonal())
        diagonal = np.column_stack([objective.by_class(diagonal), objective.b(diagonal)])
        largest = float(diagonal.max()) if np.isfinite(diagonal).all() else 0.0
        diagonal = np.maximum(diagonal, _LEAST * largest) if largest > 0.0 else np.ones_like(diagonal)
        centre = objective.curvature(start).centre
        mean = np.zeros(objective.n_features) if centre is None else centre
        factor = np.sqrt(diagonal[:, :-1]).ravel()
        return Coordinates(objective, start, factor, np.ones(objective.n_outputs), mean, diagonal[:, -1])


class OfMany:
    """For many classes with one joint margin: coordinates are made anew on the way."""

    def __init__(self, objective: JointObjective) -> None:
        self._objective = objective
        n, d = objective.matrix.shape
        # 4 % of the memory that X takes: one matrix for all classes is too rough to gain by a larger sample.
        size = min(sample_rows(n, d, objective.matrix.entries), max(n // 25, LEAST_SAMPLES * d))
        # Data that is not tall is its own sample, and small data as well; its diagonal is all that is taken of others.
        self._dense = size > 0 or n * d <= _SMALL
        codes, weights = objective.passes.codes, objective.passes.weights
        size = size or min(n, max(_SMALL // d, 20 * math.isqrt(n)))
        rows, scale = stratified(codes, weights if weights.size > 1 else None, size, _SEED)
        self._sample = objective.sample(rows, scale)
        self.whole = objective.loss.convex and objective.direct and objective.n_parameters <= _WHOLE_LIMIT

    def around(self, start: Point) -> Coordinates:
        """Coordinates around a start, or around the optimum of the sample where that is lower and cheap to find."""
        objective, sample = self._objective, self._sample
        k, d = objective.n_outputs, objective.matrix.shape[1]
        if self.whole:
            if not start.w.any():
                start = _lower(objective, sample, start)
            curvature = sample.curvature(start, robust=True)
            factor = cholesky(curvature.dense())
            if factor is not None:
                return Coordinates(objective, start, factor, np.ones(k), sample.centre, 1.0)
        by_class, c = self._curvatures(start)
        total = float(c.sum())
        mean = sample.matrix.transposed_product(c) / total if objective.fit_intercept else np.zeros(d)
        average = float(by_class.mean())
        scales = np.sqrt(average / np.maximum(by_class, _RAREST * average))
        factor = None
        if self._dense:
            hessian = sample.matrix.gram(c, mean)
            spread = hessian.diagonal().copy()
            constant = spread <= CONSTANT * total * mean**2
            if constant.any():
                hessian[constant] = hessian[:, constant] = 0.0
            hessian.flat[:: d + 1] += objective.penalty.weights
            if not objective.penalty.strong_convexity:
                hessian.flat[:: d + 1] += 1e-10 * max(float(spread.max()), 1e-300)
            factor = cholesky(hessian)
        if factor is None:
            spread = sample.matrix.squared_product(c) - total * mean**2
            factor = usable_scale(np.maximum(spread, 0.0) + objective.penalty.weights)
        return Coordinates(objective, start, factor, scales, mean, total)

    def _curvatures(self, point: Point) -> tuple[np.ndarray, np.ndarray]:
        """C s of the sample times the curvature in a decision value: the sums by class, and the means by row."""
        sample, k = self._sample, self._objective.n_outputs
        m = sample.matrix.shape[0]
        by_class, c = np.zeros(k), np.empty(m)
        diagonal = pairs(k).diagonal()
        for start in range(0, m, _PART):
            stop = min(start + _PART, m)
            z = sample.passes.decisions(*sample.split(point.theta), start, stop)
            _, _, second = sample.passes.second_derivatives(sample.compiled, z, start)
            part = np.abs(second[diagonal])
            by_class += part.sum(axis=1)
            c[start:stop] = part.mean(axis=0)
        if not 0.0 < c.sum() < math.inf:
            # No row is curved here, or one of them beyond all bounds: all alike, then.
            return np.ones(k), sample.row_weights
        return by_class, c


def _lower(objective: InMemoryObjective, sample: InMemoryObjective, start: Point) -> Point:
    """The optimum of a sample, where that is lower than the start."""
    found = newton(sample, sample.origin(), tol=_SAMPLE_TOL, max_iter=_SAMPLE_ITERATIONS, to_rounding=False)
    there = objective.evaluate(found.point.theta)
    return there if there.value < start.value else start


def sample_rows(n: int, d: int, entries: int) -> int:
    """How many rows to form a Hessian from; 0 for none.

    k sampled rows for each column leave L-BFGS some 6 + 20/k passes of n·d operations to do, and cost k·d³ operations
    at the speed of a matrix product, ten times as fast. The sum is least for k·d = 20 √n.
    """
    rows = int(min(max(20.0 * math.sqrt(n), LEAST_SAMPLES * d), _MOST_SAMPLES * d))
    # Where that is enough, at most 4 % of the memory that X takes.
    rows = min(rows, max(n // 25, 20 * d))
    sparse = entries < 0.1 * n * d
    return rows if rows <= n // 2 and not sparse else 0


def _sample(objective: BinaryObjective, size: int) -> BinaryObjective | None:
    """F over a sample with equal shares of both classes where there are enough rows; None where there are not."""
    if size == 0:
        return None
    v = objective.v
    n = len(v)
    looked = min(n, max(_CANDIDATES * size, _LEAST_CANDIDATES))
    # One in each stretch of the rows, whatever order they are in.
    starts = np.arange(looked) + np.random.default_rng(_SEED).random(looked)
    candidates = (starts * (n / looked)).astype(np.intp)
    if np.count_nonzero(v[candidates]) < size:
        candidates, looked = np.flatnonzero(v), n
    positive = (v[candidates] > 0.0).astype(np.uint8)
    if positive.all() or not positive.any():
        return None
    rows, scale = stratified(positive, np.abs(v[candidates]), size, None, equal=1.0)
    return objective.sample(candidates[rows], scale * (n / looked))


def mean_curvature(loss: MarginLoss) -> float:
    """Mean of φ'' over the margins from −1 to 1."""
    slopes = loss.evaluate([-1.0, 1.0])[1]
    return 0.5 * abs(float(slopes[1] - slopes[0])) or 1.0


def cholesky(hessian: np.ndarray) -> np.ndarray | None:
    """The lower factor in Fortran order; None where there is none."""
    if not np.isfinite(hessian).all():
        return None
    scale = usable_scale(hessian.diagonal())
    scaled = hessian / scale
    scaled /= scale[:, None]
    # For columns that depend on each other in the sample, and for those at rest, whose diagonal is zero now.
    scaled.flat[:: len(scaled) + 1] = 1.0 + _JITTER
    # Symmetric: its transpose is the same matrix in Fortran order, without a copy.
    factor, info = lapack.dpotrf(scaled.T, lower=True, overwrite_a=True)
    factor *= scale[:, None]
    return factor if info == 0 else None


def usable_scale(diagonal: np.ndarray) -> np.ndarray:
    """Root of the diagonal. A column without curvature or penalty is constant, a second intercept: it stays at rest."""
    scale = np.sqrt(diagonal)
    scale[~((scale > 0.0) & (scale < math.inf))] = _AT_REST
    return scale
