"""The same data in every form that fit and predict accept: the same fit, the same predictions, nothing changed."""

from functools import partial

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import xarray as xr
from scipy import sparse
from sklearn.exceptions import DataConversionWarning

from marginclf import MarginLinearClassifier

RNG = np.random.default_rng(0)
# Small whole numbers, many of them zero: exact in every type, and worth storing sparse.
X = RNG.integers(-3, 4, size=(90, 5)) * (RNG.random((90, 5)) < 0.6).astype(float)
y = (X @ [1.0, -0.5, 0.5, 0.0, 1.0] + RNG.normal(size=90) > 0).astype(int)
THREE = y + ((X[:, 1] > 0) & (y == 1))
NAMES = [f"x{j}" for j in range(5)]
EXPECTED = MarginLinearClassifier()


@pytest.fixture(scope="module", autouse=True)
def _fitted():
    """Not while the tests are collected: every worker does that, and would compile what the fit needs."""
    EXPECTED.fit(X, y)


def _misaligned(array):
    raw = np.empty(array.nbytes + 1, dtype=np.uint8)
    view = raw[1:].view(array.dtype).reshape(array.shape)
    view[...] = array
    assert not view.flags.aligned
    return view


def _read_only(array):
    array = array.copy()
    array.flags.writeable = False
    return array


def _frame():
    return pd.DataFrame(X, columns=NAMES)


def _int64(matrix):
    matrix.indices, matrix.indptr = matrix.indices.astype(np.int64), matrix.indptr.astype(np.int64)
    return matrix


def _read_only_csr():
    matrix = sparse.csr_array(X)
    for array in (matrix.data, matrix.indices, matrix.indptr):
        array.flags.writeable = False
    return matrix


def _unsorted():
    matrix = sparse.csr_array(X)
    for start, stop in zip(matrix.indptr, matrix.indptr[1:], strict=False):
        for array in (matrix.data, matrix.indices):
            array[start:stop] = array[start:stop][::-1].copy()
    matrix.has_sorted_indices = False
    return matrix


def _duplicates():
    """Each entry v as v - 1 and 1, in one row twice."""
    matrix = sparse.csr_array(X)
    data = np.column_stack([matrix.data - 1.0, np.ones(matrix.nnz)]).ravel()
    return sparse.csr_array((data, np.repeat(matrix.indices, 2), 2 * matrix.indptr), shape=X.shape)


DENSE = {
    "C order": lambda: X.copy(),
    "Fortran order": lambda: np.asfortranarray(X),
    "strided": lambda: np.repeat(np.repeat(X, 2, axis=0), 3, axis=1)[::2, ::3],
    "reversed": lambda: X[::-1, ::-1].copy()[::-1, ::-1],
    "column of a larger array": lambda: np.concatenate([X, X], axis=1)[:, :5],
    "float32": lambda: X.astype(np.float32),
    "float32, Fortran order": lambda: np.asfortranarray(X, dtype=np.float32),
    "float16": lambda: X.astype(np.float16),
    "longdouble": lambda: X.astype(np.longdouble),
    "other byte order": lambda: X.astype(X.dtype.newbyteorder()),
    "int8": lambda: X.astype(np.int8),
    "int64": lambda: X.astype(np.int64),
    "object": lambda: X.astype(object),
    "read-only": lambda: _read_only(X),
    "read-only, float32": lambda: _read_only(X.astype(np.float32)),
    "misaligned": lambda: _misaligned(X),
    "list": lambda: X.tolist(),
    "list of arrays": lambda: list(X),
    "tuple of lists": lambda: tuple(map(list, X)),
    "xarray": lambda: xr.DataArray(X, dims=("row", "column"), coords={"column": NAMES}),
}
FRAMES = {
    "pandas": _frame,
    "pandas, float32": lambda: _frame().astype(np.float32),
    "pandas, mixed": lambda: _frame().astype({"x0": np.int32, "x1": np.float32, "x2": object}),
    "pandas, nullable": lambda: _frame().astype({"x0": "Int64", "x1": "Float32"}),
    "pandas, integer names": lambda: pd.DataFrame(X),
    "polars": lambda: pl.DataFrame(X, schema=NAMES),
    "polars, mixed": lambda: pl.DataFrame(X, schema=NAMES).with_columns(pl.col("x0").cast(pl.Int32)),
}
SPARSE = {
    **{
        f"{kind}_{shape}": partial(getattr(sparse, f"{kind}_{shape}"), X)
        for kind in ("csr", "csc", "coo", "lil", "dok", "bsr", "dia")
        for shape in ("matrix", "array")
    },
    "csr, float32": lambda: sparse.csr_matrix(X.astype(np.float32)),
    "csr, integers": lambda: sparse.csr_array(X.astype(int)),
    "csr, int64 indices": lambda: _int64(sparse.csr_array(X)),
    "csc, int64 indices": lambda: _int64(sparse.csc_array(X)),
    "csr, read-only": _read_only_csr,
    "csr, unsorted": _unsorted,
    "csr, duplicates": _duplicates,
    "csr, stored zeros": lambda: sparse.csr_array(
        (X.ravel(), np.tile(np.arange(5), 90), np.arange(0, 451, 5)), shape=X.shape
    ),
    "pandas, sparse": lambda: _frame().astype(pd.SparseDtype(float, 0.0)),
}


