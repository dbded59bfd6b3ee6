"""Compiled kernels on disk, in a cache whose failure never makes a fit fail.

Numba's own cache raises from inside the call (or at import) when its folder is full, unwritable or damaged, does
not see a change in a file that a kernel calls into, and can pair the index of one process with the data of another.
Here each compiled signature is one file, named by everything that it depends on, with a checksum in front.
Whatever goes wrong with it, the kernel is compiled in memory and one warning says why.
"""

from __future__ import annotations

import hashlib
import os
import pickle
import stat
import uuid
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numba
from numba import njit
from numba.core.caching import FunctionCache
from numba.core.serialize import dumps

from .._process import warn
from .pipeline import KernelCompiler, PartCompiler

_warned = False


def kernel(**options: Any) -> Callable[[Callable], Any]:
    """Decorate a function to be compiled without the GIL and cached on disk.

    Parameters
    ----------
    **options : dict
        Further options of :func:`numba.njit`.
    """

    def decorate(function: Callable) -> Any:
        how = {"nogil": True, "error_model": "numpy", "no_cfunc_wrapper": True, "_nrt": False} | options
        dispatcher = njit(**how, pipeline_class=KernelCompiler)(function)
        dispatcher._cache = TolerantCache(function)
        return dispatcher

    return decorate


def inner(**options: Any) -> Callable[[Callable], Any]:
    """Decorate a function that only kernels call: without what Python or C would need for it, which is compiled too.

    Parameters
    ----------
    **options : dict
        Further options of :func:`numba.njit`.
    """
    bare = {"error_model": "numpy", "no_cpython_wrapper": True, "no_cfunc_wrapper": True, "_nrt": False}
    decorate: Callable[[Callable], Any] = njit(**(bare | {"pipeline_class": PartCompiler} | options))
    return decorate


class TolerantCache:
    """What a Numba dispatcher or cfunc expects of its cache; opened at the first use, so that import costs nothing.

    Parameters
    ----------
    function : function
        The Python function that is compiled; its file decides the folder of the cache.
    digest : str
        What else the compiled code depends on.
    """

    def __init__(self, function: Callable, digest: str = "") -> None:
        self._function = function
        self._digest = digest
        self._cache: FunctionCache | None = None
        self._failed = False

    @property
    def cache_path(self) -> str | None:
        return None if self._cache is None else self._cache.cache_path

    def load_overload(self, signature: Any, target_context: Any) -> Any:
        return self._attempt(lambda cache: cache.load_overload(signature, target_context))

    def save_overload(self, signature: Any, data: Any) -> None:
        self._attempt(lambda cache: cache.save_overload(signature, data))

    def _attempt(self, action: Callable[[FunctionCache], Any]) -> Any:
        if self._failed:
            return None
        try:
            if self._cache is None:
                self._cache = FunctionCache(self._function)
                self._cache._cache_file = _Entries(
                    Path(self._cache.cache_path), self._cache._impl.filename_base, self._function, self._digest
                )
            return action(self._cache)
        except Exception as error:  # unpickling damaged bytes can raise anything, and none of it may reach a fit
            # A damaged entry is written anew after compiling; a folder that cannot be used is not tried again.
            self._failed = not isinstance(error, _DamagedEntryError)
            _warn_once(error)
            return None


class _DamagedEntryError(Exception):
    """The bytes of a cache entry are not those that were written."""


class _Entries:
    """One file per compiled signature; stands in for Numba's index and data files."""

    def __init__(self, folder: Path, base: str, function: Callable, digest: str) -> None:
        self._folder = folder
        self._base = base
        self._stamp = numba.__version__ + _text_hash(function.__code__.co_filename) + _kernels_hash() + digest

    def _path(self, key: Any) -> Path:
        digest = hashlib.sha256(repr((self._stamp, key)).encode()).hexdigest()
        return self._folder / f"{self._base}.{digest[:24]}.nbc"

    def load(self, key: Any) -> Any:
        path = self._path(key)
        try:
            _require_private(self._folder)
            content = path.read_bytes()
        except FileNotFoundError:
            return None
        checksum, body = content[:32], content[32:]
        if _checksum(path, body) != checksum:
            raise _DamagedEntryError(f"{path} is damaged")
        try:
            return pickle.loads(body)
        except Exception as error:  # a pickle of another environment can raise anything
            raise _DamagedEntryError(f"{path} cannot be read: {error}") from error

    def save(self, key: Any, data: Any) -> None:
        _require_private(self._folder)
        body = dumps(data)
        path = self._path(key)
        # Renaming is atomic: another process sees the whole entry or none.
        draft = path.with_name(f"{path.name}.{uuid.uuid4().hex[:12]}.tmp")
        try:
            draft.write_bytes(_checksum(path, body) + body)
            os.replace(draft, path)
        except OSError:
            draft.unlink(missing_ok=True)
            raise


def _checksum(path: Path, body: bytes) -> bytes:
    """Of the name too: the code of one function under the name of another would be run with the wrong arguments."""
    return hashlib.sha256(path.name.encode() + b"\0" + body).digest()


def _require_private(folder: Path) -> None:
    """Refuse a folder that everybody may write to: what lies there is code that this process would run."""
    if os.name == "posix" and folder.stat().st_mode & stat.S_IWOTH:
        raise PermissionError(f"everybody may write to {folder}, and whoever does could run code in this process")


def _text_hash(path: str | Path) -> str:
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()


@cache
def _kernels_hash() -> str:
    """Hash of every kernel source: a kernel is compiled together with those it calls, wherever they are written."""
    return "".join(_text_hash(path) for path in sorted(Path(__file__).parent.glob("*.py")))


def _warn_once(error: Exception) -> None:
    global _warned
    if _warned:
        return
    _warned = True
    folder = numba.config.CACHE_DIR
    remedy = (
        f"let NUMBA_CACHE_DIR, which is {folder!r}, name a folder with room that you can write to and others cannot"
        if folder
        else "set NUMBA_CACHE_DIR to a folder that can be written"
    )
    warn(
        f"marginclf cannot use its cache of compiled kernels ({type(error).__name__}: {error}). They are compiled "
        "in memory instead: results are the same, the first fit of each process takes some seconds longer. "
        f"Remedy: {remedy}, or remove the damaged file.",
        RuntimeWarning,
        stacklevel=2,
    )
