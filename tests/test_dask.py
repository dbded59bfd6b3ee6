"""Dask collections: fitted and predicted as arrays are, with errors that name the chunk."""

import warnings

import dask
import dask.array as da
import dask.bag
import dask.dataframe as dd
import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from sklearn.datasets import load_breast_cancer, load_digits
from sklearn.exceptions import ConvergenceWarning
from sklearn.preprocessing import scale

from marginclf import MarginLinearClassifier

X, Y = load_breast_cancer(return_X_y=True)
X = scale(X)
MANY, TEN = load_digits(return_X_y=True)
MANY = scale(MANY)[:, ::5]
CHUNKS = (100, 200, 1, 250, 18)
LOSSES = ["logistic", "squared_hinge", "hinge", "linear", "savage", "smooth_hinge"]


@pytest.fixture(autouse=True)
def scheduler():
    """In this thread, so that what goes wrong is seen where it does; the cluster has tests of its own."""
    with dask.config.set(scheduler="synchronous"):
        yield


def chunked(values, chunks=CHUNKS):
    return da.from_array(values, chunks=(chunks, *((-1,) * (values.ndim - 1))))


def unknown(collection):
    """The same with chunk sizes that are not known."""
    return collection[da.ones(collection.shape[0], chunks=(collection.chunks[0],), dtype=bool)]


@pytest.mark.parametrize("loss", LOSSES)
def test_the_optimum_is_that_of_memory(loss):
    found = MarginLinearClassifier(loss).fit(chunked(X), chunked(Y))
    expected = MarginLinearClassifier(loss).fit(X, Y)
    assert_allclose(found.objective_, expected.objective_, rtol=1e-10 if loss != "savage" else 1e-8)
    assert found.status_ == expected.status_
    assert_allclose(found.suboptimality_, expected.suboptimality_, atol=1e-8)
    assert_array_equal(found.classes_, expected.classes_)
    assert found.n_features_in_ == 30
    assert found.coef_.shape == (1, 30)


@pytest.mark.parametrize("loss", ["logistic", "savage", "linear"])
def test_many_classes(loss):
    labels = np.array(list("abcdefghij"))[TEN]
    found = MarginLinearClassifier(loss, C=0.1).fit(chunked(MANY, (900, 897)), chunked(labels, (900, 897)))
    expected = MarginLinearClassifier(loss, C=0.1, tol=1e-12).fit(MANY, labels)
    assert_allclose(found.objective_, expected.objective_, rtol=1e-10 if loss != "savage" else 1e-6)
    assert_array_equal(found.classes_, expected.classes_)
    assert_allclose(found.predict_proba(chunked(MANY, (7, 1790))), expected.predict_proba(MANY), atol=1e-4) if (
        loss != "linear"
    ) else None
    assert (found.predict(chunked(MANY, (7, 1790))).compute() == expected.predict(MANY)).mean() > 0.999


@pytest.mark.parametrize("kind", [np.float32, np.float64])
def test_blocks_of_csr(kind):
    rows = sparse.csr_array(np.where(np.abs(MANY) > 0.8, MANY, 0.0).astype(kind))
    before = rows.copy()
    blocks = [dask.delayed(rows[start : start + 500]) for start in range(0, 1797, 500)]
    meta = sparse.csr_array((0, 0), dtype=kind)
    sizes = [min(500, 1797 - start) for start in range(0, 1797, 500)]
    lazy = da.concatenate(
        [
            da.from_delayed(b, shape=(n, rows.shape[1]), dtype=kind, meta=meta)
            for b, n in zip(blocks, sizes, strict=True)
        ]
    )
    y = TEN % 2
    found = MarginLinearClassifier().fit(lazy, da.from_array(y, chunks=(tuple(sizes),)))
    expected = MarginLinearClassifier().fit(rows, y)
    assert_allclose(found.objective_, expected.objective_, rtol=1e-10)
    assert_allclose(found.decision_function(lazy), expected.decision_function(rows), atol=1e-5)
    assert (rows != before).nnz == 0


