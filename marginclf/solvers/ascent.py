"""Coordinate ascent in the dual: the state, one sweep, and a forecast of how many it would take.

For two classes a row has one dual variable; for the joint margin it has K, whose size and direction are moved in turns.

The intercept is not penalised, so that the dual has the condition Σ α = 0. By the method of multipliers, the intercept
is b + spring·Σ α at every moment, which pulls Σ α towards zero within a sweep as a penalised intercept would, and after
every sweep b takes over what the spring held. A free intercept then costs no sweep more than none.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from ..kernels.ascent import combine, longest_sleep, sweep
from ..kernels.joint_ascent import sweep_joint
from ..kernels.storage import LANES
from ..objective import BinaryObjective, BinaryPoint, JointObjective, Point, gain, rounding_of_proof
from .lines import two_lines
from .spring import hold, strength

_WINDOW = 16
"""Sweeps from whose gains the rest is forecast."""


class Forecast:
    """What sweeps will still gain, from the gains of the last ones."""

    def __init__(self) -> None:
        self._gains: list[float] = []

    def add(self, gain: float) -> None:
        """Take note of what a sweep gained."""
        self._gains.append(gain)

    def rest(self) -> tuple[float, float]:
        """How far the dual objective is from its maximum, about, and the factor by which a sweep reduces that."""
        gains = self._gains[1:][-_WINDOW:]
        if len(gains) < 2:
            return math.inf, 1.0
        if not gains[-1] > 0.0:
            return 0.0, 0.0
        if not gains[0] > 0.0:
            return math.inf, 1.0
        factor = (gains[-1] / gains[0]) ** (1.0 / (len(gains) - 1))
        return (gains[-1] * factor / (1.0 - factor) if factor < 1.0 else math.inf), factor


def multipliers_of_lines(objective: BinaryObjective) -> np.ndarray:
    """For a loss of two lines the least a, the largest, and the margin where these meet; for another nothing."""
    lines = two_lines(objective.loss, objective.compiled)
    return np.empty(0) if lines is None else np.array([-lines.right, -lines.left, lines.kink])


class Begun(NamedTuple):
    """An ascent that another has begun.

    Attributes
    ----------
    a, u : ndarray of shape (n,)
        −φ' of each row in the order of the visits, and the margins that have these slopes.
    w : ndarray
        The coefficients, of the columns as the sweeps know them.
    idle : ndarray of int of shape (n,)
        Visits in succession that changed nothing.
    b, balance : float
        The intercept, and Σ α.
    forecast : Forecast
        Of the sweeps so far.
    random : tuple
        State of the generator of the order of the visits.
    sweeps : int
        How many there were.
    """

    a: np.ndarray
    u: np.ndarray
    w: np.ndarray
    idle: np.ndarray
    b: float
    balance: float
    forecast: Forecast
    random: Any
    sweeps: int


class BinaryAscent:
    """Dual variables of an objective, and the coefficients that they make.

    Parameters
    ----------
    objective : BinaryObjective
        F, of a convex loss and with a penalty.
    start : Point
        Where its coefficients are not zero, the dual variables start at the slopes there.
    seed : int
        Of the order of the visits.
    begun : Begun, optional
        Where to go on instead.
    """

    def __init__(self, objective: BinaryObjective, start: Point, seed: int, begun: Begun | None = None) -> None:
        n, _ = objective.matrix.shape
        self._objective, self._rng = objective, np.random.RandomState(seed)
        self._rows = objective.matrix.sweep_rows(seed)
        self._v = objective.v[self._rows.order]
        weights = np.abs(self._v)
        self._kappa, self._diagonal = weights * self._rows.squares, weights * self._rows.diagonal
        if not np.isfinite(self._kappa).all():
            raise OverflowError("the squared norm of a row overflows")
        self._a, self._u, self._w = np.zeros(n), np.zeros(n), np.zeros(self._rows.n_columns)
        if start.w.any() and objective.loss.smooth:
            # Near an optimum the slopes there are nearly the dual variables.
            assert isinstance(start, BinaryPoint)
            self._u[:] = objective.margins(start)[self._rows.order]
            alpha = -start.r[self._rows.order]
            np.divide(alpha, self._v, out=self._a, where=self._v != 0.0)
            combine(self._rows.rows, alpha, self._w)
        self._idle = np.zeros((n, 2), dtype=np.int32)
        self._loss, self._lines = objective.loss.compiled_prox(), multipliers_of_lines(objective)
        self._out, self._sums = np.empty(2), np.empty(3)
        self.b, self._balance = float(start.b[0]), float(self._v @ self._a)
        self._spring = strength(objective.loss, weights, self._kappa) if objective.fit_intercept else 0.0
        self.forecast, self.sweeps = Forecast(), 0
        if begun is not None:
            self._go_on(begun)

    def _go_on(self, begun: Begun) -> None:
        self._a, self._u, self._w, idle, self.b, self._balance, self.forecast, state, self.sweeps = begun
        self._rng.set_state(state)
        # Rows that rest wake up at different sweeps.
        self._idle[:, 0] = idle
        self._idle[:, 1] = longest_sleep(idle) & np.arange(len(idle))

    def sweep(self) -> None:
        """Visit every row once."""
        self._objective.matrix.passes += 1
        rows, n = self._rows, len(self._v)
        order = self._rng.permutation(-(-n // rows.run)).astype(np.uint32)
        address, parameters, _ = self._loss
        sweep(
            rows.rows, order, rows.run, self._v, self._kappa, self._diagonal, self._a, self._u, self._idle, self._w,
            self.b, self._balance, self._spring, self._lines, address, parameters, self._out, self._sums,
        )  # fmt: skip
        gained, balance, _ = self._sums.tolist()
        self.forecast.add(gained)
        if self._objective.fit_intercept:
            self._balance = balance
            self.b += self._spring * balance

    def point(self) -> Point:
        """The point that the dual variables make, with the duality gap as its proven suboptimality.

        The dual bounds F only where Σ α = 0: every u is first shifted along b until that holds, which needs no pass
        over X.
        """
        objective, v = self._objective, self._objective.v
        z = np.empty(len(v))
        z[self._rows.order] = np.where(self._v < 0.0, -self._u, self._u)
        shift = objective.best_intercept(z, 0.0)
        value, balance, r, _ = objective.matrix.pointwise(objective.compiled, v, z, shift)
        w = objective.matrix.transposed_product(-r)
        point = objective.at(objective.theta(w, self.b))
        maximum = value - float(r @ z) - shift * balance - 0.5 * float(w @ w)
        # Decision values of 1e17 come from a way that got lost: then rounding is larger than any gap.
        farthest = abs(shift) + abs(float(point.b[0])) + float(np.abs(point.z).max())
        far = np.abs(z) + farthest
        # With rows of large weight, Σ α is less exact than its terms: no b that is a number makes it zero.
        rest = abs(balance) * farthest if objective.fit_intercept else 0.0
        gap = max(point.value - maximum, 0.0) + rest
        gap += rounding_of_proof(objective, point.theta, far, r, point.value, gap)
        return point.certified(gap, gain(objective.at_zero, point.value, objective.penalty.value(w) - gap))

    @property
    def theta(self) -> np.ndarray:
        """θ of the dual variables."""
        alpha = np.empty(len(self._v))
        alpha[self._rows.order] = self._v * self._a
        return self._objective.theta(self._objective.matrix.transposed_product(alpha), self.b)

    @property
    def multipliers(self) -> np.ndarray:
        """−φ' of each row of X."""
        a = np.empty(len(self._v))
        a[self._rows.order] = self._a
        return a


