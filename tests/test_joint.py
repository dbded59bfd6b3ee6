"""One joint margin for many classes: optimum, bound, equivalences, what it refuses."""

import warnings

import cvxpy as cp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from messages import mentions
from problems import fit
from references import CONVEX, JOINT, LOSS_CASES, WITHOUT_JOINT_FORM, mp, reference, takes, usually
from scipy import sparse
from sklearn.datasets import load_digits, load_iris, load_wine
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.preprocessing import scale
from test_optimum import disciplined

from marginclf import MarginLinearClassifier
from marginclf.losses import MarginLoss, get_loss
from marginclf.solvers import SOLVERS

JOINT_CONVEX = [case for case in JOINT if case.values[0].convex]
SOLVED = [
    pytest.param(case.values[0], solver, id=f"{case.id}-{solver}")
    for case in JOINT_CONVEX
    for solver in ("auto", *SOLVERS)
    if solver == "auto" or takes(solver, case.values[0])
]


def draw(n=60, d=3, k=4, seed=0):
    """X, labels that overlap, and weights with a few zeros; every class keeps some weight."""
    rng = np.random.default_rng([seed, n, d, k])
    X = rng.normal(size=(n, d))
    y = (X @ rng.normal(size=(d, k)) + 0.5 * rng.gumbel(size=(n, k))).argmax(axis=1)
    y[:k] = np.arange(k)
    s = rng.uniform(0.2, 3.0, n)
    s[k:][rng.random(n - k) < 0.1] = 0.0
    return X, y, s


def joint(loss, X, y, s=None, **parameters):
    return fit(loss, X, y, s, multi_class="joint", **parameters)


def margins(model, X, y):
    """m = z_y − log Σ e^z over the others, row by row."""
    z = (X @ model.coef_.T) + model.intercept_
    codes = np.searchsorted(model.classes_, y)
    others = np.where(np.arange(z.shape[1]) == codes[:, None], -np.inf, z)
    return z[np.arange(len(y)), codes] - np.logaddexp.reduce(others, axis=1)


def objective(loss, model, X, y, s, C):
    """F, from the formula of the loss in references.py."""
    formula = reference(loss)
    values = np.array([float(formula.piece(mp.mpf(m)).value(mp.mpf(m))) for m in margins(model, X, y)])
    return C * np.sum(s * values) + 0.5 * np.sum(model.coef_**2)


def by_cvxpy(loss, X, y, s, C, fit_intercept):
    n, k = len(y), y.max() + 1
    keep = s > 0.0
    X, y, s = X[keep], y[keep], s[keep]
    n = len(y)
    W, b = cp.Variable((X.shape[1], k)), cp.Variable((1, k))
    Z = X @ W + (np.ones((n, 1)) @ b if fit_intercept else 0.0)
    # φ never increases: a number below the margin costs at least as much, and the margin itself is concave.
    t = cp.Variable(n)
    below = []
    for j in range(k):
        rows = np.flatnonzero(y == j)
        others = [i for i in range(k) if i != j]
        below.append(t[rows] <= Z[rows, j] - cp.log_sum_exp(Z[rows][:, others], axis=1))
    F = C * (s @ disciplined(loss, t)) + 0.5 * cp.sum_squares(W)
    problem = cp.Problem(cp.Minimize(F), [*below, *([cp.sum(b) == 0] if fit_intercept else [b == 0])])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        problem.solve(solver=cp.CLARABEL, tol_gap_rel=1e-11, tol_gap_abs=1e-11, tol_feas=1e-11)
    return problem.value


def test_which_losses_have_a_joint_form():
    without = {loss.name for _, loss in LOSS_CASES if loss.why_not_joint() is not None}
    assert without == WITHOUT_JOINT_FORM, "this is the list of tests/references.py: change it there"


@pytest.mark.parametrize("kind", [np.asarray, np.asfortranarray, sparse.csr_matrix], ids=["C", "F", "CSR"])
@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("data", [load_iris, load_wine, load_digits])
def test_logistic_is_softmax_regression(data, fit_intercept, kind):
    X, y = data(return_X_y=True)
    X = X / X.max()
    s = np.random.default_rng(0).uniform(0.5, 2.0, len(y))
    ours, messages = joint("logistic", kind(X), y, s, fit_intercept=fit_intercept, tol=1e-11)
    assert not messages
    theirs = LogisticRegression(solver="newton-cg", tol=1e-11, max_iter=10_000, fit_intercept=fit_intercept)
    theirs.fit(X, y, s)
    best = objective(get_loss("logistic"), theirs, X, y, s, 1.0)
    np.testing.assert_allclose(ours.objective_[0], best, rtol=1e-9)
    np.testing.assert_allclose(objective(get_loss("logistic"), ours, X, y, s, 1.0), best, rtol=1e-9)
    np.testing.assert_allclose(ours.predict_proba(X), theirs.predict_proba(X), atol=1e-5)


