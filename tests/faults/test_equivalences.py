"""Different ways to say the same thing give the same fit."""

import warnings

import numpy as np
import pandas as pd
import polars as pl
import pytest
import scipy.sparse as sp
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from references import FAMILY, takes
from sklearn.exceptions import ConvergenceWarning
from threadpoolctl import threadpool_info, threadpool_limits

from marginclf import MarginLinearClassifier
from marginclf.losses import catalogue
from marginclf.solvers import SOLVERS

pytestmark = pytest.mark.fault("equivalences")
ALL = tuple(catalogue())
CONVEX = tuple(name for name, cls in catalogue().items() if cls().convex)
EXAMPLES = 50
MANY = settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@st.composite
def problems(draw, losses=ALL, classes=(2, 3)):
    """A loss, C, whether there is an intercept, X of small shapes with ties and zeros, labels and whole weights."""
    n, d = draw(st.integers(6, 30)), draw(st.integers(1, 5))
    k = draw(st.sampled_from(classes))
    rng = np.random.default_rng(draw(st.integers(0, 2**16)))
    X = rng.normal(size=(n, d)) * 10.0 ** rng.integers(-1, 2, d)
    if draw(st.booleans()):
        X = np.round(X)
    y = rng.permutation(np.arange(n) % k)
    weights = rng.integers(0, 4, n).astype(float)
    for label in range(k):
        weights[np.flatnonzero(y == label)[:2]] = 1.0
    return {
        "loss": draw(st.sampled_from(losses)),
        "C": 10.0 ** draw(st.integers(-2, 1)),
        "fit_intercept": draw(st.booleans()),
        "X": X,
        "y": y,
        "weights": weights,
    }


def fit(problem, X=None, y=None, weights=None, **parameters):
    """F, and the fitted model."""
    own = {name: problem[name] for name in ("loss", "C", "fit_intercept")}
    model = MarginLinearClassifier(**{**own, **parameters})
    with warnings.catch_warnings():
        if not catalogue()[problem["loss"]]().convex:
            warnings.simplefilter("ignore", ConvergenceWarning)
        return model.fit(problem["X"] if X is None else X, problem["y"] if y is None else y, weights)


def same(a, b, X, other=None, *, exact=False):
    """The same objective and decisions; of a loss that is not convex, only where the way was the same too."""
    if exact:
        np.testing.assert_array_equal(a.coef_, b.coef_)
        np.testing.assert_array_equal(a.intercept_, b.intercept_)
        return
    np.testing.assert_allclose(a.objective_, b.objective_, rtol=3e-8, atol=1e-9)
    if a.loss_.curvature_bounds()[0] >= 0.0 and a.loss_.convex:
        z, other_z = a.decision_function(X), b.decision_function(X if other is None else other)
        np.testing.assert_allclose(other_z, z, rtol=5e-3, atol=5e-3 * (1.0 + np.abs(z).max()))


@MANY
@given(problem=problems(losses=CONVEX))
def test_weights_are_repeated_and_removed_rows(problem, tried):
    X, y, weights = problem["X"], problem["y"], problem["weights"]
    rows = np.repeat(np.arange(len(y)), weights.astype(int))
    same(fit(problem, weights=weights), fit(problem, X[rows], y[rows]), X)
    tried(EXAMPLES)


@MANY
@given(problem=problems(losses=CONVEX, classes=(2,)))
def test_swapped_classes_swap_the_sign(problem, tried):
    a, b = fit(problem), fit(problem, y=1 - problem["y"])
    np.testing.assert_allclose(b.objective_, a.objective_, rtol=3e-8, atol=1e-9)
    np.testing.assert_allclose(b.coef_, -a.coef_, rtol=5e-3, atol=5e-3 * (1e-3 + np.abs(a.coef_).max()))
    tried(EXAMPLES)


@MANY
@given(problem=problems(losses=CONVEX), seed=st.integers(0, 99))
def test_order_of_rows_and_of_columns(problem, seed, tried):
    X, y, weights = problem["X"], problem["y"], problem["weights"]
    rng = np.random.default_rng(seed)
    rows, columns = rng.permutation(len(y)), rng.permutation(X.shape[1])
    a = fit(problem, weights=weights)
    same(a, fit(problem, X[rows], y[rows], weights[rows]), X)
    same(a, fit(problem, X[:, columns], weights=weights), X, X[:, columns])
    tried(2 * EXAMPLES)


