"""How a fit ends is said in words, once, and is true."""

import numpy as np
import pytest
from problems import Exact, draw, fit
from references import CONVEX, LOSSES, usually
from sklearn.linear_model import LogisticRegression

from marginclf.losses import (
    DWD,
    LUM,
    Exponential,
    GeneralizedCrossEntropy,
    Logistic,
    ModifiedHuber,
    Savage,
    Sigmoid,
    SmoothHinge,
    SquaredHinge,
)
from marginclf.solvers import SOLVERS, Status

PRIMAL = ("lbfgs", "newton")  # the solvers that take every smooth loss, and no penalty
EVERY_SOLVER = pytest.mark.parametrize("solver", ["auto", *PRIMAL])
INTERCEPT = pytest.mark.parametrize("fit_intercept", [True, False], ids=["intercept", "no-intercept"])
X, Y, S = draw(n=40, d=3, seed=22)


def test_every_status_is_a_sentence_and_has_a_remedy_where_it_needs_one():
    assert {status for status in Status if status.converged} == {
        Status.PROVEN,
        Status.LIMIT_OF_PRECISION,
        Status.STATIONARY,
    }
    for status in Status:
        assert status.value.endswith(".")
        wanted = status.converged or status is Status.STOPPED
        assert bool(status.remedy) != wanted


@EVERY_SOLVER
@pytest.mark.parametrize("loss", ["logistic", "squared_hinge", "savage"])
def test_max_iter(loss, solver):
    model, messages = fit(loss, X, Y, S, C=100.0, solver=solver, max_iter=2)
    assert len(messages) == 1
    bound = model.suboptimality_[0]
    assert f"loss='{loss}'" in messages[0]
    assert Status.MAX_ITER.value in messages[0]
    assert "Increase max_iter" in messages[0]
    if loss == "savage":
        assert np.isnan(bound)
        assert "nothing can be proved" in messages[0]
    else:
        assert bound > 1e-8
        assert f"the proven relative suboptimality is {bound:.1e} (tol=1e-08)" in messages[0]
    assert model.status_ == (Status.MAX_ITER.value,)


@pytest.mark.parametrize("solver", ["auto", *SOLVERS])
def test_max_iter_is_kept(solver):
    for max_iter in (1, 2, 3):
        model, messages = fit("logistic", X, Y, S, C=100.0, solver=solver, max_iter=max_iter)
        assert model.n_iter_[0] == max_iter
        assert f"{max_iter} iterations" in messages[0]
    # Coordinate ascent is not for data with few columns, and does all its sweeps.
    enough, messages = fit("logistic", X, Y, S, C=100.0, solver=solver, max_iter=1000)
    assert not messages
    assert 3 < enough.n_iter_[0] < 1000, (
        "a fit that ends by itself needs more than the limits above, and less than this"
    )


def separable():
    rng = np.random.default_rng(23)
    A = rng.normal(size=(40, 3))
    score = A @ [1.0, -1.0, 0.5] + 0.2
    return A, (score > 0.0).astype(int)


def quasi_separable():
    """The first column separates all rows but the four where it is zero, and those no column separates."""
    A, _ = separable()
    y = (A[:, 0] > 0.0).astype(int)
    A[:4] = [[0.0, 1.0, 1.0], [0.0, 1.0, 1.0], [0.0, -1.0, -1.0], [0.0, -1.0, -1.0]]
    y[:4] = [0, 1, 0, 1]
    return A, y


@EVERY_SOLVER
@pytest.mark.parametrize("data", [separable, quasi_separable], ids=lambda f: f.__name__)
@pytest.mark.parametrize("loss", [Logistic(), Exponential(), DWD(), LUM(), LUM(2.0, 1.0)], ids=repr)
def test_no_penalty_on_data_that_a_plane_separates(loss, data, solver):
    A, y = data()
    model, messages = fit(loss, A, y, C=np.inf, solver=solver)
    assert len(messages) == 1
    assert "nothing can be proved" in messages[0]
    if solver == "lbfgs" and data is quasi_separable:
        # Where the slopes fade slowly, it may stop before the rows on the plane are told from the rest.
        assert not Status(model.status_[0]).converged
    else:
        assert model.status_ == (Status.SEPARABLE.value,)
        assert Status.SEPARABLE.value in messages[0]
        assert "Use a finite C." in messages[0]
    if solver != "lbfgs" and data is separable and loss == Logistic():
        assert model.n_iter_[0] < 8, "the first plane that separates is proof enough"
    assert np.isfinite(model.coef_).all()
    assert np.isnan(model.suboptimality_[0])


def test_separable_along_the_intercept_alone_or_without_it():
    A, _ = separable()
    y = (A @ [1.0, -1.0, 0.5] > 0.0).astype(int)
    for solver in PRIMAL:
        model, _ = fit("logistic", A, y, C=np.inf, fit_intercept=False, solver=solver)
        assert model.status_ == (Status.SEPARABLE.value,)


@EVERY_SOLVER
@pytest.mark.parametrize("loss", [SquaredHinge(), SmoothHinge(), SmoothHinge(0.5), ModifiedHuber()], ids=repr)
def test_losses_that_vanish_reach_zero_on_separable_data(loss, solver):
    A, y = separable()
    model, messages = fit(loss, A, y, C=np.inf, solver=solver)
    assert not messages
    assert model.objective_[0] <= 1e-20
    assert (model.decision_function(A) * (2 * y - 1) >= 1.0 - 1e-9).all()


