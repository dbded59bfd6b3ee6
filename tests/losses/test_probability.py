"""The probability that goes with a decision value: by its formula, by what it means, and far from zero."""

import math

import numpy as np
import pytest
import scipy.special
from references import LOSS_CASES, change_of_one_rounding, condition, mp, reference, ulp
from scipy.optimize import minimize_scalar

from marginclf import MarginLinearClassifier
from marginclf.losses import DWD, LUM, GeneralizedCrossEntropy, Linear, Logistic, MarginLoss, Sigmoid, SmoothHinge
from marginclf.losses.probability import is_symmetric

WITH_PROBABILITY = [pytest.param(loss, id=name) for name, loss in LOSS_CASES if loss.probability is not None]

_sizes = np.concatenate([[0.0, 1e-300, 1e-8], np.linspace(0.05, 2.0, 40), [3.0, 30.0, 400.0, 800.0, 1e5, 1e300]])
DECISIONS = np.concatenate([-_sizes[::-1], _sizes])


def test_no_probability_exactly_where_the_slopes_tell_none():
    without = {name for name, loss in LOSS_CASES if loss.probability is None}
    assert without == {"linear", "hinge", "sigmoid", "generalized_cross_entropy-q=1"}
    # The hinge has a step instead; for the others the formula is ½ for every decision value.
    for loss in (Linear(), Sigmoid(), GeneralizedCrossEntropy(q=1.0)):
        for z in (0.3, 2.0, 400.0):
            assert abs(reference(loss).probability(z) - 0.5) < 1e-30


@pytest.mark.parametrize("loss", WITH_PROBABILITY)
def test_against_the_formula_of_slopes(loss):
    # In mpmath the slopes at |z| = 800 are tiny numbers and not zeros: the formula is right there too.
    found = loss.probability(DECISIONS)
    assert found.shape == DECISIONS.shape
    for z, eta in zip(DECISIONS.tolist(), found.tolist(), strict=True):
        exact = reference(loss).probability(z)
        error = abs(mp.mpf(eta) - exact)
        # Two slopes, each of up to 8 ulp. The condition number is needed only where this is not enough.
        allowed = 16 * ulp(float(exact))
        if error > allowed + 1e-307:
            allowed *= 1 + condition(reference(loss).probability, mp.mpf(z))
        assert error <= allowed + 1e-307, f"η({z}) = {eta}, not {float(exact)}"


_ends = np.array([1.0, np.nextafter(1.0, 0.0), np.nextafter(1.0, 2.0), 1.0 - 1e-9, 0.5463024898437905, 1.7])
_tails = np.concatenate([[1e-300, 1e-8, 0.3, 0.95], _ends, [38.0, 700.0, 745.0, 1e3, 1e5, 1e300]])


@pytest.mark.parametrize("loss", WITH_PROBABILITY)
def test_logarithm_against_the_formula_of_slopes(loss):
    # What one rounding of z changes is no fault of the function; beyond it, twelve digits.
    exact = reference(loss).log_probability
    z = np.concatenate([-_tails, [0.0], _tails])
    found = loss.log_probability(z)
    assert found.shape == z.shape
    for at, logarithm in zip(z.tolist(), found.tolist(), strict=True):
        value = exact(at)
        if abs(value) > 1.7e308:  # no double, or a probability of zero
            assert logarithm == -np.inf, f"log η({at}) = {logarithm}"
            continue
        allowed = mp.mpf(1e-12) * abs(value) + change_of_one_rounding(exact, at) + mp.mpf(5e-324)
        assert abs(mp.mpf(logarithm) - value) <= allowed, f"log η({at}) = {logarithm}, not {float(value)}"
        # The probability, and that of the other class: twelve digits each, down to the smallest double.
        eta, change = mp.exp(value), mp.exp(value) * mp.expm1(min(change_of_one_rounding(exact, at), mp.mpf(1)))
        assert abs(mp.mpf(float(loss.probability([at])[0])) - eta) <= mp.mpf(1e-12) * eta + change + mp.mpf(1e-307)


