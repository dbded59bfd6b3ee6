"""Coefficients that no fit made: set by hand, as recipes for federated learning do, and predicted and gone on from."""

import pickle

import dask.array as da
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from scipy.special import log_softmax
from sklearn.datasets import load_iris
from sklearn.exceptions import NotFittedError

from marginclf import MarginLinearClassifier
from marginclf.inspection import LossDisplay, MarginDisplay
from marginclf.losses import SmoothHinge

X, Y = load_iris(return_X_y=True)
W = np.random.default_rng(0).normal(size=(3, 4)).round(3)
METHODS = ("decision_function", "predict", "predict_proba", "predict_log_proba")
FORMS = {
    "array": W,
    "float32": W.astype(np.float32),
    "list": W.tolist(),
    "objects": W.astype(object),
    "frame": pd.DataFrame(W),
    "csr": sparse.csr_array(W),
    "coo": sparse.coo_matrix(W),
}


def by_hand(coef=None, intercept=None, classes=None, **parameters):
    model = MarginLinearClassifier(**parameters)
    for name, value in (("coef_", coef), ("intercept_", intercept), ("classes_", classes)):
        if value is not None:
            setattr(model, name, value)
    return model


@pytest.mark.parametrize("intercept", [None, 0.0, [0.5, -0.25, 0.0], np.array([0.5, -0.25, 0.0], dtype=np.float32)])
@pytest.mark.parametrize("form", FORMS)
def test_many_classes(form, intercept):
    model = by_hand(FORMS[form], intercept, ["a", "b", "c"])
    z = X @ W.T + (0.0 if intercept is None else np.asarray(intercept))
    exact = {} if form != "float32" else {"rtol": 1e-5}
    for rows in (X, sparse.csr_array(X)):
        np.testing.assert_allclose(model.decision_function(rows), z, **exact)
        np.testing.assert_array_equal(model.predict(rows), np.array(["a", "b", "c"])[z.argmax(axis=1)])
        np.testing.assert_allclose(model.predict_log_proba(rows), log_softmax(z, axis=1), **(exact or {"rtol": 1e-10}))
    assert model.score(X, np.array(["a", "b", "c"])[z.argmax(axis=1)]) == 1.0
    before = model.predict_proba(X)
    for change in (model.sparsify, model.densify):
        np.testing.assert_allclose(change().predict_proba(X), before, rtol=1e-12)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(model)).predict_proba(X), model.predict_proba(X))


@pytest.mark.parametrize("coef", [W[:1], W[0], W[0].tolist(), sparse.csr_array(W[:1])])
def test_two_classes(coef):
    model = by_hand(coef, 0.5, ("no", "yes"), loss=SmoothHinge(gamma=2.0))
    z = X @ W[0] + 0.5
    np.testing.assert_allclose(model.decision_function(X), z)
    np.testing.assert_array_equal(model.predict(X), np.where(z > 0.0, "yes", "no"))
    np.testing.assert_allclose(model.predict_proba(X)[:, 1], SmoothHinge(gamma=2.0).probability(z), rtol=1e-12)


def test_what_is_missing_or_does_not_fit_is_said():
    three = [0, 1, 2]
    for model, words in (
        (by_hand(), "not fitted yet"),
        (by_hand(W), "no classes_: fit it, or set"),
        (by_hand(classes=three), "no coef_: fit it, or set"),
    ):
        for method in METHODS:
            with pytest.raises(NotFittedError, match=words):
                getattr(model, method)(X)
    for model, words in (
        (by_hand(W[:2], classes=three), r"coef_ has shape \(2, 4\), and 3 classes need \(3, n_features\)$"),
        (by_hand(W[0], classes=three), r"coef_ has shape \(4,\), and 3 classes"),
        (by_hand(W[:2], classes=[0, 1]), r"need \(1, n_features\); of two .*: set coef_\[1:\] - coef_\[:1\]"),
        (by_hand(W, [0.0, 1.0], three), r"intercept_ has shape \(2,\), and 3 classes need \(3,\)"),
        (by_hand(W[:1], classes=[0]), r"classes_ must be at least two labels, got \[0\]"),
        (by_hand([["a"]], classes=[0, 1]), r"coef_ must be an array of real numbers, got list: \[\['a'\]\]"),
        (by_hand([[1.0, 2.0], [3.0]], classes=[0, 1]), "coef_ must be an array of real numbers"),
        (by_hand(1j * W, classes=three), "coef_ must be an array of real numbers"),
        (by_hand(np.nan * W, classes=three), "coef_ contains NaN or infinity"),
        (by_hand(W, np.inf, three), "intercept_ contains NaN or infinity"),
        (by_hand(W[:, :3], classes=three), "X has 4 features, but MarginLinearClassifier is expecting 3 features"),
    ):
        for method in METHODS:
            with pytest.raises(ValueError, match=words):
                getattr(model, method)(X)
    model = MarginLinearClassifier().fit(X, Y)
    model.coef_ = W[:, :3]
    with pytest.raises(ValueError, match=r"fitted with 4 features \(n_features_in_\)"):
        model.predict(X)


