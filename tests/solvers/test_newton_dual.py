"""Dual variables from the model of a Newton step: the gap that they leave is no less than the conjugate says."""

import numpy as np
import pytest
from scipy.special import xlogy

from marginclf.losses import get_loss
from marginclf.matrix import design_matrix
from marginclf.objective import L2, BinaryObjective, newton_dual

RNG = np.random.default_rng(4)
X = RNG.normal(size=(60, 3))
SIGNS = np.where(X @ [1.0, -1.0, 0.5] + RNG.normal(size=60) > 0.0, 1.0, -1.0)
WEIGHTS = RNG.uniform(0.5, 2.0, 60)


@pytest.mark.parametrize("length", [0.05, 0.5, 3.0])
def test_the_gap_is_that_of_the_conjugate(length):
    with design_matrix(X, 1) as matrix:
        objective = BinaryObjective(matrix, get_loss("logistic"), WEIGHTS * SIGNS, penalty=L2(0.0), fit_intercept=True)
        before = objective.at(objective.zeros())
        after = objective.at(before.theta + length * np.array([1.0, -1.0, 0.5, 0.0]))
        point, gap = newton_dual(objective, before, after)
        a = -point.r * SIGNS / WEIGHTS  # dual variables, from 0 to 1
        assert ((a > 0.0) & (a < 1.0)).all()
        assert abs(point.r.sum()) <= 1e-9 * np.abs(point.r).sum()
        z = after.z + after.b[0]
        of_rows = np.logaddexp(0.0, -SIGNS * z) + xlogy(a, a) + xlogy(1.0 - a, 1.0 - a) + a * SIGNS * z
    exact = float(WEIGHTS @ of_rows)
    assert exact <= gap <= exact + 1e-10
    assert exact > 1e-9 or length < 0.1


@pytest.mark.parametrize("kept", [False, True])
def test_slopes_are_those_of_the_model_wherever_its_hessian_is_from_and_b_has_gone(kept):
    with design_matrix(X, 1) as matrix:
        objective = BinaryObjective(matrix, get_loss("logistic"), WEIGHTS * SIGNS, penalty=L2(0.0), fit_intercept=True)
        before = objective.at(np.array([0.15, -0.15, 0.05, 0.0]))
        c = objective.at(objective.zeros()).c if kept else before.c
        # Where the model has b, its slopes add up to zero.
        step = np.array([0.05, -0.05, 0.02])
        b = before.b[0] - c @ (X @ step) / c.sum()
        after = objective.at(np.append(before.theta[:-1] + step, b))
        assert abs(after.b[0] - b) > 1e-6
        point, gap = newton_dual(objective, before, after, c, b)
        of_model = before.r + c * (X @ step + b - before.b[0])
        np.testing.assert_allclose(point.r, of_model, atol=1e-12)
        a = -point.r * SIGNS / WEIGHTS
        z = after.z + after.b[0]
        exact = WEIGHTS @ (np.logaddexp(0.0, -SIGNS * z) + xlogy(a, a) + xlogy(1.0 - a, 1.0 - a) + a * SIGNS * z)
    assert exact <= gap <= exact + 1e-10