@pytest.mark.parametrize("named", [False, True], ids=["arrays", "frames"])
def test_weights_of_rows_and_classes(named):
    weights = np.random.default_rng(0).integers(0, 3, len(Y)).astype(float)
    weights[100:300] = 0.0  # a whole chunk
    how = {"class_weight": {0: 2.0, 1: 0.5}, "loss": "squared_hinge"}
    given = chunked(X), chunked(Y), chunked(weights)
    if named:
        frame = dd.from_pandas(pd.DataFrame(X).assign(y=Y, s=weights).rename(columns=str), npartitions=5)
        given = frame.drop(columns=["y", "s"]), frame["y"], frame["s"]
    found = MarginLinearClassifier(**how).fit(*given)
    expected = MarginLinearClassifier(**how).fit(X, Y, weights)
    assert_allclose(found.objective_, expected.objective_, rtol=1e-10)
    assert_allclose(found.coef_, expected.coef_, atol=1e-6)
    assert_array_equal(found.class_weight_, [2.0, 0.5])
    assert found.score(*given) == pytest.approx(expected.score(X, Y, weights), abs=1e-12)
    balanced = MarginLinearClassifier(class_weight="balanced").fit(*given)
    assert_allclose(
        balanced.class_weight_, MarginLinearClassifier(class_weight="balanced").fit(X, Y, weights).class_weight_
    )


@pytest.mark.filterwarnings("ignore:The inplace keyword")  # what Dask does with the latest pandas
def test_a_data_frame_from_parquet(tmp_path):
    names = [f"column {k}" for k in range(30)]
    frame = pd.DataFrame(X, columns=names).assign(label=np.where(Y, "benign", "malignant"))
    dd.from_pandas(frame, npartitions=4).to_parquet(tmp_path)
    lazy = dd.read_parquet(tmp_path)
    features, label = lazy[names], lazy["label"]
    model = MarginLinearClassifier().fit(features, label)
    expected = MarginLinearClassifier().fit(frame[names], frame["label"])
    assert_array_equal(model.feature_names_in_, names)
    assert_allclose(model.objective_, expected.objective_, rtol=1e-10)
    predicted = model.predict(features)
    assert isinstance(predicted, da.Array)
    assert predicted.numblocks == (lazy.npartitions,)
    assert_array_equal(predicted.compute(), expected.predict(frame[names]))
    assert model.score(features, label) == expected.score(frame[names], frame["label"])
    assert_allclose(model.predict_proba(features), expected.predict_proba(frame[names]), atol=1e-6)
    with pytest.raises(ValueError, match="feature names"):
        model.predict(features.rename(columns={"column 3": "another"}))


def test_predictions_are_lazy_and_have_the_chunks_of_the_data():
    model = MarginLinearClassifier().fit(X, Y)
    calls = []

    def noted(block):
        calls.append(len(block))
        return block

    lazy = chunked(X).map_blocks(noted, dtype=float, meta=np.empty((0, 0)))
    found = {name: getattr(model, name)(lazy) for name in ("decision_function", "predict", "predict_proba")}
    found["predict_log_proba"] = model.predict_log_proba(lazy)
    assert not calls
    for name, values in found.items():
        expected = getattr(model, name)(X)
        assert values.chunks[0] == CHUNKS
        assert values.shape == expected.shape
        assert values.dtype == expected.dtype
        assert_allclose(values.compute(), expected, rtol=1e-12)
    assert sorted(set(calls)) == sorted(set(CHUNKS))
    assert found["predict"].sum().compute() == model.predict(X).sum()


def test_the_same_chunks_give_the_same_bits():
    found = [MarginLinearClassifier(loss).fit(chunked(X), chunked(Y)) for loss in ("logistic", "hinge") for _ in (1, 2)]
    with dask.config.set(scheduler="threads"):
        found += [MarginLinearClassifier(loss).fit(chunked(X), chunked(Y)) for loss in ("logistic", "hinge")]
    for a, b, c in ((0, 1, 4), (2, 3, 5)):
        assert_array_equal(found[a].coef_, found[b].coef_)
        assert_array_equal(found[a].coef_, found[c].coef_)
        assert_array_equal(found[a].intercept_, found[c].intercept_)


