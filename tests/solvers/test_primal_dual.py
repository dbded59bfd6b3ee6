"""Primal-dual Newton's method for the joint margin: the optimum of other roads, proven, and never proven falsely."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy import sparse
from sklearn.datasets import load_iris, load_wine
from sklearn.preprocessing import scale

import marginclf.solvers
from marginclf import MarginLinearClassifier
from marginclf.losses import DWD, Exponential, Hinge, ModifiedHuber, SmoothHinge, SquaredHinge
from marginclf.solvers.primal_dual import ends

LOSSES = [SquaredHinge(), SmoothHinge(), ModifiedHuber(), Hinge(), DWD()]
DATA = {"iris": load_iris(return_X_y=True), "wine": load_wine(return_X_y=True)}
DATA = {name: (scale(X), y) for name, (X, y) in DATA.items()}


@pytest.fixture
def calls(monkeypatch):
    found, solver = [], marginclf.solvers.primal_dual

    def spy(*args, **kwargs):
        solution = solver(*args, **kwargs)
        found.append(solution.status.converged)
        return solution

    monkeypatch.setattr(marginclf.solvers, "primal_dual", spy)
    return found


@pytest.mark.parametrize("data", DATA)
@pytest.mark.parametrize("loss", LOSSES, ids=repr)
def test_the_optimum_of_another_road(loss, data, calls):
    X, y = DATA[data]
    weights = np.random.default_rng(3).integers(0, 3, len(y)).astype(float)
    for C in (1e-3, 1.0, 1e2):
        for given, fit_intercept, rows in ((None, True, X), (weights, False, X), (weights, True, sparse.csr_array(X))):
            how = {"C": C, "fit_intercept": fit_intercept}
            found = MarginLinearClassifier(loss, **how).fit(rows, y, given)
            other = MarginLinearClassifier(loss, solver="newton", tol=1e-11, max_iter=2000, **how).fit(rows, y, given)
            best = other.objective_[0] * (1.0 - other.suboptimality_[0])
            missing = found.objective_[0] - best
            assert found.status_[0].startswith("Optimal"), (C, fit_intercept)
            assert missing <= 2e-8 * found.objective_[0]
            # What is proven of the one is true by the other.
            lower = found.objective_[0] * (1.0 - found.suboptimality_[0])
            assert lower <= other.objective_[0] * (1.0 + 1e-12)
    assert len(calls) == 9
    assert sum(calls) >= 8, "the method itself ends nearly all of them"


@pytest.mark.parametrize("loss", [*LOSSES, Exponential()], ids=repr)
def test_the_inverse_of_the_slope(loss):
    _, cap = ends(loss)
    for a in np.array([1e-6, 0.1, 0.5, 0.99]) * min(cap, 5.0):
        m, slope = loss.inverse_slope(a)
        if loss.smooth:
            assert -float(loss.evaluate([m])[1][0]) == pytest.approx(a, rel=1e-9)
            h = 1e-4 * a
            change = (loss.inverse_slope(a + h)[0] - loss.inverse_slope(a - h)[0]) / (2.0 * h)
            assert_allclose(slope, change, rtol=1e-4)
        else:
            below, above = loss.evaluate([m - 1e-9, m + 1e-9])[1]
            assert -below >= a >= -above


def test_which_losses_have_one():
    assert all(loss.invertible for loss in (*LOSSES, Exponential()))

    class Steeper(SquaredHinge):
        def point(self, m):
            return 2.0 * super().point(m)[0], 0.0, 0.0

    assert not Steeper().invertible, "an inverse belongs to the point beside which it is written"
