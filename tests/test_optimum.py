"""Every convex loss reaches the optimum that independent solvers find, and the proven bound is a bound."""

import cvxpy as cp
import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from problems import Exact, draw, fit, solution
from references import CONVEX, LOSS_CASES, takes, with_solvers
from sklearn.linear_model import RidgeClassifier
from sklearn.svm import LinearSVC

from marginclf.losses import Squared, SquaredHinge
from marginclf.solvers import SOLVERS

STRENGTHS = [0.01, 1.0, 100.0]
BOUNDED_BELOW = [case for case in CONVEX if not case.values[0].affine]


def _decaying(m, kink, decay):
    """A loss that is 1 − m up to the kink and decays above: the decay moved left at a price of 1 a unit."""
    v = cp.Variable(m.shape, nonneg=True)
    return decay(m + v) + v


def _dwd(m, q):
    return _decaying(m, q / (q + 1), lambda t: q**q / (q + 1) ** (q + 1) * cp.power(t, -q))


def _lum(m, a, c):
    return _decaying(m, c / (1 + c), lambda t: cp.power(((1 + c) * t - c + a) / a, -a) / (1 + c))


def _smooth_hinge(m, gamma):
    u = cp.Variable(m.shape)
    return cp.pos(1 - u) + cp.square(u - m) / (2 * gamma)


def _modified_huber(m):
    v = cp.Variable(m.shape, nonneg=True)
    return cp.square(cp.pos(1 - m - v)) + 4 * v


DISCIPLINED = {
    "logistic": lambda m: cp.logistic(-m),
    "hinge": lambda m: cp.pos(1 - m),
    "squared_hinge": lambda m: cp.square(cp.pos(1 - m)),
    "smooth_hinge": _smooth_hinge,
    "modified_huber": _modified_huber,
    "exponential": lambda m: cp.exp(-m),
    "squared": lambda m: cp.square(1 - m),
    "dwd": _dwd,
    "lum": _lum,
}
"""The losses in the grammar of cvxpy; those that vanish slowly as a smallest value over one more variable a row."""


def disciplined(loss, m):
    """The loss at margins in the grammar of cvxpy."""
    if loss.name not in DISCIPLINED:
        pytest.fail(
            f"the convex loss {loss.name!r} has no form for cvxpy: add one to DISCIPLINED in tests/test_optimum.py"
        )
    return DISCIPLINED[loss.name](m, **loss.get_params())


def by_cvxpy(loss, X, y, s, C, fit_intercept):
    w, b = cp.Variable(X.shape[1]), cp.Variable()
    margins = cp.multiply(2 * y - 1, X @ w + b)
    constraints = [] if fit_intercept else [b == 0]
    F = C * cp.sum(cp.multiply(s, disciplined(loss, margins))) + cp.sum_squares(w) / 2
    problem = cp.Problem(cp.Minimize(F), constraints)
    problem.solve(solver=cp.CLARABEL)
    return w.value, float(b.value), problem.value


# A power such as −7.3 is made of cones for each of the digits; cvxpy says that there are many of them.
@pytest.mark.filterwarnings("ignore:Power atom with exponent")
@pytest.mark.parametrize("fit_intercept", [True, False], ids=["intercept", "no-intercept"])
@pytest.mark.parametrize("C", STRENGTHS)
@pytest.mark.parametrize("loss", BOUNDED_BELOW)
def test_not_above_cvxpy(loss, C, fit_intercept):
    X, y, s = draw(n=25, d=3, seed=1)
    w, b, modelled = by_cvxpy(loss, X, y, s, C, fit_intercept)
    exact = Exact(loss, X, y, s, C=C, fit_intercept=fit_intercept)
    theirs = float(exact.value(exact.theta(w, b)))
    # What cvxpy solved is this problem, or it would not be a reference.
    assert modelled == pytest.approx(theirs, rel=1e-5)

    model, messages = fit(loss, X, y, s, C=C, fit_intercept=fit_intercept)
    ours = float(exact.value(exact.theta(*solution(model))))
    assert not messages
    assert theirs * (1 - 1e-4) <= ours <= theirs * (1 + 1e-8)
    assert model.objective_[0] == pytest.approx(ours, rel=1e-13)


