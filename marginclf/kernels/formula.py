"""The formula of a loss, with the plain functions that it calls, as Numba takes it."""

from __future__ import annotations

import types
from collections.abc import Callable, Iterator
from typing import Any

from .cache import inner
from .fingerprint import outside
from .pipeline import FormulaCompiler

# Only `contract`: reassociation would fold away the rounding trick of kernels.elementary (see there).
FORMULA_OPTIONS = {"fastmath": {"contract"}, "error_model": "numpy"}
_HOW = {"forceinline": True, "_nrt": True, "pipeline_class": FormulaCompiler} | FORMULA_OPTIONS


def compiled_formula(formula: Callable) -> Any:
    """A formula compiled, and with it the plain functions that it calls by name, wherever they are defined."""
    return inner(**_HOW)(_linked(formula, {}))


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


def _called(function: Callable) -> Iterator[tuple[str, Callable]]:
    """Names and values of the plain functions among the globals and the closure of a function."""
    return ((name, value) for name, value in outside(function) if isinstance(value, types.FunctionType))


def _linked(function: Callable, compiled: dict[int, Any]) -> Callable:
    """The same function with compiled ones in the place of the plain ones that it calls."""
    called = dict(_called(function))
    if not called:
        return function
    for helper in called.values():
        if id(helper) not in compiled:
            if function is helper or function in helpers(helper):
                raise TypeError(f"{helper.__name__} calls itself")
            compiled[id(helper)] = inner(**_HOW)(_linked(helper, compiled))
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