@pytest.mark.parametrize("C", [0.01, 1.0, 100.0])
@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("loss", [case for case in JOINT_CONVEX if case.values[0].name in
                                  ("hinge", "squared_hinge", "smooth_hinge", "logistic", "exponential")])  # fmt: skip
def test_optimum_of_cvxpy(loss, fit_intercept, C):
    X, y, s = draw()
    model, messages = joint(loss, X, y, s, C=C, fit_intercept=fit_intercept, tol=1e-9)
    assert not messages
    theirs = by_cvxpy(loss, X, y, s, C, fit_intercept)
    np.testing.assert_allclose(model.objective_[0], theirs, rtol=1e-8)
    np.testing.assert_allclose(model.objective_[0], objective(loss, model, X, y, s, C), rtol=1e-10)


@pytest.mark.parametrize(("loss", "solver"), SOLVED)
def test_every_solver_has_the_same_optimum(loss, solver):
    X, y, s = draw(n=90, d=4, k=3, seed=2)
    X += [0.0, 3.0, -5.0, 10.0]
    model, messages = joint(loss, X, y, s, solver=solver, tol=1e-8, max_iter=5000)
    assert not messages
    best, _ = joint(loss, X, y, s, solver="newton", tol=1e-12, max_iter=5000)
    assert model.suboptimality_[0] <= 1e-8
    assert -1e-11 <= model.objective_[0] / best.objective_[0] - 1.0 <= 1e-8
    assert abs(model.intercept_.sum()) <= 1e-9 * max(1.0, np.abs(model.intercept_).max())


@pytest.mark.parametrize(("loss", "solver"), SOLVED)
@settings(max_examples=4, deadline=None)
@given(
    seed=st.integers(0, 1000), k=st.integers(3, 6), tol=st.sampled_from([1e-1, 1e-2, 1e-4]), log_C=st.integers(-2, 2)
)
def test_the_bound_is_a_bound(loss, solver, seed, k, tol, log_C):
    X, y, s = draw(n=40, d=3, k=k, seed=seed)
    rough, _ = joint(loss, X, y, s, C=10.0**log_C, solver=solver, tol=tol, max_iter=300)
    best, _ = joint(loss, X, y, s, C=10.0**log_C, solver="newton", tol=1e-13, max_iter=10_000)
    true = (rough.objective_[0] - best.objective_[0]) / abs(rough.objective_[0])
    assert true <= rough.suboptimality_[0] * (1.0 + 1e-6) + 1e-12


@pytest.mark.parametrize("loss", usually(JOINT))
def test_attributes(loss):
    X, y, s = draw()
    model, _ = joint(loss, X, y, s)
    assert model.coef_.shape == (4, 3)
    assert model.intercept_.shape == (4,)
    assert model.coef_.dtype == model.intercept_.dtype == np.float64
    for value in (model.n_iter_, model.objective_, model.suboptimality_):
        assert isinstance(value, np.ndarray)
        assert value.shape == (1,)
    assert model.n_iter_[0] >= 1
    assert len(model.status_) == 1
    assert np.isnan(model.suboptimality_[0]) != loss.convex
    np.testing.assert_allclose(model.objective_[0], objective(loss, model, X, y, s, 1.0), rtol=1e-10)
    np.testing.assert_allclose(model.coef_.sum(axis=0), 0.0, atol=1e-3 * np.abs(model.coef_).max())


@pytest.mark.parametrize("loss", usually(JOINT))
def test_two_classes_are_the_binary_problem(loss):
    X, y, s = draw(k=2)
    binary, _ = fit(loss, X, y, s, multi_class="ovr")
    for way in ("joint", "auto"):
        model, _ = fit(loss, X, y, s, multi_class=way)
        np.testing.assert_array_equal(model.coef_, binary.coef_)
        np.testing.assert_array_equal(model.intercept_, binary.intercept_)


