"""CSC is used as it is by the solvers in the primal; coordinate ascent goes through one copy by rows."""

from itertools import pairwise

import numpy as np
import pytest
import scipy.sparse as sp
from problems import fit

from marginclf.matrix import design_matrix

RNG = np.random.default_rng(60)
X = sp.random(600, 12, 0.3, format="csr", random_state=RNG)
Z = X @ RNG.normal(size=12) + 0.5 * RNG.normal(size=600)
LABELS = {"binary": (Z > 0.1).astype(int), "joint": np.digitize(Z, [-0.4, 0.4])}
CONTAINERS = sp.csc_array, sp.csc_matrix


@pytest.fixture
def conversions(monkeypatch):
    """How often a CSC matrix has been made one by rows."""
    found = []
    for container in CONTAINERS:

        def tocsr(self, copy=False, before=container.tocsr):
            found.append(self)
            return before(self, copy=copy)

        monkeypatch.setattr(container, "tocsr", tocsr)
    return found


@pytest.mark.parametrize("solver", ["lbfgs", "newton"])
@pytest.mark.parametrize("kind", LABELS)
@pytest.mark.parametrize("container", CONTAINERS)
def test_the_primal_never_converts(kind, solver, container, conversions):
    y, loss = LABELS[kind], {"binary": "squared_hinge", "joint": "logistic"}[kind]
    (a, _), (b, messages) = (fit(loss, S, y, solver=solver, tol=1e-10) for S in (X, container(X)))
    assert not messages
    np.testing.assert_allclose(b.coef_, a.coef_, rtol=0.0, atol=1e-9)
    np.testing.assert_allclose(b.intercept_, a.intercept_, rtol=0.0, atol=1e-9)
    np.testing.assert_allclose(b.decision_function(container(X)), a.decision_function(X), rtol=0.0, atol=1e-9)
    assert not conversions


@pytest.mark.parametrize("multi_class", ["ovr", "joint"])
def test_the_dual_converts_once(multi_class, conversions):
    parameters = {"solver": "dual", "multi_class": multi_class, "n_jobs": 2}
    (a, _), (b, _) = (fit("logistic", S, LABELS["joint"], **parameters) for S in (X, sp.csc_array(X)))
    assert len(conversions) == 1
    np.testing.assert_allclose(b.coef_, a.coef_, rtol=0.0, atol=1e-9)


def test_what_asks_for_rows():
    """In any order, some of them twice."""
    by_rows, by_columns = design_matrix(X), design_matrix(sp.csc_array(X))
    rows = np.array([5, 599, 0, 5, 77])
    exact = X.toarray()[rows]
    found = np.empty((5, 12))
    by_columns.take(rows).copy_rows(slice(0, 5), found)
    np.testing.assert_array_equal(found, exact)
    mean = np.full(5, 0.2)
    np.testing.assert_allclose(by_columns.row_gram(rows, mean), by_rows.row_gram(rows, mean), atol=1e-15)
    a, b = by_rows.packed(np.unique(rows)), by_columns.packed(np.unique(rows))
    q = np.arange(4.0)
    np.testing.assert_array_equal(a.gram_product(q), b.gram_product(q))


@pytest.mark.parametrize("shape", [(70_000, 2), (3, 40_000)], ids=str)
def test_any_part_of_a_column_is_found(shape):
    """Rows that are spread unevenly, in parts that begin and end anywhere."""
    n, d = shape
    order = np.sort((n * np.random.default_rng(61).random(n) ** 6).astype(int))
    S = sp.csc_array((np.ones(n), (order, np.arange(n) % d)), shape=shape)
    matrix, dense = design_matrix(S), S.toarray() if n * d < 1e6 else None
    ends = np.unique([0, *(n * np.linspace(0.0, 1.0, 23) ** 4).astype(int), n])
    for start, stop in pairwise(ends):
        out = np.empty((stop - start, d))
        matrix.copy_rows(slice(start, stop), out)
        np.testing.assert_array_equal(out, S[start:stop].toarray() if dense is None else dense[start:stop])
