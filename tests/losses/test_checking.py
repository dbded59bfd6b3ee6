"""check_margin_loss: every kind of mistake is named, at a margin, in a sentence; what is right passes."""

import math

import numpy as np
import pytest
from references import LOSSES

from marginclf.losses import Hinge, Logistic, MarginLoss, SmoothHinge, check_margin_loss


@pytest.mark.parametrize("loss", LOSSES)
def test_the_catalogue_passes(loss):
    text = str(check_margin_loss(loss))
    assert repr(loss) in text
    assert "slope: agrees with differences of the value" in text


class WrongSlope(MarginLoss):
    def point(self, m):
        t = max(0.0, 1.0 - m)
        return t * t, -t, 2.0 if t > 0.0 else 0.0


class WrongCurvature(MarginLoss):
    def point(self, m):
        t = max(0.0, 1.0 - m)
        return t * t, -2.0 * t, 1.0 if t > 0.0 else 0.0


class WrongSign(MarginLoss):
    # Right everywhere but on one side of 2.
    def point(self, m):
        e = math.exp(-m) if m < 700.0 else 0.0
        return e, (e if 2.0 < m < 5.0 else -e), e


class NotConvex(MarginLoss):
    def point(self, m):
        return math.tanh(-m), -1.0 / math.cosh(m) ** 2 if abs(m) < 300 else -0.0, self._curvature(m)

    @staticmethod
    def _curvature(m):
        return 2.0 * math.tanh(m) / math.cosh(m) ** 2 if abs(m) < 300 else 0.0


class FallsForEver(MarginLoss):
    def point(self, m):
        return -2.0 * m, -2.0, 0.0

    def curvature_bounds(self):
        return 0.0, 0.0


class ConstantSlope(MarginLoss):
    bounded_below = False

    def point(self, m):
        return -2.0 * m, -2.0, 0.0


class KinkWithoutProx(MarginLoss):
    def point(self, m):
        return (1.0 - m, -1.0, 0.0) if m < 1.0 else (0.0, 0.0, 0.0)


class WrongProx(Hinge):
    def prox(self, v, kappa):
        return v if v >= 1.0 else min(v + 2.0 * kappa, 1.0)


class ProxNaN(Hinge):
    def prox(self, v, kappa):
        return math.nan


class Overflows(MarginLoss):
    def point(self, m):
        e = math.exp(-m)
        return math.log(1.0 + e), -e / (1.0 + e), e / (1.0 + e) ** 2


class NaNFarOut(MarginLoss):
    def point(self, m):
        with np.errstate(all="ignore"):
            e = float(np.exp(-m))
        return math.log1p(min(e, 1e300)) if m > -600 else -m, -e / (1.0 + e), 0.25 * e / (1.0 + e)


class TooNarrowBounds(Logistic):
    def curvature_bounds(self):
        return 0.0, 0.2


class TooNarrowSlopes(Logistic):
    def slope_bounds(self):
        return -0.5, 0.0


class NotSymmetric(Logistic):
    noise_symmetric = True


class NotSaturating(Logistic):
    saturating = True


class Random(MarginLoss):
    def point(self, m):
        return -m + np.random.default_rng().random(), -1.0, 0.0


class TwoNumbers(MarginLoss):
    def point(self, m):
        return -m, -1.0


class Text(MarginLoss):
    def point(self, m):
        return -m, "-1", 0.0


class Array(MarginLoss):
    def point(self, m):
        return np.array([-m]), -1.0, 0.0


class Divides(MarginLoss):
    def point(self, m):
        return 1.0 / m, -1.0 / m**2, 2.0 / m**3


class Unannotated(MarginLoss):
    tau = 0.9

    def point(self, m):
        t = max(0.0, self.tau - m)
        return t * t, -2.0 * t, 2.0 if t > 0.0 else 0.0


class Method(MarginLoss):
    def h(self, m):
        return max(0.0, 1.0 - m)

    def point(self, m):
        t = self.h(m)
        return t * t, -2.0 * t, 2.0 if t > 0.0 else 0.0


class Forgotten(MarginLoss):
    def point(self, m):
        return self.tau - m, -1.0, 0.0


class WrongInverse(MarginLoss):
    def point(self, m):
        t = max(0.0, 1.0 - m)
        return t * t, -2.0 * t, 2.0 if t > 0.0 else 0.0

    def inverse_slope(self, a):
        return 1.0 - 0.25 * a, -0.25


class WrongLogarithmOfTheSlope(Logistic):
    def log_slope(self, m):
        return -np.maximum(m, 0.0)


class WrongLogarithmOfTheProbability(Logistic):
    def log_probability(self, z):
        return np.log10(self.probability(z))


