"""Sparse matrices whose arrays were changed by hand: an error that says what is wrong, before an index is followed."""

import dask
import dask.array as da
import numpy as np
import pytest
from messages import mentions
from scipy import sparse

from marginclf import MarginLinearClassifier
from marginclf._estimator.sparse_structure import check_structure

pytestmark = pytest.mark.fault("bad input")

RNG = np.random.default_rng(0)
DENSE = RNG.normal(size=(12, 8)) * (RNG.random((12, 8)) < 0.5)
DENSE[:, 0] = np.arange(1.0, 13.0)  # no row is empty
y = np.arange(12) % 2
MODEL = MarginLinearClassifier().fit(DENSE, y)
METHODS = ["decision_function", "predict", "predict_proba", "predict_log_proba", "score"]


def _entry(name, k, value):
    def change(S):
        getattr(S, name)[k] = value

    return change


def _array(name, make):
    def change(S):
        setattr(S, name, make(getattr(S, name)))

    return change


def _list(column, value=1.0):
    def change(S):
        S.rows[2], S.data[2] = [0, column], [1.0, value]

    return change


def _key(i, j):
    def change(S):
        # A dictionary of its own since SciPy 1.12, which before it was itself.
        dict.__setitem__(getattr(S, "_dict", S), (i, j), 1.0)

    return change


# Of compressed formats: how many entries the minor dimension has is what {minor} stands for.
COMPRESSED = {
    "index too large": (_entry("indices", 3, 99), ["indices[3]", "99", "{minor}"]),
    "index one too large": (lambda S: _entry("indices", 3, _minor(S))(S), ["indices[3]", "{minor}"]),
    "index negative": (_entry("indices", 3, -1), ["indices[3]", "-1"]),
    "indptr decreases": (_entry("indptr", 1, 10_000), ["indptr", "decreases", "10000", "indptr[2]"]),
    "indptr negative": (_entry("indptr", 1, -2), ["indptr", "decreases", "-2"]),
    "indptr starts elsewhere": (_entry("indptr", 0, 1), ["indptr", "starts at 1"]),
    "indptr ends beyond the data": (_entry("indptr", -1, 10_000), ["indptr", "ends at 10000"]),
    "fewer indices": (_array("indices", lambda a: a[:-1].copy()), ["indices has", "data has"]),
    "fewer data": (_array("data", lambda a: a[:-1].copy()), ["indices has", "data has"]),
    "both too short": (
        lambda S: (_array("data", lambda a: a[:2].copy())(S), _array("indices", lambda a: a[:2].copy())(S)),
        ["indptr", "ends at", "2 entries"],
    ),
    "indptr too short": (_array("indptr", lambda a: a[:-1].copy()), ["indptr has", "need"]),
    "indptr too long": (_array("indptr", lambda a: np.append(a, a[-1:])), ["indptr has", "need"]),
    "another type of indices": (_array("indices", lambda a: a.astype(np.int16)), ["indices", "int16", "int32"]),
    "indptr of floats": (_array("indptr", lambda a: a.astype(float)), ["indptr", "float64", "int32"]),
    "indices in two dimensions": (_array("indices", lambda a: a[:, None]), ["indices has 2 dimensions"]),
    "another shape": (lambda S: setattr(S, "_shape", tuple(1 + size for size in S.shape)), ["format"]),
}
COORDINATES = {
    "row too large": (_entry("row", 3, 12), ["row[3]", "12 rows"]),
    "row negative": (_entry("row", 3, -1), ["row[3]", "-1"]),
    "column too large": (_entry("col", 5, 99), ["col[5]", "99", "8 columns"]),
    "column negative": (_entry("col", 5, -7), ["col[5]", "-7"]),
    "fewer data": (_array("data", lambda a: a[:-1]), ["row has", "data has"]),
    "fewer rows": (_array("row", lambda a: a[:-1].copy()), ["row has", "col has"]),
    "fewer columns": (_array("col", lambda a: a[:-1].copy()), ["row has", "col has"]),
}
OTHERS = {
    "lil": {
        "column too large": (_list(8), ["rows[2]", "column 8", "8 columns"]),
        "column negative": (_list(-1), ["rows[2]", "column -1"]),
        "fewer columns": (lambda S: S.data[2].append(1.0), ["rows[2]", "data[2]"]),
        "fewer rows": (_array("rows", lambda a: a[:-1]), ["rows has shape (11,)", "12 rows"]),
    },
    "dok": {
        "row too large": (_key(12, 0), ["(12, 0)", "(12, 8)"]),
        "column too large": (_key(0, 8), ["(0, 8)", "(12, 8)"]),
        "row negative": (_key(-1, 0), ["(-1, 0)"]),
        "beyond 64 bits": (_key(0, 1 << 70), [str(1 << 70)]),
    },
    "dia": {
        "fewer diagonals": (_array("data", lambda a: a[:-1]), ["data", "offsets", "length"]),
        "fewer offsets": (_array("offsets", lambda a: a[:-1]), ["data", "offsets", "length"]),
        "a diagonal twice": (lambda S: _entry("offsets", 0, S.offsets[1])(S), ["offsets", "twice"]),
        "offsets of floats": (_array("offsets", lambda a: a + 0.5), ["offsets", "float64"]),
        "data in one dimension": (_array("data", np.ravel), ["data", "offsets"]),
    },
}
BSR = {
    "blocks that do not fit": (_array("data", lambda a: a.reshape(-1, 1, 4)), ["blocks", "(1, 4)"]),
    "data in two dimensions": (_array("data", lambda a: a.reshape(len(a), -1)), ["data has 2 dimensions"]),
}
BROKEN = {
    **{(of, case): COMPRESSED[case] for of in ("csr", "csc", "bsr") for case in COMPRESSED},
    **{("coo", case): COORDINATES[case] for case in COORDINATES},
    **{(of, case): OTHERS[of][case] for of in OTHERS for case in OTHERS[of]},
    **{("bsr", case): BSR[case] for case in BSR},
}


