"""The one yardstick: the objective in NumPy, float64, from the coefficients that a solver returned.

    F(w, b) = C Σ φ(y (x·w + b)) + ½ ‖w‖²,   summed over the classes where there are more than two; or
    F(W, b) = C Σ φ(z_y − log Σ_{k≠y} e^{z_k}) + ½ ‖W‖²,   where these have one joint margin.

It is written without a line of marginclf, whose own numbers it also checks (``run.py --check``). The slopes are for the
plain baseline, SciPy's L-BFGS-B over these formulas.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from scipy import sparse
from scipy.special import expit

_ROWS = 1 << 16  # a float32 X is widened by so many rows at a time


def _logistic(m: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return np.logaddexp(0.0, -m), -expit(-m)


def _hinge(m: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return np.maximum(0.0, 1.0 - m), np.where(m < 1.0, -1.0, 0.0)


def _squared_hinge(m: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    t = np.maximum(0.0, 1.0 - m)
    return t * t, -2.0 * t


def _squared(m: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return (1.0 - m) ** 2, -2.0 * (1.0 - m)


def _smooth_hinge(m: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    t = np.clip(1.0 - m, 0.0, 1.0)
    return 0.5 * t * t + np.maximum(0.0, -m), -t


def _modified_huber(m: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    t = np.clip(1.0 - m, 0.0, 2.0)
    return t * t + 4.0 * np.maximum(0.0, -1.0 - m), -2.0 * t


def _exponential(m: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    e = np.exp(-m)
    return e, -e


def _dwd(m: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    # q = 1; both branches are evaluated, so the second is kept away from its pole.
    far = np.maximum(m, 0.5)
    return np.where(m <= 0.5, 1.0 - m, 0.25 / far), np.where(m <= 0.5, -1.0, -0.25 / far**2)


def _lum(m: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    # a = 1, c = 0.
    far = 1.0 + np.maximum(m, 0.0)
    return np.where(m <= 0.0, 1.0 - m, 1.0 / far), np.where(m <= 0.0, -1.0, -(far**-2.0))


LOSSES: dict[str, Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]] = {
    "logistic": _logistic,
    "hinge": _hinge,
    "squared_hinge": _squared_hinge,
    "squared": _squared,
    "smooth_hinge": _smooth_hinge,
    "modified_huber": _modified_huber,
    "exponential": _exponential,
    "dwd": _dwd,
    "lum": _lum,
}
"""Value and slope at margins m, by marginclf's names, at their default parameters."""


def signs(y: np.ndarray) -> np.ndarray:
    """One column of ±1 for two classes (labels ±1), one for each class against the rest otherwise."""
    classes = np.unique(y)
    return y[:, None].astype(float) if len(classes) == 2 else np.where(y[:, None] == classes, 1.0, -1.0)


def joint_margins(Z: np.ndarray, y: np.ndarray) -> np.ndarray:
    """z_y − log Σ e^z over the others, for decision values of shape (n, K) and labels 0 … K − 1."""
    rows = np.arange(len(y))
    others = Z.copy()
    others[rows, y] = -np.inf
    return Z[rows, y] - np.logaddexp.reduce(others, axis=1)


def objective(X: Any, y: np.ndarray, W: np.ndarray, b: np.ndarray, C: float, loss: str, joint: bool = False) -> float:
    """F, for coefficients W of shape (K, d) and intercepts b of shape (K,)."""
    W, b = np.asarray(W, dtype=np.float64), np.asarray(b, dtype=np.float64)
    columns = None if joint else signs(y)
    sums = []
    with np.errstate(over="ignore"):
        for first in range(0, X.shape[0], _ROWS):
            rows = X[first : first + _ROWS]
            Z = rows.astype(np.float64, copy=False) @ W.T + b
            part = slice(first, first + _ROWS)
            margins = joint_margins(Z, y[part]) if columns is None else columns[part] * Z
            sums.append(float(LOSSES[loss](margins)[0].sum()))
    return C * math.fsum(sums) + 0.5 * float((W * W).sum())


def accuracy(X: Any, y: np.ndarray, W: np.ndarray, b: np.ndarray, C: float, loss: str, joint: bool = False) -> float:
    """What rounding does to F, relatively: the difference to a sum over the rows and columns in reverse order.

    A suboptimality below it says nothing.
    """
    there = objective(X, y, W, b, C, loss, joint)
    if sparse.issparse(X):
        back = objective(X[::-1], y[::-1], W, b, C, loss, joint)
    else:
        back = objective(X[::-1, ::-1], y[::-1], W[:, ::-1], b, C, loss, joint)
    return max(abs(there - back) / abs(there), float(np.finfo(float).eps))
