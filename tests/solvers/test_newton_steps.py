"""Newton's method in one compiled loop, beside the same method step by step in Python."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp
from numpy.testing import assert_allclose, assert_array_equal
from problems import draw
from references import CONVEX

from marginclf import MarginLinearClassifier
from marginclf.losses import SmoothHinge, get_loss
from marginclf.matrix import design_matrix
from marginclf.objective import L2, BinaryObjective
from marginclf.objective.newton_steps import NewtonSteps
from marginclf.solvers import solve

X, Y, S = draw(n=300, d=5, seed=12)
X = X + np.array([0.0, 3.0, -1.0, 0.0, 0.0])
LOSSES = [case for case in CONVEX if case.values[0].smooth and not case.values[0].affine]
STORAGES = {"C": np.asarray, "F": np.asfortranarray, "CSR": sp.csr_array, "CSC": sp.csc_array}


def problem(loss="logistic", matrix=X, C=1.0, y=Y, **how):
    return BinaryObjective(
        design_matrix(matrix, 1), get_loss(loss), C * S * np.where(y == y.max(), 1.0, -1.0),
        **({"penalty": L2(), "fit_intercept": True} | how),
    )  # fmt: skip


def step_by_step(monkeypatch):
    monkeypatch.setattr(NewtonSteps, "suit", staticmethod(lambda objective: False))


@pytest.mark.parametrize("loss", LOSSES)
def test_the_optimum_of_steps_in_python(loss, monkeypatch):
    cases = [
        {"C": C, "fit_intercept": b, "penalty": L2(weights), "matrix": STORAGES[kind](X)}
        for C, b, weights, kind in (
            (1e-3, True, 1.0, "C"), (1.0, False, np.geomspace(0.1, 10.0, 5), "F"), (1e3, True, 1.0, "CSR"),
            (10.0, True, np.geomspace(0.1, 10.0, 5), "CSC"),
        )
    ]  # fmt: skip
    found = []
    for how in cases:
        objective = problem(loss, **how)
        assert NewtonSteps.suit(objective)
        found.append(solve(objective, objective.zeros(), solver="newton", tol=1e-8, max_iter=500))
        assert found[-1].status.converged
        assert found[-1].point.excess <= 1e-8
    step_by_step(monkeypatch)
    for how, solution in zip(cases, found, strict=True):
        objective = problem(loss, **how)
        other = solve(objective, objective.zeros(), solver="newton", tol=1e-8, max_iter=500)
        assert solution.point.value == pytest.approx(other.point.value, rel=1e-13)
        scale = np.abs(other.point.theta).max()
        assert_allclose(solution.point.theta, other.point.theta, rtol=1e-6, atol=1e-7 * scale)
        assert solution.n_iter <= 2 * other.n_iter


def test_one_call_and_many_have_the_same_bits():
    many = X[:, 1] > X[:, 1].mean() + 0.5  # where b, once it is at its minimum, would move again by its last bit
    cases = ("logistic", 100.0, 1e-8, Y), ("squared_hinge", 0.1, 1e-8, Y), ("logistic", 10.0, 1e-3, many)
    for loss, C, tol, y in cases:
        objective = problem(loss, C=C, y=y)
        at_once, one_by_one = (NewtonSteps(objective, objective.origin().theta, tol) for _ in range(2))
        point, n_steps, ended = at_once.take(100)
        assert ended
        counts, over = [], False
        while not over and len(counts) < 100:
            other, taken, over = one_by_one.take(1)
            counts.append(taken)
        assert sum(counts) == n_steps
        assert_array_equal(other.theta, point.theta)
        assert other.value == point.value


@pytest.mark.parametrize("intercept", [True, False])
def test_a_hessian_follows_the_rows_whose_curvature_has_changed(intercept):
    objective = problem("squared_hinge", C=10.0, fit_intercept=intercept)
    steps = NewtonSteps(objective, objective.origin().theta, 1e-8)
    steps.take(1)
    _, first, centre = (part.copy() for part in steps.hessian)
    assert steps.take(100)[1] > 2
    hessian, curvatures, last = steps.hessian
    assert_array_equal(last[:5], centre[:5])  # with another centre it would have been made anew
    assert 0 < (curvatures != first).sum() < np.count_nonzero(curvatures)
    off = X - centre[:5]
    assert_allclose(np.tril(hessian[:5, :5]), np.tril((curvatures[:, None] * off).T @ off), rtol=1e-12)


@pytest.mark.parametrize("loss", ["squared_hinge", "logistic"])
def test_objectives_of_other_labels_start_from_the_first_hessian(loss):
    first, others = problem(loss), (X[:, 2] > 0.0).astype(int)
    first.first_hessian = []
    how = {"solver": "newton", "tol": 1e-8, "max_iter": 100}
    solve(first, first.zeros(), **how)
    alone = problem(loss, y=others)
    assert not (first.signs == alone.signs).all()
    second = first.relabelled(alone.v)
    assert_array_equal(second.signs, alone.signs)
    assert second.at_zero == alone.at_zero != first.at_zero
    kept = NewtonSteps(second, second.zeros(), 1e-8).hessian
    for given, mine in zip(first.first_hessian, kept, strict=True):
        assert_array_equal(mine, given)
    found, expected = (solve(objective, alone.zeros(), **how) for objective in (second, alone))
    assert found.n_iter == expected.n_iter
    assert found.point.value == pytest.approx(expected.point.value, rel=1e-13)
    assert_allclose(found.point.theta, expected.point.theta, rtol=1e-9)


def test_callbacks_see_every_step_and_change_nothing():
    model = MarginLinearClassifier(record_history=True).fit(X, Y)
    plain = MarginLinearClassifier().fit(X, Y)
    assert_array_equal(model.coef_, plain.coef_)
    assert_array_equal(model.n_iter_, plain.n_iter_)
    assert len(model.history_[0]["objective"]) >= plain.n_iter_[0]
    assert (np.diff(model.history_[0]["objective"]) <= 1e-12).all()


def test_an_interval_of_intercepts_has_a_midpoint(monkeypatch):
    """Slopes of a smooth hinge are −1 to the left: with as many rows of each class, b is free between two margins."""
    far = np.array([[-3.0], [-2.0], [2.5], [4.0]])
    y = np.array([1, 1, 0, 0])
    models = []
    for patched in (False, True):
        if patched:
            step_by_step(monkeypatch)
        models.append(MarginLinearClassifier(SmoothHinge(gamma=0.5), C=1e-3, tol=1e-10).fit(far, y))
    assert abs(models[0].intercept_[0]) > 1e-4
    assert_allclose(models[0].intercept_, models[1].intercept_, atol=1e-9)


def test_what_the_loop_cannot_end_is_ended_by_another():
    for scale, tol in ((1e80, 1e-8), (1e-80, 1e-8), (1.0, 1e-300)):
        model = MarginLinearClassifier(tol=tol).fit(X * scale, Y, S)
        assert np.isfinite(model.coef_).all()
        assert model.status_[0].startswith("Optimal")
    with pytest.raises(ValueError, match="overflow"):
        MarginLinearClassifier().fit(X * 1e200, Y)
