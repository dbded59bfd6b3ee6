"""The L2 penalty with weights of its own for each feature, through the solvers."""

import numpy as np
import pytest
import scipy.sparse as sp

from marginclf.losses import get_loss
from marginclf.matrix import design_matrix
from marginclf.matrix.parts import LocalParts, Part
from marginclf.objective import (
    L2,
    BinaryObjective,
    JointObjective,
    Objective,
    PartitionedObjective,
    Problem,
    signed_weights,
)
from marginclf.solvers import Status, solve
from marginclf.solvers.preconditioner import preconditioners

N, D = 90, 4
WEIGHTS = np.array([0.3, 1.0, 4.0, 20.0])
RNG = np.random.default_rng(8)
X = RNG.normal(size=(N, D)) + np.array([0.0, 1.0, -2.0, 0.0])
CODES = (X @ RNG.normal(size=(D, 3)) + RNG.gumbel(size=(N, 3))).argmax(axis=1).astype(np.uint8)
STORES = {"dense": np.asarray, "sparse": sp.csr_array, "in parts": lambda X: LocalParts(X, CODES, None)}
FORMS = {"binary": 1, "joint": 3}
PENALTIES = {"l2": L2(), "l2, one weight": L2(5.0), "l2, weights": L2(WEIGHTS)}
"""What solvers may be given, of which nothing is left out; a new penalty has an entry here."""
SOLVED = [(loss, "newton") for loss in ("logistic", "squared_hinge", "hinge")]
SOLVED += [(loss, solver) for loss in ("logistic", "squared_hinge") for solver in ("lbfgs", "conjugate gradients")]


def objective_of(loss, form, rows, penalty, *, fit_intercept=True):
    how = {"penalty": penalty, "fit_intercept": fit_intercept}
    if isinstance(rows, LocalParts):
        centre, positive = X.mean(axis=0) * fit_intercept, 0 if form == "binary" else None
        problem = Problem(get_loss(loss), 3, positive, 2.0, None, fit_intercept, centre, penalty)
        sample = Part(rows.part(slice(None)).X[::2], CODES[::2], np.full(len(CODES[::2]), 2.0))
        return PartitionedObjective(rows, problem, np.bincount(CODES), sample)
    matrix = design_matrix(rows)
    if form == "binary":
        return BinaryObjective(matrix, get_loss(loss), signed_weights(CODES, 0, 3, None, 2.0), **how)
    return JointObjective(matrix, get_loss(loss), CODES, np.full(1, 2.0), 3, **how)


def minimum(objective, solver, tol=1e-10):
    return solve(objective, objective.zeros(), solver=solver, tol=tol, max_iter=1000)


@pytest.mark.parametrize("fit_intercept", [True, False], ids=["intercept", "no-intercept"])
@pytest.mark.parametrize("store", STORES)
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(("loss", "solver"), SOLVED)
def test_weights_are_units_of_the_columns(loss, solver, form, store, fit_intercept, monkeypatch):
    """½ λ w² is ½ v² for v = √λ w, which x / √λ has as its coefficient."""
    weighted = objective_of(loss, form, STORES[store](X), L2(WEIGHTS), fit_intercept=fit_intercept)
    plain = objective_of(loss, form, STORES[store](X / np.sqrt(WEIGHTS)), L2(), fit_intercept=fit_intercept)
    expected = minimum(plain, "newton", 1e-12)
    if solver == "conjugate gradients":
        monkeypatch.setattr(Objective, "direct_limit", 0)
    found = minimum(weighted, "lbfgs" if solver == "lbfgs" else "newton")
    assert found.status is Status.PROVEN
    assert found.point.value == pytest.approx(expected.point.value, rel=1e-9)
    units = expected.point.coefficients / np.sqrt(WEIGHTS)
    np.testing.assert_allclose(found.point.coefficients, units, rtol=1e-4, atol=1e-4)  # tol leaves its root
    # What is proven and what is gained are the same in either units.
    if store == "in parts" and solver == "conjugate gradients":
        return  # L-BFGS in the units of a diagonal, whose points have no more to tell
    there = weighted.at(weighted.theta(0.5 * units, expected.point.b))
    same = plain.at(plain.theta(0.5 * expected.point.coefficients, expected.point.b))
    if store == "in parts":
        assert there.gain == pytest.approx(same.gain, rel=1e-9)
        return
    if get_loss(loss).smooth:
        assert there.bound == pytest.approx(same.bound, rel=1e-9)
        assert there.bound >= there.value - expected.point.value
    assert there.gain == pytest.approx(same.gain, rel=1e-9)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("solver", ["newton", "lbfgs"])
