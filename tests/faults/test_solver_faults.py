"""What goes wrong inside a solver: the best finite iterate is kept, and nothing false is claimed."""

import importlib
import warnings

import numpy as np
import pytest
import scipy.optimize
import scipy.sparse as sp
from references import DEFAULTS, FAMILY, takes, with_solvers
from sklearn.datasets import load_breast_cancer, load_iris
from sklearn.exceptions import ConvergenceWarning
from sklearn.preprocessing import scale

from marginclf import MarginLinearClassifier
from marginclf.matrix import DesignMatrix
from marginclf.matrix.csr import CSRMatrix
from marginclf.matrix.dense import DenseMatrix
from marginclf.matrix.joint import JointPasses
from marginclf.matrix.packed import PackedRows
from marginclf.solvers import SOLVERS, Status

pytestmark = pytest.mark.fault("solver faults")
X, Y = load_breast_cancer(return_X_y=True)
X, Y = scale(X)[::6], Y[::6]
X_IRIS, Y_IRIS = load_iris(return_X_y=True)
RNG = np.random.default_rng(3)
WIDE = sp.csr_array(np.where(RNG.random((40, 80)) < 0.2, RNG.normal(size=(40, 80)), 0.0))
DATA = {"binary": (X, Y), "joint": (X_IRIS, Y_IRIS), "wide": (WIDE, np.arange(40) % 2)}
CASES = with_solvers(FAMILY, ("auto", *SOLVERS))
CLAIMS = {status.value for status in Status if status.converged}
PASSES = {
    DesignMatrix: [
        "evaluate",
        "evaluate_all",
        "pointwise",
        "product",
        "transposed_product",
        "hessian_product",
        "squared_product",
        "gram",
        "gram_with_intercept",
        "rough_gram",
    ],
    DenseMatrix: ["row_gram"],
    CSRMatrix: ["gram", "gram_with_intercept", "largest_products", "row_gram"],
    PackedRows: ["gram_product"],
    JointPasses: [
        "evaluate",
        "gradient",
        "hessian_product",
        "diagonal",
        "weighed",
        "between",
        "along",
        "dual",
        "intercepts",
        "combination",
        "margins",
        "decisions",
        "second_derivatives",
    ],
}
# Their other methods compute nothing from the values of X: they cut, copy and count.
NO_PASSES = {
    "chunks",
    "blocks",
    "run",
    "sweep_rows",
    "alone",
    "take",
    "columns",
    "scaled",
    "packed",
    "copy_rows",
    "row_gram",
    "zeros",
    "by_class",
    "room",
}


def fit(loss, solver, data, **parameters):
    """A fit, the messages of its warnings, and of its error."""
    model = MarginLinearClassifier(loss, solver=solver, **parameters)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("error")
        warnings.simplefilter("always", ConvergenceWarning)
        model.fit(*data)
    return model, [str(warning.message) for warning in caught]


