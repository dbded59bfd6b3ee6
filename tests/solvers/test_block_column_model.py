"""The model by columns of groups: its Hessian is that of the losses, and fits with it end where others do."""

import numpy as np
import pytest
import scipy.sparse as sp
from problems import fit

from marginclf.kernels.block_column_descent import along_blocks, bend_rows, block_scales, decisions_of_blocks
from marginclf.losses import get_loss
from marginclf.matrix import design_matrix
from marginclf.objective import L2, JointObjective, softmax
from marginclf.penalties import GroupLasso, smallest_C
from marginclf.solvers.penalised import quadratic_model
from marginclf.solvers.penalised.column_model import Columns

N, D, K = 70, 30, 4
RNG = np.random.default_rng(11)
X = sp.random_array((N, D), density=0.2, rng=RNG, data_sampler=lambda size: RNG.uniform(-0.5, 1.5, size)).tocsr()
Y = RNG.integers(0, K, N)
GROUPS = np.arange(D) // 3


@pytest.fixture
def by_columns(monkeypatch):
    def limit(most):
        for name in ("MOST_WRITTEN", "MOST_WRITTEN_SPARSE", "MOST_WRITTEN_JOINT", "MOST_WRITTEN_JOINT_SPARSE"):
            monkeypatch.setattr(quadratic_model, name, most)

    return limit


@pytest.mark.parametrize("loss", ["logistic", "squared_hinge", "exponential"])
def test_its_hessian_is_that_of_the_losses_and_scales_bound_it(loss):
    with design_matrix(X, 1) as matrix:
        objective = JointObjective(
            matrix, get_loss(loss), Y, RNG.uniform(0.5, 2.0, N), K, penalty=L2(0.0), fit_intercept=True
        )
        b = RNG.normal(size=K)
        point = objective.evaluate(objective.theta(0.3 * RNG.normal(size=(K, D)), b - b.mean()))
        made = Columns.of(matrix)
        columns, (q, *bends) = (made.data, made.indices, made.indptr), softmax(objective, point)
        rows, which = (Y, np.ascontiguousarray(q.T), *bends), np.arange(D)

        def product(W, b):
            change, bent, found, found_b = np.empty((N, K)), np.empty((N, K)), np.empty(D * K), np.empty(K)
            decisions_of_blocks(*columns, which, W.T.ravel(), b, change)
            bend_rows(*rows, change, bent, found_b)
            along_blocks(*columns, which, bent, found)
            return found.reshape(D, K).T, found_b

        W, b = RNG.normal(size=(K, D)), RNG.normal(size=K)
        p = objective.split(objective.theta(W, b))
        right = objective.passes.hessian_product(objective.compiled, *objective.split(point.theta), *p)
        scale = np.abs(right).max()
        for found, wanted in zip(product(W, b), (objective.by_class(right), objective.b(right)), strict=True):
            np.testing.assert_allclose(found, wanted, atol=1e-12 * scale)

        starts = np.arange(0, D + 1, 3)
        squares, scales = np.empty(D * K), np.empty(D // 3)
        block_scales(*columns, which, starts, *rows, squares, np.empty(D * K), np.zeros(N), scales)
        basis = np.eye(D * K).reshape(D * K, D, K)
        H = np.array([product(unit.T, np.zeros(K))[0].T.ravel() for unit in basis])
        np.testing.assert_allclose(squares, H.diagonal(), atol=1e-12 * scale)
        for g, bound in enumerate(scales):
            block = slice(3 * K * g, 3 * K * (g + 1))
            assert np.linalg.norm(H[block, block], 2) <= bound


@pytest.mark.parametrize("loss", ["logistic", "squared_hinge", "hinge"])
@pytest.mark.parametrize("groups", [None, GROUPS], ids=["columns", "three"])
@pytest.mark.parametrize("joint", [True, False], ids=["joint", "two classes"])
def test_fits_end_where_others_do(by_columns, loss, groups, joint):
    y, penalty = Y if joint else Y > 1, GroupLasso(groups if joint else GROUPS)
    how = {"penalty": penalty, "bounds": None if groups is None else (-0.2, None), "fit_intercept": groups is None}
    how["C"] = 4.0 * smallest_C(X, y, loss=loss, penalty=penalty)
    found = []
    for most in (5, 10**6):
        by_columns(most)
        model, messages = fit(loss, X, y, **how)
        assert not messages
        assert (model.suboptimality_ <= 1e-8).all()
        found.append(model.objective_[0])
    assert found[0] == pytest.approx(found[1], rel=2e-8)


@pytest.mark.parametrize(("n", "d", "classes"), [(60, 120, 2), (50, 80, 3), (120, 60, 2)])
def test_correlated_columns_in_groups_beside_a_kink_end_proven(n, d, classes):
    rng = np.random.default_rng(1)
    rows = rng.normal(size=(n, d)) + rng.normal(size=(n, 1))
    y = (rows @ rng.normal(size=(d, classes)) + 4.0 * rng.gumbel(size=(n, classes))).argmax(axis=1)
    penalty = GroupLasso(np.arange(d) // 5)
    model, messages = fit(
        "hinge", rows, y, penalty=penalty, C=100.0 * smallest_C(rows, y, loss="hinge", penalty=penalty)
    )
    assert not messages
    assert model.suboptimality_[0] <= 1e-8
    assert model.n_iter_[0] <= 400


def test_few_steps_and_no_more_memory_than_the_data(by_columns, monkeypatch):
    def refuse(*given):
        raise AssertionError("a Hessian is written down")

    by_columns(5)
    monkeypatch.setattr(JointObjective, "hessian", refuse)
    model, messages = fit("logistic", X, Y, penalty=GroupLasso(), C=30.0 * smallest_C(X, Y, penalty=GroupLasso()))
    assert not messages
    assert model.n_iter_[0] <= 20
