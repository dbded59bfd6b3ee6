"""Coordinate ascent of many classes over the same sparse rows: the same steps as for each by itself."""

import numpy as np
import pytest
import scipy.sparse as sp
from problems import fit
from references import FAMILY

from marginclf import MarginLinearClassifier
from marginclf.losses import Hinge, SquaredHinge, get_loss
from marginclf.matrix import design_matrix
from marginclf.objective import L2, BinaryObjective, signed_weights
from marginclf.solvers.ascent import BinaryAscent
from marginclf.solvers.ascent_classes import _Run, begin_classes, classes_suit

CONVEX = [case for case in FAMILY if case.values[0].convex and not case.values[0].affine]


def text(n_classes, n=250, d=1500, seed=0):
    """An empty row among rows with few words."""
    rng = np.random.default_rng([seed, n_classes])
    X = sp.random(n, d, 0.02, "csr", random_state=seed)
    X.data[X.indptr[5] : X.indptr[6]] = 0.0
    return X, (X @ rng.normal(size=(d, n_classes)) + 0.3 * rng.gumbel(size=(n, n_classes))).argmax(axis=1)


def objectives(loss, X, y, n_classes, **how):
    matrix = design_matrix(X)
    s = np.random.default_rng(1).uniform(0.0, 2.0, len(y)).round(1)  # some are 0
    return [
        BinaryObjective(matrix, get_loss(loss), signed_weights(y, k, n_classes, s, 2.0), penalty=L2(1.0), **how)
        for k in range(n_classes)
    ]


@pytest.mark.parametrize("loss", CONVEX)
@pytest.mark.parametrize("n_classes", [3, 22])
def test_the_steps_are_those_of_each_class(loss, n_classes):
    """22 classes are five groups of four and two more; the intercept is on a spring in each."""
    X, y = text(n_classes)
    problems = objectives(loss, X, y, n_classes, fit_intercept=n_classes > 3)
    if not classes_suit(problems):
        assert not loss.smooth
        return
    together = _Run(problems, 0)
    together.b[:n_classes] = [float(problem.origin().b[0]) for problem in problems]
    for _ in range(4):
        together.sweep()
    for k in (0, n_classes - 1):
        alone = BinaryAscent(problems[k], problems[k].origin(), 0)
        for _ in range(4):
            alone.sweep()
        begun = together.begun(k)
        # Smooth losses end their steps at a thousandth of the residual, from wherever they began.
        accuracy = 2e-2 if loss.smooth else 1e-9
        for found, expected in ((begun.a[np.argsort(alone._rows.order)], alone.multipliers), (begun.w, alone._w)):
            assert np.linalg.norm(found - expected) <= accuracy * np.linalg.norm(expected)
        assert begun.b == pytest.approx(alone.b, rel=accuracy, abs=accuracy)


@pytest.mark.parametrize("loss", [SquaredHinge(), Hinge()])
def test_what_is_begun_goes_on(loss):
    """Coefficients of the dual variables, a balance that is theirs, and no row that sleeps for ever."""
    X, y = text(5)
    problems = objectives(loss, X, y, 5, fit_intercept=True)
    for problem, begun in zip(problems, begin_classes(problems, tol=1e-4, max_iter=30, seed=0), strict=True):
        ascent = BinaryAscent(problem, problem.origin(), 0, begun)
        alpha = problem.v * ascent.multipliers
        assert ascent._balance == pytest.approx(alpha.sum(), abs=1e-9 * np.abs(alpha).sum())
        before = ascent.forecast.rest()[0]
        for _ in range(12):
            ascent.sweep()
        assert ascent.forecast.rest()[0] < 0.1 * before
        w, alpha = problem.w(ascent.theta), problem.v * ascent.multipliers
        kept = ascent._w @ ascent._w + ascent._rows.diagonal @ alpha[ascent._rows.order] ** 2
        assert w @ w == pytest.approx(kept, rel=1e-5)


@pytest.mark.parametrize("loss", ["squared_hinge", "hinge"])
def test_fits_are_proven_and_those_of_each_class(loss, monkeypatch):
    X, y = text(7)
    how = {"multi_class": "ovr", "solver": "dual", "C": 3.0}
    model, messages = fit(loss, X, y, **how)
    assert not messages
    assert (model.suboptimality_ <= 1e-8).all()
    monkeypatch.setattr("marginclf._estimator.one_vs_rest.classes_suit", lambda problems: False)
    other = MarginLinearClassifier(loss, **how).fit(X, y)
    np.testing.assert_allclose(model.objective_, other.objective_, rtol=3e-8)
    assert (model.n_iter_ <= 2 * other.n_iter_ + 5).all()


def test_groups_do_not_depend_on_threads(monkeypatch):
    """Two groups of four, and the same bits by two threads."""
    X, y = text(6)
    monkeypatch.setattr("marginclf._estimator.one_vs_rest.AT_ONCE", 4)
    how = {"multi_class": "ovr", "solver": "dual"}
    one, two = (MarginLinearClassifier("squared_hinge", n_jobs=n, **how).fit(X, y) for n in (1, 2))
    np.testing.assert_array_equal(one.coef_, two.coef_)
    np.testing.assert_array_equal(one.intercept_, two.intercept_)
    assert (one.suboptimality_ <= 1e-8).all()


def test_one_that_watches_sees_every_sweep():
    X, y = text(4)
    how = {"multi_class": "ovr", "solver": "dual"}
    seen = MarginLinearClassifier("squared_hinge", record_history=True, **how).fit(X, y)
    unseen = MarginLinearClassifier("squared_hinge", **how).fit(X, y)
    np.testing.assert_array_equal(seen.coef_, unseen.coef_)
    for history, n_iter in zip(seen.history_, seen.n_iter_, strict=True):
        assert len(history["objective"]) == n_iter + 1
