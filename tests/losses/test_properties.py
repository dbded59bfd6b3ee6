"""What each loss says of itself, against numbers: bounds, behaviour under noise and far out, calibration, the link."""

import numpy as np
import pytest
from references import LOSSES, reference

from marginclf.losses import LUM, GeneralizedCrossEntropy, SmoothHinge, catalogue

_SIZES = np.concatenate([np.geomspace(1e-6, 1e3, 400), np.linspace(0.0, 4.0, 4001)])
MARGINS = np.unique(np.concatenate([-_SIZES, _SIZES]))

# What each loss is by its sources, by hand, at default parameters: not by what its code says.
TABLE = {
    #                            bounded below, proper, noise-symmetric, saturating, Lipschitz constant
    "logistic": (True, True, False, False, 1.0),
    "linear": (False, False, True, False, 1.0),
    "hinge": (True, False, False, False, 1.0),
    "squared_hinge": (True, True, False, False, np.inf),
    "smooth_hinge": (True, True, False, False, 1.0),
    "modified_huber": (True, True, False, False, 4.0),
    "exponential": (True, True, False, False, np.inf),
    "squared": (True, True, False, False, np.inf),
    "dwd": (True, False, False, False, 1.0),
    "lum": (True, True, False, False, 1.0),
    "savage": (True, True, False, True, 16 / 27),
    "tangent": (True, True, False, True, 6.168571308828052),
    "sigmoid": (True, False, True, True, 0.25),
    "generalized_cross_entropy": (True, True, False, True, 0.31608614633530285),
}


def test_the_table():
    found = {}
    for name, cls in catalogue().items():
        loss = cls()
        assert loss.calibrated
        found[name] = (
            loss.bounded_below,
            loss.link is not None,
            loss.noise_symmetric,
            loss.saturating,
            pytest.approx(loss.lipschitz, rel=1e-12),
        )
        assert bool(loss.link_formula) == (loss.link is not None)
    assert found.keys() == TABLE.keys(), "add a line for a new loss to TABLE in tests/losses/test_properties.py"
    for name, properties in found.items():
        assert TABLE[name] == properties, f"what {name} says of itself is not its line of TABLE in this file"


def test_properties_that_depend_on_a_parameter():
    assert SmoothHinge(gamma=2.0).link is not None
    assert SmoothHinge(gamma=0.5).link is None
    assert LUM(c=0.5).link is None
    sigmoid_like = GeneralizedCrossEntropy(q=1.0)
    assert sigmoid_like.link is None
    assert sigmoid_like.noise_symmetric
    assert not GeneralizedCrossEntropy(q=0.999).noise_symmetric


@pytest.mark.parametrize("loss", LOSSES)
def test_slope_bounds(loss):
    low, high = loss.slope_bounds()
    near_kinks = [float(k) + np.linspace(-1e-4, 1e-4, 2001) for k in reference(loss).kinks]
    slopes = loss.evaluate(np.concatenate([MARGINS, [-1e6, 1e6], *near_kinks]))[1]
    for bound, reached, sign in ((low, slopes.min(), -1.0), (high, slopes.max(), 1.0)):
        if np.isinf(bound):
            assert sign * reached > 1e3
        else:
            assert sign * (reached - bound) <= 1e-12
            # A bound that is never nearly reached says too little.
            assert sign * (bound - reached) <= 0.02 * max(abs(low), 0.1)


@pytest.mark.parametrize("loss", LOSSES)
def test_bounded_below(loss):
    values = loss.evaluate([1.0, 1e3, 1e6, 1e9])[0]
    assert loss.bounded_below == bool(values.min() >= 0.0)
    assert loss.bounded_below or values.min() < -1e8


@pytest.mark.parametrize("loss", LOSSES)
def test_noise_symmetric(loss):
    m = MARGINS[np.abs(MARGINS) < 30.0]
    total = loss.evaluate(m)[0] + loss.evaluate(-m)[0]
    assert loss.noise_symmetric == bool(np.ptp(total) < 1e-12)


@pytest.mark.parametrize("loss", LOSSES)
def test_flipped_labels_do_not_move_the_minimum_of_a_symmetric_loss(loss):
    """Expected loss at a point with η positives of which a share ρ is flipped: the same order of decision values."""
    z = np.linspace(-5.0, 5.0, 201)
    positive, negative = loss.evaluate(z)[0], loss.evaluate(-z)[0]
    eta, rho = 0.7, 0.3
    clean = eta * positive + (1.0 - eta) * negative
    noisy_eta = (1.0 - rho) * eta + rho * (1.0 - eta)
    noisy = noisy_eta * positive + (1.0 - noisy_eta) * negative
    straight_line = np.abs(np.corrcoef(clean, noisy)[0, 1] - 1.0) < 1e-12
    assert straight_line == loss.noise_symmetric


@pytest.mark.parametrize("loss", LOSSES)
def test_saturating(loss):
    slope = abs(loss.evaluate([-1e5])[1][0])
    # With q near 0 the power σ^q fades slowly; 1e5 is far enough for any q that the tests have.
    assert loss.saturating == (slope < 1e-4)


@pytest.mark.parametrize("loss", LOSSES)
def test_calibrated(loss):
    """The smallest expected loss, over decision values up to 3, lies on the side of the more probable class."""
    z = np.linspace(-3.0, 3.0, 6001)
    positive, negative = loss.evaluate(z)[0], loss.evaluate(-z)[0]
    for eta in (0.05, 0.45, 0.49, 0.51, 0.6, 0.97):
        expected = eta * positive + (1.0 - eta) * negative
        best = z[expected <= expected.min() + 1e-15]
        assert loss.calibrated
        assert (np.sign(best) == np.sign(eta - 0.5)).any()
        right = np.sign(z) == np.sign(eta - 0.5)
        assert expected[right].min() < expected[~right].min()


@pytest.mark.parametrize("loss", [case for case in LOSSES if case.values[0].link is not None])
def test_link(loss):
    eta = np.concatenate([np.linspace(0.001, 0.999, 999), [1e-8, 1e-3, 0.5]])
    z = loss.link(eta)
    np.testing.assert_allclose(loss.probability(z), eta, rtol=1e-6, atol=1e-12)
    # The only minimum of the expected loss: no other decision value is as good. Judged by slopes, not by values.
    for p, best in zip(eta[::37], z[::37], strict=True):
        offsets = np.concatenate([-np.geomspace(1e-4, 2.0, 30), np.geomspace(1e-4, 2.0, 30)])
        slope = p * loss.evaluate(best + offsets)[1] - (1.0 - p) * loss.evaluate(-best - offsets)[1]
        assert (np.sign(slope) == np.sign(offsets)).all()


@pytest.mark.parametrize("loss", [case for case in LOSSES if case.values[0].link is None])
def test_losses_that_are_not_proper_have_no_inverse(loss):
    if loss.probability is None:
        return
    z = np.linspace(-1e-4, 1e-4, 101)
    assert np.ptp(loss.probability(z)) == 0.0
