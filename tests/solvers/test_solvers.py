"""Every solver, over every loss, ends where it says that it ends; the judge is the problem in 60 digits."""

import importlib
from pathlib import Path

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from problems import Exact, draw, fit, solution
from references import CONVEX, LOSS_CASES, LOSSES, takes, usually, with_solvers

import marginclf.solvers
from marginclf import MarginLinearClassifier
from marginclf.losses import (
    LUM,
    GeneralizedCrossEntropy,
    Logistic,
    ModifiedHuber,
    Sigmoid,
    SmoothHinge,
    SquaredHinge,
    Tangent,
    get_loss,
)
from marginclf.matrix import design_matrix
from marginclf.objective import L2, BinaryObjective, Objective, signed_weights
from marginclf.solvers import SOLVERS, newton_suits

BOUNDED_BELOW = [case for case in LOSSES if not case.values[0].affine]
X, Y, S = draw(n=40, d=3, seed=20)
ROUNDING = 1e-13


def left(exact, loss, model):
    """What is left to gain, relative to |F|: F − F*, or the Newton decrement where there is no one optimum."""
    if loss.convex and exact.penalty:
        return exact.excess(model)
    return float(exact.decrement(exact.theta(*solution(model)))) / abs(model.objective_[0])


@pytest.mark.parametrize(("loss", "solver"), with_solvers(BOUNDED_BELOW, ("auto", *SOLVERS)))
def test_reaches_the_optimum_or_a_stationary_point(loss, solver):
    model, messages = fit(loss, X, Y, S, solver=solver)
    exact = Exact(loss, X, Y, S)
    assert not messages
    assert left(exact, loss, model) <= 1e-8
    assert model.objective_[0] == pytest.approx(float(exact.value(exact.theta(*solution(model)))), rel=ROUNDING)
    if solver in ("auto", "newton"):
        # Small problems go on to rounding, which a loss with a kink feels to first order.
        assert left(exact, loss, model) <= (1e-20 if loss.smooth else exact.rounding(model))


@pytest.mark.parametrize("loss", CONVEX)
def test_solvers_agree(loss):
    solvers = [solver for solver in ("auto", *SOLVERS) if takes(solver, loss)]
    found = [fit(loss, X, Y, S, solver=solver, tol=1e-10)[0].objective_[0] for solver in solvers]
    np.testing.assert_allclose(found, found[0], rtol=1e-10)


@pytest.mark.parametrize("loss", ["logistic", "hinge"])
def test_a_solver_that_there_is_not_is_not_another_one(loss, monkeypatch):
    v = signed_weights(Y.astype(np.uint8), 1, 2, None, 1.0)
    objective = BinaryObjective(design_matrix(X), get_loss(loss), v, penalty=L2(), fit_intercept=True)
    how = {"tol": 1e-8, "max_iter": 100}
    with pytest.raises(ValueError, match="unknown solver 'gradient': use 'auto' or one of"):
        marginclf.solvers.solve(objective, objective.zeros(), solver="gradient", **how)
    monkeypatch.setattr(marginclf.solvers, "SOLVERS", (*SOLVERS, "gradient"))
    with pytest.raises(ValueError, match=r"'gradient' is in SOLVERS, and _in_memory of .* does not call it"):
        marginclf.solvers.solve(objective, objective.zeros(), solver="gradient", **how)


@pytest.mark.parametrize("solver", ["auto", *SOLVERS])
def test_what_is_written_by_hand_names_every_solver(solver):
    line = next(line for line in MarginLinearClassifier.__doc__.splitlines() if line.startswith("    solver : "))
    assert f'"{solver}"' in line, f"the docstring of MarginLinearClassifier does not name the solver {solver!r}"
    guide = Path(__file__).parents[2] / "docs" / "guide" / "solvers.rst"
    named = f'``"{solver}"``' in guide.read_text(encoding="utf-8") or solver == "auto"
    assert named, f"add the solver {solver!r} to the table of docs/guide/solvers.rst"


