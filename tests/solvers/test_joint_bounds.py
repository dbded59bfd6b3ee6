"""What is said of a joint fit is true where intercepts take many steps, and where rounding is large."""

import numpy as np
import pytest
from test_joint import draw, joint

from marginclf.losses import LUM, Exponential, Logistic, SmoothHinge, SquaredHinge
from marginclf.solvers import Status


@pytest.mark.parametrize("solver", ["lbfgs", "dual"])
@pytest.mark.parametrize("tol", [0.1, 1e-3])
def test_a_loose_tolerance_leaves_no_intercept_behind(tol, solver):
    """The bound is that of coefficients, and needs the intercepts at their minimum however loose the tolerance is."""
    for seed in (633, 5):
        X, y, s = draw(n=40, d=3, k=6, seed=seed)
        loss = LUM(c=1000.0)
        best, _ = joint(loss, X, y, s, C=0.01, solver="newton", tol=1e-13, max_iter=10_000)
        rough, _ = joint(loss, X, y, s, C=0.01, solver=solver, tol=tol)
        excess = (rough.objective_[0] - best.objective_[0]) / rough.objective_[0]
        assert excess <= rough.suboptimality_[0] * (1.0 + 1e-6) + 1e-12


@pytest.mark.parametrize(
    "loss", [Logistic(), Exponential(), SquaredHinge(), SmoothHinge(0.5), LUM(100.0, 0.5)], ids=repr
)
def test_the_limit_of_precision(loss):
    """With a huge offset the bound stays above tol, and rounding stops the steps; the decrement is within tol then."""
    X, y, s = draw()
    near, _ = joint(loss, X, y, s, solver="newton", tol=1e-12)
    for offset in (1e6, 1e7):
        far, messages = joint(loss, X + offset, y, s, solver="newton", tol=1e-9)
        assert not messages
        expected = Status.PROVEN if far.suboptimality_[0] <= 1e-9 else Status.LIMIT_OF_PRECISION
        assert far.status_ == (expected.value,)
        # A decision value is rounded in proportion to the offset, and F is summed up from them.
        assert far.objective_[0] == pytest.approx(near.objective_[0], rel=1e-9 + 16.0 * np.finfo(float).eps * offset)
    assert expected is Status.LIMIT_OF_PRECISION, "this is what the test is for"
