"""The design matrix, whatever the storage, against NumPy; X is neither copied nor changed."""

import hashlib

import numpy as np
import pytest
import scipy.sparse as sp
from problems import draw, fit
from references import LOSSES, usually
from storages import SLOW, STORAGES, compressed, storages

from marginclf.kernels.gram import GRAM_COLUMNS, GRAM_ROWS
from marginclf.losses import Logistic, SquaredHinge
from marginclf.matrix import design_matrix

N, D = 701, 6


def values():
    """Rows with zeros, some of them empty, and one column that is; float32 holds them exactly."""
    rng = np.random.default_rng(30)
    X = rng.normal(size=(N, D)).astype(np.float32).astype(np.float64)
    X[rng.random((N, D)) < 0.5] = 0.0
    X[rng.random(N) < 0.1] = 0.0
    X[[0, -1]] = 0.0
    X[:, 4] = 0.0
    return X


def read_only(X):
    X = X.copy()
    X.flags.writeable = False
    return X


def strided(X):
    wide = np.full((2 * N, 3 * D), np.nan)
    wide[::2, ::3] = X
    return wide[::2, ::3]


def reversed_rows(X):
    return np.ascontiguousarray(X[::-1])[::-1]


def misaligned(X):
    buffer = np.zeros(X.nbytes + 8, dtype=np.uint8)
    view = buffer[1 : 1 + X.nbytes].view(np.float64).reshape(X.shape)
    view[...] = X
    assert not view.flags.aligned
    return view


def unsorted_with_duplicates(X, container=sp.csr_array):
    """Each entry in two halves, columns (or rows) in descending order."""
    parts = container(X)
    indices, data = [], []
    for start, stop in zip(parts.indptr, parts.indptr[1:], strict=False):
        for k in reversed(range(start, stop)):
            indices += [parts.indices[k]] * 2
            data += [0.5 * parts.data[k]] * 2
    found = container((np.array(data), np.array(indices, dtype=np.int32), 2 * parts.indptr), shape=X.shape)
    assert not found.has_canonical_format
    return found


USED_AS_THEY_ARE = {
    **STORAGES,
    "read-only": read_only,
    "csr_matrix": compressed(sp.csr_matrix),
    "csc_matrix": compressed(sp.csc_matrix),
}
COPIED = {
    "strided": strided,
    "reversed": reversed_rows,
    "misaligned": misaligned,
    "csr-not-canonical": unsorted_with_duplicates,
    "csc-not-canonical": lambda X: unsorted_with_duplicates(X, sp.csc_array),
}
OTHERS = (*SLOW, "csc_matrix")
USUAL = [name for name in (*USED_AS_THEY_ARE, *COPIED) if name not in OTHERS]
EVERY_STORAGE = pytest.mark.parametrize("store", storages(slow=OTHERS, more={**USED_AS_THEY_ARE, **COPIED}))


def buffers(X):
    return [X.data, X.indices, X.indptr] if sp.issparse(X) else [X]


def digest(X):
    return [hashlib.sha256(np.ascontiguousarray(a).tobytes()).hexdigest() for a in buffers(X)]


def assert_near(found, expected, scale):
    assert (np.abs(found - expected) <= 1e-13 * scale).all()


@EVERY_STORAGE
def test_products(store):
    A, X = np.abs(values()), values()
    rng = np.random.default_rng(31)
    w, r, c = rng.normal(size=D), rng.normal(size=N), rng.uniform(size=N)
    stored = store(X)
    before = digest(stored)
    with design_matrix(stored) as matrix:
        assert matrix.shape == (N, D)
        assert_near(matrix.product(w), X @ w, A @ np.abs(w))
        assert_near(matrix.transposed_product(r), X.T @ r, A.T @ np.abs(r))
        assert_near(matrix.squared_product(c), (X**2).T @ c, (A**2).T @ c)
    assert digest(stored) == before


@EVERY_STORAGE
@pytest.mark.parametrize("sign", [1.0, -1.0], ids=["positive", "signed"])
@pytest.mark.parametrize("centred", [False, True], ids=["plain", "centred"])
@pytest.mark.parametrize("widest", [D, D - 1], ids=["kernel", "blas"])
def test_gram(store, centred, sign, widest, monkeypatch):
    monkeypatch.setattr("marginclf.matrix.base.GRAM_COLUMNS", widest)
    X = values()
    rng = np.random.default_rng(32)
    c = rng.uniform(size=N)
    c[rng.random(N) < 0.3] *= sign
    centre = rng.normal(size=D) if centred else None
    shifted = X - centre if centred else X
    found = design_matrix(store(X)).gram(c, centre)
    assert_near(found, (shifted.T * c) @ shifted, (np.abs(shifted).T * np.abs(c)) @ np.abs(shifted))
    assert sign < 0 or (found == found.T).all()


@pytest.mark.parametrize("dense", [True, False], ids=["dense", "sparse"])
def test_gram_in_pieces(dense, monkeypatch):
    """As many rows at a time as the buffers hold, and a rest."""
    monkeypatch.setattr("marginclf.matrix.blas._GRAM_NUMBERS", 1)
    for d in (1, 3, GRAM_COLUMNS, GRAM_COLUMNS + 1):
        for n in (1, GRAM_ROWS - 1, GRAM_ROWS, GRAM_ROWS + 1, 3 * GRAM_ROWS + 5):
            X = np.random.default_rng([n, d]).normal(size=(n, d))
            found = design_matrix(X if dense else STORAGES["csr"](X)).gram(np.ones(n), None)
            assert_near(found, X.T @ X, np.abs(X).T @ np.abs(X))