@pytest.mark.parametrize("loss", WITH_PROBABILITY)
def test_between_zero_and_one_increasing_and_symmetric(loss):
    z = np.sort(np.concatenate([DECISIONS, np.linspace(-3.0, 3.0, 2001)]))
    eta = loss.probability(z)
    assert eta.min() >= 0.0
    assert eta.max() <= 1.0
    assert np.diff(eta).min() >= -4e-16
    np.testing.assert_allclose(eta + loss.probability(-z), 1.0, rtol=0, atol=1e-15)
    assert loss.probability([0.0])[0] == 0.5
    assert is_symmetric(loss)


@pytest.mark.parametrize("loss", WITH_PROBABILITY)
@pytest.mark.parametrize("p", [0.03, 0.35, 0.5, 0.8])
def test_is_the_share_of_positives_at_the_minimum(loss, p):
    # A sample of labels with a share p of positives, one decision value for all: what fits it best must mean
    # p. Only the values of the loss are used. A minimum is known to half the digits of a double, hence 1e-5.
    def expected(z):
        # Stretched, since the minimum may lie at a decision value of 0.1 or (small 1 − q) far out.
        u = np.atleast_1d(np.sinh(z))
        return (p * loss.evaluate(u)[0] + (1.0 - p) * loss.evaluate(-u)[0])[0]

    grid = np.linspace(-6.0, 6.0, 241)
    best = int(np.argmin([expected(z) for z in grid]))
    bounds = grid[max(best - 1, 0)], grid[min(best + 1, grid.size - 1)]
    result = minimize_scalar(expected, bounds=bounds, method="bounded", options={"xatol": 1e-12})
    assert abs(loss.probability([np.sinh(result.x)])[0] - p) < 1e-5


@pytest.mark.parametrize(
    ("loss", "half"),
    [(SmoothHinge(gamma=0.5), 0.5), (DWD(q=1.0), 0.5), (DWD(q=3.0), 0.75), (LUM(a=1.0, c=1.0), 0.5)],
    ids=str,
)
def test_ties_around_zero_are_where_the_docstrings_say(loss, half):
    inside = np.linspace(-half, half, 11)
    np.testing.assert_array_equal(loss.probability(inside), 0.5)
    assert loss.probability([half + 0.01])[0] > 0.5


class Gaussian(MarginLoss):
    """A slope that underflows at |m| = 28 and 0/0 in the default formula from there on."""

    def point(self, m):
        e = math.exp(-0.5 * m * m)
        return 1.2533141373155003 * math.erfc(0.7071067811865476 * m), -e, m * e


class PlainExponential(MarginLoss):
    """Its slopes overflow: ∞/∞ in the default formula."""

    def point(self, m):
        e = math.exp(-m)
        return e, -e, e


class Cubic(MarginLoss):
    """Beyond margin 1 the slope is exactly 0."""

    def point(self, m):
        t = 1.0 - m
        if t <= 0.0:
            return 0.0, 0.0, 0.0
        return t**3, -3.0 * t**2, 6.0 * t


@pytest.mark.parametrize("loss", [PlainExponential(), Cubic()], ids=str)
def test_default_formula_far_from_zero_is_a_step(loss):
    far = np.array([30.0, 800.0, 1e160, 1e300, np.inf])
    np.testing.assert_allclose(loss.probability(far), 1.0, rtol=0, atol=1e-15)
    np.testing.assert_allclose(loss.probability(-far), 0.0, rtol=0, atol=1e-15)
    assert loss.probability([0.0])[0] == 0.5
    assert np.isnan(loss.probability([np.nan])).all()


def test_default_formula_with_slopes_that_all_vanish():
    # φ'(z) = φ'(−z) here: ½ as long as they are numbers; then nothing is known, and it must not be NaN.
    eta = Gaussian().probability([-1e3, -3.0, 0.0, 3.0, 1e3])
    np.testing.assert_array_equal(eta, [0.0, 0.5, 0.5, 0.5, 1.0])


