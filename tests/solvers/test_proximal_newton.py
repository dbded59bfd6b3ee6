"""The roads of proximal Newton steps that small data does not take by itself: all of them end at one optimum."""

import numpy as np
import pytest
import scipy.sparse as sp
from problems import fit

from marginclf.matrix import design_matrix
from marginclf.penalties import ElasticNet, GroupLasso, smallest_C
from marginclf.solvers.penalised import (
    choice,
    column_model,
    kept_hessian,
    proximal_newton,
    proximal_step,
    quadratic_model,
    working_sets,
)

RNG = np.random.default_rng(5)
N, D = 80, 1200
WORDS = sp.csr_array(np.where(RNG.random((N, D)) < 0.05, RNG.uniform(0.5, 1.5, (N, D)), 0.0))
Y = (WORDS @ RNG.normal(size=D) > 0.0).astype(int)
MANY = RNG.integers(0, 3, N)


@pytest.fixture(autouse=True)
def no_other_method(monkeypatch):
    """Dense data of two classes would go to compiled steps, and weak kinks to other methods."""
    for name in ("proximal_loop", "quasi_newton", "orthant_newton"):
        monkeypatch.setattr(choice, name, lambda *given, **how: None)
    monkeypatch.setattr(choice, "minimise_dense", proximal_newton.proximal_newton)


def proven(model, messages):
    assert not messages
    assert (model.suboptimality_ <= 1e-8).all()
    return model.objective_