class JointAscent:
    """Dual variables of a joint objective, and the coefficients that they make.

    Parameters
    ----------
    objective : JointObjective
        F, of a convex loss and with a penalty.
    start : Point
        Has the first intercepts.
    seed : int
        Of the order of the visits.
    """

    def __init__(self, objective: JointObjective, start: Point, seed: int) -> None:
        n, _ = objective.matrix.shape
        k = objective.n_outputs
        self.objective, self._rng = objective, np.random.RandomState(seed)
        self.rows = rows = objective.matrix.sweep_rows(seed, single=False)
        passes = objective.passes
        self.codes = passes.codes[rows.order]
        self.weights = objective.row_weights[rows.order]
        if not np.isfinite(self.weights * rows.squares).all():
            raise OverflowError("the squared norm of a row overflows")
        lanes = -(-k // LANES) * LANES
        self.alpha, self.w = np.zeros((n, lanes)), np.zeros((rows.n_columns, lanes))
        self._margins, self._idle = np.zeros(n), np.zeros((n, 2), dtype=np.int32)
        self._loss = objective.loss.compiled_prox()
        self._out, self._work, self._sums = np.empty(2), np.empty((4, lanes)), np.empty(2)
        self.b, self.balance = start.b, np.zeros(k)
        self.spring, self._n_sweeps = 0.0, 0
        self.forecast = Forecast()

    def sweep(self) -> None:
        """Visit every row once."""
        self.objective.matrix.passes += 1
        rows, n = self.rows, len(self.codes)
        if self.objective.fit_intercept and self._n_sweeps & (self._n_sweeps - 1) == 0:
            self.spring = self._strength()
        self._n_sweeps += 1
        order = self._rng.permutation(-(-n // rows.run)).astype(np.uint32)
        address, parameters, _ = self._loss
        sweep_joint(
            rows.rows, order, rows.run, self.codes, self.weights, rows.squares, rows.diagonal,
            self.alpha, self._margins, self._idle, self.w, self.b, self.balance, self.spring,
            self.objective.n_outputs, address, parameters, self._out, self._work, self._sums,
        )  # fmt: skip
        self.forecast.add(float(self._sums[0]))
        if self.objective.fit_intercept:
            self.b = self.b + self.spring * self.balance

    def _strength(self) -> float:
        """The spring, so strong that Σ α answers by many times what pulls at it, as dual variables are now.

        A class that is none of a row's own answers to b by α/(1 + κ α).
        """
        k, kappa = self.objective.n_outputs, self.rows.squares[:, None]
        if self._n_sweeps:
            alpha = np.abs(self.alpha[:, :k])
        else:
            margin = -math.log(k - 1.0)
            (slope,) = self.objective.loss.evaluate([margin])[1]
            most = np.divide(1.0 - margin, kappa, out=np.full(kappa.shape, np.inf), where=kappa > 0.0)
            alpha = np.minimum(-slope * self.weights[:, None], most) / (k - 1.0)
        answer = float((alpha / (1.0 + kappa * alpha)).sum()) / (k if self._n_sweeps else 1.0)
        return hold(len(self.weights)) / answer if answer > 0.0 else 0.0

    def move(self, change: np.ndarray, dw: np.ndarray) -> None:
        """Change the dual variables, and with them W as it is kept."""
        self.alpha += change
        self.w += dw
        self.balance = self.balance + change[:, : self.objective.n_outputs].sum(axis=0)
        # What rows have been doing says nothing any more.
        self._idle[...] = 0
        self.forecast = Forecast()

    @property
    def theta(self) -> np.ndarray:
        """θ of the dual variables."""
        alpha, objective = np.empty_like(self.alpha), self.objective
        alpha[self.rows.order] = self.alpha
        return np.concatenate([objective.passes.combination(alpha), self.b - self.b.mean()])

    def point(self) -> Point:
        """The point that the dual variables make, with b at its minimum."""
        return self.objective.at(self.theta)

    @property
    def multipliers(self) -> np.ndarray:
        """−φ' of each row of X."""
        n = len(self.codes)
        own = self.alpha[np.arange(n), self.codes]
        a = np.empty(n)
        a[self.rows.order] = np.divide(own, self.weights, out=np.zeros(n), where=self.weights > 0.0)
        return a
