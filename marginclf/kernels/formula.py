"""The formula of a loss, with the plain functions that it calls, as Numba takes it."""

from __future__ import annotations

import dis
import types
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Any

import numpy as np

from .cache import inner

# Only `contract`: reassociation would fold away the rounding trick of kernels.elementary (see there).
FORMULA_OPTIONS = {"fastmath": {"contract"}, "error_model": "numpy"}


def compiled_formula(formula: Callable) -> Any:
    """A formula compiled, and with it the plain functions that it calls by name, wherever they are defined."""
    return inner(forceinline=True, _nrt=True, **FORMULA_OPTIONS)(_linked(formula, {}))


def helpers(formula: Callable) -> tuple[Callable, ...]:
    """The plain functions that a formula calls by name, directly or through each other."""
    found: dict[int, Callable] = {}

    def visit(function: Callable) -> None:
        for _, helper in _called(function):
            if id(helper) not in found:
                found[id(helper)] = helper
                visit(helper)

    visit(formula)
    return tuple(found.values())


def constants(formula: Callable) -> tuple:
    """Names and values of the numbers outside of it that a formula uses: compiled code keeps them as they are now."""
    functions = (formula, *helpers(formula))
    return tuple(pair for function in functions for pair in _outside(function, int | float | np.number))


@lru_cache(maxsize=256)
def _global_names(code: types.CodeType) -> tuple[str, ...]:
    """The globals of a code, kept because every fit asks whether a formula is still the one that was compiled.

    Not co_names: the names of attributes are among them, and self.delta is no global of the name delta.
    """
    return tuple(dict.fromkeys(i.argval for i in dis.get_instructions(code) if i.opname == "LOAD_GLOBAL"))


def _called(function: Callable) -> Iterator[tuple[str, Callable]]:
    return _outside(function, types.FunctionType)


def _outside(function: Callable, kind: Any) -> Iterator[tuple[str, Any]]:
    """Names and values, of one kind, among the globals and the closure of a function."""
    code = function.__code__
    for name in _global_names(code):
        value = function.__globals__.get(name)
        if isinstance(value, kind):
            yield name, value
    for name, cell in zip(code.co_freevars, function.__closure__ or (), strict=True):
        if isinstance(cell.cell_contents, kind):
            yield name, cell.cell_contents


def _linked(function: Callable, compiled: dict[int, Any]) -> Callable:
    """The same function with compiled ones in the place of the plain ones that it calls."""
    called = dict(_called(function))
    if not called:
        return function
    for helper in called.values():
        if id(helper) not in compiled:
            if function is helper or function in helpers(helper):
                raise TypeError(f"{helper.__name__} calls itself")
            compiled[id(helper)] = inner(forceinline=True, _nrt=True, **FORMULA_OPTIONS)(_linked(helper, compiled))
    here = {name: compiled[id(helper)] for name, helper in called.items()}
    code = function.__code__
    cells = tuple(
        types.CellType(here[name]) if name in here else cell
        for name, cell in zip(code.co_freevars, function.__closure__ or (), strict=True)
    )
    linked = types.FunctionType(
        code, {**function.__globals__, **here}, function.__name__, function.__defaults__, cells or None
    )
    linked.__qualname__, linked.__module__ = function.__qualname__, function.__module__
    return linked
