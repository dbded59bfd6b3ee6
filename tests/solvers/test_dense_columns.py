"""Large dense data of two classes begins with parts of it: the optimum is that of a fit without them."""

import numpy as np
import pytest
from problems import fit

from marginclf.matrix import design_matrix
from marginclf.penalties import ElasticNet, smallest_C
from marginclf.solvers.penalised import choice, compiled_steps, dense_columns, dense_sample, kept_hessian

RNG = np.random.default_rng(8)
LONG = RNG.normal(size=(4000, 30)) + RNG.normal(size=(4000, 1))
OF_LONG = (LONG[:, :5].sum(axis=1) - 4.0 * LONG[:, 0] + 2.0 * RNG.normal(size=4000) > 0.0).astype(int)
WIDE = RNG.normal(size=(90, 5)) @ RNG.normal(size=(5, 400)) + RNG.normal(size=(90, 400))
OF_WIDE = (WIDE[:, :5].sum(axis=1) + RNG.normal(size=90) > 0.0).astype(int)


@pytest.fixture
def by_parts(monkeypatch):
    monkeypatch.setattr(choice, "proximal_loop", lambda *given, **how: None)
    monkeypatch.setattr(choice, "quasi_newton", lambda *given, **how: None)
    monkeypatch.setattr(dense_columns, "_LARGE", 1)
    monkeypatch.setattr(dense_columns, "_WIDE", 200)
    monkeypatch.setattr(dense_sample, "_LEAST", 320)


def counted(monkeypatch, owner, name):
    calls, method = [], getattr(owner, name)
    monkeypatch.setattr(owner, name, lambda *given, **how: calls.append(1) or method(*given, **how))
    return calls


def alone(X, y, monkeypatch, **how):
    with monkeypatch.context() as patched:
        patched.setattr(dense_columns, "_LARGE", 1 << 60)
        model, messages = fit("logistic", X, y, **how)
    assert not messages
    return model


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("penalty", ["l1", ElasticNet(0.5)], ids=["l1", "elastic net"])
def test_a_sample_says_which_columns_are_solved_for_first(by_parts, monkeypatch, order, fit_intercept, penalty):
    X = np.asarray(LONG, order=order)
    how = {"penalty": penalty, "fit_intercept": fit_intercept, "tol": 1e-12}
    how["C"] = 30.0 * smallest_C(X, OF_LONG, penalty=penalty)
    before = alone(X, OF_LONG, monkeypatch, **how)
    steps = counted(monkeypatch, compiled_steps.CompiledSteps, "take")
    kept = counted(monkeypatch, kept_hessian, "moved")
    model, messages = fit("logistic", X, OF_LONG, **how)
    assert steps
    assert kept or penalty != "l1"
    assert not messages
    assert model.suboptimality_[0] <= 1e-12
    np.testing.assert_allclose(model.coef_, before.coef_, atol=1e-6)
    np.testing.assert_array_equal(model.coef_ == 0.0, before.coef_ == 0.0)
    watched, _ = fit("logistic", X, OF_LONG, record_history=True, **how)
    np.testing.assert_array_equal(watched.coef_, model.coef_)


def test_columns_that_a_sample_leaves_out_come_in_later(by_parts, monkeypatch):
    C = 30.0 * smallest_C(LONG, OF_LONG)
    before = alone(LONG, OF_LONG, monkeypatch, penalty="l1", C=C, tol=1e-12)
    used = np.flatnonzero(before.coef_[0])
    monkeypatch.setattr(dense_columns, "of_sample", lambda objective, penalty, theta, *_: (theta, used[1:]))
    model, messages = fit("logistic", LONG, OF_LONG, penalty="l1", C=C, tol=1e-12)
    assert not messages
    np.testing.assert_allclose(model.coef_, before.coef_, atol=1e-6)


@pytest.mark.parametrize("few", [0, 1000])
@pytest.mark.parametrize("bounds", [None, (-0.05, None)], ids=["free", "bounds"])
def test_some_columns_of_wide_data_come_first(by_parts, monkeypatch, few, bounds):
    monkeypatch.setattr(dense_columns, "_FEW_ROWS", few)
    how = {"penalty": "l1", "bounds": bounds, "C": 20.0 * smallest_C(WIDE, OF_WIDE)}
    before = alone(WIDE, OF_WIDE, monkeypatch, **how)
    rounds = counted(monkeypatch, dense_columns.DenseRun, "_solved")
    model, messages = fit("logistic", np.asfortranarray(WIDE), OF_WIDE, **how)
    assert rounds
    assert not messages
    assert model.objective_[0] == pytest.approx(before.objective_[0], rel=2e-8)
    np.testing.assert_allclose(model.coef_, before.coef_, atol=1e-5)


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("kind", [np.float32, np.float64])
def test_rows_and_columns_that_are_taken(order, kind):
    X = np.asarray(LONG[:99], dtype=kind, order=order)
    matrix, columns = design_matrix(X, 1), np.array([0, 3, 29])
    runs = (16 * np.array([0, 2, 4])[:, None] + np.arange(16)).ravel()
    for rows in (runs, runs + 3, runs[::-1], np.array([5, 98]), np.array([], dtype=int)):
        part, found = matrix.take(rows), np.empty((len(rows), 30))
        part.copy_rows(slice(0, len(rows)), found)
        np.testing.assert_array_equal(found, X[rows])
    found = np.empty((99, 3))
    matrix.columns(columns).copy_rows(slice(0, 99), found)
    np.testing.assert_array_equal(found, X[:, columns])