def _bits(data):
    """Everything of X that a careless fit might change."""
    if sparse.issparse(data):
        parts = [getattr(data, name) for name in ("data", "indices", "indptr", "row", "col") if hasattr(data, name)]
        if data.format == "dok":
            parts = [np.array(list(data.items()), dtype=object)]
        if data.format == "lil":
            parts = [data.rows, data.data]
        kept = [(part.dtype, part.shape, part.tobytes() if part.dtype != object else repr(part)) for part in parts]
        return type(data), kept, data.nnz
    if isinstance(data, np.ndarray):
        return data.dtype, data.flags.writeable, data.strides, data.tobytes() if data.dtype != object else repr(data)
    return type(data), repr(data)


@pytest.mark.parametrize("make", [*DENSE.values(), *FRAMES.values(), *SPARSE.values()], ids=[*DENSE, *FRAMES, *SPARSE])
def test_any_form_of_x(make):
    data = make()
    before = _bits(data)
    model = MarginLinearClassifier().fit(data, y)
    np.testing.assert_allclose(model.coef_, EXPECTED.coef_, rtol=1e-9)
    np.testing.assert_allclose(model.intercept_, EXPECTED.intercept_, rtol=1e-9)
    assert model.coef_.dtype == model.intercept_.dtype == np.float64
    # Coefficients of order 1, whole numbers below 4: float32 data costs no digits, only a product in float32 would.
    np.testing.assert_allclose(model.decision_function(data), EXPECTED.decision_function(X), rtol=1e-5, atol=1e-5)
    assert np.array_equal(model.predict(data), EXPECTED.predict(X))
    np.testing.assert_allclose(model.predict_proba(data), EXPECTED.predict_proba(X), rtol=1e-5)
    assert _bits(data) == before


FORMS = {**DENSE, **FRAMES, **SPARSE}


# The joint kernels of float32 are compiled for nothing else here.
@pytest.mark.parametrize(
    "make", [pytest.param(f, id=k, marks=[pytest.mark.slow] * ("float32" in k)) for k, f in FORMS.items()]
)
def test_any_form_of_x_with_several_classes(make):
    model = MarginLinearClassifier("squared_hinge").fit(make(), THREE)
    expected = MarginLinearClassifier("squared_hinge").fit(X, THREE)
    np.testing.assert_allclose(model.coef_, expected.coef_, rtol=1e-8, atol=1e-10)
    assert np.array_equal(model.predict(make()), expected.predict(X))


def test_booleans():
    mask = X > 0
    expected = MarginLinearClassifier().fit(mask.astype(float), y)
    for data in (mask, mask.tolist(), pd.DataFrame(mask), sparse.csr_array(mask), pl.DataFrame(mask)):
        model = MarginLinearClassifier().fit(data, y)
        np.testing.assert_allclose(model.coef_, expected.coef_, rtol=1e-9)
        assert np.array_equal(model.predict(data), expected.predict(mask.astype(float)))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_memory_mapped(tmp_path, dtype):
    np.save(tmp_path / "X.npy", X.astype(dtype))
    data = np.load(tmp_path / "X.npy", mmap_mode="r")
    np.testing.assert_allclose(MarginLinearClassifier().fit(data, y).coef_, EXPECTED.coef_, rtol=1e-9)
    assert np.array_equal(EXPECTED.predict(data), EXPECTED.predict(X))


def test_a_single_column_and_a_single_row():
    model = MarginLinearClassifier().fit(X[:, :1], y)
    assert model.coef_.shape == (1, 1)
    assert model.predict(X[:1, :1]).shape == model.decision_function(X[:1, :1]).shape == (1,)


@pytest.mark.parametrize(
    "names",
    [("no", "yes"), (3, 7), (-1, 1), (False, True), (0.0, 1.0), ("1", "10")],
    ids=repr,
)
def test_labels_of_any_type(names):
    labels = np.array(names)[y]
    for given in (labels, labels.tolist(), pd.Series(labels), tuple(labels.tolist())):
        model = MarginLinearClassifier().fit(X, given)
        np.testing.assert_array_equal(model.coef_, EXPECTED.coef_)
        assert model.classes_.tolist() == list(names)
        assert model.predict(X).tolist() == [names[k] for k in EXPECTED.predict(X)]
        assert model.score(X, given) == EXPECTED.score(X, y)


