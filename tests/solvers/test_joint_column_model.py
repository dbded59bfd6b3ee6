"""The model by columns of many classes: its Hessian is that of the losses, and fits with it end where others do."""

import numpy as np
import pytest
import scipy.sparse as sp
from problems import fit

from marginclf.kernels.joint_column_descent import decisions_jointly, descend_jointly, gradient_jointly
from marginclf.losses import get_loss
from marginclf.matrix import design_matrix
from marginclf.objective import L2, JointObjective, joint_moves, softmax
from marginclf.penalties import ElasticNet, GroupLasso, smallest_C
from marginclf.solvers.penalised import choice, joint_column_model, quadratic_model
from marginclf.solvers.penalised.column_model import Columns

N, D, K = 70, 30, 4
RNG = np.random.default_rng(11)
X = sp.random_array((N, D), density=0.2, rng=RNG, data_sampler=lambda size: RNG.uniform(0.5, 1.5, size)).tocsr()
Y = RNG.integers(0, K, N)


@pytest.fixture
def by_columns(monkeypatch):
    for name in ("MOST_WRITTEN_JOINT", "MOST_WRITTEN_JOINT_SPARSE"):
        monkeypatch.setattr(quadratic_model, name, 5)


def proven(model, messages):
    assert not messages
    assert (model.suboptimality_ <= 1e-8).all()
    return model.objective_


class Model:
    """A model at some point, with all entries."""

    def __init__(self, loss, matrix):
        self.objective = objective = JointObjective(
            matrix, get_loss(loss), Y, RNG.uniform(0.5, 2.0, N), K, penalty=L2(0.0), fit_intercept=True
        )
        W, b = 0.3 * RNG.normal(size=(K, D)), RNG.normal(size=K)
        self.point = objective.evaluate(objective.theta(W, b - b.mean()))
        columns = Columns.of(matrix)
        self.entries = columns.data, columns.indices, columns.indptr, np.tile(np.arange(D), K), np.arange(K + 1) * D
        self.rows = Y, *softmax(objective, self.point)

    def product(self, W, b):
        """By the kernels of descent."""
        change, found, found_b = np.empty((K, N)), np.empty(K * D), np.empty(K)
        decisions_jointly(*self.entries, W.ravel(), b, change)
        gradient_jointly(*self.entries, *self.rows, change, np.empty(N), np.empty(N), found, found_b)
        return found.reshape(K, D), found_b


@pytest.mark.parametrize("loss", ["logistic", "squared_hinge", "exponential", "modified_huber"])
def test_its_hessian_is_that_of_the_losses(loss):
    with design_matrix(X, 1) as matrix:
        model = Model(loss, matrix)
        objective, W, b = model.objective, RNG.normal(size=(K, D)), RNG.normal(size=K)
        p = objective.split(objective.theta(W, b))
        right = objective.passes.hessian_product(objective.compiled, *objective.split(model.point.theta), *p)
        in_w, in_b = model.product(W, b)
        scale = np.abs(right).max()
        np.testing.assert_allclose(in_w, objective.by_class(right), atol=1e-12 * scale)
        np.testing.assert_allclose(in_b, objective.b(right), atol=1e-12 * scale)


@pytest.mark.parametrize("loss", ["logistic", "squared_hinge", "exponential"])
def test_descent_ends_at_its_minimum(loss):
    with design_matrix(X, 1) as matrix:
        model = Model(loss, matrix)
        objective, point = model.objective, model.point
        pull, start = objective.by_class(point.gradient).ravel(), point.coefficients.ravel()
        in_b, u, shift, change = objective.b(point.gradient), start.copy(), np.zeros(K), np.zeros((K, N))
        kink, edge = np.full(K * D, 0.05 * np.abs(pull).max()), np.full(K * D, np.inf)
        beside, size, worst = np.full(K * D, 0.5), K * D, np.inf
        means = np.zeros(N), np.zeros(N)
        for _ in range(100):  # a call looks at what is zero in its first round and in its last
            worst, _ = descend_jointly(
                *model.entries, *model.rows, pull, in_b, np.empty(size), beside, start, u, shift, kink, -edge, edge,
                0.0, change, *means, np.empty((N, 2)), np.empty(N), 1e-12, 30,
            )  # fmt: skip
        assert worst <= 1e-12
        slope, slope_b = model.product((u - start).reshape(K, D), shift)
        slope = slope.ravel() + pull + beside * (u - start)
        assert 0 < np.count_nonzero(u) < size
        np.testing.assert_allclose(slope[u != 0.0], -(kink * np.sign(u))[u != 0.0], atol=1e-9 * kink[0])
        assert (np.abs(slope) <= kink * (1.0 + 1e-9)).all()
        np.testing.assert_allclose(slope_b + in_b, 0.0, atol=1e-9 * kink[0])
        np.testing.assert_allclose(change, (X @ (u - start).reshape(K, D).T + shift).T, atol=1e-10)