HARD = {
    "scaled columns": (X * [1.0, 1e3, 1e6], 1.0),
    "small columns": (X * [1.0, 1e-3, 1e-6], 1.0),
    "offset": (X + 1e6, 1.0),
    "offset of one column": (X + np.array([0.0, 1e6, 0.0]), 1.0),
    "offsets of small columns": (X * 1e-2 + [1e3, -1e4, 10.0], 1e4),
    "C=1e-6": (X, 1e-6),
    "C=1e6": (X, 1e6),
}


@pytest.mark.parametrize("data", HARD)
@pytest.mark.parametrize("loss", usually(BOUNDED_BELOW))
def test_auto_on_hard_data(loss, data):
    hard, C = HARD[data]
    model, messages = fit(loss, hard, Y, S, C=C)
    if loss in (Sigmoid(), GeneralizedCrossEntropy(q=1.0)) and C == 1e-6:
        # The penalty wins, and then b has no stationary point: these classes are not balanced.
        assert "diverge" in messages[0]
        return
    assert not messages
    assert left(Exact(loss, hard, Y, S, C=C), loss, model) <= 1e-8


@pytest.mark.parametrize("C", [1.0, 100.0, np.inf])
@pytest.mark.parametrize("offset", [0.0, 10.0, 1e3])
@pytest.mark.parametrize("loss", [SmoothHinge(), ModifiedHuber(), SquaredHinge()], ids=repr)
def test_auto_where_few_rows_are_curved(loss, offset, C):
    """On few rows, iterates come where no row, or fewer than columns, has any curvature."""
    for seed in range(8):
        for noise in (0.1, 1.0):
            few, y, s = draw(n=14, d=3, seed=seed, noise=noise)
            model, messages = fit(loss, few + offset, y, s, C=C)
            assert not messages
            if np.isfinite(C):
                assert left(Exact(loss, few + offset, y, s, C=C), loss, model) <= 1e-8
            else:
                # Without a penalty a shift changes nothing; where L-BFGS is at ease is one judge of the minimum.
                easy, _ = fit(loss, few, y, s, C=C, solver="lbfgs", tol=1e-12)
                assert model.objective_[0] <= easy.objective_[0] * (1 + 1e-8) + 1e-12


@pytest.mark.parametrize("data", ["scaled columns", "offset"])
@pytest.mark.parametrize("loss", [case for case in CONVEX if not case.values[0].affine])
def test_what_lbfgs_leaves_newton_finishes(loss, data, monkeypatch):
    """As on data that are too large for Newton's method from the start."""
    for most in ("_FEW_OPERATIONS", "_SOME_OPERATIONS"):
        monkeypatch.setattr(marginclf.solvers.rule, most, 0.0)
    hard, C = HARD[data]
    model, messages = fit(loss, hard, Y, S, C=C)
    assert not messages
    assert left(Exact(loss, hard, Y, S, C=C), loss, model) <= 1e-8


def test_auto_takes_lbfgs_where_a_hessian_is_expensive(monkeypatch):
    calls, spent = [], []
    for name in SOLVERS:
        solver = getattr(marginclf.solvers, name)

        def spy(*args, name=name, solver=solver, **kwargs):
            calls.append(name)
            solution = solver(*args, **kwargs)
            spent.append(solution.n_iter)
            return solution

        monkeypatch.setattr(marginclf.solvers, name, spy)
    fit("logistic", X, Y)
    assert calls == ["newton"]
    for most in ("_FEW_OPERATIONS", "_SOME_OPERATIONS"):
        monkeypatch.setattr(marginclf.solvers.rule, most, 0.0)
    monkeypatch.setattr(marginclf.solvers.rule, "few_operations", lambda *_: False)
    fit("logistic", X, Y)
    assert calls == ["newton", "lbfgs"]
    # A patience of one iteration: Newton's method takes over, and both count.
    monkeypatch.setattr(marginclf.solvers, "_PATIENCE", 1)
    model, _ = fit("logistic", X, Y)
    assert calls == ["newton", "lbfgs", "lbfgs", "newton"]
    assert spent[-2] == 1
    assert model.n_iter_[0] == 1 + spent[-1] > 2
    # max_iter is for both together.
    model, messages = fit("logistic", X, Y, max_iter=3)
    assert spent[-2:] == [1, 2]
    assert "3 iterations" in messages[0]


