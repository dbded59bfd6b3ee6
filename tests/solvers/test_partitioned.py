"""Rows in parts: the same optimum as in memory for every loss, proven alike, from few rounds."""

import warnings

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from problems import draw
from references import LOSSES, usually
from scipy import sparse
from sklearn.datasets import load_digits
from sklearn.exceptions import ConvergenceWarning
from sklearn.preprocessing import scale

import marginclf._estimator.partitioned as partitioned
import marginclf.matrix.parts as parts
from marginclf import MarginLinearClassifier
from marginclf.losses import Hinge, Logistic, Savage, SmoothHinge, SquaredHinge
from marginclf.matrix.parts import LocalParts, Part, combined, stratified
from marginclf.objective import L2, Objective, PartitionedObjective, Problem
from marginclf.solvers import solve
from marginclf.solvers.active_set import ActiveSet
from marginclf.solvers.direction import newton_direction

X, Y, S = draw(n=900, d=6, seed=11)
MANY, THREE = load_digits(return_X_y=True)
MANY, THREE = scale(MANY)[:, 1:60:6], THREE % 3


@pytest.fixture
def by_parts(monkeypatch, tmp_path):
    """Fit data that lies in a file, in parts of a few hundred rows and from a sample of a few rows."""
    monkeypatch.setattr(partitioned, "_LARGE_BYTES", 0)
    monkeypatch.setattr(parts, "_PART_BYTES", 200 * 6 * 8)
    monkeypatch.setattr(parts, "_LEAST_SAMPLE", 100)
    monkeypatch.setattr(parts, "_FOR_EACH", 10)

    def fit(X, y, s=None, **parameters):
        np.save(tmp_path / "X.npy", X)
        stored = np.load(tmp_path / "X.npy", mmap_mode="r")
        assert partitioned.fits_by_parts(stored, "auto")
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always", ConvergenceWarning)
            model = MarginLinearClassifier(record_history=True, **parameters).fit(stored, y, s)
        return model, [str(warning.message) for warning in caught]

    return fit


def same(found, expected, rtol=1e-10):
    assert_allclose(found.objective_, expected.objective_, rtol=rtol)
    assert found.status_ == expected.status_
    if expected.loss_.convex and np.isfinite(expected.C):
        assert (found.suboptimality_ <= 1e-8).all()
    else:
        assert np.isnan(found.suboptimality_).all()


@pytest.mark.parametrize("loss", usually(LOSSES))
@pytest.mark.parametrize("fit_intercept", [True, False], ids=["intercept", "no-intercept"])
def test_two_classes_have_the_optimum_of_memory(by_parts, loss, fit_intercept):
    how = {"loss": loss, "fit_intercept": fit_intercept, "C": 0.5}
    found, messages = by_parts(X, Y, S, **how)
    expected = MarginLinearClassifier(**how).fit(X, Y, S)
    assert not messages
    # Stationary points are left by steps of another length; a Newton decrement of tol is what both promise.
    same(found, expected, 1e-10 if loss.convex else 1e-7)
    assert_allclose(found.decision_function(X), expected.decision_function(X), atol=1e-3 if loss.convex else 0.1)


@pytest.mark.parametrize("loss", [Logistic(), SquaredHinge(), SmoothHinge(), Hinge()])
@pytest.mark.parametrize("fit_intercept", [True, False], ids=["intercept", "no-intercept"])
def test_many_classes_with_one_margin_have_the_optimum_of_memory(by_parts, loss, fit_intercept):
    how = {"loss": loss, "fit_intercept": fit_intercept, "C": 0.1, "class_weight": "balanced"}
    weights = np.random.default_rng(0).integers(0, 3, len(MANY))
    found, messages = by_parts(MANY, THREE, weights, **how)
    assert not messages
    same(found, MarginLinearClassifier(**how, tol=1e-12).fit(MANY, THREE, weights))
    assert_allclose(found.intercept_.sum(), 0.0, atol=1e-10)