@pytest.mark.parametrize("C", STRENGTHS)
def test_not_above_linear_svc(C):
    X, y, s = draw(n=60, d=4, seed=2)
    theirs = LinearSVC(loss="squared_hinge", dual=False, fit_intercept=False, C=C, tol=1e-12, max_iter=10_000)
    theirs.fit(X, y, s)
    ours, _ = fit("squared_hinge", X, y, s, C=C, fit_intercept=False)
    exact = Exact(SquaredHinge(), X, y, s, C=C, fit_intercept=False)
    reached = [float(exact.value(exact.theta(model.coef_[0], 0.0))) for model in (ours, theirs)]
    assert reached[1] * (1 - 1e-6) <= reached[0] <= reached[1] * (1 + 1e-8)


@pytest.mark.parametrize("fit_intercept", [True, False], ids=["intercept", "no-intercept"])
@pytest.mark.parametrize("C", STRENGTHS)
def test_squared_is_the_ridge_classifier(C, fit_intercept):
    X, y, s = draw(n=60, d=4, seed=3)
    theirs = RidgeClassifier(alpha=1.0 / (2.0 * C), fit_intercept=fit_intercept, solver="cholesky").fit(X, y, s)
    ours, _ = fit("squared", X, y, s, C=C, fit_intercept=fit_intercept)
    theta = [np.append(model.coef_, model.intercept_) for model in (ours, theirs)]
    np.testing.assert_allclose(*theta, rtol=1e-9, atol=1e-12)
    exact = Exact(Squared(), X, y, s, C=C, fit_intercept=fit_intercept)
    reached = [float(exact.value(exact.theta(t[:-1], t[-1]))) for t in theta]
    assert reached[0] <= reached[1] * (1 + 1e-8)


@pytest.mark.parametrize(("loss", "solver"), with_solvers(BOUNDED_BELOW, ("auto", *SOLVERS)))
def test_within_tol_of_the_optimum_in_60_digits(loss, solver):
    X, y, s = draw(n=40, d=3, seed=4)
    for C in STRENGTHS:
        for fit_intercept in (True, False):
            model, messages = fit(loss, X, y, s, C=C, fit_intercept=fit_intercept, solver=solver)
            excess = Exact(loss, X, y, s, C=C, fit_intercept=fit_intercept).excess(model)
            assert not messages
            assert excess <= 1e-8
            assert excess <= model.suboptimality_[0] + 1e-15


@st.composite
def stopped_early(draw_one):
    return {
        "loss": draw_one(st.sampled_from([loss for _, loss in LOSS_CASES if loss.convex])),
        "n": draw_one(st.integers(4, 30)),
        "d": draw_one(st.integers(1, 4)),
        "seed": draw_one(st.integers(0, 10**6)),
        "scale": 10.0 ** draw_one(st.integers(-2, 3)),
        "C": 10.0 ** draw_one(st.integers(-3, 3)),
        "fit_intercept": draw_one(st.booleans()),
        "solver": draw_one(st.sampled_from(["auto", *SOLVERS])),
        "max_iter": draw_one(st.integers(1, 6)),
        "tol": draw_one(st.sampled_from([0.0, 1e-8, 1e-3, 0.1, 1.0])),
    }


@settings(max_examples=150, deadline=None, derandomize=True)
@given(stopped_early())
def test_bound_is_never_below_the_suboptimality(case):
    loss, scale = case.pop("loss"), case.pop("scale")
    assume(takes(case["solver"], loss))
    X, y, s = draw(case.pop("n"), case.pop("d"), case.pop("seed"))
    X *= scale
    early, _ = fit(loss, X, y, s, **case)
    best, _ = fit(loss, X, y, s, **{**case, "solver": "newton", "max_iter": 1000, "tol": 0.0})
    value, bound = early.objective_[0], early.suboptimality_[0]
    assert value - best.objective_[0] <= (bound + 1e-13) * abs(value)


def test_bound_is_not_idle():
    """The test above would pass for a bound that is always infinite."""
    X, y, s = draw(n=60, d=4, seed=5)
    for loss in ("logistic", "squared_hinge", "exponential"):
        early, messages = fit(loss, X, y, s, solver="newton", max_iter=1, tol=0.0)
        best, _ = fit(loss, X, y, s, tol=0.0)
        missing = (early.objective_[0] - best.objective_[0]) / early.objective_[0]
        assert messages
        assert 1e-6 < missing < early.suboptimality_[0] < 100.0 * missing
