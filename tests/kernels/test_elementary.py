"""The elementary functions against mpmath at 60 digits, in units in the last place (ulp) of the result."""

import os
import re
import subprocess
import sys
from pathlib import Path

import mpmath
import numpy as np
import pytest
from mpmath import mpf
from numba import njit

from marginclf.kernels import elementary
from marginclf.kernels.elementary import arctan, exp, expm1, log1p, power

INF, NAN = float("inf"), float("nan")
SMALLEST, SMALLEST_NORMAL, LARGEST = 5e-324, 2.0**-1022, sys.float_info.max
SIZE = 1500

REFERENCES = {
    "exp": mpmath.exp,
    "expm1": mpmath.expm1,
    "log1p": mpmath.log1p,
    "arctan": mpmath.atan,
    "power": mpmath.power,
}
# A little above what the docstrings state: at other points, or without fma, the largest error is another one.
BOUNDS = {"exp": 1.0, "expm1": 1.8, "log1p": 1.5, "arctan": 1.45, "power": 1.0}
NAMES = sorted(BOUNDS)
# Where a formula is better than at its worst, hold it to that.
TIGHTER = {
    ("expm1", "negative"): 1.0,
    ("expm1", "tiny"): 1.0,
    ("log1p", "tiny"): 1.0,
    ("arctan", "above the switch"): 1.0,
    ("arctan", "logarithmic"): 1.0,
}


def _around(*centres):
    """Each centre with 20 neighbours on either side."""
    steps = np.arange(-20, 21)
    return np.concatenate([c + steps * np.spacing(c) for c in centres])


def _powers(x, exponent_times_log):
    """Arguments (x, p) with p log x as given: the extremes of the exponent for every x."""
    return x, exponent_times_log / np.log(x)


def _points(name):
    """Named sets of arguments: random ones from a fixed seed, and the neighbourhood of every switch."""
    rng = np.random.default_rng(20240607)

    def uniform(low, high):
        return rng.uniform(low, high, SIZE)

    halves = np.arange(-40, 41) * 0.5 * np.log(2.0)
    signs = rng.choice([-1.0, 1.0], SIZE)
    return {
        "exp": {
            "wide": (uniform(-708.3, 709.7),),
            "narrow": (uniform(-1, 1),),
            "tiny": (signs * 10.0 ** uniform(-320, -1),),
            "rounding of k": (_around(*halves[halves != 0]),),
            "subnormal results": (uniform(-745.13, -708.4),),
            "both ends": (_around(709.78, -708.396, -745.13),),
        },
        "expm1": {
            "negative": (-uniform(0, 40),),
            "narrow": (uniform(-1.1, 1.1),),
            "worst": (uniform(0.34, 0.4),),
            "tiny": (signs * 10.0 ** uniform(-320, -1),),
            "positive": (uniform(0, 709.7),),
            "rounding of k": (_around(*halves[halves != 0]),),
            "both ends": (_around(709.78, -37.4, -40.0),),
        },
        "log1p": {
            "uniform": (uniform(0, 1),),
            "worst": (uniform(0.9, 1.0),),
            "tiny": (10.0 ** uniform(-320, 0),),
            "end": (1.0 - np.arange(40) * 2.0**-53,),
        },
        "arctan": {
            "uniform": (uniform(-5, 5),),
            "worst": (uniform(0.5, 0.56),),
            "below the switch": (uniform(0.4, 0.5),),
            "above the switch": (uniform(0.56, 2.5),),
            "logarithmic": (signs * 10.0 ** uniform(-320, 308),),
            "switches": (_around(0.5, 1.0, 2.0, -0.5, -1.0, -2.0),),
        },
        "power": {
            "any x, any result": _powers(10.0 ** uniform(-307, 308), uniform(-708, 709)),
            "large exponents": (2.0 ** uniform(-0.99, 0.99), uniform(-1000, 1000)),
            "large logarithms": (10.0 ** uniform(-300, 300), uniform(-1, 1)),
            "results near the ends": _powers(2.0 ** uniform(0.05, 0.51), signs * uniform(690, 708)),
            "near 1": _powers(1.0 + signs * 10.0 ** uniform(-15, -1), uniform(-700, 700)),
            "x = 1e-300, p = 1": (np.full(3, 1e-300), np.array([1.0, 0.999, 1.02])),
            "x = 1.0000001, p = 1e6": (np.array([1.0000001]), np.array([1e6])),
            "switch of e": (_around(np.sqrt(0.5), np.sqrt(2.0), 0.5, 1.5, 2.0), np.full(5 * 41, 300.7)),
            "subnormal x": (SMALLEST * 10.0 ** uniform(0, 15), uniform(-0.9, 0.9)),
            "subnormal results": _powers(10.0 ** uniform(-300, -1), uniform(-744.4, -708.4)),
        },
    }[name]


CASES = [pytest.param(name, label, id=f"{name}: {label}") for name in NAMES for label in _points(name)]


