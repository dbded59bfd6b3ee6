"""Arrays over memory that a pointer leads to, as Numba's ``carray`` and ``farray``, which compile ten times as long.

They count no references: what they show is kept alive by the caller. So kernels compile without such counts.
"""

from __future__ import annotations

from typing import Any

from numba import types
from numba.core import cgutils
from numba.extending import intrinsic
from numba.np.arrayobj import populate_array


def _view(layout: str) -> Any:
    @intrinsic
    def view(typingctx, pointer, shape):
        array_type = types.Array(pointer.dtype, len(shape), layout)

        def codegen(context, builder, signature, args):
            item = cgutils.intp_t(context.get_abi_sizeof(context.get_data_type(pointer.dtype)))
            lengths = cgutils.unpack_tuple(builder, args[1])
            strides = [item]
            for length in lengths[:-1] if layout == "F" else lengths[:0:-1]:
                strides.append(builder.mul(strides[-1], length))
            array = context.make_array(array_type)(context, builder)
            strides = strides if layout == "F" else strides[::-1]
            populate_array(array, data=args[0], shape=lengths, strides=strides, itemsize=item, meminfo=None)
            return array._getvalue()

        return array_type(pointer, types.UniTuple(types.intp, len(shape))), codegen

    return view


c_view = _view("C")
f_view = _view("F")