@pytest.mark.parametrize(
    ("loss", "says"),
    [
        (WrongSlope(), r"slope: at m = -30 it is -31, but differences of the value give -62"),
        (WrongCurvature(), r"curvature: at m = -30 it is 1, but differences of the slope give 2"),
        (WrongSign(), r"slope: at m = 2\.\d+ it is 0\.1"),
        (NotConvex(), r"convexity: at m = -[\d.]+ the curvature is -[\d.e-]+; declare `convex = False`"),
        (FallsForEver(), r"boundedness: at m = 10000 the slope is still -2.*declare `bounded_below = False`"),
        (ConstantSlope(), r"declared bounds: the slope is the same at every margin: let curvature_bounds\(\) return"),
        (KinkWithoutProx(), r"kinks: the slope jumps by 1 at m = 1; such a loss needs a prox\(self, v, kappa\)"),
        (WrongProx(), r"prox: prox\(-30, 0.001\) is -29.998, where \(v − u\)/kappa = -2 is no slope of the loss"),
        (ProxNaN(), r"prox: prox\(-30, 0.001\) is nan"),
        (Overflows(), r"extreme margins: at m = -745 it raises OverflowError.*log1p"),
        (NaNFarOut(), r"extreme margins: at m = -[\d.e+]+ the slope is NaN"),
        (
            TooNarrowBounds(),
            r"declared bounds: at m = .* the curvature is 0.2\d*, but curvature_bounds\(\) says 0 to 0.2",
        ),
        (TooNarrowSlopes(), r"declared bounds: at m = -30 the slope is -1, but slope_bounds\(\) says -0.5 to 0"),
        (NotSymmetric(), r"declared behaviour: noise_symmetric: φ\(m\) \+ φ\(−m\) is 30 at m = -30, and 1.38629"),
        (NotSaturating(), r"declared behaviour: saturating: at m = -10000 the slope is -1, not near zero"),
        (Random(), r"determinism: at m = -30 two calls give"),
        (TwoNumbers(), r"types: at m = -1.5 point returned \(1.5, -1.0\), not three numbers"),
        (Text(), r"types: at m = -1.5 the slope is '-1', of type str, not a real number"),
        (Array(), r"types: at m = -1.5 the value is array\(\[1.5\]\), of type ndarray"),
        (WrongInverse(), r"inverse slope: inverse_slope\([\d.]+\) is the margin [\d.]+, where the slope is -"),
        (WrongLogarithmOfTheSlope(), r"logarithms: log_slope is -?0 at -[\d.]+, and the logarithm of −φ' -\d"),
        (
            WrongLogarithmOfTheProbability(),
            r"log_probability is -13.* at -30, and the logarithm of the probability -30",
        ),
        (Divides(), r"types: it raises ZeroDivisionError"),
        (Unannotated(), r"names: point uses self.tau, which is no parameter; annotate it: `tau: float = 0\.9`\."),
        (Method(), r"names: point calls self.h, .* write h as a plain function outside of the class"),
        (Forgotten(), r"fails 1 check:\n- names: point uses self.tau, which is no parameter; annotate it"),
    ],
    ids=lambda case: type(case).__name__ if isinstance(case, MarginLoss) else "",
)
def test_each_mistake_is_named_at_a_margin(loss, says):
    with pytest.raises(ValueError, match=says) as caught:
        check_margin_loss(loss)
    lines = str(caught.value).splitlines()
    assert lines[0].startswith(f"{loss!r} fails ")
    assert all(line.startswith("- ") and line.endswith(".") for line in lines[1:])


def test_all_failures_at_once():
    class Both(MarginLoss):
        noise_symmetric = True

        def point(self, m):
            t = max(0.0, 1.0 - m)
            return t * t, -t, 5.0

    with pytest.raises(ValueError, match="fails 3 checks") as caught:
        check_margin_loss(Both())
    for what in ("slope", "curvature", "declared behaviour"):
        assert f"- {what}: " in str(caught.value)


@pytest.mark.parametrize(("wrong", "hint"), [(Logistic, r"try Logistic\(\)"), ("logistic", "got 'logistic'"), (3, "3")])
def test_only_objects(wrong, hint):
    with pytest.raises(TypeError, match=f"needs an object of a subclass of MarginLoss.*{hint}"):
        check_margin_loss(wrong)


def test_parameters_are_validated_first():
    with pytest.raises(ValueError, match="'gamma' parameter of SmoothHinge"):
        check_margin_loss(SmoothHinge(gamma=-1.0))


def test_what_only_numba_refuses():
    class Imports(MarginLoss):
        def point(self, m):
            import math

            t = math.exp(-abs(m))
            value = math.log1p(t) + max(0.0, -m)
            return value, -(t if m > 0 else 1.0) / (1.0 + t), t / (1.0 + t) ** 2

    with pytest.raises(ValueError, match=r"fails 1 check:\n- compilation: .*Line \d+ of point: `import math`"):
        check_margin_loss(Imports())
