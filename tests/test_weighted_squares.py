"""Weighted squares on wide data: columns are scaled, and what is claimed is of the columns as they are."""

import numpy as np
import pytest
from problems import fit
from storages import storages

from marginclf import MarginLinearClassifier
from marginclf._estimator import squares
from marginclf.matrix import design_matrix
from marginclf.penalties import L2

N, D = 40, 90
RNG = np.random.default_rng(5)
X = RNG.integers(-8, 9, (N, D)) / 8.0
WEIGHTS = 10.0 ** RNG.uniform(-1.0, 1.0, D)
Y = RNG.integers(0, 3, N)


@pytest.mark.parametrize("store", storages())
def test_scaled_columns(store):
    factor = RNG.uniform(0.5, 2.0, D)
    with design_matrix(store(X)) as matrix, matrix.scaled(factor) as scaled:
        copied = np.empty((N, D))
        scaled.copy_rows(slice(0, N), copied)
        np.testing.assert_array_equal(copied, X * factor)
        assert scaled.rows.storage.by_column == matrix.rows.storage.by_column
        matrix.copy_rows(slice(0, N), copied)
        np.testing.assert_array_equal(copied, X)


@pytest.mark.parametrize("loss", ["hinge", "squared_hinge", "logistic"])
@pytest.mark.parametrize("multi_class", ["joint", "ovr"])
def test_the_optimum_is_that_of_other_solvers(monkeypatch, loss, multi_class):
    how = {"C": 0.3, "penalty": L2(WEIGHTS), "multi_class": multi_class, "tol": 1e-7}
    found, messages = fit(loss, X, Y, **how)
    monkeypatch.setattr(squares, "_pays", lambda *given, **more: False)
    wanted, others = fit(loss, X, Y, **how)
    assert not messages
    assert not others
    assert (found.suboptimality_ <= 1e-7).all()
    np.testing.assert_allclose(found.objective_, wanted.objective_, rtol=2e-7)
    np.testing.assert_allclose(found.coef_, wanted.coef_, atol=2e-3 * np.abs(wanted.coef_).max())


@pytest.mark.parametrize("loss", ["hinge", "squared_hinge", "logistic"])
def test_what_is_claimed_far_from_the_optimum_is_true(loss):
    how = {"C": 5.0, "penalty": L2(WEIGHTS), "multi_class": "joint" if loss == "logistic" else "ovr"}
    best, _ = fit(loss, X, Y, tol=1e-10, **how)
    farthest = 0.0
    for rough in ({"tol": 0.1}, {"max_iter": 1}, {"max_iter": 3}):
        model, _ = fit(loss, X, Y, **rough, **how)
        farthest = max(farthest, float((model.objective_ / best.objective_ - 1.0).max()))
        assert (model.objective_ * (1.0 - model.suboptimality_) <= best.objective_ * (1.0 + 1e-9)).all()
    assert farthest > 1e-6


def test_what_is_claimed_is_the_formula_and_a_warm_start_is_one():
    model = MarginLinearClassifier("hinge", penalty=L2(WEIGHTS), C=5.0, warm_start=True, record_history=True)
    y = Y > 0
    model.fit(X, y)
    margins = np.where(y, 1.0, -1.0) * (X @ model.coef_[0] + model.intercept_)
    value = 5.0 * np.maximum(1.0 - margins, 0.0).sum() + 0.5 * WEIGHTS @ model.coef_[0] ** 2
    assert model.objective_[0] == pytest.approx(value, rel=1e-13)
    history = model.history_[0]
    assert history["objective"][-1] == model.objective_[0]
    assert history["suboptimality"][-1] == model.suboptimality_[0]
    first = model.n_iter_[0]
    model.fit(X, y)
    assert model.objective_[0] == pytest.approx(value, rel=2e-8)
    assert model.n_iter_[0] <= first


def test_callbacks_see_coefficients_of_the_columns_as_they_are(monkeypatch):
    seen = []
    call = squares._Monitor.__call__

    def watched(self, iterate):
        seen.append(self._seen(iterate()).coefficients)
        return call(self, iterate)

    monkeypatch.setattr(squares._Monitor, "__call__", watched)
    model = MarginLinearClassifier("squared_hinge", penalty=L2(WEIGHTS), record_history=True).fit(X, Y > 0)
    np.testing.assert_allclose(seen[-1], model.coef_, rtol=1e-12)