@pytest.mark.parametrize(
    "make",
    [
        lambda labels: pd.Series(labels, dtype=object),
        lambda labels: pd.Series(labels, dtype="string"),
        lambda labels: pd.Series(labels, dtype="category"),
        lambda labels: pd.Categorical(labels, categories=["yes", "unused", "no"]),
        lambda labels: pd.Index(labels),
        lambda labels: pl.Series(labels.tolist()),
        lambda labels: pl.Series(labels.tolist(), dtype=pl.Categorical),
        lambda labels: pd.Series(labels == "yes").map({True: "yes", False: "no"}).set_axis(range(100, 190)),
    ],
    ids=["object", "string", "category", "Categorical", "Index", "polars", "polars, categorical", "other index"],
)
def test_series_of_labels(make):
    labels = np.where(y == 1, "yes", "no")
    model = MarginLinearClassifier().fit(X, make(labels))
    np.testing.assert_array_equal(model.coef_, EXPECTED.coef_)
    assert model.classes_.tolist() == ["no", "yes"]
    assert model.predict(X).tolist() == np.where(EXPECTED.predict(X), "yes", "no").tolist()
    assert MarginLinearClassifier().fit(_frame(), make(labels)).score(_frame(), make(labels)) == EXPECTED.score(X, y)


def test_a_column_of_labels_is_taken_with_a_warning():
    with pytest.warns(DataConversionWarning, match="column-vector"):
        model = MarginLinearClassifier().fit(X, y[:, None])
    np.testing.assert_array_equal(model.coef_, EXPECTED.coef_)


@pytest.mark.parametrize(
    "make",
    [
        list,
        lambda weights: weights.astype(np.float32),
        lambda weights: weights.astype(object),
        lambda weights: weights.repeat(2)[::2],
        lambda weights: pd.Series(weights, index=range(100, 190)),
        lambda weights: pd.Series(weights, dtype="Int64"),
        lambda weights: pd.Series(weights, dtype=pd.ArrowDtype(pa.int64())),
        lambda weights: pl.Series(weights),
        lambda weights: pa.array(weights),
        lambda weights: xr.DataArray(weights),
    ],
    ids=["list", "float32", "object", "strided", "pandas", "nullable", "Arrow-backed", "polars", "Arrow", "xarray"],
)
def test_weights_of_any_type(make):
    weights = RNG.integers(0, 4, 90)
    expected = MarginLinearClassifier().fit(X, y, weights.astype(float))
    np.testing.assert_array_equal(MarginLinearClassifier().fit(X, y, make(weights)).coef_, expected.coef_)
    assert not np.allclose(expected.coef_, EXPECTED.coef_)


def test_one_weight_for_all_and_boolean_weights():
    twice = MarginLinearClassifier().fit(X, y, 2.0)
    np.testing.assert_allclose(twice.coef_, MarginLinearClassifier(C=2.0).fit(X, y).coef_, rtol=1e-9)
    some = MarginLinearClassifier().fit(X, y, X[:, 0] > 0)
    np.testing.assert_allclose(
        some.coef_, MarginLinearClassifier().fit(X[X[:, 0] > 0], y[X[:, 0] > 0]).coef_, rtol=1e-9
    )


DATES = {
    "numpy": (lambda days: days[:, None], "X must be numbers, and is of type datetime64"),
    "numpy, differences": (
        lambda days: (days - days[0])[:, None],
        r"of type timedelta64.*; divide it by numpy.timedelta",
    ),
    "pandas": (lambda days: pd.DataFrame({"x": X[:, 0], "day": days}), "its column 'day' is of type datetime64"),
    "pandas, only": (
        lambda days: pd.DataFrame({"a": days, "b": days}),
        r"its column 'a' \(and 1 more\) is of type date",
    ),
    "pandas, zone": (lambda days: pd.DataFrame({"day": days}).apply(lambda c: c.dt.tz_localize("UTC")), "'day'.*UTC"),
    "pandas, period": (lambda days: pd.DataFrame({"day": pd.PeriodIndex(days, freq="D")}), r"'day' is of type period"),
    "pandas, differences": (lambda days: pd.DataFrame({"t": days - days[0]}), "'t' is of type timedelta64.*; divide"),
    "polars": (lambda days: pl.DataFrame({"x": X[:, 0], "day": days}), "column 'day' is of type Date"),
    "Arrow": (lambda days: pa.table({"x": X[:, 0], "day": pa.array(days)}), "its column 'day' is of type date32"),
    "objects": (lambda days: days.astype(object)[:, None], "it has values of type date; take the days since some date"),
    "objects of another type": (lambda days: np.full((90, 1), {}, dtype=object), "type dict; make columns of numbers"),
}


@pytest.mark.parametrize(("make", "says"), DATES.values(), ids=DATES)
def test_dates_are_named(make, says):
    data = make(np.datetime64("2020-02-27") + np.arange(90))
    for use in (MarginLinearClassifier().fit, EXPECTED.score):
        with pytest.raises((TypeError, ValueError), match=says):
            use(data, y)
