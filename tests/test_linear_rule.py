"""The linear loss: a closed form, and with an intercept the rule that keeps it from running off."""

import numpy as np
import pytest
import scipy.sparse as sp
from problems import draw, fit

from marginclf import MarginLinearClassifier
from marginclf.solvers import SOLVERS


def balanced(y, s):
    """Weights with half of their total on each class."""
    heavy = s[y == 1].sum() / s.sum()
    return s * np.where(y == 1, 0.5 / heavy, 0.5 / (1.0 - heavy))


def class_means(X, y, s):
    return [np.average(X[y == k], axis=0, weights=s[y == k]) for k in (0, 1)]


@pytest.mark.parametrize("solver", ["auto", *SOLVERS])
@pytest.mark.parametrize("storage", [np.asarray, sp.csr_array], ids=["dense", "sparse"])
def test_without_an_intercept(storage, solver):
    X, y, s = draw(n=50, d=4, seed=8)
    model, messages = fit("linear", storage(X), y, s, C=0.3, fit_intercept=False, solver=solver)
    np.testing.assert_allclose(model.coef_[0], 0.3 * X.T @ (s * (2 * y - 1)), rtol=1e-12)
    assert model.intercept_[0] == 0.0
    assert model.objective_[0] == pytest.approx(-0.5 * np.sum(model.coef_**2), rel=1e-13)
    assert model.suboptimality_[0] == 0.0
    assert model.n_iter_[0] == 1
    assert not messages


@pytest.mark.parametrize("storage", [np.asarray, sp.csr_array], ids=["dense", "sparse"])
def test_with_an_intercept_it_is_a_classifier_of_class_means(storage):
    X, y, s = draw(n=50, d=4, seed=8, shift=1.5)
    assert abs((s * (2 * y - 1)).sum()) > 0.2 * s.sum(), "the classes are to carry different weights"
    model, _ = fit("linear", storage(X), y, s, C=0.3)
    negative, positive = class_means(X, y, s)
    w = 0.3 * 0.5 * s.sum() * (positive - negative)
    np.testing.assert_allclose(model.coef_[0], w, rtol=1e-12)
    np.testing.assert_allclose(model.coef_[0], 0.3 * X.T @ (balanced(y, s) * (2 * y - 1)), rtol=1e-12)
    # b is midway between the class means along w: both have the same distance to the plane.
    at_means = model.decision_function(np.array([negative, positive]))
    assert at_means[1] > 0.0
    assert at_means[0] == pytest.approx(-at_means[1], rel=1e-12)
    assert model.objective_[0] == pytest.approx(-0.5 * w @ w, rel=1e-12)
    assert model.suboptimality_[0] == 0.0


def test_shifting_the_features_moves_the_intercept_alone():
    X, y, s = draw(n=50, d=4, seed=8, shift=1.5)
    model, _ = fit("linear", X, y, s)
    for shift in (3.0, np.array([1e3, -20.0, 0.0, 1e5])):
        moved, messages = fit("linear", X + shift, y, s)
        assert not messages
        np.testing.assert_allclose(moved.coef_, model.coef_, rtol=1e-8)
        np.testing.assert_allclose(moved.decision_function(X + shift), model.decision_function(X), atol=1e-4)


@pytest.mark.parametrize("C", [1e-9, 1.0, 1e9])
@pytest.mark.parametrize("minority", [1, 5, 25])
def test_never_runs_off(C, minority):
    """Without the rule, F falls for ever as b moves towards the heavier class."""
    X = np.random.default_rng(9).normal(size=(50, 3))
    y = (np.arange(50) < minority).astype(int)
    model, messages = fit("linear", X, y, C=C)
    assert not messages
    assert model.status_[0].startswith("Optimal")
    assert np.abs(model.intercept_[0]) <= np.abs(model.coef_).sum() * np.abs(X).max()


def test_class_weight_scales_the_coefficients_and_nothing_else():
    X, y, s = draw(n=50, d=4, seed=8, shift=1.5)
    model, _ = fit("linear", X, y, s)
    weighted, _ = fit("linear", X, y, s, class_weight={0: 5.0, 1: 0.5})
    factor = (5.0 * s[y == 0].sum() + 0.5 * s[y == 1].sum()) / s.sum()
    np.testing.assert_allclose(weighted.coef_, factor * model.coef_, rtol=1e-12)
    np.testing.assert_array_equal(weighted.predict(X), model.predict(X))


def test_exact_from_any_start():
    X, y, s = draw(n=50, d=4, seed=8)
    for fit_intercept in (True, False):
        warm = MarginLinearClassifier("linear", C=0.7, fit_intercept=fit_intercept, warm_start=True).fit(X, y, s)
        warm.set_params(C=0.3).fit(X, y, s)
        cold, _ = fit("linear", X, y, s, C=0.3, fit_intercept=fit_intercept)
        np.testing.assert_allclose(warm.coef_, cold.coef_, rtol=1e-13)
        np.testing.assert_allclose(warm.intercept_, cold.intercept_, rtol=1e-12, atol=1e-15)
        assert warm.suboptimality_[0] == 0.0


def test_no_penalty_is_refused():
    X, y, _ = draw()
    with pytest.raises(ValueError, match=r"unbounded below.*finite C"):
        MarginLinearClassifier("linear", C=np.inf).fit(X, y)


def test_many_classes():
    rng = np.random.default_rng(10)
    X, y = rng.normal(size=(90, 3)), rng.integers(0, 3, 90)
    X[np.arange(90), y] += 2.0
    model, _ = fit("linear", X, y)
    for k in range(3):
        alone, _ = fit("linear", X, (y == k).astype(int))
        np.testing.assert_allclose(model.coef_[k], alone.coef_[0], rtol=1e-13)
        assert model.intercept_[k] == pytest.approx(alone.intercept_[0], rel=1e-13)
