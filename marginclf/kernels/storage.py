"""How the rows of a storage meet the passes: one call for a block of rows, by address.

A storage is one file beside this one. It says how its arrays become rows, and has a plain function for what the passes
ask of a block of rows. Each becomes a C function, and the passes over the rows call it through its address: they are
compiled once for all storages, and of a storage only what is used.

A storage has to have

    forward(rows, start, n, w, b, z, ahead)       z[i] = x_(start+i) · w + b for i < n
    backward(rows, start, n, r, g, ahead)         g += Σ_i r[i] x_(start+i)
    squares(rows, start, n, r, g)                 g += Σ_i r[i] x_(start+i)², elementwise
    copy(rows, start, n, centre, out)             out[j, i] = x_(start+i, j) − centre_j

and, where it can do better for K columns of coefficients than one after the other,

    forward_all(rows, start, n, w, b, z, work)    z[k, i] = x_(start+i) · w_k + b_k
    backward_all(rows, start, n, r, g, work)      g_k += Σ_i r[k, i] x_(start+i)
    squares_all(rows, start, n, r, g, work)       g_k += Σ_i r[k, i] x_(start+i)²

with w and g of shape (K, d), or, if it is ``by_column``, which needs all three, of shape (d, P) with P the next
multiple of ``LANES`` from K on: w is zero beyond K, and g has to stay so. Of each row of z and r the first n are used.
``ahead`` is how many rows further on memory is asked for rows, 0 for nothing. ``work`` points to :func:`work_rows`
vectors over the block, of any content; no function may allocate, for nobody would hear of a failure.
"""

from __future__ import annotations

import types as python_types
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from llvmlite import ir
from numba import from_dtype, types
from numba.core import cgutils
from numba.core.ccallback import CFunc
from numba.core.errors import TypingError
from numba.core.sigutils import normalize_signature
from numba.extending import intrinsic

from .block import BLOCK_ROWS
from .cache import TolerantCache, inner
from .pipeline import CFunctionCompiler
from .view import c_view

LANES = 4
"""Classes that one vector instruction serves."""

NARROW = 32
"""Columns up to which a storage may want a block of its rows in the work space."""

# Reassociation lets sums run in vector lanes. It is safe here: no elementary function is called from a storage.
OPTIONS = {"fastmath": {"contract", "reassoc", "nsz"}, "error_model": "numpy", "_nrt": False}


class Storage(NamedTuple):
    """What a file of a storage says of it.

    Attributes
    ----------
    name : str
        Tells its compiled functions from those of others.
    view : function
        ``view(data, indices, indptr, n, d)`` makes of three pointers and the shape what the functions take as rows. It
        gets no parameters: one that has some closes over them, and they have to be in the name.
    functions : dict of str to function
        The functions above, by their names.
    by_column : bool
        Whether its functions for K columns of coefficients take (d, P).
    """

    name: str
    view: Callable
    functions: dict[str, Callable]
    by_column: bool = False


class StoredRows:
    """The arrays of a matrix with the functions of its storage, of which those that are asked for are compiled.

    Parameters
    ----------
    storage : Storage
        What the arrays are.
    arrays : tuple of ndarray
        At most three: the data; the indices and where rows or columns start, unsigned, where there are any. They are
        kept alive.
    shape : tuple of int
        Rows n and columns d.
    """

    def __init__(self, storage: Storage, arrays: tuple[np.ndarray, ...], shape: tuple[int, int]) -> None:
        self.storage, self.arrays, self.shape = storage, arrays, shape
        self._bound: dict[str, np.ndarray] = {}

    def __getitem__(self, name: str) -> np.ndarray:
        """A function of the storage for these arrays, as :func:`call_storage` takes it while this object lives.

        For K columns, those that end in ``_all`` take W as the storage reads it best, those in ``_each`` (K, d).
        """
        found = self._bound.get(name)
        if found is None:
            addresses = [a.__array_interface__["data"][0] for a in self.arrays]
            function = _compiled(self.storage, name, tuple(a.dtype for a in self.arrays))
            found = np.array([function.address, *addresses, *[0] * (3 - len(addresses)), *self.shape], dtype=np.uint64)
            self._bound[name] = found
        return found


