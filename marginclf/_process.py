"""What the process around a computation has set: NumPy's error state, its console, Numba's variables."""

from __future__ import annotations

import functools
import sys
import warnings
from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np
from numba import config

_Function = TypeVar("_Function", bound=Callable[..., Any])


def quiet(function: _Function) -> _Function:
    """The same function, in which what overflows, underflows or divides by zero is a number and not an error.

    ``numpy.seterr(all="raise")`` is meant for code of the user's own; here infinities and zeros are looked for where
    they matter.
    """

    @functools.wraps(function)
    def call(*arguments: Any, **options: Any) -> Any:
        with np.errstate(all="ignore"):
            return function(*arguments, **options)

    return call  # type: ignore[return-value]


def say(text: str) -> None:
    """Print a line, with escapes for what the console cannot show; a console that is gone ends nothing."""
    try:
        try:
            print(text, flush=True)
        except UnicodeEncodeError:
            encoding = getattr(sys.stdout, "encoding", None) or "ascii"
            print(text.encode(encoding, "backslashreplace").decode(encoding), flush=True)
    except Exception:  # whatever stands in for a console may raise anything
        return


def warn(message: str, category: type[Warning], *, stacklevel: int) -> None:
    """Warn, as ``warnings.warn``; a console that is gone ends nothing, a filter that makes errors of warnings does."""
    try:
        warnings.warn(message, category, stacklevel=stacklevel + 1)
    except Warning:
        raise
    except Exception:  # as in say
        return


def require_compiler() -> None:
    """Raise RuntimeError where Numba has been told not to compile."""
    if config.DISABLE_JIT:  # type: ignore[attr-defined]
        raise RuntimeError(
            "marginclf needs code that Numba compiles, and the environment variable NUMBA_DISABLE_JIT turns the "
            "compiler off: unset it and start Python again"
        )
