"""The inverse of a loss's slope on a block, by address: the margin m with −φ'(m) = a, and its derivative in a.

It is what primal-dual Newton steps know a loss by (:mod:`marginclf.kernels.primal_dual`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from .block import c_function

_Doubles = types.CPointer(types.float64)
_Vector = types.Array(types.float64, 1, "C")
_SIGNATURE = types.void(*[_Doubles] * 4, types.intp)


def _template(parameters, slopes, margins, derivatives, n):
    # The names below come from the globals that compile_inverse binds this code to.
    a, m, dm = carray(slopes, (n,)), carray(margins, (n,)), carray(derivatives, (n,))  # noqa: F821
    loss = build(carray(parameters, (COUNT,)))  # noqa: F821
    for i in range(n):
        m[i], dm[i] = inverse(loss, a[i])  # noqa: F821


def compile_inverse(inverse: Callable, names: tuple[str, ...], **options: Any) -> Any:
    """Compile ``inverse_slope`` of a loss to a C function of (parameters, a, m, dm/da, n).

    The arguments are those of :func:`block.compile_block`, with the function ``inverse_slope(self, a)``.
    """
    formulas = {"inverse": inverse}
    return c_function(_template, _SIGNATURE, "inverse_block", formulas, names, **options)


@intrinsic
def apply_inverse(typingctx, address, parameters, a, m, dm, n):
    """Call the inverse at ``address`` on the first ``n`` entries of contiguous float64 vectors."""

    def codegen(context, builder, signature, args):
        double = ir.DoubleType().as_pointer()
        kind = ir.FunctionType(ir.VoidType(), [double] * 4 + [cgutils.intp_t])
        pointers = [context.make_array(_Vector)(context, builder, a).data for a in args[1:5]]
        builder.call(builder.inttoptr(args[0], kind.as_pointer()), [*pointers, args[5]])
        return context.get_dummy_value()

    return types.void(types.intp, *[_Vector] * 4, types.intp), codegen
