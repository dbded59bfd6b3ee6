"""Whether the arrays of a sparse matrix fit its shape.

Neither SciPy's conversions nor the kernels look at an index before they use it: one that points outside of the matrix
is written outside of their arrays. SciPy looks when a matrix is made, but anybody may change its arrays afterwards.
"""

from __future__ import annotations

from typing import Any

import numpy as np

_UNSIGNED: dict[Any, Any] = {np.dtype(np.int32): np.dtype(np.uint32), np.dtype(np.int64): np.dtype(np.uint64)}
_INDEX_TYPES = tuple(_UNSIGNED)


def check_structure(X: Any, name: str) -> None:
    """Raise ValueError where an index of a sparse matrix points outside of it, or where lengths do not fit.

    Each array is read once, which is little beside what is done with it later.

    Parameters
    ----------
    X : sparse matrix or array
        Of any format of SciPy.
    name : str
        Of the argument, for the message.
    """
    if X.ndim != 2:
        raise ValueError(f"Expected 2D input, got {name} with shape {X.shape}; reshape it to rows and columns")
    fault = _CHECKS[X.format](X)
    if fault:
        raise ValueError(
            f"{name} is a broken sparse matrix of format {X.format}: {fault}. Correct its arrays, or construct it again"
        )


def _compressed(X: Any) -> str:
    """What is wrong with CSR, CSC or BSR; empty where nothing is."""
    major, minor = X.shape[::-1] if X.format == "csc" else X.shape
    lines, places = ("columns", "rows") if X.format == "csc" else ("rows", "columns")
    dimensions = {"data": 1, "indices": 1, "indptr": 1}
    if X.format == "bsr":
        dimensions["data"] = 3
        size = np.shape(X.data)[1:]
        if len(size) == 2 and (0 in size or major % size[0] or minor % size[1]):
            return f"blocks of shape {size} do not make up the shape {X.shape}"
        if len(size) == 2:
            major, minor = major // size[0], minor // size[1]
            lines, places = f"{lines} of blocks", f"{places} of blocks"
    for name, n in dimensions.items():
        array = getattr(X, name)
        if array.ndim != n:
            return f"{name} has {array.ndim} dimensions instead of {n}"
        if name != "data" and array.dtype not in _INDEX_TYPES:
            return f"{name} has dtype {array.dtype} instead of int32 or int64"
    indices, indptr = X.indices, X.indptr
    if len(indices) != len(X.data):
        return f"indices has {len(indices)} entries, data has {len(X.data)}"
    if len(indptr) != major + 1:
        return f"indptr has {len(indptr)} entries, and {major} {lines} need {major + 1}"
    if indptr[0] != 0:
        return f"indptr starts at {indptr[0]} instead of 0"
    falls = indptr[1:] < indptr[:-1]
    if falls.any():
        k = int(falls.argmax())
        return f"indptr decreases from {indptr[k]} to {indptr[k + 1]}, at indptr[{k + 1}]"
    if indptr[-1] > len(indices):
        return f"indptr ends at {indptr[-1]}, beyond the {len(indices)} entries of data and indices"
    return _outside(indices[: indptr[-1]], minor, "indices", places)


def _coordinates(X: Any) -> str:
    """What is wrong with COO."""
    for array in ("row", "col", "data"):
        if np.ndim(getattr(X, array)) != 1:
            return f"{array} has {np.ndim(getattr(X, array))} dimensions instead of 1"
    if not len(X.row) == len(X.col) == len(X.data):
        return f"row has {len(X.row)} entries, col has {len(X.col)}, data has {len(X.data)}"
    for indices, size, name, places in ((X.row, X.shape[0], "row", "rows"), (X.col, X.shape[1], "col", "columns")):
        fault = _outside(indices, size, name, places)
        if fault:
            return fault
    return ""


def _diagonals(X: Any) -> str:
    """What is wrong with DIA; a diagonal outside of the matrix is left out by SciPy."""
    if np.ndim(X.data) != 2 or np.ndim(X.offsets) != 1 or len(X.data) != len(X.offsets):
        return f"data has shape {np.shape(X.data)} and offsets {np.shape(X.offsets)}; they must have the same length"
    if X.offsets.dtype.kind != "i":
        return f"offsets has dtype {X.offsets.dtype} instead of int32 or int64"
    if len(np.unique(X.offsets)) != len(X.offsets):
        return "offsets names a diagonal twice"
    return ""


def _lists(X: Any) -> str:
    """What is wrong with LIL."""
    n, d = X.shape
    if np.shape(X.rows) != (n,) or np.shape(X.data) != (n,):
        return f"rows has shape {np.shape(X.rows)} and data {np.shape(X.data)}, and there are {n} rows"
    for i, (columns, values) in enumerate(zip(X.rows, X.data, strict=True)):
        if len(columns) != len(values):
            return f"rows[{i}] has {len(columns)} entries, data[{i}] has {len(values)}"
        if columns and not 0 <= min(columns) <= max(columns) < d:
            wrong = next(j for j in columns if not 0 <= j < d)
            return f"rows[{i}] names column {wrong}, and there are {d} columns (from 0)"
    return ""


def _keys(X: Any) -> str:
    """What is wrong with DOK."""
    n, d = X.shape
    for i, j in X.keys():  # noqa: SIM118 (a matrix of keys, of which SciPy's older ones are no mappings)
        if not (0 <= i < n and 0 <= j < d):
            return f"it has an entry at {(int(i), int(j))}, outside of its shape {(n, d)}"
    return ""


_CHECKS = {
    "csr": _compressed,
    "csc": _compressed,
    "bsr": _compressed,
    "coo": _coordinates,
    "dia": _diagonals,
    "lil": _lists,
    "dok": _keys,
}


def _outside(indices: np.ndarray, size: int, name: str, places: str) -> str:
    """Which index is not one of 0, …, size − 1."""
    if indices.dtype.kind not in "iu":
        return f"{name} has dtype {indices.dtype} instead of int32 or int64"
    # As unsigned numbers, negative ones are the largest: one pass finds them too.
    unsigned = _UNSIGNED.get(indices.dtype)
    if unsigned is not None and int(indices.view(unsigned).max(initial=0)) < min(size, 1 << (8 * indices.itemsize - 1)):
        return ""
    wrong = (indices < 0) | (indices >= size)
    k = int(wrong.argmax()) if len(wrong) else 0
    if not len(wrong) or not wrong[k]:
        return ""
    return f"{name}[{k}] is {indices[k]}, and there are {size} {places} (from 0)"
