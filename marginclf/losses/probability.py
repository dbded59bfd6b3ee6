"""Probabilities and their logarithms: both sides of a decision value, and many classes, without 1 − η."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from scipy.special import log_expit

from .._process import quiet
from .properties import replaceable

_LOG_TINY = float(np.log(np.finfo(float).smallest_subnormal))

_UNDERFLOW = 1e-280
"""Far above the numbers that have lost digits."""

_GRID = np.concatenate([[0.0], np.geomspace(1e-3, 1e3, 31)])
_ROUNDING = 16.0 * np.finfo(float).eps
"""Where, and how nearly, η(z) + η(−z) must be 1 to be taken for symmetric: each side has eight units of rounding."""


def from_slopes(slope: np.ndarray, opposite: np.ndarray, z: np.ndarray) -> np.ndarray:
    """η(z) from φ'(z) and φ'(−z); a slope above zero counts as zero, which is what clipping η to [0, 1] means."""
    slope, opposite = np.minimum(slope, 0.0), np.minimum(opposite, 0.0)
    eta = opposite / (slope + opposite)
    # 0/0 and ∞/∞ far from zero: the limit is a step. A slope of zero over a negative one is −0: it is printed.
    return np.where(np.isnan(eta), np.heaviside(z, 0.5), eta) + 0.0


def log_from_slopes(log_slope: np.ndarray, log_opposite: np.ndarray, z: np.ndarray) -> np.ndarray:
    """log η(z) from log(−φ'(z)) and log(−φ'(−z))."""
    found = log_expit(log_opposite - log_slope)
    return np.where(np.isnan(found), np.log(np.heaviside(z, 0.5)), found) + 0.0


def log_of(eta: Any, rest: Any) -> np.ndarray:
    """log η, from the smaller of η and the rest 1 − η that has digits of its own."""
    eta, rest = np.asarray(eta, dtype=np.float64), np.asarray(rest, dtype=np.float64)
    symmetric = np.abs(eta + rest - 1.0) <= _ROUNDING
    return np.where((eta > 0.5) & symmetric, np.log1p(-rest), np.log(eta)) + 0.0


def joint_log_weights(z: np.ndarray, log_slope: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    """log(η_k / η_t) of each class k, t being that of the largest decision value; the formula of the joint margin.

    With q the softmax over the classes other than t, m the margins and σ the logistic function,
    η_k / η_t = q_k σ(−m_k) / σ(m_t) · φ'(m_t)/φ'(m_k): the probabilities p_k = σ(m_k) themselves, of which one is
    nearly 1, do not enter.

    Parameters
    ----------
    z : ndarray of shape (n, K)
        Decision values.
    log_slope : function
        log(−φ'(m)).
    """
    rows, first = np.arange(len(z)), z.argmax(axis=1)
    others = z.copy()
    others[rows, first] = -np.inf
    second = others.argmax(axis=1)
    top, next_to = z[rows, first, None], z[rows, second, None]
    # Differences of decision values keep the digits that the values themselves share.
    log_q = others - next_to
    rest = np.exp(log_q)
    rest[rows, second] = 0.0
    log_rest = np.log1p(rest.sum(axis=1, keepdims=True))
    log_q -= log_rest
    d = others - top
    e = np.exp(d)
    m = d - np.log1p(np.maximum(e.sum(axis=1, keepdims=True) - e, 0.0))
    m_top = (top - next_to) - log_rest
    m[rows, first] = m_top[:, 0]
    pull = np.asarray(log_slope(m), dtype=np.float64)
    # A slope that underflows on the wrong side is tiny.
    pull = np.where(np.isneginf(pull) & (m <= 0.0), _LOG_TINY, pull)
    w = log_q - np.log1p(np.exp(m)) + np.log1p(np.exp(-m_top)) + (pull[rows, first, None] - pull)
    w[rows, first] = 0.0
    return w


def log_shares(w: np.ndarray) -> np.ndarray:
    """w − log Σ e^w in each row; where all are −∞, all shares are the same."""
    rows, first = np.arange(len(w)), w.argmax(axis=1)
    top = w[rows, first, None]
    w = np.where(np.isneginf(top), 0.0, w - top)
    e = np.exp(w)
    e[rows, first] = 0.0
    return w - np.log1p(e.sum(axis=1, keepdims=True))


def shares(w: np.ndarray) -> np.ndarray:
    """e^w / Σ e^w in each row; where all are −∞, all shares are the same."""
    e = np.exp(log_shares(w))
    return e / e.sum(axis=1, keepdims=True)


def is_own(loss: Any, name: str) -> bool:
    """Whether the class of a loss has written one of the methods of :class:`Probabilities` itself."""
    return getattr(getattr(loss, name), "__func__", None) is not getattr(Probabilities, name)


def is_symmetric(loss: Any) -> bool:
    """Whether η(z) + η(−z) = 1: so by the formula of slopes, and as a user's own formula may not be."""
    if not is_own(loss, "probability"):
        return True
    return bool((np.abs(np.asarray(loss.probability(_GRID)) + loss.probability(-_GRID) - 1.0) <= _ROUNDING).all())


@quiet
def two_classes(loss: Any, z: np.ndarray) -> np.ndarray:
    """1 − η(z) and η(z), of shape (n, 2); the first as η(−z), whose digits 1 − η does not have."""
    eta = loss.probability(z)
    return np.column_stack([loss.probability(-z) if is_symmetric(loss) else 1.0 - eta, eta])


@quiet
def log_two_classes(loss: Any, z: np.ndarray) -> np.ndarray:
    """Their logarithms."""
    log_eta = loss.log_probability(z)
    opposite = loss.log_probability(-z) if is_symmetric(loss) else np.log(-np.expm1(log_eta)) + 0.0
    return np.column_stack([opposite, log_eta]) + 0.0


@quiet
def one_vs_rest(loss: Any, z: np.ndarray) -> np.ndarray:
    """η(z_k) / Σ η(z_k) in each row; by logarithms where all of them underflow, or nearly."""
    eta = loss.probability(z)
    total = eta.sum(axis=1, keepdims=True)
    found = eta / total
    lost = ~(total[:, 0] > _UNDERFLOW)
    if lost.any():
        found[lost] = shares(loss.log_probability(z[lost]))
    return found


_LOGARITHMS = {
    "point": "log_slope",
    "probability": "log_probability",
    "joint_probability": "joint_log_probability",
}
"""Methods of a loss, and the logarithms of what they return."""


class Probabilities:
    """Methods of a loss that say what its decision values mean: from its slopes, where it has no formula for them."""

    evaluate: Callable[[Any], tuple[np.ndarray, np.ndarray, np.ndarray]]

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        # By the slopes of a kink, η would be 0, ½ or 1 and no number for anybody.
        if getattr(cls, "prox", None) is not None and cls.probability is Probabilities.probability:
            setattr(cls, "probability", None)  # noqa: B010 (a method that is None, to mypy)
        # A logarithm that is inherited belongs to the formula beside which it was written, not to a new one.
        for formula, logarithm in _LOGARITHMS.items():
            if formula in cls.__dict__ and logarithm not in cls.__dict__:
                missing = cls.__dict__[formula] is None
                setattr(cls, logarithm, None if missing else getattr(Probabilities, logarithm))

    @quiet
    def log_slope(self, m: Any) -> np.ndarray:
        """log(−φ'(m)); −inf where the slope is not negative.

        By default the logarithm of the slope. Write it where a slope underflows or overflows before its logarithm is
        large: the logarithms of probabilities are made of it.

        Parameters
        ----------
        m : array-like
            Margins.

        Returns
        -------
        ndarray of float64
            Of the same shape.

        Examples
        --------
        >>> from marginclf.losses import Logistic
        >>> print(Logistic().log_slope([1000.0]))
        [-1000.]
        """
        return np.log(np.maximum(-self.evaluate(m)[1], 0.0))

    @replaceable
    @quiet
    def probability(self, z: Any) -> np.ndarray:
        """Probability η(z) of the positive class at decision value z.

        η(z) = φ'(−z) / (φ'(z) + φ'(−z)), clipped to [0, 1]: where the expected loss at a point is smallest. Hence
        η(z) + η(−z) = 1, and the probability of the negative class is η(−z).
        ``None`` in place of this method says that the loss has no probability, as by default one with a ``prox``.

        Parameters
        ----------
        z : array-like
            Decision values.

        Returns
        -------
        ndarray of float64
            Probabilities, of the same shape.

        Examples
        --------
        >>> from marginclf.losses import Hinge, Logistic, Squared
        >>> print(Logistic().probability([0.0, 2.0]).round(3), Squared().probability([0.0, 2.0]), Hinge().probability)
        [0.5   0.881] [0.5 1. ] None
        """
        z = np.asarray(z, dtype=np.float64)
        return from_slopes(self.evaluate(z)[1], self.evaluate(-z)[1], z)

    @replaceable
    @quiet
    def log_probability(self, z: Any) -> np.ndarray:
        """log η(z), also where η(z) underflows; −inf where it is 0.

        By default log η(z) = −log(1 + φ'(z)/φ'(−z)), from ``log_slope``. Of a loss that has written ``probability``,
        and no ``log_probability`` with it, the logarithm of that.

        Parameters
        ----------
        z : array-like
            Decision values.

        Returns
        -------
        ndarray of float64
            Log-probabilities, of the same shape.

        Examples
        --------
        >>> from marginclf.losses import Logistic
        >>> print(Logistic().log_probability([-1000.0, -2000.0]))
        [-1000. -2000.]
        """
        z = np.asarray(z, dtype=np.float64)
        if is_own(self, "probability"):
            return log_of(self.probability(z), self.probability(-z))
        return log_from_slopes(self.log_slope(z), self.log_slope(-z), z)

    @replaceable
    @quiet
    def joint_probability(self, z: Any) -> np.ndarray:
        """Probabilities of K classes from their decision values, for a fit with one joint margin.

        η_k ∝ p_k (1 − p_k) / (−φ'(m_k)) with p the softmax of z and m_k = log(p_k / (1 − p_k)): where the expected
        loss at a point is smallest. A class with m_k > 0 and φ'(m_k) = 0 has probability 1.
        ``None`` in place of this method says that the loss has no such probability.

        Parameters
        ----------
        z : array-like of shape (n, K)
            Decision values.

        Returns
        -------
        ndarray of shape (n, K)
            Probabilities; each row adds up to 1.

        Examples
        --------
        >>> from marginclf.losses import Logistic
        >>> print(Logistic().joint_probability([[0.0, 0.0, 1.0]]).round(3))
        [[0.212 0.212 0.576]]
        """
        return shares(self.joint_log_probability(z))

    @replaceable
    @quiet
    def joint_log_probability(self, z: Any) -> np.ndarray:
        """Logarithms of the probabilities of K classes, also where those underflow; −inf where they are 0.

        By default from the same formula and ``log_slope``. Of a loss that has written ``joint_probability``, and no
        ``joint_log_probability`` with it, the logarithm of that.

        Parameters
        ----------
        z : array-like of shape (n, K)
            Decision values.

        Returns
        -------
        ndarray of shape (n, K)
            Log-probabilities.

        Examples
        --------
        >>> from marginclf.losses import Logistic
        >>> print(Logistic().joint_log_probability([[0.0, -1000.0]]))
        [[    0. -1000.]]
        """
        z = np.asarray(z, dtype=np.float64)
        if is_own(self, "joint_probability"):
            return np.log(self.joint_probability(z))
        return log_shares(joint_log_weights(z, self.log_slope))
