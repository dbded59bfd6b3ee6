"""Fitted attributes, and what decision values, labels and probabilities have to do with each other."""

import warnings

import numpy as np
import pytest
from references import FAMILY, LOSSES, reference, usually
from scipy import sparse
from sklearn.datasets import make_classification
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import accuracy_score
from sklearn.multiclass import OneVsRestClassifier

from marginclf import MarginLinearClassifier
from marginclf.losses import DWD, LUM, SmoothHinge, get_loss

BINARY = make_classification(80, 5, n_informative=4, n_redundant=0, flip_y=0.1, random_state=0)
THREE = make_classification(90, 5, n_informative=4, n_redundant=0, n_classes=3, flip_y=0.1, random_state=1)
DATA = pytest.mark.parametrize(("X", "y"), [BINARY, THREE], ids=["two classes", "three classes"])
WITH_PROBABILITY = [loss for loss in LOSSES if loss.values[0].probability is not None]
WITHOUT_PROBABILITY = [loss for loss in LOSSES if loss.values[0].probability is None]


def fit(loss, X, y, weights=None, multi_class="ovr", **parameters):
    """A fit that may find no stationary point if the loss is bounded, and warns of nothing else."""
    with warnings.catch_warnings():
        if not get_loss(loss).convex:
            warnings.simplefilter("ignore", ConvergenceWarning)
        return MarginLinearClassifier(loss, multi_class=multi_class, **parameters).fit(X, y, weights)


def objective(loss, w, b, X, signs, weights, C, fit_intercept):
    """F, from the formula of the loss in references.py."""
    if loss.name == "linear" and fit_intercept:
        # Each class carries half of the total.
        heavy, total = weights[signs > 0].sum(), weights.sum()
        weights = weights * np.where(signs > 0, 0.5 * total / heavy, 0.5 * total / (total - heavy))
    margins = signs * (X @ w + b)
    formula = reference(loss)
    values = np.array([float(formula.piece(m).value(m)) for m in margins])
    return C * np.sum(weights * values) + 0.5 * w @ w


@DATA
@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("loss", usually(LOSSES))
def test_fitted_attributes(loss, fit_intercept, X, y):
    weights = np.random.default_rng(0).uniform(0.5, 2.0, len(y))
    model = fit(loss, X, y, weights, C=0.7, fit_intercept=fit_intercept)
    rows = 1 if len(np.unique(y)) == 2 else 3
    assert model.coef_.shape == (rows, 5)
    for value in (model.intercept_, model.n_iter_, model.objective_, model.suboptimality_):
        assert isinstance(value, np.ndarray)
        assert value.shape == (rows,)
    assert model.coef_.dtype == model.intercept_.dtype == model.objective_.dtype == np.float64
    assert np.issubdtype(model.n_iter_.dtype, np.integer)
    assert (model.n_iter_ >= 1).all()
    assert model.n_features_in_ == 5
    assert np.array_equal(model.classes_, np.unique(y))
    assert isinstance(model.status_, tuple)
    assert len(model.status_) == rows
    assert all(status.endswith(".") for status in model.status_)
    if loss.name == "linear":
        assert (model.suboptimality_ == 0.0).all()
    elif loss.convex:
        assert (model.suboptimality_ <= 1e-8).all()
    else:
        assert np.isnan(model.suboptimality_).all()
    if not fit_intercept:
        assert (model.intercept_ == 0.0).all()
    for k in range(rows):
        signs = np.where(y == (1 if rows == 1 else k), 1.0, -1.0)
        expected = objective(loss, model.coef_[k], model.intercept_[k], X, signs, weights, 0.7, fit_intercept)
        np.testing.assert_allclose(model.objective_[k], expected, rtol=1e-12)


@DATA
@pytest.mark.parametrize("loss", usually(LOSSES))
def test_decisions_and_labels(loss, X, y):
    names = np.array(["a", "b", "c"])[y]
    model = fit(loss, X, names)
    z = model.decision_function(X)
    expected = X @ model.coef_.T + model.intercept_
    if len(model.classes_) == 2:
        np.testing.assert_allclose(z, expected[:, 0], rtol=1e-12, atol=1e-14)
        assert model.predict(X).tolist() == np.where(z > 0.0, "b", "a").tolist()
    else:
        np.testing.assert_allclose(z, expected, rtol=1e-12, atol=1e-14)
        assert model.predict(X).tolist() == model.classes_[z.argmax(axis=1)].tolist()
    assert model.score(X, names) == np.mean(model.predict(X) == names)
    weights = np.random.default_rng(0).random(len(y))
    assert model.score(X, names, weights) == accuracy_score(names, model.predict(X), sample_weight=weights)


