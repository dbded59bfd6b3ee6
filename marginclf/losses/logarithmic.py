"""Losses made of the exponential of the margin."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from scipy.special import expit, log_expit, logit

from .._process import quiet
from ..kernels.elementary import exp, log1p
from .base import MarginLoss


class Logistic(MarginLoss):
    """φ(m) = log(1 + e^(−m)): the softplus of the negative margin, which is sigmoid cross-entropy.

    φ'(m) = −1/(1 + e^m), φ''(m) = σ(m) σ(−m) ≤ 1/4. The probability is η(z) = σ(z) = 1/(1 + e^(−z)).

    See Also
    --------
    sklearn.linear_model.LogisticRegression : This loss; with the same C, the same optimum.

    References
    ----------
    Cox (1958), The regression analysis of binary sequences, J. R. Stat. Soc. B 20.

    Examples
    --------
    >>> from marginclf.losses import Logistic
    >>> values, slopes, curvatures = Logistic().evaluate([0.0])
    >>> print(values.round(6), slopes, curvatures)
    [0.693147] [-0.5] [0.25]
    """

    name = "logistic"
    aliases = ("log_loss", "softplus", "cross_entropy")
    formula = r"\log(1 + e^{-m})"
    source = "Cox 1958"
    link_formula = r"\log \tfrac{\eta}{1 - \eta}"

    def point(self, m: float) -> tuple[float, float, float]:
        t = exp(-abs(m))
        u = 1.0 / (1.0 + t)
        value = log1p(t)
        if m > 0.0:
            return value, -t * u, t * u * u
        return value - m, -u, t * u * u

    def slope_bounds(self) -> tuple[float, float]:
        return -1.0, 0.0

    def curvature_bounds(self) -> tuple[float, float]:
        return 0.0, 0.25

    @quiet
    def link(self, eta: Any) -> np.ndarray:
        return logit(np.asarray(eta, dtype=np.float64))

    def log_slope(self, m: Any) -> np.ndarray:
        return log_expit(-np.asarray(m, dtype=np.float64))

    def probability(self, z: Any) -> np.ndarray:
        return expit(np.asarray(z, dtype=np.float64))

    def log_probability(self, z: Any) -> np.ndarray:
        return log_expit(np.asarray(z, dtype=np.float64))


class Exponential(MarginLoss):
    """φ(m) = e^(−m): the loss of AdaBoost, with a slope that grows without bound for wrong samples.

    φ'(m) = −e^(−m), φ''(m) = e^(−m), unbounded. The probability is η(z) = σ(2z).

    See Also
    --------
    sklearn.ensemble.AdaBoostClassifier : This loss, over sums of trees.

    References
    ----------
    Freund, Schapire (1997), A decision-theoretic generalization of on-line learning, J. Comput. Syst. Sci. 55;
    Friedman, Hastie, Tibshirani (2000), Additive logistic regression, Ann. Statist. 28, for the probability.

    Examples
    --------
    >>> from marginclf.losses import Exponential
    >>> print(Exponential().evaluate([-1.0, 0.0, 1.0])[0].round(4))
    [2.7183 1.     0.3679]
    """

    name = "exponential"
    formula = r"e^{-m}"
    source = "Freund, Schapire 1997"
    link_formula = r"\tfrac12 \log \tfrac{\eta}{1 - \eta}"

    def point(self, m: float) -> tuple[float, float, float]:
        e = exp(-m)
        return e, -e, e

    def slope_bounds(self) -> tuple[float, float]:
        return -np.inf, 0.0

    def inverse_slope(self, a: float) -> tuple[float, float]:
        return -math.log(a), -1.0 / a

    @quiet
    def link(self, eta: Any) -> np.ndarray:
        return 0.5 * logit(np.asarray(eta, dtype=np.float64))

    def log_slope(self, m: Any) -> np.ndarray:
        return -np.asarray(m, dtype=np.float64)

    @quiet
    def probability(self, z: Any) -> np.ndarray:
        return expit(2.0 * np.asarray(z, dtype=np.float64))

    @quiet
    def log_probability(self, z: Any) -> np.ndarray:
        return log_expit(2.0 * np.asarray(z, dtype=np.float64))
