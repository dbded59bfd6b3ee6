"""Compiled code on disk: used where it is right, noticed where it is not, never the reason that a fit fails.

Each process costs seconds, so each of them tests several things. They run on a copy of the package, with
a cache of their own (child.py), and report what they computed, found compiled and warned of.
"""

import hashlib
import json
import os
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

import marginclf
from marginclf.losses import catalogue

pytestmark = [pytest.mark.fault("cache faults"), pytest.mark.slow]

STORAGE = ("forward", "backward", "squares")


def run(script, package, cache):
    # No .pyc files: they go by size and time, and a formula is edited below without changing either.
    environment = {
        **os.environ,
        "PYTHONPATH": str(package),
        "NUMBA_CACHE_DIR": str(cache),
        "PYTHONDONTWRITEBYTECODE": "1",
        # Whatever goes wrong, nothing is written to the cache of whoever runs the tests.
        "XDG_CACHE_HOME": str(cache),
        "HOME": str(cache),
    }
    command = [sys.executable, str(Path(__file__).with_name("child.py")), script]
    done = subprocess.run(command, env=environment, cwd=package, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def entries(cache):
    return {path.name: path for path in Path(cache).rglob("*.nbc")}


def checksum(path, body):
    return hashlib.sha256(path.name.encode() + b"\0" + body).digest()


def entry(cache, name):
    (path,) = (path for key, path in entries(cache).items() if f".{name}-" in f".{key}")
    return path


def copy_of_the_package(folder):
    shutil.copytree(Path(marginclf.__file__).parent, folder / "marginclf", ignore=shutil.ignore_patterns("__pycache__"))
    return folder


@pytest.fixture(scope="module")
def cold(tmp_path_factory):
    """(package, cache, report) after a first process; tests change copies of the cache only."""
    package = copy_of_the_package(tmp_path_factory.mktemp("package"))
    cache = tmp_path_factory.mktemp("cold-cache")
    return package, cache, run("everything()", package, cache)


@pytest.fixture
def cache(cold, tmp_path):
    """A copy of the cache that the first process wrote."""
    return shutil.copytree(cold[1], tmp_path / "cache")


def test_first_process_writes_one_entry_for_each_kernel_and_loss(cold):
    _, cache, report = cold
    assert report["warnings at the end"] == []
    assert (report["hits of kernels"], report["misses of kernels"]) == (0, 4)
    assert set(report["hits of blocks"].values()) == {0}
    assert not [path for path in cache.rglob("*") if path.is_file() and path.suffix != ".nbc"]
    # An entry of its own for each loss and each function of a storage: with a shared name one would load the machine
    # code of another.
    assert len(entries(cache)) == 4 + len(STORAGE) + len(catalogue())
    for name in STORAGE:
        assert entry(cache, f"dense_narrow.{name}")
    for cls in catalogue().values():
        assert entry(cache, f"{cls.__name__}.block")
    assert len({path.read_bytes() for path in entries(cache).values()}) == len(entries(cache))


def test_second_process_compiles_nothing(cold, cache):
    package, _, first = cold
    before = {name: (path.stat().st_mtime_ns, path.read_bytes()) for name, path in entries(cache).items()}
    report = run("everything()", package, cache)
    assert report["warnings at the end"] == []
    assert (report["hits of kernels"], report["misses of kernels"]) == (4, 0)
    assert set(report["hits of blocks"].values()) == {1}
    assert {n: (p.stat().st_mtime_ns, p.read_bytes()) for n, p in entries(cache).items()} == before
    # Loaded code gives the bits of compiled code, and each loss its own.
    assert report["numbers"] == first["numbers"]
    assert report["losses"] == first["losses"]
    for name, cls in catalogue().items():
        np.testing.assert_array_equal(report["losses"][name], cls().evaluate([-1.0, 0.25, 1.5]))


DAMAGED = """
# In a process that is left alone there is one warning for all.
report["truncated"] = [product(), warned()]
report["flipped"] = [transposed(), warned()]
again()
report["empty"] = [hessian(), warned()]
again()
report["foreign"] = [losses("linear")["linear"], warned()]
again()
report["block"] = [losses("squared_hinge")["squared_hinge"], warned()]
"""


def test_damaged_entries(cold, cache):
    package, _, first = cold
    names = set(entries(cache))
    truncated, flipped, empty = (entry(cache, f"{name}product") for name in ("rows.", "transposed_", "hessian_"))
    foreign, block = (entry(cache, f"{name}.block") for name in ("Linear", "SquaredHinge"))
    truncated.write_bytes(truncated.read_bytes()[:-100])
    content = bytearray(flipped.read_bytes())
    content[len(content) // 2] ^= 0x10
    flipped.write_bytes(content)
    empty.write_bytes(b"")
    # Whole, but not what Numba wrote.
    foreign.write_bytes(checksum(foreign, b"not a pickle") + b"not a pickle")
    block.write_bytes(block.read_bytes()[:50])

    report = run(DAMAGED, package, cache)
    assert [report[kind][0] for kind in ("truncated", "flipped", "empty")] == first["numbers"][1:4]
    assert report["foreign"][0] == first["losses"]["linear"]
    assert report["block"][0] == first["losses"]["squared_hinge"]
    for kind in ("truncated", "empty", "foreign", "block"):
        (warning,) = report[kind][1]
        assert warning.startswith("RuntimeWarning: ")
        assert "results are the same" in warning
        assert f"Remedy: let NUMBA_CACHE_DIR, which is {str(cache)!r}, name a folder" in warning
        assert "or remove the damaged file" in warning
    assert report["flipped"][1] == report["warnings at the end"] == []
    # What was damaged has been written anew, so that the next process has nothing to complain of.
    for path in (truncated, flipped, empty, block):
        content = path.read_bytes()
        assert content[:32] == checksum(path, content[32:])
    assert set(entries(cache)) == names


def test_a_folder_that_is_full_or_cannot_be_read(cold, tmp_path):
    package, _, first = cold
    report = run("disk_faults()", package, tmp_path / "new")
    for i, kind in enumerate(("write", "replace", "read")):
        assert report[kind][0] == first["numbers"][i + 1]
        (warning,) = report[kind][1]
        assert warning.startswith("RuntimeWarning: ")
        assert "Remedy: let NUMBA_CACHE_DIR, which is" in warning
        assert ("Permission denied" if kind == "read" else "No space left on device") in warning
    assert report["warnings at the end"] == []
    # Nothing half is left behind, neither an entry nor a draft of one.
    assert not [path for path in (tmp_path / "new").rglob("*") if path.is_file()]


GONE = """
import shutil
report["before"] = product()
shutil.rmtree(os.environ["NUMBA_CACHE_DIR"])
report["after"] = [hessian(), transposed(), losses("logistic", "hinge")]
"""


def test_a_folder_that_is_deleted_while_a_process_runs(cold, cache):
    package, _, first = cold
    report = run(GONE, package, cache)
    assert report["before"] == first["numbers"][1]
    assert report["after"][:2] == [first["numbers"][3], first["numbers"][2]]
    assert report["after"][2] == {name: first["losses"][name] for name in ("logistic", "hinge")}
    assert len(report["warnings at the end"]) <= 1


def test_every_entry_is_damaged(cold, cache, tried):
    package, _, first = cold
    some = ("linear", "hinge", "savage", "logistic", "squared_hinge")
    others = {f"{cls.__name__}.block" for name, cls in catalogue().items() if name not in some}
    paths = sorted(set(entries(cache).values()) - {entry(cache, name) for name in others})
    rng = np.random.default_rng(0)
    originals = [path.read_bytes() for path in paths]
    for k, path in enumerate(paths):
        content = originals[k]
        damaged = {
            0: rng.bytes(len(content)),
            1: content[: int(rng.integers(1, len(content)))],
            2: b"",
            3: originals[k - 1],  # whole, and another function
            4: None,  # a folder in its place
        }[k % 5]
        if damaged is None:
            path.unlink()
            path.mkdir()
        else:
            path.write_bytes(damaged)
    report = run(f"everything{some}", package, cache)
    assert report["numbers"] == first["numbers"]
    assert report["losses"] == {name: first["losses"][name] for name in some}
    assert len(report["warnings at the end"]) == 1
    tried(len(paths))


LITTLE = """
report["numbers"] = product()
report["losses"] = losses("linear")
report["hits of kernels"] = sum(rows.product.stats.cache_hits.values())
"""


@pytest.mark.skipif(os.name != "posix", reason="there are no such modes")
def test_a_folder_that_everybody_may_write_to_is_not_used(cold, cache):
    package, _, first = cold
    for path in [cache, *(path for path in cache.rglob("*") if path.is_dir())]:
        path.chmod(0o777)
    before = {path: path.read_bytes() for path in entries(cache).values()}
    report = run(LITTLE, package, cache)
    assert report["numbers"] == first["numbers"][1]
    assert (report["hits of kernels"], report["hits of blocks"]) == (0, {"linear": 0})
    (warning,) = report["warnings at the end"]
    assert "everybody may write to" in warning
    assert {path: path.read_bytes() for path in entries(cache).values()} == before


def test_processes_that_write_at_once(cold, tmp_path, tried):
    package, _, first = cold
    some = "everything('linear', 'hinge', 'savage')"
    with ThreadPoolExecutor(2) as pool:
        reports = list(pool.map(lambda _: run(some, package, tmp_path / "shared"), range(2)))
    for report in reports:
        assert report["numbers"] == first["numbers"]
        assert report["losses"] == {name: first["losses"][name] for name in report["losses"]}
        assert report["warnings at the end"] == []
    last = run(some, package, tmp_path / "shared")
    assert (last["hits of kernels"], last["misses of kernels"]) == (4, 0)
    assert not [path for path in (tmp_path / "shared").rglob("*") if path.is_file() and path.suffix != ".nbc"]
    tried(2)


def test_a_folder_that_cannot_be_made(cold, tmp_path):
    # Root may write everywhere, but nobody can make a folder inside a file. The places that Numba falls back
    # to, __pycache__ and the user's own cache, are such files too.
    (tmp_path / "file").write_text("not a folder")
    package = copy_of_the_package(tmp_path)
    for folder in ("kernels", "losses"):
        (package / "marginclf" / folder / "__pycache__").write_text("not a folder")
    _, _, first = cold
    report = run(LITTLE, package, tmp_path / "file" / "below")
    assert report["numbers"] == first["numbers"][1]
    assert report["losses"]["linear"] == first["losses"]["linear"]
    (warning,) = report["warnings at the end"]
    assert "Remedy: let NUMBA_CACHE_DIR, which is" in warning
    assert "name a folder with room that you can write to and others cannot" in warning


def edit(path, old, new):
    text = path.read_text()
    assert old in text, f"{path.name} no longer has {old!r}: choose another line to edit in this test"
    status = path.stat()
    path.write_text(text.replace(old, new))
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert path.stat().st_size == status.st_size


EDITED = 'report["losses"] = losses("squared_hinge", "logistic")'


def test_an_edited_formula_is_seen(cold, cache, tmp_path):
    # The cache goes by folder, so that the copy has to be edited in place, and put back.
    package, _, first = cold
    hinges = package / "marginclf" / "losses" / "hinges.py"
    original = hinges.read_text()
    try:
        edit(hinges, "return t * t, -2.0 * t, 2.0", "return t * t, -2.0 * t, 3.0")
        report = run(EDITED, package, cache)
    finally:
        hinges.write_text(original)
    assert report["losses"]["squared_hinge"][2] == [3.0, 3.0, 0.0]
    assert report["losses"]["logistic"] == first["losses"]["logistic"]
    assert report["hits of blocks"]["squared_hinge"] == 0
    # Other files have not changed, nor have their entries been dropped.
    assert report["hits of blocks"]["logistic"] == 1


def test_an_edited_elementary_function_is_seen(cold, cache):
    # It lies in another file than the loss, of the same size and time as before: what Numba looks at.
    package, _, first = cold
    elementary = package / "marginclf" / "kernels" / "elementary.py"
    original = elementary.read_text()
    try:
        edit(elementary, "    return _exp_of_sum(x, 0.0)\n", "    return _exp_of_sum(x, 0.5)\n")
        report = run(EDITED, package, cache)
    finally:
        elementary.write_text(original)
    wrong = np.log1p(np.exp([-1.0 + 0.5, -0.25 + 0.5, -1.5 + 0.5])) - np.minimum([-1.0, 0.25, 1.5], 0.0)
    np.testing.assert_allclose(report["losses"]["logistic"][0], wrong, rtol=0.02)
    assert report["losses"]["squared_hinge"] == first["losses"]["squared_hinge"]
    assert set(report["hits of blocks"].values()) == {0}
