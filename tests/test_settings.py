"""What a process may have set before: NumPy's error state, Numba's variables, and a console that shows little."""

import builtins
import os
import subprocess
import sys
import warnings

import dask
import dask.array as da
import matplotlib.pyplot as plt
import numpy as np
import pytest
from children import child
from references import DEFAULTS, takes
from scipy import sparse
from sklearn.exceptions import ConvergenceWarning

from marginclf import MarginLinearClassifier, _process
from marginclf.inspection import ConvergenceDisplay, LossDisplay, MarginDisplay
from marginclf.kernels import cache
from marginclf.losses import check_margin_loss

EXTREME = np.array([0.0, 1e-320, 1.0, 38.0, 800.0, 1e5, 1e300, 1.7e308])
EXTREME = np.concatenate([-EXTREME, EXTREME])
FAR = np.column_stack([0.0 * EXTREME, EXTREME, EXTREME[::-1]])
X = np.random.default_rng(0).normal(size=(40, 3))
SMALL, LARGE = 1e-170 * X, np.concatenate([X, 1e5 * X, np.full((1, 3), 1e-310)])
Y = np.random.default_rng(1).integers(0, 3, 40)


@pytest.fixture
def strict():
    """A user's ``numpy.seterr(all="raise")``."""
    before = np.seterr(all="raise")
    yield
    np.seterr(**before)


def fit(loss, X, y, **parameters):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return MarginLinearClassifier(loss, max_iter=20, **parameters).fit(X, y)


def predict_everything(model, X):
    for method in ("decision_function", "predict", "predict_proba", "predict_log_proba"):
        if hasattr(model, method):
            assert len(getattr(model, method)(X)) == len(X)


@pytest.mark.usefixtures("strict")
@pytest.mark.parametrize("loss", DEFAULTS)
def test_losses_raise_no_error_of_floating_point(loss):
    for name in ("evaluate", "log_slope", "probability", "log_probability"):
        if getattr(loss, name) is not None:
            assert not np.isnan(getattr(loss, name)(EXTREME)).all()
    for name in ("joint_probability", "joint_log_probability"):
        if getattr(loss, name) is not None and loss.why_not_joint() is None:
            assert getattr(loss, name)(FAR).shape == FAR.shape
    if loss.link is not None:
        assert loss.link(np.array([0.0, 1e-320, 0.5, 1.0]))[2] == 0.0
    assert loss.lipschitz >= 0.0
    assert loss.calibrated
    assert "passes" in str(check_margin_loss(loss))


@pytest.mark.usefixtures("strict")
@pytest.mark.parametrize("loss", DEFAULTS)
def test_fits_raise_no_error_of_floating_point(loss):
    for solver in ("auto", "newton", "lbfgs", "dual"):
        if takes(solver, loss):
            # Far from each other, and so small that their products underflow.
            for rows in (X, SMALL):
                predict_everything(fit(loss, rows, Y, solver=solver), LARGE)
    model = fit(loss, sparse.csr_array(X), Y, multi_class="ovr", n_jobs=2, class_weight="balanced", warm_start=True)
    model.set_params(proba_prior="data", C=1e-300)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(X, Y)
    predict_everything(model, X)
    assert 0.0 <= model.score(X, Y) <= 1.0


@pytest.mark.usefixtures("strict")
def test_displays_and_collections_raise_no_error_of_floating_point():
    model = MarginLinearClassifier(solver="lbfgs", record_history=True).fit(X, Y)
    for display in (
        LossDisplay.from_losses("exponential", "savage", margin_range=(-800.0, 800.0)),
        MarginDisplay.from_estimator(model, X, Y),
        ConvergenceDisplay.from_estimator(model),
    ):
        assert display.figure_.axes
    plt.close("all")
    with dask.config.set(scheduler="synchronous"):  # in this thread, whose state it is
        rows, labels = da.from_array(X, chunks=(20, 3)), da.from_array(Y, chunks=20)
        model = MarginLinearClassifier().fit(rows, labels)
        assert model.predict_log_proba(rows).compute().shape == (40, 3)
        assert model.score(rows, labels) > 0.0


