"""proba_prior="data": probabilities of the data's own population, whatever the class weights."""

import numpy as np
import pytest
from problems import fit
from references import LOSSES, usually
from scipy.special import expit

from marginclf import MarginLinearClassifier
from marginclf.losses import GeneralizedCrossEntropy, Logistic


def population(n, shift=-2.2, classes=2, seed=0):
    """Rows with known probabilities of their classes."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, 3))
    if classes == 2:
        eta = expit(X @ np.array([1.5, -1.0, 0.0]) + shift)
        return X, (rng.random(n) < eta).astype(int), np.column_stack([1.0 - eta, eta])
    z = X @ rng.normal(size=(3, classes)) + np.linspace(0.0, shift, classes)
    proba = np.exp(z) / np.exp(z).sum(axis=1, keepdims=True)
    return X, (proba.cumsum(axis=1) < rng.random((n, 1))).sum(axis=1), proba


@pytest.mark.parametrize("classes", [2, 4])
def test_known_probabilities_are_found_under_any_class_weight(classes):
    X, y, true = population(40_000, classes=classes)
    for weights in ("balanced", {0: 0.2, 1: 5.0}, None):
        model = MarginLinearClassifier(C=100.0, class_weight=weights, proba_prior="data").fit(X, y)
        assert abs(model.predict_proba(X) - true).mean() < 0.01
        weighted = model.set_params(proba_prior="weighted").predict_proba(X)
        if weights is not None:
            assert abs(weighted - true).mean() > 0.05
            assert (weighted.argmax(axis=1) == model.predict(X)).all()


def test_the_formula():
    X, y, _ = population(500)
    model = MarginLinearClassifier(class_weight={0: 1.0, 1: 4.0}).fit(X, y)
    np.testing.assert_array_equal(model.class_weight_, [1.0, 4.0])
    eta = model.predict_proba(X)[:, 1]
    corrected = (eta / 4.0) / (eta / 4.0 + (1.0 - eta))
    np.testing.assert_allclose(model.set_params(proba_prior="data").predict_proba(X)[:, 1], corrected, rtol=1e-12)
    # The class that the weights asked for stays the decision, and is not always the most probable one.
    assert (model.predict_proba(X).argmax(axis=1) != model.predict(X)).any()


@pytest.mark.parametrize("weight", [1e-280, 1e280])
def test_weights_of_any_size(weight):
    X, y, _ = population(500)
    model = MarginLinearClassifier(class_weight={0: weight, 1: 3.0 * weight}, C=1.0 / weight, proba_prior="data")
    plain = MarginLinearClassifier(class_weight={0: 1.0, 1: 3.0}, proba_prior="data").fit(X, y)
    np.testing.assert_allclose(model.fit(X, y).predict_proba(X), plain.predict_proba(X), rtol=1e-4)


@pytest.mark.parametrize("loss", usually(LOSSES))
@pytest.mark.parametrize("classes", [2, 3])
def test_every_loss(loss, classes):
    if loss.probability is None:
        assert not hasattr(MarginLinearClassifier(loss, proba_prior="data"), "predict_proba")
        return
    X, y, _ = population(300, shift=-1.0, classes=classes)
    model, _ = fit(loss, X, y, class_weight="balanced", proba_prior="data")
    if not hasattr(model, "predict_proba"):
        assert loss.joint_probability is None
        return
    proba = model.predict_proba(X)
    np.testing.assert_allclose(proba.sum(axis=1), 1.0, rtol=1e-12)
    assert (proba >= 0.0).all()
    # More weight on the rare classes was taken back: the mean is nearer to their shares.
    shares = np.bincount(y) / len(y)
    weighted = model.set_params(proba_prior="weighted").predict_proba(X)
    assert abs(proba.mean(axis=0) - shares).sum() < abs(weighted.mean(axis=0) - shares).sum()


def test_without_class_weight_nothing_changes():
    X, y, _ = population(300)
    model = MarginLinearClassifier().fit(X, y)
    weighted = model.predict_proba(X)
    np.testing.assert_allclose(model.set_params(proba_prior="data").predict_proba(X), weighted, rtol=1e-15)


def test_sample_weight_stays():
    X, y, _ = population(2000)
    s = np.where(y == 1, 4.0, 1.0)
    by_sample = MarginLinearClassifier(proba_prior="data").fit(X, y, sample_weight=s)
    by_class = MarginLinearClassifier(proba_prior="weighted", class_weight={0: 1.0, 1: 4.0}).fit(X, y)
    np.testing.assert_allclose(by_sample.predict_proba(X), by_class.predict_proba(X), atol=1e-4)


def test_a_class_weight_of_zero_has_no_correction():
    X, y, _ = population(300, classes=3)
    model = MarginLinearClassifier(class_weight={0: 0.0}, proba_prior="data")
    with pytest.raises(ValueError, match="class_weight is zero for class 0; remove its rows instead"):
        model.fit(X, y)


def test_an_unknown_prior():
    X, y, _ = population(300)
    with pytest.raises(ValueError, match="'proba_prior' parameter of MarginLinearClassifier must be a str among"):
        MarginLinearClassifier(proba_prior="uniform").fit(X, y)


@pytest.mark.parametrize("loss", [Logistic(), GeneralizedCrossEntropy()], ids=repr)
def test_one_vs_rest(loss):
    X, y, _ = population(600, classes=3)
    model, _ = fit(loss, X, y, class_weight="balanced", multi_class="ovr", proba_prior="data")
    proba = model.predict_proba(X)
    weighted = model.set_params(proba_prior="weighted").predict_proba(X)
    expected = weighted / model.class_weight_
    np.testing.assert_allclose(proba, expected / expected.sum(axis=1, keepdims=True), rtol=1e-12)