@pytest.mark.parametrize("store", [sp.csr_array, sp.csc_array, lambda X: X.toarray()], ids=["csr", "csc", "dense"])
@pytest.mark.parametrize("room", [1 << 23, 0], ids=["kept", "not kept"])
@pytest.mark.parametrize("fit_intercept", [True, False])
def test_fits_end_where_others_do(monkeypatch, store, room, fit_intercept):
    monkeypatch.setattr("marginclf.objective.joint._KEPT", room)
    how = {"penalty": ElasticNet(0.8), "C": 3.0, "bounds": (-0.5, None), "fit_intercept": fit_intercept}
    written = proven(*fit("logistic", store(X), Y, **how))
    for name in ("MOST_WRITTEN_JOINT", "MOST_WRITTEN_JOINT_SPARSE"):
        monkeypatch.setattr(quadratic_model, name, 5)
    weights = np.ones(N)
    assert written == pytest.approx(proven(*fit("logistic", store(X), Y, weights, **how)), rel=2e-8)


@pytest.mark.parametrize("loss", ["logistic", "squared_hinge", "smooth_hinge", "hinge"])
def test_few_steps_are_enough(by_columns, loss):
    C = 30.0 * smallest_C(X, Y, loss=loss)
    model, messages = fit(loss, X, Y, penalty="l1", C=C, multi_class="joint")
    proven(model, messages)
    assert model.n_iter_[0] <= (200 if loss == "hinge" else 40)


def test_no_claim_rests_on_decision_values_that_were_carried(by_columns, monkeypatch):
    right = proven(*fit("logistic", X, Y, penalty="l1", C=3.0))
    end = joint_moves.Move.end
    # They drift from those of the coefficients by more than tol.
    monkeypatch.setattr(joint_moves.Move, "end", lambda self, theta, t: end(self, theta * (1.0 - 1e-6), t))
    model, _ = fit("logistic", X, Y, penalty="l1", C=3.0, max_iter=60)
    W, b = model.coef_, model.intercept_
    Z = X @ W.T + b
    value = 3.0 * (np.log(np.exp(Z).sum(axis=1)) - Z[np.arange(N), Y]).sum() + np.abs(W).sum()
    assert value - right[0] <= (model.suboptimality_[0] + 1e-8) * value
    assert model.objective_[0] == pytest.approx(value, rel=1e-12)


@pytest.mark.parametrize("penalty", ["l1", GroupLasso()], ids=["l1", "groups"])
def test_columns_that_cannot_have_coefficients_are_left_out(monkeypatch, penalty):
    monkeypatch.setattr(choice, "_MANY", 10)
    looks, screened = [], choice._screened
    monkeypatch.setattr(choice, "_screened", lambda *given: looks.append(screened(*given)) or looks[-1])
    words = sp.hstack([X, 0.02 * X]).tocsr()
    C = 1.3 * smallest_C(words, Y, penalty=penalty)
    few = proven(*fit("logistic", words, Y, penalty=penalty, C=C))
    assert 0 < len(looks[0]) <= D
    monkeypatch.setattr(choice, "_MANY", 1000)
    assert few == pytest.approx(proven(*fit("logistic", words, Y, penalty=penalty, C=C)), rel=2e-8)


def test_conjugate_gradients_end_what_descent_begins(by_columns, monkeypatch):
    rng = np.random.default_rng(4)
    rows = rng.normal(size=(150, 40)) + 3.0 * rng.normal(size=(150, 1))
    y = np.argmax(rows @ rng.normal(size=(40, 3)) + rng.gumbel(size=(150, 3)), axis=1)
    how = {"penalty": "l1", "C": 1.0, "max_iter": 300}
    with_both, messages = fit("logistic", rows, y, **how)
    proven(with_both, messages)
    monkeypatch.setattr(joint_column_model, "_STANDING", -1.0)
    descent, _ = fit("logistic", rows, y, **how)
    assert with_both.n_iter_[0] < 0.5 * descent.n_iter_[0]
