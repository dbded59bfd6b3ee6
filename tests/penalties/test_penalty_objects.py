"""Penalties as objects: found by name, compared, copied, stored, and what they say of what cannot be."""

import copy
import pickle

import numpy as np
import pandas as pd
import pytest
import skops.io
from messages import mentions
from penalised import CASES, PENALTIES
from problems import fit
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV

from marginclf import MarginLinearClassifier, penalties
from marginclf.exchange import TRUSTED_TYPES
from marginclf.penalties import L1, L2, ElasticNet, GroupLasso, get_penalty

NAMES = {"l2": L2, "l1": L1, "elastic_net": ElasticNet, "elasticnet": ElasticNet, "group_lasso": GroupLasso}
WRITTEN = {**{cls.__name__: cls for cls in NAMES.values()}, "inf": np.inf}
RNG = np.random.default_rng(0)
X = RNG.normal(size=(30, 5))
Y = (X[:, 0] + 0.5 * RNG.normal(size=30) > 0).astype(int)
FRAME = pd.DataFrame(X, columns=["age", "a", "b", "c", "d"])


def test_names():
    for name, cls in NAMES.items():
        assert get_penalty(name) == cls()
        assert f"{cls.__module__}.{cls.__qualname__}" in TRUSTED_TYPES
        assert cls.__name__ in penalties.__all__
    assert {type(penalty) for penalty in PENALTIES.values()} == set(NAMES.values()), "PENALTIES lacks a penalty"


@pytest.mark.parametrize(
    ("typed", "meant"),
    [("L1", "l1"), ("elastic net", "elasticnet"), ("lasso", "group_lasso"), ("grouplasso", "group_lasso")],
)
def test_unknown_names_suggest_the_nearest(typed, meant):
    with pytest.raises(ValueError, match=f"unknown penalty '{typed}': did you mean '{meant}'") as caught:
        MarginLinearClassifier(penalty=typed).fit(X, Y)
    assert all(name in str(caught.value) for name in NAMES)


@pytest.mark.parametrize(
    ("wrong", "remedy"), [(None, "C=numpy.inf"), (L1, "write L1(), with parentheses"), (3, "a name or an object")]
)
def test_neither_name_nor_object(wrong, remedy):
    with pytest.raises(TypeError, match=mentions("penalty", remedy)):
        get_penalty(wrong)


def test_none_is_refused_with_the_remedy():
    with pytest.raises(TypeError, match=mentions("penalty", "None", "C=numpy.inf")):
        MarginLinearClassifier(penalty=None).fit(X, Y)


@pytest.mark.parametrize("penalty", CASES)
def test_copies_are_equal_and_others_are_not(penalty):
    for other in (
        clone(penalty),
        copy.deepcopy(penalty),
        pickle.loads(pickle.dumps(penalty)),
        eval(repr(penalty), WRITTEN),
    ):
        assert other == penalty
        assert hash(other) == hash(penalty)
    assert [other for other in PENALTIES.values() if other == penalty] == [penalty]


def test_equality_is_of_values():
    assert L1(weights=np.ones(2)) == L1(weights=np.ones(2))
    assert L1(weights=np.ones(2)) != L1(weights=np.array([1.0, 2.0]))
    assert L1(weights=np.ones(2)) != L1(weights=np.ones(3))
    assert L1(weights=pd.Series([1.0, 2.0])) == L1(weights=pd.Series([1.0, 2.0]))
    assert GroupLasso(groups=[np.arange(2), np.arange(2, 4)]) == GroupLasso(groups=[np.arange(2), np.arange(2, 4)])
    assert GroupLasso(groups=[[0, 1]]) != GroupLasso(groups=[[0, 2]])
    assert L1(weights={"a": np.float64(1.0)}) != L1(weights={"b": np.float64(1.0)})
    assert L1() != L2()
    assert L1() != "l1"


@pytest.mark.parametrize("penalty", CASES)
def test_fits_come_back_from_files(penalty):
    model, _ = fit("logistic", X, Y, penalty=penalty, bounds=(-1.0, None))
    for again in (pickle.loads(pickle.dumps(model)), skops.io.loads(skops.io.dumps(model), trusted=TRUSTED_TYPES)):
        assert again.penalty == penalty
        np.testing.assert_array_equal(again.decision_function(X), model.decision_function(X))
        np.testing.assert_array_equal(again.fit(X, Y).coef_, model.coef_)


