"""What an estimator does with every storage: the fit is that of dense rows, of two classes and of many."""

import numpy as np
import pytest
from problems import fit
from storages import STORAGES, storages

from marginclf.losses import get_loss
from marginclf.matrix import design_matrix
from marginclf.objective import L2, JointObjective

N, D, K = 400, 6, 5
RNG = np.random.default_rng(61)
X = np.where(RNG.random((N, D)) < 0.5, RNG.integers(-8, 9, (N, D)) / 4.0, 0.0)  # the same in float32
Z = X @ RNG.normal(size=(D, K)) + RNG.gumbel(size=(N, K))
LABELS = {"binary": (Z[:, 0] > 0.0).astype(int), "joint": Z.argmax(axis=1)}


@pytest.mark.parametrize("store", storages())
@pytest.mark.parametrize("solver", ["newton", "lbfgs", "auto"])
@pytest.mark.parametrize("kind", LABELS)
def test_the_fit_is_that_of_dense_rows(kind, solver, store):
    (expected, _), (found, messages) = (
        fit("logistic", rows, LABELS[kind], multi_class="joint", solver=solver, tol=1e-10) for rows in (X, store(X))
    )
    assert not messages
    np.testing.assert_allclose(found.coef_, expected.coef_, rtol=0.0, atol=1e-5)
    np.testing.assert_allclose(found.intercept_, expected.intercept_, rtol=0.0, atol=1e-5)
    np.testing.assert_allclose(found.objective_, expected.objective_, rtol=1e-10)


@pytest.mark.parametrize("store", storages())
def test_a_sample_has_the_rows_and_the_order_of_coefficients(store):
    matrix, rows = design_matrix(store(X)), np.array([7, 0, N - 1, 7])
    sample, found = matrix.take(rows), np.empty((len(rows), D))
    assert sample.rows.storage.by_column == matrix.rows.storage.by_column
    sample.copy_rows(slice(0, len(rows)), found)
    np.testing.assert_array_equal(found, X[rows])


def test_a_sample_with_another_order_of_coefficients_is_not_taken(monkeypatch):
    matrix = design_matrix(X)
    objective = JointObjective(
        matrix, get_loss("logistic"), LABELS["joint"].astype(np.uint8), np.ones(1), K, penalty=L2(), fit_intercept=True
    )
    monkeypatch.setattr(matrix, "take", lambda rows: design_matrix(STORAGES["csr"](X[rows])))
    with pytest.raises(AssertionError, match=r"DenseMatrix\.take must keep by_column of the storage"):
        objective.sample(np.arange(9), np.ones(9))
