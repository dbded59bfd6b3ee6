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