@pytest.mark.parametrize("penalty", ["l1", GroupLasso(groups=np.arange(D) // 2)], ids=["l1", "groups"])
def test_columns_of_words_that_cannot_have_coefficients_are_left_out(penalty, monkeypatch):
    C = smallest_C(WORDS, Y, penalty=penalty)
    assert pytest.approx(smallest_C(WORDS.toarray(), Y, penalty=penalty), rel=1e-8) == C
    model, messages = fit("logistic", WORDS, Y, penalty=penalty, C=1.1 * C)
    few = proven(model, messages)
    assert few == pytest.approx(proven(*fit("logistic", sp.csc_array(WORDS), Y, penalty=penalty, C=1.1 * C)), rel=2e-8)
    looks, call = [], choice._Widened.__call__
    monkeypatch.setattr(choice._Widened, "__call__", lambda *given: looks.append(1) or call(*given))
    watched, _ = fit("logistic", WORDS, Y, penalty=penalty, C=1.1 * C, record_history=True)
    assert looks
    np.testing.assert_array_equal(watched.coef_, model.coef_)
    assert watched.history_[0]["objective"][-1] == few[0]
    assert (np.diff(watched.history_[0]["passes"]) >= 0).all()
    assert watched.history_[0]["passes"][-1] > 0
    # Of the other sign, it is the other side of each column.
    assert few == pytest.approx(proven(*fit("logistic", -WORDS, 1 - Y, penalty=penalty, C=1.1 * C)), rel=2e-8)
    assert 0 < (watched.coef_ != 0.0).sum() < D // 2


@pytest.mark.parametrize("store", [sp.csr_array, sp.csc_array])
@pytest.mark.parametrize("signs", [False, True])
def test_the_largest_slope_of_a_column_is_no_less_than_any(store, signs):
    rng = np.random.default_rng(8)
    X = WORDS.toarray() * np.where(rng.random(WORDS.shape) < 0.5, -1.0 if signs else 1.0, 1.0)
    v = np.where(Y == 1, 1.0, -1.0) * rng.uniform(0.0, 1e3, N)
    found = design_matrix(store(X), 1).largest_products(v)
    parts = v[:, None] * X
    exact = np.maximum(np.maximum(parts, 0.0).sum(axis=0), np.maximum(-parts, 0.0).sum(axis=0))
    assert (found >= exact).all()
    if store is sp.csr_array or not signs:
        np.testing.assert_allclose(found, exact, rtol=1e-4, atol=1e-30)
        mixed = WORDS.toarray() * np.where(np.arange(D) % 2, 1.0, -1.0)
        C = 1.1 * smallest_C(mixed, Y)
        few = proven(*fit("logistic", store(mixed), Y, penalty="l1", C=C))
        assert few == pytest.approx(proven(*fit("logistic", mixed, Y, penalty="l1", C=C)), rel=2e-8)


@pytest.mark.parametrize("loss", ["logistic", "squared_hinge"])
def test_a_working_set_of_many_classes_in_either_order(loss):
    dense = WORDS.toarray()[:, :300] + RNG.normal(size=(N, 300))
    C = 5.0 * smallest_C(dense, MANY, loss=loss)
    by_rows = proven(*fit(loss, dense, MANY, penalty="l1", C=C))
    by_columns = proven(*fit(loss, np.asfortranarray(dense), MANY, penalty="l1", C=C))
    assert by_rows == pytest.approx(by_columns, rel=2e-8)
    assert by_rows == pytest.approx(proven(*fit(loss, sp.csc_array(dense), MANY, penalty="l1", C=C)), rel=2e-8)


@pytest.mark.parametrize("store", [sp.csr_array, np.asarray], ids=["csr", "dense"])
@pytest.mark.parametrize("y", [Y, MANY], ids=["binary", "joint"])
def test_a_model_by_columns_has_the_same_minimum(monkeypatch, store, y):
    X = WORDS.toarray()[:, :40]
    how = {"penalty": ElasticNet(0.7), "C": 2.0, "bounds": (-0.4, None)}
    written = proven(*fit("logistic", store(X), y, **how))
    for kind in ("", "_SPARSE", "_JOINT", "_JOINT_SPARSE"):
        monkeypatch.setattr(quadratic_model, f"MOST_WRITTEN{kind}", 5)
    assert written == pytest.approx(proven(*fit("logistic", store(X), y, **how)), rel=2e-8)


def test_a_sample_first_changes_nothing(monkeypatch):
    X = WORDS[:, :100]
    alone, messages = fit("logistic", X, Y, penalty="l1", C=1.0)
    monkeypatch.setattr(proximal_newton, "_LEAST_SAMPLE", 10)
    after, others = fit("logistic", X, Y, penalty="l1", C=1.0)
    assert proven(alone, messages) == pytest.approx(proven(after, others), rel=2e-8)


def test_a_crowd_of_columns_comes_in_at_once(monkeypatch):
    how = {"penalty": "l1", "C": 30.0 * smallest_C(WORDS, Y, penalty="l1")}
    for least in ("_CROWDED_ROWS", "_CROWDED_COLUMNS"):
        monkeypatch.setattr(working_sets, least, 0)
    at_once, messages = fit("logistic", WORDS, Y, **how)
    monkeypatch.setattr(working_sets, "_CROWD", np.inf)
    by_path, others = fit("logistic", WORDS, Y, **how)
    assert at_once.n_iter_[0] < by_path.n_iter_[0]
    assert proven(at_once, messages) == pytest.approx(proven(by_path, others), rel=2e-8)


def test_a_last_step_keeps_the_hessian_of_the_one_before(monkeypatch):
    rng = np.random.default_rng(7)
    X = sp.random_array((1500, 300), density=0.1, rng=rng, format="csr")
    y = X[:, :20].sum(axis=1) - X[:, 20:40].sum(axis=1) + 0.3 * rng.normal(size=1500) > 0.0
    how = {"penalty": "l1", "C": 20.0 * smallest_C(X, y, penalty="l1"), "tol": 1e-9}
    made, model = [], kept_hessian.WrittenModel
    monkeypatch.setattr(kept_hessian, "WrittenModel", lambda *given: made.append(1) or model(*given))
    kept, messages = fit("logistic", X, y, **how)
    steps = len(made)
    assert steps < kept.n_iter_[0]
    monkeypatch.setattr(kept_hessian, "_STANDS", -1.0)
    anew, others = fit("logistic", X, y, **how)
    assert len(made) - steps == anew.n_iter_[0]
    assert proven(kept, messages) == pytest.approx(proven(anew, others), rel=2e-9)


def test_next_to_no_penalty_needs_no_path(monkeypatch):
    rng = np.random.default_rng(6)
    X = rng.normal(size=(200, 10))
    y = X @ rng.normal(size=10) + rng.normal(size=200) > 0.0
    model, messages = fit("logistic", X, y, penalty="l1", C=1e4)
    assert model.n_iter_[0] <= 6
    monkeypatch.setattr(working_sets, "_WEAK", np.inf)
    by_path, others = fit("logistic", X, y, penalty="l1", C=1e4)
    assert model.n_iter_[0] < by_path.n_iter_[0]
    assert proven(model, messages) == pytest.approx(proven(by_path, others), rel=2e-8)


@pytest.mark.parametrize("fit_intercept", [True, False])
def test_conjugate_gradients_end_what_descent_by_columns_begins(monkeypatch, fit_intercept):
    rng = np.random.default_rng(4)
    X = rng.normal(size=(150, 40)) + 3.0 * rng.normal(size=(150, 1))
    y = X[:, :8].sum(axis=1) - X[:, 8:16].sum(axis=1) + rng.normal(size=150) > 0.0
    monkeypatch.setattr(quadratic_model, "MOST_WRITTEN", 5)
    how = {"penalty": "l1", "C": 1.0, "fit_intercept": fit_intercept, "max_iter": 300}
    with_both, messages = fit("logistic", X, y, **how)
    proven(with_both, messages)
    monkeypatch.setattr(column_model, "_STANDING", -1.0)
    descent, _ = fit("logistic", X, y, **how)
    assert with_both.n_iter_[0] < 0.5 * descent.n_iter_[0]


@pytest.mark.parametrize("entries", [5, 2000], ids=["columns", "written"])
@pytest.mark.parametrize("loss", ["logistic", "squared_hinge", "hinge"])
@pytest.mark.parametrize(
    "how", [{}, {"fit_intercept": False}, {"bounds": (-0.1, 0.3)}], ids=["free", "fixed", "bounds"]
)
def test_dual_variables_of_a_model_never_prove_too_much(loss, how, entries, monkeypatch):
    X = WORDS[:, :60]
    given = {"penalty": "l1" if how else ElasticNet(0.5), "C": 4.0 * smallest_C(X, Y, loss=loss), **how}
    best = proven(*fit(loss, X, Y, tol=1e-10, **given))[0]
    plain = fit(loss, X, Y, tol=1e-3, **given)[0].n_iter_[0]
    monkeypatch.setattr(quadratic_model, "MOST_WRITTEN_SPARSE", entries)
    for least in ("_ROWS_DUAL", "_ENTRIES_DUAL"):
        monkeypatch.setattr(proximal_step, least, 0)
    steps = []
    for tol in (1e-1, 1e-2, 1e-3, 1e-5, 1e-7):
        model, messages = fit(loss, X, Y, tol=tol, **given)
        assert not messages
        least = model.objective_[0] * (1.0 - model.suboptimality_[0])
        assert least * (1.0 - 1e-10) <= best <= model.objective_[0] * (1.0 + 1e-10)
        steps.append(model.n_iter_[0])
    if loss == "logistic" and entries > 60:
        assert steps[2] <= plain
