"""Weights mean what they say, for every loss: 2 is the row twice, 0 is the row removed."""

import numpy as np
import pytest
import scipy.sparse as sp
from messages import mentions
from problems import draw, fit
from references import LOSSES, takes, usually
from sklearn.model_selection import KFold, cross_val_score

from marginclf import MarginLinearClassifier
from marginclf.losses import Logistic, Savage
from marginclf.solvers import SOLVERS

INTERCEPT = pytest.mark.parametrize("fit_intercept", [True, False], ids=["intercept", "no-intercept"])


def assert_same(a, b):
    np.testing.assert_array_equal(a.classes_, b.classes_)
    np.testing.assert_allclose(a.coef_, b.coef_, rtol=1e-7, atol=1e-9)
    np.testing.assert_allclose(a.intercept_, b.intercept_, rtol=1e-7, atol=1e-9)
    np.testing.assert_allclose(a.objective_, b.objective_, rtol=1e-9)


def data(seed=11):
    X, y, _ = draw(n=60, d=4, seed=seed)
    counts = np.random.default_rng(seed).integers(0, 4, len(X))
    assert (counts == 0).sum() > 5
    return X, y, counts


@INTERCEPT
@pytest.mark.parametrize("loss", usually(LOSSES))
def test_integer_weights_are_repeated_rows(loss, fit_intercept):
    X, y, counts = data()
    weighted, messages = fit(loss, X, y, counts, fit_intercept=fit_intercept)
    repeated, _ = fit(loss, np.repeat(X, counts, axis=0), np.repeat(y, counts), fit_intercept=fit_intercept)
    assert not messages
    assert_same(weighted, repeated)
    # Weights that decide nothing would pass as well.
    plain, _ = fit(loss, X, y, fit_intercept=fit_intercept)
    assert np.abs(weighted.coef_ - plain.coef_).max() > 1e-3 * np.abs(plain.coef_).max()


@pytest.mark.parametrize("loss", usually(LOSSES))
def test_zero_weights_are_removed_rows(loss):
    """What is removed would decide everything: rows that are wrong and far away."""
    X, y, s = draw(n=60, d=4, seed=12)
    far = np.vstack([X, -1e6 * X[:10]])
    labels, weights = np.append(y, y[:10]), np.append(s, np.zeros(10))
    order = np.random.default_rng(13).permutation(70)
    zeroed, messages = fit(loss, far[order], labels[order], weights[order])
    removed, _ = fit(loss, X[s > 0], y[s > 0], s[s > 0])
    assert not messages
    assert_same(zeroed, removed)


@pytest.mark.parametrize("loss", usually(LOSSES))
def test_a_class_without_weight_is_not_there(loss):
    rng = np.random.default_rng(14)
    X, y = rng.normal(size=(60, 3)), np.array(["a", "b", "c"])[rng.integers(0, 3, 60)]
    X[y == "a", 0] += 1.0
    s = np.where(y == "b", 0.0, 1.0)
    zeroed, messages = fit(loss, X, y, s)
    removed, _ = fit(loss, X[y != "b"], y[y != "b"])
    assert not messages
    assert zeroed.coef_.shape == (1, 3)
    assert_same(zeroed, removed)


@pytest.mark.parametrize("loss", usually(LOSSES))
def test_balanced_counts_the_sample_weights(loss):
    X, y, counts = data(seed=15)
    keep = (y == 0) | (np.arange(60) % 3 == 0)
    X, y, counts = X[keep], y[keep], counts[keep]
    weighted, _ = fit(loss, X, y, counts, class_weight="balanced")
    repeated, _ = fit(loss, np.repeat(X, counts, axis=0), np.repeat(y, counts), class_weight="balanced")
    assert_same(weighted, repeated)
    totals = np.bincount(y, counts)
    by_hand, _ = fit(loss, X, y, counts * (totals.sum() / (2.0 * totals))[y])
    assert_same(weighted, by_hand)


@pytest.mark.parametrize("loss", usually(LOSSES))
def test_the_order_of_the_rows_decides_nothing(loss):
    X, y, s = draw(n=60, d=4, seed=16)
    model, _ = fit(loss, X, y, s)
    for seed in range(3):
        order = np.random.default_rng(seed).permutation(len(X))
        assert_same(fit(loss, X[order], y[order], s[order])[0], model)


@pytest.mark.parametrize("loss", usually(LOSSES))
def test_sparse_and_dense_are_the_same_fit(loss):
    X, y, s = draw(n=60, d=4, seed=17)
    X[np.abs(X) < 0.5] = 0.0
    assert_same(fit(loss, sp.csr_array(X), y, s)[0], fit(loss, X, y, s)[0])


@pytest.mark.parametrize("loss", usually(LOSSES))
def test_c_times_two_is_weights_times_two(loss):
    X, y, s = draw(n=60, d=4, seed=18)
    assert_same(fit(loss, X, y, 2.0 * s, C=0.5)[0], fit(loss, X, y, s, C=1.0)[0])


@pytest.mark.parametrize("solver", SOLVERS)
def test_many_classes(solver):
    """Every class against the rest, each with the weights of all rows."""
    rng = np.random.default_rng(19)
    X, y = rng.normal(size=(90, 3)), rng.integers(0, 3, 90)
    X[np.arange(90), y] += 1.0
    counts = rng.integers(0, 3, 90)
    for loss in (Logistic(), Savage()):
        if not takes(solver, loss):
            continue
        weighted, _ = fit(loss, X, y, counts, solver=solver, tol=1e-14, multi_class="ovr")
        for k in range(3):
            alone, _ = fit(loss, X, (y == k).astype(int), counts, solver=solver, tol=1e-14)
            np.testing.assert_array_equal(weighted.coef_[k], alone.coef_[0])
            assert weighted.intercept_[k] == alone.intercept_[0]


def test_a_fold_without_a_class_that_has_a_weight():
    rng = np.random.default_rng(15)
    X, y = rng.normal(size=(40, 3)), np.append(np.arange(36) % 3, [3] * 4)
    words = mentions("class_weight", "[3]", "[0, 1, 2]", "stratify", "all classes")
    with pytest.raises(ValueError, match=words):
        MarginLinearClassifier(class_weight={3: 10}).fit(X[:36], y[:36])
    with pytest.raises(ValueError, match=words):  # rows of weight 0 are not there
        MarginLinearClassifier(class_weight={3: 10}).fit(X, y, (y < 3).astype(float))
    with pytest.raises(ValueError, match=words):
        cross_val_score(MarginLinearClassifier(class_weight={3: 10}), X, y, cv=KFold(10), error_score="raise")
    every = MarginLinearClassifier(class_weight={0: 1, 1: 2, 2: 1, 3: 10})
    assert np.isfinite(cross_val_score(every, X, y, cv=KFold(10))).all()
    np.testing.assert_array_equal(every.fit(X[:36], y[:36]).class_weight_, [1.0, 2.0, 1.0])
    np.testing.assert_array_equal(every.coef_, MarginLinearClassifier(class_weight={1: 2}).fit(X[:36], y[:36]).coef_)
