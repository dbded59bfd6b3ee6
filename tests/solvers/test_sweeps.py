"""How many sweeps coordinate ascent takes: what a mistake in its steps costs, where the optimum is still the same."""

import numpy as np
import pytest
import scipy.sparse as sp
from problems import fit

from marginclf import MarginLinearClassifier


def text_like(n_classes, n=400, d=3000):
    """Few entries a row, more columns than rows."""
    rng = np.random.default_rng([41, n_classes])
    X = sp.random(n, d, 0.02, "csr", random_state=0)
    return X, (X @ rng.normal(size=(d, n_classes)) + 0.3 * rng.gumbel(size=(n, n_classes))).argmax(axis=1)


@pytest.mark.parametrize("loss", ["logistic", "exponential"])
def test_a_warm_start_near_the_optimum_takes_few(loss):
    """Dual variables and margins start at those of the coefficients."""
    X, y = text_like(2)
    model = MarginLinearClassifier(loss, solver="dual", C=10.0, warm_start=True).fit(X, y)
    cold = model.n_iter_[0]
    model.set_params(C=10.1).fit(X, y)
    assert 0 < model.n_iter_[0] <= 0.6 * cold


@pytest.mark.parametrize("C", [1e-3, 0.1])
def test_of_a_loss_that_is_straight_at_zero(C):
    """About 20: Σ α is held by the curvature that margins have later; by none, it takes over 100 with a small C."""
    X, y = text_like(2)
    model = MarginLinearClassifier("smooth_hinge", solver="dual", C=C).fit(X, y)
    assert 0 < model.n_iter_[0] <= 40
    assert model.suboptimality_[0] <= 1e-8


@pytest.mark.parametrize("loss", ["squared_hinge", "hinge"])
def test_with_a_joint_margin(loss):
    """About 40: each step follows the margin, which is not linear; by a linear model of it, it takes over 200."""
    X, y = text_like(3)
    model, messages = fit(loss, X, y, solver="dual", C=100.0, multi_class="joint")
    assert not messages
    assert model.n_iter_[0] <= 90