def test_a_large_offset_costs_no_digits_of_the_centred_gram():
    X = np.random.default_rng(33).normal(size=(N, 3))
    far = X + 1e8
    exact = far - far.mean(axis=0)
    for stored in (far, STORAGES["csr"](far)):
        np.testing.assert_allclose(
            design_matrix(stored).gram(np.ones(N), far.mean(axis=0)), exact.T @ exact, rtol=1e-12
        )


@EVERY_STORAGE
def test_evaluate_and_pointwise(store):
    X = values()
    rng = np.random.default_rng(34)
    v, w, b = rng.choice([-1.0, 1.0], N) * rng.uniform(size=N), rng.normal(size=D), 0.3
    v[rng.random(N) < 0.1] = 0.0
    matrix = design_matrix(store(X))
    for loss in (Logistic(), SquaredHinge()):
        phi, slope, curvature = loss.evaluate(np.sign(v) * (X @ w + b))
        value, gradient, in_b, curved = matrix.evaluate(loss.compiled(), v, w, b)
        assert value == pytest.approx(np.abs(v) @ phi, rel=1e-13)
        assert in_b == pytest.approx(v @ slope, rel=1e-11)
        assert curved == pytest.approx(np.abs(v) @ curvature, rel=1e-13)
        assert_near(gradient, X.T @ (v * slope), np.abs(X).T @ np.abs(v * slope))
        value, in_b, r, c = matrix.pointwise(loss.compiled(), v, X @ w, b)
        assert value == pytest.approx(np.abs(v) @ phi, rel=1e-13)
        assert in_b == pytest.approx(v @ slope, rel=1e-11)
        np.testing.assert_allclose(r, v * slope, rtol=1e-13)
        np.testing.assert_allclose(c, np.abs(v) * curvature, rtol=1e-13)


@pytest.mark.parametrize("shape", [(1, 1), (1, 5), (5, 1), (3, 2000)], ids=str)
@pytest.mark.parametrize(
    "name", [pytest.param(case.id, marks=case.marks) for case in storages() if not case.id.endswith("32")]
)
def test_small_and_odd_shapes(shape, name):
    X = np.random.default_rng(35).normal(size=shape)
    w, r = np.ones(shape[1]), np.ones(shape[0])
    matrix = design_matrix(USED_AS_THEY_ARE[name](X))
    np.testing.assert_allclose(matrix.product(w), X.sum(axis=1), rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(matrix.transposed_product(r), X.sum(axis=0), rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(matrix.gram(r, None), X.T @ X, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("name", USED_AS_THEY_ARE)
def test_usable_layouts_are_not_copied(name):
    stored = USED_AS_THEY_ARE[name](values())
    for ours, theirs in zip(design_matrix(stored).rows.arrays, buffers(stored), strict=True):
        assert np.shares_memory(ours, theirs)
        assert not ours.flags.writeable


@pytest.mark.parametrize("name", COPIED)
def test_other_layouts_are_copied_once(name):
    stored = COPIED[name](values())
    matrix = design_matrix(stored)
    rows = matrix.rows.arrays[0]
    assert not np.shares_memory(rows, stored.data if sp.issparse(stored) else stored)
    assert np.shares_memory(rows, matrix._X.data if sp.issparse(stored) else matrix._X)


def test_memory_mapped(tmp_path):
    X, y, s = draw(n=200, d=4, seed=36)
    np.save(tmp_path / "X.npy", X)
    mapped = np.load(tmp_path / "X.npy", mmap_mode="r")
    assert np.shares_memory(design_matrix(mapped).rows.arrays[0], mapped)
    a, _ = fit("logistic", mapped, y, s)
    b, _ = fit("logistic", X, y, s)
    np.testing.assert_array_equal(a.coef_, b.coef_)


@EVERY_STORAGE
@pytest.mark.parametrize("solver", ["newton", "lbfgs"])
def test_a_fit_changes_nothing_that_is_not_its_own(store, solver):
    stored = store(values())
    rng = np.random.default_rng(37)
    y, s = rng.integers(0, 2, N), rng.uniform(size=N)
    arrays = [*buffers(stored), y, s]
    before = [hashlib.sha256(np.ascontiguousarray(a).tobytes()).hexdigest() for a in arrays]
    flags = [a.flags.writeable for a in arrays]
    model, _ = fit("logistic", stored, y, s, solver=solver)
    model.decision_function(stored)
    assert [hashlib.sha256(np.ascontiguousarray(a).tobytes()).hexdigest() for a in arrays] == before
    assert [a.flags.writeable for a in arrays] == flags
    assert not sp.issparse(stored) or stored.nnz == stored.data.size


@pytest.mark.parametrize("names", [USUAL, pytest.param(OTHERS, marks=pytest.mark.slow)], ids=["usual", "slow"])
@pytest.mark.parametrize("loss", usually(LOSSES))
def test_every_storage_gives_the_same_fit(loss, names):
    X = values()
    y = (X @ np.arange(1.0, D + 1.0) + np.random.default_rng(38).normal(size=N) > 0.2).astype(int)
    reference, _ = fit(loss, X, y)
    for name in names:
        model, messages = fit(loss, {**USED_AS_THEY_ARE, **COPIED}[name](X), y)
        assert not messages, name
        np.testing.assert_allclose(model.coef_, reference.coef_, rtol=1e-7, atol=1e-10, err_msg=name)
        np.testing.assert_allclose(model.intercept_, reference.intercept_, rtol=1e-7, atol=1e-10, err_msg=name)
