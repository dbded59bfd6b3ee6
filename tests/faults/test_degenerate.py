"""Data at the edge of what a classifier can be fitted to: the right answer, or a status that says what is wrong."""

import re
import warnings

import numpy as np
import pytest
import scipy.sparse as sp
from references import DEFAULTS, FAMILY, takes
from sklearn.exceptions import ConvergenceWarning

from marginclf import MarginLinearClassifier
from marginclf.matrix import design_matrix
from marginclf.solvers import SOLVERS, Status

pytestmark = pytest.mark.fault("extremes")
RNG = np.random.default_rng(7)
X = RNG.normal(size=(50, 4))
Y = (X[:, 0] + 0.7 * RNG.normal(size=50) > 0.0).astype(int)


def quietly(model, data, labels=Y, weights=None):
    """Fit, and say what was warned of: nothing but that the fit did not end at an optimum."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("error")
        warnings.simplefilter("always", ConvergenceWarning)
        model.fit(data, labels, weights)
    return [str(warning.message) for warning in caught]


def refusal(model, data, weights=None):
    """What the error says, which must be that something overflows; empty where the fit goes through."""
    try:
        quietly(model, data, weights=weights)
    except ValueError as error:
        message = str(error)
    else:
        return ""
    assert re.search("overflow|infinity", message), message
    return message


def sound(model, data):
    """Nothing is NaN or infinite, and a status says converged or a warning was given."""
    values = (model.coef_, model.intercept_, model.objective_, model.decision_function(data))
    return all(np.isfinite(value).all() for value in values)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("loss", FAMILY)
def test_every_power_of_ten(loss, dtype, tried):
    """X × 10^k: a sound fit, or an error that says overflow; where the penalty has ceased to matter, the same fit."""
    fits = 0
    for k in range(-300, 301, 10):
        with np.errstate(over="ignore", under="ignore"):
            data = (X * 10.0**k).astype(dtype)
        model = MarginLinearClassifier(loss)
        refused = refusal(model, data)
        if refused:
            assert k > (30 if dtype is np.float32 else 130), (k, refused)
            assert not hasattr(model, "coef_")
        else:
            assert sound(model, data), k
            if 10 <= k <= 30 and loss.convex and not loss.affine:
                assert model.score(data, Y) > 0.75, k
        fits += 1
    tried(fits)


@pytest.mark.parametrize("loss", FAMILY)
def test_every_weight_and_every_strength(loss, tried):
    n = 0
    for k in range(-300, 301, 20):
        weight = 10.0**k
        # The same weights for all, with C that takes them back.
        model = MarginLinearClassifier(loss, C=1.0 / weight)
        quietly(model, X, weights=np.full(50, weight))
        assert sound(model, X), k
        np.testing.assert_allclose(model.objective_, MarginLinearClassifier(loss).fit(X, Y).objective_, rtol=1e-7)
        # A few rows with far more weight than the others.
        weights = np.where(np.arange(50) % 5 == 0, weight, 1.0)
        model = MarginLinearClassifier(loss)
        refused = refusal(model, X, weights)
        assert (refused and k > 130) or sound(model, X), (k, refused)
        n += 2
    for k in range(-12, 13):
        model = MarginLinearClassifier(loss, C=10.0**k)
        messages = quietly(model, X)
        assert sound(model, X), k
        assert model.suboptimality_[0] <= 1e-8 or messages or "ptimal" in model.status_[0] or not loss.convex, k
        n += 1
    tried(n)


COLUMNS = {
    "constant": lambda X: np.column_stack([X, np.full(len(X), 3.0)]),
    "constant and large": lambda X: np.column_stack([X, np.full(len(X), 1e12)]),
    "zero": lambda X: np.column_stack([X, np.zeros(len(X))]),
    "twice": lambda X: np.column_stack([X, X]),
    "nearly twice": lambda X: np.column_stack([X, X * (1.0 + 1e-14)]),
    "a sum of others": lambda X: np.column_stack([X, X.sum(axis=1)]),
    "one-hot": lambda X: np.column_stack([X, X[:, 0] > 0.0, X[:, 0] <= 0.0]),
    "subnormal": lambda X: np.column_stack([X, np.full(len(X), 5e-324)]),
    "only one row": lambda X: np.column_stack([X, np.eye(len(X))[:, 3]]),
    "only zeros": lambda X: np.zeros_like(X),
    "all the same row": lambda X: np.tile(X[:1], (len(X), 1)),
}


@pytest.mark.parametrize("storage", [np.asarray, sp.csr_array])
@pytest.mark.parametrize("columns", COLUMNS)
@pytest.mark.parametrize("loss", FAMILY)
def test_columns(loss, columns, storage, tried):
    data = COLUMNS[columns](X)
    solvers = [solver for solver in ("auto", *SOLVERS) if takes(solver, loss)]
    objectives = []
    for solver in solvers:
        model = MarginLinearClassifier(loss, solver=solver)
        messages = quietly(model, storage(data))
        assert sound(model, data)
        assert not messages or solver == "lbfgs" or not loss.convex, messages
        objectives.append(model.objective_[0])
    if loss.convex:
        assert np.ptp(objectives) <= 1e-6 * abs(objectives[0]) + 1e-12, dict(zip(solvers, objectives, strict=True))
    tried(len(solvers))


def test_columns_without_an_entry():
    data = sp.csr_array((np.ones(50), (np.arange(50), np.arange(50) % 3)), shape=(50, 1000))
    model = MarginLinearClassifier().fit(data, Y)
    assert np.count_nonzero(model.coef_) <= 3
    empty = sp.csr_array((50, 7))
    model = MarginLinearClassifier().fit(empty, Y)
    assert not model.coef_.any()
    p = Y.mean()
    np.testing.assert_allclose(model.intercept_, np.log(p / (1.0 - p)), rtol=1e-6)


@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("loss", DEFAULTS)
def test_two_rows(loss, fit_intercept):
    for rows in ([[0.0], [1.0]], [[1.0, 2.0, 3.0], [1.0, 2.0, 3.0]], [[0.0], [0.0]]):
        model = MarginLinearClassifier(loss, fit_intercept=fit_intercept)
        quietly(model, np.array(rows), [0, 1])
        assert sound(model, np.array(rows))


@pytest.mark.parametrize("storage", [np.asarray, sp.csr_array])
@pytest.mark.parametrize("loss", FAMILY)
def test_many_more_columns_than_rows(loss, storage):
    data = np.where(RNG.random((20, 5000)) < 0.05, RNG.normal(size=(20, 5000)), 0.0)
    model = MarginLinearClassifier(loss)
    messages = quietly(model, storage(data), Y[:20])
    assert sound(model, data)
    assert not messages
    # w is a combination of the rows.
    w = model.coef_[0]
    np.testing.assert_allclose(w, data.T @ np.linalg.lstsq(data.T, w)[0], atol=1e-3 * np.abs(w).max())


@pytest.mark.parametrize("solver", ["auto", "lbfgs", "newton"])
@pytest.mark.parametrize("loss", ["logistic", "exponential", "dwd", "lum"])
def test_separable_and_without_a_penalty(loss, solver):
    data = np.sort(X[:, :1], axis=0)
    model = MarginLinearClassifier(loss, C=np.inf, solver=solver)
    messages = quietly(model, data, (np.arange(50) >= 20).astype(int))
    assert model.status_ == (Status.SEPARABLE.value,)
    assert len(messages) == 1
    assert "Use a finite C" in messages[0]
    assert sound(model, data)


def test_sparse_input_of_any_form_gives_the_same_fit_and_is_left_as_it_was():
    data = np.where(RNG.random((50, 30)) < 0.2, RNG.normal(size=(50, 30)), 0.0)
    expected = MarginLinearClassifier().fit(data, Y)
    plain = sp.csr_array(data)
    zeros = plain.copy()
    zeros.data = np.where(np.arange(plain.nnz) % 4 == 0, 0.0, plain.data)
    shuffled = plain.copy()
    for i in range(50):
        part = slice(*shuffled.indptr[i : i + 2])
        order = RNG.permutation(part.stop - part.start)
        shuffled.data[part], shuffled.indices[part] = shuffled.data[part][order], shuffled.indices[part][order]
    shuffled.has_sorted_indices = False
    coo = plain.tocoo()
    halves = sp.coo_array((np.tile(0.5 * coo.data, 2), (np.tile(coo.row, 2), np.tile(coo.col, 2))), shape=coo.shape)
    indptr = 2 * plain.indptr
    twice = sp.csr_array((np.repeat(0.5 * plain.data, 2), np.repeat(plain.indices, 2), indptr), shape=plain.shape)
    long = sp.csr_array((plain.data, plain.indices.astype(np.int64), plain.indptr.astype(np.int64)), shape=plain.shape)
    for given in (plain, shuffled, halves, twice, long, plain.tocsc(), sp.csr_matrix(data), sp.lil_array(data)):
        before = given.copy()
        model = MarginLinearClassifier().fit(given, Y)
        np.testing.assert_allclose(model.coef_, expected.coef_, rtol=1e-6, atol=1e-9)
        for name in ("data", "indices", "indptr"):
            if hasattr(given, name) and given.format != "lil":
                np.testing.assert_array_equal(getattr(given, name), getattr(before, name))
    dense = MarginLinearClassifier().fit(zeros.toarray(), Y)
    np.testing.assert_allclose(MarginLinearClassifier().fit(zeros, Y).coef_, dense.coef_, rtol=1e-6, atol=1e-9)


def test_indices_of_64_bits_are_kept_where_32_do_not_reach():
    """2^31 entries need them; what the type is decided by is the number of entries, and here the type is given."""
    plain = sp.csr_array(np.where(RNG.random((50, 30)) < 0.2, 1.0, 0.0))
    long = sp.csr_array((plain.data, plain.indices.astype(np.int64), plain.indptr.astype(np.int64)), shape=plain.shape)
    w = RNG.normal(size=30)
    with design_matrix(long, 1) as matrix, design_matrix(plain, 1) as short:
        np.testing.assert_array_equal(matrix.product(w), short.product(w))
    fits = [MarginLinearClassifier(solver=s).fit(data, Y).coef_ for s in ("lbfgs", "dual") for data in (plain, long)]
    np.testing.assert_array_equal(fits[0], fits[1])
    np.testing.assert_array_equal(fits[2], fits[3])
