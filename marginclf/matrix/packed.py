"""Sparse rows rewritten for solvers that go through them many times."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from ..kernels.packed import count_columns, n_buckets, rank_columns, rewrite, row_gram_product

_LEAST, _MOST = 1e-20, 1e30
"""Largest magnitudes for which float32 loses nothing but digits."""


class SweepRows(NamedTuple):
    """Rows as coordinate ascent visits them.

    Attributes
    ----------
    rows : ndarray or tuple of ndarray
        The storage as :mod:`marginclf.kernels.ascent` takes it.
    order : ndarray of int of shape (n,)
        The row of X that each of them is.
    run : int
        How many neighbours are visited in a row.
    squares, diagonal : ndarray of shape (n,)
        ‖x‖² of each, and the part of it that is left out of ``rows``.
    n_columns : int
        Columns of ``rows``.
    """

    rows: Any
    order: np.ndarray
    run: int
    squares: np.ndarray
    diagonal: np.ndarray
    n_columns: int


class PackedRows:
    """Some rows of a CSR matrix in the order of their visits; see :mod:`marginclf.kernels.packed`.

    ``single`` values are kept in float32, unless they are of a size that it does not hold. That is half the traffic,
    and what is lost is a relative 6e-8 of each value, which methods that are finished by exact passes never notice.

    Parameters
    ----------
    rows : tuple of ndarray
        (data, indices, indptr), the indices unsigned.
    n_columns : int
        d.
    order : ndarray of int of shape (m,)
        The rows, in the order in which they are wanted.
    single : bool, default=True
        Whether float32 will do.

    Attributes
    ----------
    values, columns, starts, stops : ndarray
        Row k has the values ``values[starts[k]:stops[k]]`` in the columns of the same places.
    n_kept : int
        Columns that occur in more than one of the rows.
    squares, diagonal : ndarray of shape (m,)
        ‖x‖² of each row, and the part of it that lies in columns that occur in no other.
    """

    def __init__(self, rows: Any, n_columns: int, order: np.ndarray, *, single: bool = True) -> None:
        data, indices, indptr = rows
        m = len(order)
        self._rows, self.order = rows, order
        counts = np.zeros(n_columns, dtype=np.uint32)
        count_columns(indices, indptr, order, counts)
        self._ranks = np.empty(n_columns, dtype=np.uint32)
        self.n_kept = int(rank_columns(counts, np.zeros(n_buckets(), dtype=np.int64), self._ranks))
        ends = np.cumsum((indptr[1:] - indptr[:-1])[order], dtype=np.uint64)
        size = int(ends[-1]) if m else 0
        ends = ends.astype(np.uint32 if size < 1 << 32 else np.uint64)
        self.starts = np.concatenate([np.zeros(1, dtype=ends.dtype), ends[:-1]])
        self.stops = np.empty_like(self.starts)
        largest = float(np.abs(data).max(initial=0.0))
        kind = np.float32 if single and _LEAST <= largest <= _MOST else data.dtype
        self.values, self.columns = np.empty(size, dtype=kind), np.empty(size, dtype=np.uint32)
        self.squares, self.diagonal = np.empty(m), np.empty(m)
        rewrite(
            data, indices, indptr, order, 0, m, self._ranks, self.n_kept,
            self.starts, self.stops, self.values, self.columns, self.squares, self.diagonal,
        )  # fmt: skip
        self._work: np.ndarray | None = None

    def gram_product(self, q: np.ndarray) -> np.ndarray:
        """(X Xᵀ) q over the rows, to the precision of float32 values."""
        if self._work is None:
            self._work = np.empty(self.n_kept)
        t = np.empty_like(q)
        row_gram_product(self.values, self.columns, self.starts, self.stops, self.diagonal, q, self._work, t)
        return t


def read_only(array: np.ndarray) -> np.ndarray:
    """A view that cannot be written to: Numba compiles once for it, wherever the array comes from."""
    view = array.view()
    view.flags.writeable = False
    return view