@pytest.mark.parametrize("loss", ["logistic", "linear", "hinge"])
def test_many_classes_against_the_rest(by_parts, loss):
    how = {"loss": loss, "multi_class": "ovr", "C": 0.1}
    found, messages = by_parts(MANY, THREE, **how)
    assert not messages
    same(found, MarginLinearClassifier(**how).fit(MANY, THREE))


@pytest.mark.parametrize("loss", ["logistic", "squared_hinge", "savage"])
def test_without_a_penalty(by_parts, loss):
    found, messages = by_parts(X, Y, S, loss=loss, C=np.inf)
    assert not messages
    same(found, MarginLinearClassifier(loss, C=np.inf).fit(X, Y, S), 1e-9)


@pytest.mark.parametrize(
    ("loss", "said"), [("logistic", "grow without bound"), ("squared_hinge", ""), ("exponential", "grow without bound")]
)
def test_classes_that_are_separated_without_a_penalty(by_parts, loss, said):
    y = (X[:, 0] + 0.5 * X[:, 1] > 0.1).astype(int)
    model, messages = by_parts(X, y, loss=loss, C=np.inf)
    assert model.score(X, y) == 1.0
    assert np.isfinite(model.coef_).all()
    assert [said in message for message in messages] == [True] * bool(said)
    assert model.objective_[0] < (1e-20 if loss == "squared_hinge" else 100.0)


def test_a_loss_that_vanishes_is_zero_in_every_unit_of_the_weights(by_parts):
    """A sum of squared rounding errors is no loss that a further step could lower."""
    y = (X[:, 0] + 0.5 * X[:, 1] > 0.1).astype(int)
    model, messages = by_parts(X, y, np.full(len(y), 1e8), loss="squared_hinge", C=np.inf)
    assert not messages
    assert model.status_[0].startswith("Optimal to the limit of precision")


@pytest.mark.parametrize("loss", ["logistic", "squared_hinge"])
def test_ten_rounds_are_enough_whatever_the_scales_of_the_columns(by_parts, loss):
    for factor in (1.0, np.geomspace(1.0, 1e3, 6)):
        model, _ = by_parts(X * factor, Y, loss=loss)
        history = model.history_[0]
        assert history["passes"][-1] <= 8
        assert (model.suboptimality_ <= 1e-8).all()
        assert (np.diff(history["objective"]) <= 1e-9 * history["objective"][0]).all()


def test_offsets_cost_no_digits(by_parts):
    found, messages = by_parts(X + 1e5, Y, S)
    assert not messages
    same(found, MarginLinearClassifier().fit(X + 1e5, Y, S))


@pytest.mark.parametrize("loss", ["logistic", "savage", "squared_hinge"])
@pytest.mark.parametrize(("rows", "y"), [(X, Y), (MANY, THREE)], ids=["two", "three"])
def test_more_coefficients_than_a_hessian_may_have(by_parts, monkeypatch, loss, rows, y):
    monkeypatch.setattr(Objective, "direct_limit", 5)
    found, messages = by_parts(rows, y, loss=loss, C=0.1)
    assert not messages
    # Stopped by a bound of 1e-8, not at rounding as Newton's method is.
    same(found, MarginLinearClassifier(loss, C=0.1).fit(rows, y), 1e-7)


def test_a_kink_with_more_coefficients_than_a_hessian_may_have(by_parts, monkeypatch):
    monkeypatch.setattr(Objective, "direct_limit", 5)
    found, messages = by_parts(MANY, THREE, loss="hinge", C=0.01, tol=1e-3)
    assert not messages
    assert found.suboptimality_[0] <= 1e-3
    expected = MarginLinearClassifier("hinge", C=0.01).fit(MANY, THREE)
    assert_allclose(found.objective_, expected.objective_, rtol=1e-3)


@pytest.mark.parametrize(("rows", "y"), [(X, Y), (MANY, THREE)], ids=["two", "three"])
def test_a_hessian_of_sampled_rows_ends_at_the_same_optimum(by_parts, monkeypatch, rows, y):
    monkeypatch.setattr(LocalParts, "whole_hessian", 2)
    monkeypatch.setattr(partitioned, "_HESSIAN_ROWS", 20)
    found, messages = by_parts(rows, y)
    assert not messages
    same(found, MarginLinearClassifier().fit(rows, y))
    assert found.history_[0]["passes"][-1] <= 15


