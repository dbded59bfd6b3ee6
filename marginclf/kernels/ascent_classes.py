"""A sweep of coordinate ascent for many classes against the rest at once, over packed rows.

The step of a row for a class is that of :mod:`marginclf.kernels.ascent`. The coefficients of all classes lie side by
side, so that an entry of X is loaded once for all of them, and each instruction serves several.
"""

from __future__ import annotations

import math
from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from .block import apply_block
from .cache import inner, kernel
from .prox import apply_prox

_OPTIONS = {"fastmath": {"contract", "reassoc", "nsz"}, "forceinline": True}

_PATIENCE, _LONGEST = 2, 3
"""As in :mod:`marginclf.kernels.ascent`."""

_LANES = 4

_ACCURACY = 1e-3
"""As in :mod:`marginclf.kernels.prox`."""

_HUGE = 1e300


def _over_lanes(groups: int, *, add: bool) -> Any:
    """A function of one row's entries and so many times 4 classes, from the class ``lane`` on.

    ``add`` makes it W += x sᵀ, otherwise it is s += Wᵀ x. As instructions of LLVM: it does not see that W and s are
    different memory, and would take class after class.
    """

    def body(typingctx: Any, values: Any, columns: Any, first: Any, last: Any, w: Any, lane: Any, s: Any) -> Any:
        vector, double = ir.VectorType(ir.DoubleType(), _LANES), ir.DoubleType()
        flags = ("contract",)

        def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            arrays = {k: context.make_array(signature.args[k])(context, builder, args[k]) for k in (0, 1, 4, 6)}
            width = cgutils.unpack_tuple(builder, arrays[4].shape)[1]

            def places(array: Any, start: Any) -> list:
                starts = [builder.add(start, cgutils.intp_t(_LANES * g)) for g in range(groups)]
                return [builder.bitcast(builder.gep(array.data, [at]), vector.as_pointer()) for at in starts]

            own = places(arrays[6], args[5])
            sums = [cgutils.alloca_once_value(builder, builder.load(place, align=8)) for place in own]
            with cgutils.for_range_slice(builder, args[2], args[3], cgutils.intp_t(1), inc=True) as (p, _):
                x = builder.load(builder.gep(arrays[0].data, [p]))
                x = x if x.type == double else builder.fpext(x, double)
                undefined, zero = ir.Constant(vector, ir.Undefined), ir.Constant(ir.IntType(32), 0)
                mask = ir.Constant(ir.VectorType(ir.IntType(32), _LANES), None)
                spread = builder.shuffle_vector(builder.insert_element(undefined, x, zero), undefined, mask)
                column = builder.zext(builder.load(builder.gep(arrays[1].data, [p])), cgutils.intp_t)
                for place, total in zip(
                    places(arrays[4], builder.add(builder.mul(column, width), args[5])), sums, strict=True
                ):
                    there, mine = builder.load(place, align=8), builder.load(total)
                    if add:
                        new = builder.fadd(there, builder.fmul(spread, mine, flags=flags), flags=flags)
                        builder.store(new, place, align=8)
                    else:
                        new = builder.fadd(mine, builder.fmul(spread, there, flags=flags), flags=flags)
                        builder.store(new, total)
            if not add:
                for place, total in zip(own, sums, strict=True):
                    builder.store(builder.load(total), place, align=8)
            return context.get_dummy_value()

        return types.void(values, columns, types.intp, types.intp, w, types.intp, s), codegen

    return intrinsic(body)


_dot_16, _dot_4 = _over_lanes(4, add=False), _over_lanes(1, add=False)
_add_16, _add_4 = _over_lanes(4, add=True), _over_lanes(1, add=True)


@inner(**_OPTIONS)
def _dot(rows, i, w, z):
    """z += Wᵀ x_i."""
    values, columns, starts, stops = rows
    lane, first, last = 0, types.intp(starts[i]), types.intp(stops[i])
    while lane + 16 <= z.size:
        _dot_16(values, columns, first, last, w, lane, z)
        lane += 16
    while lane < z.size:
        _dot_4(values, columns, first, last, w, lane, z)
        lane += 4


@inner(**_OPTIONS)
def _add(rows, i, w, step):
    """W += x_i stepᵀ."""
    values, columns, starts, stops = rows
    lane, first, last = 0, types.intp(starts[i]), types.intp(stops[i])
    while lane + 16 <= step.size:
        _add_16(values, columns, first, last, w, lane, step)
        lane += 16
    while lane < step.size:
        _add_4(values, columns, first, last, w, lane, step)
        lane += 4


