"""Labels keep their values and their type, whatever container they come in."""

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
from sklearn.exceptions import DataConversionWarning
from sklearn.model_selection import GridSearchCV, cross_val_predict, cross_val_score

from marginclf import MarginLinearClassifier

RNG = np.random.default_rng(0)
THREE = np.arange(60) % 3
X = RNG.normal(size=(60, 3)) + 1.5 * np.eye(3)[THREE]
EXPECTED = MarginLinearClassifier().fit(X, THREE)
SMALL, IDS, TEXT = np.array([3, 5, 200]), 2**53 + np.arange(3), np.array(["bb", "ä", "中"], dtype=object)
HUGE = np.array([2**63 - 1, 2**63, 2**63 + 1], dtype=np.uint64)

INTEGERS = {
    **{f"pandas {kind}": (lambda v, kind=kind: pd.Series(v, dtype=kind)) for kind in ("Int64", "UInt64", "int64")},
    "pandas object": lambda v: pd.Series(v.tolist(), dtype=object),
    "pandas array": lambda v: pd.array(v, dtype="Int64"),
    "pandas index": lambda v: pd.Index(v, dtype="Int64"),
    "category": lambda v: pd.Series(v).astype("category"),
    "category of Int64": lambda v: pd.Series(v, dtype="Int64").astype("category"),
    "Arrow-backed": lambda v: pd.Series(v, dtype=pd.ArrowDtype(pa.int64())),
    "Arrow": lambda v: pa.array(v),
    "Arrow, chunked": lambda v: pa.chunked_array([v[:7], v[7:]]),
    "polars": lambda v: pl.Series(v),
    "xarray": lambda v: xr.DataArray(v),
    "object": lambda v: v.astype(object),
    "object of NumPy's": lambda v: np.array(list(v), dtype=object),
    "list": lambda v: v.tolist(),
    "tuple": lambda v: tuple(v.tolist()),
}


def check(labels, classes, kind):
    """The fit is that of the codes; classes_ are the values, of their type, and so is what is predicted."""
    model = MarginLinearClassifier().fit(X, labels)
    np.testing.assert_array_equal(model.coef_, EXPECTED.coef_)
    assert model.classes_.tolist() == classes
    assert [type(label) for label in model.classes_.tolist()] == [type(label) for label in classes]
    assert model.classes_.dtype.kind in kind
    predicted = model.predict(X)
    assert predicted.dtype == model.classes_.dtype
    assert predicted.tolist() == [classes[k] for k in EXPECTED.predict(X)]
    assert model.predict_proba(X).shape == (60, 3)
    assert model.score(X, labels) == EXPECTED.score(X, THREE)
    return model


@pytest.mark.parametrize("form", INTEGERS)
@pytest.mark.parametrize("values", [SMALL, IDS], ids=["small", "neighbours beyond 2**53"])
def test_integers(form, values):
    check(INTEGERS[form](values[THREE]), values.tolist(), "iu")


@pytest.mark.parametrize("kind", ["Int8", "UInt8", "Int32", "uint16", "int8"])
def test_the_width_of_integers_is_kept(kind):
    model = check(pd.Series(THREE, dtype=kind), [0, 1, 2], "iu")
    assert model.classes_.dtype == np.dtype(kind.lower())


@pytest.mark.parametrize(
    "form",
    [
        np.asarray,
        list,
        lambda v: v.tolist(),
        lambda v: v.astype(object),
        lambda v: pd.Series(v),
        lambda v: pl.Series(v),
    ],
    ids=["array", "list of NumPy's", "list", "object", "pandas", "polars"],
)
def test_integers_beyond_63_bits(form):
    check(form(HUGE[THREE]), HUGE.tolist(), "u")


