"""What has to be set before anything imports SciPy or scikit-learn, and the figures of the reliability page."""

import gc
import json
import os
from collections import Counter
from pathlib import Path

# scikit-learn's check that array API dispatch changes nothing is skipped unless this is set when SciPy is imported.
os.environ["SCIPY_ARRAY_API"] = "1"
os.environ.setdefault("MPLBACKEND", "Agg")
# As many workers as cores: threads of BLAS in each of them would wait for one another most of the time.
if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import pytest

ONE = "kernels/test_rows", "matrix/", "solvers/test_directions", "solvers/test_solvers", "solvers/test_dual", "test_obj"
MANY = "kernels/test_joint", "kernels/test_classes", "solvers/test_joint", "test_joint", "losses/test_formulas"
"""Tests that compile the kernels for one class and for many, those that compile most of them first."""

CACHES, PROCESSES = ("faults/test_cache",), ("faults/test_concurrency", "faults/test_cluster", "test_on_disk")
"""Slow tests that take half of the time each."""

_tried: Counter = Counter()


def pytest_addoption(parser):
    parser.addoption("--figures", type=Path, help="file for how much was tried by the tests that are marked as faults")


@pytest.hookimpl(trylast=True)  # when those that are left out are out
def pytest_collection_modifyitems(config, items):
    """Of two workers, one begins with the kernels for one class and one with those for many.

    What the one has compiled the other then finds on disk. In the order of the files, both would need the same kernels
    in the same seconds. A worker begins with a quarter of its share.
    """
    share = len(items) // (4 * getattr(config, "workerinput", {}).get("workercount", 1))
    one, many = [], []
    for place, files in ((one, CACHES + ONE), (many, PROCESSES + MANY)):
        for name in files:
            place += [item for item in items if item.nodeid.startswith(f"tests/{name}")]
    chosen = {id(item) for item in (*one, *many)}
    rest = [item for item in items if id(item) not in chosen]
    between = max(0, share - len(one))
    items[:] = [*one[:share], *rest[:between], *many, *one[share:], *rest[between:]]


def pytest_collection_finish(session):
    """What exists by now stays, and each collection of garbage would go through it again: a tenth of all time."""
    gc.collect()
    gc.freeze()


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item):
    for mark in item.iter_markers("fault"):
        item.user_properties.append(("fault", mark.args[0]))


@pytest.fixture
def tried(record_property):
    """Say how many cases a test has tried; one where it says nothing."""
    return lambda n: record_property("tried", int(n))


def pytest_runtest_logreport(report):
    properties = dict(report.user_properties)
    if report.when == "call" and report.passed and "fault" in properties:
        _tried[properties["fault"]] += properties.get("tried", 1)


def pytest_sessionfinish(session):
    file = session.config.getoption("figures")
    if file is not None and not hasattr(session.config, "workerinput"):
        file.write_text(json.dumps(dict(sorted(_tried.items())), indent=1) + "\n", encoding="utf-8")
