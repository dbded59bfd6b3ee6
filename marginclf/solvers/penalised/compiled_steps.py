"""Proximal Newton steps of two classes in a compiled loop, with the work space that it needs."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...kernels import proximal_steps as kernel
from ...kernels.gram import gram_scratch, gram_totals
from ...matrix import DesignMatrix
from ...objective import NonsmoothPenalty


class CompiledSteps:
    """Where steps are, and what has been done, which is remembered from call to call.

    Parameters
    ----------
    objective : BinaryObjective
        The losses, smooth and convex, without a penalty and an offset.
    matrix : DesignMatrix
        Its rows, or some of their columns.
    penalty : NonsmoothPenalty
        What is added to them: each entry with a kink or a square; no bounds beside groups.
    theta : ndarray of shape (d + 1,)
        Where to start, of these columns.
    least : float
        inf Σ C s φ.
    at_zero : float
        F at zero; NaN where that is the start, infinite where ``tol`` is relative to F alone.
    """

    def __init__(
        self,
        objective: Any,
        matrix: DesignMatrix,
        penalty: NonsmoothPenalty,
        theta: np.ndarray,
        *,
        least: float,
        at_zero: float,
    ) -> None:
        n, d = matrix.shape
        self._objective, self._matrix, self._penalty, self._least = objective, matrix, penalty, least
        self.theta = theta.copy()
        self._rows, self._columns = np.empty((3, n)), np.empty((13, d + 1))
        self._gram, self._hessians, self._members = gram_scratch(d), gram_totals(3, d), np.empty(d, dtype=np.int64)
        self._state = np.zeros(kernel.SIZE)
        self._state[kernel.AT_ZERO] = at_zero

    def take(self, tol: float, most: int) -> int:
        """Up to so many steps, until about ``tol`` is left; how many."""
        objective, penalty, rows = self._objective, self._penalty, self._matrix.rows
        address, parameters, _ = objective.compiled
        kernel.proximal_steps(
            rows["forward"], rows["backward"], rows["copy"], objective.v, self.theta, objective.fit_intercept,
            penalty.order, penalty.starts, penalty.kink, penalty.quadratic, penalty.lower, penalty.upper, address,
            parameters, self._least, tol, most, self._rows, self._columns, objective.work, self._gram, self._hessians,
            self._members, self._state,
        )  # fmt: skip
        self._matrix.passes += int(self._state[kernel.PASSES])
        return int(self._state[kernel.STEPS])

    @property
    def proven(self) -> bool:
        """Whether the loop took tol for reached."""
        return bool(self._state[kernel.PROVEN])

    @property
    def stuck(self) -> bool:
        """Whether no step lowers F."""
        return bool(self._state[kernel.STUCK])

    @property
    def at_zero(self) -> float:
        """F at zero."""
        return float(self._state[kernel.AT_ZERO])

    @property
    def losses(self) -> float:
        """Σ C s φ."""
        return float(self._state[kernel.LOSS])

    @property
    def slopes(self) -> np.ndarray:
        """C s y φ' of each row."""
        return self._rows[1]

    @property
    def in_w(self) -> np.ndarray:
        """The gradient of the losses in the coefficients."""
        return self._columns[0, :-1]

    @property
    def in_b(self) -> tuple[float, float, float]:
        """Slope and curvature of the losses in b, and Σ C s |φ'|."""
        slope, curvature, scale = self._state[kernel.SLOPE : kernel.SCALE + 1]
        return float(slope), float(curvature), float(scale)