def test_a_hessian_that_costs_no_more_than_the_rest_is_of_all_rows(by_parts, monkeypatch):
    """However few of them would be enough."""
    plain, _ = by_parts(X, Y)
    monkeypatch.setattr(partitioned, "_HESSIAN_ROWS", 1)
    found, _ = by_parts(X, Y)
    assert_array_equal(found.coef_, plain.coef_)


def test_the_rows_at_the_kink_end_it_in_three_rounds(by_parts, monkeypatch):
    """And without them the method of multipliers gets there, in many."""
    X, Y, S = draw(n=3000, d=4, seed=3)
    monkeypatch.setattr(parts, "_LEAST_SAMPLE", 1000)
    found, _ = by_parts(X, Y, S, loss="hinge")
    expected = MarginLinearClassifier("hinge").fit(X, Y, S)
    assert found.history_[0]["passes"][-1] <= 5
    assert_allclose(found.objective_, expected.objective_, rtol=1e-12)
    assert found.suboptimality_[0] <= 1e-12
    monkeypatch.setattr(ActiveSet, "reach", lambda self, theta: -1.0)
    slow, messages = by_parts(X, Y, S, loss="hinge")
    assert not messages
    assert slow.history_[0]["passes"][-1] > 20
    assert_allclose(slow.objective_, expected.objective_, rtol=1e-8)
    assert slow.objective_[0] * (1.0 - slow.suboptimality_[0]) <= expected.objective_[0]


@pytest.mark.parametrize("moved", [1e-3, 0.1, 1.0, 10.0])
def test_rows_at_the_kink_bound_the_optimum_from_below_wherever_they_start(moved):
    """However many rows cross that were not asked for, what is claimed of F* holds."""
    this = problem(loss=Hinge(), C=0.5)
    best = MarginLinearClassifier("hinge", C=0.5, tol=1e-12).fit(X, Y).objective_[0]
    sample = Part(X[::2], Y[::2], np.full(450, 2.0))
    objective = PartitionedObjective(_Alone(Part(X, Y, None)), this, np.bincount(Y), sample)
    near = ActiveSet(objective, solve)
    theta = np.random.default_rng(5).normal(size=7)
    for rounds_allowed in (1, 2, 8):
        end = near.attempt(theta, moved, 1e-12, rounds_allowed)
        assert end.rounds <= rounds_allowed
        assert np.isfinite(end.bound)
        assert end.bound <= best * (1.0 + 1e-11)
        assert end.point.value >= best * (1.0 - 1e-11)
    if moved == 10.0:  # all rows are near then
        assert end.bound == pytest.approx(best, rel=1e-10)


def test_few_iterations_are_said_to_be_few(by_parts):
    for loss in ("logistic", "hinge", "savage"):
        model, messages = by_parts(X * [1, 10, 1, 1, 1, 5], Y, loss=loss, max_iter=1, tol=0.0)
        assert len(messages) == 1, loss
        assert "max_iter iterations were done" in messages[0]
        assert np.isfinite(model.coef_).all()


def test_a_warm_start_takes_one_round_or_two(by_parts):
    model, _ = by_parts(X, Y, warm_start=True)
    before = model.objective_[0]
    np.testing.assert_array_less(1, model.history_[0]["passes"][-1])
    again = model.fit(np.load(model_file(model, by_parts), mmap_mode="r"), Y)
    assert again.history_[0]["passes"][-1] <= 2
    assert again.objective_[0] == pytest.approx(before, rel=1e-12)


def model_file(model, by_parts):
    """The file that the fixture has written."""
    return by_parts.__closure__[0].cell_contents / "X.npy"


def test_data_that_overflows_is_named(by_parts):
    with pytest.raises(ValueError, match=r"X has values up to .*e\+200 in magnitude"):
        by_parts(X * 1e200, Y)
    broken = X.copy()
    broken[-1, -1] = np.nan
    with pytest.raises(ValueError, match="Input X contains NaN"):
        by_parts(broken, Y)


