"""Labels and weights of the rows in one vector."""

from __future__ import annotations

import math

import numpy as np

_PART = 1 << 16
"""Rows at a time where a sum over rows needs a vector of its own."""


def signed_weights(codes: np.ndarray, k: int, n_classes: int, weights: np.ndarray | None, C: float) -> np.ndarray:
    """v = C s y of each row, and s y for an infinite C, with y = 1 for class k and −1 for the others.

    Parameters
    ----------
    codes : ndarray of int of shape (n,)
        Class of each row.
    k, n_classes : int
        The class that is positive, and how many there are.
    weights : ndarray of shape (n,) or None
        s, at least 0, with class weights folded in; None for ones.
    C : float
        Inverse strength of the penalty; infinite for none.
    """
    signs = np.full(n_classes, -1.0)
    signs[k] = 1.0
    v = (signs * C if math.isfinite(C) else signs)[codes]
    if weights is not None:
        v *= weights
    return v


def half_each(v: np.ndarray) -> np.ndarray:
    """Weights with half of their total on each class: an affine loss with an intercept is unbounded otherwise."""
    positive = v > 0.0
    total, heavy = np.abs(v).sum(), v[positive].sum()
    return v * np.where(positive, 0.5 * total / heavy, 0.5 * total / (total - heavy))


def class_totals(v: np.ndarray) -> np.ndarray:
    """Σ v over its positive entries, and over its negative ones."""
    totals = np.zeros(2)
    for start in range(0, len(v), _PART):
        part = v[start : start + _PART]
        totals += np.maximum(part, 0.0).sum(), np.minimum(part, 0.0).sum()
    return totals
