"""What cannot be used is an error that names it, what was wrong with it, and the remedy; and nothing is lost."""

import copy
import traceback
import warnings

import numpy as np
import pandas as pd
import polars as pl
import pytest
from messages import mentions
from scipy import sparse
from sklearn.exceptions import NotFittedError
from sklearn.preprocessing import StandardScaler

from marginclf import MarginLinearClassifier
from marginclf.losses import DWD, LUM, GeneralizedCrossEntropy, SmoothHinge, get_loss, register_loss

RNG = np.random.default_rng(0)
X = RNG.normal(size=(6, 3))
y = np.array([0, 1] * 3)
ONES = np.ones(6)
NAMES = ["a", "b", "c"]


def _with(value, array=X, dtype=float):
    array = array.astype(dtype)
    array.flat[4] = value
    return array


BAD_X = {
    "NaN": (_with(np.nan), ["Input X contains NaN", "imputer"]),
    "NaN, CSR": (sparse.csr_array(_with(np.nan)), ["Input X contains NaN"]),
    "NaN, frame": (pd.DataFrame(_with(np.nan)), ["Input X contains NaN"]),
    "null, polars": (pl.DataFrame({"a": [1.0, None, 2.0, 3.0, 4.0, 5.0]}), ["Input X contains NaN"]),
    "inf": (_with(np.inf), ["Input X contains infinity"]),
    "-inf": (_with(-np.inf, dtype=np.float32), ["Input X contains infinity", "float32"]),
    "inf, CSC": (sparse.csc_matrix(_with(np.inf)), ["Input X contains infinity"]),
    "complex": (_with(1j, dtype=complex), ["Complex data", "X", "complex128", "columns"]),
    "complex, CSR": (sparse.csr_array(X + 0j), ["Complex data", "complex128"]),
    "text": (_with("abc", dtype=object), ["'abc'", "X"]),
    "text, frame": (pd.DataFrame(X, columns=NAMES).assign(c="abc"), ["'abc'", "X"]),
    "text, polars": (pl.DataFrame(X, schema=NAMES).with_columns(c=pl.lit("abc")), ["'abc'", "X"]),
    "one dimension": (X[:, 0], ["2D", "1D", "reshape"]),
    "three dimensions": (X[None], ["dim 3", "2"]),
    "a number": (3.0, ["2D", "scalar"]),
    "ragged": ([[1.0, 2.0], [3.0]] * 3, ["inhomogeneous"]),
    "no rows": (X[:0], ["0 sample", "(0, 3)"]),
    "no columns": (X[:, :0], ["0 feature", "(6, 0)"]),
    "other length": (X[:5], ["[5, 6]"]),
    "other length, CSR": (sparse.csr_array(X[:5]), ["[5, 6]"]),
}


pytestmark = pytest.mark.fault("bad input")
FOREIGN = ("numba", "llvmlite", "scipy/optimize")


def is_ours(error):
    """The error was raised on purpose, by us or by scikit-learn's validation, and not by what lies below."""
    last = traceback.extract_tb(error.__traceback__)[-1].filename
    return not any(f"/{name}/" in last for name in FOREIGN)


def refused(words, data, labels, weights=None, **parameters):
    """The fit fails with a ValueError that has the words, and without a warning before it; an earlier fit stays."""
    model, earlier = MarginLinearClassifier(**parameters), MarginLinearClassifier().fit(X, y)
    earlier.set_params(**parameters)
    before = copy.deepcopy(vars(earlier))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for which in (model, earlier):
            with pytest.raises((ValueError, TypeError), match=mentions(*words)) as caught:
                which.fit(data, labels, weights)
            assert is_ours(caught.value)
    assert not hasattr(model, "n_features_in_")
    with pytest.raises(NotFittedError):
        model.predict(X)
    assert vars(earlier).keys() == before.keys()
    assert all(np.array_equal(value, before[name]) for name, value in vars(earlier).items() if name.endswith("_"))


@pytest.mark.parametrize(("data", "words"), BAD_X.values(), ids=BAD_X)
def test_bad_x_at_fit(data, words):
    refused(words, data, y)


# One column fewer, or one that was never seen, is an error of its own.
@pytest.mark.parametrize("method", ["predict", "decision_function", "predict_proba", "score"])
@pytest.mark.parametrize("name", ["NaN", "NaN, CSR", "inf", "complex", "text", "one dimension", "three dimensions"])
def test_bad_x_at_predict(name, method):
    data, words = BAD_X[name]
    model = MarginLinearClassifier().fit(X, y)
    with pytest.raises(ValueError, match=mentions(*words)):
        getattr(model, method)(*((data, y) if method == "score" else (data,)))


