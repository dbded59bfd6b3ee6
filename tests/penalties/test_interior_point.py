"""Hinge beside kinks, weights and bounds by interior points: the optimum of other solvers, proven, zeros exact."""

import math

import numpy as np
import pytest
import scipy.sparse as sp
from penalised import Problem
from problems import fit
from scipy.optimize import linprog

from marginclf.losses import MarginLoss, get_loss
from marginclf.matrix import design_matrix
from marginclf.objective import L2 as Quadratic
from marginclf.objective import BinaryObjective, NonsmoothPenalty
from marginclf.penalties import L1, L2, ElasticNet, smallest_C
from marginclf.solvers import Status, solve_penalised
from marginclf.solvers.lines import soft_lines
from marginclf.solvers.penalised import flat_losses, interior_sets
from marginclf.solvers.penalised.interior_face import Face
from marginclf.solvers.penalised.interior_point import Columns, InteriorPoint, Rows
from marginclf.solvers.penalised.interior_problem import Program
from marginclf.solvers.penalised.interior_sets import by_interior_point, lines_of
from marginclf.solvers.penalised.interior_system import Products


def rows(n, d, seed=0):
    """Correlated columns of several units, one of them far from the origin, classes that overlap, and weights."""
    rng = np.random.default_rng([seed, n, d])
    X = rng.normal(size=(n, d)) + rng.normal(size=(n, 1))
    X *= 10.0 ** rng.uniform(-0.5, 0.5, d)
    X[:, 0] += 5.0
    scores = (X - X.mean(axis=0)) @ (rng.normal(size=d) * (np.arange(d) < 5)) / X.std(axis=0).max()
    codes = (scores + rng.logistic(size=n) > 0.0).astype(int)
    codes[:2] = 0, 1
    return X, codes, rng.uniform(0.2, 2.0, n)


def weights(d):
    """One in three not penalised, of the first nine."""
    v = np.linspace(0.5, 2.0, d)
    v[:9:3] = 0.0
    return v


PENALTIES = {
    "l1": (lambda d: L1(), None),
    "elastic-net": (lambda d: ElasticNet(0.6), None),
    "weights": (lambda d: L1(weights(d)), None),
    "signs": (lambda d: L1(), (0.0, None)),
    "box": (lambda d: ElasticNet(0.3), (-0.05, 0.2)),
    "bounds-alone": (lambda d: L2(), (-0.1, None)),
    "weights-in-a-box": (lambda d: L1(weights(d)), (-0.3, 0.4)),
}


@pytest.mark.parametrize("name", PENALTIES)
@pytest.mark.parametrize("shape", [(80, 12), (25, 60)], ids=["tall", "wide"])
def test_the_optimum_of_another_solver(name, shape):
    X, codes, s = rows(*shape)
    make, bounds = PENALTIES[name]
    penalty = make(shape[1])
    for C, fit_intercept in ((1e-3, True), (0.3, False), (1e4, True)):
        how = {"C": C, "bounds": bounds, "fit_intercept": fit_intercept}
        model, messages = fit("hinge", X, codes, s, penalty=penalty, **how)
        problem = Problem("hinge", penalty, X, codes, s, **how)
        ours, theirs = problem.value(model.coef_, model.intercept_), problem.by_cvxpy()
        assert not messages
        assert model.suboptimality_[0] <= 1e-9
        # With C = 1e4 and rows at the kink, what rounding makes of their margins shows in F.
        assert model.objective_[0] == pytest.approx(ours, rel=1e-12 if C < 1.0 else 1e-10)
        assert ours <= theirs * (1.0 + 1e-8)
        assert theirs <= ours * (1.0 + 1e-3), "the other solver is far off"
        assert ours * (1.0 - model.suboptimality_[0]) <= theirs * (1.0 + 1e-14), "what is proven is false"
        assert (problem.lower <= model.coef_).all()
        assert (model.coef_ <= problem.upper).all()


