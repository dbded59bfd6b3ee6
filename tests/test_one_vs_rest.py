"""Several classes: one after another and side by side end at the same place."""

from functools import partial

import numpy as np
import problems
import pytest

import marginclf._estimator.one_vs_rest as one_vs_rest
from marginclf import MarginLinearClassifier
from marginclf._estimator.problems import Problems, Settings
from marginclf.losses import Logistic
from marginclf.matrix import design_matrix
from marginclf.matrix.base import DesignMatrix

N, D, CLASSES = 9000, 130, 5


def data():
    rng = np.random.default_rng(60)
    X = rng.normal(size=(N, D))
    scores = X @ rng.normal(size=(D, CLASSES)) / 4 + rng.gumbel(size=(N, CLASSES))
    return X, scores.argmax(axis=1), rng.uniform(0.0, 2.0, N)


X, Y, S = data()
fit = partial(problems.fit, multi_class="ovr")


@pytest.fixture
def passes(monkeypatch):
    """Which classes each pass served."""
    served = []
    original = DesignMatrix.evaluate_all

    def spy(self, loss, codes, weights, positive, w, b):
        served.append(positive.tolist())
        return original(self, loss, codes, weights, positive, w, b)

    monkeypatch.setattr(DesignMatrix, "evaluate_all", spy)
    return served


@pytest.mark.parametrize("loss", ["logistic", "squared_hinge"])
@pytest.mark.parametrize(
    "parameters", [{}, {"fit_intercept": False}, {"class_weight": "balanced"}, {"C": np.inf}], ids=str
)
def test_together_or_alone(loss, parameters, passes, monkeypatch):
    together, messages = fit(loss, X, Y, S, **parameters)
    assert not messages
    assert passes[0] == list(range(CLASSES)), "one pass serves all classes"
    del passes[:]
    monkeypatch.setattr(one_vs_rest, "_WIDE", 10**9)
    alone, _ = fit(loss, X, Y, S, **parameters)
    assert not passes
    np.testing.assert_allclose(together.objective_, alone.objective_, rtol=1e-8)
    np.testing.assert_allclose(together.coef_, alone.coef_, atol=1e-3 * np.abs(alone.coef_).max())
    assert together.status_ == alone.status_


def test_the_same_bits_again_and_for_any_number_of_threads(passes):
    models = [fit("logistic", X, Y, n_jobs=n_jobs)[0] for n_jobs in (1, 2, 1, -1)]
    assert passes
    for model in models[1:]:
        assert model.coef_.tobytes() == models[0].coef_.tobytes()
        assert model.intercept_.tobytes() == models[0].intercept_.tobytes()


def test_a_warm_start_continues_for_every_class(passes):
    model = MarginLinearClassifier(multi_class="ovr", tol=1e-10, warm_start=True).fit(X, Y)
    first = model.n_iter_.copy()
    model.fit(X, Y)
    assert passes
    assert (model.n_iter_ < first).all()


def test_the_first_classes_may_end_before_the_others(passes):
    """Each request goes to the class that made it, whichever are left."""
    wanted, _ = fit("logistic", X, Y, tol=1e-10)
    starts = [(wanted.coef_[k].copy(), float(wanted.intercept_[k])) if k < 2 else None for k in range(CLASSES)]
    del passes[:]
    settings = Settings(C=1.0, fit_intercept=True, solver="auto", tol=1e-8, max_iter=1000)
    with design_matrix(X) as matrix:
        rows = Problems(matrix, Logistic(), Y.astype(np.uint8), None, CLASSES, settings)
        found = [solution for solution, _ in one_vs_rest.OneVsRest(rows).solve(range(CLASSES), starts)]
    assert passes[0] == [0, 1, 2, 3, 4]
    assert [2, 3, 4] in passes, "the others go on without the first two"
    # A wrong one would be noticed by nothing else: Newton's method would mend the damage.
    assert all(served == passes[0] or set(served) <= {2, 3, 4} for served in passes)
    assert max(s.n_iter for s in found[:2]) < min(s.n_iter for s in found[2:])
    np.testing.assert_allclose([s.point.value for s in found], wanted.objective_, rtol=1e-8)


def test_what_one_pass_would_not_serve_is_done_alone(passes):
    fit("savage", X, Y)  # not convex: each starts from an optimum of its own
    fit("linear", X, Y)  # in closed form
    fit("logistic", X[:500], Y[:500])  # small
    fit("logistic", X, Y, solver="newton")
    fit("logistic", X, Y > 2)
    assert not passes


def test_errors_of_one_class_are_the_errors_of_the_fit(passes):
    bad = X.copy()
    bad[17, 3] = np.nan
    with pytest.raises(ValueError, match="contains NaN"):
        MarginLinearClassifier(multi_class="ovr").fit(bad, Y)
    bad[17, 3] = 1e200
    with pytest.raises(ValueError, match="scale the features"):
        MarginLinearClassifier(multi_class="ovr").fit(bad, Y)
    assert passes


def test_each_class_is_reported(capsys):
    MarginLinearClassifier(multi_class="ovr", verbose=1).fit(X, Y)
    lines = capsys.readouterr().out.splitlines()
    assert sum("Optimal" in line for line in lines) == CLASSES
    assert len({line.split(",")[0].split(":")[0] for line in lines}) == CLASSES
