"""Weak kinks, little data, and bounds that do not bind: other methods, and the same optimum."""

import numpy as np
import pytest
from problems import fit

from marginclf import MarginLinearClassifier
from marginclf._estimator import penalised as penalised_fits
from marginclf.kernels.inverse_descent import minimise_by_inverse
from marginclf.losses import get_loss
from marginclf.matrix import design_matrix
from marginclf.objective import L2, BinaryObjective, JointObjective, NonsmoothPenalty
from marginclf.penalties import GroupLasso
from marginclf.solvers.kronecker import Spread
from marginclf.solvers.penalised import inverse_metric, orthant_model, orthant_newton, quasi_newton
from marginclf.solvers.penalised.orthant_face import Face
from marginclf.solvers.penalised.proximal_loop import proximal_loop
from marginclf.solvers.penalised.proximal_newton import proximal_newton
from marginclf.solvers.solution import Status

RNG = np.random.default_rng(3)
D = 12
X = RNG.normal(size=(4000, D)) + 0.7 * RNG.normal(size=(4000, 1)) + 0.3
Y = (X @ RNG.normal(size=D) + 2.0 * RNG.normal(size=4000) > 1.0).astype(int)
GROUPS = np.arange(D) // 3
FREE = np.full((2, 1, D), np.inf) * np.array([-1.0, 1.0])[:, None, None]


