"""What can be said of a point from strong convexity and from dual variables."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

_ROUNDING = 64.0 * np.finfo(float).eps
"""What adding up the rows may change of F, relative to it; measured up to 8 ulp on a million rows."""

UNDERFLOW = 1e-290
"""A gain whose rounding is no longer in proportion to it: it is a sum of squares that underflow."""


_BALANCINGS = 6
"""How often b is corrected for dual variables: by Newton's method, for which mostly twice is enough."""

_LITTLE = 1e-3
"""Part of what is to be proved that their sum may leave open."""


def gain(at_zero: float, value: float, by_convexity: float) -> float:
    """F(0, b₀) − F(w, b) at least: the difference, or where rounding hides it what convexity says.

    Parameters
    ----------
    at_zero, value : float
        F(0, b₀) and F(w, b).
    by_convexity : float
        ½‖w‖² − ∂F/∂w·w, with b at its minimum; or ½‖w‖² less the duality gap, for the w that dual variables make. F is
        1-strongly convex in w, and so is its dual bound.
    """
    return max(at_zero - value - _ROUNDING * abs(at_zero), by_convexity, 0.0)


def by_duality(value: float, miss: float, gap: float) -> float:
    """What convexity says of the gain where dual variables make w but for a gradient g: ½(‖w‖ − ‖g‖)² less their gap.

    Parameters
    ----------
    value : float
        ½‖w‖².
    miss : float
        ½‖g‖².
    gap : float
        The duality gap.
    """
    return max(math.sqrt(value) - math.sqrt(miss), 0.0) ** 2 - gap


def fenchel_young(
    smooth: Any, loss: Any, point: Any, margins: np.ndarray, before: np.ndarray, gamma: float, weights: np.ndarray
) -> tuple[float, float, np.ndarray, np.ndarray]:
    """Σ C s (φ(m) + φ*(−a) + a m) of the multipliers a = −φ_γ'(m − γ a_before), Σ C s φ, C s φ_γ', and a.

    With u where the envelope's minimum is, −a ∈ ∂φ(u), φ*(−a) = −a u − φ(u) and φ(u) = φ_γ − ½ γ a².

    Parameters
    ----------
    smooth : Objective
        Of the envelope φ_γ, −γ a_before added to its margins.
    loss : CompiledLoss
        φ.
    point : Point
        Where, with its ``margins``.
    margins, before, weights : ndarray of shape (n,)
        m, the multipliers before, and C s.
    gamma : float
        γ.
    """
    value, _ = smooth.pointwise(loss, margins, weights)
    envelope, slopes = smooth.losses(point, margins)
    after = np.divide(-slopes, weights, out=np.zeros_like(slopes), where=weights > 0.0)
    # a (m − u) with u = m − γ a_before + γ a.
    drift = gamma * float(slopes @ (before - 0.5 * after))
    return value - envelope - drift, value, slopes, after


def balanced(
    dual: Callable[[np.ndarray], tuple[float, np.ndarray]],
    correct: Callable[[np.ndarray], np.ndarray],
    n_outputs: int,
    reach: float,
    enough: float,
) -> float:
    """−Σ C s h*(α) of dual variables α with Σ α = 0, which free intercepts ask for, to what rounding leaves of that.

    What is left counts: b may gain by it as much as it can be large.

    Parameters
    ----------
    dual : callable
        ``dual(b)`` returns the value and Σ α, of shape (K,), of the variables that belong to intercepts moved by b.
    correct : callable
        By how much b is to be moved, from Σ α.
    n_outputs : int
        K.
    reach : float
        How large an intercept may be at the optimum; 0 where they are not free.
    enough : float
        What is to be proved; next to nothing of it may be left.
    """
    b = np.zeros(n_outputs)
    for _ in range(_BALANCINGS):
        value, excess = dual(b)
        left = reach * float(np.abs(excess).sum()) if reach else 0.0
        if not left > _LITTLE * enough:
            break
        b = b + correct(excess)
    return value - left


def rounding_of(value: float) -> float:
    """What adding up the rows may change of F."""
    return float(_ROUNDING * abs(value))


def above(value: float, lower: float, *, rounding: bool = False) -> float:
    """How far F can be above its minimum where that is no less than ``lower``; infinite where that says nothing.

    ``rounding`` is for a lower bound that is a sum over the rows of its own.
    """
    if not math.isfinite(lower):
        return math.inf
    return max(value - lower, 0.0) + (_ROUNDING * abs(value) if rounding else 0.0)