@DATA
@pytest.mark.parametrize("C", [0.05, 100.0])
@pytest.mark.parametrize("loss", WITH_PROBABILITY)
def test_probabilities(loss, C, X, y):
    model = fit(loss, X, y, C=C)
    far = np.concatenate([X, 1e3 * X, 1e-3 * X])
    proba = model.predict_proba(far)
    assert proba.shape == (len(far), len(model.classes_))
    assert (proba >= 0.0).all()
    assert (proba <= 1.0 + 1e-15).all()
    np.testing.assert_allclose(proba.sum(axis=1), 1.0, rtol=1e-12)
    assert np.array_equal(model.classes_[proba.argmax(axis=1)], model.predict(far))
    logarithm = model.predict_log_proba(far)
    np.testing.assert_allclose(np.exp(logarithm), proba, rtol=1e-12, atol=1e-300)
    assert np.isfinite(logarithm[proba > 0.0]).all()
    assert (proba[np.isneginf(logarithm)] == 0.0).all()
    assert np.array_equal(model.classes_[logarithm.argmax(axis=1)], model.predict(far))
    if len(model.classes_) == 2:
        np.testing.assert_allclose(proba[:, 1], loss.probability(model.decision_function(far)), rtol=1e-12, atol=1e-15)
    else:
        each = loss.probability(model.decision_function(far))
        total = each.sum(axis=1, keepdims=True)
        some, none = total[:, 0] > 1e-290, np.isneginf(loss.log_probability(model.decision_function(far))).all(axis=1)
        np.testing.assert_allclose(proba[some], each[some] / total[some], rtol=1e-12, atol=1e-300)
        np.testing.assert_allclose(proba[none], 1.0 / 3.0, rtol=1e-12)


def by_hand(z, loss="logistic", **parameters):
    """A classifier whose decision values are those of a row, for the input 1."""
    model = MarginLinearClassifier(loss, **parameters)
    model.coef_, model.intercept_ = np.reshape(z, (-1, 1)), np.zeros(np.size(z))
    model.classes_ = np.arange(max(2, np.size(z)))
    return model


@pytest.mark.parametrize("z", [38.0, 700.0, 1000.0])
def test_both_classes_have_digits_far_from_zero(z):
    row, behind = np.ones((1, 1)), np.exp(-z)
    ahead, swapped = by_hand(z), by_hand(-z)
    np.testing.assert_allclose(ahead.predict_proba(row), [[behind, 1.0]], rtol=1e-14)
    np.testing.assert_array_equal(ahead.predict_proba(row)[:, ::-1], swapped.predict_proba(row))
    np.testing.assert_allclose(ahead.predict_log_proba(row), [[-z, -behind]], rtol=1e-14)
    np.testing.assert_array_equal(ahead.predict_log_proba(row)[:, ::-1], swapped.predict_log_proba(row))


def test_logarithms_of_many_classes_far_behind():
    row, z = np.ones((1, 1)), [0.0, 394.5, 781.2]
    np.testing.assert_allclose(by_hand(z).predict_log_proba(row), [[-781.2, 394.5 - 781.2, -np.exp(394.5 - 781.2)]])
    # Against the rest, all three underflow, and their logarithms still say how they divide.
    model = by_hand([-900.0, -800.0, -1000.0], multi_class="ovr")
    np.testing.assert_allclose(model.predict_log_proba(row), [[-100.0, -np.exp(-100.0), -200.0]], rtol=1e-12)
    np.testing.assert_allclose(model.predict_proba(row), np.exp([[-100.0, 0.0, -200.0]]), rtol=1e-12)
    # What the formula clips to zero is zero.
    model = by_hand([-2.0, -1.5, 0.5], "squared", multi_class="ovr")
    np.testing.assert_array_equal(model.predict_log_proba(row), [[-np.inf, -np.inf, 0.0]])


