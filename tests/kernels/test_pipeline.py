"""How kernels are compiled: functions that only they call are machine code in them alone, the collector of garbage goes
on after, and what kernels write short means what it means in Python."""

import gc
import math

import numpy as np
import pytest

from marginclf.kernels.cache import inner, kernel
from marginclf.kernels.formula import compiled_formula
from marginclf.kernels.view import part_of


@inner(forceinline=True)
def _next(x):
    return x + 1.0


@kernel()
def _over_next(x):
    return _next(_next(x))


def test_what_only_kernels_call_becomes_machine_code_in_them_alone():
    _over_next._cache._failed = True  # an entry of another run would leave nothing to compile
    assert _over_next(1.0) == 3.0
    assert gc.isenabled()
    (part,), (whole,) = _next.overloads.values(), _over_next.overloads.values()
    engine = whole.library._codegen._engine
    assert engine.is_symbol_defined(whole.fndesc.llvm_func_name)
    assert not engine.is_symbol_defined(part.fndesc.llvm_func_name)


def _entries(a, i, j, out):
    table, row = a[i], a[-1, j]
    out[0], out[1], out[2], out[3] = a[i, j, 1], table[j, -1], row[1], row[-2]
    out[4], out[5] = a.size + table.size, row.size * a.shape[0] + table.shape[1]
    out[6 + j] = -a[j, i - 1, -1]
    out[-1] += 2.0 * table[1, i] + a[i : i + 2].size
    for k in range(a.shape[2]):
        out[8] = 3.0 * out[8] + k
    for k in range(1, row.size):
        out[9] = 3.0 * out[9] + k
    for k in range(0, 7, 3):
        out[10] = 3.0 * out[10] + k
    for k in range(4, j, -1):
        out[11] = 3.0 * out[11] + k
    for k in range(i, j):
        out[12] = k


@pytest.mark.parametrize("a", [np.empty((4, 2, 3)), np.empty((4, 2, 6))[..., ::2]], ids=["contiguous", "strided"])
def test_entries_rows_sizes_and_ranges(a):
    a[...] = np.random.default_rng(0).normal(size=a.shape)
    ours, theirs = np.zeros((2, 14))
    kernel()(_entries)(a, 2, 1, ours)
    _entries(a, 2, 1, theirs)
    np.testing.assert_array_equal(ours, theirs)


def _numbers(x, y, i, j, out):
    out[0], out[1], out[2] = min(x, y), max(x, y), min(max(x, -1.0), 1.0)
    out[3], out[4], out[5] = min(i, 3), max(i, j), int(x < y)
    out[6] = int(y) if abs(y) < 9.0 else 0.0


@pytest.mark.parametrize(("x", "y"), [(1.5, -2.5), (math.nan, 1.0), (1.0, math.nan), (0.0, -0.0), (-0.0, 0.0)])
def test_smaller_and_larger(x, y):
    ours, theirs = np.zeros((2, 7))
    _compiled_numbers(x, y, 5, -2, ours)
    _numbers(x, y, 5, -2, theirs)
    np.testing.assert_array_equal(ours, theirs)
    np.testing.assert_array_equal(np.signbit(ours[:2]), np.signbit(theirs[:2]))


_compiled_numbers = kernel()(_numbers)


@kernel()
def _fill(a, start, size, value):
    part = part_of(a, start, size)
    for i in range(part.shape[0]):
        for j in range(part.shape[1]):
            part[i, j] = value + part.size


def test_part():
    a = np.zeros((5, 3))
    _fill(a, 1, 2, 0.5)
    expected = np.zeros((5, 3))
    expected[1:3] = 6.5
    np.testing.assert_array_equal(a, expected)


def _formula(a):
    return a[-1] + a[_last(a)]


def _last(a):
    return 0 - 1


def test_a_formula_of_a_user_counts_from_the_end():
    @kernel()
    def apply(a):
        return formula(a)

    formula = compiled_formula(_formula)
    assert apply(np.arange(5.0)) == 8.0
