"""Files: pickle, joblib and skops give back the same classifier, and say where another version wrote them."""

import copy
import pickle
import warnings

import joblib
import numpy as np
import pytest
import skops.io
from problems import fit
from references import DEFAULTS, LOSSES
from sklearn.base import clone
from sklearn.datasets import load_breast_cancer, load_iris
from sklearn.exceptions import InconsistentVersionWarning
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler, scale

import marginclf
from marginclf import MarginLinearClassifier
from marginclf.exchange import TRUSTED_TYPES

X, Y = load_breast_cancer(return_X_y=True)
X = scale(X)
X_IRIS, Y_IRIS = load_iris(return_X_y=True)


def by_pickle(model, folder):
    return pickle.loads(pickle.dumps(model))


def by_joblib(model, folder):
    joblib.dump(model, folder / "model.joblib")
    return joblib.load(folder / "model.joblib")


def by_skops(model, folder):
    skops.io.dump(model, folder / "model.skops")
    return skops.io.load(folder / "model.skops", trusted=TRUSTED_TYPES)


# Every class, for skops names the types that it trusts; and one object with a parameter, which is all that a loss has.
STORED = LOSSES[: len(DEFAULTS) + 1]
WAYS = pytest.mark.parametrize("way", [by_pickle, by_joblib, by_skops])


@WAYS
@pytest.mark.parametrize("data", [(X, Y), (X_IRIS, Y_IRIS)], ids=["binary", "iris"])
@pytest.mark.parametrize("loss", STORED)
def test_the_same_classifier_comes_back(loss, data, way, tmp_path):
    model, _ = fit(loss, *data, class_weight="balanced", record_history=True, random_state=3)
    again = way(model, tmp_path)
    assert again.loss_ == model.loss_
    assert again.get_params(deep=False) == model.get_params(deep=False)
    assert vars(again).keys() == vars(model).keys()
    np.testing.assert_array_equal(again.decision_function(data[0]), model.decision_function(data[0]))
    np.testing.assert_array_equal(again.predict(data[0]), model.predict(data[0]))
    if hasattr(model, "predict_proba"):
        np.testing.assert_array_equal(again.predict_proba(data[0]), model.predict_proba(data[0]))


@WAYS
def test_in_a_pipeline(way, tmp_path):
    model = make_pipeline(StandardScaler(), MarginLinearClassifier("hinge")).fit(X, Y)
    np.testing.assert_array_equal(way(model, tmp_path).predict(X), model.predict(X))


def test_skops_needs_no_other_type_and_no_less():
    file = skops.io.dumps(MarginLinearClassifier("smooth_hinge").fit(X, Y))
    assert set(skops.io.get_untrusted_types(data=file)) <= set(TRUSTED_TYPES)
    with pytest.raises(TypeError, match="Untrusted"):
        skops.io.loads(file, trusted=[])
    assert len(TRUSTED_TYPES) == len(set(TRUSTED_TYPES))


def test_what_other_steps_bring_is_named_and_added():
    model = make_pipeline(SimpleImputer(), MarginLinearClassifier("hinge")).fit(X, Y)
    file = skops.io.dumps(model)
    assert set(skops.io.get_untrusted_types(data=file)) - set(TRUSTED_TYPES) == {"numpy.dtype"}
    again = skops.io.loads(file, trusted=[*TRUSTED_TYPES, "numpy.dtype"])
    np.testing.assert_array_equal(again.predict(X), model.predict(X))


@WAYS
def test_a_file_of_another_version_warns(way, tmp_path, monkeypatch):
    model = MarginLinearClassifier().fit(X, Y)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        way(model, tmp_path)
    monkeypatch.setattr("marginclf._estimator.persistence.__version__", "0.0.7")
    with monkeypatch.context() as then:
        then.setattr("marginclf._estimator.persistence.__version__", "99.0")
        state = model.__getstate__()
    assert state["_marginclf_version"] == "99.0"
    with pytest.warns(InconsistentVersionWarning, match=r"saved by marginclf 99\.0 and is loaded by marginclf 0\.0\.7"):
        MarginLinearClassifier.__new__(MarginLinearClassifier).__setstate__(state)


def test_a_file_without_a_version_warns():
    state = MarginLinearClassifier().fit(X, Y).__getstate__()
    del state["_marginclf_version"]
    with pytest.warns(InconsistentVersionWarning, match="of an unknown version"):
        MarginLinearClassifier.__new__(MarginLinearClassifier).__setstate__(state)


def test_the_version_is_no_attribute():
    model = MarginLinearClassifier().fit(X, Y)
    for other in (pickle.loads(pickle.dumps(model)), copy.deepcopy(model), clone(model)):
        assert not any("version" in name for name in vars(other))
    assert marginclf.__version__[0].isdigit()
