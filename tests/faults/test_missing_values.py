"""What has no value is never used as one: masks of NumPy, NA of pandas and Arrow, and NaN that nobody looks for."""

from functools import partial

import dask
import dask.array as da
import dask.dataframe as dd
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import xarray as xr
from messages import mentions
from scipy import sparse
from sklearn import config_context

from marginclf import MarginLinearClassifier
from marginclf.inspection import MarginDisplay

pytestmark = pytest.mark.fault("bad input")

RNG = np.random.default_rng(0)
X = RNG.normal(size=(12, 3))
y = np.arange(12) % 2
HIDDEN = np.arange(12) % 5 == 3  # two of the twelve
MODEL = MarginLinearClassifier().fit(X, y)
METHODS = ["decision_function", "predict", "predict_proba", "predict_log_proba", "score"]
BY_ROW = HIDDEN[:, None] & (np.arange(3) == 1)


def masked(values, mask=HIDDEN, fill=-9999.0):
    return np.ma.array(np.where(mask, fill, values), mask=mask)


@pytest.mark.parametrize(
    "data",
    [
        masked(X, BY_ROW),
        masked(X.astype(np.float32), BY_ROW),
        list(masked(X, BY_ROW)),
        masked(X, BY_ROW).astype(object),
    ],
    ids=["array", "float32", "list of rows", "object"],
)
def test_masked_features_are_refused(data):
    words = mentions("X has masked entries", "2 of 36", "X.filled", "remove their rows")
    with pytest.raises(ValueError, match=words):
        MarginLinearClassifier().fit(data, y)
    for method in METHODS:
        with pytest.raises(ValueError, match=words):
            getattr(MODEL, method)(*((data, y) if method == "score" else (data,)))


@pytest.mark.parametrize(
    "labels",
    [masked(y), masked(y.astype(float)), masked(np.where(y, "a", "b"), fill="c"), list(masked(y)), masked(y)[:, None]],
    ids=["integers", "floats", "text", "list", "column"],
)
def test_masked_labels_are_refused(labels):
    words = mentions("y has masked entries", "2 of 12", "y.filled", "remove their rows")
    for call in (MarginLinearClassifier().fit, MODEL.score, partial(MarginDisplay.from_estimator, MODEL)):
        with pytest.raises(ValueError, match=words):
            call(X, labels)


@pytest.mark.parametrize("weights", [masked(np.ones(12)), list(masked(np.ones(12)))], ids=["array", "list"])
def test_masked_weights_are_refused(weights):
    words = mentions("sample_weight has masked entries", "2 of 12", "sample_weight.filled", "remove their rows")
    for call in (MarginLinearClassifier().fit, MODEL.score):
        with pytest.raises(ValueError, match=words):
            call(X, y, weights)


@pytest.mark.parametrize("mask", [np.ma.nomask, False], ids=["no mask", "nothing masked"])
def test_a_masked_array_without_masked_entries_is_an_array(mask):
    data, labels, weights = (np.ma.array(values, mask=mask) for values in (X, y, 1.0 + y))
    model = MarginLinearClassifier().fit(data, labels, weights)
    expected = MarginLinearClassifier().fit(X, y, 1.0 + y)
    np.testing.assert_array_equal(model.coef_, expected.coef_)
    np.testing.assert_array_equal(model.decision_function(data), expected.decision_function(X))
    assert type(model.predict(data)) is np.ndarray
    assert model.score(data, labels, weights) == expected.score(X, y, 1.0 + y)


def test_masked_entries_in_a_chunk_are_refused():
    two = [da.from_array(values, chunks=(6, *values.shape[1:])) for values in (X, y, np.ones(12))]
    hidden = [two[0][:6], two[1][:6], two[2][:6]]
    for k, values in enumerate((masked(X, BY_ROW), masked(y), masked(np.ones(12)))):
        rest = np.ma.array(values[6:], copy=True)
        lazy = da.concatenate([hidden[k], da.from_array(rest, chunks=rest.shape, asarray=False)])
        given = [lazy if k == j else two[j] for j in range(3)]
        words = mentions("chunk 1", f"{('X', 'y', 'sample_weight')[k]} has masked entries", "1 of", "filled")
        with dask.config.set(scheduler="synchronous"):
            for call in (MarginLinearClassifier().fit, MODEL.score):
                with pytest.raises(ValueError, match=words):
                    call(*given)
            if k == 0:
                for method in METHODS[:-1]:
                    with pytest.raises(ValueError, match=words):
                        getattr(MODEL, method)(lazy).compute()


GAPS = [1.0, None, 2.0] * 4
NULLABLE = {
    "Float64": lambda values: pd.Series(values, dtype="Float64"),
    "Int64": lambda values: pd.Series(values, dtype="Int64"),
    "boolean": lambda values: pd.Series([None if v is None else v > 1.0 for v in values], dtype="boolean"),
    "Arrow floats": lambda values: pd.Series(values, dtype=pd.ArrowDtype(pa.float64())),
    "Arrow integers": lambda values: pd.Series(values, dtype=pd.ArrowDtype(pa.int64())),
    "objects, NA": lambda values: pd.Series([pd.NA if v is None else v for v in values], dtype=object),
    "objects, None": lambda values: pd.Series(values, dtype=object),
    "polars": lambda values: pl.Series(values),
}


