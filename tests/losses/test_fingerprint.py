"""Losses known by what they compute: one compiled code for the same formula, never one for two formulas."""

import gc
import math
import textwrap
import types
import weakref

import numba
import numpy as np
import pytest
from children import child

from marginclf.kernels.elementary import exp
from marginclf.kernels.fingerprint import fingerprint
from marginclf.losses import MarginLoss

HEAD = """
import math
import numpy as np
from marginclf.kernels.elementary import exp, log1p
from marginclf.losses import MarginLoss
SCALE = 2.0
def helper(m, rate=1.0):
    return rate * m
def point(self, m):
    return helper(SCALE * m), SCALE, 0.0
"""


def cell(*changes, head=HEAD):
    """The names of a notebook in which the cells were run."""
    names = {}
    for code in (head, *changes):
        exec(textwrap.dedent(code), names)
    return names


def digest(*changes, names=("a", "b")):
    return fingerprint((cell(*changes)["point"], None), names)


SAME = [
    "",
    "SCALE = 2.0",
    "unused = 5",
    "def helper(m, rate=1.0):\n\n    # Written elsewhere.\n    return rate * m",
    "def other(m, rate=1.0):\n    return rate * m\nhelper = other",
    "helper = type(helper)(helper.__code__, dict(helper.__globals__), 'copy', helper.__defaults__)",
]

MODULE = "import types\nk = types.ModuleType('k')\n"
ASKS = "def helper(m, k):\n    return k.a * m\ndef point(self, m):\n    return helper(m, k), 1.0, 0.0"
CLOSURE = "def f(s):\n    def point(self, m):\n        return s * m, s, 0.0\n    return point\n"

OTHER = {
    "another constant": "def point(self, m):\n    return helper(SCALE * m), SCALE, 1.0",
    "a constant of another sign": "def point(self, m):\n    return helper(SCALE * m), SCALE, -0.0",
    "a constant of another type": "def point(self, m):\n    return helper(SCALE * m), SCALE, 0",
    "another global": "SCALE = 3.0",
    "a global of another type": "SCALE = 2",
    "a global of another width": "SCALE = np.float32(2.0)",
    "another helper": "def helper(m, rate=1.0):\n    return rate - m",
    "another function of the same helper": "def helper(m, rate=1.0):\n    return rate * math.exp(m)",
    "a function of another name": "def helper(m, rate=1.0):\n    return rate * exp(m)",
    "the same name for another function": "exp = log1p\ndef helper(m, rate=1.0):\n    return rate * exp(m)",
    "another default": "def helper(m, rate=2.0):\n    return rate * m",
    "a default of a keyword": "def helper(m, *, rate=2.0):\n    return rate * m",
    "a helper of the helper": "def f(m):\n    return m\ndef helper(m, rate=1.0):\n    return rate * f(m)",
    "another helper of the helper": "def f(m):\n    return -m\ndef helper(m, rate=1.0):\n    return rate * f(m)",
    "a tuple": "SCALES = 1.0, 2.0\ndef point(self, m):\n    return helper(SCALES[1] * m), 1.0, 0.0",
    "another tuple": "SCALES = 1.0, 3.0\ndef point(self, m):\n    return helper(SCALES[1] * m), 1.0, 0.0",
    "an attribute": "def point(self, m):\n    return helper(self.a * m), SCALE, 0.0",
    "another attribute": "def point(self, m):\n    return helper(self.b * m), SCALE, 0.0",
    "a module": MODULE + "k.a = 2.0\ndef point(self, m):\n    return k.a * m, 1.0, 0.0",
    "a module's value": MODULE + "k.a = 3.0\ndef point(self, m):\n    return k.a * m, 1.0, 0.0",
    "a module as an argument": MODULE + "k.a = 2.0\n" + ASKS,
    "another module as an argument": MODULE + "k.a = 3.0\n" + ASKS,
    "a closure": CLOSURE + "point = f(2.0)",
    "another closure": CLOSURE + "point = f(3.0)",
    "inside": "def point(self, m):\n    f = lambda t: SCALE * t\n    return f(m), 1.0, 0.0",
    "a global inside": "SCALE = 4.0\ndef point(self, m):\n    f = lambda t: SCALE * t\n    return f(m), 1.0, 0.0",
    "a constant inside": "def point(self, m):\n    f = lambda t: 4.0 * t\n    return f(m), 1.0, 0.0",
}


def test_the_same_formula_has_one_fingerprint():
    assert len({digest(change) for change in SAME}) == 1
    assert digest() is not None


def test_no_two_formulas_have_one_fingerprint():
    found = [digest(change) for change in ("", *OTHER.values())]
    found += [digest(names=names) for names in ((), ("b", "a"), ("a",))]
    found.append(fingerprint((None, cell()["point"]), ("a", "b")))
    found.append(fingerprint((cell()["point"], cell()["point"]), ("a", "b")))
    assert None not in found
    assert len(set(found)) == len(found)


