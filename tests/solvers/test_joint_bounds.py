"""What is proven of a joint fit holds where the intercepts take many steps: a loss that is nearly the hinge."""

import pytest
from test_joint import draw, joint

from marginclf.losses import LUM


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
