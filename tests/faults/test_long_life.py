"""Over time: the same fits from version to version, and no memory lost from fit to fit."""

import gc
import os
import pickle
import resource
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest
from sklearn.datasets import load_iris
from sklearn.exceptions import InconsistentVersionWarning

from marginclf import MarginLinearClassifier
from marginclf.losses import catalogue

sys.path.insert(0, str(Path(__file__).parents[1] / "golden"))
import fits

pytestmark = pytest.mark.fault("long life")
GOLDEN = fits.stored()


@pytest.mark.parametrize("case", list(fits.cases()), ids=lambda case: fits.name(*case))
def test_golden_fits(case):
    expected = GOLDEN.get(fits.name(*case))
    assert expected is not None, "no fit is stored for this case: run python tests/golden --missing"
    model = fits.fit(*case)
    convex = model.loss_.convex
    found = fits.summary(model)
    np.testing.assert_allclose(found["objective"], expected["objective"], rtol=1e-8 if convex else 1e-4, atol=1e-9)
    if "diverge" not in " ".join(model.status_):
        size = expected["norm"]
        near = {"rtol": 1e-4 if convex else 1e-2, "atol": 1e-4 * size if convex else 1e-2 * size}
        for key in ("norm", "first", "intercept"):
            np.testing.assert_allclose(found[key], expected[key], **near, err_msg=key)


def test_every_golden_fit_is_of_today():
    today = {fits.name(*case) for case in fits.cases()}
    assert set(GOLDEN) == today, "what is stored is not what is fitted today: run python tests/golden --missing"


@pytest.mark.parametrize("file", [*fits.pickles(), None], ids=str)
def test_a_pickle_of_every_released_version_loads(file):
    X, y = load_iris(return_X_y=True)
    if file is None:  # the way itself, with the version of today
        model = MarginLinearClassifier().fit(X, y)
        content = pickle.loads(pickle.dumps({"logistic": (model, model.decision_function(X))}))
    else:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", InconsistentVersionWarning)
            content = pickle.loads(file.read_bytes())
    for model, z in content.values():
        np.testing.assert_allclose(model.decision_function(X), z, rtol=1e-12)


def resident():
    """Bytes of memory that the process holds now."""
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * resource.getpagesize()


@pytest.mark.slow
@pytest.mark.skipif(not os.path.exists("/proc/self/statm"), reason="memory is read from /proc")
def test_a_thousand_fits_need_no_more_memory_than_a_few(tried):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(1000, 5))
    y = rng.integers(0, 3, 1000)
    losses = list(catalogue())

    def some(n):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            for k in range(n):
                MarginLinearClassifier(losses[k % len(losses)], record_history=k % 7 == 0, max_iter=5).fit(X, y)
        gc.collect()
        return resident()

    some(100)
    before = some(100)
    after = some(1000)
    # A leaked copy of X at each fit would be 40 MB, one of y 8 MB.
    assert after - before < 8e6
    tried(1000)
