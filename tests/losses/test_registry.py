"""register_loss: a loss of one's own as a string, with all that a name can be used for."""

import pickle
import subprocess
import sys
import textwrap

import joblib
import numpy as np
import pytest
from sklearn.base import clone
from sklearn.datasets import load_breast_cancer
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from marginclf import MarginLinearClassifier
from marginclf.losses import MarginLoss, SquaredHinge, get_loss, register_loss, registry

X, y = load_breast_cancer(return_X_y=True)
X = StandardScaler().fit_transform(X)


class Power(MarginLoss):
    """max(0, 1 − m) to the power p."""

    p: float = 2.0

    def point(self, m):
        t = 1.0 - m
        if t <= 0.0:
            return 0.0, 0.0, 0.0
        return t**self.p, -self.p * t ** (self.p - 1.0), self.p * (self.p - 1.0) * t ** (self.p - 2.0)


@pytest.fixture(autouse=True)
def _names(monkeypatch):
    monkeypatch.setattr(registry, "_REGISTERED", {})


def test_by_name_and_by_object():
    register_loss("power", Power)
    assert get_loss("power") == Power()
    by_name = MarginLinearClassifier("power").fit(X, y)
    by_object = MarginLinearClassifier(Power()).fit(X, y)
    np.testing.assert_array_equal(by_name.coef_, by_object.coef_)
    assert by_name.loss == "power"
    assert by_name.loss_ == Power()
    assert repr(by_name) == "MarginLinearClassifier(loss='power')"
    assert clone(by_name).loss == "power"
    assert by_name.set_params(loss__p=3.0).loss == Power(p=3.0)


def test_grid_search_over_losses_and_over_own_parameters():
    register_loss("power", Power)
    pipeline = make_pipeline(StandardScaler(), MarginLinearClassifier())
    grid = [
        {"marginlinearclassifier__loss": ["logistic", "power"]},
        {"marginlinearclassifier__loss": [Power()], "marginlinearclassifier__loss__p": [1.5, 3.0]},
    ]
    search = GridSearchCV(pipeline, grid, cv=3).fit(X, y)
    assert len(search.cv_results_["mean_test_score"]) == 4
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()
    assert search.best_score_ > 0.95


@pytest.mark.slow
def test_worker_processes_take_the_object():
    model = MarginLinearClassifier(Power(p=3.0))
    with joblib.parallel_config("loky", n_jobs=2):
        scores = cross_val_score(model, X, y, cv=2)
    np.testing.assert_array_equal(scores, cross_val_score(model, X, y, cv=2))


def test_the_fitted_state_holds_the_object():
    register_loss("power", Power)
    state = pickle.dumps(MarginLinearClassifier("power").fit(X, y))
    registry._REGISTERED.clear()
    loaded = pickle.loads(state)
    assert loaded.loss == "power"
    assert loaded.predict_proba(X).shape == (len(X), 2)
    with pytest.raises(ValueError, match=r"'power'.*holds only in the process that registered it: pass the loss as an"):
        loaded.fit(X, y)


@pytest.mark.slow
def test_a_name_of_another_process_is_unknown_there():
    code = """
    from marginclf.losses import get_loss
    try:
        get_loss("power")
    except ValueError as error:
        print(error)
    """
    register_loss("power", Power)
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, check=True)
    assert "unknown loss 'power'" in done.stdout
    assert "A name from register_loss holds only in the process that registered it" in done.stdout


def test_registered_again_replaces():
    register_loss("mine", Power)
    register_loss("mine", SquaredHinge)
    assert get_loss("mine") == SquaredHinge()


def test_a_near_miss_suggests_it():
    register_loss("power", Power)
    with pytest.raises(ValueError, match="unknown loss 'powr': did you mean 'power'"):
        get_loss("powr")


def test_what_cannot_be_registered():
    for name in ("logistic", "softplus", "perceptron"):
        with pytest.raises(ValueError, match=f"'{name}' belongs to a built-in loss; choose another one"):
            register_loss(name, Power)
    for name in ("", 3, None):
        with pytest.raises(TypeError, match="name of a loss must be a string that is not empty"):
            register_loss(name, Power)
    with pytest.raises(TypeError, match=r"needs a subclass of .*MarginLoss.*register the class Power, not an object"):
        register_loss("power", Power())
    with pytest.raises(TypeError, match=r"needs a subclass of .*MarginLoss"):
        register_loss("power", dict)
