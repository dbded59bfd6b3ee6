"""Block coordinate ascent in the dual of the joint objective: the state, and one sweep.

The intercepts are held by a spring, as in :mod:`marginclf.solvers.ascent`.
"""

from __future__ import annotations

import math

import numpy as np

from ...kernels.joint_ascent import sweep_joint
from ...kernels.storage import LANES
from ...objective import JointObjective, JointPoint
from ..ascent import HOLD, Forecast


class JointAscent:
    """Dual variables of a joint objective, and the coefficients that they make.

    Parameters
    ----------
    objective : JointObjective
        F, of a convex loss and with a penalty.
    b : ndarray of shape (K,)
        The first intercepts.
    seed : int
        Of the order of the visits.
    """

    def __init__(self, objective: JointObjective, b: np.ndarray, seed: int) -> None:
        n, _ = objective.matrix.shape
        k = objective.n_classes
        self._objective, self._rng = objective, np.random.RandomState(seed)
        self._rows = rows = objective.matrix.sweep_rows(seed)
        passes = objective.passes
        self._codes = passes.codes[rows.order]
        self._weights = np.array(np.broadcast_to(passes.weights, n), dtype=float)[rows.order]
        if not np.isfinite(self._weights * rows.squares).all():
            raise OverflowError("the squared norm of a row overflows")
        lanes = -(-k // LANES) * LANES
        self._alpha, self._w = np.zeros((n, lanes)), np.zeros((rows.n_columns, lanes))
        self._margins, self._idle = np.zeros(n), np.zeros((n, 2), dtype=np.int32)
        self._loss = objective.loss.compiled_prox()
        self._out, self._work, self._sums = np.empty(2), np.empty((4, lanes)), np.empty(2)
        self.b, self._balance = b, np.zeros(k)
        self._spring = self._strength() if objective.fit_intercept else 0.0
        self.forecast = Forecast()

    def _strength(self) -> float:
        """The spring, so strong that Σ α answers by many times what pulls at it."""
        _, _, (curvature,) = self._objective.loss.evaluate([0.0])
        kappa = self._weights * self._rows.squares
        softness = 1.0 / curvature if curvature > 0.0 else 0.0
        stiffness = kappa + max(softness, float(kappa.mean()) * 1e-3)
        answer = float((self._weights / np.where(stiffness > 0.0, stiffness, 1.0)).sum())
        hold = np.clip(0.25 * math.sqrt(len(kappa)), *HOLD)
        return float(hold) / answer if answer > 0.0 else 0.0

    def sweep(self) -> None:
        """Visit every row once."""
        self._objective.matrix.passes += 1
        rows, n = self._rows, len(self._codes)
        order = self._rng.permutation(-(-n // rows.run)).astype(np.uint32)
        address, parameters, _ = self._loss
        sweep_joint(
            rows.rows, order, rows.run, self._codes, self._weights, rows.squares, rows.diagonal,
            self._alpha, self._margins, self._idle, self._w, self.b, self._balance, self._spring,
            self._objective.n_classes, address, parameters, self._out, self._work, self._sums,
        )  # fmt: skip
        self.forecast.add(float(self._sums[0]))
        if self._objective.fit_intercept:
            self.b = self.b + self._spring * self._balance

    def coefficients(self) -> np.ndarray:
        """W of the dual variables."""
        passes = self._objective.passes
        return passes.combination(self.alpha)

    def point(self) -> JointPoint:
        """The point that the dual variables make, with b at its minimum."""
        return self._objective.at(self.coefficients(), self.b - self.b.mean())

    @property
    def alpha(self) -> np.ndarray:
        """α of each row of X, of shape (n, P)."""
        alpha = np.empty_like(self._alpha)
        alpha[self._rows.order] = self._alpha
        return alpha

    @property
    def multipliers(self) -> np.ndarray:
        """−φ' of each row of X."""
        n = len(self._codes)
        own = self._alpha[np.arange(n), self._codes]
        a = np.empty(n)
        a[self._rows.order] = np.divide(own, self._weights, out=np.zeros(n), where=self._weights > 0.0)
        return a
