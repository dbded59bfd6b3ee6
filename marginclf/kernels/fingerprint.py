"""What a formula computes, as a digest: the same in every process, whatever its class and its functions are called.

Worker processes get the classes of a notebook by value, with new function objects for each task, and a notebook that is
run again defines its own anew. Objects and names say nothing of what they compute; bytecode, constants, and the values
from outside that it uses do.
"""

from __future__ import annotations

import builtins
import dis
import hashlib
import math
import sys
import types
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Any

import llvmlite
import numba
import numpy as np
from numba.core.dispatcher import Dispatcher

_VERSIONS = sys.version, np.__version__, numba.__version__, llvmlite.__version__
_KERNELS = __package__


class _UnknownError(Exception):
    """A value of which nobody can say what compiled code makes of it."""


def fingerprint(formulas: tuple[Callable | None, ...], *others: Any) -> str | None:
    """A digest of formulas and of all that they use; None where a part of that is not known by its value.

    It is made of the bytecode and constants of the formulas and of the plain functions that they use, directly or
    through each other, with their defaults; of the numbers, texts and tuples from outside, by type and bits; of the
    names of functions of Python, NumPy and :mod:`marginclf.kernels`; and of the versions of what compiles.

    Parameters
    ----------
    formulas : tuple of functions or None
    *others : any
        Further values that the compiled code depends on.
    """
    try:
        return _Reading().digest((formulas, others))
    except Exception:  # beside _UnknownError, whatever a user's object raises when it is asked for its name
        return None


def outside(function: Callable) -> Iterator[tuple[str, Any]]:
    """Names and values of what a function takes from its globals and closure."""
    code = function.__code__
    for name in _names(code)[0]:
        if name in function.__globals__:
            yield name, function.__globals__[name]
    yield from _cells(function)


def _cells(function: Callable) -> Iterator[tuple[str, Any]]:
    for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True):
        yield name, cell.cell_contents