def test_a_feature_that_is_not_penalised(solver, form):
    """Nothing is proven by the gradient then; the optimum is where a tiny weight leads."""
    weights = np.array([0.0, 1.0, 1.0, 1.0])
    found = minimum(objective_of("logistic", form, X, L2(weights)), solver)
    near = minimum(objective_of("logistic", form, X, L2(np.maximum(weights, 1e-9))), "newton", 1e-12)
    assert np.isnan(found.point.bound)
    assert found.status is Status.LIMIT_OF_PRECISION
    assert found.point.value == pytest.approx(near.point.value, rel=1e-8)
    spread = found.point.coefficients - found.point.coefficients[:, :1].mean(axis=0) * [1, 0, 0, 0] * (form == "joint")
    wanted = near.point.coefficients - near.point.coefficients[:, :1].mean(axis=0) * [1, 0, 0, 0] * (form == "joint")
    np.testing.assert_allclose(spread, wanted, atol=1e-3)


@pytest.mark.parametrize("kind", ["newton", "lbfgs"])
def test_a_number_weighs_all_features(kind):
    """Not 1: nothing may take it for that."""
    found = minimum(objective_of("logistic", "binary", X, L2(5.0)), kind)
    same = minimum(objective_of("logistic", "binary", X, L2(np.full(D, 5.0))), kind)
    np.testing.assert_allclose(found.point.theta, same.point.theta)
    with pytest.raises(ValueError, match="weighs all features alike"):
        minimum(objective_of("logistic", "binary", X, L2(5.0)), "dual")


def test_a_bound_with_b_off_its_minimum_goes_by_the_weights():
    """What moving b changes of the gradient in a column far from zero is much where its weight is little."""
    weights = np.array([1.0, 1e-6, 1.0, 1.0])
    objective = objective_of("logistic", "binary", X, L2(weights))
    coordinates = preconditioners(objective).around(objective.origin())
    point = objective.evaluate(objective.theta(0.0, 0.01))
    for _ in range(20):  # the gradient in w is zero then, and b is not where it should be
        hessian = objective.matrix.gram(point.c, None) + np.diag(weights)
        step = np.append(np.linalg.solve(hessian, point.gradient[:-1]), 0.0)
        point = objective.evaluate(point.theta - step)
    settled = objective.minimise_intercept(point, np.inf, coordinates.mean)
    assert settled.theta is point.theta, "this is what the test is for"
    assert settled.bound >= 0.5 * objective.at(point.theta).bound
    assert settled.bound >= settled.value - minimum(objective, "newton", 1e-13).point.value


@pytest.mark.parametrize("form", FORMS)
def test_nothing_is_proven_where_intercepts_are_off_their_minimum(form):
    objective = objective_of("logistic", form, X, L2())
    best = minimum(objective, "newton").point
    off = objective.theta(best.coefficients, best.b + np.linspace(-0.3, 0.2, len(best.b)))
    assert objective.evaluate(off).bound == objective.evaluate(off).excess == np.inf
    assert objective.at(off).bound < np.inf
    held = objective_of("logistic", form, X, L2(), fit_intercept=False)
    assert held.evaluate(held.theta(best.coefficients, 0.0)).bound < np.inf


