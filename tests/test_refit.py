"""A second fit of the same estimator: warm starts, and failures that leave the first fit whole."""

import copy
import warnings

import numpy as np
import pandas as pd
import pytest
from messages import mentions
from references import CONVEX, usually
from scipy import sparse
from sklearn.datasets import load_iris, make_classification
from sklearn.exceptions import ConvergenceWarning

from marginclf import MarginLinearClassifier

X, y = make_classification(150, 6, n_informative=4, flip_y=0.1, random_state=0)
FRAME = pd.DataFrame(X, columns=list("abcdef"))
NAMES = np.where(y == 1, "yes", "no")


def assert_same(a, b):
    """Two states of an estimator, attribute by attribute and bit by bit."""
    assert a.keys() == b.keys()
    for name in a:
        x, z = a[name], b[name]
        assert type(x) is type(z), name
        if sparse.issparse(x):
            x, z = x.toarray(), z.toarray()
        if isinstance(x, np.ndarray):
            assert (x.dtype, x.shape) == (z.dtype, z.shape), name
            np.testing.assert_array_equal(x, z, err_msg=name)
        else:
            assert x == z, name


@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("loss", usually(CONVEX))
def test_warm_start_reaches_the_same_optimum(loss, fit_intercept):
    first = MarginLinearClassifier(loss, C=10.0, warm_start=True, fit_intercept=fit_intercept).fit(X[::2], y[::2])
    first.set_params(C=0.3).fit(X, y)
    cold = MarginLinearClassifier(loss, C=0.3, fit_intercept=fit_intercept).fit(X, y)
    np.testing.assert_allclose(first.objective_, cold.objective_, rtol=1e-8)
    np.testing.assert_allclose(first.coef_, cold.coef_, rtol=1e-5, atol=1e-7)


def test_warm_start_begins_where_the_last_fit_ended():
    model = MarginLinearClassifier(warm_start=True, solver="lbfgs", tol=1e-6).fit(X, y)
    cold, coef = model.n_iter_[0], model.coef_.copy()
    model.fit(X, y)
    assert model.n_iter_[0] < cold / 2
    np.testing.assert_allclose(model.coef_, coef, rtol=1e-2)
    assert model.set_params(warm_start=False).fit(X, y).n_iter_[0] == cold


def test_warm_start_of_a_bounded_loss_does_not_start_from_its_companion():
    model = MarginLinearClassifier("savage", warm_start=True).fit(X, y)
    cold = model.n_iter_[0]
    coef = model.coef_.copy()
    model.fit(X, y)
    assert model.n_iter_[0] < cold
    np.testing.assert_allclose(model.coef_, coef, rtol=1e-6)


def test_warm_start_of_several_classes():
    data, labels = load_iris(return_X_y=True)
    model = MarginLinearClassifier(C=0.1, warm_start=True, tol=1e-11).fit(data, labels)
    model.set_params(C=1.0).fit(data, labels)
    cold = MarginLinearClassifier(C=1.0, tol=1e-11).fit(data, labels)
    np.testing.assert_allclose(model.objective_, cold.objective_, rtol=1e-9)
    np.testing.assert_allclose(model.coef_, cold.coef_, rtol=1e-5)


def test_warm_start_after_sparsify():
    model = MarginLinearClassifier(warm_start=True).fit(X, y).sparsify().fit(X, y)
    assert isinstance(model.coef_, np.ndarray)
    np.testing.assert_allclose(model.coef_, MarginLinearClassifier().fit(X, y).coef_, rtol=1e-6)


def test_warm_start_without_a_previous_intercept():
    model = MarginLinearClassifier(warm_start=True).fit(X + 1.0, y).set_params(fit_intercept=False).fit(X, y)
    assert model.intercept_[0] == 0.0
    np.testing.assert_allclose(
        model.coef_, MarginLinearClassifier(fit_intercept=False).fit(X, y).coef_, rtol=1e-6, atol=1e-9
    )


def test_warm_start_from_where_the_loss_overflows():
    model = MarginLinearClassifier("exponential", warm_start=True).fit(X, y)
    model.coef_ = model.coef_ * -1e6
    model.fit(X, y)
    np.testing.assert_allclose(model.coef_, MarginLinearClassifier("exponential").fit(X, y).coef_, rtol=1e-6)