BOOLEANS = {
    "boolean": lambda v: pd.Series(v, dtype="boolean"),
    "Arrow-backed": lambda v: pd.Series(v, dtype=pd.ArrowDtype(pa.bool_())),
    "category": lambda v: pd.Series(v).astype("category"),
    "object": lambda v: v.astype(object),
    "Arrow": lambda v: pa.array(v),
    "polars": lambda v: pl.Series(v),
    "list": lambda v: v.tolist(),
}


@pytest.mark.parametrize("form", BOOLEANS)
def test_booleans(form):
    truth = THREE > 0
    expected = MarginLinearClassifier().fit(X, truth)
    model = MarginLinearClassifier().fit(X, BOOLEANS[form](truth))
    np.testing.assert_array_equal(model.coef_, expected.coef_)
    assert model.classes_.dtype == bool
    assert model.predict(X).dtype == bool
    assert model.score(X, BOOLEANS[form](truth)) == expected.score(X, truth)


STRINGS = {
    "object": lambda v: v,
    "fixed width": lambda v: v.astype(str),
    "string": lambda v: pd.Series(v, dtype="string"),
    "string of Arrow": lambda v: pd.Series(v, dtype="string[pyarrow]"),
    "Arrow-backed": lambda v: pd.Series(v, dtype=pd.ArrowDtype(pa.string())),
    "category": lambda v: pd.Series(v).astype("category"),
    "Arrow": lambda v: pa.array(v),
    "Arrow, dictionary": lambda v: pa.array(v).dictionary_encode(),
    "polars": lambda v: pl.Series(v.tolist()),
    "polars, categorical": lambda v: pl.Series(v.tolist(), dtype=pl.Categorical),
    "xarray": lambda v: xr.DataArray(v),
    "list": lambda v: v.tolist(),
}


@pytest.mark.parametrize("form", STRINGS)
def test_strings(form):
    check(STRINGS[form](TEXT[THREE]), TEXT.tolist(), "OU")


# NumPy's strings of variable width, which NumPy 1 has not; with what stands for a missing one, if anything does.
WIDTHS = [{}, {"na_object": np.nan}, {"na_object": None}, {"na_object": ""}]
VARIABLE = [np.dtypes.StringDType(**how) for how in WIDTHS] if hasattr(np, "dtypes") else []


def test_strings_of_variable_width():
    for kind in VARIABLE:
        labels = TEXT[THREE].astype(kind)
        model = check(labels, TEXT.tolist(), "O")
        assert (model.predict(X) == labels).mean() == EXPECTED.score(X, THREE)
        with dask.config.set(scheduler="synchronous"):
            lazy = MarginLinearClassifier().fit(da.from_array(X, chunks=(20, 3)), labels)
        assert lazy.classes_.tolist() == TEXT.tolist()


def test_missing_strings_of_variable_width():
    for kind in VARIABLE[1:]:
        labels = TEXT[THREE]
        labels[[5, 7]] = kind.na_object
        for call in (MarginLinearClassifier().fit, EXPECTED.score):
            with pytest.raises(ValueError, match=mentions("Input y contains NaN", "2 of 60", "missing")):
                call(X, np.array(labels, dtype=kind))


def test_floats_stay_floats():
    for labels in (pd.Series(THREE, dtype="Float64"), THREE.astype(float).astype(object), THREE.astype(float).tolist()):
        check(labels, [0.0, 1.0, 2.0], "f")
    check([(0, 1.0, 2)[k] for k in THREE], [0.0, 1.0, 2.0], "f")


@pytest.mark.parametrize(
    "form", [lambda v: pd.DataFrame({"y": v}, dtype="Int64"), lambda v: pl.DataFrame({"y": v}), lambda v: v[:, None]]
)
def test_a_frame_of_one_column(form):
    with pytest.warns(DataConversionWarning, match="column-vector"):
        model = MarginLinearClassifier().fit(X, form(IDS[THREE]))
    assert model.classes_.tolist() == IDS.tolist()
    assert model.score(X, form(IDS[THREE])) == EXPECTED.score(X, THREE)  # without a warning, as scikit-learn's


