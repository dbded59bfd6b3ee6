"""A tol of 1e-4 and more asks for a rough answer: the proof ends a fit, and costs no more than it has to."""

import numpy as np
import pytest
from references import FAMILY, with_solvers
from sklearn.datasets import load_digits, make_classification
from sklearn.preprocessing import scale

from marginclf import MarginLinearClassifier
from marginclf.objective.curvature import JointCurvature
from marginclf.solvers.convergence import ROUGH

X, CLASSES = make_classification(300, 12, n_informative=6, n_classes=3, flip_y=0.1, random_state=3)
PROVABLE = [case for case in FAMILY if case.values[0].convex and not case.values[0].affine]
DIGITS = load_digits(return_X_y=True)


def both(loss, X, y, *, tol=1e-3, **options):
    """The fit with a loose tol, and at the default."""
    return tuple(MarginLinearClassifier(loss, tol=t, **options).fit(X, y) for t in (tol, 1e-8))


@pytest.mark.parametrize(("loss", "solver"), with_solvers(PROVABLE, ("auto", "newton", "lbfgs")))
@pytest.mark.parametrize("kind", ["binary", "joint", "ovr"])
def test_what_is_said_is_proven_and_true(loss, kind, solver):
    y = CLASSES > 0 if kind == "binary" else CLASSES
    for C in (1e-3, 1.0, 100.0):
        rough, exact = both(loss, X, y, C=C, solver=solver, multi_class="ovr" if kind == "ovr" else "auto")
        assert all("proven bound" in status for status in rough.status_)
        assert (rough.suboptimality_ <= 1e-3).all()
        above = (rough.objective_ - exact.objective_) / np.abs(exact.objective_)
        assert (above <= rough.suboptimality_ + 1e-7).all()
        assert (rough.n_iter_ <= exact.n_iter_).all()


def test_it_ends_at_the_proof():
    y = CLASSES > 0
    for loss in ("logistic", "squared_hinge", "hinge"):
        rough, exact = both(loss, X, y, solver="newton")
        assert (rough.n_iter_ < exact.n_iter_).all()
        assert (rough.suboptimality_ > 100.0 * exact.suboptimality_).all()
        # Just below, the same steps go on to rounding.
        near = MarginLinearClassifier(loss, tol=0.5 * ROUGH, solver="newton").fit(X, y)
        np.testing.assert_allclose(near.coef_, exact.coef_, rtol=1e-6, atol=1e-9)


def test_many_classes_take_far_fewer_steps():
    X, y = scale(DIGITS[0][:400]), DIGITS[1][:400]
    for loss in ("squared_hinge", "hinge", "smooth_hinge"):
        rough, exact = both(loss, X, y, C=0.01)
        assert rough.n_iter_[0] <= 0.7 * exact.n_iter_[0]
        assert (rough.predict(X) == exact.predict(X)).mean() > 0.98


def test_a_gradient_too_large_for_its_dual_variables_is_no_last_step(monkeypatch):
    """Where C n is large, a step with a gain of 0.006 was solved for a proof that could not come, and then another."""
    X, y = make_classification(5000, 5, n_informative=5, n_redundant=0, n_classes=5, n_clusters_per_class=1,
                               flip_y=0.1, random_state=1)  # fmt: skip
    calls, product = [], JointCurvature.product
    monkeypatch.setattr("marginclf.solvers.direction.compiled_loop", lambda *_: None)
    monkeypatch.setattr(JointCurvature, "product", lambda self, p: (calls.append(0), product(self, p))[1])
    products = []
    for tol in (1e-3, 1e-8):
        calls.clear()
        MarginLinearClassifier(C=100.0, tol=tol).fit(X, y)
        products.append(len(calls))
    assert 0 < products[0] < products[1]