@pytest.mark.parametrize(
    ("multi_class", "weighted"), [("joint", [-900.0, 0.0, -950.0]), ("ovr", [np.log(0.5), 0.0, -50.0])]
)
def test_the_data_s_own_population_far_from_zero(multi_class, weighted):
    row, parameters = np.ones((1, 1)), {"proba_prior": "data", "class_weight": {0: 4.0, 1: 0.5}}
    model = by_hand(900.0, **parameters)
    np.testing.assert_allclose(model.predict_log_proba(row)[0, 0], -900.0 - np.log(8.0), rtol=1e-14)
    model = by_hand([0.0, 900.0, -50.0], multi_class=multi_class, **parameters)
    expected = np.array(weighted) - np.log([4.0, 0.5, 1.0])
    expected -= np.log(np.exp(expected).sum())
    np.testing.assert_allclose(model.predict_log_proba(row)[0], expected, rtol=1e-12, atol=1e-15)
    np.testing.assert_allclose(model.predict_proba(row)[0], np.exp(expected), rtol=1e-12)


@DATA
@pytest.mark.parametrize("loss", [SmoothHinge(gamma=0.1), DWD(q=5.0), LUM(c=10.0)], ids=repr)
def test_ties_of_probabilities_go_to_the_predicted_class(loss, X, y):
    # Small coefficients: all decision values lie where the probability is flat at ½.
    model = fit(loss, X, y, C=1e-3, fit_intercept=False)
    z = model.decision_function(X)
    assert np.abs(z).max() < 0.5
    assert len(np.unique(model.predict(X))) > 1
    proba = model.predict_proba(X)
    np.testing.assert_allclose(proba, 1.0 / len(model.classes_), rtol=1e-12)
    assert np.array_equal(model.classes_[proba.argmax(axis=1)], model.predict(X))


def test_all_probabilities_zero_and_a_decision_value_of_zero():
    X, y = THREE
    model = MarginLinearClassifier("squared").fit(X, y)
    model.coef_, model.intercept_ = np.zeros((3, 5)), np.array([-3.0, -2.0, -2.0])
    proba = model.predict_proba(X[:1])
    np.testing.assert_allclose(proba, 1.0 / 3.0, rtol=1e-12)
    assert proba.argmax() == model.predict(X[:1])[0] == 1
    X, y = BINARY
    model = MarginLinearClassifier(fit_intercept=False, multi_class="ovr").fit(X, y)
    assert model.predict(np.zeros((1, 5)))[0] == 0
    assert model.predict_proba(np.zeros((1, 5))).argmax() == 0


@pytest.mark.parametrize("fitted", [False, True])
@pytest.mark.parametrize("loss", [*WITHOUT_PROBABILITY, "linear", "sigmoid"])
def test_no_probability(loss, fitted):
    model = fit(loss, *BINARY) if fitted else MarginLinearClassifier(loss)
    for method in ("predict_proba", "predict_log_proba"):
        assert not hasattr(model, method)
        with pytest.raises(AttributeError, match="has no probability"):
            getattr(MarginLinearClassifier, method)(model, BINARY[0])
        with pytest.raises(AttributeError, match=f"^this MarginLinearClassifier has no {method}: ") as error:
            getattr(model, method)
        reason = str(error.value)
        for words in (f"loss={loss!r}", "no probability", "decision_function", "CalibratedClassifierCV", "logistic"):
            assert words in reason
    # A fitted model has the probabilities of the loss that it was fitted with, whatever comes next.
    assert hasattr(model.set_params(loss="logistic"), "predict_proba") is not fitted
    assert hasattr(model.fit(*BINARY), "predict_proba")


@pytest.mark.parametrize("loss", ["no such loss", "perceptron", SmoothHinge(gamma=-1.0), 3])
def test_asking_for_a_method_of_an_unknown_loss_is_no_error(loss):
    assert not hasattr(MarginLinearClassifier(loss), "predict_proba")
    assert "MarginLinearClassifier" in repr(MarginLinearClassifier(loss))


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("loss", usually(LOSSES))
def test_one_vs_rest_is_a_binary_fit_for_each_class(loss, weighted):
    X, y = THREE
    weights = np.random.default_rng(0).integers(0, 3, 90).astype(float) if weighted else None
    model = fit(loss, X, y, weights)
    for k in range(3):
        alone = fit(loss, X, y == k, weights)
        np.testing.assert_allclose(model.coef_[k], alone.coef_[0], rtol=1e-9)
        np.testing.assert_allclose(model.intercept_[k], alone.intercept_[0], rtol=1e-9)
        np.testing.assert_allclose(model.objective_[k], alone.objective_[0], rtol=1e-12)
        assert model.status_[k] == alone.status_[0]
        assert model.n_iter_[k] == alone.n_iter_[0]


