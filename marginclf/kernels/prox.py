"""The proximal operator of a loss, by address: the step of coordinate ascent in the dual.

    u = prox_κφ(v) solves u + κ φ'(u) = v, and a = (u − v)/κ is then −φ'(u).

The left side rises with slope at least 1 for a convex loss, so Newton's method within a bracket finds u from ``point``
alone; a loss with a kink brings a ``prox`` of its own. One call by address a row, as in :mod:`kernels.block`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from .block import c_function

_Doubles = types.CPointer(types.float64)
_Vector = types.Array(types.float64, 1, "C")
_SIGNATURE = types.void(_Doubles, _Doubles, types.float64, types.float64, types.float64)

_STEPS = 60
_ACCURACY = 1e-3
"""Of the residual at the start: the row is visited again, and by then the others have moved."""


def _smooth_template(parameters, out, v, kappa, start):
    result, loss = carray(out, (2,)), build(carray(parameters, (COUNT,)))  # noqa: F821
    u = start
    _, slope, curvature = point(loss, u)  # noqa: F821
    residual = u + kappa * slope - v
    if not abs(residual) < math.inf:
        # The loss overflows at the first guess; at zero no loss does.
        u = 0.0
        _, slope, curvature = point(loss, u)  # noqa: F821
        residual = kappa * slope - v
    enough = _ACCURACY * abs(residual)
    low, high = -math.inf, math.inf
    for _ in range(_STEPS):
        if abs(residual) <= enough:
            break
        if residual > 0.0:
            high = u
        else:
            low = u
        proposal = u - residual / (1.0 + kappa * curvature)
        if not low < proposal < high:
            # v itself is a bound, as u − v has the sign of −φ'.
            proposal = v if low < v < high else 0.5 * (low + high)
        if proposal == u or not abs(proposal) < math.inf:
            break
        u = proposal
        _, slope, curvature = point(loss, u)  # noqa: F821
        residual = u + kappa * slope - v
    result[0] = u
    result[1] = -slope


def _kinked_template(parameters, out, v, kappa, start):
    result, loss = carray(out, (2,)), build(carray(parameters, (COUNT,)))  # noqa: F821
    u = prox(loss, v, kappa) if kappa > 0.0 else v  # noqa: F821
    # Away from a kink (u − v)/κ is −φ'(u), which has more digits; at a kink it lies between the slopes on both sides.
    step = abs(u) * 2.0**-52 + 1e-300
    _, left, _ = point(loss, u - step)  # noqa: F821
    _, right, _ = point(loss, u + step)  # noqa: F821
    a = (u - v) / kappa if kappa > 0.0 else -right
    result[0] = u
    result[1] = min(max(a, -right), -left)


def compile_prox(point: Callable, prox: Callable | None, names: tuple[str, ...], **options: Any) -> Any:
    """Compile the proximal step of a loss to a C function of (parameters, out, v, κ, first guess of u).

    It leaves u and a in ``out``. The arguments are those of :func:`block.compile_block`, and ``prox``: a function
    ``prox(self, v, kappa)`` that returns u, or None.
    """
    template = _smooth_template if prox is None else _kinked_template
    formulas = {"point": point} | ({} if prox is None else {"prox": prox})
    return c_function(
        template, _SIGNATURE, "prox_step", formulas, names, math=math, _STEPS=_STEPS, _ACCURACY=_ACCURACY, **options
    )  # fmt: skip


@intrinsic
def apply_prox(typingctx, address, parameters, out, v, kappa, start):
    """Call the proximal step at ``address``: u and a to the two entries of ``out``."""

    def codegen(context, builder, signature, args):
        double = ir.DoubleType()
        kind = ir.FunctionType(ir.VoidType(), [double.as_pointer()] * 2 + [double] * 3)
        pointers = [context.make_array(_Vector)(context, builder, a).data for a in args[1:3]]
        builder.call(builder.inttoptr(args[0], kind.as_pointer()), [*pointers, *args[3:]])
        return context.get_dummy_value()

    return types.void(types.intp, _Vector, _Vector, types.float64, types.float64, types.float64), codegen