@pytest.mark.parametrize("loss", JOINT_CONVEX)
def test_permuted_classes_have_permuted_rows(loss):
    X, y, s = draw(seed=5)
    order = np.array([2, 0, 3, 1])
    model, _ = joint(loss, X, y, s, tol=1e-13)
    other, _ = joint(loss, X, order[y], s, tol=1e-13)
    np.testing.assert_allclose(other.coef_[order], model.coef_, atol=1e-5)
    np.testing.assert_allclose(other.intercept_[order], model.intercept_, atol=1e-5)


@pytest.mark.parametrize("loss", JOINT_CONVEX)
def test_weights_are_rows(loss):
    X, y, _ = draw(seed=6)
    counts = np.random.default_rng(6).integers(0, 3, len(y))
    counts[:4] = 1
    weighted, _ = joint(loss, X, y, counts.astype(float), tol=1e-13)
    repeated, _ = joint(loss, np.repeat(X, counts, axis=0), np.repeat(y, counts), tol=1e-13)
    np.testing.assert_allclose(weighted.coef_, repeated.coef_, atol=1e-5)
    np.testing.assert_allclose(weighted.objective_, repeated.objective_, rtol=1e-10)


@pytest.mark.parametrize("loss", JOINT_CONVEX)
def test_a_warm_start_has_the_same_optimum(loss):
    X, y, s = draw(seed=7)
    for X_ in (X, sparse.csr_matrix(np.tile(X, 4))):
        cold, _ = joint(loss, X_, y, s, C=2.0)
        warm, _ = joint(loss, X_, y, s, warm_start=True)
        warm.set_params(C=2.0).fit(X_, y, s)
        np.testing.assert_allclose(warm.objective_, cold.objective_, rtol=2e-8)


@pytest.mark.parametrize("loss", ["logistic", "squared_hinge", "hinge"])
def test_sparse_and_wide(loss):
    # So many columns that "auto" takes coordinate ascent, and Newton's method conjugate gradients.
    rng = np.random.default_rng(8)
    n, d, k = 300, 1500, 5
    X = sparse.random(n, d, 0.02, "csr", random_state=8)
    X = sparse.hstack([sparse.csr_matrix(1.0 * (rng.random((n, 3)) > 0.5)), X], format="csr")
    y = (X[:, :40] @ rng.normal(size=(40, k)) + 0.3 * rng.gumbel(size=(n, k))).argmax(axis=1)
    auto, messages = joint(loss, X, y)
    newton, more = joint(loss, X, y, solver="newton")
    dense, _ = joint(loss, X.toarray(), y)
    assert not messages + more
    for model in (auto, newton, dense):
        assert model.suboptimality_[0] <= 1e-8
        expected = objective(get_loss(loss), model, X, y, np.ones(n), 1.0)
        np.testing.assert_allclose(model.objective_[0], expected, rtol=1e-9)
    np.testing.assert_allclose(auto.objective_, newton.objective_, rtol=2e-8)
    np.testing.assert_allclose(auto.objective_, dense.objective_, rtol=2e-8)


def test_the_same_bits_for_any_number_of_threads():
    rng = np.random.default_rng(9)
    X = rng.normal(size=(20_000, 15))
    y = (X[:, :5] + rng.gumbel(size=(20_000, 5))).argmax(axis=1)
    for kind in (np.asarray, sparse.csr_matrix):
        models = [joint("logistic", kind(X), y, n_jobs=n_jobs)[0] for n_jobs in (1, 2, 3, 1)]
        for model in models[1:]:
            np.testing.assert_array_equal(model.coef_, models[0].coef_)
            np.testing.assert_array_equal(model.intercept_, models[0].intercept_)


@pytest.mark.slow  # the joint kernels of float32 are compiled for nothing else
@pytest.mark.parametrize("loss", usually(JOINT_CONVEX))
def test_float32_is_near(loss):
    X, y, s = draw(seed=10)
    X = X.astype(np.float32)
    narrow, _ = joint(loss, X, y, s)
    wide, _ = joint(loss, X.astype(np.float64), y, s)
    assert narrow.coef_.dtype == np.float64
    np.testing.assert_allclose(narrow.objective_, wide.objective_, rtol=1e-7)


@pytest.mark.parametrize("loss", usually(JOINT_CONVEX))
def test_offsets_and_units_of_columns(loss):
    X, y, s = draw(n=120, seed=11)
    X = X * [1.0, 1e3, 1e-2] + [1e4, 0.0, 1.0]
    model, messages = joint(loss, X, y, s)
    assert not messages
    np.testing.assert_allclose(model.objective_[0], objective(loss, model, X, y, s, 1.0), rtol=1e-8)


