"""End to end on real data, with the parts of scikit-learn that a classifier has to fit into."""

import warnings

import numpy as np
import pandas as pd
import polars as pl
import pytest
import sklearn
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import make_column_transformer
from sklearn.datasets import load_breast_cancer, load_digits, load_iris, load_wine, make_multilabel_classification
from sklearn.ensemble import BaggingClassifier, StackingClassifier, VotingClassifier
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.feature_selection import RFE, SelectFromModel
from sklearn.inspection import permutation_importance
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import get_scorer, log_loss, roc_auc_score
from sklearn.model_selection import GridSearchCV, cross_val_predict, cross_validate, train_test_split
from sklearn.multiclass import OneVsOneClassifier, OneVsRestClassifier
from sklearn.multioutput import MultiOutputClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from marginclf import MarginLinearClassifier
from marginclf.losses import SmoothHinge

DATA = {"breast cancer": load_breast_cancer, "iris": load_iris, "wine": load_wine, "digits": load_digits}


def scaled(*args, **parameters):
    return make_pipeline(StandardScaler(), MarginLinearClassifier(*args, **parameters))


@pytest.mark.parametrize("loss", ["logistic", "squared_hinge", "smooth_hinge", "dwd", "modified_huber", "savage"])
@pytest.mark.parametrize("name", DATA)
def test_accuracy_close_to_that_of_logistic_regression(name, loss):
    data, labels = DATA[name](return_X_y=True)
    X, X_test, y, y_test = train_test_split(data, labels, test_size=0.4, stratify=labels, random_state=0)
    theirs = make_pipeline(StandardScaler(), OneVsRestClassifier(LogisticRegression(max_iter=1000)))
    expected = theirs.fit(X, y).score(X_test, y_test)
    assert scaled(loss).fit(X, y).score(X_test, y_test) > expected - 0.03


def test_two_classes_of_logistic_regression_are_the_same_predictions():
    X, y = load_breast_cancer(return_X_y=True)
    theirs = make_pipeline(StandardScaler(), LogisticRegression(tol=1e-10, max_iter=10_000)).fit(X, y)
    ours = scaled().fit(X, y)
    np.testing.assert_allclose(ours.predict_proba(X), theirs.predict_proba(X), rtol=1e-5, atol=1e-9)
    assert np.array_equal(ours.predict(X), theirs.predict(X))


def test_grid_search_over_loss_and_c():
    X, y = load_breast_cancer(return_X_y=True)
    grid = {
        "marginlinearclassifier__loss": ["logistic", "squared_hinge", SmoothHinge(gamma=0.5), "linear"],
        "marginlinearclassifier__C": [0.01, 0.1, 1.0],
    }
    search = GridSearchCV(scaled(), grid, cv=3, scoring="roc_auc", error_score="raise").fit(X, y)
    assert search.best_score_ > 0.99
    assert search.cv_results_["mean_test_score"].min() > 0.95
    assert len(search.cv_results_["params"]) == 12
    best = search.best_estimator_[-1]
    assert best.loss == search.best_params_["marginlinearclassifier__loss"]
    assert search.score(X, y) > 0.99
    assert search.decision_function(X).shape == (569,)


@pytest.mark.parametrize("name", ["breast cancer", "wine"])
def test_cross_val_predict(name):
    X, y = DATA[name](return_X_y=True)
    z = cross_val_predict(scaled("squared_hinge", C=0.1), X, y, cv=3, method="decision_function")
    proba = cross_val_predict(scaled("logistic"), X, y, cv=3, method="predict_proba")
    logarithm = cross_val_predict(scaled("logistic"), X, y, cv=3, method="predict_log_proba")
    assert z.shape == (y.shape if name == "breast cancer" else proba.shape)
    assert roc_auc_score(y, z if name == "breast cancer" else proba, multi_class="ovr") > 0.99
    assert log_loss(y, proba) < 0.15
    np.testing.assert_allclose(np.exp(logarithm), proba, rtol=1e-9)


@pytest.mark.parametrize("method", ["sigmoid", "isotonic"])
@pytest.mark.parametrize("loss", ["linear", "sigmoid"])
def test_calibration_of_a_loss_without_probability(loss, method):
    X, y = load_breast_cancer(return_X_y=True)
    # On balanced weights, sigmoid has a stationary point.
    model = CalibratedClassifierCV(scaled(loss, class_weight="balanced"), method=method, cv=3).fit(X, y)
    proba = model.predict_proba(X)
    np.testing.assert_allclose(proba.sum(axis=1), 1.0)
    assert log_loss(y, proba) < 0.25
    assert model.score(X, y) > 0.9


def test_metadata_routing_of_sample_weight():
    X, y = load_iris(return_X_y=True)
    weights = np.random.default_rng(0).integers(0, 4, len(y)).astype(float)
    with sklearn.config_context(enable_metadata_routing=True):
        model = MarginLinearClassifier().set_fit_request(sample_weight=True).set_score_request(sample_weight=True)
        pipeline = make_pipeline(StandardScaler().set_fit_request(sample_weight=False), model)
        pipeline.fit(X, y, sample_weight=weights)
        Z = pipeline[0].transform(X)
        weighted = MarginLinearClassifier().fit(Z, y, weights)
        np.testing.assert_allclose(pipeline[-1].coef_, weighted.coef_, rtol=1e-9)
        assert pipeline.score(X, y, sample_weight=weights) == weighted.score(Z, y, weights)
        scorer = get_scorer("accuracy").set_score_request(sample_weight=True)
        found = cross_validate(pipeline, X, y, scoring=scorer, params={"sample_weight": weights}, cv=3)
        assert (found["test_score"] > 0.8).all()
        unrouted = make_pipeline(StandardScaler().set_fit_request(sample_weight=False), MarginLinearClassifier())
        with pytest.raises(ValueError, match="sample_weight"):
            unrouted.fit(X, y, sample_weight=weights)


