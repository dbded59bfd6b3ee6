"""Every penalty, with bounds and without, reaches the optimum that cvxpy finds, and what is proven is so."""

import numpy as np
import pytest
from penalised import BOUNDS, CASES, LOSSES, PENALTIES, D, Problem
from problems import fit
from storages import storages

from marginclf.penalties import L1, GroupLasso

# A loss of pieces, one with a kink, and one that cvxpy needs exponential cones for; the others where they differ.
USUAL = {"squared_hinge": BOUNDS, "hinge": ("free", "some"), "logistic": ("free", "signs")}
COMBINED = [
    pytest.param(loss, bounds, id=f"{loss}-{bounds}", marks=[pytest.mark.slow] * (bounds not in USUAL.get(loss, ())))
    for loss in LOSSES
    for bounds in BOUNDS
]
WITHIN = 1e-8


def draw(n, seed, n_classes=2):
    """Rows with a column that is far from the origin and one of a larger unit, classes that overlap, weights."""
    rng = np.random.default_rng([seed, n])
    X = rng.normal(size=(n, D)) * np.array([1.0, 1.0, 4.0, 1.0, 1.0]) + np.array([0.0, 3.0, 0.0, 0.0, 0.0])
    X[:, 3] += 0.7 * X[:, 0]
    scores = (X - X.mean(axis=0)) @ rng.normal(size=(D, n_classes)) + rng.gumbel(size=(n, n_classes))
    codes = scores.argmax(axis=1)
    codes[:n_classes] = np.arange(n_classes)
    return X.round(6), codes, rng.uniform(0.2, 2.0, n)


def check(model, messages, problem, number=0):
    W, b = model.coef_, model.intercept_
    if not problem.jointly:
        W, b = W[[number]], b[[number]]
    ours, theirs = problem.value(W, b), problem.by_cvxpy()
    assert not messages
    assert (problem.lower <= W).all()
    assert (problem.upper >= W).all()
    assert model.objective_[number] == pytest.approx(ours, rel=1e-12)
    assert theirs * (1 - 1e-4) <= ours <= theirs * (1 + WITHIN)
    assert ours * (1 - model.suboptimality_[number]) <= theirs * (1 + 1e-14), "what is proven is false"
    assert model.suboptimality_[number] <= 1e-8


@pytest.mark.parametrize(("loss", "bounds"), COMBINED)
@pytest.mark.parametrize("penalty", CASES)
def test_two_classes(loss, penalty, bounds):
    X, codes, s = draw(30, 1)
    limits = BOUNDS[bounds]
    if bounds == "some" and penalty.weights is not None:
        limits = (limits[0], [*limits[1][:4], 1.0])  # whatever is kept out may be zero
    for C, fit_intercept in ((0.1, True), (2.0, False)):
        how = {"C": C, "bounds": limits, "fit_intercept": fit_intercept}
        model, messages = fit(loss, X, codes, s, penalty=penalty, **how)
        check(model, messages, Problem(loss, penalty, X, codes, s, **how))


@pytest.mark.parametrize("bounds", ["free", "signs"])
@pytest.mark.parametrize("penalty", CASES)
@pytest.mark.parametrize(
    "loss", ["logistic", *(pytest.param(name, marks=pytest.mark.slow) for name in ("squared_hinge", "hinge"))]
)
def test_many_classes_with_one_joint_margin(loss, penalty, bounds):
    X, codes, s = draw(15, 2, 3)
    how = {"C": 0.5, "bounds": BOUNDS[bounds]}
    model, messages = fit(loss, X, codes, s, penalty=penalty, multi_class="joint", **how)
    problem = Problem(loss, penalty, X, codes, s, jointly=True, **how)
    if (loss, bounds) == ("hinge", "signs") and penalty is PENALTIES["groups-weights"] and messages:
        # What has a bound on one side and no penalty has to balance its slope by itself: it may say that it did not.
        theirs = problem.by_cvxpy()
        assert model.objective_[0] * (1 - model.suboptimality_[0]) <= theirs <= model.objective_[0] * (1 + WITHIN)
        assert model.suboptimality_[0] <= 1e-2
        return
    check(model, messages, problem)