@pytest.mark.parametrize("loss", ["logistic", "squared_hinge", "linear", "savage"])
def test_one_vs_rest_is_that_of_scikit_learn(loss):
    X, y = THREE
    model, theirs = fit(loss, X, y), OneVsRestClassifier(MarginLinearClassifier(loss)).fit(X, y)
    np.testing.assert_allclose(model.decision_function(X), theirs.decision_function(X), rtol=1e-9, atol=1e-12)
    assert np.array_equal(model.predict(X), theirs.predict(X))
    if loss != "linear":
        np.testing.assert_allclose(model.predict_proba(X), theirs.predict_proba(X), rtol=1e-9)


@DATA
@pytest.mark.parametrize("sample_weight", [False, True])
@pytest.mark.parametrize("loss", FAMILY)
def test_class_weight_is_a_sample_weight(loss, sample_weight, X, y):
    weights = np.random.default_rng(0).integers(0, 4, len(y)).astype(float) if sample_weight else np.ones(len(y))
    given = weights if sample_weight else None
    totals = np.bincount(y, weights)
    balanced = fit(loss, X, y, given, class_weight="balanced")
    explicit = fit(loss, X, y, weights * (totals.sum() / (len(totals) * totals))[y])
    np.testing.assert_allclose(balanced.coef_, explicit.coef_, rtol=1e-7, atol=1e-9)
    np.testing.assert_allclose(balanced.intercept_, explicit.intercept_, rtol=1e-7, atol=1e-9)
    one = fit(loss, X, y, given, class_weight={1: 3.0})  # the others stay at 1
    explicit = fit(loss, X, y, weights * np.where(y == 1, 3.0, 1.0))
    np.testing.assert_allclose(one.coef_, explicit.coef_, rtol=1e-7, atol=1e-9)


def test_class_weight_by_name():
    X, y = BINARY
    named = MarginLinearClassifier(class_weight={"yes": 2.0, "no": 0.5}).fit(X, np.where(y == 1, "yes", "no"))
    np.testing.assert_allclose(named.coef_, fit("logistic", X, y, class_weight={1: 2.0, 0: 0.5}).coef_, rtol=1e-12)


@DATA
def test_sparsify_and_densify(X, y):
    model = MarginLinearClassifier("squared_hinge").fit(X, y)
    dense, z, labels, proba = model.coef_, model.decision_function(X), model.predict(X), model.predict_proba(X)
    assert model.densify() is model
    assert model.coef_ is dense
    assert model.sparsify() is model
    assert sparse.issparse(model.coef_)
    assert model.coef_.format == "csr"
    for data in (X, sparse.csr_array(X)):
        np.testing.assert_allclose(model.decision_function(data), z, rtol=1e-12, atol=1e-14)
        assert np.array_equal(model.predict(data), labels)
        np.testing.assert_allclose(model.predict_proba(data), proba, rtol=1e-12, atol=1e-14)
    assert model.sparsify().densify() is model
    assert isinstance(model.coef_, np.ndarray)
    np.testing.assert_array_equal(model.coef_, dense)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
@pytest.mark.parametrize("sparse_coefficients", [False, True])
def test_a_large_array_is_not_searched_for_nan_but_its_decision_values_are(monkeypatch, bad, sparse_coefficients):
    monkeypatch.setattr("marginclf._estimator.validation._LARGE_ARRAY", 1)
    X = np.random.default_rng(0).normal(size=(100, 3))
    X[:, 2] = 0.0  # whose coefficient is zero
    model = MarginLinearClassifier().fit(X, X[:, 0] > 0.0)
    assert model.coef_[0, 2] == 0.0
    if sparse_coefficients:
        model.sparsify()
    X[50, 2] = bad
    with pytest.raises(ValueError, match=r"Input X contains (NaN|infinity)"):
        model.predict(X)