@pytest.mark.parametrize("name", PENALTIES)
@pytest.mark.parametrize("loss", ["squared_hinge", "modified_huber", "smooth_hinge"])
def test_the_optimum_where_the_corner_is_rounded_off(loss, name, monkeypatch):
    monkeypatch.setattr(flat_losses, "_PATIENCE", ((1, np.inf),))
    X, codes, s = rows(60, 20) if name == "l1" else rows(80, 12)
    s[::9] = 0.0
    make, bounds = PENALTIES[name]
    penalty = make(X.shape[1])
    for C, fit_intercept in ((0.01, True), (0.3, False), (1e4, True)):
        how = {"C": C, "bounds": bounds, "fit_intercept": fit_intercept}
        model, messages = fit(loss, X, codes, s, penalty=penalty, **how)
        problem = Problem(loss, penalty, X, codes, s, **how)
        assert not messages
        assert model.suboptimality_[0] <= 1e-9
        ours = problem.value(model.coef_, model.intercept_)
        assert model.objective_[0] == pytest.approx(ours, rel=1e-12 if C < 1.0 else 1e-10)
        assert (problem.lower <= model.coef_).all()
        assert (model.coef_ <= problem.upper).all()
        if loss == "squared_hinge":
            theirs = problem.by_cvxpy()
            assert ours <= theirs * (1.0 + 1e-8)
            assert ours * (1.0 - model.suboptimality_[0]) <= theirs * (1.0 + 1e-14), "what is proven is false"


@pytest.mark.parametrize("loss", ["squared_hinge", "smooth_hinge"])
def test_few_curved_rows_that_change_are_left_to_interior_points(loss, monkeypatch):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(150, 200)) + 0.5 * rng.normal(size=(150, 1))
    codes = (X @ (rng.normal(size=200) * (np.arange(200) < 20)) + rng.logistic(size=150) > 0.0).astype(int)
    C = 1e5 * smallest_C(X, codes, loss=loss, penalty="l1")
    model, messages = fit(loss, X, codes, penalty="l1", C=C)
    assert not messages
    assert model.n_iter_[0] <= 60
    assert model.suboptimality_[0] <= 1e-10
    monkeypatch.setattr(flat_losses, "lines_of", lambda *given: None)
    alone, _ = fit(loss, X, codes, penalty="l1", C=C)
    assert model.objective_[0] <= alone.objective_[0] * (1.0 + 1e-9)


class Bent(MarginLoss):
    """A parabola up to slope 1, and from there on a loss that grows more slowly."""

    def point(self, m):
        t = 1.0 - m
        if t <= 1.0:
            return 0.5 * max(t, 0.0) ** 2, -max(t, 0.0), 1.0 if t > 0.0 else 0.0
        root = math.sqrt(2.0 * t - 1.0)
        return (1.0 + 2.0 * root**3) / 6.0, -root, 1.0 / root

    def slope_bounds(self):
        return -np.inf, 0.0

    def inverse_slope(self, a):
        return (1.0 - a, -1.0) if a <= 1.0 else (0.5 - 0.5 * a * a, -a)


class Untrue(Bent):
    """A parabola whose inverse is that of another one, which would prove what is false."""

    def point(self, m):
        t = max(1.0 - m, 0.0)
        return t * t, -2.0 * t, 2.0 if t > 0.0 else 0.0

    def inverse_slope(self, a):
        return 1.0 - 0.25 * a, -0.25


@pytest.mark.parametrize("loss", [Bent(), Untrue()], ids=["bent", "untrue"])
def test_lines_are_found_by_values_and_not_by_an_inverse_that_says_so(loss):
    assert soft_lines(loss, loss.compiled()) is None


@pytest.mark.parametrize(("loss", "C"), [("squared_hinge", 73.8), ("modified_huber", 1e3), ("hinge", 1e-4)])
def test_who_watches_changes_no_bit(loss, C):
    rng = np.random.default_rng(10)
    X = rng.normal(size=(92, 95))
    how = {"penalty": ElasticNet(0.5), "C": C, "max_iter": 11, "tol": 1e-9}
    codes = (X[:, 0] + rng.normal(size=92) > 0.0).astype(int)
    model, messages = fit(loss, X, codes, **how)
    watched, others = fit(loss, X, codes, record_history=True, **how)
    assert messages == others
    np.testing.assert_array_equal(model.coef_, watched.coef_)
    np.testing.assert_array_equal(model.intercept_, watched.intercept_)
    assert watched.history_[0]["objective"][-1] == model.objective_[0]


def test_the_best_of_several_attempts_is_the_end_and_the_last_that_is_seen(monkeypatch):
    """Two Newton steps leave one of three, for an interior point that is far from the optimum."""
    monkeypatch.setattr(flat_losses, "_PATIENCE", ((2, np.inf),))
    X, codes, _ = rows(60, 20)
    for loss in ("squared_hinge", "smooth_hinge", "modified_huber"):
        how = {"penalty": "l1", "C": 1e4, "max_iter": 3, "record_history": True}
        model, messages = fit(loss, X, codes, **how)
        history = model.history_[0]
        assert messages
        assert model.objective_[0] == history["objective"].min() == history["objective"][-1]
        assert history["suboptimality"][-1] == model.suboptimality_[0]


