"""One thread for BLAS while a fit runs; the threads of the passes are the fit's own.

Matrices that a fit factors are small, and threads of BLAS, which wait for work busily, take the cores from each other
and from whatever else runs. How many there are is a setting of the whole process, so that fits in several threads share
it: the first one limits, the last one restores. Where OpenBLAS has threads of OpenMP, it is a setting of each thread.
"""

from __future__ import annotations

import functools
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from threadpoolctl import ThreadpoolController

Limited = list[tuple[Any, int]]
"""Libraries that have been limited, and the threads that they had."""


@functools.cache
def _libraries() -> tuple[list[Any], list[Any]]:
    """The BLAS libraries of this process, whose limit is one of the process, and one of the thread.

    To look for them takes 15 ms, once; the two of NumPy and SciPy are loaded by then.
    """
    found = ThreadpoolController().select(user_api="blas").lib_controllers
    by_thread = [lib for lib in found if getattr(lib, "threading_layer", None) == "openmp"]
    return [lib for lib in found if lib not in by_thread], by_thread


def _limited(libraries: list[Any]) -> Limited:
    """Limit libraries to one thread, as far as somebody else does not hold them."""
    changed = []
    for lib in libraries:
        before = lib.get_num_threads()
        if before is not None and before > 1:
            lib.set_num_threads(1)
            if lib.get_num_threads() == 1:
                changed.append((lib, before))
    _let_go(changed)
    return changed


def _restore(changed: Limited) -> None:
    for lib, before in changed:
        lib.set_num_threads(before)
    _let_go(changed)


def _let_go(changed: Limited) -> None:
    """Let other threads set the number; from threadpoolctl 3.8 on, OpenBLAS listens to the first one that did."""
    for lib, _ in changed:
        getattr(lib, "clear_controlling_thread", lambda: None)()


class _Process:
    """How many fits run in this process, and what the first of them has limited."""

    def __init__(self) -> None:
        self.lock, self.fits = threading.Lock(), 0
        self.changed: Limited = []

    def enter(self) -> None:
        with self.lock:
            self.fits += 1
            if self.fits == 1:
                self.changed = _limited(_libraries()[0])

    def leave(self) -> None:
        with self.lock:
            self.fits -= 1
            if self.fits == 0:
                changed, self.changed = self.changed, []
                _restore(changed)

    def forked(self) -> None:
        """A child has none of the threads that other fits run in, nor what they hold."""
        changed = self.changed
        self.__init__()  # type: ignore[misc]
        _restore(changed)


_process = _Process()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_process.forked)


@contextmanager
def one_blas_thread() -> Iterator[None]:
    """Limit BLAS to one thread; afterwards it has as many as before, once no other fit runs.

    It takes about 10 µs, and 1 µs where BLAS has one thread already.
    """
    mine = _limited(_libraries()[1])
    _process.enter()
    try:
        yield
    finally:
        _process.leave()
        _restore(mine)