def problem(matrix, loss, kind, C, rows=slice(None), bounds=None):
    """The losses of some rows, and a penalty."""
    squares = 0.5 if kind == "elastic_net" else 0.0
    kink = np.full(D // 3, np.sqrt(3.0)) if kind == "groups" else np.full(D, 1.0 - squares)
    group = GROUPS if kind == "groups" else None
    penalty = NonsmoothPenalty.of((1, D), kink, np.full(D, squares), group, bounds)
    v = C * (2.0 * Y[rows] - 1.0) * np.linspace(0.5, 1.5, len(Y[rows]))
    return BinaryObjective(matrix, get_loss(loss), v, penalty=L2(0.0), fit_intercept=True), penalty


def joint_problem(matrix, kind, C, k, *, free=True, noise=3.0):
    """The losses of k classes, with weights of the rows, and a penalty."""
    rng = np.random.default_rng(k)
    codes = (X @ rng.normal(size=(D, k)) + noise * rng.gumbel(size=(len(X), k))).argmax(axis=1)
    squares = 0.5 if kind == "elastic_net" else 0.0
    kink = (1.0 - squares) * np.linspace(0.5, 2.0, D)
    penalty = NonsmoothPenalty.of((k, D), kink, np.full(D, squares), None, None)
    weights = C * np.linspace(0.5, 1.5, len(X))
    how = {"penalty": L2(0.0), "fit_intercept": free, "always": True}
    return JointObjective(matrix, get_loss("logistic"), codes, weights, k, **how), penalty


def solved(method, objective, penalty, tol=1e-9):
    how = {"least": objective.loss.infimum() * objective.total, "tol": tol, "max_iter": 500}
    found = method(objective, penalty, objective.zeros(), **how)
    assert found.status is Status.PROVEN
    assert found.point.excess <= tol
    return found


@pytest.mark.parametrize("kind", ["l1", "elastic_net", "groups"])
@pytest.mark.parametrize(("loss", "C"), [("logistic", 30.0), ("squared_hinge", 1.0), ("dwd", 100.0)])
def test_quasi_newton_steps_end_at_the_optimum(kind, loss, C):
    with design_matrix(X, 1) as matrix:
        objective, penalty = problem(matrix, loss, kind, C)
        found = solved(quasi_newton.quasi_newton, objective, penalty)
        other = solved(proximal_newton, objective, penalty, tol=1e-11)
    assert found.point.value - other.point.value <= 1e-9 * other.point.value
    assert found.point.value - found.point.bound <= other.point.value * (1.0 + 1e-14)
    np.testing.assert_allclose(found.point.theta, other.point.theta, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("kind", ["l1", "elastic_net"])
@pytest.mark.parametrize(
    ("k", "C", "free", "noise"), [(3, 30.0, True, 3.0), (4, 0.5, False, 3.0), (3, 30.0, True, 0.0)]
)
def test_steps_on_signs_that_stand_end_at_the_optimum(kind, k, C, free, noise):
    with design_matrix(X, 1) as matrix:
        objective, penalty = joint_problem(matrix, kind, C, k, free=free, noise=noise)
        found = solved(orthant_newton.orthant_newton, objective, penalty)
        other = solved(proximal_newton, objective, penalty, tol=1e-11)
    assert found.n_iter <= (8 if noise else 20)
    assert found.point.value - other.point.value <= 1e-9 * other.point.value
    assert found.point.value - found.point.bound <= other.point.value * (1.0 + 1e-14)
    if k % 2 or kind == "elastic_net":  # elsewhere a number added to all classes of a column may change nothing
        np.testing.assert_allclose(found.point.theta, other.point.theta, rtol=1e-2, atol=1e-4)


def test_strong_kinks_of_many_classes_are_for_another_method():
    with design_matrix(X, 1) as matrix:
        objective, penalty = joint_problem(matrix, "l1", 1e-3, 3)
        how = {"least": 0.0, "tol": 1e-9, "max_iter": 100}
        assert orthant_newton.orthant_newton(objective, penalty, objective.zeros(), **how) is None


def test_the_kronecker_product_on_a_face_is_its_inverse_there():
    k = 3
    with design_matrix(X, 1) as matrix:
        objective, _ = joint_problem(matrix, "l1", 2.0, k)
        smooth = objective.like(penalty=L2(0.7))
        curvature = smooth.curvature(objective.origin(), robust=True)
        kronecker = Spread(smooth, objective.centre).at(curvature)

        def matrix_of(apply):
            made = []
            for unit in np.eye(k * D):
                made.append(objective.by_class(apply(objective.theta(unit.reshape(k, D), 0.0))).ravel())
            return np.array(made)

        held = np.zeros((k, D), dtype=bool)
        held[0, :4] = held[1, 2:5] = held[:, 7] = True
        face = Face.of(objective, kronecker, held)
        left = np.flatnonzero(~held)
        right = np.zeros((k * D, k * D))
        right[np.ix_(left, left)] = np.linalg.inv(np.linalg.inv(matrix_of(kronecker))[np.ix_(left, left)])
        found = matrix_of(face)[left]
    np.testing.assert_allclose(found, right[left], rtol=1e-8, atol=1e-8 * np.abs(right).max())


def test_strong_kinks_and_near_bounds_are_for_other_methods():
    how = {"least": 0.0, "tol": 1e-9, "max_iter": 100}
    with design_matrix(X, 1) as matrix:
        for C, bound, suits in ((0.01, np.inf, False), (30.0, 0.5, False), (30.0, 1e3, True), (30.0, np.inf, True)):
            objective, penalty = problem(matrix, "logistic", "l1", C, bounds=np.full((2, 1, D), bound) * np.sign(FREE))
            found = quasi_newton.quasi_newton(objective, penalty, objective.zeros(), **how)
            assert (found is not None) == suits


def test_a_hessian_of_all_rows_changes_nothing(monkeypatch):
    renewed, renew = [], inverse_metric.InverseMetric.renew
    monkeypatch.setattr(inverse_metric.InverseMetric, "renew", lambda *given: renewed.append(1) or renew(*given))
    values = []
    with design_matrix(X, 1) as matrix:
        for after in (-100.0, 1e9):
            monkeypatch.setattr(quasi_newton, "_AFTER", after)
            values.append(solved(quasi_newton.quasi_newton, *problem(matrix, "logistic", "l1", 30.0)).point.value)
            assert bool(renewed) == (after < 0.0)
            renewed.clear()
    assert values[0] == pytest.approx(values[1], rel=1e-9)


def test_a_metric_learns_what_a_step_shows():
    with design_matrix(X, 1) as matrix:
        metric = inverse_metric.InverseMetric(*problem(matrix, "logistic", "l1", 30.0))
    step, change = np.linspace(1.0, 2.0, D + 1), np.linspace(3.0, 1.0, D + 1)
    metric.learn(step, change)
    np.testing.assert_allclose(metric.m @ change, step, rtol=1e-9)
    np.testing.assert_allclose(metric.m, metric.m.T, rtol=1e-9, atol=1e-15)
    before = metric.m.copy()
    metric.learn(step, -change)  # no curvature
    np.testing.assert_array_equal(metric.m, before)


@pytest.mark.parametrize("near", [1.0, 3e-3], ids=["single", "double"])
def test_a_metric_is_the_inverse_of_the_hessian_whatever_the_precision(near, monkeypatch):
    wide = RNG.normal(size=(2000, 150))
    wide[:, 1] = wide[:, 0] + near * wide[:, 1]
    penalty = NonsmoothPenalty.of((1, 150), np.ones(150), np.zeros(150), None, None)
    with design_matrix(wide, 1) as matrix:
        objective = BinaryObjective(
            matrix, get_loss("logistic"), 2.0 * Y[:2000] - 1.0, penalty=L2(0.0), fit_intercept=True
        )
        metric, doubles, gram = inverse_metric.InverseMetric(objective, penalty), [], matrix.gram
        monkeypatch.setattr(type(matrix), "gram", lambda self, *given: doubles.append(1) or gram(*given))
        point = objective.at(objective.theta(0.1 * RNG.normal(size=150), 0.3))
        metric.renew(point)
        assert bool(doubles) == (near < 1.0)
        hessian = gram(point.c, objective.curvature(point).centre)
    np.testing.assert_allclose(metric.m[:-1, :-1] @ hessian, np.eye(150), atol=1e-3)


@pytest.mark.parametrize("group", [None, GROUPS], ids=["entries", "groups"])
@pytest.mark.parametrize("bounded", [False, True], ids=["free", "bounds"])
def test_the_model_by_the_inverse_has_its_minimum(group, bounded):
    rng = np.random.default_rng(7)
    root = rng.normal(size=(D + 1, 2 * D))
    m, q, start = np.linalg.inv(root @ root.T), 4.0 * rng.normal(size=D + 1), rng.normal(size=D + 1)
    bounds = (np.full((1, D), -0.1), np.full((1, D), 0.3)) if bounded else None
    penalty = NonsmoothPenalty.of(
        (1, D), np.full(D, 8.0) if group is None else np.full(D // 3, 25.0), np.zeros(D), group, bounds
    )
    u, y, new = start - m @ q, np.zeros(D), np.empty(D + 1)
    minimise_by_inverse(
        m, u, y, penalty.starts, penalty.kink, penalty.lower, penalty.upper, 1e-13, 10_000,
        np.empty(len(penalty.kink)), np.empty(D), new,
    )  # fmt: skip
    np.testing.assert_allclose(u[:D], new[:D], atol=1e-10)
    slopes = q + np.linalg.solve(m, np.append(new[:D], u[D]) - start)
    assert abs(slopes[D]) <= 1e-9
    t, total = penalty.proof(new[:D], -slopes[:D], np.zeros(D))
    assert 1.0 - t <= 1e-9
    assert total <= 1e-9
    assert 0 < (new[:D] == 0.0).sum() + (bounded and (new[:D] == penalty.upper).sum()) < D


@pytest.mark.parametrize(
    ("kind", "bound"), [("l1", None), ("elastic_net", None), ("groups", None), ("l1", 0.2), ("elastic_net", 0.2)]
)
@pytest.mark.parametrize("loss", ["logistic", "squared_hinge", "modified_huber", "exponential"])
def test_a_compiled_loop_ends_at_the_optimum(kind, bound, loss):
    rows = slice(0, 300)
    bounds = None if bound is None else (np.full((1, D), -0.5 * bound), np.full((1, D), bound))
    with design_matrix(np.ascontiguousarray(X[rows]), 1) as matrix:
        for C in (0.02, 10.0):
            objective, penalty = problem(matrix, loss, kind, C, rows, bounds)
            found, other = (solved(how, objective, penalty) for how in (proximal_loop, proximal_newton))
            assert found.point.value == pytest.approx(other.point.value, rel=2e-9)
            assert found.point.value - found.point.bound <= other.point.value * (1.0 + 1e-14)
            if C < 1.0:
                np.testing.assert_array_equal(found.point.theta[:-1] == 0.0, other.point.theta[:-1] == 0.0)
            elif bound is not None:
                held = [np.isin(one.point.theta[:-1], (-0.5 * bound, bound)) for one in (found, other)]
                assert held[0].any()
                np.testing.assert_array_equal(*held)


@pytest.mark.parametrize("n", [300, 24_000])
@pytest.mark.parametrize("penalty", ["l1", GroupLasso(GROUPS)], ids=["l1", "groups"])
def test_who_watches_changes_nothing(n, penalty):
    x, y = np.tile(X, (6, 1))[:n], np.tile(Y, 6)[:n]
    model, messages = fit("logistic", x, y, penalty=penalty, C=30.0)
    watched, others = fit("logistic", x, y, penalty=penalty, C=30.0, record_history=True)
    assert not messages
    assert not others
    np.testing.assert_array_equal(model.coef_, watched.coef_)
    history = watched.history_[0]
    assert history["objective"][-1] == watched.objective_[0]
    assert len(history["objective"]) == watched.n_iter_[0] + 1
    assert (history["objective"] * (1.0 - history["suboptimality"]) <= watched.objective_[0] * (1.0 + 1e-12)).all()


@pytest.mark.parametrize("fails", [None, 0, 2], ids=["ends", "fails at once", "fails later"])
def test_who_watches_many_classes_changes_nothing(fails, monkeypatch):
    y, how = Y + (X[:, 0] > 1.0), {"multi_class": "joint", "penalty": "l1", "C": 30.0}
    right, _ = fit("logistic", X, y, **how)
    minimise, steps = orthant_model.OrthantModel.minimise, []
    if fails is not None:
        monkeypatch.setattr(
            orthant_model.OrthantModel,
            "minimise",
            lambda *given: steps.append(1) or (len(steps) % (fails + 1) > 0 and minimise(*given)),
        )
    model, messages = fit("logistic", X, y, **how)
    watched, others = fit("logistic", X, y, record_history=True, **how)
    assert not messages
    assert not others
    assert bool(steps) == (fails is not None)
    np.testing.assert_array_equal(model.coef_, watched.coef_)
    np.testing.assert_allclose(model.objective_, right.objective_, rtol=2e-8)
    history = watched.history_[0]
    assert history["objective"][-1] == watched.objective_[0]
    assert len(history["objective"]) == watched.n_iter_[0] + 1
    assert (history["objective"] * (1.0 - history["suboptimality"]) <= watched.objective_[0] * (1.0 + 1e-12)).all()


def test_a_step_that_fails_at_the_end_of_the_iterations_does_not_lead_back_to_zero(monkeypatch):
    minimise, steps = orthant_model.OrthantModel.minimise, []
    monkeypatch.setattr(
        orthant_model.OrthantModel, "minimise", lambda *given: steps.append(1) or (len(steps) < 3 and minimise(*given))
    )
    y, how = Y + (X[:, 0] > 1.0), {"multi_class": "joint", "penalty": "l1", "C": 30.0}
    model, messages = fit("logistic", X, y, max_iter=3, record_history=True, **how)
    assert messages
    assert len(steps) == 3
    assert model.objective_[0] == model.history_[0]["objective"].min()


@pytest.mark.parametrize("many", [False, True], ids=["binary", "joint"])
@pytest.mark.parametrize("loss", ["logistic", "squared_hinge"])
def test_bounds_that_do_not_bind_are_a_fit_without(loss, many):
    x, y = X[:200], Y[:200] + (many * (X[:200, 0] > 1.0))
    plain = MarginLinearClassifier(loss).fit(x, y)
    for bounds in ((-1e6, 1e6), (-1e6, None)):
        model = MarginLinearClassifier(loss, bounds=bounds).fit(x, y)
        np.testing.assert_array_equal(model.coef_, plain.coef_)
        np.testing.assert_array_equal(model.suboptimality_, plain.suboptimality_)
    # Wide by what each coefficient would be alone, and yet some bind where columns are nearly the same.
    near = np.column_stack([x, x[:, 0] + 0.02 * x[:, 1]])
    most = 0.9 * np.abs(MarginLinearClassifier(loss, C=100.0).fit(near, y).coef_).max()
    model, messages = fit(loss, near, y, C=100.0, bounds=(-most, most), record_history=True)
    assert np.abs(model.coef_).max() == most
    assert not messages
    value, bound = model.history_[0]["objective"], model.history_[0]["suboptimality"]
    assert (value * (1.0 - bound) <= model.objective_[0] * (1.0 + 1e-9)).all()


@pytest.mark.parametrize("many", [False, True], ids=["binary", "joint"])
def test_bounds_that_bind_after_all(many, monkeypatch):
    x, y = X[:200], Y[:200] + (many * (X[:200, 0] > 1.0))
    most = 0.5 * np.abs(MarginLinearClassifier().fit(x, y).coef_).max()
    right, _ = fit("logistic", x, y, bounds=(-most, most))
    monkeypatch.setattr(penalised_fits, "may_be_loose", lambda *given: True)
    model, messages = fit("logistic", x, y, bounds=(-most, most))
    assert not messages
    assert np.abs(model.coef_).max() == most
    np.testing.assert_allclose(model.objective_, right.objective_, rtol=2e-8)
