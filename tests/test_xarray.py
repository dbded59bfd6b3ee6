"""Containers with a graph of Dask or without: arrays of xarray are what they hold."""

import dask
import dask.array as da
import dask.dataframe as dd
import numpy as np
import pandas as pd
import pytest
import xarray as xr
from messages import mentions

from marginclf import MarginLinearClassifier
from marginclf._estimator.blocks import is_collection

RNG = np.random.default_rng(0)
X = RNG.normal(size=(30, 3))
y = np.arange(30) % 2
S = 1.0 + RNG.random(30)
EXPECTED = MarginLinearClassifier().fit(X, y, S)
METHODS = ["decision_function", "predict", "predict_proba", "predict_log_proba"]


@pytest.fixture(autouse=True)
def scheduler():
    with dask.config.set(scheduler="synchronous"):
        yield


class Quantity:
    """As of pint: has the methods of a collection, which say that it is none."""

    def __init__(self, values):
        self.values, self.shape, self.dtype = values, values.shape, values.dtype

    def __dask_graph__(self):
        return None

    def __array__(self, dtype=None, copy=None):
        return self.values if dtype is None else self.values.astype(dtype)

    def __len__(self):
        return len(self.values)


@pytest.mark.parametrize(
    "wrap", [xr.DataArray, lambda a: xr.DataArray(a).variable, Quantity], ids=["", "bare", "other"]
)
def test_what_wraps_an_array_is_an_array(wrap):
    model = MarginLinearClassifier().fit(wrap(X), wrap(y), wrap(S))
    np.testing.assert_array_equal(model.coef_, EXPECTED.coef_)
    for method in METHODS:
        found = getattr(model, method)(wrap(X))
        assert type(found) is np.ndarray
        np.testing.assert_array_equal(found, getattr(EXPECTED, method)(X))
    assert model.score(wrap(X), wrap(y), wrap(S)) == EXPECTED.score(X, y, S)


def test_what_wraps_a_collection_is_that_collection():
    rows, labels, weights = (xr.DataArray(a).chunk({"dim_0": 10}) for a in (X, y, S))
    model = MarginLinearClassifier().fit(rows, labels, weights)
    np.testing.assert_allclose(model.objective_, EXPECTED.objective_, rtol=1e-10)
    for method in METHODS:
        found = getattr(model, method)(rows)
        assert isinstance(found, da.Array)
        assert found.chunks[0] == (10, 10, 10)
        np.testing.assert_allclose(found.compute(), getattr(model, method)(X), rtol=1e-12)
    assert model.score(rows, labels, weights) == pytest.approx(model.score(X, y, S), abs=1e-12)
    mixed = MarginLinearClassifier().fit(rows, y, xr.DataArray(S))
    np.testing.assert_array_equal(mixed.coef_, model.coef_)
    with pytest.raises(ValueError, match=mentions("y is a Dask collection and X is not", "y.compute()")):
        MarginLinearClassifier().fit(X, labels)
    np.testing.assert_array_equal(MarginLinearClassifier().fit(X, labels.compute(), S).coef_, EXPECTED.coef_)


def test_an_array_of_a_class_of_its_own_is_a_collection():
    class Mine(da.Array):
        pass

    lazy = da.from_array(X, chunks=(10, 3))
    mine = Mine(lazy.dask, lazy.name, lazy.chunks, dtype=float)
    assert isinstance(EXPECTED.predict(mine), da.Array)


@pytest.mark.fault("bad input")
@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: xr.Dataset({"a": ("row", X[:, 0])}).chunk({"row": 10}), ["X", "Dataset", "X.to_dataarray().T.data"]),
        (lambda: xr.Dataset({"a": ("row", X[:, 0])}), ["xarray.Dataset", "to_"]),
        (lambda: dask.delayed(X), ["X", "Delayed", "X.compute()"]),
        (lambda: xr.DataArray(np.where(X > 2.0, np.nan, X)).chunk({"dim_0": 10}), ["chunk", "Input X contains NaN"]),
        (lambda: xr.DataArray(np.where(X > 2.0, np.nan, X)), ["Input X contains NaN"]),
        (lambda: xr.DataArray(X[:, 0]).chunk({"dim_0": 10}), ["X must have two dimensions", "(30,)"]),
    ],
    ids=["chunked set", "set", "delayed", "NaN in a chunk", "NaN", "one dimension"],
)
def test_what_is_no_matrix_is_refused(make, words):
    with pytest.raises((ValueError, TypeError), match=mentions(*words)):
        MarginLinearClassifier().fit(make(), y)
    with pytest.raises((ValueError, TypeError), match=mentions(*words)):
        np.asarray(EXPECTED.predict(make()))


def test_a_graph_is_not_built_to_ask_whether_there_is_one(monkeypatch):
    frame = dd.from_pandas(pd.DataFrame(X, columns=list("abc")), npartitions=3)
    monkeypatch.setattr(type(frame), "__dask_graph__", lambda self: pytest.fail("the graph was built"))
    assert is_collection(frame)