_SHAPE = ["(6, 2)", "OneVsRestClassifier"]
BAD_Y = {
    "None": (None, ["y", "None", "labels"]),
    "one class": (np.full(6, 3), ["y has only one class", "3", "at least two"]),
    "one class of text": (["spam"] * 6, ["y has only one class", "'spam'"]),
    "columns": (np.eye(2, dtype=int)[y], ["y", *_SHAPE]),
    "columns, list": (np.eye(2, dtype=int)[y].tolist(), ["y", *_SHAPE]),
    "columns, pandas": (pd.DataFrame({"p": y, "q": y}), ["y", *_SHAPE]),
    "columns, polars": (pl.DataFrame({"p": y, "q": y}), ["y", *_SHAPE]),
    "columns, sparse": (sparse.csr_matrix(np.eye(2, dtype=int)[y]), ["y", *_SHAPE]),
    "continuous": (X[:, 0], ["label", "continuous", "discrete classes"]),
    "NaN": (_with(np.nan, y), ["y", "NaN"]),
    "inf": (_with(np.inf, y), ["y", "infinity"]),
    "NaN among text": (_with(np.nan, np.where(y, "a", "b"), object), ["y", "NaN"]),
    "None among text": (_with(None, np.where(y, "a", "b"), object), ["y"]),
    "missing, pandas strings": (pd.Series(["a", "b", pd.NA] * 2, dtype="string"), ["y"]),
    "missing, pandas integers": (pd.Series([0, 1, pd.NA] * 2, dtype="Int64"), ["y", "NaN"]),
    "missing, category": (pd.Categorical(["a", "b", None] * 2), ["y"]),
    "missing, polars": (pl.Series(["a", "b", None] * 2), ["y"]),
    "text and numbers": (np.array(["a", 1] * 3, dtype=object), ["y"]),
    "complex": (y + 0j, ["Complex"]),
    "other length": (y[:5], ["[6, 5]"]),
    "a number": (1, ["y", "()"]),
}


@pytest.mark.parametrize(("labels", "words"), BAD_Y.values(), ids=BAD_Y)
def test_bad_y(labels, words):
    refused(words, X, labels)


BAD_WEIGHTS = {
    "negative": (_with(-2.5, ONES), ["sample_weight", "-2.5", "remove"]),
    "negative, list": ([1, 1, -3, 1, 1, 1], ["sample_weight", "-3"]),
    "negative number": (-2.0, ["sample_weight", "-2.0"]),
    "zero": (0.0 * ONES, ["sample_weight", "zero", "positive"]),
    "other length": (ONES[:5], ["sample_weight", "(5,)", "(6,)"]),
    "two dimensions": (ONES[:, None], ["weights", "1D"]),
    "NaN": (_with(np.nan, ONES), ["sample_weight", "NaN"]),
    "inf": (_with(np.inf, ONES), ["sample_weight", "infinity"]),
    "text": (["a"] * 6, ["'a'"]),
    "complex": (ONES + 1j, ["Complex"]),
}


@pytest.mark.parametrize(("weights", "words"), BAD_WEIGHTS.values(), ids=BAD_WEIGHTS)
def test_bad_sample_weight(weights, words):
    refused(words, X, y, weights)


@pytest.mark.parametrize(
    ("class_weight", "words"),
    [
        ({0: 1.0, 7: 3.0}, ["class_weight", "[7]", "[0, 1]", "stratify"]),
        ({"0": 1.0, "1": 1.0}, ["class_weight", "['0', '1']", "[0, 1]"]),
        ({0: -1.0}, ["class_weight", "{0: -1.0}", "at least 0"]),
        ({1: np.nan}, ["class_weight", "{1: nan}", "finite"]),
        ({1: np.inf}, ["class_weight", "{1: inf}", "finite"]),
        ({1: "heavy"}, ["class_weight", "'heavy'", "numbers"]),
        ({1: None}, ["class_weight", "None"]),
        ({1: 0.0}, ["class_weight", "zero", "1", "remove"]),
        ([1.0, 2.0], ["class_weight", "[1.0, 2.0]", "dict", "balanced"]),
        ("balance", ["class_weight", "'balance'", "'balanced'"]),
    ],
    ids=repr,
)
def test_bad_class_weight(class_weight, words):
    refused(words, X, y, class_weight=class_weight)