def test_losses_at_the_start_may_overflow(by_parts):
    """A start that is no number is given up for zero."""
    model, _ = by_parts(X, Y, loss="exponential", warm_start=True)
    best = model.objective_[0]
    model.coef_, model.intercept_ = 1e4 * model.coef_, 1e4 * model.intercept_
    model.fit(np.load(model_file(model, by_parts), mmap_mode="r"), Y)
    assert model.objective_[0] == pytest.approx(best, rel=1e-10)


# What the solvers are made of.


def problem(**changes):
    given = {
        "loss": Logistic(), "n_classes": 2, "positive": 1, "C": 2.0, "class_weights": None, "fit_intercept": True,
        "centre": X.mean(axis=0), "penalty": L2(float(np.isfinite(changes.get("C", 2.0)))),
    }  # fmt: skip
    return Problem(**{**given, **changes})


@pytest.mark.parametrize("storage", [np.asarray, sparse.csr_array], ids=["dense", "csr"])
@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"loss": Savage()},
        {"positive": None, "n_classes": 3},
        {"class_weights": np.array([0.5, 2.0])},
        {"C": np.inf},
        {"penalty": L2(np.array([0.0, 1.0, 0.5, 2.0, 1.0, 3.0]))},
    ],
    ids=["logistic", "savage", "joint", "class weights", "no penalty", "weights of features"],
)
def test_derivatives_are_those_of_the_value(storage, changes):
    this = problem(**changes)
    codes = (np.arange(len(X)) % 3).astype(np.uint8) if this.positive is None else Y
    rows = LocalParts(X[:300], codes[:300], S[:300])
    rows._X, rows._rows = storage(X[:300]), 300
    part = Part(storage(X[:300]), codes[:300], S[:300])
    objective = PartitionedObjective(_Alone(part), this, np.bincount(part.codes, part.weights))
    k, size = this.shape
    theta = np.random.default_rng(0).normal(size=k * size) * 0.3
    point = objective.evaluate(theta, "all")
    step = np.random.default_rng(1).normal(size=k * size)
    h = 1e-5
    there, back = objective.evaluate(theta + h * step), objective.evaluate(theta - h * step)
    slope = float((point.gradient * step).sum())
    assert (there.value - back.value) / (2 * h) == pytest.approx(slope, rel=1e-7)
    change = (there.gradient - back.gradient) / (2 * h)
    # Second derivatives are those of rows less their centre, where the intercept is b + w·centre.
    in_w, in_b = objective.by_class(step), objective.b(step)
    moved = np.column_stack([in_w, in_b + in_w @ this.centre])
    found = (point.seconds.array @ moved.ravel()).reshape(k, size)
    hessian_step = objective.theta(found[:, :-1] + found[:, -1:] * this.centre, found[:, -1])
    objective.w(hessian_step)[...] += objective.penalty.gradient(objective.w(step))
    assert_allclose(hessian_step, change, rtol=1e-6, atol=1e-6 * np.abs(change).max())
    # Along a line, the diagonal, and the intercepts alone are parts of the same.
    values, slopes = objective.along(theta, step, np.array([h, 0.0]))
    assert_allclose([values[0], values[1], slopes[1]], [there.value, point.value, slope], rtol=1e-12)
    blocks = point.seconds.array.reshape(k, size, k, size)
    assert_allclose(objective.evaluate(theta, "intercepts").seconds.array, blocks[:, -1, :, -1], rtol=1e-9, atol=1e-12)
    own = np.einsum("kikj->kij", blocks)
    diagonal, mixed = objective.evaluate(theta, "diagonal").seconds.array
    if this.positive is not None:
        assert_allclose(diagonal, np.einsum("kii->ki", own), rtol=1e-9)
        assert_allclose(mixed, own[:, :, -1], rtol=1e-9, atol=1e-9)
    else:
        assert_allclose(diagonal[:, -1], np.einsum("kii->ki", own)[:, -1], rtol=1e-9)