class Injector:
    """Spoils what a pass over the rows returns, at its k-th call of all."""

    def __init__(self, monkeypatch, k, value):
        self.calls, self.k, self.value = 0, k, value
        for cls, names in PASSES.items():
            for name in names:
                monkeypatch.setattr(cls, name, self.spoilt(getattr(cls, name)))

    def spoilt(self, method):
        def call(*arguments, **options):
            found = method(*arguments, **options)
            self.calls += 1
            return self.spoil(found) if self.calls == self.k else found

        return call

    def spoil(self, found):
        if isinstance(found, tuple):
            return tuple(self.spoil(item) for item in found)
        if isinstance(found, float):
            return self.value
        if isinstance(found, np.ndarray) and found.dtype.kind == "f" and found.size:
            found = found.copy()
            found.flat[found.size // 2] = self.value
        return found


def test_every_pass_can_be_spoilt():
    for cls, names in PASSES.items():
        public = {name for name, value in vars(cls).items() if name[0] != "_" and callable(value)}
        assert set(names) == public - (NO_PASSES - set(names)), cls


@pytest.mark.parametrize(
    ("value", "calls"),
    [(np.nan, (1, 2, 3, 4, 6, 10, 20)), (np.inf, (1, 2, 4, 7, 15)), (-np.inf, (1, 3, 5, 10, 25))],
    ids=["nan", "inf", "-inf"],
)
@pytest.mark.parametrize("data", DATA)
@pytest.mark.parametrize(("loss", "solver"), CASES)
def test_a_spoilt_pass(loss, solver, data, value, calls, tried):
    right, _ = fit(loss, solver, DATA[data])
    n = 0
    for k in calls:
        with pytest.MonkeyPatch.context() as patch:
            injector = Injector(patch, k, value)
            try:
                model, messages = fit(loss, solver, DATA[data])
            except ValueError as error:
                refused = str(error)
            else:
                refused = ""
        n += 1
        if refused:
            assert "overflow" in refused or "NaN" in refused or "infinity" in refused, (k, refused)
            continue
        for found in (model.coef_, model.intercept_, model.objective_):
            assert np.isfinite(found).all(), k
        claimed = set(model.status_) <= CLAIMS
        assert claimed or messages, k
        if claimed and right.loss_.convex:
            np.testing.assert_allclose(model.objective_, right.objective_, rtol=1e-5, err_msg=str(k))
        if injector.calls < k:
            break
    tried(n)


@pytest.mark.parametrize("data", DATA)
@pytest.mark.parametrize(("loss", "solver"), CASES)
def test_hardly_any_iterations(loss, solver, data):
    whole, _ = fit(loss, solver, DATA[data], record_history=True)
    for max_iter in (1, 2, 3):
        model, messages = fit(loss, solver, DATA[data], max_iter=max_iter)
        assert np.isfinite(model.coef_).all()
        if whole.loss_.convex and whole.loss_.smooth:  # of the others, the start is not in the history
            for F, history in zip(model.objective_, whole.history_, strict=True):
                assert history["objective"][0] * (1.0 + 1e-12) >= F
        if not set(model.status_) <= CLAIMS:
            assert len(messages) == 1
        elif whole.loss_.convex:
            np.testing.assert_allclose(model.objective_, whole.objective_, rtol=1e-6)


@pytest.mark.parametrize("data", DATA)
@pytest.mark.parametrize(("loss", "solver"), CASES)
def test_a_tolerance_of_zero(loss, solver, data):
    exact, messages = fit(loss, solver, DATA[data], tol=0.0, max_iter=3000)
    whole, _ = fit(loss, "auto", DATA[data])
    if whole.loss_.convex:
        assert (exact.objective_ <= whole.objective_ + 1e-7 * np.abs(whole.objective_)).all()
    assert set(exact.status_) <= CLAIMS or messages


@pytest.mark.parametrize("solver", ["auto", "lbfgs"])
@pytest.mark.parametrize("loss", [case for case in FAMILY if takes("lbfgs", case.values[0])])
def test_scipy_ends_early_or_with_nonsense(loss, solver, monkeypatch, tried):
    whole, _ = fit(loss, "auto", (X, Y))
    original = scipy.optimize.minimize
    n = 0
    for nonsense in (np.nan, np.inf, 0.0, 1e300):

        def broken(function, x0, *arguments, nonsense=nonsense, **options):
            result = original(function, x0, *arguments, **{**options, "options": {"maxiter": 2}})
            result.x = np.full_like(result.x, nonsense)
            result.success, result.message = True, "all is well"
            return result

        for module in ("marginclf.solvers.lbfgs",):
            monkeypatch.setattr(importlib.import_module(module), "minimize", broken)
        for data in ((X, Y), (X_IRIS, Y_IRIS)):
            try:
                model, messages = fit(loss, solver, data)
            except ValueError as error:
                model, messages = None, [str(error)]
            n += 1
            if model is None:
                assert "overflow" in messages[0]
            else:
                assert np.isfinite(model.coef_).all()
                assert set(model.status_) <= CLAIMS or messages
                if data[0] is X and set(model.status_) <= CLAIMS and whole.loss_.convex:
                    np.testing.assert_allclose(model.objective_, whole.objective_, rtol=1e-5)
    tried(n)


ALLOCATORS = ["empty", "zeros", "full", "empty_like", "zeros_like", "column_stack", "concatenate", "array", "ones"]


@pytest.mark.parametrize("data", DATA)
@pytest.mark.parametrize(("loss", "solver"), with_solvers([DEFAULTS[0], DEFAULTS[2], DEFAULTS[10]], ("auto", *SOLVERS)))
def test_no_memory_at_any_allocation(loss, solver, data, tried):
    """Each call of NumPy that makes an array fails once: a MemoryError reaches the user, and the earlier fit stays."""
    rows, labels = DATA[data]
    model = MarginLinearClassifier(loss, solver=solver).fit(rows, labels)
    coef, intercept = model.coef_.copy(), model.intercept_.copy()
    k, n = 0, 0
    while True:
        k += 1
        calls = 0

        def failing(original, k=k):
            def call(*arguments, **options):
                nonlocal calls
                calls += 1
                if calls == k:
                    raise MemoryError("no memory left")
                return original(*arguments, **options)

            return call

        with pytest.MonkeyPatch.context() as patch:
            for name in ALLOCATORS:
                patch.setattr(np, name, failing(getattr(np, name)))
            try:
                model.fit(rows, labels)
            except MemoryError:
                failed = True
            else:
                failed = False
        if calls < k:
            break
        n += 1
        if failed:
            np.testing.assert_array_equal(model.coef_, coef)
            np.testing.assert_array_equal(model.intercept_, intercept)
        else:
            # Somebody between us and NumPy does without.
            np.testing.assert_allclose(model.objective_, model.fit(rows, labels).objective_)
        k += k // 8  # the later ones are the same again and again
    assert n > 5
    np.testing.assert_array_equal(model.fit(rows, labels).coef_, coef)
    tried(n)


class Wish(Exception):
    pass


@pytest.mark.parametrize("data", DATA)
@pytest.mark.parametrize(("loss", "solver"), CASES)
def test_an_exception_from_a_watcher_passes_through(loss, solver, data, monkeypatch):
    rows, labels = DATA[data]
    model, _ = fit(loss, solver, DATA[data], record_history=True)
    before = dict(vars(model))

    def raising(self, point, seconds, passes):
        raise Wish("enough")

    monkeypatch.setattr("marginclf._estimator.progress.Monitor._add", raising)
    with pytest.raises(Wish, match="enough"):
        model.fit(rows, labels)
    assert vars(model) == before or all(vars(model)[name] is value for name, value in before.items())


@pytest.mark.parametrize("loss", ["exponential", "squared"])
def test_a_line_search_that_finds_nothing(loss):
    """A column of 1e12 beside the intercept leaves L-BFGS no step that rounding does not eat.

    Rounding is 1e-8 of F there: a tol of that size would be met on one processor and not on another.
    """
    rows = np.column_stack([X[:, :4], np.full(len(X), 1e12)])
    model, messages = fit(loss, "lbfgs", (rows, Y), tol=1e-13)
    assert model.status_ == (Status.LINE_SEARCH.value,)
    assert len(messages) == 1
    assert "No step along the search direction" in messages[0]
    assert "StandardScaler" in messages[0]
    whole, messages = fit(loss, "auto", (rows, Y))
    assert not messages
    np.testing.assert_allclose(model.objective_, whole.objective_, rtol=1e-5)


@pytest.mark.parametrize("data", DATA)
@pytest.mark.parametrize(
    ("loss", "solver"), with_solvers([case for case in DEFAULTS if case.values[0].convex], SOLVERS)
)
def test_what_a_fit_that_was_cut_short_proves_is_true(loss, solver, data):
    best, _ = fit(loss, "auto", DATA[data], C=1e-3)
    for max_iter in (1, 2, 4):
        cut, _ = fit(loss, solver, DATA[data], C=1e-3, max_iter=max_iter, tol=0.0)
        missing = (cut.objective_ - best.objective_) / np.abs(cut.objective_)
        assert (missing <= cut.suboptimality_ + 1e-7).all()