@EVERY_SOLVER
@INTERCEPT
@pytest.mark.parametrize("loss", [Logistic(), Exponential(), SquaredHinge(), DWD(), LUM()], ids=repr)
def test_no_penalty_on_data_that_overlap(loss, fit_intercept, solver):
    model, messages = fit(loss, X, Y, S, C=np.inf, fit_intercept=fit_intercept, solver=solver)
    assert not messages
    assert np.isnan(model.suboptimality_[0])
    assert Exact(loss, X, Y, S, C=np.inf, fit_intercept=fit_intercept).excess(model) <= 1e-8


def test_no_penalty_is_that_of_logistic_regression():
    model, _ = fit("logistic", X, Y, S, C=np.inf)
    theirs = LogisticRegression(C=np.inf, solver="newton-cholesky", tol=1e-10).fit(X, Y, S)
    np.testing.assert_allclose(model.coef_, theirs.coef_, rtol=1e-6)
    np.testing.assert_allclose(model.intercept_, theirs.intercept_, rtol=1e-6)


@pytest.mark.parametrize("loss", usually(CONVEX))
def test_a_finite_c_converges_on_separable_data(loss):
    for data in (separable, quasi_separable):
        A, y = data()
        for C in (1.0, 1e4):
            model, messages = fit(loss, A, y, C=C)
            assert not messages
            assert model.suboptimality_[0] <= 1e-8


@pytest.mark.parametrize("loss", [Sigmoid(), GeneralizedCrossEntropy(q=1.0)], ids=repr)
@pytest.mark.parametrize("seed", [0, 1, 2, 4])  # with 3, there is a stationary point
def test_saturating_losses_run_off_on_unbalanced_classes(loss, seed):
    A = np.random.default_rng(seed).normal(size=(20, 3))
    y = (np.arange(20) < 5).astype(int)
    for solver in ("auto", "newton"):
        model, messages = fit(loss, A, y, solver=solver)
        assert model.status_ == (Status.RUNS_OFF.value,)
        assert len(messages) == 1
        assert "class_weight='balanced'" in messages[0]
        assert np.isfinite(model.coef_).all()
        assert np.isfinite(model.intercept_).all()
        assert model.objective_[0] == pytest.approx(5.0)
    # By L-BFGS it may end in other words, but never well.
    _, messages = fit(loss, A, y, solver="lbfgs")
    assert len(messages) == 1

    for parameters in ({"class_weight": "balanced"}, {"fit_intercept": False}):
        model, messages = fit(loss, A, y, **parameters)
        assert not messages
        assert model.status_ == (Status.STATIONARY.value,)


def test_limit_of_precision():
    """With a huge offset the bound, which is in the units of the columns, stays above what the fit has reached."""
    far, tol, met = X + 1e6, 1e-9, []
    for loss in (case.values[0] for case in CONVEX if not case.values[0].affine):
        model, messages = fit(loss, far, Y, S, tol=tol)
        assert not messages
        assert Exact(loss, far, Y, S).excess(model) <= min(tol, model.suboptimality_[0])
        expected = Status.PROVEN if model.suboptimality_[0] <= tol else Status.LIMIT_OF_PRECISION
        assert model.status_ == (expected.value,)
        met.append(expected)
    assert met.count(Status.LIMIT_OF_PRECISION) > 5, "this is what the test is for"


@pytest.mark.parametrize("loss", usually(LOSSES))
def test_the_words_fit_the_numbers(loss):
    model, messages = fit(loss, X, Y, S)
    assert not messages
    assert model.status_[0].startswith("Optimal" if loss.convex else "Stationary")
    assert np.isnan(model.suboptimality_[0]) != loss.convex
    assert model.n_iter_[0] >= 1


def test_one_warning_for_several_classes():
    rng = np.random.default_rng(24)
    A, y = rng.normal(size=(90, 3)), np.array(["a", "b", "c"])[rng.integers(0, 3, 90)]
    model, messages = fit("logistic", A, y, max_iter=1, multi_class="ovr")
    assert len(messages) == 1
    worst = model.classes_[model.suboptimality_.argmax()]
    assert f"Class {str(worst)!r} and 2 more." in messages[0]
    assert f"{model.suboptimality_.max():.1e}" in messages[0]
    assert len(model.status_) == 3


def test_a_class_that_converges_is_not_counted():
    rng = np.random.default_rng(25)
    A = rng.normal(size=(60, 2))
    y = rng.integers(0, 2, 60)
    A[:20], y[:20] = [5.0, 5.0] + 0.1 * A[:20], 2
    model, messages = fit("logistic", A, y, C=np.inf, multi_class="ovr")
    assert len(messages) == 1
    assert "more." not in messages[0]
    assert "Class 2." in messages[0]
    assert [status == Status.SEPARABLE.value for status in model.status_] == [False, False, True]


def test_savage_starts_from_logistic_and_counts_both():
    for solver in PRIMAL:
        logistic, _ = fit("logistic", X, Y, S, solver=solver)
        model, _ = fit(Savage(), X, Y, S, solver=solver)
        assert model.n_iter_[0] > logistic.n_iter_[0]