def test_rounds_are_few():
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(20_000, 20))
    y = (rows @ rng.normal(size=20) + 3.0 * rng.normal(size=20_000) > 0).astype(int)
    for factor in (1.0, np.geomspace(1.0, 1e3, 20)):
        lazy = da.from_array(rows * factor, chunks=(3000, -1))
        for loss in ("logistic", "squared_hinge", "hinge"):
            model = MarginLinearClassifier(loss, record_history=True).fit(lazy, da.from_array(y, chunks=3000))
            assert model.history_[0]["passes"][-1] <= 8, loss
            assert model.suboptimality_[0] <= 1e-8


def test_chunks_of_any_kind():
    """One class only, one row, none, of unknown size; columns in several blocks; labels in memory, or cut elsewhere."""
    expected = MarginLinearClassifier().fit(X, Y).objective_
    order = np.argsort(Y, kind="stable")
    parts = [chunked(X[order], (212, 357)), chunked(Y[order], (212, 357))]
    empty = [da.concatenate([a[:50], a[50:50], a[50:]]) for a in (chunked(X), chunked(Y))]
    given = [
        parts,
        empty,
        [chunked(X).rechunk((100, 7)), chunked(Y)],
        [chunked(X), Y],
        [chunked(X), list(Y)],
        [chunked(X), da.from_array(Y, chunks=569)],
        [unknown(chunked(X)), unknown(chunked(Y))],
        [chunked(X), dd.from_dask_array(chunked(Y))],
        [chunked(np.asfortranarray(X)), chunked(Y)],
    ]
    for k, (rows, y) in enumerate(given):
        assert_allclose(MarginLinearClassifier().fit(rows, y).objective_, expected, rtol=1e-10, err_msg=str(k))
    model = MarginLinearClassifier().fit(*empty)
    assert_array_equal(model.predict(empty[0]).compute(), model.predict(X))
    assert model.score(*empty) == model.score(X, Y)


def broken(values, row, value, chunks=CHUNKS):
    values = values.astype(object if isinstance(value, str) else float)
    values[row] = value
    return chunked(values, chunks)


BAD = {
    "NaN in the last chunk": (lambda: (broken(X, (-1, 3), np.nan), chunked(Y)), r"chunk 4 .*Input X contains NaN"),
    "infinity in the first": (lambda: (broken(X, (0, 0), np.inf), chunked(Y)), r"chunk 0 .*X contains infinity"),
    "text": (lambda: (broken(X, (150, 0), "a"), chunked(Y)), r"chunk 1 .*X must be numbers"),
    "missing label": (lambda: (chunked(X), broken(Y, 400, np.nan)), r"chunk 3 .*y contains NaN"),
    "continuous labels": (lambda: (chunked(X), chunked(X[:, 0])), r"chunk \d .*continuous"),
    "labels of two types": (
        lambda: (chunked(X), chunked(Y).map_blocks(lambda y: y if len(y) > 18 else y.astype(str), dtype=object)),
        "one type, got number and text in different chunks",
    ),
    "one class": (lambda: (chunked(X), chunked(np.zeros(569))), "only one class: 0.0"),
    "no rows": (lambda: (chunked(X)[:0], chunked(Y)[:0]), "0 sample"),
    "no labels": (lambda: (chunked(X), None), "requires y to be passed"),
    "other length": (lambda: (chunked(X), chunked(Y)[:-1]), "y has 568 rows, X has 569"),
    "array of another length": (lambda: (chunked(X), Y[:-1]), r"y has shape \(568,\), X has 569 rows"),
    "other length, unknown": (
        lambda: (unknown(chunked(X)), da.concatenate([unknown(chunked(Y)[:100]), *[unknown(chunked(Y)[:7])] * 4])),
        r"chunk \d .*X has \d+ rows, y has 7",
    ),
    "other chunks, unknown": (lambda: (unknown(chunked(X)), da.from_array(Y, chunks=100)), "y has 6 chunks, X has 5"),
    "labels in memory, unknown": (lambda: (unknown(chunked(X)), Y), "y is no Dask collection.*compute_chunk_sizes"),
    "labels as a collection": (lambda: (X, chunked(Y)), "y is a Dask collection and X is not"),
    "weights as a collection": (lambda: (X, Y, chunked(Y)), "sample_weight is a Dask collection and X is not"),
    "one dimension": (lambda: (chunked(X[:, 0]), chunked(Y)), "two dimensions"),
    "negative weights": (
        lambda: (chunked(X), chunked(Y), broken(np.ones(569), 300, -1.0)),
        r"chunk 2 .*sample_weight must be at least 0, got -1",
    ),
    "missing weights": (
        lambda: (chunked(X), chunked(Y), broken(np.ones(569), -1, np.nan)),
        r"chunk 4 .*sample_weight contains NaN",
    ),
    "weights in two columns": (lambda: (chunked(X), chunked(Y), chunked(X[:, :2])), "sample_weight must be a column"),
    "no weight": (lambda: (chunked(X), chunked(Y), chunked(np.zeros(569))), "sample_weight is zero for every row"),
    "two columns of labels": (lambda: (chunked(X), chunked(X[:, :2] > 0)), "y must have one column"),
    "large values": (lambda: (chunked(1e200 * X), chunked(Y)), "values up to .*e.201 in magnitude"),
    "a bag": (lambda: (dask.bag.from_sequence([1, 2]), chunked(Y)), "two dimensions"),
}