@pytest.mark.parametrize("container", ["pandas", "polars"])
def test_set_output_before_the_classifier(container):
    X, y = load_wine(return_X_y=True, as_frame=True)
    names = list(X.columns)
    if container == "polars":
        X = pl.DataFrame({name: X[name].to_numpy() for name in names})
    pipeline = make_pipeline(StandardScaler(), MarginLinearClassifier())
    pipeline.set_output(transform=container)
    pipeline.fit(X, y)
    # Up to some version, scikit-learn saw no names in the polars frames of today.
    if hasattr(pipeline[0], "feature_names_in_"):
        assert list(pipeline[-1].feature_names_in_) == names
    plain = scaled().fit(X.to_numpy(), y)
    np.testing.assert_allclose(pipeline.decision_function(X), plain.decision_function(X.to_numpy()), rtol=1e-7)
    assert pipeline.score(X, y) > 0.98


def test_column_transformer_and_text():
    texts = [f"{'good' if k % 2 else 'bad'} film {k % 7} of {k % 5}" for k in range(60)]
    frame = pd.DataFrame({"text": texts, "year": np.arange(60.0)})
    y = np.where(np.arange(60) % 2, "up", "down")
    prepare = make_column_transformer((TfidfVectorizer(), "text"), (StandardScaler(), ["year"]), sparse_threshold=1.0)
    model = make_pipeline(prepare, MarginLinearClassifier("squared_hinge", C=10.0)).fit(frame, y)
    assert model.score(frame, y) == 1.0


def test_several_labels():
    X, Y = make_multilabel_classification(150, 10, n_classes=4, random_state=0)
    alone = [MarginLinearClassifier("squared_hinge", C=0.01).fit(X, column) for column in Y.T]
    for wrapper in (OneVsRestClassifier, MultiOutputClassifier):
        model = wrapper(MarginLinearClassifier("squared_hinge", C=0.01)).fit(X, Y)
        assert np.array_equal(model.predict(X), np.column_stack([one.predict(X) for one in alone]))
        assert np.mean(model.predict(X) == Y) > 0.75
        np.testing.assert_allclose(model.estimators_[2].coef_, alone[2].coef_, rtol=1e-9)
    pairs = OneVsOneClassifier(scaled()).fit(*load_iris(return_X_y=True))
    assert pairs.score(*load_iris(return_X_y=True)) > 0.95


def test_ensembles():
    X, y = load_breast_cancer(return_X_y=True)
    members = [(loss, scaled(loss, C=0.1)) for loss in ("logistic", "squared_hinge", "dwd")]
    stack = StackingClassifier([*members, ("linear", scaled("linear"))], MarginLinearClassifier(), cv=3)
    assert stack.fit(X, y).score(X, y) > 0.95
    vote = VotingClassifier(members, voting="soft").fit(X, y)
    assert vote.score(X, y) > 0.95
    bag = BaggingClassifier(scaled(), n_estimators=5, random_state=0).fit(X, y)
    assert bag.score(X, y) > 0.95


def test_feature_selection_and_importance():
    X, y = load_breast_cancer(return_X_y=True)
    X = StandardScaler().fit_transform(X)
    for loss in ("logistic", "squared_hinge"):
        model = MarginLinearClassifier(loss)
        assert RFE(model, n_features_to_select=5, step=5).fit(X, y).n_features_ == 5
        kept = SelectFromModel(model, max_features=5, threshold=-np.inf).fit(X, y).get_support()
        assert np.array_equal(np.flatnonzero(kept), np.sort(np.abs(model.fit(X, y).coef_[0]).argsort()[-5:]))
    importance = permutation_importance(model, X, y, n_repeats=2, random_state=0).importances_mean
    assert importance.max() > 0.0


@pytest.mark.parametrize(
    "scoring", ["accuracy", "roc_auc", "average_precision", "f1", "neg_log_loss", "neg_brier_score"]
)
def test_scorers(scoring):
    X, y = load_breast_cancer(return_X_y=True)
    found = get_scorer(scoring)(scaled().fit(X, y), X, y)
    if scoring.startswith("neg"):
        assert -0.1 < found < 0.0
    else:
        assert found > 0.98
        assert get_scorer(scoring)(scaled("linear").fit(X, y), X, y) > 0.9


def test_shap_explains_decision_values():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # its import calls what newer versions of matplotlib deprecate
        import shap

    X, y = load_breast_cancer(return_X_y=True)
    X = StandardScaler().fit_transform(X)
    for labels in (y, np.digitize(X[:, 0], [-0.5, 0.5])):
        model = MarginLinearClassifier("squared_hinge", C=0.1).fit(X, labels)
        z = model.decision_function(X)
        explained = shap.LinearExplainer(model, shap.maskers.Independent(X, max_samples=len(X)))(X)
        # The parts add up to the decision value.
        total = explained.base_values + explained.values.sum(axis=1)
        np.testing.assert_allclose(total, z, rtol=1e-6, atol=1e-6)


def test_the_representation_in_a_notebook_links_to_the_documentation():
    page = "https://marginclf.readthedocs.io/en/stable/generated/api/marginclf.MarginLinearClassifier.html"
    assert page in scaled()._repr_html_()
