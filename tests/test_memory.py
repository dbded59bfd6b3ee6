"""What a fit does with the memory of its inputs: sparse stays sparse, nothing is copied needlessly or written to."""

import hashlib
import tracemalloc

import numpy as np
import pytest
from scipy import sparse

from marginclf import MarginLinearClassifier

MB = 2**20


def wide(n=3000, d=500_000, row=20):
    """Rows that would need 12 GB as a dense array; the classes differ in their first hundred columns."""
    rng = np.random.default_rng(0)
    y = rng.integers(0, 2, n)
    columns = np.sort(rng.integers(100, d, size=(n, row)), axis=1)
    columns[:, 0] = 50 * y + rng.integers(0, 60, n)
    data = rng.random(n * row) + 0.5
    X = sparse.csr_array((data, columns.ravel(), np.arange(0, n * row + 1, row)), shape=(n, d))
    X.sum_duplicates()
    return X, y


@pytest.mark.parametrize(
    ("loss", "solver"), [("logistic", "auto"), ("logistic", "lbfgs"), ("savage", "auto"), ("linear", "auto")]
)
def test_sparse_data_is_never_densified(loss, solver):
    X, y = wide()
    assert X.shape[0] * X.shape[1] * 8 > 10e9
    tracemalloc.start()
    try:
        model = MarginLinearClassifier(loss, solver=solver, tol=1e-4).fit(X, y)
        predicted = model.predict(X)
        decisions = model.decision_function(X.tocsc())
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 400 * MB  # L-BFGS keeps 20 vectors of length d, 4 MB each, several times
    assert np.mean(predicted == y) > 0.9
    assert decisions.shape == y.shape


def test_several_classes_of_sparse_data():
    X, y = wide(n=1000, d=100_000)
    labels = np.where(np.arange(1000) % 2, "left", "right").astype(object) + y.astype(str).astype(object)
    model = MarginLinearClassifier(tol=1e-3).fit(X, labels)
    assert model.coef_.shape == (4, 100_000)
    assert model.sparsify().coef_.nnz <= 4 * np.unique(X.indices).size
    assert np.mean(model.predict(X) == labels) > 0.9


@pytest.mark.parametrize("solver", ["newton", "lbfgs"])
@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_dense_data_is_not_copied(dtype, order, solver):
    rng = np.random.default_rng(0)
    X = np.asarray(rng.normal(size=(30_000, 100)), dtype=dtype, order=order)
    y = (X[:, 0] + rng.normal(size=30_000) > 0).astype(int)
    model = MarginLinearClassifier(solver=solver, tol=1e-4)
    model.fit(np.array(X[:500], order=order), y[:500])  # what is compiled or loaded once
    tracemalloc.start()
    try:
        model.fit(X, y)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    # A copy is 11 MB in float32, 23 MB in float64; a vector with one number for each row is 0.2 MB.
    assert peak < 9 * MB


def _digest(*arrays):
    total = hashlib.sha256()
    for array in arrays:
        total.update(repr((array.dtype, array.shape, array.strides)).encode())
        total.update(np.ascontiguousarray(array).tobytes())
    return total.hexdigest()


@pytest.mark.parametrize("class_weight", [None, "balanced", {0: 2.0, 1: 0.5}])
@pytest.mark.parametrize("solver", ["newton", "lbfgs"])
@pytest.mark.parametrize("order", ["C", "F"])
def test_dense_inputs_are_left_alone(order, solver, class_weight):
    rng = np.random.default_rng(0)
    X = np.asarray(rng.normal(size=(200, 4)), order=order)
    y = rng.integers(0, 2, 200)
    weights = rng.integers(0, 3, 200).astype(float)
    given = {**class_weight} if isinstance(class_weight, dict) else class_weight
    before = _digest(X, y, weights)
    model = MarginLinearClassifier(solver=solver, class_weight=given, warm_start=True)
    for _ in range(2):
        model.fit(X, y, weights)
        model.predict(X)
        model.predict_proba(X)
        model.score(X, y, weights)
    assert _digest(X, y, weights) == before
    assert given == class_weight
    # Nothing of the fit is a view of what the user may change.
    coef = model.coef_.copy()
    X[...], y[...], weights[...] = 0.0, 0, 0.0
    assert np.array_equal(model.coef_, coef)


@pytest.mark.parametrize("index", [np.int32, np.int64])
@pytest.mark.parametrize("kind", ["canonical", "unsorted", "duplicates", "zeros"])
def test_sparse_inputs_are_left_alone(kind, index):
    rng = np.random.default_rng(0)
    indices = rng.permuted(np.tile(np.arange(8), (100, 1)), axis=1)[:, :4]  # in any order
    if kind == "canonical":
        indices.sort(axis=1)
    if kind == "duplicates":
        indices[:, 1] = indices[:, 0]
    data = rng.normal(size=400)
    if kind == "zeros":
        data[::3] = 0.0
    indptr = np.arange(0, 401, 4)
    X = sparse.csr_array((data, indices.ravel().astype(index), indptr.astype(index)), shape=(100, 8))
    assert X.indices.dtype == index
    y = (X.toarray()[:, 0] > 0).astype(int)
    expected = MarginLinearClassifier().fit(X.toarray(), y)
    before, nnz = _digest(X.data, X.indices, X.indptr), X.nnz
    sorted_before, canonical_before = X.has_sorted_indices, X.has_canonical_format
    for solver in ("newton", "lbfgs"):
        model = MarginLinearClassifier(solver=solver, tol=1e-12).fit(X, y)
        np.testing.assert_allclose(model.coef_, expected.coef_, rtol=1e-4, atol=1e-5)
        np.testing.assert_allclose(model.decision_function(X), model.decision_function(X.toarray()), atol=1e-12)
    assert (_digest(X.data, X.indices, X.indptr), X.nnz) == (before, nnz)
    assert (X.has_sorted_indices, X.has_canonical_format) == (sorted_before, canonical_before)
    assert canonical_before == (kind == "canonical")
