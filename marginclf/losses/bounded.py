"""Bounded losses: an outlier cannot cost more than a constant, and in exchange none of them is convex.

They have many stationary points. A fit starts from the optimum of the logistic loss and ends at a stationary point.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from numbers import Real
from typing import Any, ClassVar

import numpy as np
from scipy.special import expit, log_expit, logit
from sklearn.utils._param_validation import Interval

from .._process import quiet
from ..kernels.elementary import arctan, exp, expm1, log1p
from .base import MarginLoss

_TAN_HALF, _TAN_HALF_REST = 0.5463024898437905, 2.9096576216837176e-17


class Savage(MarginLoss):
    """φ(m) = 1/(1 + e^(2m))²: bounded by 1.

    With s = 1/(1 + e^(2m)): φ' = −4 s²(1 − s), φ'' = 8 s²(1 − s)(2 − 3s), between −0.481 and 0.617. The probability
    is η(z) = σ(2z). Not convex: a fit ends at a stationary point.

    References
    ----------
    Masnadi-Shirazi, Vasconcelos (2008), On the design of loss functions for classification, NIPS.

    Examples
    --------
    >>> from marginclf.losses import Savage
    >>> print(Savage().evaluate([-5.0, 0.0, 5.0])[0].round(4))
    [0.9999 0.25   0.    ]
    """

    name = "savage"
    formula = r"1/(1 + e^{2m})^2"
    source = "Masnadi-Shirazi, Vasconcelos 2008"
    convex = False
    saturating = True
    link_formula = r"\tfrac12 \log \tfrac{\eta}{1 - \eta}"

    # With three classes, the minimum of the expected loss lies at infinity.
    joint_probability = None

    def point(self, m: float) -> tuple[float, float, float]:
        t = exp(-2.0 * abs(m))
        d = 1.0 + t
        d2 = d * d
        # With s = 1/d for m ≤ 0 and t/d above: s², s²(1 − s) d³ and (2 − 3s) d, none by a difference that cancels.
        if m > 0.0:
            a, b, k = t * t, t * t, 2.0 - t
        else:
            a, b, k = 1.0, t, 2.0 * t - 1.0
        return a / d2, -4.0 * b / (d2 * d), 8.0 * b * k / (d2 * d2)

    def slope_bounds(self) -> tuple[float, float]:
        return -16.0 / 27.0, 0.0  # at s = 2/3

    def curvature_bounds(self) -> tuple[float, float]:
        # φ'' = 8 s²(1 − s)(2 − 3s) is stationary in s at s = (15 ± √33)/24.
        low, high = ((15.0 + sign * math.sqrt(33.0)) / 24.0 for sign in (1.0, -1.0))
        return tuple(8.0 * s * s * (1.0 - s) * (2.0 - 3.0 * s) for s in (low, high))  # type: ignore[return-value]

    @quiet
    def link(self, eta: Any) -> np.ndarray:
        return 0.5 * logit(np.asarray(eta, dtype=np.float64))

    @quiet
    def probability(self, z: Any) -> np.ndarray:
        return expit(2.0 * np.asarray(z, dtype=np.float64))

    @quiet
    def log_probability(self, z: Any) -> np.ndarray:
        return log_expit(2.0 * np.asarray(z, dtype=np.float64))


class Tangent(MarginLoss):
    """φ(m) = (2 arctan m − 1)²: bounded by (π + 1)²; rises again above m = tan ½.

    With k = 2 arctan m − 1: φ' = 4k/(1 + m²), φ'' = 8(1 − m k)/(1 + m²)², between −3.18 and 8.49. The probability is
    η(z) = ½ + arctan z, clipped to [0, 1]. Not convex: a fit ends at a stationary point.

    References
    ----------
    Masnadi-Shirazi, Mahadevan, Vasconcelos (2010), On the design of robust classifiers for computer vision, CVPR.

    Examples
    --------
    >>> from marginclf.losses import Tangent
    >>> print(Tangent().evaluate([0.0, 1.0])[0].round(4))
    [1.     0.3258]
    """

    name = "tangent"
    formula = r"(2 \arctan m - 1)^2"
    source = "Masnadi-Shirazi, Mahadevan, Vasconcelos 2010"
    convex = False
    saturating = True
    link_formula = r"\tan(\eta - \tfrac12)"

    def point(self, m: float) -> tuple[float, float, float]:
        k = 2.0 * arctan(m) - 1.0
        r = 1.0 / (1.0 + m * m)
        # r (r − m r k), not (1 − m k) r²: the square of 1 + m² overflows long before φ'' is negligible.
        return k * k, 4.0 * k * r, 8.0 * r * (r - m * r * k)

    def slope_bounds(self) -> tuple[float, float]:
        # Where m (2 arctan m − 1) = 1, which has no closed form either.
        return -6.168571308828052, 1.2364989609969619

    def curvature_bounds(self) -> tuple[float, float]:
        # The extremes lie at m = −1.0697182 and 0.1209793, roots of φ''' that have no closed form.
        return -3.1701838520954331, 8.4846121572788354

    @quiet
    def link(self, eta: Any) -> np.ndarray:
        return np.tan(np.asarray(eta, dtype=np.float64) - 0.5)

    @quiet
    def probability(self, z: Any) -> np.ndarray:
        z = np.asarray(z, dtype=np.float64)
        # ½ + arctan z, where that cancels as one arctangent, with tan ½ in two parts.
        near_zero = np.arctan(((z + _TAN_HALF) + _TAN_HALF_REST) / (1.0 - _TAN_HALF * z))
        return np.clip(np.where(z < -0.25, near_zero, 0.5 + np.arctan(z)), 0.0, 1.0)


class Sigmoid(MarginLoss):
    """φ(m) = 1/(1 + e^m): the 0–1 loss, smoothed.

    With s = φ(m): φ' = −s(1 − s), φ'' = s(1 − s)(1 − 2s), within ±√3/18. It has no probability. Not convex: a fit ends
    at a stationary point. With an intercept and unbalanced classes there may be none, because the intercept diverges;
    ``status_`` then says so.

    See Also
    --------
    GeneralizedCrossEntropy : The same loss with q = 1.

    References
    ----------
    Mason, Baxter, Bartlett, Frean (1999), Boosting algorithms as gradient descent, NIPS.

    Examples
    --------
    >>> from marginclf.losses import Sigmoid
    >>> print(Sigmoid().evaluate([-5.0, 0.0, 5.0])[0].round(4))
    [0.9933 0.5    0.0067]
    """

    name = "sigmoid"
    formula = r"1/(1 + e^{m})"
    source = "Mason, Baxter, Bartlett, Frean 1999"
    convex = False
    saturating = True
    noise_symmetric = True
    probability = None
    joint_probability = None

    def point(self, m: float) -> tuple[float, float, float]:
        t = exp(-abs(m))
        u = 1.0 / (1.0 + t)
        # |1 − 2s| = (1 − t) u; expm1 keeps its digits near m = 0, where φ'' changes sign.
        k = -expm1(-abs(m)) * u
        if m > 0.0:
            return t * u, -t * u * u, t * u * u * k
        return u, -t * u * u, -t * u * u * k

    def slope_bounds(self) -> tuple[float, float]:
        return -0.25, 0.0

    def curvature_bounds(self) -> tuple[float, float]:
        return -math.sqrt(3.0) / 18.0, math.sqrt(3.0) / 18.0


class GeneralizedCrossEntropy(MarginLoss):
    """φ(m) = (1 − σ(m)^q)/q: between cross-entropy (q → 0) and the sigmoid loss (q = 1); bounded by 1/q.

    With σ = σ(m): φ' = −σ^q (1 − σ), φ'' = σ^q (1 − σ)(σ − q(1 − σ)). The probability is η(z) = σ((1 − q) z); with
    q = 1 there is none. Not convex: a fit ends at a stationary point.

    Parameters
    ----------
    q : float, default=0.7
        Robustness, 0 < q ≤ 1.

    See Also
    --------
    Logistic : The limit as q goes to 0.
    Sigmoid : The same loss with q = 1.

    References
    ----------
    Zhang, Sabuncu (2018), Generalized cross entropy loss for training deep neural networks with noisy labels, NeurIPS.

    Examples
    --------
    >>> from marginclf.losses import GeneralizedCrossEntropy
    >>> print(GeneralizedCrossEntropy(q=0.5).evaluate([-100.0, 0.0])[0].round(4))
    [2.     0.5858]
    """

    name = "generalized_cross_entropy"
    formula = r"(1 - \sigma(m)^q)/q"
    source = "Zhang, Sabuncu 2018"
    convex = False
    saturating = True
    link_formula = r"\tfrac{1}{1 - q} \log \tfrac{\eta}{1 - \eta}"
    q: float = 0.7
    _parameter_constraints: ClassVar[dict[str, list]] = {"q": [Interval(Real, 0.0, 1.0, closed="right")]}

    def point(self, m: float) -> tuple[float, float, float]:
        q = self.q
        t = exp(-abs(m))
        u = 1.0 / (1.0 + t)
        e = expm1(-abs(m))
        # log σ, 1 − σ and σ − q(1 − σ), each without cancellation.
        if m > 0.0:
            log_sigma = -log1p(t)
            o = t * u
            k = ((1.0 - q) - q * e) * u
        else:
            log_sigma = m - log1p(t)
            o = u
            k = (e + (1.0 - q)) * u if t > 0.5 else (t - q) * u
        x = q * log_sigma
        p = exp(x)
        return -expm1(x) / q, -p * o, p * o * k

    def slope_bounds(self) -> tuple[float, float]:
        q = float(self.q)
        return -((q / (1.0 + q)) ** q) / (1.0 + q), 0.0  # at σ = q/(1 + q)

    def curvature_bounds(self) -> tuple[float, float]:
        # In σ, φ'' is stationary where (1+q)(2+q) σ² − (1+q)(1+2q) σ + q² = 0.
        q = float(self.q)
        a, b, c = (1.0 + q) * (2.0 + q), (1.0 + q) * (1.0 + 2.0 * q), q * q
        root = math.sqrt(b * b - 4.0 * a * c)
        low, high = (b - root) / (2.0 * a), (b + root) / (2.0 * a)
        return tuple(s**q * (1.0 - s) * (s - q * (1.0 - s)) for s in (low, high))  # type: ignore[return-value]

    @property
    def noise_symmetric(self) -> bool:  # type: ignore[override]
        return bool(self.q == 1.0)

    @property
    def link(self) -> Callable[[Any], np.ndarray] | None:  # type: ignore[override]
        return None if self.q == 1.0 else self._link

    @quiet
    def _link(self, eta: Any) -> np.ndarray:
        return logit(np.asarray(eta, dtype=np.float64)) / (1.0 - self.q)

    @quiet
    def log_slope(self, m: Any) -> np.ndarray:
        m = np.asarray(m, dtype=np.float64)
        return self.q * log_expit(m) + log_expit(-m)

    @property
    def probability(self) -> Callable[[Any], np.ndarray] | None:
        return None if self.q == 1.0 else self._probability

    @quiet
    def _probability(self, z: Any) -> np.ndarray:
        return expit((1.0 - self.q) * np.asarray(z, dtype=np.float64))

    @property
    def log_probability(self) -> Callable[[Any], np.ndarray] | None:
        return None if self.q == 1.0 else self._log_probability

    @quiet
    def _log_probability(self, z: Any) -> np.ndarray:
        return log_expit((1.0 - self.q) * np.asarray(z, dtype=np.float64))
