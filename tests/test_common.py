"""scikit-learn's own checks, on the estimator as it comes: all for three losses, those of the loss for every one."""

import warnings
from unittest import SkipTest

import numpy as np
import pytest
from references import FAMILY, LOSSES, usually
from sklearn.datasets import load_breast_cancer, make_blobs
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import scale
from sklearn.utils.estimator_checks import (
    check_dataframe_column_names_consistency,
    check_param_validation,
    check_sample_weight_equivalence_on_dense_data,
    check_sample_weight_equivalence_on_sparse_data,
    parametrize_with_checks,
)

from marginclf import MarginLinearClassifier
from marginclf.losses import LUM, SmoothHinge, catalogue, get_loss

# Smooth, with a kink, not convex: what scikit-learn asks of the input, the attributes and the parameters has the same
# answer for every other loss.
IN_FULL = ("logistic", "hinge", "savage")
ESTIMATORS = [*(MarginLinearClassifier(loss) for loss in IN_FULL), MarginLinearClassifier(fit_intercept=False)]

# The others by their names, and two as objects, whose parameters a copy must carry.
OTHERS = [
    MarginLinearClassifier(loss)
    for loss in [*(name for name in catalogue() if name not in IN_FULL), SmoothHinge(gamma=0.5), LUM(a=2.0, c=1.0)]
]
OF_THE_LOSS = (
    "check_estimator_cloneable",
    "check_get_params_invariance",
    "check_set_params",
    "check_estimators_pickle",
    "check_sample_weight_equivalence_on_dense_data",
    "check_sample_weight_equivalence_on_sparse_data",
    "check_class_weight_classifiers",
    "check_classifiers_classes",
    "check_classifiers_train",
    "check_decision_proba_consistency",
    "check_methods_sample_order_invariance",
    "check_methods_subset_invariance",
    "check_fit_idempotent",
    "check_non_transformer_estimators_n_iter",
)


def _name(check):
    """Of a check with some of its arguments: the generator gives partial functions."""
    return getattr(check, "func", check).__name__


def _run(check, estimator, *args):
    with warnings.catch_warnings():
        if not get_loss(estimator.loss).convex or _name(check) == "check_classifiers_one_label_sample_weights":
            # That such a fit may find no stationary point, and says so, is no failure; of a convex loss it is one.
            # Nor is it one to say that a class has no weight.
            warnings.simplefilter("ignore", ConvergenceWarning)
        try:
            check(*args, estimator)
        except SkipTest as reason:
            pytest.fail(f"skipped: {reason}")


# In older scikit-learn (1.6) the second argument is a generator, which pytest from 9.1 on warns of.
_CHECKS = parametrize_with_checks([*ESTIMATORS, *OTHERS])
CASES = [case for case in _CHECKS.args[1] if case[0].loss in IN_FULL or _name(case[1]) in OF_THE_LOSS]


@pytest.mark.parametrize(_CHECKS.args[0], CASES, **_CHECKS.kwargs)
def test_scikit_learn(estimator, check):
    _run(check, estimator)


def test_every_loss_has_the_checks_that_are_named_here():
    """A check of another name in another version of scikit-learn would not be missed otherwise."""
    for other in OTHERS:
        assert {_name(check) for estimator, check in CASES if estimator.loss == other.loss} == set(OF_THE_LOSS)


# The checks that the generator leaves out.
@pytest.mark.parametrize("check", [check_param_validation, check_dataframe_column_names_consistency])
@pytest.mark.parametrize("estimator", ESTIMATORS, ids=repr)
def test_checks_not_generated(estimator, check):
    _run(check, estimator, "MarginLinearClassifier")


@pytest.mark.parametrize(
    "check", [check_sample_weight_equivalence_on_dense_data, check_sample_weight_equivalence_on_sparse_data]
)
@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("loss", FAMILY)
def test_balanced_class_weights_count_sample_weights(loss, fit_intercept, check):
    estimator = MarginLinearClassifier(loss, fit_intercept=fit_intercept, class_weight="balanced")
    _run(check, estimator, "MarginLinearClassifier")


@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("loss", usually(LOSSES))
def test_poor_score_is_set_exactly_where_no_good_score_is_promised(loss, fit_intercept):
    tags = MarginLinearClassifier(loss, fit_intercept=fit_intercept).__sklearn_tags__()
    assert tags.classifier_tags.poor_score == (loss.name == "linear" or not fit_intercept)
    assert tags.classifier_tags.multi_class
    assert not tags.classifier_tags.multi_label
    assert tags.input_tags.sparse
    assert tags.target_tags.required
    assert not tags.non_deterministic


def test_tags_of_an_unknown_loss():
    tags = MarginLinearClassifier("no such loss").__sklearn_tags__()
    assert not tags.classifier_tags.poor_score


@pytest.mark.parametrize("loss", usually(LOSSES))
def test_accuracy_without_intercept_on_centred_data(loss):
    rng = np.random.default_rng(0)
    y = np.repeat([0, 1], 200)
    X = rng.normal(size=(400, 5)) + np.outer(2 * y - 1, [0.8, 0.6, 0.4, 0.2, 0.5])
    X -= X.mean(axis=0)
    expected = LogisticRegression(fit_intercept=False).fit(X, y).score(X, y)
    assert MarginLinearClassifier(loss, fit_intercept=False).fit(X, y).score(X, y) >= expected - 0.03


def test_accuracy_of_linear_on_separable_blobs():
    # Far from the origin and with classes of different sizes: the intercept decides.
    X, y = make_blobs([300, 60, 20], centers=[[20, 0], [24, 6], [28, 0]], cluster_std=0.7, random_state=0)
    assert MarginLinearClassifier("linear").fit(X[y != 2], y[y != 2]).score(X[y != 2], y[y != 2]) > 0.99
    assert MarginLinearClassifier("linear").fit(X, y).score(X, y) > 0.9


def test_accuracy_of_linear_on_breast_cancer():
    X, y = load_breast_cancer(return_X_y=True)
    assert MarginLinearClassifier("linear").fit(scale(X), y).score(scale(X), y) > 0.9
