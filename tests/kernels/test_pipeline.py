"""Functions that only kernels call are machine code in their kernels alone; the collector of garbage goes on after."""

import gc

from marginclf.kernels.cache import inner, kernel


@inner(forceinline=True)
def _next(x):
    return x + 1.0


@kernel()
def _over_next(x):
    return _next(_next(x))


def test_what_only_kernels_call_becomes_machine_code_in_them_alone():
    _over_next._cache._failed = True  # an entry of another run would leave nothing to compile
    assert _over_next(1.0) == 3.0
    assert gc.isenabled()
    (part,), (whole,) = _next.overloads.values(), _over_next.overloads.values()
    engine = whole.library._codegen._engine
    assert engine.is_symbol_defined(whole.fndesc.llvm_func_name)
    assert not engine.is_symbol_defined(part.fndesc.llvm_func_name)
