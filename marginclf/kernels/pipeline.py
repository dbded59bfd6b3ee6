"""How Numba compiles kernels, and functions that only kernels call, at less cost than by itself.

By itself Numba optimises each function, makes machine code of it, and optimises it once more in each of its callers.
A function that only kernels call is of use in its callers alone: here it waits for them as it came. Of Numba's passes
those are left out that look for what no kernel contains; what an operator makes of types is asked once in a process;
:mod:`.lowering` writes the instructions. LLVM does not unroll the loops of kernels, which would double their code and
gains nothing: where it counts, the loop is in a C function of a storage or a loss, or written by several entries at a
time. While something is compiled, the search for cycles of garbage, which finds nothing among millions of live objects
of the compiler and takes a tenth of the time, rests.
"""

from __future__ import annotations

import gc
from typing import Any

from llvmlite import binding as llvm
from numba import config
from numba.core import typed_passes, types, untyped_passes
from numba.core.codegen import JITCodeLibrary
from numba.core.compiler import Compiler

from .lowering import KernelLowering, short_signature

_WITHOUT = {
    getattr(passes, name, None)
    for passes, names in (
        (
            untyped_passes,
            "WithLifting InlineClosureLikes RewriteDynamicRaises MakeFunctionToJitFunction InlineInlinables "
            "FindLiterallyCalls LiteralUnroll LiteralPropagationSubPipelinePass",
        ),
        (typed_passes, "InlineOverloads NopythonRewrites DumpParforDiagnostics"),
    )
    for name in names.split()
}
"""Passes for with blocks, closures, generators, literal arguments, and expressions of whole arrays."""

_resolved: dict[tuple, tuple] = {}
"""Signatures of operators and built-in functions by argument types, with the function's type, which thus lives on."""


class _Remembering:
    """Numba's typing context, asked once for each operator and types of its arguments.

    It tries the dozens of implementations that an operator has one after the other, each time anew.
    """

    def __init__(self, context: Any) -> None:
        self._context = context

    def __getattr__(self, name: str) -> Any:
        return getattr(self._context, name)

    def resolve_function_type(self, func: Any, args: tuple, kws: Any) -> Any:
        if kws or not isinstance(func, types.Function):
            return self._context.resolve_function_type(func, args, kws)
        if short := short_signature(func.typing_key, args):
            return short
        # A function to which somebody adds an implementation has a new type from then on.
        key = id(func), args
        if key in _resolved:
            return _resolved[key][1]
        signature = self._context.resolve_function_type(func, args, kws)
        # What is implemented in Python is compiled in the course of this, for the options of the caller: it is asked
        # each time.
        if signature is not None and func.get_impl_key(signature) is func.typing_key:
            _resolved[key] = func, signature
        return signature


class _LeanCompiler(Compiler):
    def __init__(self, typingctx: Any, *args: Any) -> None:
        super().__init__(typingctx, *args)
        self.state.typingctx = _Remembering(typingctx)

    def define_pipelines(self) -> list[Any]:
        pipelines: list[Any] = super().define_pipelines()
        for pipeline in pipelines:
            pipeline.passes = [
                (KernelLowering if step is typed_passes.NativeLowering else step, what)
                for step, what in pipeline.passes
                if step not in _WITHOUT
            ]
        return pipelines


class CFunctionCompiler(_LeanCompiler):
    """Compiles C functions over blocks of rows; with the collector of garbage at rest."""

    def compile_extra(self, func: Any) -> Any:
        was_enabled = gc.isenabled()
        gc.disable()
        try:
            return super().compile_extra(func)
        finally:
            if was_enabled:
                gc.enable()


class KernelCompiler(CFunctionCompiler):
    """Compiles kernels."""

    def compile_extra(self, func: Any) -> Any:
        library = _Kernel(self.state.targetctx.codegen(), func.__qualname__)
        library.counts_references = self.state.flags.nrt
        library.enable_object_caching()
        self.state.library = library
        return super().compile_extra(func)


class PartCompiler(_LeanCompiler):
    """Compiles what is of use in callers only."""

    def compile_extra(self, func: Any) -> Any:
        self.state.library = _Part(self.state.targetctx.codegen(), func.__qualname__)
        return super().compile_extra(func)


class FormulaCompiler(Compiler):
    """Compiles what a user has written, by all that Numba knows, for use in callers only."""

    def compile_extra(self, func: Any) -> Any:
        self.state.library = _Part(self.state.targetctx.codegen(), func.__qualname__)
        return super().compile_extra(func)


class _Kernel(JITCodeLibrary):
    """Code whose loops are not unrolled, in releases of Numba that can be told so."""

    counts_references = True

    def _optimize_final_module(self) -> None:
        if not hasattr(llvm, "create_pipeline_tuning_options") or config.OPT < 3:
            super()._optimize_final_module()
            return
        if self.counts_references:
            # What Numba does first, to find those that need not be counted.
            first, builder = self._codegen._module_pass_manager(
                loop_vectorize=False, slp_vectorize=False, opt=0, cost="cheap"
            )
            first.run(self._final_module, builder)
        options = llvm.create_pipeline_tuning_options(speed_level=3)
        options.loop_vectorization = bool(config.LOOP_VECTORIZE)
        options.slp_vectorization = bool(config.SLP_VECTORIZE)
        options.loop_unrolling = False
        builder = llvm.create_pass_builder(self._codegen._tm, options)
        builder.getModulePassManager().run(self._final_module, builder)


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
