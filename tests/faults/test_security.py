"""What must not happen: code from a file or the network, pointers from outside or to what is gone."""

import ast
import gc
import io
import json
import pickle
import subprocess
import sys
import weakref
import zipfile
from pathlib import Path

import numpy as np
import pytest
import skops.io
from sklearn.datasets import load_iris
from skops.io.exceptions import UntrustedTypesFoundException

import marginclf
from marginclf import MarginLinearClassifier
from marginclf.exchange import TRUSTED_TYPES
from marginclf.losses import MarginLoss, SmoothHinge

pytestmark = pytest.mark.fault("security")
X, Y = load_iris(return_X_y=True)
SOURCES = sorted(Path(marginclf.__file__).parent.rglob("*.py"))


def retyped(file, old, new):
    """A file of skops in which a type has another name."""
    with zipfile.ZipFile(io.BytesIO(file)) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    schema = json.loads(parts["schema.json"])
    changed = 0

    def walk(node):
        nonlocal changed
        if isinstance(node, dict):
            if node.get("__class__") == old:
                node["__module__"], node["__class__"] = new.rsplit(".", 1)
                changed += 1
            for value in node.values():
                walk(value)
        elif isinstance(node, list):
            for value in node:
                walk(value)

    walk(schema)
    assert changed
    parts["schema.json"] = json.dumps(schema).encode()
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    return out.getvalue()


@pytest.mark.parametrize("new", ["os.system", "builtins.eval", "subprocess.Popen", "numba.njit", "tests.Evil"])
@pytest.mark.parametrize("old", ["MarginLinearClassifier", "SmoothHinge"])
def test_a_tampered_type_in_a_file_of_skops_is_refused(old, new):
    file = skops.io.dumps(MarginLinearClassifier(SmoothHinge(gamma=0.5)).fit(X, Y))
    skops.io.loads(file, trusted=TRUSTED_TYPES)
    with pytest.raises((UntrustedTypesFoundException, TypeError), match=new.rsplit(".", 1)[1]):
        skops.io.loads(retyped(file, old, new), trusted=TRUSTED_TYPES)


FORBIDDEN_CALLS = {"eval", "exec", "compile", "__import__", "input", "breakpoint"}
FORBIDDEN_MODULES = {
    "socket",
    "ssl",
    "http",
    "urllib",
    "requests",
    "ftplib",
    "subprocess",
    "multiprocessing",
    "webbrowser",
}
PICKLE = {"kernels/cache.py"}  # whose folder and checksum are tested in test_cache.py


@pytest.mark.parametrize("file", SOURCES, ids=lambda file: file.name)
def test_the_source_has_no_eval_no_exec_and_no_network(file):
    tree = ast.parse(file.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            assert node.func.id not in FORBIDDEN_CALLS, node.lineno
        if isinstance(node, ast.Attribute):
            assert node.attr not in {"system", "popen", "spawn", "loads"} or file.as_posix().endswith(tuple(PICKLE))
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and not node.level:
            names = [node.module]
        for name in names:
            root = name.split(".")[0]
            assert root not in FORBIDDEN_MODULES, name
            assert root not in {"pickle", "marshal", "shelve"} or file.as_posix().endswith(tuple(PICKLE)), name


@pytest.mark.slow
def test_nothing_opens_a_connection():
    code = (
        "import sys\n"
        "def audit(event, arguments):\n"
        "    if event.startswith(('socket.', 'subprocess.', 'os.system', 'os.exec', 'os.posix_spawn', 'urllib.')):\n"
        "        print('AUDIT', event, arguments, flush=True)\n"
        "import numpy, scipy.linalg, sklearn.base, numba, joblib, platform\n"
        "platform.processor(), platform.libc_ver()\n"
        "sys.addaudithook(audit)\n"
        "import warnings; warnings.simplefilter('ignore')\n"
        "from sklearn.datasets import load_iris\n"
        "from marginclf import MarginLinearClassifier\n"
        "from marginclf.losses import catalogue\n"
        "X, y = load_iris(return_X_y=True)\n"
        "for loss in catalogue():\n"
        "    MarginLinearClassifier(loss, n_jobs=2).fit(X, y).predict(X)\n"
        "print('done')\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=300)
    assert done.stdout.split() == ["done"]


@pytest.mark.slow
def test_a_compiled_formula_lives_as_long_as_its_address_is_in_use():
    class Passing(MarginLoss):
        def point(self, m):
            t = max(1.0 - m, 0.0)
            return t * t, -2.0 * t, 2.0 if t > 0.0 else 0.0

    loss = Passing()
    compiled = loss.compiled()
    kept = weakref.ref(compiled[-1]) if hasattr(type(compiled[-1]), "__weakref__") else None
    expected = MarginLinearClassifier("squared_hinge").fit(X, Y).objective_
    model = MarginLinearClassifier(loss).fit(X, Y)
    del loss
    gc.collect()
    np.testing.assert_allclose(model.objective_, expected)
    if kept is not None:
        assert kept() is not None  # as long as the address is held in `compiled`
    # Many more come and go; those that are in use are not disturbed.
    for k in range(3):
        namespace = {
            "__annotations__": {"rate": float},
            "rate": 1.0 + k,
            "point": Passing.point,
            "__module__": __name__,
        }
        other = type(f"Passing{k}", (MarginLoss,), namespace)
        MarginLinearClassifier(other()).fit(X[:60], Y[:60])
        del other
        gc.collect()
    np.testing.assert_allclose(model.fit(X, Y).objective_, expected)


def test_no_address_is_stored_or_taken_from_outside():
    loss = SmoothHinge(gamma=0.25)
    address = loss.compiled()[0]
    model = MarginLinearClassifier(loss).fit(X, Y)
    for content in (pickle.dumps(model), pickle.dumps(loss), skops.io.dumps(model)):
        assert int(address).to_bytes(8, "little") not in content
        assert str(int(address)).encode() not in content
    # A state that claims one has no effect: the formula is compiled from the class.
    state = {**vars(loss), "_compiled": (0xDEAD, None, None), "compiled_address": 0xDEAD}
    other = SmoothHinge.__new__(SmoothHinge)
    other.__setstate__(state)
    assert other.compiled()[0] == address
    np.testing.assert_array_equal(other.evaluate([0.0, 0.9])[0], loss.evaluate([0.0, 0.9])[0])