@pytest.mark.parametrize(
    ("C", "weights", "class_weight"),
    [
        (1e300, 1e10 * ONES, None),
        (1.0, 1e308 * ONES, None),
        (1.0, 1e308 * ONES, "balanced"),
        (1.0, ONES, {0: 1e308, 1: 1e308}),
        (1e200, ONES, {0: 1e200}),
        (1e308, ONES, None),
        (np.inf, 1e308 * ONES, None),
    ],
)
def test_weights_that_overflow(C, weights, class_weight):
    refused(["weight", "overflow"], X, y, weights, C=C, class_weight=class_weight)


# Up to some version, scikit-learn saw no names in the polars frames of today.
POLARS = [pl.DataFrame] if hasattr(StandardScaler().fit(pl.DataFrame({"a": [0.0]})), "feature_names_in_") else []


def test_other_features_at_predict():
    model = MarginLinearClassifier().fit(pd.DataFrame(X, columns=NAMES), y)
    for data, words in (
        (X[:, :2], ["2 features", "3 features"]),
        (sparse.csr_array(X[:, :2]), ["2 features", "3 features"]),
        (pd.DataFrame(X, columns=["a", "b", "d"]), ["feature names", "- d", "- c"]),
        *((frame(X, schema=["a", "b", "d"]), ["feature names", "- d", "- c"]) for frame in POLARS),
        (pd.DataFrame(X[:, ::-1], columns=NAMES[::-1]), ["feature names", "same order"]),
        (pd.DataFrame(X[:, :2], columns=NAMES[:2]), ["feature names", "- c"]),
    ):
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "X does not have valid feature names")
            for method in (model.predict, model.decision_function, model.predict_proba):
                with pytest.raises(ValueError, match=mentions(*words)):
                    method(data)


def test_feature_names_missing_on_one_side_are_a_warning():
    frame = pd.DataFrame(X, columns=NAMES)
    model = MarginLinearClassifier().fit(frame, y)
    with pytest.warns(UserWarning, match="does not have valid feature names"):
        model.predict(X)
    with pytest.warns(UserWarning, match="was fitted without feature names"):
        MarginLinearClassifier().fit(X, y).predict(frame)
    # Names of pandas and polars are the same names.
    for polars in POLARS:
        assert np.array_equal(model.predict(polars(X, schema=NAMES)), model.predict(frame))


def test_not_fitted():
    for method in ("predict", "decision_function", "predict_proba", "predict_log_proba"):
        with pytest.raises(NotFittedError, match="fit"):
            getattr(MarginLinearClassifier(), method)(X)
    for method in ("sparsify", "densify"):
        with pytest.raises(NotFittedError, match="fit"):
            getattr(MarginLinearClassifier(), method)()


