"""Losses that are linear below a margin and decay as a power of it above."""

from __future__ import annotations

import math
from collections.abc import Callable
from numbers import Real
from typing import Any, ClassVar

import numpy as np
from scipy.special import logit
from sklearn.utils._param_validation import Interval

from .._process import quiet
from ..kernels.elementary import power
from .base import MarginLoss


class DWD(MarginLoss):
    """φ(m) = 1 − m for m ≤ q/(q+1); m^(−q) q^q/(q+1)^(q+1) above: distance-weighted discrimination.

    With k = q/(q+1) and r = k/m, above k: φ = r^q/(1+q), φ' = −r^(q+1), φ'' = r^(q+2) (q+1)²/q ≤ (q+1)²/q. It is
    lum with a = c = q. The probability follows from the slopes; it is ½ for all |z| ≤ k, which leaves ties in the
    probabilities where the decision values have none.

    Parameters
    ----------
    q : float, default=1.0
        Power with which the loss decays; positive. Large q approaches the hinge.

    See Also
    --------
    LUM : The family that has it as a = c = q.

    References
    ----------
    Marron, Todd, Ahn (2007), Distance-weighted discrimination, JASA 102;
    Wang, Zou (2018), Another look at distance-weighted discrimination, J. R. Stat. Soc. B 80.

    Examples
    --------
    >>> from marginclf.losses import DWD
    >>> print(DWD(q=1.0).evaluate([0.0, 0.5, 1.0])[0])
    [1.   0.5  0.25]
    """

    name = "dwd"
    formula = r"1 - m \text{ for } m \le \tfrac{q}{q+1};\; m^{-q} \tfrac{q^q}{(q+1)^{q+1}} \text{ above}"
    source = "Marron, Todd, Ahn 2007; Wang, Zou 2018"
    q: float = 1.0
    _parameter_constraints: ClassVar[dict[str, list]] = {"q": [Interval(Real, 0.0, None, closed="neither")]}

    def point(self, m: float) -> tuple[float, float, float]:
        k = self.q / (self.q + 1.0)
        if m <= k:
            return 1.0 - m, -1.0, 0.0
        r = k / m
        p = power(r, self.q)
        return p / (self.q + 1.0), -p * r, (self.q + 1.0) / k * p * r * r

    def slope_bounds(self) -> tuple[float, float]:
        return -1.0, 0.0

    def curvature_bounds(self) -> tuple[float, float]:
        return 0.0, (self.q + 1.0) ** 2 / self.q

    def inverse_slope(self, a: float) -> tuple[float, float]:
        m = self.q / (self.q + 1.0) * math.exp(-math.log(a) / (self.q + 1.0))
        return m, -m / ((self.q + 1.0) * a)

    @quiet
    def log_slope(self, m: Any) -> np.ndarray:
        k = self.q / (self.q + 1.0)
        return -(self.q + 1.0) * np.log(np.maximum(np.asarray(m, dtype=np.float64) / k, 1.0))


class LUM(MarginLoss):
    """φ(m) = 1 − m for m < c/(1+c); (1/(1+c)) (a/((1+c)m − c + a))^a above: the large-margin unified machine.

    With r = a/((1+c)m − c + a), above the kink: φ = r^a/(1+c), φ' = −r^(a+1), φ'' = r^(a+2) (1+c)(1+a)/a
    ≤ (1+c)(1+a)/a. c goes from soft (c = 0) to hard (c → ∞, the hinge) classification. The probability follows from
    the slopes; it is ½ for all |z| ≤ c/(1+c), which leaves ties in the probabilities where the decision values have
    none. It is proper for c = 0.

    Parameters
    ----------
    a : float, default=1.0
        Power with which the loss decays; positive.
    c : float, default=0.0
        Place of the kink, c/(1+c); not negative.

    See Also
    --------
    DWD : The same loss with a = c = q.

    References
    ----------
    Liu, Zhang, Wu (2011), Hard or soft classification? Large-margin unified machines, JASA 106.

    Examples
    --------
    >>> from marginclf.losses import LUM
    >>> print(LUM(a=1.0, c=0.0).evaluate([-1.0, 0.0, 1.0])[0])
    [2.  1.  0.5]
    """

    name = "lum"
    formula = (
        r"1 - m \text{ for } m < \tfrac{c}{1+c};\; "
        r"\tfrac{1}{1+c} \left(\tfrac{a}{(1+c)m - c + a}\right)^a \text{ above}"
    )
    source = "Liu, Zhang, Wu 2011"
    link_formula = r"a \left(\tfrac{\eta}{1 - \eta}\right)^{1/(1+a)} - a \text{ for } \eta \ge \tfrac12"
    a: float = 1.0
    c: float = 0.0
    _parameter_constraints: ClassVar[dict[str, list]] = {
        "a": [Interval(Real, 0.0, None, closed="neither")],
        "c": [Interval(Real, 0.0, None, closed="left")],
    }

    def point(self, m: float) -> tuple[float, float, float]:
        h = 1.0 + self.c
        k = self.c / h
        if m < k:
            return 1.0 - m, -1.0, 0.0
        # The base is 1 + x with x = 0 at the kink. Its rounding error matters to a power as large as a.
        x = (m - k) * (h / self.a)
        base = 1.0 + x
        lost = x - (base - 1.0) if x < 1.0 else 1.0 - (base - x)
        lost = lost / base if base < 1e16 else 0.0
        p = power(base, -self.a)
        p -= p * self.a * lost
        return p / h, -p / base, h * (1.0 + self.a) / self.a * (p / base / base)

    def slope_bounds(self) -> tuple[float, float]:
        return -1.0, 0.0

    def curvature_bounds(self) -> tuple[float, float]:
        return 0.0, (1.0 + self.c) * (1.0 + self.a) / self.a

    def inverse_slope(self, a: float) -> tuple[float, float]:
        h, base = 1.0 + self.c, math.exp(-math.log(a) / (1.0 + self.a))
        return (self.c + self.a * (base - 1.0)) / h, -self.a * base / (h * (1.0 + self.a) * a)

    @quiet
    def log_slope(self, m: Any) -> np.ndarray:
        m = np.asarray(m, dtype=np.float64)
        # (1 + c) m − c, which is zero at the kink, with the digits of 1 − m.
        return -(1.0 + self.a) * np.log1p(np.maximum(m - self.c * (1.0 - m), 0.0) / self.a)

    @property
    def link(self) -> Callable[[Any], np.ndarray] | None:  # type: ignore[override]
        return self._link if self.c == 0.0 else None

    @quiet
    def _link(self, eta: Any) -> np.ndarray:
        eta = np.asarray(eta, dtype=np.float64)
        p = np.maximum(eta, 1.0 - eta)
        z = self.a * np.expm1(logit(p) / (1.0 + self.a))
        return np.copysign(z, eta - 0.5)