UNKNOWN = {
    "an object": "SCALE = type('Number', (float,), {})(2.0)",
    "a list": "SCALES = [1.0]\ndef point(self, m):\n    return SCALES[0] * m, 1.0, 0.0",
    "an array": "SCALE = np.ones(2)",
    "an object in a tuple": "SCALE = (1.0, object())",
    "a class": "class SCALE:\n    a = 2.0",
    "a name that is not there": "def point(self, m):\n    return SCALES * m, 1.0, 0.0",
    "a cell that is empty": CLOSURE.replace("(s)", "()") + "    s = 1\npoint = f()",
    "two modules of one name": MODULE + "h = types.ModuleType('k')\ndef point(self, m):\n    return k.a, h.a, 0.0",
    "compiled by the user": "import numba\nhelper = numba.njit(helper)",
    "a method in C": "helper = (2.0).__mul__",
    "under the name of another": "helper = type('ufunc', (), {'__name__': 'exp', '__module__': 'math'})()",
    "a function of a library": "import os\nhelper = os.getpid",
    "itself": "def helper(m):\n    return helper(m)",
    "each other": "def helper(m):\n    return back(m)\ndef back(m):\n    return helper(m)",
    "a module that answers": (
        MODULE + "k.__getattr__ = lambda name: 2.0\ndef point(self, m):\n    return k.a * m, 1.0, 0.0"
    ),
}


@pytest.mark.parametrize("change", UNKNOWN.values(), ids=UNKNOWN)
def test_what_cannot_be_known_has_none(change):
    assert digest(change) is None


def test_a_function_that_stands_in_for_one_of_ours_or_of_python(monkeypatch):
    formula = cell("def point(self, m):\n    return math.exp(m), exp(m), np.exp(m)")["point"]
    before = fingerprint((formula,))
    stranger = numba.njit(lambda x: x)
    stranger.__name__ = "exp"
    for module in (math, np):
        with monkeypatch.context() as patch:
            patch.setattr(module, "exp", stranger)
            assert fingerprint((formula,)) is None
    assert fingerprint((formula,)) == before
    # One that a notebook compiles and calls ours is not found where it says that it is.
    stranger.__module__ = exp.__module__
    formula.__globals__["exp"] = stranger
    assert fingerprint((formula,)) is None


MINE = "class Mine(MarginLoss):\n    def point(self, m):\n        return helper(SCALE * m), SCALE, 0.0"


def test_classes_of_the_same_formula_share_its_code():
    first, second, renamed = (cell(MINE)["Mine"]() for _ in range(3))
    type(renamed).__name__ = type(renamed).__qualname__ = "Yours"
    addresses = {loss.compiled().address for loss in (first, second, renamed)}
    assert len(addresses) == 1
    assert type(first) is not type(second)
    assert first.evaluate([1.0])[0] == 2.0


@pytest.mark.parametrize("change", [OTHER["another global"], OTHER["another helper"], OTHER["another default"]])
def test_classes_of_one_name_and_other_formulas_do_not(change):
    first, second = cell(MINE)["Mine"](), cell(change, MINE)["Mine"]()
    assert first.compiled().address != second.compiled().address
    for loss in (first, second, first):
        assert loss.evaluate([1.5])[0] == loss.point(1.5)[0]


def test_what_cannot_be_known_is_known_by_its_class():
    # Two arrays, which Numba keeps as they are when it compiles.
    formula = "class Mine(MarginLoss):\n    def point(self, m):\n        return S[0] * m, S[0], 0.0"
    first, second = (cell(f"S = np.array([{s}])", formula)["Mine"]() for s in (2.0, 3.0))
    assert first.evaluate([1.0])[0] == 2.0
    assert second.evaluate([1.0])[0] == 3.0
    same = cell("S = np.array([2.0])", formula)["Mine"]()
    assert same.compiled().address != first.compiled().address
    assert first.compiled().address == first.compiled().address
    assert first.compiled().block.cache_hits == same.compiled().block.cache_hits == 0


def test_what_is_compiled_by_the_user_and_defined_anew_takes_effect():
    names = cell("import numba\nf = numba.njit(helper)", MINE.replace("helper", "f"))
    loss = names["Mine"]()
    assert loss.evaluate([1.0])[0] == 2.0
    names["f"] = numba.njit(lambda m: -m)
    assert loss.evaluate([1.0])[0] == -2.0


