"""From the formula of a loss to compiled code, or to an error about the line that cannot be compiled."""

from __future__ import annotations

import dis
import inspect
import linecache
import re
from collections.abc import Callable, Iterator
from numbers import Real
from typing import Any

from ..kernels.fingerprint import fingerprint
from ..kernels.formula import helpers

_compiled: dict[tuple, Any] = {}
"""Compiled code of losses that are not ours, by what they compute: kept, as each task of a search brings them anew."""

_ALLOWED = (
    "It may use arithmetic, if, math.*, the functions of marginclf.kernels.elementary, the parameters as self.<name>, "
    "and plain functions of such things called by their name."
)


def compile_loss(loss: Any, names: tuple[str, ...], formulas: tuple, compile_formulas: Callable) -> Any:
    """Compile the formulas of a loss.

    Raises
    ------
    TypeError
        If a formula cannot be compiled, or does not return three numbers; the message quotes the line.
    """
    cls = type(loss)
    built_in = is_built_in(cls, formulas)
    digest = None if built_in else fingerprint(formulas, names)
    key = compile_formulas, digest
    if key in _compiled:
        return _compiled[key]
    if not built_in:
        check_point(loss)
    options = {"owner": cls.__qualname__, "on_disk": built_in or digest is not None, "digest": digest or ""}
    try:
        code = compile_formulas(*formulas, names, **options)
    except Exception as error:  # Numba raises many kinds for what it cannot compile
        raise TypeError(_message(cls, [formula for formula in formulas if formula], error)) from None
    # Of two threads that compile the same, both must hold the same code from now on.
    return code if digest is None else _compiled.setdefault(key, code)


def is_built_in(cls: type, formulas: tuple) -> bool:
    """Whether formulas of a class are those that this package has on disk under its name.

    One that was assigned to a class of ours, or inherited by one of a user, is not.
    """
    return cls.__module__.startswith(__package__ + ".") and all(
        formula is None
        or (formula.__qualname__ == f"{cls.__qualname__}.{formula.__name__}" and formula.__module__ == cls.__module__)
        for formula in formulas
    )


FORMULAS = {"point": ("self", "m"), "prox": ("self", "v", "kappa"), "inverse_slope": ("self", "a")}
"""The methods of a loss that are compiled, and what they are called with."""


def check_arguments(cls: type) -> None:
    """Raise TypeError where a method that a class defines cannot be called as it will be."""
    for name, arguments in FORMULAS.items():
        if not inspect.isfunction(vars(cls).get(name)):
            if isinstance(vars(cls).get(name), staticmethod | classmethod):
                raise TypeError(f"{cls.__name__}.{name} must be a plain method, {name}({', '.join(arguments)})")
            continue
        signature = inspect.signature(vars(cls)[name])
        try:
            signature.bind(*arguments)
        except TypeError:
            reason = (
                ": a margin loss knows only m, the margin, in which the label is already. What depends on the label is "
                "class_weight, and what depends on the row is sample_weight"
                if name == "point" and len(signature.parameters) > 2
                else ""
            )
            raise TypeError(
                f"{cls.__name__}.{name} takes ({', '.join(signature.parameters)}), and must be "
                f"{name}({', '.join(arguments)}){reason}"
            ) from None


def unknown_names(loss: Any) -> Iterator[str]:
    """What the compiled methods ask of ``self`` and compiled code does not have, each with the remedy."""
    cls = type(loss)
    # Who writes a constructor lists the parameters there; the others annotate them.
    written = inspect.isfunction(cls.__init__) and not hasattr(cls.__init__, "__signature__")  # type: ignore[misc]
    known = {*cls._get_param_names()}  # type: ignore[attr-defined]
    for method in FORMULAS:
        formula = getattr(cls, method)
        for name in _asked(formula) if inspect.isfunction(formula) else ():
            if name in known:
                continue
            known.add(name)
            held = getattr(loss, name, None)
            plain = name.lstrip("_")
            value = repr(float(held)) if isinstance(held, Real) else "1.0"
            if callable(held):
                yield (
                    f"{method} calls self.{name}, and compiled code knows the parameters and no methods: write {plain} "
                    "as a plain function outside of the class, and call it by its name"
                )
            elif written:
                yield (
                    f"{method} uses self.{name}, which is no parameter; take it in the constructor, as in "
                    f"`def __init__(self, {plain}={value})`"
                )
            else:
                yield f"{method} uses self.{name}, which is no parameter; annotate it: `{plain}: float = {value}`"


def _asked(formula: Any) -> Iterator[str]:
    """Names of the attributes of the first argument that a function loads."""
    me = formula.__code__.co_varnames[:1]
    before = None
    for instruction in dis.get_instructions(formula):
        if before is not None and instruction.opname in ("LOAD_ATTR", "LOAD_METHOD"):
            # Some versions of Python load two variables at once, or store one first: the later one is on top.
            loaded = before.argval if isinstance(before.argval, tuple) else (before.argval,)
            if ("LOAD_FAST" in before.opname or before.opname == "LOAD_DEREF") and loaded[-1:] == me:
                yield instruction.argval
        before = instruction


def check_point(loss: Any) -> None:
    """Find in plain Python what would be hard to understand, or silent, once compiled."""
    cls = type(loss)
    unknown = next(unknown_names(loss), None)
    if unknown:
        raise TypeError(f"{cls.__name__}: {unknown}")
    found = loss.point(0.5)
    if not (isinstance(found, tuple) and len(found) == 3):
        raise TypeError(
            f"{cls.__name__}.point(self, m) must return three numbers (value, slope, curvature); at m = 0.5 "
            f"it returned {found!r}"
        )
    for function in (cls.point, *helpers(cls.point)):
        if any(instruction.opname == "RAISE_VARARGS" for instruction in dis.get_instructions(function)):
            raise TypeError(
                f"{cls.__name__}.point(self, m) must not raise: compiled code called by address cannot. "
                f"{function.__name__!r} has a raise"
            )


def _message(cls: type, formulas: list, error: Exception) -> str:
    """What the user can act on: where it is, what it says there, and what Numba says of it."""
    text = str(error)
    ours = [function for formula in formulas for function in (formula, *helpers(formula))]
    places = re.findall(r'(?:File "|Raised from )([^"\n]+?)(?:", line | \()(\d+)', text)
    where = ""
    # The innermost place in code of the user: Numba names the outer ones first, or the inner ones after "During".
    for file, number in reversed(places):
        owner = next((f for f in ours if _contains(f, file, int(number))), None)
        if owner is not None:
            line = linecache.getline(owner.__code__.co_filename, int(number)).strip()
            where = f" Line {number} of {owner.__name__}: `{line}`." if line else f" Line {number} of {owner.__name__}."
            break
    says = next((line.strip() for line in text.splitlines() if _informative(line)), type(error).__name__)
    return f"{cls.__name__}.point(self, m) cannot be compiled by Numba.{where} It says: {says[:300]}\n{_ALLOWED}"


def _contains(function: Callable, file: str, number: int) -> bool:
    code = function.__code__
    lines = [line for _, _, line in code.co_lines() if line is not None]
    return code.co_filename.endswith(file.lstrip("./")) and min(lines) <= number <= max(lines)


def _informative(line: str) -> bool:
    noise = ("Failed in", "During", "File ", "<source", "-" * 5, "Known signatures", "There are")
    return bool(line.strip()) and not line.strip().startswith(noise) and "nopython" not in line