@pytest.mark.parametrize("kind", ["Int64", pd.ArrowDtype(pa.int64()), "string", "category"], ids=str)
def test_cross_validation_and_searches(kind):
    values = pd.Series(TEXT[THREE] if kind == "string" else IDS[THREE]).astype(kind)
    expected = cross_val_score(MarginLinearClassifier(), X, THREE, cv=3)
    np.testing.assert_array_equal(cross_val_score(MarginLinearClassifier(), X, values, cv=3), expected)
    search = GridSearchCV(MarginLinearClassifier(), {"C": [0.1, 1.0]}, cv=3).fit(X, values)
    assert search.classes_.tolist() == np.unique(np.asarray(values)).tolist()
    predicted = cross_val_predict(MarginLinearClassifier(), X, values, cv=3)
    assert np.mean(predicted == np.asarray(values)) == pytest.approx(expected.mean())


@pytest.mark.parametrize("kind", ["Int64", "boolean", "string", pd.ArrowDtype(pa.int64()), "category"], ids=str)
def test_partitions_of_a_data_frame(kind):
    values = TEXT[THREE] if kind == "string" else THREE > 0 if kind == "boolean" else IDS[THREE]
    frame = pd.DataFrame(X, columns=list("abc")).assign(y=pd.Series(values).astype(kind))
    lazy = dd.from_pandas(frame, npartitions=3)
    with dask.config.set(scheduler="synchronous"):
        model = MarginLinearClassifier().fit(lazy[list("abc")], lazy["y"])
        predicted = model.predict(lazy[list("abc")]).compute()
        assert model.score(lazy[list("abc")], lazy["y"]) == np.mean(predicted == values)
    expected = MarginLinearClassifier().fit(frame[list("abc")], values)
    assert model.classes_.tolist() == expected.classes_.tolist()
    assert predicted.dtype == model.classes_.dtype
    assert predicted.tolist() == expected.predict(frame[list("abc")]).tolist()


def test_blocks_of_other_integer_types():
    """Objects that are signed integers in one block and unsigned in the next; NumPy's common type is that of floats."""
    order = np.argsort(THREE, kind="stable")
    labels = da.from_array(HUGE[THREE][order].astype(object), chunks=20)
    rows = da.from_array(X[order], chunks=(20, 3))
    with dask.config.set(scheduler="synchronous"):
        model = MarginLinearClassifier().fit(rows, labels)
        assert model.classes_.tolist() == HUGE.tolist()
        np.testing.assert_allclose(model.objective_, EXPECTED.objective_, rtol=1e-10)
        assert model.predict(rows).compute().tolist() == HUGE[EXPECTED.predict(X[order])].tolist()
        assert model.score(rows, labels) == EXPECTED.score(X, THREE)


def test_a_score_of_integers_with_and_without_sign():
    signed, unsigned = IDS[THREE].tolist(), IDS[THREE].astype(np.uint64)
    for fitted, scored in ((signed, unsigned), (unsigned, signed)):
        assert MarginLinearClassifier().fit(X, fitted).score(X, scored) == EXPECTED.score(X, THREE)


BYTES = [b"a", b"b", b"c"]


@pytest.mark.fault("bad input")
@pytest.mark.parametrize("number", [2, 3])
@pytest.mark.parametrize(
    "form",
    [
        np.array,
        lambda v: np.array(v, dtype=object),
        list,
        pd.Series,
        lambda v: pd.Series(v, dtype=pd.ArrowDtype(pa.binary())),
        lambda v: pl.Series(v),
    ],
    ids=["S", "object", "list", "pandas", "Arrow-backed", "polars"],
)
def test_bytes_are_refused(form, number):
    labels = form([BYTES[k % number] for k in THREE * 2 + np.arange(60)])
    for call in (MarginLinearClassifier().fit, EXPECTED.score):
        with pytest.raises(ValueError, match=mentions("y has labels of type bytes", "decode", "astype(str)")):
            call(X, labels)


