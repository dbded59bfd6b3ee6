"""How kernels are written as instructions of LLVM: fewer of them than Numba writes, for what kernels do most.

For one entry of an array Numba writes thirty instructions, for a loop over a range ninety; LLVM's first pass leaves
four of them, and the time to compile goes into writing, reading and removing the others. Here entries and rows of
arrays, their sizes, and loops over ranges whose step is a positive constant are written short, and ``min``, ``max`` and
``int`` of numbers are no functions.

A variable that indexes an array of a kernel must not be negative: it is not counted from the end. A constant may be.
Formulas of losses, which users write, are compiled as by Numba alone.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import Any

from llvmlite import ir as llvm
from numba.core import cgutils, ir, types
from numba.core.compiler_machinery import register_pass
from numba.core.ir_utils import get_definition, guard
from numba.core.lowering import Lower
from numba.core.typed_passes import BaseNativeLowering
from numba.core.typing import Signature, signature

_NUMBERS = types.int64, types.float64


def short_signature(function: Any, args: tuple[Any, ...]) -> Signature | None:
    """The signature of a call that is written here, where Numba would compile a function for it."""
    kinds = [types.unliteral(arg) for arg in args]
    if function in (min, max) and len(kinds) == 2 and kinds[0] == kinds[1] and kinds[0] in _NUMBERS:
        return signature(kinds[0], *kinds)
    if function is int and len(kinds) == 1 and kinds[0] in (*_NUMBERS, types.boolean):
        return signature(types.int64, *kinds)
    return None


class KernelLower(Lower):
    """Numba's writer of instructions, which asks here first."""

    def lower_expr(self, resty: Any, expr: Any) -> Any:
        value = None
        if expr.op == "call":
            value = self._call(resty, expr)
        elif expr.op in ("getitem", "static_getitem"):
            value = self._entry(resty, expr.value, expr.index_var if expr.op == "static_getitem" else expr.index)
        elif expr.op == "getattr":
            value = self._attribute(expr)
        elif expr.op == "getiter":
            value = self._iterator(resty, expr)
        elif expr.op == "iternext":
            value = self._next(resty, expr)
        return super().lower_expr(resty, expr) if value is None else value

    def lower_inst(self, inst: Any) -> Any:
        if isinstance(inst, ir.SetItem | ir.StaticSetItem):
            index = self._index(inst.target, inst.index_var if isinstance(inst, ir.StaticSetItem) else inst.index)
            kind = self.typeof(inst.target.name)
            if index is not None and len(index) == kind.ndim:
                value = self.loadvar(inst.value.name)
                value = self.context.cast(self.builder, value, self.typeof(inst.value.name), kind.dtype)
                at = self._address(inst.target, index)
                self.context.pack_value(self.builder, kind.dtype, value, at, align=None if kind.aligned else 1)
                return None
        return super().lower_inst(inst)

    def _call(self, resty: Any, expr: Any) -> Any:
        """The smaller or larger of two numbers, the second only if it is; a whole number."""
        function = getattr(self.typeof(expr.func.name), "typing_key", None)
        call = self.fndesc.calltypes[expr]
        if expr.kws or expr.vararg or short_signature(function, call.args) is None:
            return None
        args = [
            self.context.cast(self.builder, self.loadvar(arg.name), self.typeof(arg.name), kind)
            for arg, kind in zip(expr.args, call.args, strict=True)
        ]
        if function is int:
            return self.context.cast(self.builder, args[0], call.args[0], resty)
        compare = self.builder.fcmp_ordered if call.return_type == types.float64 else self.builder.icmp_signed
        second = compare("<" if function is min else ">", args[1], args[0])
        return self.context.cast(self.builder, self.builder.select(second, *args[::-1]), call.return_type, resty)

    # Where no references are counted there is nothing to do as a variable ends, or before it takes another value.
    def delvar(self, name: str) -> None:
        if self._is_counted(name):
            super().delvar(name)
            return
        if name not in self._blk_local_varmap:
            self._singly_assigned_vars.discard(name)
        self._alloca_var(name, self.typeof(name))

    def storevar(self, value: Any, name: str, argidx: int | None = None) -> None:
        if name in self._singly_assigned_vars or self._is_counted(name):
            super().storevar(value, name, argidx)
            return
        self._alloca_var(name, self.typeof(name))
        self.builder.store(value, self.getvar(name))

    def _is_counted(self, name: str) -> bool:
        model = self.context.data_model_manager[self.typeof(name)]
        return bool(self.context.enable_nrt and model.contains_nrt_meminfo())

    def _entry(self, resty: Any, array: Any, index_var: Any) -> Any:
        """An entry of an array, or a row."""
        index = self._index(array, index_var)
        if index is None:
            return None
        kind = self.typeof(array.name)
        if len(index) == kind.ndim:
            at, align = self._address(array, index), None if kind.aligned else 1
            value = self.context.unpack_value(self.builder, kind.dtype, at, align=align)
            return self.context.cast(self.builder, value, kind.dtype, resty)
        row = self._row(resty, array, index)
        self.incref(resty, row)
        return row

    def _row(self, resty: Any, array: Any, index: list[Any]) -> Any:
        """The array that is left of one where the first indices are given."""
        field, builder = self._fields(array), self.builder
        shape, strides = field("shape"), field("strides")
        kept = range(len(index), self.typeof(array.name).ndim)
        lengths = [builder.extract_value(shape, k) for k in kept]
        size = lengths[0]
        for length in lengths[1:]:
            size = builder.mul(size, length)
        return self._structure(
            resty,
            meminfo=field("meminfo"),
            parent=field("parent"),
            nitems=size,
            itemsize=field("itemsize"),
            data=self._address(array, index),
            shape=cgutils.pack_array(builder, lengths),
            strides=cgutils.pack_array(builder, [builder.extract_value(strides, k) for k in kept]),
        )

    def _attribute(self, expr: Any) -> Any:
        """The size or the shape of an array."""
        name = {"size": "nitems", "shape": "shape"}.get(expr.attr)
        return self._fields(expr.value)(name) if name and type(self.typeof(expr.value.name)) is types.Array else None

    def _index(self, array: Any, index: Any) -> list[Any] | None:
        """The whole numbers that index an array; None where it is indexed otherwise, or is not in the order of C."""
        kind = self.typeof(array.name)
        # NUMBA_BOUNDSCHECK=1 asks for the long way, which looks.
        if type(kind) is not types.Array or kind.layout == "F" or index is None or self.context.enable_boundscheck:
            return None
        several = isinstance(self.typeof(index.name), types.BaseTuple)
        kinds = tuple(self.typeof(index.name)) if several else (self.typeof(index.name),)
        if not 0 < len(kinds) <= kind.ndim or not all(isinstance(k, types.Integer) for k in kinds):
            return None
        value = self.loadvar(index.name)
        index = []
        for k, of in enumerate(kinds):
            entry = self.builder.extract_value(value, k) if several else value
            entry = self.context.cast(self.builder, entry, of, types.intp)
            if isinstance(of, types.Literal) and of.literal_value < 0:
                entry = self.builder.add(entry, self.builder.extract_value(self._fields(array)("shape"), k))
            index.append(entry)
        return index

    def _address(self, array: Any, index: list[Any]) -> Any:
        """Where an entry, or a row, of an array begins."""
        kind, field, builder = self.typeof(array.name), self._fields(array), self.builder
        if kind.layout == "C":
            at, shape = index[0], field("shape") if kind.ndim > 1 else None
            for k in range(1, kind.ndim):
                at = builder.mul(at, builder.extract_value(shape, k))
                at = builder.add(at, index[k]) if k < len(index) else at
            return builder.gep(field("data"), [at])
        strides = field("strides")
        at = builder.mul(index[0], builder.extract_value(strides, 0))
        for k in range(1, len(index)):
            at = builder.add(at, builder.mul(index[k], builder.extract_value(strides, k)))
        return cgutils.pointer_add(builder, field("data"), at)

    def _fields(self, array: Any) -> Callable[[str], Any]:
        """What is in the structure of an array, without the rest of it."""
        model = self.context.data_model_manager[self.typeof(array.name)]
        if array.name in self._blk_local_varmap:
            whole = self._blk_local_varmap[array.name]
            return lambda name: model.get(self.builder, whole, name)
        variable = self.getvar(array.name)

        def load(name: str) -> Any:
            return self.builder.load(cgutils.gep_inbounds(self.builder, variable, 0, model.get_field_position(name)))

        return load

    @cached_property
    def _iterators_are_known(self) -> bool:
        """Whether each step of a loop shows what made its iterator: both must be written in the same way."""
        steps = [step for block in self.blocks.values() for step in block.find_exprs("iternext")]
        made = [guard(get_definition, self.func_ir, step.value) for step in steps]
        return all(getattr(maker, "op", None) == "getiter" for maker in made)

    def _is_short(self, expr: Any) -> bool:
        """Whether what makes an iterator makes one of a range of intp whose step is a positive constant."""
        if not self._iterators_are_known or self.typeof(expr.value.name) != types.range_state64_type:
            return False
        call = guard(get_definition, self.func_ir, expr.value)
        called = guard(get_definition, self.func_ir, call.func) if getattr(call, "op", None) == "call" else None
        if getattr(called, "value", None) is not range:
            return False
        if len(call.args) < 3:
            return True
        step = getattr(guard(get_definition, self.func_ir, call.args[2]), "value", None)
        return isinstance(step, int) and step > 0

    def _iterator(self, resty: Any, expr: Any) -> Any:
        if not self._is_short(expr):
            return None
        state = self.loadvar(expr.value.name)
        start, stop, step = (self.builder.extract_value(state, k) for k in range(3))
        at = cgutils.alloca_once(self.builder, start.type)
        self.builder.store(start, at)
        return self._structure(resty, iter=at, stop=stop, step=step)

    def _next(self, resty: Any, expr: Any) -> Any:
        if not self._iterators_are_known or not self._is_short(get_definition(self.func_ir, expr.value)):
            return None
        iterator, model = self.loadvar(expr.value.name), self.context.data_model_manager[self.typeof(expr.value.name)]
        at, stop, step = (model.get(self.builder, iterator, name) for name in ("iter", "stop", "step"))
        value = self.builder.load(at)
        more = self.builder.icmp_signed("<", value, stop)
        self.builder.store(self.builder.add(value, step, flags=["nsw"]), at)
        return self._structure(resty, first=value, second=more)

    def _structure(self, of: Any, **fields: Any) -> Any:
        """A value of a type that Numba makes of fields."""
        model = self.context.data_model_manager[of]
        value = llvm.Constant(model.get_value_type(), llvm.Undefined)
        for name, field in fields.items():
            value = model.set(self.builder, value, field, name)
        return value


@register_pass(mutates_CFG=True, analysis_only=False)
class KernelLowering(BaseNativeLowering):
    """Numba's pass from typed code to instructions, by the writer above."""

    _name = "marginclf_kernel_lowering"  # type: ignore[assignment]

    @property
    def lowering_class(self) -> type[Lower]:
        return KernelLower
