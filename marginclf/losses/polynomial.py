"""Losses that are one polynomial for every margin: they pull at samples that are already right."""

from __future__ import annotations

from typing import Any

import numpy as np

from .base import MarginLoss, clipped_half, half_link


class Linear(MarginLoss):
    """φ(m) = −m: the unhinged loss, unbounded below. Only the penalty gives it an optimum.

    φ'(m) = −1, φ''(m) = 0. Every sample has the same influence, whatever its margin, so the optimum has a closed form,
    w = C Σ s y x: a classifier of class means. It is robust to symmetric label noise and has no probability.

    With an intercept the objective has an optimum only if both classes have the same weight. A fit with an intercept
    therefore rescales the weights so that each class has half of their total; ``class_weight`` then only scales w.
    Every intercept is optimal then, and the fit takes the one midway between the class means along w.

    See Also
    --------
    sklearn.neighbors.NearestCentroid : Another classifier of class means.

    References
    ----------
    van Rooyen, Menon, Williamson (2015), Learning with symmetric label noise: the importance of being unhinged, NIPS.

    Examples
    --------
    >>> from marginclf.losses import Linear
    >>> values, slopes, curvatures = Linear().evaluate([-1.0, 2.0])
    >>> print(values, slopes, curvatures)
    [ 1. -2.] [-1. -1.] [0. 0.]
    """

    name = "linear"
    aliases = ("unhinged",)
    formula = r"-m"
    source = "van Rooyen, Menon, Williamson 2015"
    bounded_below = False
    noise_symmetric = True
    probability = None

    def point(self, m: float) -> tuple[float, float, float]:
        return -m, -1.0, 0.0

    def slope_bounds(self) -> tuple[float, float]:
        return -1.0, -1.0

    def curvature_bounds(self) -> tuple[float, float]:
        return 0.0, 0.0


class Squared(MarginLoss):
    """φ(m) = (1 − m)²: least squares on the labels ±1.

    φ'(m) = −2(1 − m), φ''(m) = 2. The probability is η(z) = (1 + z)/2, clipped to [0, 1].

    See Also
    --------
    sklearn.linear_model.RidgeClassifier : The same optimum for ``alpha = 1 / (2 * C)``.

    References
    ----------
    Suykens, Vandewalle (1999), Least squares support vector machine classifiers, Neural Process. Lett. 9.

    Examples
    --------
    >>> from marginclf.losses import Squared
    >>> print(Squared().evaluate([0.0, 1.0, 3.0])[0])
    [1. 0. 4.]
    """

    name = "squared"
    formula = r"(1 - m)^2"
    source = "Suykens, Vandewalle 1999"
    link_formula = r"2\eta - 1"

    def point(self, m: float) -> tuple[float, float, float]:
        t = 1.0 - m
        return t * t, -2.0 * t, 2.0

    def curvature_bounds(self) -> tuple[float, float]:
        return 2.0, 2.0

    def link(self, eta: Any) -> np.ndarray:
        return half_link(eta)

    def probability(self, z: Any) -> np.ndarray:
        return clipped_half(z)