def test_parameters_through_the_estimator():
    model = MarginLinearClassifier(penalty="elastic_net")
    other = clone(model).set_params(penalty__l1_ratio=0.9)
    assert (model.penalty, other.penalty) == ("elastic_net", ElasticNet(l1_ratio=0.9))
    mine = L1()
    changed = MarginLinearClassifier(penalty=mine).set_params(penalty__weights=[1.0] * 5)
    assert (mine, changed.penalty) == (L1(), L1(weights=[1.0] * 5))
    assert changed.get_params()["penalty__weights"] == [1.0] * 5
    with pytest.raises(ValueError, match=mentions("'l1_ratio'", "L1()", "weights", "penalty__l1_ratio")):
        changed.set_params(penalty__l1_ratio=0.5, penalty="l1")
    assert "penalty=ElasticNet(l1_ratio=0.9)" in repr(other)
    grid = GridSearchCV(MarginLinearClassifier(penalty="elasticnet"), {"penalty__l1_ratio": [0.1, 0.9]}, cv=2).fit(X, Y)
    assert grid.best_estimator_.penalty.l1_ratio == grid.best_params_["penalty__l1_ratio"]


WRONG = [
    (L1(weights=[1, 2]), ("weights", "(2,)", "5 features", "dict by feature name")),
    (L1(weights=[[1.0]]), ("weights", "(1, 1)")),
    (L2(weights=-1.0), ("weights", "at least 0", "-1", "inf keeps it out")),
    (ElasticNet(weights=[1, 1, np.nan, 1, 1]), ("weights", "nan", "feature 2")),
    (L1(weights="heavy"), ("weights", "numbers", "'heavy'")),
    (L1(weights=1j), ("weights", "numbers", "1j")),
    (L1(weights={"age": 0}), ("weights", "'age'", "no feature names", "data frame")),
    (ElasticNet(l1_ratio=1.5), ("l1_ratio", "1.5", "0 (only squares)")),
    (ElasticNet(l1_ratio=True), ("l1_ratio", "True")),
    (ElasticNet(l1_ratio="half"), ("l1_ratio", "'half'")),
    (ElasticNet(l1_ratio=np.nan), ("l1_ratio", "nan")),
    (GroupLasso(groups=[0, 1]), ("groups", "(2,)", "5 features", "a label for each")),
    (GroupLasso(groups=3), ("groups", "()", "a label for each")),
    (GroupLasso(groups=[[0, 1], [1, 2]]), ("feature 1", "two groups", "must not overlap")),
    (GroupLasso(groups=[[0, 1], []]), ("groups", "group 1", "leave it out")),
    (GroupLasso(groups=[[0, 5]]), ("groups", "5", "0 to 4")),
    (GroupLasso(groups=[[0.5]]), ("groups", "0.5", "whole numbers")),
    (GroupLasso(groups=[["age"]]), ("groups", "'age'", "no feature names")),
    (GroupLasso(groups=[np.nan] * 5), ("groups", "nan", "none missing")),
    (GroupLasso(groups=["a", None, "a", "b", "b"]), ("groups", "None", "none missing")),
    (GroupLasso(weights=[1.0, 2.0]), ("weights", "(2,)", "5 groups", "dict by label")),
    (GroupLasso(weights="a"), ("weights", "numbers", "'a'")),
    (GroupLasso(groups=[0, 0, 1, 1, 1], weights={2: 1.0}), ("weights", "group 2", "[0, 1]")),
    (GroupLasso(groups=[0, 0, 1, 1, 1], weights={1: [1, 2]}), ("weights", "one for each", "[1, 2]")),
    (GroupLasso(groups=list("aabbb"), weights={"b": -1.0}), ("weights", "-1", "group 'b'")),
]


@pytest.mark.parametrize(("penalty", "words"), WRONG, ids=lambda value: repr(value)[:40])
def test_what_does_not_fit_the_features(penalty, words):
    with pytest.raises(ValueError, match=mentions("penalty" if "l1_ratio" not in words[0] else "l1_ratio", *words)):
        MarginLinearClassifier(penalty=penalty).fit(X, Y)


