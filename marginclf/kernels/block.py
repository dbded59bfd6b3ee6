"""How a loss meets the kernels: one call for a block of rows, by address.

A loss is written once, as ``point(self, m)``. Here it becomes a C function over a block of rows, and the passes
over the rows call it through its address: they are compiled once for all losses, and a loss compiles by itself.
Passing it as a first-class function instead would unbox it at every call; specialising every pass on the loss
would compile every pass for every loss.
"""

from __future__ import annotations

import types as python_types
from collections import namedtuple
from collections.abc import Callable
from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.core.ccallback import CFunc
from numba.core.sigutils import normalize_signature
from numba.extending import intrinsic

from .cache import TolerantCache, inner
from .formula import FORMULA_OPTIONS, compiled_formula
from .pipeline import CFunctionCompiler
from .view import c_view

BLOCK_ROWS = 256
"""Largest number of rows a block function is given: five vectors of them stay in the first-level cache."""

_Doubles = types.CPointer(types.float64)
_Vector = types.Array(types.float64, 1, "C")
_SIGNATURE = types.void(*[_Doubles] * 6, types.intp)

MOST_PARAMETERS = 4


def _template(parameters, decisions, signed_weights, values, slopes, curvatures, n):
    # The names below come from the globals that compile_block binds this code to.
    z, v = c_view(decisions, (n,)), c_view(signed_weights, (n,))
    f, s, c = c_view(values, (n,)), c_view(slopes, (n,)), c_view(curvatures, (n,))
    loss = build(c_view(parameters, (COUNT,)))  # noqa: F821
    for i in range(n):
        vi, weight = v[i], abs(v[i])
        value, slope, curvature = point(loss, -z[i] if vi < 0.0 else z[i])  # noqa: F821
        value, slope, curvature = weight * value, vi * slope, weight * curvature
        # A row of weight 0 is a row that is not there, even where its loss overflows.
        f[i] = value if weight > 0.0 else 0.0
        s[i] = slope if weight > 0.0 else 0.0
        c[i] = curvature if weight > 0.0 else 0.0


def parameter_builder(names: tuple[str, ...], owner: str) -> Callable:
    """A function that makes, from the vector of parameters, an object with the parameters as attributes."""
    if len(names) > MOST_PARAMETERS:
        raise TypeError(
            f"{owner} has {len(names)} parameters ({', '.join(names)}); a loss can have at most {MOST_PARAMETERS}"
        )
    parameters = namedtuple(f"{owner.rpartition('.')[2]}Parameters", names or ("nothing",))
    build: Callable = {
        0: lambda p: parameters(0.0),
        1: lambda p: parameters(p[0]),
        2: lambda p: parameters(p[0], p[1]),
        3: lambda p: parameters(p[0], p[1], p[2]),
        4: lambda p: parameters(p[0], p[1], p[2], p[3]),
    }[len(names)]
    return build


def compile_block(point: Callable, names: tuple[str, ...], **options: Any) -> Any:
    """Compile ``point`` to a C function over a block of rows.

    Called with decision values z and v = C·s·y, it leaves C s φ(y z), C s y φ'(y z) and C s φ''(y z): label and weight
    are applied where the loss is, in one loop over registers.

    Parameters
    ----------
    point : function
        ``point(self, m)`` returns value, slope and curvature at margin m; ``self`` has the parameters as attributes
        and nothing else.
    names : tuple of str
        The names of the parameters, in the order in which their values are passed.
    **options : dict
        How :func:`c_function` names and keeps the compiled code.

    Returns
    -------
    numba.core.ccallback.CFunc
        Its ``address`` is what kernels receive; it must be kept alive as long as the address is in use.
    """
    return c_function(_template, _SIGNATURE, "block", {"point": point}, names, **options)


def c_function(
    template: Callable,
    signature: Any,
    name: str,
    formulas: dict[str, Callable],
    names: tuple[str, ...],
    *,
    owner: str,
    on_disk: bool,
    digest: str = "",
    **others: Any,
) -> Any:
    """Compile a template with formulas of a loss and other values bound to the names that it uses.

    Parameters
    ----------
    template : function
    signature : Numba signature
    name : str
        What a class has from this template, in the name of the cache entry.
    formulas : dict of functions
    names : tuple of str
        Those of the parameters, as for :func:`compile_block`.
    owner : str
        Qualified name of the class.
    on_disk : bool
        Whether the compiled code is kept on disk.
    digest : str
        The formulas' :func:`~.fingerprint.fingerprint`, where they are known by it and not by their class and file.
    **others : any
        Further names that the template uses.
    """
    formula = next(iter(formulas.values()))
    namespace = {
        "c_view": c_view,
        "COUNT": len(names),
        "build": inner()(parameter_builder(names, owner)),
        **{key: compiled_formula(value) for key, value in formulas.items()},
        **others,
    }
    # One qualified name is one set of cache entries, and of symbols where what several processes have compiled is
    # loaded into one: it must tell formulas apart.
    if digest:
        # There may be no file of the loss, and the digest says what it would say: the cache lies with the kernels.
        code, module, qualified = template.__code__, template.__module__, f"formula.{name}.{digest[:24]}"
    else:
        # The cache lies with the file of the loss and watches it. Numba reads the source of what it stores: the line of
        # the template would be anywhere in that file, and Python 3.13 raises where it is in the middle of a text.
        place = formula.__code__
        code = template.__code__.replace(co_filename=place.co_filename, co_firstlineno=place.co_firstlineno)
        module, qualified = formula.__module__, f"{owner}.{name}"
    function = python_types.FunctionType(code, namespace, name)
    function.__module__, function.__qualname__ = module, qualified
    compiled = CFunc(function, normalize_signature(signature), {}, FORMULA_OPTIONS | {"_nrt": False}, CFunctionCompiler)
    if on_disk:
        compiled._cache = TolerantCache(function, digest)
    compiled.compile()
    return compiled


@intrinsic
def apply_block(typingctx, address, parameters, decisions, v, values, slopes, curvatures, n):
    """Call the block function at ``address`` on the first ``n`` entries of five contiguous float64 vectors."""

    def codegen(context, builder, signature, args):
        double = ir.DoubleType().as_pointer()
        kind = ir.FunctionType(ir.VoidType(), [double] * 6 + [cgutils.intp_t])
        pointers = [context.make_array(_Vector)(context, builder, a).data for a in args[1:7]]
        builder.call(builder.inttoptr(args[0], kind.as_pointer()), [*pointers, args[7]])
        return context.get_dummy_value()

    return types.void(types.intp, *[_Vector] * 6, types.intp), codegen


def scratch(chunks: int = 1, block_rows: int = BLOCK_ROWS) -> np.ndarray:
    """Work space for the passes: decision values, values, slopes, curvatures of one block, for each chunk of rows."""
    return np.empty((chunks, 4, max(BLOCK_ROWS, block_rows)))
