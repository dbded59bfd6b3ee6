"""The parameter ``loss``, by name and as an object, and ``loss__<parameter>``."""

import numpy as np
import pytest
from messages import mentions
from sklearn.base import clone
from sklearn.datasets import make_classification
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

from marginclf import MarginLinearClassifier
from marginclf.losses import LUM, Savage, SmoothHinge, SquaredHinge, catalogue, get_loss

X, y = make_classification(120, 6, n_informative=4, flip_y=0.1, random_state=0)


def same_fit(a, b):
    return np.array_equal(a.coef_, b.coef_) and np.array_equal(a.intercept_, b.intercept_)


@pytest.mark.parametrize("name", [name for cls in catalogue().values() for name in (cls.name, *cls.aliases)])
def test_loss_by_name_alias_and_object_is_one_and_the_same(name):
    by_name = MarginLinearClassifier(name).fit(X, y)
    assert by_name.loss == name  # the string stays what it was
    assert same_fit(by_name, MarginLinearClassifier(get_loss(name)).fit(X, y))


def test_parameters_of_a_loss_object_count():
    coefs = [MarginLinearClassifier(SmoothHinge(gamma=gamma)).fit(X, y).coef_ for gamma in (1.0, 0.1)]
    assert not np.allclose(*coefs, rtol=1e-3)


def test_parameters_and_text_of_a_name():
    model = MarginLinearClassifier("smooth_hinge", C=0.5)
    assert model.get_params()["loss"] == "smooth_hinge"
    assert not any(name.startswith("loss__") for name in model.get_params())
    assert repr(model) == "MarginLinearClassifier(C=0.5, loss='smooth_hinge')"
    assert clone(model).get_params() == model.get_params()


def test_loss_parameter_on_a_name_makes_an_object():
    model = MarginLinearClassifier("smooth_hinge")
    assert model.set_params(loss__gamma=0.25) is model
    assert model.loss == SmoothHinge(gamma=0.25)
    assert same_fit(model.fit(X, y), MarginLinearClassifier(SmoothHinge(gamma=0.25)).fit(X, y))
    # The catalogue is not touched by that.
    assert get_loss("smooth_hinge") == SmoothHinge()


def test_loss_parameter_on_an_object_is_not_shared():
    shared = LUM(a=2.0, c=1.0)
    first, second = MarginLinearClassifier(shared), MarginLinearClassifier(shared)
    first.set_params(loss__a=3.0)
    assert first.loss == LUM(a=3.0, c=1.0)
    assert second.loss is shared
    assert shared == LUM(a=2.0, c=1.0)


def test_loss_and_its_parameter_in_one_call():
    model = MarginLinearClassifier("logistic").set_params(loss__gamma=0.5, loss="smooth_hinge", C=3.0)
    assert model.loss == SmoothHinge(gamma=0.5)
    assert model.C == 3.0


@pytest.mark.parametrize(
    ("loss", "parameter", "words"),
    [
        ("logistic", "gamma", ["gamma", "Logistic", "none", "list of grids"]),
        (LUM(a=2.0), "gamma", ["gamma", "LUM(a=2.0)", "a, c", "list of grids"]),
        ("dwd", "gamma", ["gamma", "DWD", "parameters: q", "list of grids"]),
    ],
)
def test_unknown_loss_parameter(loss, parameter, words):
    model = MarginLinearClassifier(loss)
    with pytest.raises(ValueError, match=mentions("Invalid parameter", parameter, *words)):
        model.set_params(**{f"loss__{parameter}": 1.0})
    assert model.loss is loss


def test_grid_search_over_names_and_objects():
    losses = ["logistic", "squared_hinge", "savage", SmoothHinge(gamma=0.5), Savage()]
    search = GridSearchCV(MarginLinearClassifier(), {"loss": losses}, cv=3).fit(X, y)
    assert list(search.cv_results_["param_loss"]) == losses
    scores = search.cv_results_["mean_test_score"]
    assert np.isfinite(scores).all()
    assert scores[2] == scores[4]
    assert search.best_estimator_.loss == losses[search.best_index_]


@pytest.mark.parametrize("loss", ["smooth_hinge", SmoothHinge(gamma=3.0)])
def test_grid_search_over_a_loss_parameter(loss):
    gammas = [0.01, 0.5, 2.0]
    search = GridSearchCV(MarginLinearClassifier(loss), {"loss__gamma": gammas}, cv=3, refit=True)
    search.fit(X, y)
    one_by_one = GridSearchCV(MarginLinearClassifier(), {"loss": [SmoothHinge(gamma=g) for g in gammas]}, cv=3)
    one_by_one.fit(X, y)
    np.testing.assert_array_equal(search.cv_results_["mean_test_score"], one_by_one.cv_results_["mean_test_score"])
    assert search.best_estimator_.loss == SmoothHinge(gamma=gammas[search.best_index_])
    assert search.estimator.loss is loss


def test_list_of_grids_through_a_pipeline():
    grids = [
        {"clf__loss": ["logistic", SquaredHinge()], "clf__C": [0.1, 1.0]},
        {"clf__loss": ["smooth_hinge", SmoothHinge()], "clf__loss__gamma": [0.1, 1.0]},
        {"clf__loss": [LUM(c=1.0)], "clf__loss__a": [0.5]},
    ]
    pipeline = Pipeline([("scale", StandardScaler()), ("clf", MarginLinearClassifier())])
    search = GridSearchCV(pipeline, grids, cv=3, error_score="raise").fit(X, y)
    scores = search.cv_results_["mean_test_score"]
    assert len(scores) == 9
    assert list(scores[4:6]) == list(scores[6:8])  # name or object
    assert not np.array_equal(scores[4], scores[0]) or not np.array_equal(scores[5], scores[1])
    assert pipeline.set_params(clf__loss__gamma=0.3, clf__loss="smooth_hinge")["clf"].loss == SmoothHinge(gamma=0.3)


def test_grid_search_names_a_parameter_that_the_loss_does_not_have():
    search = GridSearchCV(MarginLinearClassifier(), {"loss": ["logistic"], "loss__gamma": [1.0]}, error_score="raise")
    with pytest.raises(ValueError, match="list of grids"):
        search.fit(X, y)
