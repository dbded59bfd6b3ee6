"""The same bits for any number of threads, and little memory beside X."""

import gc
import tracemalloc

import numpy as np
import pytest
import scipy.sparse as sp
from problems import fit

from marginclf import MarginLinearClassifier
from marginclf.losses import Logistic
from marginclf.matrix import design_matrix

N, D = 30_011, 12


def data():
    rng = np.random.default_rng(40)
    X = rng.normal(size=(N, D))
    X[rng.random((N, D)) < 0.2] = 0.0
    return X, (X.sum(axis=1) + rng.normal(size=N) > 0.5).astype(int)


X, Y = data()
STORAGES = {
    "C": X,
    "F": np.asfortranarray(X),
    "C-float32": X.astype(np.float32),
    "csr": sp.csr_array(X),
    "csr-int64": sp.csr_array(X),
    "csc": sp.csc_array(X),
}
STORAGES["csr-int64"].indices = STORAGES["csr-int64"].indices.astype(np.int64)
STORAGES["csr-int64"].indptr = STORAGES["csr-int64"].indptr.astype(np.int64)


def bits(*arrays):
    return [np.asarray(a).tobytes() for a in arrays]


@pytest.mark.parametrize("name", STORAGES)
def test_passes(name):
    rng = np.random.default_rng(41)
    v, w, r, z = rng.normal(size=N), rng.normal(size=D), rng.normal(size=N), rng.normal(size=N)
    found = []
    for n_jobs in (1, 2, 3):
        with design_matrix(STORAGES[name], n_jobs) as matrix:
            assert matrix.entries >= 1 << 18, "too small to be threaded"
            assert (matrix._pool is None) == (n_jobs == 1)
            found.append(
                bits(
                    *matrix.evaluate(Logistic().compiled(), v, w, 0.3),
                    *matrix.pointwise(Logistic().compiled(), v, z, 0.3),
                    matrix.product(w),
                    matrix.transposed_product(r),
                    matrix.squared_product(r),
                    *matrix.hessian_product(r, w, 0.3),
                    matrix.gram(np.abs(r), w),
                )
            )
    assert found[0] == found[1] == found[2]


def test_the_threads_do_the_work():
    """Two runs of chunks, each on a thread of the pool, and none left when the context ends."""
    import threading

    seen = set()
    with design_matrix(X, 2) as matrix:
        matrix._run(lambda first, last: seen.add((threading.current_thread().name, first, last)))
        assert len(seen) == 2
        bounds = sorted((first, last) for _, first, last in seen)
        assert bounds[0][0] == 0
        assert bounds[0][1] == bounds[1][0]
        assert bounds[1][1] == matrix._chunks
        assert threading.main_thread().name not in {name for name, _, _ in seen}
        pool = matrix._pool
    with pytest.raises(RuntimeError, match="shutdown"):
        pool.submit(int)


def test_an_error_in_a_thread_is_an_error():
    def fails(first, last):
        if first:
            raise MemoryError("in a thread")

    with design_matrix(X, 2) as matrix, pytest.raises(MemoryError, match="in a thread"):
        matrix._run(fails)


@pytest.mark.parametrize("solver", ["newton", "lbfgs"])
@pytest.mark.parametrize("name", ["C", "F", "csr", "csc"])
def test_a_fit(name, solver):
    models = [fit("logistic", STORAGES[name], Y, solver=solver, n_jobs=n_jobs)[0] for n_jobs in (1, 2, 3, -1)]
    for model in models[1:]:
        assert bits(model.coef_, model.intercept_, model.n_iter_) == bits(
            models[0].coef_, models[0].intercept_, models[0].n_iter_
        )


def test_a_fit_of_several_classes():
    y = Y + (X[:, 0] > 1.0)
    one, two = (fit("squared_hinge", X, y, n_jobs=n_jobs)[0] for n_jobs in (1, 2))
    assert bits(one.coef_, one.intercept_) == bits(two.coef_, two.intercept_)


def test_a_fit_again_is_the_same_bits():
    a, b = (fit("savage", X, Y)[0] for _ in range(2))
    assert bits(a.coef_, a.intercept_) == bits(b.coef_, b.intercept_)


def peak_beside(X, y, **parameters):
    """Largest number of bytes allocated during a fit, as a fraction of X."""
    model = MarginLinearClassifier(**parameters).fit(X, y)
    gc.collect()
    tracemalloc.start()
    try:
        model.fit(X, y)
        return tracemalloc.get_traced_memory()[1] / X.nbytes
    finally:
        tracemalloc.stop()


def test_memory_of_a_fit():
    """Nothing of the size of X: one vector of a number a row is 2 % of it here."""
    rng = np.random.default_rng(42)
    wide = rng.normal(size=(100_000, 50))
    y = (wide[:, 0] + rng.normal(size=len(wide)) > 0.0).astype(int)
    assert peak_beside(wide, y) <= 0.10
    assert peak_beside(wide, y, solver="lbfgs") <= 0.10