@inner(**_OPTIONS)
def _smooth_steps(target, stiffness, u, work, address, parameters, prox_address, out):
    """Newton's steps for u + stiffness φ'(u) = target, of all classes together; −φ'(u) to ``new``, u in its place.

    They start from the last u, which is close after a few sweeps; a class that a step leaves behind goes on by itself.
    """
    new, slopes, curvatures, values, ones, first = work[0], work[1], work[2], work[3], work[4], work[5]
    apply_block(address, parameters, u, ones, values, slopes, curvatures, u.size)
    for k in range(u.size):
        first[k] = u[k] + stiffness * slopes[k] - target[k]
        new[k] = u[k] - first[k] / (1.0 + stiffness * curvatures[k])
    apply_block(address, parameters, new, ones, values, slopes, curvatures, u.size)
    behind = 0
    for k in range(u.size):
        left = new[k] + stiffness * slopes[k] - target[k]
        behind += 0 if abs(left) <= _ACCURACY * abs(first[k]) else 1
        values[k] = left
    for k in range(u.size if behind > 0 else 0):
        if not abs(values[k]) <= _ACCURACY * abs(first[k]):
            apply_prox(prox_address, parameters, out, target[k], stiffness, u[k])
            new[k], slopes[k] = out[0], -out[1]
    for k in range(u.size):
        u[k] = new[k]
        new[k] = -slopes[k]


@inner(**_OPTIONS)
def _steps_of_lines(target, stiffness, u, new, lines):
    """The same for a loss of two lines: a is between ``lines[0]`` and ``lines[1]``, and they meet at ``lines[2]``."""
    inverse = 1.0 / stiffness if stiffness > 0.0 else _HUGE
    for k in range(u.size):
        new[k] = min(max((lines[2] - target[k]) * inverse, lines[0]), lines[1])
        u[k] = target[k] + stiffness * new[k]


@kernel(fastmath={"contract", "reassoc", "nsz"})
def sweep_classes(
    rows, order, run, signs, weights, squares, diagonal, a, u, idle, w, b, balance, spring, lines, address,
    prox_address, parameters, n_classes, work, sums,
):  # fmt: skip
    """Visits runs of ``run`` rows in the given order and updates a, u and w of every class.

    ``signs`` are the labels ±1, and 0 from ``n_classes`` up to a multiple of 4; they, a, u and ``idle`` have a row for
    each row of X, and w one for each column. ``weights`` are C s, and ``idle`` counts the visits in succession that
    changed nothing. ``lines`` is empty but for a loss of two lines; ``work`` has ten vectors of classes, the fifth of
    ones. To ``sums``: the gain of each class, about, and last how many steps changed something.
    """
    z, step, target, out = work[6], work[7], work[8], work[9]
    for k in range(sums.size):
        sums[k] = 0.0
    for t in range(order.size):
        for i in range(order[t] * run, min(weights.size, (order[t] + 1) * run)):
            weight = weights[i]
            if weight == 0.0:
                continue
            for k in range(z.size):
                z[k] = 0.0
            _dot(rows, i, w, z)
            stiffness = weight * (squares[i] + spring)
            for k in range(z.size):
                own = weight * diagonal[i] * a[i, k]
                z[k] = signs[i, k] * (z[k] + b[k] + spring * balance[k]) + own
                target[k] = z[k] - stiffness * a[i, k]
            if lines.size > 0:
                _steps_of_lines(target, stiffness, u[i], work[0], lines)
            else:
                _smooth_steps(target, stiffness, u[i], work, address, parameters, prox_address, out)
            new, own_a, own_u, changed = work[0], a[i], u[i], 0
            for k in range(z.size):
                change = new[k] - own_a[k]
                # Where the loss overflows within reach of a row, the others may bring it back.
                new[k] = change if abs(change) < math.inf else 0.0
            for k in range(z.size):
                own_a[k] += new[k]
                step[k] = signs[i, k] * weight * new[k]
                balance[k] += step[k]
                sums[k] += 0.5 * weight * new[k] * (own_u[k] - z[k])
            for k in range(n_classes):
                still = new[k] == 0.0
                idle[i, k] = min(idle[i, k] + 1, _PATIENCE + _LONGEST) if still else 0
                changed += 0 if still else 1
            if changed > 0:
                _add(rows, i, w, step)
                sums[z.size] += changed