WRONG_BOUNDS = [
    ((1.0, 0.0), ("feature 0", "(1, 0)", "must not be above")),
    ((0.0,), ("bounds", "(lower, upper)", "(0.0,)")),
    ((np.nan, 1.0), ("bounds", "NaN", "None")),
    (([0.0, None, 0.0, 0.0, 0.0], None), ("bounds", "None within an array", "infinity")),
    (("low", None), ("bounds", "'low'", "(1, 5)")),
    ((np.zeros(3), None), ("bounds", "(1, 5)")),
    ((np.inf, None), ("feature 0", "(inf, inf)")),
    ({"age": (0, None)}, ("bounds", "'age'", "no feature names")),
    ((0.1, None), ("feature 2", "infinite weight", "exclude 0")),
]


@pytest.mark.parametrize(("bounds", "words"), WRONG_BOUNDS, ids=lambda value: repr(value)[:40])
def test_bounds_that_are_none(bounds, words):
    penalty = L1(weights=[1, 1, np.inf, 1, 1]) if "infinite weight" in words else "l2"
    with pytest.raises(ValueError, match=mentions("bounds", *words)):
        MarginLinearClassifier(penalty=penalty, bounds=bounds).fit(X, Y)


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ({"penalty": L1(weights={"agee": 1})}, ("weights", "'agee'", "its features", "'age'")),
        ({"bounds": {"agee": (0, 1)}}, ("bounds", "'agee'", "its features")),
        ({"bounds": {"age": (2, 1)}}, ("'age'", "(2, 1)")),
        ({"bounds": {"age": 0}}, ("pair", "0", "{'age': (0, None)}")),
        ({"penalty": GroupLasso(groups=[["age", 1]])}, ("groups", "feature 1", "its features")),
    ],
    ids=repr,
)
def test_names_that_the_features_do_not_have(how, words):
    with pytest.raises(ValueError, match=mentions(*words)):
        MarginLinearClassifier(**how).fit(FRAME, Y)


@pytest.mark.parametrize(
    ("by_name", "by_position"),
    [
        ({"penalty": L1(weights={"b": 0.1, "age": np.inf})}, {"penalty": L1(weights=[np.inf, 1, 0.1, 1, 1])}),
        ({"bounds": {"b": (0.1, None), "c": (None, None)}}, {"bounds": ([-np.inf] * 2 + [0.1] + [-np.inf] * 2, None)}),
        ({"penalty": GroupLasso(groups=[["d", "age"]])}, {"penalty": GroupLasso(groups=list("xabcx"))}),
        ({"penalty": GroupLasso(groups=[["d", "age"]], weights=[3, 1, 1, 1])},
         {"penalty": GroupLasso(groups=list("xabcx"), weights={"x": 3})}),
        ({"penalty": L1(weights={}), "bounds": {}}, {"penalty": "l1"}),
    ],
    ids=repr,
)  # fmt: skip
def test_names_of_features_are_their_columns(by_name, by_position):
    named, _ = fit("logistic", FRAME, Y, C=0.5, **by_name)
    placed, _ = fit("logistic", X, Y, C=0.5, **by_position)
    np.testing.assert_allclose(named.coef_, placed.coef_, rtol=1e-9)  # a frame lies by columns


@pytest.mark.parametrize(
    ("loss", "how", "words"),
    [
        ("savage", {"penalty": "l1"}, ("loss='savage'", "not convex", "'logistic'")),
        ("savage", {"bounds": (0, None)}, ("loss='savage'", "not convex", "penalty='l2'")),
        ("logistic", {"penalty": "l1", "solver": "dual"}, ("solver='dual'", "solver='auto'")),
        ("logistic", {"bounds": (0, 1), "solver": "lbfgs"}, ("solver='lbfgs'", "solver='auto'")),
        ("linear", {"penalty": "l1"}, ("loss='linear'", "straight line", "'elastic_net'", "finite bounds")),
        ("linear", {"penalty": L2(weights=0.0)}, ("loss='linear'", "positive weights")),
        ("linear", {"penalty": "l1", "bounds": (0, None)}, ("loss='linear'", "two finite bounds")),
        ("linear", {"penalty": GroupLasso(groups=[[0, 1]]), "bounds": (0, 1)}, ("loss='linear'", "groups")),
        ("hinge", {"bounds": (0, 1), "C": np.inf}, ("C=inf", "loss='hinge'", "finite C")),
    ],
    ids=repr,
)
def test_losses_and_solvers_that_cannot(loss, how, words):
    with pytest.raises(ValueError, match=mentions(*words)):
        MarginLinearClassifier(loss, **how).fit(X, Y)