def _loop(function, **options):
    """A loop over arrays, compiled as a caller would."""
    options = {"fastmath": {"contract"}, "error_model": "numpy", **options}

    @njit(**options)
    def unary(out, x):
        for i in range(x.size):
            out[i] = function(x[i])

    @njit(**options)
    def binary(out, x, p):
        for i in range(x.size):
            out[i] = function(x[i], p[i])

    return binary if function is power else unary


LOOPS = {name: _loop(getattr(elementary, name)) for name in NAMES}


def _evaluate(loop, arguments):
    out = np.full(arguments[0].size, -123.0)
    loop(out, *arguments)
    return out


def _largest_error(name, arguments, results):
    """Largest error in ulp, and the arguments where it occurs."""
    points = list(zip(*[a.tolist() for a in arguments], strict=True))
    if not points:
        return 0.0, None
    errors = np.empty(len(points))
    with mpmath.workdps(60):
        for i, (result, at) in enumerate(zip(results.tolist(), points, strict=True)):
            exact = REFERENCES[name](*map(mpf, at))
            errors[i] = abs(mpf(result) - exact) / mpf(float(np.spacing(abs(float(exact)))))
    worst = int(np.argmax(errors))  # NaN counts as the largest
    return errors[worst], points[worst]


def _assert_accurate(name, arguments, results, bound=None):
    bound = BOUNDS[name] if bound is None else bound
    worst, where = _largest_error(name, arguments, results)
    assert worst <= bound, f"{name}{where} is {worst:.3f} ulp off, the bound is {bound}"


def test_error_measure_counts_ulps():
    x = np.array([1.0, 2.0])
    exact = np.exp(x)
    assert _largest_error("exp", (x,), exact)[0] <= 0.5
    worst, where = _largest_error("exp", (x,), exact + np.array([0.0, 3.0]) * np.spacing(exact))
    assert 2.5 <= worst <= 3.5
    assert where == (2.0,)
    assert np.isnan(_largest_error("exp", (x,), np.array([NAN, 1.0]))[0])


@pytest.mark.parametrize(("name", "label"), CASES)
def test_accuracy(name, label):
    arguments = _points(name)[label]
    _assert_accurate(name, arguments, _evaluate(LOOPS[name], arguments), TIGHTER.get((name, label)))


@pytest.mark.parametrize("name", NAMES)
def test_loops_of_every_length_agree_with_scalar_calls(name):
    label = {"power": "any x, any result"}.get(name, "tiny")
    label = "uniform" if name == "arctan" else label
    arguments = [a[:257] for a in _points(name)[label]]
    function = getattr(elementary, name)
    scalar = np.array([function(*point) for point in zip(*arguments, strict=True)])
    _assert_accurate(name, arguments, scalar)
    for length in range(1, 258):
        out = np.full(258, -123.0)
        LOOPS[name](out, *[a[:length] for a in arguments])
        assert np.all(out[length:] == -123.0)
        # fma may be formed in the vector body and not in the scalar rest, so other bits are allowed, other
        # accuracy is not.
        other = np.flatnonzero(out[:length] != scalar[:length])
        _assert_accurate(name, [a[other] for a in arguments], out[other])


@pytest.mark.parametrize("name", NAMES)
def test_loop_is_vectorised_and_free_of_calls(name):
    arguments = next(iter(_points(name).values()))
    _evaluate(LOOPS[name], arguments)
    (code,) = LOOPS[name].inspect_llvm().values()
    assert "fmul contract <" in code, "no vector product in the optimised loop"
    called = re.findall(r"call [^@\n]*@([\w.]+)", code)
    libm = [c for c in called if re.match(r"(llvm\.)?_*(exp|log|pow|atan|fma|rint|round|floor|ldexp)", c)]
    assert not libm


@pytest.mark.parametrize("name", NAMES)
def test_fastmath_caller_does_not_spoil_the_rounding(name):
    loop = _loop(getattr(elementary, name), fastmath=True)
    for label in ("wide", "narrow", "uniform", "any x, any result"):
        if label in _points(name):
            arguments = _points(name)[label]
            _assert_accurate(name, arguments, _evaluate(loop, arguments))


@pytest.mark.slow
def test_accuracy_without_fma(tmp_path):
    # The cuts into two parts must hold whether the processor has fma or not.
    script = """
import sys
import numpy as np
from numba import njit
from marginclf.kernels import elementary

points = np.load(sys.argv[1])
results = {}
for name in ("exp", "power"):
    function = getattr(elementary, name)
    arguments = [points[k] for k in sorted(points) if k.startswith(name)]
    results[name] = np.array([function(*point) for point in zip(*arguments)])
np.savez(sys.argv[2], **results)
"""
    arguments = {"exp": _points("exp")["wide"], "power": _points("power")["results near the ends"]}
    points = {f"{name}{i}": a for name in arguments for i, a in enumerate(arguments[name])}
    np.savez(tmp_path / "in.npz", **points)
    root = str(Path(elementary.__file__).parents[2])
    path = os.pathsep.join(filter(None, [root, os.environ.get("PYTHONPATH")]))
    subprocess.run(
        [sys.executable, "-c", script, tmp_path / "in.npz", tmp_path / "out.npz"],
        env={**os.environ, "PYTHONPATH": path, "NUMBA_CPU_NAME": "generic", "NUMBA_CPU_FEATURES": ""},
        check=True,
        timeout=120,
    )
    results = np.load(tmp_path / "out.npz")
    for name in arguments:
        _assert_accurate(name, arguments[name], results[name])