@pytest.mark.fault("bad input")
@pytest.mark.parametrize(
    ("labels", "words"),
    [
        ([True, 1, 2], ["one type", "bool, int", "str(label)"]),
        ([1, "a", 2], ["one type", "int, str"]),
        ([0.5, "a", 2], ["one type", "float, int, str"]),
        ([np.nan, "a", "b"], ["contains NaN", "20 of 60"]),
        ([2**63, -1, 0], ["from -1 to 9223372036854775808", "64 bits", "text"]),
        ([2**70, 1, 0], [str(2**70), "64 bits"]),
        ([2**53 + 1, 1.0, 2.0], ["integers too large for a float", "convert"]),
        ([(1, 2), (3, 4), (5, 6)], ["one type", "tuple", "text"]),
        ([pd.Timestamp("2020"), pd.Timestamp("2021"), pd.Timestamp("2022")], ["Timestamp", "text"]),
    ],
    ids=repr,
)
def test_labels_that_no_array_holds(labels, words):
    objects = np.empty(60, dtype=object)
    objects[:] = [labels[k] for k in THREE]
    for given in (objects, objects.tolist()) if not isinstance(labels[0], tuple) else (objects,):
        with pytest.raises(ValueError, match=mentions("y", *words)):
            MarginLinearClassifier().fit(X, given)


def test_missing_dates_are_missing_labels():
    dates = np.array(["2020", "2021", "NaT"], dtype="M8[D]")
    with pytest.raises(ValueError, match=mentions("Input y contains NaN", "20 of 60")):
        MarginLinearClassifier().fit(X, dates[THREE])


ONE_HOT = np.eye(3)[THREE]


@pytest.mark.fault("bad input")
@pytest.mark.parametrize(
    ("columns", "remedy"),
    [
        (ONE_HOT, "Y.argmax(axis=1)"),
        (ONE_HOT.astype(bool).tolist(), "Y.argmax(axis=1)"),
        (sparse.csr_matrix(ONE_HOT), "Y.argmax(axis=1)"),
        (xr.DataArray(ONE_HOT), "Y.argmax(axis=1)"),
        (pd.get_dummies(pd.Series(THREE)), "Y.idxmax(axis=1)"),
        (pl.DataFrame(ONE_HOT), "Y.to_numpy().argmax(axis=1)"),
    ],
    ids=["array", "list", "sparse", "xarray", "pandas", "polars"],
)
def test_one_hot_labels_say_what_to_pass(columns, remedy):
    for call in (MarginLinearClassifier().fit, EXPECTED.score):
        with pytest.raises(ValueError, match=mentions("y must have one column", "(60, 3)", f"pass {remedy}")):
            call(X, columns)
    if not isinstance(columns, list):
        single = eval(remedy, {"Y": columns})
        assert MarginLinearClassifier().fit(X, np.asarray(single).ravel()).classes_.tolist() == [0, 1, 2]


@pytest.mark.fault("bad input")
def test_what_is_no_column_of_labels():
    for labels in (pl.LazyFrame({"y": THREE}), (k for k in THREE), set(THREE), "ab", 3, None):
        for call in (MarginLinearClassifier().fit, EXPECTED.score):
            with pytest.raises(ValueError, match=r"y should be a 1d array|y is None|y contains NaN, None"):
                call(X, labels)


@pytest.mark.fault("bad input")
def test_labels_and_weights_in_a_sparse_matrix():
    for column in (sparse.csr_matrix(THREE[:, None]), sparse.coo_array(THREE[:, None])):
        with pytest.raises(ValueError, match=mentions("y is a sparse matrix", "toarray().ravel()")):
            MarginLinearClassifier().fit(X, column)
        with pytest.raises(ValueError, match=mentions("sample_weight is a sparse matrix", "toarray().ravel()")):
            MarginLinearClassifier().fit(X, THREE, column)
