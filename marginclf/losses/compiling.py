"""From the formula of a loss to compiled code, or to an error about the line that cannot be compiled."""

from __future__ import annotations

import dis
import linecache
import re
from collections.abc import Callable
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
    # A formula that was assigned to a class of ours, or inherited, is not the one on disk under its name.
    built_in = cls.__module__.startswith(__package__ + ".") and all(
        formula is None
        or (formula.__qualname__ == f"{cls.__qualname__}.{formula.__name__}" and formula.__module__ == cls.__module__)
        for formula in formulas
    )
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


def check_point(loss: Any) -> None:
    """Find in plain Python what would be hard to understand, or silent, once compiled."""
    cls = type(loss)
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