def _minor(S):
    return S.shape[0] if S.format == "csc" else S.shape[1] // (S.blocksize[1] if S.format == "bsr" else 1)


def make(of, shape, kind):
    dense = DENSE[:, :6] if of == "bsr" else DENSE
    S = sparse.bsr_array(dense, blocksize=(2, 3)) if of == "bsr" else getattr(sparse, f"{of}_array")(dense)
    S = getattr(sparse, f"{of}_{shape}")(S)
    for name in ("indices", "indptr", "row", "col", "offsets"):
        if hasattr(S, name):
            setattr(S, name, getattr(S, name).astype(kind))
    return S


@pytest.mark.parametrize(("of", "case"), BROKEN, ids=lambda name: name)
def test_a_broken_matrix_is_refused_by_fit_and_by_every_prediction(of, case, tried):
    change, words = BROKEN[of, case]
    kinds = [np.int32, np.int64] if of not in ("lil", "dok") else [np.int64]
    made = [make(of, shape, kind) for shape in ("matrix", "array") for kind in kinds]
    for S in made:
        minor = str(_minor(S))
        change(S)
        expected = mentions("X is a broken sparse matrix", of, *(word.format(minor=minor) for word in words))
        with pytest.raises(ValueError, match=expected):
            MarginLinearClassifier().fit(S, y)
        for method in METHODS:
            with pytest.raises(ValueError, match=expected):
                getattr(MODEL, method)(*((S, y) if method == "score" else (S,)))
    tried(len(made) * (1 + len(METHODS)))


def test_sound_matrices_pass():
    for of in ("csr", "csc", "bsr", "coo", "lil", "dok", "dia"):
        for shape in ("matrix", "array"):
            for kind in (np.int32, np.int64):
                check_structure(make(of, shape, kind), "X")
            check_structure(getattr(sparse, f"{of}_{shape}")((3, 4)), "X")  # nothing stored


def test_arrays_longer_than_what_is_stored():
    S = sparse.csr_array(DENSE)
    S.data, S.indices = np.append(S.data, 1e3), np.append(S.indices, S.indices.dtype.type(99))
    np.testing.assert_array_equal(
        MarginLinearClassifier().fit(S, y).coef_, MarginLinearClassifier().fit(sparse.csr_array(DENSE), y).coef_
    )
    np.testing.assert_array_equal(MODEL.predict(S), MODEL.predict(DENSE))


def test_indices_of_32_bits_in_a_matrix_that_is_wider():
    S = sparse.csr_array((2, 1 << 33), dtype=float)
    S.data, S.indptr = np.ones(2), np.array([0, 1, 2])
    for wrong in (-1, -(1 << 31)):
        S.indices = np.array([7, wrong], dtype=np.int32)
        with pytest.raises(ValueError, match=mentions("indices[1]", str(wrong))):
            check_structure(S, "X")
    S.indices = np.array([7, 2**31 - 1], dtype=np.int32)
    check_structure(S, "X")


def _lazy(rows, sizes, columns=(8,)):
    """A Dask array of the blocks given, which are looked at where they are."""
    blocks = iter(rows)
    grid = [
        [
            da.from_delayed(dask.delayed(next(blocks), pure=False), (size, width), dtype=float, meta=rows[0][:0])
            for width in columns
        ]
        for size in sizes
    ]
    return da.block(grid)


@pytest.mark.parametrize("of", ["csr", "csc", "coo"])
def test_a_broken_chunk_is_named(of):
    chunks = [getattr(sparse, f"{of}_matrix")(DENSE[:6]), getattr(sparse, f"{of}_matrix")(DENSE[6:])]
    getattr(chunks[1], "col" if of == "coo" else "indices")[3] = 99
    meta = sparse.csr_matrix((0, 8))
    lazy = da.concatenate([da.from_delayed(dask.delayed(c, pure=False), (6, 8), float, meta=meta) for c in chunks])
    words = mentions("chunk 1", "X is a broken sparse matrix", "99")
    with dask.config.set(scheduler="synchronous"):
        with pytest.raises(ValueError, match=words):
            MarginLinearClassifier().fit(lazy, da.from_array(y, chunks=6))
        for method in METHODS[:-1]:
            with pytest.raises(ValueError, match=words):
                getattr(MODEL, method)(lazy).compute()
        with pytest.raises(ValueError, match=words):
            MODEL.score(lazy, y)


def test_a_broken_chunk_of_some_columns_is_named():
    parts = [
        sparse.csr_matrix(DENSE[rows, columns])
        for rows in (slice(6), slice(6, 12))
        for columns in (slice(5), slice(5, 8))
    ]
    lazy = _lazy(parts, (6, 6), (5, 3))
    with dask.config.set(scheduler="synchronous"):
        sound = MarginLinearClassifier().fit(lazy, da.from_array(y, chunks=6))
        np.testing.assert_allclose(sound.objective_, MODEL.objective_, rtol=1e-10)
        parts[3].indices[0] = 99
        with pytest.raises(ValueError, match=mentions("chunk 1", "X is a broken sparse matrix", "99", "3 columns")):
            MarginLinearClassifier().fit(lazy, da.from_array(y, chunks=6))