@pytest.mark.fault("bad input")
@pytest.mark.parametrize("case", BAD)
def test_what_cannot_be_used_is_named_and_a_previous_fit_stays(case):
    make, message = BAD[case]
    model = MarginLinearClassifier().fit(X, Y)
    before = model.coef_
    with pytest.raises((ValueError, TypeError), match=message):
        model.fit(*make())
    assert model.coef_ is before
    assert_array_equal(model.predict(chunked(X)).compute(), model.predict(X))


def test_solvers_and_losses_that_need_all_rows_at_once():
    with pytest.raises(ValueError, match=r"solver='dual'.*Dask"):
        MarginLinearClassifier(solver="dual").fit(chunked(X), chunked(Y))
    found = MarginLinearClassifier(solver="lbfgs", tol=1e-10).fit(chunked(X), chunked(Y))
    assert_allclose(found.objective_, MarginLinearClassifier().fit(X, Y).objective_, rtol=1e-9)


def test_a_fit_that_does_not_end_says_so():
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        MarginLinearClassifier(max_iter=1, tol=0.0).fit(chunked(X), chunked(Y))
    assert [w.category for w in caught] == [ConvergenceWarning]


def test_errors_in_prediction_name_the_chunk():
    model = MarginLinearClassifier().fit(X, Y)
    with pytest.raises(ValueError, match=r"chunk 4 .*Input X contains NaN"):
        model.predict(broken(X, (-1, 3), np.nan)).compute()
    with pytest.raises(ValueError, match="29 features"):
        model.predict(chunked(X[:, 1:]))
    with pytest.raises(ValueError, match=r"chunk 2 .*sample_weight"):
        model.score(chunked(X), chunked(Y), broken(np.ones(569), 300, -1.0))


def test_wide_sparse_data_with_a_kink_ends_near():
    """More coefficients than a Hessian may have: the proof takes many rounds, and what is reached is said."""
    rng = np.random.default_rng(0)
    rows = sparse.random_array((2000, 1500), density=0.02, rng=rng, format="csr")
    y = (rows @ rng.normal(size=1500) > 0).astype(int)
    blocks = [
        da.from_delayed(dask.delayed(rows[k : k + 500]), shape=(500, 1500), dtype=float, meta=rows[:0])
        for k in range(0, 2000, 500)
    ]
    lazy, labels = da.concatenate(blocks), da.from_array(y, chunks=500)
    for loss in ("logistic", "squared_hinge", "hinge"):
        found = MarginLinearClassifier(loss, C=0.1).fit(lazy, labels)
        expected = MarginLinearClassifier(loss, C=0.1).fit(rows, y)
        assert_allclose(found.objective_, expected.objective_, rtol=1e-7)
        assert found.suboptimality_[0] <= 1e-8


def test_history_and_warm_start():
    model = MarginLinearClassifier(warm_start=True, record_history=True).fit(chunked(X), chunked(Y))
    first = model.history_[0]
    assert (first["suboptimality"][-1:] <= 1e-8).all()
    assert (np.diff(first["passes"]) >= 0).all()
    model.fit(chunked(X), chunked(Y))
    assert model.history_[0]["passes"][-1] <= 2