def test_newton_suits():
    assert newton_suits(569, 30, 569 * 30)
    assert newton_suits(5000, 10, 5000 * 10)
    assert not newton_suits(500, 800, 500 * 800)
    assert not newton_suits(10**6, 500, 500 * 10**6)
    assert not newton_suits(10**4, 5000, 5000 * 10**4)
    assert newton_suits(10**4, 10**5, 30 * 10**4)


@st.composite
def any_problem(draw_one):
    d = draw_one(st.integers(1, 3))
    return {
        "loss": draw_one(st.sampled_from([loss for _, loss in LOSS_CASES if not loss.affine])),
        "n": draw_one(st.integers(5, 30)),
        "seed": draw_one(st.integers(0, 10**6)),
        "scale": [10.0 ** draw_one(st.integers(-3, 3)) for _ in range(d)],
        "offset": draw_one(st.sampled_from([0.0, 0.0, 1.0, 1e2, 1e4, 1e6])),
        "C": draw_one(st.sampled_from([1e-4, 1e-2, 1.0, 1e2, 1e4, np.inf])),
        "fit_intercept": draw_one(st.booleans()),
        "solver": draw_one(st.sampled_from(["auto", *SOLVERS])),
    }


def case(loss, seed, *, n=20, scale=(1.0, 1.0, 1.0), offset=0.0, C=1.0, fit_intercept=True, solver="auto"):
    return {
        "loss": loss, "n": n, "seed": seed, "scale": list(scale), "offset": offset,
        "C": C, "fit_intercept": fit_intercept, "solver": solver,
    }  # fmt: skip


@settings(max_examples=200, deadline=None, derandomize=True)
@given(any_problem())
@example(case(Tangent(), 0, offset=1e6))
@example(case(Tangent(), 0, offset=1e6, solver="lbfgs"))
@example(case(SmoothHinge(1e-3), 0, offset=1e2, C=np.inf))
@example(case(LUM(1.0, 1e3), 0, offset=1e4, C=np.inf))
def test_no_false_converged(case):
    """Whatever says that it converged has little left to gain; the rest has warned."""
    assume(takes(case["solver"], case["loss"], case["C"]))
    scale = case.pop("scale")
    X, y, s = draw(case.pop("n"), len(scale), case.pop("seed"))
    X = (X + case.pop("offset")) * scale
    loss = case.pop("loss")
    model, messages = fit(loss, X, y, s, **case)
    assert np.isfinite(model.coef_).all()
    assert np.isfinite(model.intercept_).all()
    if messages:
        return
    if abs(model.objective_[0]) < 1e-15:
        return  # Nothing is left where a loss without penalty has reached zero.
    exact = Exact(loss, X, y, s, C=case["C"], fit_intercept=case["fit_intercept"])
    assert left(exact, loss, model) <= 1e-8


@pytest.mark.parametrize("loss", [Logistic(), Tangent(), GeneralizedCrossEntropy()], ids=lambda loss: loss.name)
def test_sparse_wide_data_by_conjugate_gradients(loss, monkeypatch):
    """The road of text, on a small problem: "auto" forms no Hessian there."""
    rng = np.random.default_rng(21)
    wide = sp.csr_array(sp.random(60, 300, density=0.03, random_state=21, format="csr"))
    y = (np.asarray(wide.sum(axis=1)).ravel() + rng.normal(size=60) > 1.0).astype(int)
    by_factoring, _ = fit(loss, wide, y, C=10.0, tol=1e-10)
    directions = importlib.import_module("marginclf.solvers.direction")
    monkeypatch.setattr(Objective, "direct_limit", 100)
    monkeypatch.setattr(directions, "_factored", None)
    model, messages = fit(loss, wide, y, C=10.0, tol=1e-10)
    assert not messages
    assert model.objective_[0] == pytest.approx(by_factoring.objective_[0], rel=1e-9)