def test_what_changes_between_two_fits_takes_effect():
    module = types.ModuleType("constants")
    module.SHIFT = 1.0
    names = cell(
        "SCALES = 2.0, 5.0",
        "class Mine(MarginLoss):\n    def point(self, m):\n        return helper(SCALES[0] * m) + k.SHIFT, 0.0, 0.0",
    )
    names["k"] = module
    loss = names["Mine"]()
    found = [loss.evaluate([1.0])[0].item()]
    names["SCALES"] = 3.0, 5.0
    found.append(loss.evaluate([1.0])[0].item())
    module.SHIFT = 2.0
    found.append(loss.evaluate([1.0])[0].item())
    # As IPython's autoreload gives a function that has been edited its new code.
    names["helper"].__code__ = cell("def helper(m, rate):\n    return -rate * m")["helper"].__code__
    found.append(loss.evaluate([1.0])[0].item())
    names["helper"].__defaults__ = (2.0,)
    found.append(loss.evaluate([1.0])[0].item())
    assert found == [3.0, 4.0, 5.0, -1.0, -4.0]


def test_classes_that_are_gone_leave_nothing():
    # Workers get the class of a notebook, and make its envelope, anew in each task.
    class Kinked(MarginLoss):
        def point(self, m):
            return max(1.0 - m, 0.0), (-1.0 if m < 1.0 else 0.0), 0.0

        def prox(self, v, kappa):
            return max(v, min(v + kappa, 1.0))

    smooth = Kinked().smoothed(0.5)
    addresses = [Kinked().compiled_prox().address, smooth.compiled().address]
    gone = [weakref.ref(type(smooth)), weakref.ref(Kinked)]
    del smooth, Kinked
    for _ in gone:  # the envelope goes once its class has gone
        gc.collect()
    assert [reference() for reference in gone] == [None, None]
    assert all(addresses)


SCRIPT = """
import json, os, warnings
warnings.simplefilter("error")
from marginclf.losses import MarginLoss
found = []
for SCALE in {scales}:
    class Mine(MarginLoss):
        def point(self, m):
            return SCALE * max(1.0 - m, 0.0), (-SCALE if m < 1.0 else 0.0), 0.0
        def prox(self, v, kappa):
            return max(v, min(v + SCALE * kappa, 1.0))
    smooth = Mine().smoothed(0.5)
    parts = Mine().compiled(), Mine().compiled_prox(), smooth.compiled()
    numbers = [loss.evaluate([m])[0].tolist() for loss, m in ((Mine(), 0.0), (smooth, -9.0))]
    found.append([[part.block.cache_hits for part in parts], *numbers])
print(json.dumps(found))
"""


@pytest.mark.slow
def test_other_processes_load_what_one_has_compiled(tmp_path):
    # Two classes of one name, each compiled by a process of its own: their symbols must not be those of each other.
    def run(*scales):
        return child(SCRIPT.format(scales=scales), cache=tmp_path)

    expected = {scale: [[float(scale)], [10.0 * scale - scale**2 / 4.0]] for scale in (2.0, 3.0)}
    cold = {scale: run(scale)[0] for scale in (2.0, 3.0)}
    assert cold == {scale: [[0, 0, 0], *numbers] for scale, numbers in expected.items()}
    entries = sorted(tmp_path.rglob("*formula.*.nbc"))
    assert len(entries) == 6
    assert run(3.0, 2.0) == [[[1, 1, 1], *expected[3.0]], [[1, 1, 1], *expected[2.0]]]
    # Code under the name of another formula is not that one's.
    blocks = [path for path in entries if ".block." in path.name]
    other = blocks[0].read_bytes()
    for path in blocks[1:]:
        path.write_bytes(other)
    script = SCRIPT.format(scales=(2.0, 3.0)).replace('"error"', '"ignore"')
    assert [numbers for _, *numbers in child(script, cache=tmp_path)] == [expected[2.0], expected[3.0]]


@pytest.mark.slow
def test_workers_compile_a_notebooks_loss_once(tmp_path):
    found = child(
        """
        import json, os, time
        from joblib import Parallel, delayed
        from marginclf.losses import MarginLoss

        SCALE = 2.0

        class Mine(MarginLoss):
            def point(self, m):
                return SCALE * m, SCALE, 0.0

        def task(loss):
            time.sleep(0.05)
            return os.getpid(), loss.compiled().address, loss.evaluate([1.0])[0].tolist()

        first = [Parallel(n_jobs=2)(delayed(task)(Mine()) for _ in range(8)) for _ in range(2)]
        SCALE = 3.0
        print(json.dumps([first[0] + first[1], Parallel(n_jobs=2)(delayed(task)(Mine()) for _ in range(8))]))
        """,
        cache=tmp_path,
    )
    for tasks, scale in zip(found, (2.0, 3.0), strict=True):
        assert {numbers[0] for _, _, numbers in tasks} == {scale}
        assert len({(pid, address) for pid, address, _ in tasks}) == len({pid for pid, _, _ in tasks})
    assert len(list(tmp_path.rglob("*formula.*.nbc"))) == 2