class _Alone(parts.Parts):
    """One part."""

    def __init__(self, part):
        self.shape, self._part = part.X.shape, part

    def sum(self, function, *arguments):
        return function(self._part, *arguments)

    def each(self, function, *arguments):
        return [function(self._part, *arguments)]


@pytest.mark.parametrize("many", [False, True], ids=["two", "three"])
def test_the_gap_is_that_of_the_multipliers(many):
    """Primal minus dual, by the definition of both, at a point where nothing is optimal."""
    loss, C, gamma = Hinge(), 0.3, 0.25
    codes = (np.arange(len(X)) % 3).astype(np.uint8) if many else Y
    rng = np.random.default_rng(2)
    a = rng.random(len(X))
    this = problem(
        loss=loss, C=C, positive=None if many else 1, n_classes=3 if many else 2, fit_intercept=False, width=gamma,
        centre=np.zeros(6),
    )  # fmt: skip
    part = Part(X, codes, S, a)
    k = this.shape[0]
    w = rng.normal(size=(k, 6)) * 0.3
    theta = np.concatenate([w.ravel(), np.zeros(k)])
    z = X @ w.T
    if many:
        own = z[np.arange(len(X)), codes]
        z[np.arange(len(X)), codes] = -np.inf
        m = own - np.log(np.exp(z).sum(axis=1))
    else:
        m = np.where(codes == 1, 1, -1) * z[:, 0]
    after = np.clip((1.0 - (m - gamma * a)) / gamma, 0.0, 1.0)
    values, _, _ = this.partial_sums(part, theta)
    slack = C * S @ (np.maximum(0.0, 1.0 - m) - after + after * m)
    assert values[1] == pytest.approx(C * S @ np.maximum(0.0, 1.0 - m), rel=1e-12)
    assert values[2] == pytest.approx(slack, rel=1e-10)
    assert values[3] >= (m**2).max()
    found = this.multipliers(part, theta)
    assert_allclose(found[S > 0.0], after[S > 0.0], atol=1e-12)


def test_a_local_part_is_a_run_of_rows_in_their_order(monkeypatch):
    monkeypatch.setattr(parts, "_PART_BYTES", 100 * 6 * 8)
    rows = LocalParts(X, Y, S)
    seen = [part.X for part in rows]
    assert [len(part) for part in seen] == [100] * 9
    assert_array_equal(np.concatenate(seen), X)
    assert all(part.base is not None for part in seen)  # views


def test_sums_are_added_in_a_tree_that_depends_on_their_number_alone():
    order = []
    combined(list(range(20)), lambda group: order.append(group) or sum(group))
    assert order == [list(range(8)), list(range(8, 16)), list(range(16, 20)), [28, 92, 70]]


@pytest.mark.parametrize("run", [1, 16])
def test_a_sample_has_every_class_and_stands_for_all(run):
    codes = np.repeat([0, 1, 2], [10_000, 500, 3])
    weights = np.ones(len(codes))
    weights[:4000] = 0.0
    rows, scale = stratified(codes, weights, 1000, 0, run)
    assert (np.diff(rows) > 0).all()
    assert rows[0] >= 4000
    assert_allclose(np.bincount(codes[rows], scale), [6000, 500, 3])
    assert 900 <= len(rows) <= 1100
    assert np.bincount(codes[rows])[1] >= 80


def test_an_intercept_that_leads_nowhere_shortens_the_whole_step():
    """Where only the intercept has no curvature, a step that is cut there alone would not lead downhill."""
    y = (X[:, 0] > 0.2).astype(int)
    objective = PartitionedObjective(_Alone(Part(X, y, None)), problem(loss=SquaredHinge(), C=np.inf), np.bincount(y))
    theta = np.zeros(7)
    theta[0], theta[-1] = 3.0, 40.0 - 3.0 * X[:, 0].mean()
    point = objective.evaluate(theta, "all")
    direction = newton_direction(objective, point)
    assert float(point.gradient @ direction.step) == pytest.approx(-2.0 * direction.gain)
    assert direction.gain > 0.0
    assert objective.evaluate(theta + 1e-6 * direction.step).value < point.value
