"""How Numba compiles kernels, and functions that only kernels call, at less cost than by itself.

By itself Numba optimises each function, makes machine code of it, and optimises it once more in each of its callers.
A function that only kernels call is of use in its callers alone: here it waits for them as it came, which halves the
time in LLVM. While something is compiled, the search for cycles of garbage, which finds nothing among millions of live
objects of the compiler and takes a tenth of the time, rests.
"""

from __future__ import annotations

import gc
from typing import Any

from numba.core.codegen import JITCodeLibrary
from numba.core.compiler import Compiler


class KernelCompiler(Compiler):
    """Numba's compiler, with the collector of garbage at rest."""

    def compile_extra(self, func: Any) -> Any:
        was_enabled = gc.isenabled()
        gc.disable()
        try:
            return super().compile_extra(func)
        finally:
            if was_enabled:
                gc.enable()


class PartCompiler(Compiler):
    """Compiles what is of use in callers only."""

    def compile_extra(self, func: Any) -> Any:
        self.state.library = _Part(self.state.targetctx.codegen(), func.__qualname__)
        return super().compile_extra(func)


class _NoEnvironment:
    """Stands for Numba's generator of code, which would look for the machine code of a function to name its module."""

    @staticmethod
    def set_env(name: str, environment: Any) -> None:
        pass


class _Part(JITCodeLibrary):
    """Code that its callers link, optimise and make machine code of. A method that Numba renames costs time only."""

    codegen = _NoEnvironment()

    def _optimize_final_module(self) -> None:
        pass

    def _finalize_final_module(self) -> None:
        self._finalized = True

    def get_pointer_to_function(self, name: str) -> int:
        return 0
