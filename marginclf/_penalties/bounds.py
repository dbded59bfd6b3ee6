"""Bounds of the coefficients, as a user writes them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from .base import positions

_HOW = (
    "give (lower, upper) with numbers or arrays of shape (n_features,), None or an infinity for no bound (within an "
    "array an infinity), or a dict by feature name, such as {'age': (0, None)}"
)


def resolve_bounds(bounds: Any, shape: tuple[int, int], names: Any) -> tuple[np.ndarray, np.ndarray] | None:
    """The least and the largest value of each coefficient, of shape (K, d) each; None where nothing is bounded.

    Parameters
    ----------
    bounds : tuple, dict or None
        What was given.
    shape : tuple of int
        K and d.
    names : array of str, or None
        Names of the features, where X has them.

    Raises
    ------
    ValueError
        If they are no bounds, or a lower one is above the upper one.
    """
    if bounds is None:
        return None
    lower, upper = np.full(shape, -np.inf), np.full(shape, np.inf)
    if isinstance(bounds, Mapping):
        for name, j in zip(bounds, positions(bounds, names, "bounds"), strict=True):
            low, high = _pair(bounds[name])
            lower[:, j] = _broadcast(low, -np.inf, (shape[0],))
            upper[:, j] = _broadcast(high, np.inf, (shape[0],))
    else:
        low, high = _pair(bounds)
        lower[...], upper[...] = _broadcast(low, -np.inf, shape), _broadcast(high, np.inf, shape)
    if np.isnan(lower).any() or np.isnan(upper).any():
        raise ValueError(f"bounds contain NaN, or None within an array; {_HOW}")
    wrong = (lower > upper) | (lower == np.inf) | (upper == -np.inf)
    if wrong.any():
        k, j = np.argwhere(wrong)[0]
        feature = repr(names[j]) if names is not None else str(j)
        raise ValueError(
            f"bounds of feature {feature} are ({lower[k, j]:g}, {upper[k, j]:g}): the lower one must not be above the "
            "upper one, and some number must lie between them"
        )
    return None if np.isinf(lower).all() and np.isinf(upper).all() else (lower, upper)


def _pair(bounds: Any) -> tuple[Any, Any]:
    if not isinstance(bounds, tuple | list) or len(bounds) != 2:
        raise ValueError(f"bounds must be a pair (lower, upper), got {bounds!r:.80}; {_HOW}")
    return bounds[0], bounds[1]


def _broadcast(value: Any, default: float, shape: tuple[int, ...]) -> np.ndarray:
    try:
        given = np.asarray(default if value is None else value, dtype=float)
        return np.broadcast_to(given, shape)
    except (TypeError, ValueError):
        raise ValueError(f"bounds have {value!r:.80} where an array of shape {shape} is needed; {_HOW}") from None