@lru_cache(maxsize=256)
def _names(code: types.CodeType) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The globals of a code, and all names in it; kept because every fit asks whether a formula has changed.

    Globals are not co_names: the names of attributes are among them, and self.delta is no global of the name delta.
    """
    here = [i.argval for i in dis.get_instructions(code) if i.opname == "LOAD_GLOBAL"]
    inner = [_names(part) for part in code.co_consts if isinstance(part, types.CodeType)]
    loaded, named = ([name for part in inner for name in part[k]] for k in range(2))
    return tuple(dict.fromkeys(here + loaded)), tuple(dict.fromkeys([*code.co_names, *named]))


def _digest(found: Any) -> str:
    return hashlib.sha256(repr(found).encode("utf-8", "surrogatepass")).hexdigest()


class _Reading:
    """One walk through what formulas use; values are nested tuples of texts, bytes and integers."""

    def __init__(self) -> None:
        self._functions: dict[int, str | None] = {}
        self._modules: dict[str, types.ModuleType] = {}
        self._names: set[str] = set()

    def digest(self, values: tuple) -> str:
        found = [self._value(values)]
        # A module may be an argument of another function, which asks it for an attribute; and that may lead further.
        read = None
        while read != (read := (len(self._modules), len(self._names))):
            found = found[:1] + [self._attributes(module) for _, module in sorted(self._modules.items())]
        return _digest((_VERSIONS, found))

    def _value(self, value: Any) -> Any:
        kind = type(value)
        if value is None or value is Ellipsis or kind in (bool, int, str, bytes):
            return kind.__name__, value
        if kind in (float, complex):
            return kind.__name__, np.array(value).tobytes()  # −0 is another number than 0, and so is another NaN
        if isinstance(value, np.number | np.bool_) and kind.__module__ == "numpy":
            return value.dtype.str, value.tobytes()
        if kind is tuple:
            return kind.__name__, [self._value(entry) for entry in value]
        if kind is frozenset:
            return kind.__name__, sorted(repr(self._value(entry)) for entry in value)
        if kind is types.CodeType:
            return self._code(value)
        if kind is types.FunctionType:
            return self._function(value)
        if kind is types.ModuleType:
            return self._module(value)
        return _by_name(value)

    def _code(self, code: types.CodeType) -> Any:
        """Without what only says where it was written: file, lines, and the name."""
        self._names.update(code.co_names)
        numbers = code.co_argcount, code.co_posonlyargcount, code.co_kwonlyargcount, code.co_flags
        names = code.co_names, code.co_varnames, code.co_freevars, code.co_cellvars
        constants = self._value(code.co_consts)
        return "code", numbers, names, code.co_code, code.co_exceptiontable, constants

    def _function(self, function: Any) -> Any:
        key = id(function)
        if key not in self._functions:
            self._functions[key] = None
            used = [(name, self._value(found)) for name, found in (*_loaded(function), *_cells(function))]
            defaults = function.__defaults__, tuple(sorted((function.__kwdefaults__ or {}).items()))
            self._functions[key] = _digest((self._code(function.__code__), used, self._value(defaults)))
        if self._functions[key] is None:
            raise _UnknownError(f"{function.__name__} calls itself")
        return "function", self._functions[key]

    def _module(self, module: types.ModuleType) -> Any:
        """Its name; what is asked of it is part of the digest. Two modules of one name are not known apart."""
        if self._modules.setdefault(module.__name__, module) is not module:
            raise _UnknownError(module.__name__)
        if "__getattr__" in vars(module) and module is not np:
            raise _UnknownError(module.__name__)  # it may say anything of names that it does not hold
        return "module", module.__name__

    def _attributes(self, module: types.ModuleType) -> Any:
        held = vars(module)
        return module.__name__, [(name, self._value(held[name])) for name in sorted(self._names & held.keys())]


def _loaded(function: Callable) -> Iterator[tuple[str, Any]]:
    """Names and values of all globals that a function loads, those of Python among them."""
    for name in _names(function.__code__)[0]:
        if name not in function.__globals__ and not hasattr(builtins, name):
            raise _UnknownError(name)
        yield name, function.__globals__[name] if name in function.__globals__ else getattr(builtins, name)


def _by_name(value: Any) -> Any:
    """What is written in C or in :mod:`marginclf.kernels` and found there under its own name; nothing else has one.

    A user's own function that Numba has compiled is not known by its code: it keeps the globals of its first call.
    """
    name, home = getattr(value, "__name__", None), getattr(value, "__module__", None) or "builtins"
    if isinstance(value, np.ufunc):
        home = "numpy"
    if isinstance(value, Dispatcher):
        trusted = home.startswith(f"{_KERNELS}.")
    else:
        written_in_c = isinstance(value, type | types.BuiltinFunctionType | np.ufunc)
        written_in_c |= type(value).__module__ == "numpy" and home == "numpy"
        trusted = written_in_c and home in {builtins.__name__, math.__name__, np.__name__}
    if not trusted or name is None or getattr(sys.modules.get(home), name, None) is not value:
        raise _UnknownError(repr(type(value)))
    return "named", home, name


def state(formulas: tuple[Callable, ...]) -> tuple:
    """What can change of formulas while a process runs, to be compared with what it was when they were compiled.

    Their code, which a notebook that reloads modules replaces within a function, their defaults, and the numbers,
    texts, tuples and compiled functions outside of them, which compiled code keeps as they were.

    Parameters
    ----------
    formulas : tuple of functions
        All of them, with the functions that they call.
    """
    found: list[Any] = []
    for function in formulas:
        found.append((function, function.__code__, repr((function.__defaults__, function.__kwdefaults__))))
        _, named = _names(function.__code__)
        for name, value in outside(function):
            if isinstance(value, types.ModuleType) and value.__name__ not in (math.__name__, np.__name__):
                found += [(k, _current(vars(value)[k])) for k in named if k in vars(value)]
            else:
                found.append((name, _current(value)))
    return tuple(found)


def _current(value: Any) -> Any:
    if isinstance(value, int | float | complex | str | tuple | np.generic):
        return type(value), repr(value)  # 2, 2.0 and −0.0 are equal to others, and compiled otherwise
    return value if isinstance(value, Dispatcher) else None