def test_what_took_a_thousand_steps_takes_thirty():
    X, codes, _ = rows(300, 60, 1)
    C = 1e4 * smallest_C(X, codes, loss="hinge", penalty="l1")
    model, messages = fit("hinge", X, codes, penalty="l1", C=C)
    assert not messages
    assert model.n_iter_[0] <= 40
    assert model.suboptimality_[0] <= 1e-10
    X, codes, _ = rows(60, 400, 1)
    C = 100.0 * smallest_C(X, codes, loss="hinge", penalty="l1")
    model, messages = fit("hinge", X, codes, penalty="l1", C=C)
    assert not messages
    assert model.n_iter_[0] <= 40
    assert 2 <= (model.coef_ != 0.0).sum() <= 60


@pytest.mark.parametrize("store", [np.asarray, np.asfortranarray, sp.csr_array, sp.csc_array])
def test_working_sets_of_columns_have_the_same_optimum(monkeypatch, store):
    X, codes, s = rows(120, 90, 2)
    X[np.abs(X) < 0.7] = 0.0
    s[::7] = 0.0
    how = {"penalty": L1(weights(90)), "C": 0.2, "bounds": (-2.0, None)}
    expected, _ = fit("hinge", X, codes, s, **how)
    monkeypatch.setattr(interior_sets, "_FEW", 0.0)
    monkeypatch.setattr(interior_sets, "_FIRST", 6)
    model, messages = fit("hinge", store(X), codes, s, **how)
    assert not messages
    np.testing.assert_array_equal(model.coef_ == 0.0, expected.coef_ == 0.0)
    np.testing.assert_allclose(model.coef_, expected.coef_, rtol=1e-6, atol=1e-9)
    assert model.n_iter_[0] > expected.n_iter_[0]


def test_too_many_columns_are_left_to_the_augmented_lagrangian(monkeypatch):
    X, codes, s = rows(120, 90, 2)
    how = {"penalty": ElasticNet(0.2), "C": 0.5}
    expected, _ = fit("hinge", X, codes, s, **how)
    for name, value in (("_FEW", 0.0), ("_FIRST", 6), ("_MOST", 20)):
        monkeypatch.setattr(interior_sets, name, value)
    model, messages = fit("hinge", X, codes, s, **how)
    assert not messages
    assert model.objective_ == pytest.approx(expected.objective_, rel=1e-8)


@pytest.mark.parametrize("steps", [1, 3, 5])
def test_max_iter_is_kept_and_what_is_proven_by_then_is_true(steps):
    X, codes, s = rows(80, 12)
    model, messages = fit("hinge", X, codes, s, penalty="l1", C=10.0, max_iter=steps)
    best, _ = fit("hinge", X, codes, s, penalty="l1", C=10.0)
    assert model.n_iter_[0] == steps
    assert "max_iter" in messages[0]
    assert model.objective_[0] * (1.0 - model.suboptimality_[0]) <= best.objective_[0] * (1.0 + 1e-12)


@pytest.mark.parametrize("loss", ["hinge", "squared_hinge", "smooth_hinge"])
def test_watched_fits_are_the_same_and_their_bounds_hold(loss, monkeypatch):
    monkeypatch.setattr(flat_losses, "_PATIENCE", ((1, np.inf),))
    X, codes, s = rows(60, 40)
    plain, _ = fit(loss, X, codes, s, penalty="l1", C=10.0)
    model, _ = fit(loss, X, codes, s, penalty="l1", C=10.0, record_history=True)
    np.testing.assert_array_equal(model.coef_, plain.coef_)
    values, bounds = (np.array(model.history_[0][name]) for name in ("objective", "suboptimality"))
    assert len(values) >= 8
    assert (values * (1.0 - bounds) <= plain.objective_[0] * (1.0 + 1e-12)).all()
    assert bounds[-1] <= 1e-10


def test_zero_is_proven():
    X, codes, s = rows(80, 12)
    C = smallest_C(X, codes, loss="hinge", penalty="l1", sample_weight=s)
    for part, fit_intercept in ((0.3, True), (0.99, True), (0.3, False)):
        model, messages = fit("hinge", X, codes, s, penalty="l1", C=part * C, fit_intercept=fit_intercept)
        assert not model.coef_.any() or not fit_intercept
        assert not messages
        assert model.suboptimality_[0] <= 1e-12


