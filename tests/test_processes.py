"""Imports, threads and processes around a fit."""

import os
import subprocess
import sys
import textwrap
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from sklearn.datasets import load_breast_cancer, load_digits
from sklearn.preprocessing import scale

import marginclf
from marginclf import MarginLinearClassifier, exchange, inspection, losses

OPTIONAL = ["matplotlib", "pandas", "polars", "dask", "cvxpy", "pyarrow", "xarray", "IPython"]
HEAVY = [*OPTIONAL, "sklearn.linear_model"]


def run(code, *options):
    """What a fresh interpreter prints, without the settings of these tests."""
    environment = {key: value for key, value in os.environ.items() if key != "SCIPY_ARRAY_API"}
    root = os.path.dirname(os.path.dirname(marginclf.__file__))
    environment["PYTHONPATH"] = os.pathsep.join([root, environment.get("PYTHONPATH", "")])
    command = [sys.executable, *options, "-c", textwrap.dedent(code)]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return done.stdout


@pytest.mark.slow
def test_import_is_light():
    # What scikit-learn itself imports, pandas among it where it is installed, is not ours.
    loaded = run(
        """
        import sys, sklearn.base
        before = set(sys.modules)
        import marginclf, marginclf.losses
        print(*sys.modules.keys() - before)
        """
    ).split()
    assert "marginclf" in loaded
    assert [name for name in HEAVY if name in loaded] == []


@pytest.mark.slow
def test_nothing_optional_is_needed():
    printed = run(
        f"""
        import sys
        class Missing:
            def find_spec(self, name, path=None, target=None):
                if name.partition(".")[0] in {OPTIONAL}:
                    raise ModuleNotFoundError(name)
        sys.meta_path.insert(0, Missing())
        from marginclf import MarginLinearClassifier
        model = MarginLinearClassifier("squared_hinge").fit([[0.0], [1.0], [2.0]], ["a", "b", "b"])
        print(model.predict([[3.0]])[0], model.predict_proba([[3.0]]).shape, model.score([[3.0]], ["b"]))
        """
    )
    assert printed.strip() == "b (1, 2) 1.0"


@pytest.mark.slow
def test_import_and_fit_without_a_warning():
    printed = run(
        """
        import marginclf, marginclf.losses, numpy
        X = numpy.array([[0.0, 1.0], [1.0, 0.0], [2.0, 1.0], [3.0, 3.0]])
        model = marginclf.MarginLinearClassifier().fit(X, [0, 0, 1, 1])
        print(model.predict(X).tolist(), model.predict_proba(X).shape)
        """,
        "-W",
        "error",
    )
    assert printed.strip() == "[0, 0, 1, 1] (4, 2)"


def test_public_names():
    assert marginclf.__all__ == ["MarginLinearClassifier", "__version__"]
    for module in (marginclf, losses, inspection, exchange):
        assert all(hasattr(module, name) for name in module.__all__)


def _tasks():
    digits, cancer = load_digits(), load_breast_cancer()
    X = scale(digits.data)
    return 2 * [
        (X, digits.target == 3, "logistic", None),
        (X, digits.target % 2, "squared_hinge", 2),
        (np.asfortranarray(X, dtype=np.float32), digits.target == 8, "savage", None),
        (scale(cancer.data), cancer.target, "dwd", None),
    ]


def _fit(task):
    X, y, loss, n_jobs = task
    return MarginLinearClassifier(loss, n_jobs=n_jobs, C=0.1).fit(X, y).coef_


def test_threads_that_fit_at_once():
    tasks = _tasks()
    alone = [_fit(task) for task in tasks]
    with ThreadPoolExecutor(len(tasks)) as pool:
        together = list(pool.map(_fit, tasks))
    for one, other in zip(alone, together, strict=True):
        np.testing.assert_allclose(other, one, rtol=1e-9, atol=1e-12)


def test_one_thread_predicts_while_another_fits():
    X, y = load_breast_cancer(return_X_y=True)
    X = scale(X)
    model = MarginLinearClassifier().fit(X, y)
    expected = model.decision_function(X)
    with ThreadPoolExecutor(3) as pool:
        fits = [pool.submit(MarginLinearClassifier(C=0.1 * (k + 1)).fit, X, y) for k in range(8)]
        found = [pool.submit(model.decision_function, X) for _ in range(8)]
        assert all(np.array_equal(z.result(), expected) for z in found)
        assert all(fit.result().score(X, y) > 0.95 for fit in fits)
