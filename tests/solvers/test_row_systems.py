"""Systems of rows for many classes: terms that stand by themselves, and Newton's method with them."""

from __future__ import annotations

import importlib

import numpy as np
import pytest
from problems import fit
from references import LOSS_CASES
from test_joint import draw

from marginclf.matrix import design_matrix
from marginclf.objective import L2, JointObjective
from marginclf.solvers import Status
from marginclf.solvers.row_newton import row_direction, row_hessians
from marginclf.solvers.row_system import RowSystem

directions = importlib.import_module("marginclf.solvers.direction")
method = importlib.import_module("marginclf.solvers.primal_dual")
kroneckers = importlib.import_module("marginclf.solvers.row_kronecker")
BY_NAME = {loss.name: loss for _, loss in LOSS_CASES}


def problem(matrix, name, y, row_weights, *, fit_intercept=True, weights=1.0):
    k = int(y.max()) + 1
    return JointObjective(matrix, BY_NAME[name], y, row_weights, k, penalty=L2(weights), fit_intercept=fit_intercept)


def dense(system, rows):
    """The Hessian of a system, of shape (K p, K p)."""
    q, beta, response = rows
    n, k = q.shape
    V = -q
    V[np.arange(n), system.codes] = 1.0
    of_row = (
        response[:, None, None] * V[:, :, None] * V[:, None, :] - beta[:, None, None] * q[:, :, None] * q[:, None, :]
    )
    of_row[:, np.arange(k), np.arange(k)] += beta[:, None] * q
    found = np.einsum("nab,ni,nj->aibj", of_row, system.X, system.X)
    for i in range(k):
        found[i, np.arange(system.d), i, np.arange(system.d)] += 1.0
    return found.reshape(k * system.p, k * system.p)


@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("single", [0.0, np.inf])
def test_terms_by_themselves_make_a_preconditioner_of_uneven_rows(fit_intercept, single, monkeypatch):
    """As good with rows at a kink and rows between two classes as that of all rows is without them."""
    monkeypatch.setattr(kroneckers, "_SINGLE", single)
    X, y, s = draw(n=300, d=15, k=5, seed=2)
    with design_matrix(X, 1) as matrix:
        system = RowSystem(problem(matrix, "hinge", y, s, fit_intercept=fit_intercept))
    n, rng = len(system.codes), np.random.default_rng(0)
    q = rng.dirichlet(np.ones(5), n)
    q[np.arange(n), system.codes] = 0.0
    # Some at a kink, and some between two of the other classes.
    q[20:30] *= q[20:30] >= np.sort(q[20:30], axis=1)[:, -2:-1]
    q /= q.sum(axis=1)[:, None]
    beta, response = np.full(n, 1e-2), np.full(n, 1e-2)
    response[:20], beta[20:30] = np.geomspace(1e2, 1e5, 20), np.geomspace(1e2, 1e4, 10)
    rows = q, beta, response
    hessian = dense(system, rows)
    step = rng.standard_normal((5, system.p))
    step -= step.mean(axis=0)
    right = (hessian @ step.ravel()).reshape(step.shape)
    found, products = {}, {}
    uneven, spared = system._kronecker.uneven(rows)
    for name, precondition in (("even", system._kronecker.even(rows)), ("uneven", uneven)):
        found[name], products[name] = system._iterate(precondition, right, *rows, 500, 1e-6)
    np.testing.assert_allclose(found["uneven"], step, atol=1e-3)
    assert spared >= 0
    assert products["uneven"] <= 15
    assert products["even"] >= 50


@pytest.mark.parametrize("name", ["logistic", "exponential", "squared_hinge"])
def test_direction_of_rows_is_that_of_newton(name):
    X, y, s = draw(n=80, d=4, k=4, seed=6)
    s[::7] = 0.0
    weights = np.array([0.5, 1.0, 2.0, 4.0])
    with design_matrix(X + 3.0, 1) as matrix:
        objective = problem(matrix, name, y, 10.0 * s, weights=weights)
        theta = 0.3 * np.random.default_rng(1).standard_normal(objective.zeros().size)
        point = objective.evaluate(theta)
        system = RowSystem(objective, uneven=True)
        step = row_direction(objective, system, point)
        rows = row_hessians(
            objective.loss, system.X @ system.inside(point.coefficients, point.b).T, system.codes, system.weights
        )
        exact = np.linalg.lstsq(dense(system, rows), -_inside(objective, system, point.gradient).ravel(), rcond=1e-12)[
            0
        ]
        expected = objective.theta(*system.outside(exact.reshape(4, -1)))
    assert np.linalg.norm(step - expected) <= 2e-2 * np.linalg.norm(expected)


def _inside(objective, system, gradient):
    """The gradient in the coordinates of a system."""
    by_class, in_b = objective.by_class(gradient), objective.b(gradient)
    return np.column_stack([(by_class - in_b[:, None] * system._centre) * system._scale, in_b])


@pytest.mark.parametrize("name", ["logistic", "exponential"])
def test_the_optimum_is_the_same_where_rows_take_over(name, monkeypatch):
    X, y, s = draw(n=90, d=6, k=4, seed=9)
    expected, _ = fit(name, X, y, s, multi_class="joint", C=100.0)
    made = []
    monkeypatch.setattr(directions, "_UNEVEN", 0)
    monkeypatch.setattr(directions, "RowSystem", lambda *args, **how: made.append(RowSystem(*args, **how)) or made[-1])
    model, messages = fit(name, X, y, s, multi_class="joint", C=100.0)
    assert len(made) == 1
    assert not messages
    assert model.suboptimality_[0] <= 1e-8
    assert model.objective_[0] == pytest.approx(expected.objective_[0], rel=2e-8)


@pytest.mark.parametrize("name", ["squared_hinge", "modified_huber", "dwd"])
def test_newtons_method_ends_primal_dual_steps(name, monkeypatch):
    """It spares steps, to the same optimum."""
    X, y, s = draw(n=150, d=5, k=4, seed=12)
    with design_matrix(X, 1) as matrix:
        objective = problem(matrix, name, y, s)
        found = method.primal_dual(objective, objective.origin(), tol=1e-8, max_iter=200)
        monkeypatch.setattr(method, "newton_step", lambda *args: None)
        without = method.primal_dual(objective, objective.origin(), tol=1e-8, max_iter=200)
    assert found.status is without.status is Status.PROVEN
    assert found.n_iter < without.n_iter
    assert found.point.value == pytest.approx(without.point.value, rel=1e-9)