def test_default_formula_of_a_user_is_the_closed_form():
    z = np.linspace(-20.0, 20.0, 401)
    np.testing.assert_allclose(PlainExponential().probability(z), 1.0 / (1.0 + np.exp(-2.0 * z)), rtol=1e-14)
    np.testing.assert_allclose(PlainExponential().log_probability(z), -np.log1p(np.exp(-2.0 * z)), rtol=1e-13)


class LogarithmKnown(PlainExponential):
    def log_slope(self, m):
        return -np.asarray(m)


class OwnProbability(Logistic):
    """A formula of its own, beside which the inherited logarithm would be another's."""

    def probability(self, z):
        return 0.5 * scipy.special.erfc(-np.asarray(z))


class Shifted(Logistic):
    """Probabilities that are not symmetric, as after Platt's calibration."""

    def probability(self, z):
        return scipy.special.expit(np.asarray(z) - 2.0)


class OtherPoint(Logistic):
    """Another loss under the methods of one: its slope is not that of its parent."""

    def point(self, m):
        return 0.0, -2.0 - math.tanh(-m), 1.0


class Nothing(Logistic):
    probability = None


def test_logarithms_of_what_a_user_wrote():
    far = np.array([-900.0, 900.0])
    # Where slopes underflow, all that is known is the step that the probability is; unless their logarithm is written.
    np.testing.assert_array_equal(PlainExponential().log_probability(far), [-np.inf, 0.0])
    np.testing.assert_array_equal(LogarithmKnown().log_probability(far), [-1800.0, 0.0])
    np.testing.assert_array_equal(Cubic().log_probability([-1.0, 0.0, 1.0]), [-np.inf, np.log(0.5), 0.0])
    assert np.isnan(Cubic().log_probability([np.nan])).all()
    # Of a probability of its own it is the logarithm, with the digits of the smaller side.
    z = np.array([-5.0, -0.3, 0.0, 0.3, 2.0])
    expected = np.log(OwnProbability().probability(z))
    np.testing.assert_allclose(OwnProbability().log_probability(z), expected, rtol=1e-12)
    tail = -0.5 * scipy.special.erfc(7.0)
    np.testing.assert_allclose(OwnProbability().log_probability([7.0]), tail, rtol=1e-12)
    np.testing.assert_allclose(Shifted().log_probability(z), np.log(Shifted().probability(z)), rtol=1e-12)
    np.testing.assert_allclose(OtherPoint().log_slope(z), np.log(2.0 - np.tanh(z)), rtol=1e-12)
    assert Nothing.log_probability is None
    assert {loss.log_probability is None for _, loss in LOSS_CASES if loss.probability is None} == {True}


@pytest.mark.parametrize("loss", [OwnProbability(), Shifted(), PlainExponential(), Cubic(), Gaussian()], ids=repr)
def test_the_two_classes_of_a_user_s_loss(loss):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(60, 2))
    model = MarginLinearClassifier(loss, C=0.1)
    model.coef_, model.intercept_, model.classes_ = [[3.0, 0.0]], [0.0], [0, 1]
    z = model.decision_function(X)
    proba, logarithm = model.predict_proba(X), model.predict_log_proba(X)
    # Where rounding decides between the two, the predicted class has one bit more.
    np.testing.assert_allclose(proba[:, 1], loss.probability(z), rtol=1e-15)
    np.testing.assert_allclose(proba.sum(axis=1), 1.0, rtol=1e-14)
    np.testing.assert_allclose(np.exp(logarithm), proba, rtol=1e-12)
    symmetric = not isinstance(loss, Shifted)
    assert is_symmetric(loss) == symmetric
    if symmetric:
        np.testing.assert_array_equal(proba.argmax(axis=1), model.predict(X))