@MANY
@given(problem=problems(losses=CONVEX), k=st.integers(-3, 3))
def test_scaled_features_with_the_penalty_scaled_along(problem, k, tried):
    # ½‖w/t‖² C' = ... : X t with C/t² is X with C, and F is t² times as large.
    t = 10.0**k
    a, b = fit(problem), fit(problem, problem["X"] * t, C=problem["C"] / t**2)
    np.testing.assert_allclose(b.objective_ * t**2, a.objective_, rtol=3e-8, atol=1e-9)
    tried(EXAMPLES)


@MANY
@given(problem=problems())
def test_any_container(problem, tried, tmp_path_factory):
    X = problem["X"]
    a = fit(problem)
    file = tmp_path_factory.mktemp("map") / "X.npy"
    np.save(file, X)
    names = [f"x{j}" for j in range(X.shape[1])]
    bits = [np.load(file, mmap_mode="r"), X.tolist(), pd.DataFrame(X, columns=names), pl.DataFrame(X, schema=names)]
    for container in bits:
        same(a, fit(problem, container), X, container, exact=isinstance(container, np.memmap | list))
    if a.loss_.convex:
        for container in (np.asfortranarray(X), sp.csr_array(X), sp.csc_array(X), sp.coo_array(X)):
            same(a, fit(problem, container), X)
    tried(8 * EXAMPLES)


@MANY
@given(problem=problems(losses=CONVEX, classes=(2,)))
def test_float32_is_near_float64(problem, tried):
    X = problem["X"].astype(np.float32)
    same(fit(problem, X.astype(np.float64)), fit(problem, X), X)
    tried(EXAMPLES)


@MANY
@given(problem=problems(losses=CONVEX), C=st.sampled_from([1e-3, 1.0, 1e3]))
def test_cold_and_warm_starts(problem, C, tried):
    cold = fit(problem)
    warm = fit(problem, C=C, warm_start=True)
    warm.set_params(C=problem["C"]).fit(problem["X"], problem["y"])
    same(cold, warm, problem["X"])
    tried(EXAMPLES)


@MANY
@given(problem=problems(losses=CONVEX))
def test_every_solver(problem, tried):
    loss = catalogue()[problem["loss"]]()
    fits = [fit(problem, solver=solver, max_iter=10_000) for solver in ("auto", *SOLVERS) if takes(solver, loss)]
    for other in fits[1:]:
        same(fits[0], other, problem["X"])
    tried(len(SOLVERS) * EXAMPLES)


def large(kind):
    rng = np.random.default_rng(5)
    X = rng.normal(size=(12_000, 24))
    y = (X[:, 0] + rng.normal(size=12_000) > 0.0).astype(int) + (X[:, 1] > 1.0)
    if kind == "sparse":
        X = sp.random_array((6_000, 3_000), density=0.01, format="csr", rng=rng)
        y = rng.integers(0, 3, 6_000)
    return X, (y if kind.endswith("classes") or kind == "sparse" else (y > 0).astype(int))


@pytest.mark.parametrize(
    ("loss", "kind"),
    [
        ("logistic", "dense"),
        ("hinge", "dense classes"),
        ("savage", "dense"),
        ("logistic", "sparse"),
        *(
            pytest.param(*case, marks=pytest.mark.slow)
            for case in [("logistic", "dense classes"), ("hinge", "dense"), ("hinge", "sparse"), ("savage", "sparse")]
        ),
    ],
)
def test_threads_and_repeats_change_no_bit(loss, kind, tried):
    X, y = large(kind)
    with threadpool_limits(1, user_api="blas"):
        before = threadpool_info()
        model = MarginLinearClassifier(loss, max_iter=6)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            first = model.fit(X, y)
            coef, intercept = first.coef_.copy(), first.intercept_.copy()
            for n_jobs in (1, 2, 4, None):
                again = MarginLinearClassifier(loss, max_iter=6, n_jobs=n_jobs).fit(X, y)
                np.testing.assert_array_equal(again.coef_, coef)
                np.testing.assert_array_equal(again.intercept_, intercept)
        # BLAS has as many threads as before.
        assert threadpool_info() == before
    tried(4)


@pytest.mark.parametrize("loss", FAMILY)
def test_twenty_repeats_change_no_bit(loss, tried):
    X, y = large("dense classes")
    X, y = X[:150], y[:150]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        fits = [MarginLinearClassifier(loss).fit(X, y) for _ in range(20)]
    for other in fits[1:]:
        same(fits[0], other, X, exact=True)
    tried(20)