# What a second fit cannot use: (X, y, parameters, words of the message). The first was of FRAME and NAMES.
WARM = {
    "other classes": (FRAME, np.where(y == 1, "yes", "maybe"), {}, ["warm_start", "maybe", "no", "yes"]),
    "more classes": (FRAME, np.array(list("abc") * 50), {}, ["warm_start", "classes", "'a'"]),
    "fewer features": (FRAME.drop(columns="f"), NAMES, {}, ["warm_start", "5 features", "6"]),
    "other names": (FRAME.rename(columns={"a": "z"}), NAMES, {}, ["warm_start", "feature names"]),
    "other order": (FRAME[list("bacdef")], NAMES, {}, ["warm_start", "feature names"]),
}
ALWAYS = {
    "NaN": (FRAME.replace(FRAME.iloc[3, 2], np.nan), NAMES, {}, ["NaN"]),
    "NaN, features": (np.full((150, 3), np.nan), NAMES, {}, ["NaN"]),
    "one class": (FRAME, np.full(150, "no"), {}, ["one class", "no"]),
    "length of y": (FRAME, NAMES[:-1], {}, ["150", "149"]),
    "length of y, features": (X[:, :3], NAMES[:-1], {}, ["150", "149"]),
    "columns of y": (FRAME, np.zeros((150, 2), int), {}, ["(150, 2)"]),
    "C": (FRAME, NAMES, {"C": -1.0}, ["C", "-1.0"]),
    "C, features": (X[:, :3], NAMES, {"C": -1.0}, ["C", "-1.0"]),
    "loss": (FRAME, NAMES, {"loss": "perceptron"}, ["perceptron"]),
    "class_weight": (FRAME, NAMES, {"class_weight": {"no": -1.0}}, ["class_weight", "-1.0"]),
    "overflow": (X * 1e200, NAMES, {}, ["overflow"]),
    "C times the weights": (FRAME, NAMES, {"C": 1e307}, ["C=1e+307", "overflow"]),
}


@pytest.mark.parametrize("sparsified", [False, True])
@pytest.mark.parametrize(
    ("case", "warm_start"),
    [*((case, True) for case in WARM.values()), *((case, warm) for case in ALWAYS.values() for warm in (False, True))],
    ids=[*WARM, *(f"{name}, {kind}" for name in ALWAYS for kind in ("cold", "warm"))],
)
def test_a_failing_refit_leaves_the_previous_fit_whole(case, warm_start, sparsified):
    data, labels, parameters, words = case
    model = MarginLinearClassifier(warm_start=warm_start).fit(FRAME, NAMES)
    if sparsified:
        model.sparsify()
    model.set_params(**parameters)
    before, decisions = copy.deepcopy(model.__dict__), model.decision_function(FRAME)
    with pytest.raises(ValueError, match=mentions(*words)):
        model.fit(data, labels)
    assert_same(model.__dict__, before)
    np.testing.assert_array_equal(model.decision_function(FRAME), decisions)


def test_a_refit_that_warnings_stop_leaves_the_previous_fit_whole():
    model = MarginLinearClassifier().fit(FRAME, NAMES)
    before = copy.deepcopy(model.set_params(max_iter=1, tol=1e-15).__dict__)
    with warnings.catch_warnings():
        warnings.simplefilter("error", ConvergenceWarning)
        with pytest.raises(ConvergenceWarning, match="max_iter"):
            model.fit(X[:, :3], y)
    assert_same(model.__dict__, before)


def test_a_first_fit_that_fails_leaves_nothing():
    model = MarginLinearClassifier()
    with pytest.raises(ValueError, match="one class"):
        model.fit(FRAME, np.zeros(150))
    assert_same(model.__dict__, MarginLinearClassifier().__dict__)


def test_a_refit_forgets_the_previous_one():
    model = MarginLinearClassifier().fit(FRAME, NAMES).fit(*load_iris(return_X_y=True))
    assert_same(model.__dict__, MarginLinearClassifier().fit(*load_iris(return_X_y=True)).__dict__)
    assert not hasattr(model, "feature_names_in_")
