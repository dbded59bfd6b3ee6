"""Sizes at the ends of what a float can hold: a clear error or a right answer, never NaN."""

import copy
import warnings

import numpy as np
import pytest
from messages import mentions
from references import CONVEX, DEFAULTS, FAMILY, LOSSES, usually, with_solvers
from scipy import sparse
from sklearn.exceptions import ConvergenceWarning

from marginclf import MarginLinearClassifier
from marginclf.solvers import SOLVERS

RNG = np.random.default_rng(0)
X = RNG.normal(size=(60, 3))
y = (X[:, 0] + 0.5 * RNG.normal(size=60) > 0).astype(int)
pytestmark = pytest.mark.fault("extremes")
TOO_LARGE = ["X", "overflow", "scale", "StandardScaler"]


def finite(model):
    return all(np.isfinite(value).all() for value in (model.coef_, model.intercept_, model.objective_))


def fit(loss, data, **parameters):
    """A fit whose only possible warning is that a bounded loss finds no stationary point."""
    with warnings.catch_warnings():
        if not loss.convex:
            warnings.simplefilter("ignore", ConvergenceWarning)
        return MarginLinearClassifier(loss, **parameters).fit(data, y)


@pytest.mark.parametrize("storage", [np.asarray, np.asfortranarray, sparse.csr_array])
@pytest.mark.parametrize("size", [1e160, 1e307])
@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("loss", FAMILY)
def test_values_whose_squares_overflow(loss, fit_intercept, size, storage):
    model = MarginLinearClassifier(loss, fit_intercept=fit_intercept).fit(X, y)
    before = copy.deepcopy(model.__dict__)
    with warnings.catch_warnings():
        if not loss.convex:
            warnings.simplefilter("ignore", ConvergenceWarning)
        with pytest.raises(ValueError, match=mentions(*TOO_LARGE, f"e+{np.log10(size):.0f}")):
            model.fit(storage(X * size), y)
    assert model.__dict__.keys() == before.keys()
    assert all(
        np.array_equal(model.__dict__[name], before[name], equal_nan=name == "suboptimality_") for name in before
    )


@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize(("loss", "solver"), with_solvers(DEFAULTS, SOLVERS))
def test_never_nan(loss, fit_intercept, solver):
    model = MarginLinearClassifier(loss, fit_intercept=fit_intercept, solver=solver)
    for size in (1e140, 1e150, 1e152, 1e153, 1e154, 1e155, 1e160, 1e200, 1e307):
        refused = ""
        with warnings.catch_warnings():
            # Where the computation is at its end, a fit may also say that it is not at the optimum.
            warnings.simplefilter("ignore", ConvergenceWarning)
            try:
                model.fit(X * size, y)
            except ValueError as error:
                refused = str(error)
        if refused:
            assert "overflow" in refused, size
        else:
            assert finite(model), size
            assert np.isfinite(model.decision_function(X * size)).all(), size


@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("loss", usually(CONVEX))
def test_large_values_that_do_not_overflow(loss, fit_intercept):
    # From some size on the penalty no longer matters, and coefficients are simply smaller where X is larger.
    large = fit(loss, X * 1e100, fit_intercept=fit_intercept)
    small = fit(loss, X * 1e10, fit_intercept=fit_intercept)
    assert finite(large)
    if loss.name == "linear":  # for which the penalty always matters: w = C Σ s y x
        np.testing.assert_allclose(large.coef_, small.coef_ * 1e90, rtol=1e-12)
    else:
        np.testing.assert_allclose(large.objective_, small.objective_, rtol=1e-7)
        assert np.mean(large.predict(X * 1e100) == small.predict(X * 1e10)) > 0.98


@pytest.mark.parametrize("loss", [loss for loss in LOSSES if not loss.values[0].convex])
def test_large_values_with_a_bounded_loss(loss):
    large = fit(loss, X * 1e100, fit_intercept=False)
    assert finite(large)
    assert large.score(X * 1e100, y) > 0.8