@pytest.mark.parametrize("penalty", ["l1", "groups-weights"])
def test_one_against_the_rest_with_bounds_of_each_class_and_class_weights(penalty):
    X, codes, s = draw(30, 3, 3)
    penalty = PENALTIES[penalty]
    lower = np.full((3, D), -np.inf)
    lower[1], upper = 0.0, np.full((3, D), [[0.1], [np.inf], [0.3]])
    weights = {0: 1.0, 1: 2.0, 2: 0.5}
    how = {"penalty": penalty, "multi_class": "ovr", "class_weight": weights, "bounds": (lower, upper)}
    model, messages = fit("squared_hinge", X, codes, s, **how)
    total = s * np.array([weights[k] for k in codes])
    for k in range(3):
        one = Problem("squared_hinge", penalty, X, (codes == k).astype(int), total, bounds=(lower[k], upper[k]))
        check(model, messages, one, k)


@pytest.mark.parametrize("store", storages())
@pytest.mark.parametrize("joint", [False, True], ids=["binary", "joint"])
def test_every_storage(store, joint):
    X, codes, s = draw(30, 4, 3 if joint else 2)
    X[X < 0.0] = 0.0
    X = X.astype(np.float32).astype(float)
    X[5] = 0.0
    how = {"penalty": PENALTIES["groups"], "C": 0.5, "bounds": (-1.0, None)}
    model, _ = fit("logistic", store(X), codes, s, **how)
    expected, messages = fit("logistic", X, codes, s, **how)
    assert not messages
    np.testing.assert_allclose(model.coef_, expected.coef_, rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(model.coef_ == 0.0, expected.coef_ == 0.0)
    assert model.objective_ == pytest.approx(expected.objective_, rel=1e-8)


@pytest.mark.parametrize("loss", ["squared_hinge", "smooth_hinge", "modified_huber"])
def test_separated_classes_and_a_large_C_take_few_steps(loss):
    """The losses are next to nothing there, and a model as accurate as they ask for is not at its minimum."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(30, 40))
    codes = (X[:, :8] @ rng.normal(size=8) > 0.0).astype(int)
    for penalty in (L1(), GroupLasso(groups=np.arange(40) // 4)):
        for bounds in (None, (0, None)):
            for C, most in ((100.0, 100), (1e6, 300)):
                model, messages = fit(loss, X, codes, penalty=penalty, bounds=bounds, C=C)
                assert not messages
                assert model.suboptimality_ <= 1e-8
                assert model.n_iter_ < most


def test_more_features_than_rows_and_only_those_that_matter():
    rng = np.random.default_rng(5)
    X = rng.normal(size=(40, 300))
    codes = (X[:, 0] - X[:, 1] + 0.3 * rng.normal(size=40) > 0).astype(int)
    model, messages = fit("squared_hinge", X, codes, penalty="l1", C=0.3)
    check(model, messages, Problem("squared_hinge", PENALTIES["l1"], X, codes, np.ones(40), C=0.3))
    assert 2 <= (model.coef_ != 0.0).sum() < 40
    assert model.coef_[0, 0] > 0.0 > model.coef_[0, 1]


@pytest.mark.parametrize("penalty", CASES)
def test_the_bound_holds_after_each_iteration(penalty):
    X, codes, s = draw(40, 6)
    for loss in ("logistic", "hinge"):
        model, _ = fit(loss, X, codes, s, penalty=penalty, bounds=(-0.5, None), record_history=True, tol=1e-11)
        history = model.history_[0]
        values, bounds = np.array(history["objective"]), np.array(history["suboptimality"])
        assert (values - bounds * np.abs(values) <= model.objective_[0] * (1 + 1e-14)).all()
        assert bounds[-1] <= 1e-8
