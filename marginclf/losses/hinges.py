"""The hinge and its smooth relatives: nothing is asked of a sample beyond margin 1."""

from __future__ import annotations

from collections.abc import Callable
from numbers import Real
from typing import Any, ClassVar

import numpy as np
from sklearn.utils._param_validation import Interval

from .._process import quiet
from .base import MarginLoss, clipped_half, half_link


class Hinge(MarginLoss):
    """φ(m) = max(0, 1 − m): the loss of the support vector machine.

    φ'(m) = −1 for m < 1 and 0 above, with a kink at 1. Rows at the kink have multipliers between 0 and 1. There is no
    probability, because η would be a step. The proof of the optimum is a duality gap. If a whole interval of intercepts
    is optimal, the fit takes its midpoint.

    See Also
    --------
    sklearn.svm.LinearSVC : With ``loss="hinge"`` the same loss, and a penalised intercept.
    sklearn.svm.SVC : With ``kernel="linear"`` the same optimum.

    References
    ----------
    Cortes, Vapnik (1995), Support-vector networks, Machine Learning 20.

    Examples
    --------
    >>> from marginclf.losses import Hinge
    >>> print(Hinge().evaluate([0.0, 0.75, 1.0])[0])
    [1.   0.25 0.  ]
    """

    name = "hinge"
    formula = r"\max(0, 1 - m)"
    source = "Cortes, Vapnik 1995"
    probability = None

    def point(self, m: float) -> tuple[float, float, float]:
        t = 1.0 - m
        if t <= 0.0:
            return 0.0, 0.0, 0.0
        return t, -1.0, 0.0

    def slope_bounds(self) -> tuple[float, float]:
        return -1.0, 0.0

    def inverse_slope(self, a: float) -> tuple[float, float]:
        return 1.0, 0.0

    def prox(self, v: float, kappa: float) -> float:
        """The u that minimises φ(u) + (u − v)²/(2 kappa)."""
        if v >= 1.0:
            return v
        return min(v + kappa, 1.0)

    def smoothed(self, gamma: float) -> MarginLoss:
        return SmoothHinge(gamma)


class SquaredHinge(MarginLoss):
    """φ(m) = max(0, 1 − m)².

    φ'(m) = −2 max(0, 1 − m), φ''(m) = 2 for m < 1 and 0 above. The probability is η(z) = (1 + z)/2, clipped to
    [0, 1].

    See Also
    --------
    sklearn.svm.LinearSVC : The same loss by default, and a penalised intercept.

    References
    ----------
    Chang, Hsieh, Lin (2008), Coordinate descent method for large-scale L2-loss linear SVM, JMLR 9;
    Zhang (2004), Statistical behavior and consistency of classification methods, Ann. Statist. 32, for η.

    Examples
    --------
    >>> from marginclf.losses import SquaredHinge
    >>> print(SquaredHinge().evaluate([0.0, 0.5, 1.0])[0])
    [1.   0.25 0.  ]
    """

    name = "squared_hinge"
    formula = r"\max(0, 1 - m)^2"
    source = "Chang, Hsieh, Lin 2008"
    link_formula = r"2\eta - 1"

    def point(self, m: float) -> tuple[float, float, float]:
        t = 1.0 - m
        if t <= 0.0:
            return 0.0, 0.0, 0.0
        return t * t, -2.0 * t, 2.0

    def slope_bounds(self) -> tuple[float, float]:
        return -np.inf, 0.0

    def curvature_bounds(self) -> tuple[float, float]:
        return 0.0, 2.0

    def inverse_slope(self, a: float) -> tuple[float, float]:
        return 1.0 - 0.5 * a, -0.5

    def link(self, eta: Any) -> np.ndarray:
        return half_link(eta)

    def probability(self, z: Any) -> np.ndarray:
        return clipped_half(z)


