"""Two classes of which one has no weight: a fit with w = 0 and a finite intercept that says so, and no error."""

import warnings

import dask.array as da
import numpy as np
import pytest
from problems import fit
from references import DEFAULTS, takes
from sklearn.ensemble import BaggingClassifier

from marginclf import MarginLinearClassifier
from marginclf.solvers import SOLVERS, Status

RNG = np.random.default_rng(0)
X = RNG.normal(size=(100, 4))
Y = np.array(["common", "rare"])[(np.arange(100) < 3).astype(int)]
WITHOUT_RARE = np.where(Y == "rare", 0.0, RNG.integers(1, 4, 100)).astype(float)


@pytest.mark.parametrize("solver", ["auto", *SOLVERS])
@pytest.mark.parametrize("loss", DEFAULTS)
def test_a_bag_without_the_rare_class(loss, solver):
    if not takes(solver, loss):
        return
    model, messages = fit(loss, X, Y, WITHOUT_RARE, solver=solver)
    assert model.classes_.tolist() == ["common", "rare"]
    assert model.coef_.shape == (1, 4)
    assert not model.coef_.any()
    assert np.isfinite(model.intercept_).all()
    assert model.intercept_[0] < 0.0
    assert (model.predict(X) == "common").all()
    assert model.status_ == (Status.LONE_CLASS.value,)
    assert np.isnan(model.suboptimality_[0])
    assert len(messages) == 1
    assert "'rare'" in messages[0]
    assert "positive weight" in messages[0]
    assert np.isfinite(model.objective_).all()


def test_the_intercept_is_that_of_half_a_row():
    model, _ = fit("logistic", X, Y, WITHOUT_RARE)
    odds = 0.5 / WITHOUT_RARE.sum()
    assert model.intercept_[0] == pytest.approx(np.log(odds), rel=1e-12)
    np.testing.assert_allclose(model.predict_proba(X)[:, 1], odds / (1.0 + odds), rtol=1e-12)
    assert model.objective_[0] == pytest.approx(WITHOUT_RARE.sum() * np.log1p(odds), rel=1e-12)
    # The other way round, and with weights of any size: never for the class that is not there.
    for scale in (1.0, 1e-6):
        swapped, _ = fit("logistic", X, Y == "common", WITHOUT_RARE * scale)
        assert swapped.intercept_[0] > 0.0
        assert swapped.predict(X).all()


@pytest.mark.parametrize("class_weight", [{"rare": 30.0}, "balanced"])
def test_class_weights_weigh_the_half_row(class_weight):
    model, messages = fit("logistic", X, Y, WITHOUT_RARE, class_weight=class_weight)
    expected = np.log(15.0 / WITHOUT_RARE.sum()) if class_weight != "balanced" else 0.0
    assert model.intercept_[0] == pytest.approx(expected, abs=1e-12)
    assert len(messages) == 1


def test_what_is_around_a_fit():
    model, messages = fit("logistic", X, Y, WITHOUT_RARE, fit_intercept=False, C=np.inf, verbose=1, record_history=True)
    assert len(messages) == 1
    assert not model.intercept_.any()
    assert model.history_[0]["objective"].tolist() == model.objective_.tolist()
    # A warm start goes on from there, with both classes.
    model.set_params(warm_start=True, fit_intercept=True, C=1.0).fit(X, Y)
    np.testing.assert_allclose(model.coef_, MarginLinearClassifier().fit(X, Y).coef_, rtol=1e-6)


def test_bagging():
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        bags = BaggingClassifier(MarginLinearClassifier(), n_estimators=100, random_state=0).fit(X, Y)
    missed = [bag for bag in bags.estimators_ if bag.status_ == (Status.LONE_CLASS.value,)]
    assert missed, "this is what the test is for"
    assert len(caught) == len(missed)
    assert set(bags.predict(X)) <= {"common", "rare"}
    assert np.isfinite(bags.predict_proba(X)).all()


def test_dask():
    rows = [da.from_array(a, chunks=((30, 70), *((n,) for n in a.shape[1:]))) for a in (X, Y, WITHOUT_RARE)]
    model, messages = fit("logistic", *rows)
    alone, _ = fit("logistic", X, Y, WITHOUT_RARE)
    assert len(messages) == 1
    assert model.classes_.tolist() == ["common", "rare"]
    np.testing.assert_allclose(model.intercept_, alone.intercept_, rtol=1e-12)
    assert not model.coef_.any()


def test_of_three_classes_one_without_weight_is_dropped():
    y = np.where(np.arange(100) < 50, Y, "other")
    model, messages = fit("logistic", X, y, np.where(y == "rare", 0.0, 1.0))
    assert not messages
    assert model.classes_.tolist() == ["common", "other"]
    with pytest.raises(ValueError, match=r"only one class, counting the rows of positive weight: 'other'"):
        MarginLinearClassifier().fit(X, y, y == "other")


def test_one_value_in_y_stays_an_error():
    with pytest.raises(ValueError, match="only one class"):
        MarginLinearClassifier().fit(X, np.zeros(100), WITHOUT_RARE)
