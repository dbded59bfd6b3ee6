"""What the parameters accept, store, pass on and refuse."""

import pickle

import joblib
import numpy as np
import pytest
from references import LOSSES, usually
from sklearn.base import clone
from sklearn.datasets import make_classification

from marginclf import MarginLinearClassifier
from marginclf.losses import Logistic, SmoothHinge

X, y = make_classification(120, 6, n_informative=4, flip_y=0.1, random_state=0)


def same_fit(a, b):
    return np.array_equal(a.coef_, b.coef_) and np.array_equal(a.intercept_, b.intercept_)


@pytest.mark.parametrize("value", [SmoothHinge(gamma=0.5), "dwd", "unknown", SmoothHinge, 3, SmoothHinge(gamma=-1)])
def test_init_stores_the_loss_it_got(value):
    assert MarginLinearClassifier(value).loss is value


def test_init_stores_what_it_got():
    given = {
        "penalty": "l1",
        "bounds": [None, np.float32(2.0)],
        "C": np.float32(2.0),
        "fit_intercept": np.True_,
        "class_weight": {0: 1.0, 1: 2.0},
        "multi_class": "ovr",
        "proba_prior": "weighted",
        "tol": "no number",
        "max_iter": object(),
        "solver": ["lbfgs"],
        "warm_start": None,
        "random_state": np.random.RandomState(3),
        "n_jobs": -1,
        "verbose": 1,
        "record_history": False,
    }
    model = MarginLinearClassifier(**given)
    for name, value in given.items():
        assert getattr(model, name) is value
    assert set(model.get_params()) == {"loss", *given}
    fitted = clone(model).set_params(tol=1e-8, max_iter=10**3, solver="auto", warm_start=False)
    before = dict(fitted.get_params(deep=False))
    fitted.fit(X, y)
    for name, value in fitted.get_params(deep=False).items():
        assert value is before[name]


def test_everything_but_the_loss_is_keyword_only():
    with pytest.raises(TypeError):
        MarginLinearClassifier("logistic", 1.0)


@pytest.mark.parametrize("loss", usually(LOSSES))
def test_clone_repr_and_pickle(loss):
    model = MarginLinearClassifier(loss, C=0.5).fit(X, y)
    copy = clone(model)
    assert copy.loss == loss
    assert copy.loss is not loss
    assert not hasattr(copy, "coef_")
    assert same_fit(model, copy.fit(X, y))
    for name in loss.get_params():
        assert model.get_params()[f"loss__{name}"] == getattr(loss, name)
    text = repr(model)
    assert type(loss).__name__ in text
    assert "C=0.5" in text
    loaded = pickle.loads(pickle.dumps(model))
    assert same_fit(model, loaded)
    assert loaded.loss == loss
    np.testing.assert_array_equal(loaded.decision_function(X), model.decision_function(X))


def test_unknown_parameter():
    with pytest.raises(ValueError, match=r"Invalid parameter 'c'.*Valid parameters are.*'C'"):
        MarginLinearClassifier().set_params(c=1.0)


def _fitted(model):
    return model.fit(X, y)


@pytest.mark.slow  # a pool of processes
@pytest.mark.parametrize("loss", ["savage", SmoothHinge(gamma=0.5)])
def test_joblib_workers(loss):
    models = [MarginLinearClassifier(loss, C=C) for C in (0.1, 1.0, 10.0)]
    with joblib.parallel_config(backend="loky", inner_max_num_threads=1):
        found = joblib.Parallel(n_jobs=2)(joblib.delayed(_fitted)(clone(model)) for model in models)
    for model, there in zip(models, found, strict=True):
        np.testing.assert_allclose(there.coef_, model.fit(X, y).coef_, rtol=1e-12)
        assert there.loss == loss


@pytest.mark.parametrize(
    "parameters", [{"C": 1}, {"C": np.float32(0.5)}, {"tol": np.float32(1e-9)}, {"max_iter": np.int64(50)}]
)
def test_numbers_of_any_kind(parameters):
    expected = MarginLinearClassifier(C=float(parameters.get("C", 1.0))).fit(X, y)
    np.testing.assert_allclose(MarginLinearClassifier(**parameters).fit(X, y).coef_, expected.coef_, rtol=1e-9)


@pytest.mark.parametrize("tol", [0, 1e-17])
@pytest.mark.parametrize("loss", ["logistic", "squared_hinge", "exponential", "dwd"])
def test_a_tol_below_rounding_is_reached_as_far_as_rounding_goes(loss, tol):
    # No warning: that is the limit of precision, not a failure.
    for seed in range(10):
        data, labels = make_classification(100, 5, n_informative=4, n_redundant=0, flip_y=0.1, random_state=seed)
        model = MarginLinearClassifier(loss, tol=tol).fit(data, labels)
        assert model.suboptimality_[0] < 1e-12
        assert "ptimal" in model.status_[0]


def test_n_jobs_changes_no_bit():
    # Large enough for threads to be used.
    rng = np.random.default_rng(0)
    many = rng.normal(size=(20_000, 20))
    labels = (many[:, 0] + rng.normal(size=20_000) > 0).astype(int)
    fits = [MarginLinearClassifier(n_jobs=n_jobs).fit(many, labels) for n_jobs in (None, 2, -1)]
    assert same_fit(fits[0], fits[1])
    assert same_fit(fits[0], fits[2])


def test_random_state_decides_nothing_in_this_version():
    fits = [MarginLinearClassifier(random_state=r).fit(X, y) for r in (None, 0, 7, np.random.RandomState(1))]
    assert all(same_fit(fits[0], other) for other in fits)
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    MarginLinearClassifier().fit(X, y)
    assert np.array_equal(np.random.get_state()[1], before)  # noqa: NPY002


def test_logistic_is_the_default():
    assert same_fit(MarginLinearClassifier().fit(X, y), MarginLinearClassifier(Logistic()).fit(X, y))