SPECIAL = [
    (exp, (0.0,), 1.0),
    (exp, (-0.0,), 1.0),
    (exp, (INF,), INF),
    (exp, (-INF,), 0.0),
    (exp, (NAN,), NAN),
    (exp, (709.7827128933841,), INF),
    (exp, (LARGEST,), INF),
    (exp, (-745.1332191019411,), SMALLEST),
    (exp, (-745.1332191019412,), 0.0),
    (exp, (-LARGEST,), 0.0),
    (expm1, (0.0,), 0.0),
    (expm1, (-1e-300,), -1e-300),
    (expm1, (SMALLEST,), SMALLEST),
    (expm1, (-SMALLEST,), -SMALLEST),
    (expm1, (INF,), INF),
    (expm1, (-INF,), -1.0),
    (expm1, (-LARGEST,), -1.0),
    (expm1, (709.7827128933841,), INF),
    (expm1, (NAN,), NAN),
    (log1p, (0.0,), 0.0),
    (log1p, (SMALLEST,), SMALLEST),
    (log1p, (1e-308,), 1e-308),
    (log1p, (1.0,), 0.6931471805599453),
    (log1p, (NAN,), NAN),
    (arctan, (0.0,), 0.0),
    (arctan, (-0.0,), -0.0),
    (arctan, (-SMALLEST,), -SMALLEST),
    (arctan, (1.0,), 0.7853981633974483),
    (arctan, (INF,), 1.5707963267948966),
    (arctan, (-INF,), -1.5707963267948966),
    (arctan, (LARGEST,), 1.5707963267948966),
    (arctan, (NAN,), NAN),
    (power, (1e-300, 1.0), 1e-300),
    (power, (SMALLEST, 1.0), SMALLEST),
    (power, (SMALLEST_NORMAL, 1.0), SMALLEST_NORMAL),
    (power, (LARGEST, 1.0), LARGEST),
    (power, (LARGEST, 1.0000001), INF),
    (power, (0.3, 0.0), 1.0),
    (power, (1.0, 1e308), 1.0),
    (power, (3.0, 20.0), 3486784401.0),
    (power, (2.0, 1023.0), 2.0**1023),
    (power, (2.0, 1024.0), INF),
    (power, (2.0, -1074.0), SMALLEST),
    (power, (2.0, -1076.0), 0.0),
    (power, (0.5, 1e300), 0.0),
    (power, (0.5, -1e300), INF),
    (power, (2.0, INF), INF),
    (power, (2.0, -INF), 0.0),
    (power, (0.0, 1e-5), 0.0),
    (power, (0.0, -1e-5), INF),
    (power, (0.0, 0.0), 1.0),
    (power, (INF, 1e-5), INF),
    (power, (INF, -1e-5), 0.0),
    (power, (INF, 0.0), 1.0),
    (power, (-1.0, 2.0), NAN),
    (power, (-INF, 2.0), NAN),
    (power, (NAN, 2.0), NAN),
    (power, (-NAN, 2.0), NAN),
    (power, (NAN, 0.0), NAN),
    (power, (2.0, NAN), NAN),
]


@pytest.mark.parametrize(
    ("function", "at", "expected"), [pytest.param(*s, id=f"{s[0].__name__}{s[1]}") for s in SPECIAL]
)
def test_special_values(function, at, expected):
    # Nine copies, so that the vector body meets the value and not only the scalar rest of the loop.
    looped = _evaluate(LOOPS[function.__name__], [np.full(9, a) for a in at])
    for result in (function(*at), *looped):
        np.testing.assert_array_equal(result, expected)
        assert np.isnan(expected) or np.signbit(result) == np.signbit(expected)


def test_power_returns_exact_results_exactly():
    x, _ = _points("power")["any x, any result"]
    np.testing.assert_array_equal(_evaluate(LOOPS["power"], (x, np.ones_like(x))), x)
    n = np.arange(1.0, 1001.0)
    np.testing.assert_array_equal(_evaluate(LOOPS["power"], (n, np.full_like(n, 3.0))), n**3)


@pytest.mark.parametrize("kind", [int, np.float32, np.int64])
def test_other_number_types_are_taken_as_float64(kind):
    one = kind(1)
    assert exp(one) == exp(1.0)
    assert expm1(one) == expm1(1.0)
    assert log1p(one) == log1p(1.0)
    assert arctan(one) == arctan(1.0)
    assert power(kind(3), kind(2)) == 9.0