class SmoothHinge(MarginLoss):
    """φ(m) = 0 for m ≥ 1; (1 − m)²/(2γ) for 1 − γ < m < 1; 1 − m − γ/2 below: the hinge, rounded off within γ.

    φ'(m) goes linearly from −1 to 0 over the width γ, φ''(m) = 1/γ inside. The probability follows from the slopes;
    it is ½ for all |z| ≤ 1 − γ, which leaves ties in the probabilities where the decision values have none.
    It is proper for γ ≥ 1.

    Parameters
    ----------
    gamma : float, default=1.0
        Width γ of the rounding, in units of the margin; positive.

    See Also
    --------
    Hinge : The limit as γ goes to 0; scikit-learn has no smooth one.

    References
    ----------
    Rennie, Srebro (2005), Loss functions for preference levels, IJCAI workshop;
    Shalev-Shwartz, Zhang (2013), Stochastic dual coordinate ascent methods, JMLR 14.

    Examples
    --------
    >>> from marginclf.losses import SmoothHinge
    >>> print(SmoothHinge(gamma=0.5).evaluate([0.0, 0.75, 1.0])[0])
    [0.75   0.0625 0.    ]
    """

    name = "smooth_hinge"
    formula = (
        r"0 \text{ for } m \ge 1;\; \tfrac{(1-m)^2}{2\gamma} \text{ for } 1-\gamma < m < 1;\; "
        r"1 - m - \tfrac{\gamma}{2} \text{ below}"
    )
    source = "Rennie, Srebro 2005; Shalev-Shwartz, Zhang 2013"
    link_formula = r"2 - 1/\eta \text{ for } \eta \ge \tfrac12,\; 1/(1-\eta) - 2 \text{ below}"
    gamma: float = 1.0
    _parameter_constraints: ClassVar[dict[str, list]] = {"gamma": [Interval(Real, 0.0, None, closed="neither")]}

    def point(self, m: float) -> tuple[float, float, float]:
        t = 1.0 - m
        if t <= 0.0:
            return 0.0, 0.0, 0.0
        # On m, not on t: with γ = 1 the kink is at zero, and 1 − m cannot tell small margins from it.
        if m <= 1.0 - self.gamma:
            return t - 0.5 * self.gamma, -1.0, 0.0
        u = t / self.gamma
        return 0.5 * t * u, -u, 1.0 / self.gamma

    def slope_bounds(self) -> tuple[float, float]:
        return -1.0, 0.0

    def curvature_bounds(self) -> tuple[float, float]:
        return 0.0, 1.0 / self.gamma

    def inverse_slope(self, a: float) -> tuple[float, float]:
        return 1.0 - self.gamma * a, -self.gamma

    @property
    def link(self) -> Callable[[Any], np.ndarray] | None:  # type: ignore[override]
        return self._link if self.gamma >= 1.0 else None

    @quiet
    def _link(self, eta: Any) -> np.ndarray:
        eta = np.asarray(eta, dtype=np.float64)
        p = np.maximum(eta, 1.0 - eta)
        # Up to γ/2 both slopes are those of the parabola.
        z = np.where(p <= 0.5 * self.gamma, 2.0 * p - 1.0, 1.0 - self.gamma * (1.0 / p - 1.0))
        return np.copysign(z, eta - 0.5)


class ModifiedHuber(MarginLoss):
    """φ(m) = max(0, 1 − m)² for m ≥ −1, −4m below: a squared hinge with a bounded slope, for outliers.

    φ'(m) = −2 max(0, 1 − m), −4 below; φ''(m) = 2 for −1 ≤ m < 1. The probability is η(z) = (1 + z)/2, clipped to
    [0, 1].

    See Also
    --------
    sklearn.linear_model.SGDClassifier : The same loss with ``loss="modified_huber"``.

    References
    ----------
    Zhang (2004), Statistical behavior and consistency of classification methods, Ann. Statist. 32.

    Examples
    --------
    >>> from marginclf.losses import ModifiedHuber
    >>> print(ModifiedHuber().evaluate([-2.0, 0.0, 1.0])[1])
    [-4. -2.  0.]
    """

    name = "modified_huber"
    formula = r"\max(0, 1 - m)^2 \text{ for } m \ge -1;\; -4m \text{ below}"
    source = "Zhang 2004"
    link_formula = r"2\eta - 1"

    def point(self, m: float) -> tuple[float, float, float]:
        t = 1.0 - m
        if t <= 0.0:
            return 0.0, 0.0, 0.0
        if m < -1.0:
            return -4.0 * m, -4.0, 0.0
        return t * t, -2.0 * t, 2.0

    def slope_bounds(self) -> tuple[float, float]:
        return -4.0, 0.0

    def curvature_bounds(self) -> tuple[float, float]:
        return 0.0, 2.0

    def inverse_slope(self, a: float) -> tuple[float, float]:
        return 1.0 - 0.5 * a, -0.5

    def link(self, eta: Any) -> np.ndarray:
        return half_link(eta)

    def probability(self, z: Any) -> np.ndarray:
        return clipped_half(z)