@pytest.mark.parametrize("kind", NULLABLE)
def test_missing_values_of_data_frames(kind):
    column = NULLABLE[kind](GAPS)
    frames = [pl.DataFrame({"a": X[:, 0], "b": column, "c": X[:, 2]})]
    if kind != "polars":
        frames = [pd.DataFrame({"a": X[:, 0], "b": column, "c": X[:, 2]}), pd.DataFrame({"a": column, "b": column})]
    for frame in frames:
        with pytest.raises(ValueError, match="Input X contains NaN"):
            MarginLinearClassifier().fit(frame, y)
    model = MarginLinearClassifier().fit(frames[0].to_numpy()[:, ::2].astype(float), y)
    with pytest.raises(ValueError, match="Input X contains NaN"):
        model.decision_function(frames[0].to_numpy()[:, 1:].astype(object))


@pytest.mark.parametrize("kind", [*NULLABLE, "list", "list, NA", "Arrow"])
def test_missing_labels_and_weights(kind):
    forms = {"list": list, "list, NA": lambda values: [pd.NA if v is None else v for v in values], "Arrow": pa.array}
    values = (forms | NULLABLE)[kind](GAPS)
    for call in (MarginLinearClassifier().fit, MODEL.score):
        with pytest.raises(ValueError, match=mentions("Input y contains NaN", "4 of 12", "missing", "remove", "label")):
            call(X, values)
        with pytest.raises(ValueError, match=mentions("sample_weight contains NaN", "4 of 12", "remove", "weight")):
            call(X, y, values)


def test_missing_values_of_a_partition():
    whole = pd.DataFrame(X, columns=list("abc")).assign(
        y=pd.array(y, dtype="Int64"), s=pd.array(1.0 + y, dtype="Float64")
    )
    for name, words in (("a", "X contains NaN"), ("y", "y contains NaN"), ("s", "sample_weight contains NaN")):
        frame = whole.astype({"a": "Float64"})
        frame.loc[9, name] = pd.NA
        lazy = dd.from_pandas(frame, npartitions=2)
        with dask.config.set(scheduler="synchronous"):
            for call in (MarginLinearClassifier().fit, MarginLinearClassifier().fit(whole[list("abc")], y).score):
                with pytest.raises(ValueError, match=mentions("chunk 1", words)):
                    call(lazy[list("abc")], lazy["y"], lazy["s"])


STORAGES = {
    "dense": np.asarray,
    "CSR": sparse.csr_array,
    "CSC": sparse.csc_matrix,
    "xarray": xr.DataArray,
}


@pytest.mark.parametrize(("value", "word"), [(np.nan, "NaN"), (np.inf, "infinity"), (-np.inf, "infinity")])
@pytest.mark.parametrize("storage", STORAGES)
def test_what_is_not_finite_is_named_where_finiteness_is_assumed(storage, value, word):
    spoilt = X.copy()
    spoilt[7, 1] = value
    data, words = STORAGES[storage](spoilt), f"Input X contains {word}"
    three = np.arange(12) % 3
    with config_context(assume_finite=True):
        for loss, solver in (("logistic", "auto"), ("logistic", "lbfgs"), ("hinge", "auto"), ("squared", "dual")):
            for labels in (y, three):
                with pytest.raises(ValueError, match=words):
                    MarginLinearClassifier(loss, solver=solver).fit(data, labels)
        for method in METHODS:
            with pytest.raises(ValueError, match=words):
                getattr(MODEL, method)(*((data, y) if method == "score" else (data,)))


@pytest.mark.parametrize(("value", "word"), [(np.nan, "NaN"), (np.inf, "infinity")])
def test_weights_that_are_not_finite_are_named_where_finiteness_is_assumed(value, word):
    for assume in (False, True):
        with config_context(assume_finite=assume), pytest.raises(ValueError, match=f"sample_weight contains {word}"):
            MarginLinearClassifier().fit(X, y, np.where(HIDDEN, value, 1.0))


@pytest.mark.parametrize(("value", "word"), [(np.nan, "NaN"), (np.inf, "infinity")])
def test_large_arrays_and_chunks_where_finiteness_is_assumed(value, word):
    """Above a million entries, nobody looks for NaN but the first pass."""
    rows = np.resize(X, (1 << 19, 3))
    labels = np.resize(y, len(rows))
    rows[-5, 2] = value
    lazy = [da.from_array(values[-40:], chunks=(20, *values.shape[1:])) for values in (rows, labels)]
    with config_context(assume_finite=True), dask.config.set(scheduler="synchronous"):
        with pytest.raises(ValueError, match=f"Input X contains {word}"):
            MarginLinearClassifier().fit(rows, labels)
        with pytest.raises(ValueError, match=f"Input X contains {word}"):
            MODEL.predict(rows)
        with pytest.raises(ValueError, match=f"chunk 1 .*Input X contains {word}"):
            MarginLinearClassifier().fit(*lazy)
        with pytest.raises(ValueError, match=f"chunk 1 .*Input X contains {word}"):
            MODEL.predict(lazy[0]).compute()
