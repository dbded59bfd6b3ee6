"""Arrays in files that are mapped into memory: fitted without being loaded, by a process that may not load them."""

import json
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import marginclf
from marginclf import MarginLinearClassifier
from marginclf._estimator.partitioned import fits_by_parts, on_disk

pytestmark = pytest.mark.slow  # files of some 100 MB; rows in parts have tests of their own
ROWS, COLUMNS = 400_000, 100
MB = 2**20

CHILD = """
import json, resource, sys, threading, time, warnings
import numpy as np
from marginclf import MarginLinearClassifier

def status(name):
    with open("/proc/self/status") as file:
        return next(int(line.split()[1]) / 1024 for line in file if line.startswith(name))

folder, kind, losses = sys.argv[1], sys.argv[2], sys.argv[3].split()
X = np.load(f"{folder}/{kind}.npy", mmap_mode="r")
y = np.load(f"{folder}/y.npy")[: len(X)]
rng = np.random.default_rng(0)
small = np.asarray(rng.normal(size=(3000, X.shape[1])), dtype=X.dtype, order="F" if X.flags.f_contiguous else "C")
for loss in losses:  # compiled, and the threads of BLAS started, before memory is counted
    MarginLinearClassifier(loss, n_jobs=2, tol=1e-2).fit(small, np.arange(3000) % len(np.unique(y)))
n, d = X.shape
allowed = 100 + (40 * n + 30 * 8 * d) / 2**20
# What is allowed is counted as it is used; heaps are larger than that, by chance. X would not fit either way.
limit = int((status("VmData") + max(allowed, 0.95 * X.nbytes / 2**20)) * 2**20)
resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))
try:
    np.array(X)
    loaded = True
except MemoryError:
    loaded = False
base = peak = status("RssAnon")
done = False
def watch():
    global peak
    while not done:
        peak = max(peak, status("RssAnon"))
        time.sleep(0.005)
watcher = threading.Thread(target=watch)
watcher.start()
found = {}
try:
    for loss in losses:
        model = MarginLinearClassifier(loss, n_jobs=2, record_history=True).fit(X, y)
        z = model.decision_function(X)
        found[loss] = [model.objective_.sum(), model.suboptimality_.max(), model.history_[0]["passes"][-1], z.std()]
finally:
    done = True
    watcher.join()
print(json.dumps({"loaded": loaded, "used": peak - base, "allowed": allowed, "X": X.nbytes / 2**20, "found": found}))
"""


@pytest.fixture(scope="module")
def stored(tmp_path_factory):
    """Two files of 153 MB, and one of 61 MB by columns, in the folder that is returned."""
    folder = tmp_path_factory.mktemp("stored")
    rng = np.random.default_rng(0)
    w = rng.normal(size=COLUMNS) / 5.0
    shapes = {"single": (ROWS, np.float32), "double": (ROWS // 2, np.float64), "columns": (ROWS // 5, np.float64)}
    files = {
        kind: np.lib.format.open_memmap(
            folder / f"{kind}.npy", "w+", dtype, (n, COLUMNS), fortran_order=kind == "columns"
        )
        for kind, (n, dtype) in shapes.items()
    }
    y = np.empty(ROWS, dtype=np.int8)
    for start in range(0, ROWS, 50_000):
        rows = rng.normal(size=(50_000, COLUMNS))
        y[start : start + 50_000] = rows @ w + rng.normal(size=50_000) > 0.2
        for file in files.values():
            end = min(start + 50_000, len(file))
            file[start:end] = rows[: max(0, end - start)]
    del files
    np.save(folder / "y.npy", y)
    return folder


@pytest.mark.skipif(sys.platform != "linux", reason="the limit and the count of anonymous memory are those of Linux")
@pytest.mark.parametrize(
    ("kind", "losses"),
    [("double", "logistic hinge"), ("single", "squared_hinge savage linear")],
    ids=["double", "single"],
)
def test_a_process_that_cannot_load_the_data_fits_it(stored, kind, losses):
    environment = {**os.environ, "PYTHONPATH": str(Path(marginclf.__file__).parents[1]), "MALLOC_ARENA_MAX": "2"}
    command = [sys.executable, "-W", "error", "-c", textwrap.dedent(CHILD), str(stored), kind, losses]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert not found["loaded"]
    assert found["used"] <= found["allowed"] < found["X"]
    X = np.load(stored / f"{kind}.npy")
    y = np.load(stored / "y.npy")[: len(X)]
    for loss, (objective, bound, passes, spread) in found["found"].items():
        assert passes <= {"hinge": 40, "savage": 20}.get(loss, 7)
        if loss == "hinge":
            assert bound <= 1e-9  # the proof is enough: in memory, it would take longer
            continue
        model = MarginLinearClassifier(loss, n_jobs=2).fit(X, y)
        assert objective == pytest.approx(model.objective_[0], rel=1e-10 if loss != "savage" else 1e-8)
        assert bound <= 1e-8 or loss == "savage"
        assert spread == pytest.approx(model.decision_function(X).std(), rel=1e-4)


def test_an_array_by_columns_is_fitted_as_it_is(stored):
    X, y = np.load(stored / "columns.npy", mmap_mode="r"), np.load(stored / "y.npy")[: ROWS // 5]
    assert X.flags.f_contiguous
    assert on_disk(np.asarray(X)) is (X.nbytes >= 64 * MB)
    found = MarginLinearClassifier().fit(X, y)
    assert_allclose(found.objective_, MarginLinearClassifier().fit(np.array(X), y).objective_, rtol=1e-10)


def test_what_counts_as_data_on_disk(stored):
    X = np.load(stored / "double.npy", mmap_mode="r")
    assert on_disk(X)
    assert on_disk(np.asarray(X)[100:])
    assert not on_disk(np.asarray(X[:1000]))
    assert not on_disk(np.empty((ROWS, COLUMNS)))
    assert fits_by_parts(X, "auto")
    assert not fits_by_parts(X, "lbfgs")


def test_the_last_value_may_be_missing(stored, tmp_path):
    """It is found by the first pass, not by one of its own, and nothing of an earlier fit is lost."""
    file = tmp_path / "broken.npy"
    X, y = np.load(stored / "single.npy", mmap_mode="r"), np.load(stored / "y.npy")
    copy = np.lib.format.open_memmap(file, "w+", X.dtype, X.shape)
    copy[...] = X
    copy[-1, -1] = np.nan
    model = MarginLinearClassifier().fit(X, y)
    before = model.coef_.copy()
    for loss in ("logistic", "hinge"):
        with pytest.raises(ValueError, match="Input X contains NaN"):
            model.set_params(loss=loss).fit(np.load(file, mmap_mode="r"), y)
    assert_array_equal(model.coef_, before)
    with pytest.raises(ValueError, match="Input X contains NaN"):
        model.decision_function(np.load(file, mmap_mode="r"))


def test_decision_values_by_parts_are_those_of_the_whole(stored):
    X, y = np.load(stored / "single.npy", mmap_mode="r")[:60_000], np.load(stored / "y.npy")[:60_000]
    model = MarginLinearClassifier(tol=1e-3).fit(X, np.where(y, y + (X[:, 0] > 0), 0))
    expected = np.array(X, dtype=float) @ model.coef_.T + model.intercept_
    assert_allclose(model.decision_function(X), expected, atol=1e-10)
    assert_array_equal(model.predict(X), model.classes_[expected.argmax(axis=1)])