def test_the_loss_and_the_class_weights_are_those_of_the_parameters():
    model = by_hand(W, classes=[0, 1, 2], loss="hinge")
    assert not hasattr(model, "predict_proba")
    assert hasattr(model.set_params(loss="savage", multi_class="ovr"), "predict_proba")
    model = by_hand(W, classes=[0, 1, 2], proba_prior="data")
    plain = model.predict_proba(X)
    np.testing.assert_allclose(plain, by_hand(W, classes=[0, 1, 2]).predict_proba(X), rtol=1e-12)
    expected = plain / [2.0, 1.0, 1.0]
    expected /= expected.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(model.set_params(class_weight={0: 2.0}).predict_proba(X), expected, rtol=1e-12)
    model.set_params(class_weight="balanced")
    with pytest.raises(
        ValueError, match=r"class_weight='balanced' needs the labels of a fit, .* set by hand; set class_weight_"
    ):
        model.predict_proba(X)
    model.class_weight_ = [2.0, 1.0, 1.0]
    np.testing.assert_allclose(model.predict_proba(X), expected, rtol=1e-12)
    model.class_weight_ = [2.0, 1.0]
    with pytest.raises(ValueError, match=r"class_weight_ has shape \(2,\), and there are 3 classes"):
        model.predict_log_proba(X)


@pytest.mark.parametrize("multi_class", ["joint", "ovr"])
@pytest.mark.parametrize("form", ["array", "float32", "csr"])
def test_a_warm_start_goes_on_from_them(form, multi_class):
    optimum = MarginLinearClassifier(multi_class=multi_class).fit(X, Y)
    kind = {"array": np.asarray, "float32": np.float32, "csr": sparse.csr_array}[form]
    for classes in ([0, 1, 2], None):
        model = by_hand(kind(optimum.coef_), optimum.intercept_, classes, warm_start=True, multi_class=multi_class)
        model.fit(X, Y)
        assert model.n_iter_.max() < optimum.n_iter_.min()
        np.testing.assert_allclose(model.objective_, optimum.objective_, rtol=1e-8)
        np.testing.assert_array_equal(model.classes_, optimum.classes_)
    # The intercepts of one joint margin are free up to a constant, and a fit has the sum zero.
    model = by_hand(optimum.coef_, optimum.intercept_ + 3.0, warm_start=True, multi_class=multi_class).fit(X, Y)
    np.testing.assert_allclose(model.intercept_, optimum.intercept_, atol=1e-3)
    if multi_class == "joint":
        assert abs(model.intercept_.sum()) < 1e-12


def test_a_warm_start_from_what_does_not_fit_is_an_error():
    for coef, classes, words in (
        (W[:, :3], None, "warm_start: X has 4 features, the previous fit had 3"),
        (W[:2], None, r"coef_ has shape \(2, 4\), and 3 classes"),
        (np.nan * W, None, "coef_ contains NaN"),
        (W, [2, 1, 0], r"warm_start: y has the classes \[0 1 2\]"),
    ):
        model = by_hand(coef, classes=classes, warm_start=True)
        with pytest.raises(ValueError, match=words):
            model.fit(X, Y)
        assert model.coef_ is coef


def test_a_round_of_federated_averaging():
    # As recipes have it: zeros first, then fits of a step each at the clients, whose means are set again.
    server, parts = MarginLinearClassifier(), [slice(k, None, 3) for k in range(3)]
    server.classes_, server.coef_, server.intercept_ = np.arange(3), np.zeros((3, 4)), np.zeros(3)
    assert server.score(X, Y) == pytest.approx(1.0 / 3.0)
    for _ in range(3):
        clients = []
        for part in parts:
            client = by_hand(server.coef_, server.intercept_, server.classes_, warm_start=True)
            clients.append(client.fit(X[part], Y[part]))
        server.coef_ = np.mean([client.coef_ for client in clients], axis=0)
        server.intercept_ = np.mean([client.intercept_ for client in clients], axis=0)
    assert server.score(X, Y) > 0.95
    assert np.log(server.predict_proba(X)[np.arange(150), Y]).mean() > -0.3


def test_collections_and_displays():
    rows, labels = da.from_array(X, chunks=(50, 4)), da.from_array(Y, chunks=50)
    model = by_hand(W.tolist(), classes=[0, 1, 2])
    for method in METHODS:
        np.testing.assert_array_equal(getattr(model, method)(rows).compute(), getattr(model, method)(X))
    assert model.score(rows, labels) == model.score(X, Y)
    with pytest.raises(ValueError, match="X has 3 features, but MarginLinearClassifier is expecting 4"):
        model.predict(rows[:, :3])
    assert MarginDisplay.from_estimator(model, X, Y).margins.shape == (150,)
    assert LossDisplay.from_estimator(model).names == ["logistic"]
    plt.close("all")