@pytest.mark.parametrize(("seed", "bounds"), [(0, None), (11, (0, None)), (29, None)])
def test_where_features_of_weight_zero_separate_the_classes_it_ends(seed, bounds):
    """F is 0 to rounding there, no bound is little beside it, and the rounds went on for ever."""
    rng = np.random.default_rng(seed)
    n, d = int(rng.integers(3, 8)), int(rng.choice([3, 10, 40]))
    X, codes, penalty = rng.normal(size=(n, d)), np.arange(n) % 2, L1(rng.choice([0, 0, 1.0], d))
    model, messages = fit("hinge", X, codes, penalty=penalty, bounds=bounds)
    assert model.objective_ < 1e-14
    assert model.status_[0].startswith("Optimal")
    assert not messages
    assert smallest_C(X, codes, loss="hinge", penalty=penalty, bounds=bounds) > 0.0


def test_columns_that_are_twice_there_or_constant_or_nothing():
    X, codes, s = rows(60, 8)
    X = np.column_stack([X, X[:, :3], np.ones(60), np.zeros(60)])
    for C in (0.1, 1e3):
        how = {"penalty": "l1", "C": C}
        model, messages = fit("hinge", X, codes, s, **how)
        problem = Problem("hinge", L1(), X, codes, s, C=C)
        assert not messages
        assert model.suboptimality_[0] <= 1e-9
        assert problem.value(model.coef_, model.intercept_) <= problem.by_cvxpy() * (1.0 + 1e-8)


@pytest.mark.parametrize("shape", [(60, 8), (20, 40)], ids=["by-columns", "by-rows"])
def test_two_lines_that_rise_on_the_right(shape):
    X, codes, s = rows(*shape)
    n, d = shape
    left, right, kink, signs = -0.8, 0.3, 2.0, 2.0 * codes - 1.0
    columns = Columns(np.ones(d), np.zeros(d), np.zeros(d), np.full(d, -np.inf), np.full(d, np.inf))
    with design_matrix(X, 1) as matrix:
        run = InteriorPoint(
            Products(matrix),
            Rows(signs, s, (right - left) * s, right, kink, np.zeros(n), np.zeros(n)),
            columns,
            fit_intercept=True,
        )
        while run.gap > 1e-9 and run.step():
            pass
    found = s @ np.maximum(left * run.beyond, right * run.beyond) + np.abs(run.u).sum()
    # The same as a linear program in p, n, b and the value of each row.
    M = signs[:, None] * np.column_stack([X, -X, np.ones(n)])
    A = np.vstack([np.column_stack([slope * M, -np.eye(n)]) for slope in (left, right)])
    limits = [(0.0, None)] * (2 * d) + [(None, None)] * (n + 1)
    cost = np.concatenate([np.ones(2 * d), [0.0], s])
    expected = linprog(cost, A, np.concatenate([np.full(n, left * kink), np.full(n, right * kink)]), bounds=limits)
    assert found == pytest.approx(expected.fun, rel=1e-7)


def test_who_watches_may_end_it():
    X, codes, s = rows(80, 12)
    seen = []

    def watch(iterate):
        seen.append(iterate())
        return len(seen) == 3

    with design_matrix(X, 1) as matrix:
        signed = 10.0 * s * (2.0 * codes - 1.0)
        objective = BinaryObjective(matrix, get_loss("hinge"), signed, penalty=Quadratic(0.0), fit_intercept=True)
        objective.monitor = watch
        penalty = NonsmoothPenalty.of((1, 12), np.ones(12), np.zeros(12), None, None)
        how = {"tol": 1e-8, "max_iter": 100, "provable": True}
        solution = solve_penalised(objective, penalty, objective.zeros(), **how)
    assert solution.status is Status.STOPPED
    np.testing.assert_array_equal(solution.point.theta, seen[-1].theta)


@pytest.mark.parametrize("loss", ["hinge", "squared_hinge", "smooth_hinge"])
def test_optimal_dual_variables_prove_what_another_point_misses_and_no_less(loss):
    X, codes, s = rows(60, 8)
    with design_matrix(X, 1) as matrix:
        signed = 0.5 * s * (2.0 * codes - 1.0)
        objective = BinaryObjective(matrix, get_loss(loss), signed, penalty=Quadratic(0.0), fit_intercept=True)
        penalty = NonsmoothPenalty.of((1, 8), np.ones(8), np.full(8, 0.1), None, None)
        end = by_interior_point(objective, penalty, 0.0, tol=1e-12, max_iter=100)
        program = Program(objective, penalty, lines_of(objective, penalty), 0.0)
        alpha, u = end.multipliers * np.abs(signed), 1.1 * end.point.coefficients[0]
        face = Face(u, end.point.b[0], alpha, np.ones(8, dtype=bool), np.ones(60, dtype=bool))
        point, _ = program.proven(face, np.arange(8))
    missed = point.value - end.point.value
    assert missed > 1e-4 * point.value
    assert point.bound == pytest.approx(missed, rel=1e-6)