def work_rows(n_classes: int) -> int:
    """Vectors over a block of rows that functions for several columns of coefficients need as work space."""
    return max(NARROW, -(-(n_classes + LANES) // BLOCK_ROWS))


_functions: dict[tuple, Any] = {}


def _compiled(storage: Storage, name: str, kinds: tuple[np.dtype, ...]) -> Any:
    """The C function, which lives as long as the process: its address may be in use anywhere."""
    operation, _, form = name.partition("_")
    if form:
        together = f"{operation}_all" in storage.functions and (form == "all" or not storage.by_column)
        name = f"{operation}_all" if together else f"{operation}_each"
    key = storage.name, name, kinds
    if key not in _functions:
        # Of two threads that compile it at once, one is the first, and both use what that one has made.
        _functions.setdefault(key, _compile(storage, name, kinds))
    return _functions[key]


def _compile(storage: Storage, name: str, kinds: tuple[np.dtype, ...]) -> Any:
    template = _TEMPLATES[name]
    namespace = {
        "c_view": c_view,
        "operation": inner(forceinline=True, **OPTIONS)(storage.functions[name.removesuffix("_each")]),
        "view": inner(forceinline=True, **OPTIONS | {"_nrt": True})(storage.view),
        "BY_COLUMN": storage.by_column,
    }
    function = python_types.FunctionType(template.__code__, namespace, name)
    # One qualified name is one set of cache entries: it must tell storages apart.
    function.__qualname__ = f"{storage.name}.{name}"
    function.__module__ = __name__
    # What a storage does not have is a pointer to nothing, of any type.
    pointers = [types.CPointer(from_dtype(kind)) for kind in (*kinds, *[np.dtype(np.uint32)] * (3 - len(kinds)))]
    compiled = CFunc(function, normalize_signature(types.void(*pointers, *_ARGUMENTS)), {}, OPTIONS, CFunctionCompiler)
    compiled._cache = TolerantCache(function)
    compiled.compile()
    return compiled


_Doubles = types.CPointer(types.float64)
_ARGUMENTS = (
    *[types.intp] * 5,  # n and d; where the block starts and its rows; K
    *[_Doubles, types.intp] * 2,  # what is read and what is written, each with the length of its last axis
    *[_Doubles] * 2,  # the intercepts; work space
    types.intp,  # rows ahead
)


@intrinsic
def call_storage(typingctx, function, start, n, n_columns, source, target, intercepts, work, ahead):
    """Call a function of a storage on rows ``start`` to ``start + n``.

    ``source`` is what it reads beside the rows, W or r, and ``target`` what it writes, z or g: contiguous arrays of
    float64. ``intercepts`` is an array, or one number; ``work`` an array.
    """
    scalar = isinstance(intercepts, types.Float)
    for array in (source, target, work, *[intercepts] * (not scalar)):
        if not (isinstance(array, types.Array) and array.layout == "C" and array.dtype == types.float64):
            raise TypingError(f"a storage is given contiguous arrays of float64, not {array}")

    def codegen(context, builder, signature, args):
        def array(k):
            found = context.make_array(signature.args[k])(context, builder, args[k])
            return found.data, cgutils.unpack_tuple(builder, found.shape)[-1]

        double, byte, size = ir.DoubleType().as_pointer(), ir.IntType(8).as_pointer(), cgutils.intp_t
        (bound, _), (source, width), (target, length), (work, _) = array(0), array(4), array(5), array(7)
        intercepts = cgutils.alloca_once_value(builder, args[6]) if scalar else array(6)[0]
        at = [builder.load(builder.gep(bound, [size(k)])) for k in range(6)]
        kind = ir.FunctionType(ir.VoidType(), [*[byte] * 3, *[size] * 5, *[double, size] * 2, *[double] * 2, size])
        rows = [*(builder.inttoptr(a, byte) for a in at[1:4]), *at[4:], *args[1:4]]
        vectors = [source, width, target, length, intercepts, work, args[8]]
        builder.call(builder.inttoptr(at[0], kind.as_pointer()), [*rows, *vectors])
        return context.get_dummy_value()

    sizes = [types.intp] * 3
    offsets = types.float64 if scalar else intercepts
    return types.void(function, *sizes, source, target, offsets, work, types.intp), codegen


# The names below come from the globals that _compile binds this code to. Columns of coefficients lie one after the
# other; a block of decision values is (K, B), of which the first n are used.
# ruff: noqa: F821
def _forward(data, indices, indptr, m, d, start, n, k, w, width, z, length, b, work, ahead):
    operation(view(data, indices, indptr, m, d), start, n, c_view(w, (d,)), b[0], c_view(z, (n,)), ahead)


def _backward(data, indices, indptr, m, d, start, n, k, r, length, g, width, b, work, ahead):
    operation(view(data, indices, indptr, m, d), start, n, c_view(r, (n,)), c_view(g, (d,)), ahead)


def _copy(data, indices, indptr, m, d, start, n, k, centre, width, out, length, b, work, ahead):
    operation(view(data, indices, indptr, m, d), start, n, c_view(centre, (d,)), c_view(out, (d, length)))


def _forward_each(data, indices, indptr, m, d, start, n, k, w, width, z, length, b, work, ahead):
    rows, w, z = view(data, indices, indptr, m, d), c_view(w, (k, d)), c_view(z, (k, length))
    for i in range(k):
        operation(rows, start, n, w[i], b[i], z[i], ahead)


def _backward_each(data, indices, indptr, m, d, start, n, k, r, length, g, width, b, work, ahead):
    rows, r, g = view(data, indices, indptr, m, d), c_view(r, (k, length)), c_view(g, (k, d))
    for i in range(k):
        operation(rows, start, n, r[i], g[i], ahead if i == 0 else 0)


def _forward_all(data, indices, indptr, m, d, start, n, k, w, width, z, length, b, work, ahead):
    coefficients = c_view(w, (d if BY_COLUMN else k, width))
    operation(view(data, indices, indptr, m, d), start, n, coefficients, c_view(b, (k,)), c_view(z, (k, length)), work)


def _backward_all(data, indices, indptr, m, d, start, n, k, r, length, g, width, b, work, ahead):
    gradient = c_view(g, (d if BY_COLUMN else k, width))
    operation(view(data, indices, indptr, m, d), start, n, c_view(r, (k, length)), gradient, work)


_TEMPLATES = {
    "forward": _forward,
    "backward": _backward,
    "squares": _backward,
    "copy": _copy,
    "forward_each": _forward_each,
    "backward_each": _backward_each,
    "squares_each": _backward_each,
    "forward_all": _forward_all,
    "backward_all": _backward_all,
    "squares_all": _backward_all,
}