@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        ({"loss": "hinge", "solver": "lbfgs"}, ["lbfgs", "hinge", "kink", "auto", "dual"]),
        ({"loss": "hinge", "C": np.inf}, ["C=inf", "hinge", "finite"]),
        ({"loss": "savage", "solver": "dual"}, ["dual", "savage", "convex", "auto"]),
        ({"solver": "dual", "C": np.inf}, ["dual", "inf", "penalty", "auto"]),
        ({"loss": "perceptron"}, ["perceptron", "w = 0", "smooth_hinge"]),
        ({"loss": "logistc"}, ["'logistc'", "did you mean 'logistic'"]),
        ({"loss": "smoothhinge"}, ["'smoothhinge'", "did you mean 'smooth_hinge'"]),
        ({"loss": "qqq"}, ["'qqq'", "logistic", "generalized_cross_entropy"]),
        ({"loss": SmoothHinge(gamma=0.0)}, ["gamma", "SmoothHinge", "0.0"]),
        ({"loss": SmoothHinge(gamma=np.nan)}, ["gamma", "SmoothHinge", "nan"]),
        ({"loss": "linear", "C": np.inf}, ["C=inf", "'linear'", "unbounded", "finite C"]),
        ({"C": 0.0}, ["'C'", "0.0", "(0.0, inf"]),
        ({"C": -1.0}, ["'C'", "-1.0", "(0.0, inf"]),
        ({"C": np.nan}, ["'C'", "nan"]),
        ({"C": "1"}, ["'C'", "'1'"]),
        ({"tol": -1e-3}, ["'tol'", "-0.001"]),
        ({"tol": np.nan}, ["'tol'", "nan"]),
        ({"max_iter": 0}, ["'max_iter'", "0"]),
        ({"max_iter": 1.5}, ["'max_iter'", "1.5"]),
        ({"solver": "saga"}, ["'solver'", "saga", "lbfgs", "newton", "auto"]),
        ({"fit_intercept": 2}, ["'fit_intercept'", "2"]),
        ({"class_weight": "balance"}, ["'class_weight'", "balance", "balanced"]),
        ({"n_jobs": 1.5}, ["'n_jobs'", "1.5"]),
        ({"n_jobs": 0}, ["n_jobs"]),
        ({"random_state": -1}, ["'random_state'", "-1"]),
        ({"warm_start": "yes"}, ["'warm_start'", "yes"]),
        ({"loss": SmoothHinge}, ["loss", "SmoothHinge"]),
        ({"loss": 3}, ["'loss'", "3"]),
        ({"loss": None}, ["'loss'", "None"]),
        ({"loss": ""}, ["loss"]),
        ({"loss": b"logistic"}, ["'loss'"]),
        ({"loss": ["logistic"]}, ["'loss'", "['logistic']"]),
        ({"loss": DWD(q=-1.0)}, ["q", "DWD", "-1.0"]),
        ({"loss": DWD(q="2")}, ["q", "DWD", "'2'"]),
        ({"loss": LUM(a=0.0)}, ["a", "LUM", "0.0"]),
        ({"loss": LUM(c=-1.0)}, ["c", "LUM", "-1.0"]),
        ({"loss": GeneralizedCrossEntropy(q=2.0)}, ["q", "GeneralizedCrossEntropy", "2.0"]),
        ({"C": None}, ["'C'", "None"]),
        ({"C": 1j}, ["'C'", "1j"]),
        ({"C": [1.0]}, ["'C'", "[1.0]"]),
        ({"C": -np.inf}, ["'C'", "-inf"]),
        ({"tol": None}, ["'tol'", "None"]),
        ({"tol": "small"}, ["'tol'", "'small'"]),
        ({"max_iter": -3}, ["'max_iter'", "-3"]),
        ({"max_iter": None}, ["'max_iter'", "None"]),
        ({"max_iter": np.inf}, ["'max_iter'", "inf"]),
        ({"solver": None}, ["'solver'", "None"]),
        ({"solver": "LBFGS"}, ["'solver'", "LBFGS"]),
        ({"multi_class": "multinomial"}, ["'multi_class'", "multinomial", "joint"]),
        ({"multi_class": None}, ["'multi_class'", "None"]),
        ({"proba_prior": "prior"}, ["'proba_prior'", "prior", "weighted"]),
        ({"fit_intercept": None}, ["'fit_intercept'", "None"]),
        ({"fit_intercept": "yes"}, ["'fit_intercept'", "yes"]),
        ({"random_state": "seed"}, ["'random_state'", "seed"]),
        ({"random_state": 1.5}, ["'random_state'", "1.5"]),
        ({"n_jobs": "all"}, ["'n_jobs'", "all"]),
        ({"verbose": "much"}, ["'verbose'", "much"]),
        ({"record_history": "yes"}, ["'record_history'", "yes"]),
    ],
    ids=repr,
)
def test_bad_parameters(parameters, words):
    refused(words, X, y, **parameters)


@pytest.mark.parametrize("loss", ["squared", "tangent", "linear"])
def test_a_loss_without_a_joint_form(loss):
    three = np.arange(6) % 3
    with pytest.raises(ValueError, match=mentions("multi_class='joint'", loss.capitalize(), "ovr")):
        MarginLinearClassifier(loss, multi_class="joint").fit(X, three)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: MarginLinearClassifier().set_params(c=1.0), ["'c'", "'C'"]),
        (lambda: MarginLinearClassifier().set_params(loss__gamma=1.0), ["'gamma'", "Logistic", "none"]),
        (lambda: MarginLinearClassifier("smooth_hinge").set_params(loss__delta=1.0), ["'delta'", "gamma"]),
        (lambda: MarginLinearClassifier(loss_function="hinge"), ["loss_function"]),
        (lambda: SmoothHinge(delta=1.0), ["delta"]),
        (lambda: get_loss("hings"), ["'hings'", "'hinge'"]),
        (lambda: get_loss(None), ["None"]),
        (lambda: register_loss("hinge", SmoothHinge), ["'hinge'", "built-in"]),
        (lambda: register_loss("mine", SmoothHinge()), ["SmoothHinge"]),
        (lambda: register_loss(3, SmoothHinge), ["3"]),
    ],
)
def test_bad_calls(call, words):
    with pytest.raises((ValueError, TypeError), match=mentions(*words)):
        call()


def test_classes_without_a_correction_of_the_prior():
    model = MarginLinearClassifier(class_weight={0: 1.0, 1: 0.0}, proba_prior="data")
    with pytest.raises(ValueError, match=mentions("class_weight", "zero")):
        model.fit(X, y)
