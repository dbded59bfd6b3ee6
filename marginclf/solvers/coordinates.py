"""Coordinates in which F is nearly a ball, so that L-BFGS needs a handful of iterations whatever the columns are.

    w = w₀ + unit · L⁻ᵀ u,   b = b₀ + unit · β / √(Σc) − x̄·(w − w₀),   L Lᵀ = penalty·I + Σ c (x − x̄)(x − x̄)ᵀ,

where c and the weighted mean x̄ come from a sample of the rows; for data that are not tall, L is diagonal and comes from
all rows. Offsets of the columns are taken up by b, so X is left as it is. The optimum is the same, and what is reported
is w and b.
"""

from __future__ import annotations

import math

import numpy as np
from scipy.linalg import blas, lapack

from ..losses import MarginLoss
from ..objective import Objective, Point
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
_CONSTANT = 1e-20
"""Variance of a column, relative to its squared mean, that is rounding."""

_LOST = 1e-13
"""The same where the mean is taken off after squaring."""

_AT_REST = 1e300
_SEED = 0


class Coordinates:
    """The map from θ = (u, β) to (w, b), and of gradients back.

    Parameters
    ----------
    origin : Point
        (w₀, b₀), with its gradient.
    factor : ndarray of shape (d, d) or (d,)
        L: lower triangular in Fortran order, or the diagonal.
    mean : ndarray of shape (d,)
        x̄; not used where b is not free.
    total : float
        Σ c.
    fit_intercept : bool
        Whether θ has an entry β.
    """

    def __init__(
        self, origin: Point, factor: np.ndarray, mean: np.ndarray, total: float, *, fit_intercept: bool
    ) -> None:
        origin.require_finite()
        self.origin = origin
        self.mean = mean
        self._factor = factor
        self._root = math.sqrt(total)
        self._fit_intercept = fit_intercept
        self.unit = 1.0
        # L-BFGS-B's first step has length 1. It shall be the Newton step.
        length = float(np.linalg.norm(self.gradient(origin)))
        self.unit = length if 0.0 < length < math.inf else 1.0

    @property
    def size(self) -> int:
        """Length of θ."""
        return len(self.mean) + int(self._fit_intercept)

    def point(self, theta: np.ndarray) -> tuple[np.ndarray, float]:
        """(w, b) at θ."""
        d = len(self.mean)
        change = self.unit * self._solve(theta[:d], transposed=True)
        b = self.origin.b
        if self._fit_intercept:
            b += self.unit * float(theta[d]) / self._root - float(self.mean @ change)
        return self.origin.w + change, b

    def gradient(self, point: Point) -> np.ndarray:
        """∂F/∂θ at a point."""
        if not self._fit_intercept:
            return self.unit * self._solve(point.gradient, transposed=False)
        in_u = self._solve(point.gradient - point.slope * self.mean, transposed=False)
        return self.unit * np.append(in_u, point.slope / self._root)

    def decrement(self, gradient: np.ndarray) -> float:
        """½ gᵀ(LLᵀ)⁻¹g from ∂F/∂θ: what the quadratic model of the sample says can be gained."""
        return 0.5 * float(gradient @ gradient) / self.unit**2

    def _solve(self, x: np.ndarray, *, transposed: bool) -> np.ndarray:
        if self._factor.ndim == 1:
            return x / self._factor
        return blas.dtrsv(self._factor, x, lower=True, trans=transposed)


def coordinates(objective: Objective, start: Point) -> Coordinates:
    """Coordinates around a start, or around the optimum of a sample where that is lower and cheap to find.

    Parameters
    ----------
    objective : Objective
        F.
    start : Point
        Where to start.
    """
    n, d = objective.matrix.shape
    sample = _sample(objective, sample_rows(n, d, objective.matrix.entries))
    if sample is None:
        return _diagonal(objective, start)
    m = sample.matrix.shape[0]
    if objective.loss.convex and not start.w.any() and m * d <= _CHEAP * n:
        there = _optimum_of(sample, objective)
        if there.value < start.value:
            start = there
    c = np.abs(Point(sample, start.w, start.b).c) if start.w.any() else np.zeros(m)
    if c.sum() ** 2 <= _CURVED * d * (c @ c) or not np.isfinite(c).all():
        # Too few rows are curved here: all alike, then, by their weights.
        c = c + _mean_curvature(objective.loss) * np.abs(sample.v)
    total = float(c.sum())
    mean = sample.matrix.transposed_product(c) / total if objective.fit_intercept else np.zeros(d)
    hessian = sample.matrix.gram(c, mean)
    constant = hessian.diagonal() <= _CONSTANT * total * mean**2
    if constant.any():
        # In the sample; a rare value elsewhere may well matter.
        hessian[constant] = hessian[:, constant] = 0.0
        hessian[constant, constant] = _spread(objective)[2][constant]
    hessian.flat[:: d + 1] += objective.penalty
    factor = cholesky(hessian)
    if factor is None:
        return _diagonal(objective, start)
    return Coordinates(start, factor, mean, total, fit_intercept=objective.fit_intercept)


def _optimum_of(sample: Objective, objective: Objective) -> Point:
    solution = newton(sample, sample.origin(), tol=_SAMPLE_TOL, max_iter=_SAMPLE_ITERATIONS, to_rounding=False)
    return objective.evaluate(solution.point.w, solution.point.b)


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


def _sample(objective: Objective, size: int) -> Objective | None:
    """F over a sample with equal shares of both classes where there are enough rows; None where there are not."""
    if size == 0:
        return None
    signed = objective.v
    n = len(signed)
    rng = np.random.default_rng(_SEED)
    looked = min(n, max(_CANDIDATES * size, _LEAST_CANDIDATES))
    # One in each stretch of the rows, whatever order they are in.
    candidates = ((np.arange(looked) + rng.random(looked)) * (n / looked)).astype(np.intp)
    v = signed[candidates]
    if np.count_nonzero(v) < size:
        candidates = np.flatnonzero(signed)
        looked = n
        v = signed[candidates]
    sides = [candidates[v > 0.0], candidates[v < 0.0]]
    rows, scale = [], []
    for side, other in zip(sides, sides[::-1], strict=True):
        if len(side) == 0:
            return None
        share = min(len(side), max(size // 2, size - len(other)))
        rows.append(side[np.linspace(0, len(side) - 1, share).astype(np.intp)])
        scale.append(np.full(share, n / looked * len(side) / share))
    return objective.sample(np.concatenate(rows), np.concatenate(scale))


def _mean_curvature(loss: MarginLoss) -> float:
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


def _diagonal(objective: Objective, start: Point) -> Coordinates:
    total, mean, spread = _spread(objective)
    factor = usable_scale(spread + objective.penalty)
    return Coordinates(start, factor, mean, total, fit_intercept=objective.fit_intercept)


def _spread(objective: Objective) -> tuple[float, np.ndarray, np.ndarray]:
    """Σ c, the mean and the centred squares of each column over all rows, whose curvatures are taken to be alike."""
    c = _mean_curvature(objective.loss) * np.abs(objective.v)
    total = float(c.sum())
    squares = objective.matrix.squared_product(c)
    if not objective.fit_intercept:
        return total, np.zeros_like(squares), squares
    mean = objective.matrix.transposed_product(c) / total
    spread = squares - total * mean**2
    spread[spread <= _LOST * squares] = 0.0
    return total, mean, spread
