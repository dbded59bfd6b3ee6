"""What a status and a bound claim, in every combination of margin, rows and solver from one list."""

import warnings

import numpy as np
import pytest
import scipy.sparse as sp
from problems import draw
from sklearn.exceptions import ConvergenceWarning

import marginclf._estimator.partitioned as partitioned
import marginclf.matrix.parts as parts
from marginclf import MarginLinearClassifier
from marginclf.solvers import SOLVERS, Status

X, _, S = draw(n=400, d=4, seed=71)
X = X + np.array([0.0, 2.0, -1.0, 0.0])
Y = (X @ np.random.default_rng(1).normal(size=(4, 3)) + np.random.default_rng(2).gumbel(size=(400, 3))).argmax(axis=1)
TOL = 1e-11
MARGINS = {"two classes": (Y == 0, {}), "one-vs-rest": (Y, {"multi_class": "ovr"}), "joint": (Y, {})}


def mapped(X, folder):
    np.save(folder / "X.npy", X)
    return np.load(folder / "X.npy", mmap_mode="r")


def collection(X, folder):
    from dask import array

    return array.from_array(X, chunks=(150, -1))


ROWS = {
    "dense": lambda X, folder: X,
    "by columns": lambda X, folder: np.asfortranarray(X),
    "CSR": lambda X, folder: sp.csr_array(X),
    "CSC": lambda X, folder: sp.csc_array(X),
    "in a file": mapped,
    "Dask": collection,
}
IN_PARTS = "in a file", "Dask"
TAKE_PARTS = "lbfgs", "newton"  # the solvers that can be named for a collection
LOSSES = ("logistic", "squared_hinge")
# What a solver does is the same for all storages in memory: all of them with each are for the slow tests.
CASES = [
    pytest.param(
        margin, rows, solver, marks=[pytest.mark.slow] * (solver != "auto" and rows not in ("dense", *IN_PARTS))
    )
    for margin in MARGINS
    for rows in ROWS
    for solver in ("auto", *SOLVERS)
    if rows not in IN_PARTS or solver == "auto" or (rows == "Dask" and solver in TAKE_PARTS)
]


def fitted(loss, margin, rows, solver, folder, **parameters):
    labels, how = MARGINS[margin]
    given = [labels, S]
    if rows == "Dask":
        given = [collection(array, None) if array.ndim > 1 else _blocks(array) for array in given]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return MarginLinearClassifier(loss, solver=solver, **how, **parameters).fit(ROWS[rows](X, folder), *given)


def _blocks(array):
    from dask import array as lazy

    return lazy.from_array(array, chunks=150)


@pytest.fixture(autouse=True)
def small_parts(monkeypatch):
    """A mapped file of any size is read in parts of 150 rows, from a sample of some."""
    monkeypatch.setattr(partitioned, "_LARGE_BYTES", 0)
    monkeypatch.setattr(parts, "_PART_BYTES", 150 * 4 * 8)
    monkeypatch.setattr(parts, "_LEAST_SAMPLE", 100)


@pytest.mark.parametrize(("margin", "rows", "solver"), CASES)
def test_the_same_optimum_and_no_false_claim(margin, rows, solver, tmp_path):
    for loss in LOSSES:
        best = fitted(loss, margin, "dense", "newton", tmp_path, tol=1e-13)
        found = fitted(loss, margin, rows, solver, tmp_path, tol=TOL)
        proven = {Status.PROVEN.value, Status.LIMIT_OF_PRECISION.value}
        assert set(found.status_) <= proven
        np.testing.assert_allclose(found.objective_, best.objective_, rtol=1e-10)
        # An early end claims what is true, and a loose tolerance as well.
        for how in ({"max_iter": 2}, {"tol": 1e-2}):
            early = fitted(loss, margin, rows, solver, tmp_path, **how)
            missing = (early.objective_ - best.objective_) / np.abs(early.objective_)
            assert (missing <= early.suboptimality_ * (1.0 + 1e-9) + 1e-12).all()
            for status, bound in zip(early.status_, early.suboptimality_, strict=True):
                assert status != Status.PROVEN.value or bound <= how.get("tol", 1e-8)
