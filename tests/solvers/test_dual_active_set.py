"""The active set of the dual, for losses of two straight lines on little data: the optimum, proven."""

from __future__ import annotations

import importlib

import numpy as np
import pytest
import scipy.sparse as sp
from numpy.testing import assert_allclose
from problems import draw, objective_of
from sklearn.datasets import load_breast_cancer
from sklearn.preprocessing import scale
from sklearn.svm import SVC

import marginclf.solvers
from marginclf import MarginLinearClassifier
from marginclf.losses import Hinge, MarginLoss, SmoothHinge

method = importlib.import_module("marginclf.solvers.dual_active_set")
dual_active_set, two_lines = method.dual_active_set, method.two_lines


class Pinball(MarginLoss):
    """max(τ (t − m), (τ − 1) (t − m)): below the margin t it falls, above it rises."""

    tau: float = 0.8
    t: float = 2.0

    def point(self, m):
        u = self.t - m
        return (self.tau * u, -self.tau, 0.0) if u > 0.0 else ((self.tau - 1.0) * u, 1.0 - self.tau, 0.0)

    def prox(self, m, step):
        u = self.t - m
        return m + min(max(u, (self.tau - 1.0) * step), self.tau * step)


class Bent(Hinge):
    """A hinge with another line in it."""

    def point(self, m):
        if m < -1.0:
            return 1.0 - 2.0 * m - 1.0, -2.0, 0.0
        return (1.0 - m, -1.0, 0.0) if m < 1.0 else (0.0, 0.0, 0.0)


@pytest.fixture
def outcomes(monkeypatch):
    found, solver = [], marginclf.solvers.dual_active_set

    def spy(*args, **kwargs):
        found.append(solver(*args, **kwargs))
        return found[-1]

    monkeypatch.setattr(marginclf.solvers, "dual_active_set", spy)
    return found


def test_which_losses_are_two_lines():
    lines = {loss: two_lines(loss, loss.compiled()) for loss in (Hinge(), Pinball(), SmoothHinge())}
    assert lines[Hinge()] == (-1.0, 0.0, 1.0, 0.0, 0.0)
    assert_allclose(lines[Pinball()], (-0.8, 0.2, 2.0, 0.0, 0.0), atol=1e-14)
    assert lines[SmoothHinge()] is None
    assert two_lines(Bent(), Bent().compiled()) is None


@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("loss", [Hinge(), Pinball()], ids=repr)
def test_the_optimum_of_the_augmented_lagrangian(loss, fit_intercept, outcomes):
    X, y, s = draw(n=120, d=4, seed=6)
    X += [0.0, 2.0, -1.0, 0.0]
    for C, kind in ((1e-3, np.asarray), (1.0, sp.csr_array), (1e3, np.asfortranarray), (1.0, sp.csc_array)):
        how = {"C": C, "fit_intercept": fit_intercept}
        found = MarginLinearClassifier(loss, **how).fit(kind(X), y, s)
        other = MarginLinearClassifier(loss, solver="newton", **how).fit(X, y, s)
        assert outcomes.pop() is not None
        assert found.suboptimality_[0] <= 1e-11
        assert found.objective_[0] == pytest.approx(other.objective_[0], rel=1e-10)
        assert found.objective_[0] * (1.0 - found.suboptimality_[0]) <= other.objective_[0] * (1.0 + 1e-14)
        assert_allclose(found.coef_, other.coef_, rtol=1e-6, atol=1e-8 * np.abs(other.coef_).max())
        assert_allclose(found.intercept_, other.intercept_, rtol=1e-6, atol=1e-7)
    assert not outcomes


def test_the_optimum_of_libsvm(outcomes):
    X, y = load_breast_cancer(return_X_y=True)
    X = scale(X)
    for C in (1e-2, 1.0, 1e2):
        found = MarginLinearClassifier("hinge", C=C).fit(X, y)
        other = SVC(kernel="linear", C=C, tol=1e-8).fit(X, y)
        assert outcomes.pop() is not None
        assert_allclose(found.coef_, other.coef_, rtol=1e-4, atol=1e-5 * np.abs(other.coef_).max())