@pytest.mark.slow
def test_without_compilation_the_variable_is_named(monkeypatch):
    monkeypatch.setenv("NUMBA_DISABLE_JIT", "1")
    found = child(
        """
        import json
        from marginclf import MarginLinearClassifier
        from marginclf.losses import Logistic, check_margin_loss
        said = []
        for use in (
            lambda: MarginLinearClassifier().fit([[0.0], [1.0]], [0, 1]),
            lambda: Logistic().evaluate([0.0]),
            lambda: check_margin_loss(Logistic()),
            lambda: Logistic().calibrated,
        ):
            try:
                use()
            except RuntimeError as error:
                said.append(str(error))
        print(json.dumps(said))
        """
    )
    assert len(found) == 4
    assert set(found) == {
        "marginclf needs code that Numba compiles, and the environment variable NUMBA_DISABLE_JIT turns the compiler "
        "off: unset it and start Python again"
    }


@pytest.mark.parametrize(("folder", "remedy"), [("", "set NUMBA_CACHE_DIR to a folder"), ("x", "which is 'x', name a")])
def test_the_remedy_is_not_what_is_set_already(monkeypatch, folder, remedy):
    monkeypatch.setattr(cache, "_warned", False)
    monkeypatch.setattr(cache.numba.config, "CACHE_DIR", folder)
    with pytest.warns(RuntimeWarning, match=f"Remedy: .*{remedy}"):
        cache._warn_once(PermissionError("no"))


@pytest.mark.slow
def test_a_console_that_cannot_print_a_class_name():
    code = """
import numpy as np
from marginclf import MarginLinearClassifier
X, y = np.random.default_rng(0).normal(size=(40, 3)), np.array(["ä", "中", "ü"] * 14)[:40]
model = MarginLinearClassifier(multi_class="ovr", verbose=1, max_iter=1, solver="lbfgs").fit(X, y)
assert model.coef_.shape == (3, 3)
"""
    root = str(_process.__file__).rpartition("marginclf")[0]
    environment = {**os.environ, "PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0", "PYTHONPATH": root}
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, capture_output=True, env=environment, timeout=240, check=False)
    assert done.returncode == 0, done.stderr
    printed, warned = done.stdout.decode("ascii"), done.stderr.decode("ascii")
    for name in ("\\xe4", "\\u4e2d", "\\xfc"):
        assert f"[marginclf] class {name}, iteration 1: objective" in printed
        assert f"[marginclf] class {name}: " in printed
    assert "ConvergenceWarning" in warned
    assert "Class '\\" in warned


class Gone:
    """What stands in for a console that is gone."""

    encoding = "ascii"

    def __init__(self, error):
        self.error = error

    def write(self, text):
        raise self.error

    flush = write


@pytest.mark.parametrize(
    "error",
    [BrokenPipeError(32, "Broken pipe"), ValueError("I/O operation on closed file"), RuntimeError("lost"), None],
    ids=repr,
)
def test_a_console_that_is_gone_ends_no_fit(monkeypatch, error):
    for name in ("stdout", "stderr"):
        monkeypatch.setattr(sys, name, None if error is None else Gone(error))
    monkeypatch.setattr(warnings, "showwarning", lambda *_, **__: sys.stderr and sys.stderr.write(""))
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        model = MarginLinearClassifier(multi_class="ovr", verbose=1, max_iter=1, solver="lbfgs").fit(X, Y)
    assert model.status_[0].startswith("max_iter")


def test_what_a_filter_makes_an_error_is_one(monkeypatch):
    with pytest.raises(ConvergenceWarning):  # by the settings of these tests
        MarginLinearClassifier(multi_class="ovr", max_iter=1, solver="lbfgs").fit(X, Y)
    monkeypatch.setattr(builtins, "print", lambda *_, **__: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        _process.say("…")
