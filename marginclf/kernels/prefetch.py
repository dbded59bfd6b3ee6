"""Asking memory for rows before they are needed.

A fused pass reads a block, and then computes on it while memory stands idle. The hardware fetches ahead only while
data are being read, so the next block is asked for during the arithmetic on this one: narrow dense data are then
passed over in half the time.
"""

from __future__ import annotations

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

_LINE = 64
"""Bytes in a cache line, on nearly every machine; elsewhere a few requests are too many or too few."""


@intrinsic
def prefetch(typingctx, array, first, count):
    """Ask for ``count`` entries from the ``first`` in the order of memory. Past the end it does nothing."""

    def codegen(context, builder, signature, args):
        data = context.make_array(signature.args[0])(context, builder, args[0]).data
        size = context.get_abi_sizeof(data.type.pointee)
        byte = ir.IntType(8).as_pointer()
        flags = [ir.IntType(32)] * 3
        request = builder.module.declare_intrinsic(
            "llvm.prefetch", [byte], ir.FunctionType(ir.VoidType(), [byte, *flags])
        )
        # To be read, and kept close, as data.
        how = [flag(value) for flag, value in zip(flags, (0, 3, 1), strict=True)]
        step = ir.Constant(cgutils.intp_t, _LINE // size)
        with cgutils.for_range_slice(builder, args[1], builder.add(args[1], args[2]), step, cgutils.intp_t) as (i, _):
            builder.call(request, [builder.bitcast(builder.gep(data, [i]), byte), *how])
        return context.get_dummy_value()

    return types.void(array, types.intp, types.intp), codegen