def test_many_free_rows_come_from_smooth_losses(monkeypatch, outcomes):
    X, y, s = draw(n=200, d=3, seed=9)
    steps, smooth = [], method._Run.smooth
    monkeypatch.setattr(method._Run, "smooth", lambda *how: steps.append(smooth(*how)) or steps[-1])
    for name, value in (("_SWEEPS", 1), ("_SPARE", 0), ("_ROOM", 50)):
        monkeypatch.setattr(method, name, value)
    found = MarginLinearClassifier("hinge").fit(X, y, s)
    assert outcomes[0] is not None
    assert len(steps) == len(method._WIDTHS)
    monkeypatch.undo()
    assert found.objective_[0] == pytest.approx(MarginLinearClassifier("hinge").fit(X, y, s).objective_[0], rel=1e-12)


@pytest.mark.parametrize("room", [("_SPARE", -4), ("_STEPS", 0)])
def test_what_it_leaves_is_solved_by_another(room, monkeypatch, outcomes):
    X, y, s = draw(n=200, d=3, seed=9)
    best = MarginLinearClassifier("hinge").fit(X, y, s)
    monkeypatch.setattr(method, *room)
    monkeypatch.setattr(method, "_ROOM", 0)
    found = MarginLinearClassifier("hinge").fit(X, y, s)
    assert outcomes[-1] is None
    assert found.objective_[0] == pytest.approx(best.objective_[0], rel=1e-12)


def test_data_that_is_awkward():
    """Rows twice, columns that repeat, constant and zero columns, classes that separate, a row alone."""
    X, y, s = draw(n=40, d=3, seed=2)
    wide = np.column_stack([X, X[:, 0], np.ones(40), np.zeros(40)])
    for rows, labels, weights in (
        (np.vstack([wide, wide]), np.concatenate([y, y]), np.concatenate([s, s])),
        (np.round(wide), y, s),
        (np.where(y[:, None] > 0, 1.0, -1.0) * np.array([[1.0, 2.0]]), y, s),
        (np.array([[0.0], [0.0], [1.0], [1.0]]), np.array([0, 0, 1, 1]), np.array([1.0, 0.0, 1.0, 3.0])),
        (np.zeros((4, 2)), np.array([0, 1, 1, 1]), None),
    ):
        for C in (1e-6, 1.0, 1e6):
            found = MarginLinearClassifier("hinge", C=C).fit(rows, labels, weights)
            other = MarginLinearClassifier("hinge", C=C, solver="newton").fit(rows, labels, weights)
            assert found.status_[0].startswith("Optimal")
            # With C s of 1e7 times F, the rounding of a margin shows in the eighth digit of F, and both proofs say so.
            near = max(1e-9, *found.suboptimality_, *other.suboptimality_)
            assert near < 1e-6
            assert found.objective_[0] == pytest.approx(other.objective_[0], rel=near, abs=1e-12)
            assert_allclose(found.intercept_, other.intercept_, atol=1e-6 * (1.0 + np.abs(other.intercept_).max()))
            for solver in ("newton", "dual"):
                ended = MarginLinearClassifier("hinge", C=C, solver=solver).fit(rows, labels, weights)
                assert ended.status_[0].startswith("Optimal"), (C, solver)


def test_an_early_claim_holds():
    X, y, s = draw(n=150, d=4, seed=3)
    objective = objective_of(Hinge(), X, y, s)
    best = dual_active_set(objective, tol=1e-8, max_iter=1000, seed=0).point.value
    seen = []
    objective.monitor = lambda iterate: seen.append(iterate()) or False
    assert dual_active_set(objective, tol=1e-8, max_iter=1000, seed=0).point.value == best
    assert len(seen) > 2
    for point in seen:
        assert point.value - best <= point.bound + 1e-13 * best
        assert point.value >= best * (1.0 - 1e-14)