def test_no_penalty():
    X, y = load_iris(return_X_y=True)
    model, messages = joint("logistic", scale(X), y, C=np.inf)
    assert len(messages) == 1
    assert "grow without bound" in messages[0]
    assert np.isnan(model.suboptimality_[0])
    rng = np.random.default_rng(12)
    y = rng.integers(0, 3, 150)
    model, messages = joint("logistic", X, y, C=np.inf)
    assert not messages
    theirs = LogisticRegression(C=1e12, solver="newton-cg", tol=1e-12, max_iter=10_000).fit(X, y)
    np.testing.assert_allclose(model.predict_proba(X), theirs.predict_proba(X), atol=1e-4)


@pytest.mark.parametrize("loss", sorted(WITHOUT_JOINT_FORM))
def test_losses_without_a_joint_form(loss):
    X, y, _ = draw()
    with pytest.raises(ValueError, match=mentions("multi_class='joint'", "loss=", "multi_class='ovr'")):
        MarginLinearClassifier(loss, multi_class="joint").fit(X, y)
    auto, _ = fit(loss, X, y)
    ovr, _ = fit(loss, X, y, multi_class="ovr")
    np.testing.assert_array_equal(auto.coef_, ovr.coef_)


@pytest.mark.parametrize("loss", CONVEX)
def test_auto_is_joint_where_there_is_such_a_form(loss):
    X, y, s = draw()
    auto, _ = fit(loss, X, y, s)
    assert len(auto.objective_) == (1 if loss.why_not_joint() is None else 4)


class Cubic(MarginLoss):
    def point(self, m):
        t = 1.0 - m
        if t <= 0.0:
            return 0.0, 0.0, 0.0
        return t**3, -3.0 * t**2, 6.0 * t


class Bump(MarginLoss):
    convex = False

    def point(self, m):
        return m * m / (1.0 + m * m), 2.0 * m / (1.0 + m * m) ** 2, (2.0 - 6.0 * m * m) / (1.0 + m * m) ** 3


def test_losses_of_a_user():
    X, y, s = draw()
    model, messages = joint(Cubic(), X, y, s)
    assert not messages
    assert model.suboptimality_[0] <= 1e-8
    m = margins(model, X, y)
    F = np.sum(s * np.maximum(0.0, 1.0 - m) ** 3) + 0.5 * np.sum(model.coef_**2)
    np.testing.assert_allclose(model.objective_[0], F, rtol=1e-10)
    with pytest.raises(ValueError, match=mentions("multi_class='joint'", "Bump", "increases")):
        MarginLinearClassifier(Bump(), multi_class="joint").fit(X, y)


def test_searched_like_any_other_parameter():
    X, y = load_iris(return_X_y=True)
    grid = {"multi_class": ["ovr", "joint"], "loss": ["logistic", "hinge"]}
    search = GridSearchCV(MarginLinearClassifier(), grid, cv=3).fit(X, y)
    assert search.best_score_ > 0.9
    with pytest.raises(ValueError, match="multi_class"):
        MarginLinearClassifier(multi_class="one").fit(X, y)


def test_one_iteration_claims_nothing():
    X, y, s = draw()
    for solver in SOLVERS:
        with pytest.warns(ConvergenceWarning, match="max_iter"):
            model = MarginLinearClassifier(multi_class="joint", max_iter=1, solver=solver, tol=1e-12).fit(X, y, s)
        assert np.isfinite(model.coef_).all()
        assert model.suboptimality_[0] > 1e-12


def test_class_weights():
    X, y, _ = draw(seed=13)
    weights = {0: 2.0, 1: 0.5, 2: 1.0, 3: 3.0}
    named, _ = joint("squared_hinge", X, y, class_weight=weights)
    by_row, _ = joint("squared_hinge", X, y, np.array([weights[label] for label in y]))
    np.testing.assert_array_equal(named.coef_, by_row.coef_)


@pytest.mark.parametrize("C", [30.0, 100.0, 200.0])
def test_hinge_on_iris_for_a_large_C(C):
    """Where b alone has no curvature, its step is long; cut in b alone, the whole would lead uphill."""
    X, y = load_iris(return_X_y=True)
    X = (X - X.mean(axis=0)) / X.std(axis=0)
    model, messages = fit("hinge", X, y, C=C)
    assert not messages
    assert model.suboptimality_[0] <= 1e-8