def test_what_needs_other_weights_says_so():
    with pytest.raises(ValueError, match=r"solver='dual' needs a penalty that weighs all features alike.*0.3 to 20"):
        minimum(objective_of("logistic", "binary", X, L2(WEIGHTS)), "dual")
    with pytest.raises(ValueError, match="needs a penalty of every feature; the least weight is 0"):
        minimum(objective_of("hinge", "binary", X, L2(np.array([0.0, 1.0, 1.0, 1.0]))), "newton")
    with pytest.raises(ValueError, match="is a straight line, and its fit needs a penalty of every feature"):
        minimum(objective_of("linear", "binary", X, L2(np.array([0.0, 1.0, 1.0, 1.0]))), "auto")
    with pytest.raises(ValueError, match=r"shape \(3,\), and X has 4 features"):
        objective_of("logistic", "binary", X, L2(np.ones(3)))
    with pytest.raises(ValueError, match="numbers of at least 0"):
        L2(np.array([1.0, -1.0]))
    with pytest.raises(ValueError, match="numbers of at least 0"):
        L2(np.array([1.0, np.nan]))


@pytest.mark.parametrize("fit_intercept", [True, False], ids=["intercept", "no-intercept"])
@pytest.mark.parametrize("loss", ["logistic", "squared_hinge", "modified_huber", "smooth_hinge"])
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("penalty", PENALTIES)
def test_the_bound_is_one(penalty, form, loss, fit_intercept):
    """F − F* is never more, at the start, on the way, beyond the optimum and far away, and it is not idle."""
    objective = objective_of(loss, form, X, PENALTIES[penalty], fit_intercept=fit_intercept)
    best, rng = minimum(objective, "newton", 1e-13).point, np.random.default_rng(9)
    away = rng.normal(size=(6, *best.coefficients.shape)) * np.repeat([1.0, 50.0], 3)[:, None, None]
    for W in [*(t * best.coefficients for t in (0.0, 0.5, 0.99, 1.5, -1.0)), *(best.coefficients + away)]:
        point = objective.at(objective.theta(W, best.b))
        assert best.value < point.value
        assert point.bound * (1.0 + 1e-9) >= point.value - best.value
        assert point.bound < np.inf


@pytest.mark.parametrize("by_column", [False, True], ids=["(K, d)", "(d, P)"])
@pytest.mark.parametrize("penalty", PENALTIES)
def test_a_penalty_is_quadratic(penalty, by_column):
    """Solvers ask for that: see docs/development/adding_a_penalty.rst before something else is tried."""
    shape = (D, 4) if by_column else (4, D)
    found = PENALTIES[penalty].laid_out(shape, by_column=by_column)
    w, u = np.random.default_rng(10).normal(size=(2, 4 * D))
    each = np.broadcast_to(PENALTIES[penalty].weights, D)
    each = np.broadcast_to(each[:, None] if by_column else each, shape).ravel()
    assert bool(found)
    assert found.strong_convexity == each.min()
    np.testing.assert_array_equal(
        np.broadcast_to(found.diagonal, 4 * D), each, "diagonal: the weight of each entry of w"
    )
    np.testing.assert_allclose(found.gradient(w), each * w, err_msg="gradient(p) is the Hessian's product with p")
    assert found.value(np.zeros(4 * D)) == 0.0, "the value at 0 is taken for 0"
    assert found.value(w) == pytest.approx(0.5 * w @ found.gradient(w))
    assert found.conjugate(found.gradient(u)) == pytest.approx(found.value(u))


def test_the_functions_of_the_penalty():
    penalty = L2(WEIGHTS).laid_out((2, D), by_column=False)
    rng = np.random.default_rng(0)
    w, g = rng.normal(size=(2, 2 * D))
    assert penalty.value(w) == pytest.approx(0.5 * (np.tile(WEIGHTS, 2) * w**2).sum())
    # Fenchel and Young: equal where g is the gradient.
    assert penalty.value(w) + penalty.conjugate(g) >= w @ g
    assert penalty.value(w) + penalty.conjugate(penalty.gradient(w)) == pytest.approx(w @ penalty.gradient(w))
    assert L2(np.array([0.0, 1.0])).conjugate(np.array([1.0, 0.0])) == np.inf
    assert L2(np.array([0.0, 2.0])).conjugate(np.array([0.0, 2.0])) == 1.0