@pytest.mark.parametrize("size", [1e-160, 1e-300, 5e-324])
@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("loss", FAMILY)
def test_tiny_values(loss, fit_intercept, size):
    # As if there were no features at all.
    tiny = fit(loss, X * size, fit_intercept=fit_intercept)
    none = fit(loss, X * 0.0, fit_intercept=fit_intercept)
    assert finite(tiny)
    np.testing.assert_allclose(tiny.objective_, none.objective_, rtol=1e-7, atol=1e-300)
    if loss.name == "linear":
        signs = 2.0 * y - 1.0
        scales = np.where(y == 1, 30 / (y == 1).sum(), 30 / (y == 0).sum()) if fit_intercept else 1.0
        np.testing.assert_allclose(tiny.coef_[0], (signs * scales) @ (X * size), rtol=1e-9, atol=1e-320)
    elif loss.convex:
        assert np.abs(tiny.coef_).max() < 1e-100


def test_columns_of_very_different_size():
    sizes = np.array([1e-100, 1.0, 1e100])
    model = MarginLinearClassifier(C=100.0).fit(X * sizes, y)
    # The first is held at zero by the penalty, the last is free of it.
    assert finite(model)
    assert model.score(X * sizes, y) < model.fit(X * [1.0, 1.0, 1e100], y).score(X * [1.0, 1.0, 1e100], y)


def test_large_offset():
    # Centring is done by the intercept: a common offset of the rows costs digits, but not the answer.
    model, shifted = (MarginLinearClassifier().fit(data, y) for data in (X, X + 1e6))
    np.testing.assert_allclose(shifted.coef_, model.coef_, rtol=1e-6)
    np.testing.assert_allclose(shifted.objective_, model.objective_, rtol=1e-9)


def test_float32_whose_squares_overflow_in_float32():
    data = (X * 1e30).astype(np.float32)
    assert finite(MarginLinearClassifier().fit(data, y))
    assert MarginLinearClassifier().fit(data, y).score(data, y) > 0.85
    # A product in float32 would be infinite.
    model = MarginLinearClassifier().fit(X, y)
    large = np.full((2, 3), 2e38, dtype=np.float32)
    assert np.isfinite(model.decision_function(large)).all()


@pytest.mark.parametrize("storage", [np.asarray, np.asfortranarray, sparse.csr_array])
@pytest.mark.parametrize("classes", [2, 3])
def test_large_values_at_predict(classes, storage):
    labels = y + (y & (X[:, 1] > 0)) if classes == 3 else y
    model = MarginLinearClassifier(C=1e4).fit(X, labels)
    huge = storage(np.sign(model.coef_[:1]) * 1.7e308)
    for method in (model.predict, model.decision_function, model.predict_proba, model.predict_log_proba):
        with pytest.raises(ValueError, match=mentions("X", "1.7e+308", "overflow", "scale")):
            method(huge)
    large = storage(np.sign(model.coef_[:1]) * 1e300)
    assert np.isfinite(model.decision_function(large)).all()
    assert not np.isnan(model.predict_proba(large)).any()
    assert model.predict(large) == model.classes_[model.decision_function(large).argmax() if classes == 3 else 1]


@pytest.mark.parametrize("weight", [1e-300, 1e300])
def test_extreme_weights(weight):
    expected = MarginLinearClassifier(C=0.5).fit(X, y)
    model = MarginLinearClassifier(C=0.5 / weight).fit(X, y, np.full(60, weight))
    np.testing.assert_allclose(model.coef_, expected.coef_, rtol=1e-9)
    model = MarginLinearClassifier().fit(X, y, np.where(np.arange(60) < 30, 5e-324, 1.0))
    np.testing.assert_allclose(model.coef_, MarginLinearClassifier().fit(X[30:], y[30:]).coef_, rtol=1e-9)


def test_extreme_C():
    assert finite(MarginLinearClassifier(C=1e-300).fit(X, y))
    # With hardly any loss, the optimum is one step of the gradient from zero, at the best intercept.
    model = MarginLinearClassifier(C=1e-20).fit(X, y)
    p = np.mean(y)
    np.testing.assert_allclose(model.coef_[0], 1e-20 * (y - p) @ X, rtol=1e-6)
    np.testing.assert_allclose(model.intercept_, np.log(p / (1 - p)), rtol=1e-9)
    # With hardly any penalty, it is that of no penalty.
    model = MarginLinearClassifier(C=1e20).fit(X, y)
    np.testing.assert_allclose(model.coef_, MarginLinearClassifier(C=np.inf).fit(X, y).coef_, rtol=1e-6)
