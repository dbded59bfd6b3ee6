"""How much an amount of F is at a point: beside F itself, and beside what its coefficients have gained."""

from __future__ import annotations

import math

import numpy as np

_ROUNDING = 64.0 * np.finfo(float).eps
"""What adding up the rows may change of F, relative to it; measured up to 8 ulp on a million rows."""

_UNDERFLOW = 1e-290
"""A gain whose rounding is no longer in proportion to it: it is a sum of squares that underflow."""


class Measured:
    """A point of an objective, as far as amounts of F are measured by it.

    Attributes
    ----------
    value : float
        F.
    suboptimality : float
        Proven bound on (F − F*)/|F|; NaN where nothing can be proved.
    gain : float
        F(0, b₀) − F, at least, with the best b₀: what the coefficients are good for. Infinite where it is not known,
        and then F alone is the measure.
    """

    value: float
    suboptimality: float
    gain: float

    def relative(self, amount: float) -> float:
        """An amount of F as a fraction of |F|, with 0/0 = 0."""
        if amount == 0.0:
            return 0.0
        return amount / abs(self.value) if self.value else math.inf

    def unreached(self, amount: float) -> float:
        """An amount of F as a fraction of |F| or of the gain, whichever is less, with 0/0 = 0.

        Where C is tiny, nothing that coefficients do is much beside F: zero would pass for the optimum.
        """
        if amount == 0.0:
            return 0.0
        scale = min(abs(self.value), max(self.gain, _UNDERFLOW))
        return amount / scale if scale > 0.0 else math.inf

    @property
    def excess(self) -> float:
        """What is proven of the suboptimality, by that measure: what tol is compared with."""
        return self.unreached(self.suboptimality * abs(self.value)) if self.value else self.suboptimality


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


def by_duality(w: np.ndarray, miss: float, gap: float) -> float:
    """What convexity says of the gain where dual variables make w but for a gradient g: ½(‖w‖ − ‖g‖)² less their gap.

    Parameters
    ----------
    w : ndarray
        Coefficients, of any shape.
    miss : float
        ½‖g‖².
    gap : float
        The duality gap.
    """
    return 0.5 * max(float(np.linalg.norm(w)) - math.sqrt(2.0 * miss), 0.0) ** 2 - gap
