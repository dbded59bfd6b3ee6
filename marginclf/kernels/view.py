"""Arrays over memory that a pointer leads to, as Numba's ``carray`` and ``farray``, which compile ten times as long.

They count no references: what they show is kept alive by the caller. So kernels compile without such counts.
"""

from __future__ import annotations

from typing import Any

from numba import types
from numba.core import cgutils
from numba.core.errors import TypingError
from numba.extending import intrinsic


def _filled(array: Any, **fields: Any) -> Any:
    """An array's structure with its fields set."""
    # At import this would cost as much as all of marginclf; where something is compiled, Numba has loaded it.
    from numba.np.arrayobj import populate_array

    populate_array(array, meminfo=None, **fields)
    return array._getvalue()


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
            return _filled(array, data=args[0], shape=lengths, strides=strides, itemsize=item)

        return array_type(pointer, types.UniTuple(types.intp, len(shape))), codegen

    return view


@intrinsic
def part_of(typingctx, array, start, size):
    """``array[start : start + size]`` of a contiguous array, where it has as much: a tenth of what a slice compiles."""
    if not (isinstance(array, types.Array) and array.layout == "C"):
        raise TypingError(f"a part is taken of a contiguous array, not of {array}")

    def codegen(context, builder, signature, args):
        whole = context.make_array(array)(context, builder, args[0])
        found = context.make_array(array)(context, builder)
        shape, at = [args[2], *cgutils.unpack_tuple(builder, whole.shape)[1:]], args[1]
        for length in shape[1:]:
            at = builder.mul(at, length)
        data = builder.gep(whole.data, [at])
        return _filled(found, data=data, shape=shape, strides=whole.strides, itemsize=whole.itemsize)

    return array(array, types.intp, types.intp), codegen


c_view = _view("C")
f_view = _view("F")
