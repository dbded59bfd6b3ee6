"""Rows in a compressed sparse row matrix or array of SciPy."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import sparse

from ..kernels.block import BLOCK_ROWS
from ..kernels.csr import CSR
from ..kernels.sparse_columns import column_sides, sparse_gram, take_columns
from ..kernels.storage import StoredRows
from .base import DesignMatrix
from .blas import bordered, rank_two
from .packed import PackedRows, SweepRows, read_only

_BLOCK_ENTRIES = 1 << 15
"""Half a megabyte at most: the second look at a block finds it in the second-level cache."""

_RUN = 64

_FEW = 50.0
"""How many times fewer pairs of entries than of columns make the Gram matrix cheaper entry by entry."""

_UNSIGNED = {4: np.uint32, 8: np.uint64}


def canonical(X: Any) -> tuple[Any, tuple[np.ndarray, ...]]:
    """X, copied where entries are duplicate or unsorted, and its arrays as the kernels take them."""
    if not X.has_canonical_format:
        X = X.copy()
        X.sum_duplicates()
    indices, indptr = (read_only(a).view(_UNSIGNED[a.itemsize]) for a in (X.indices, X.indptr))
    return X, (read_only(X.data), indices, indptr)


def with_data(X: Any, data: np.ndarray) -> Any:
    """X with other entries in the same places, which it shares."""
    found = type(X)((data, X.indices, X.indptr), shape=X.shape)
    found.has_canonical_format = True
    return found


class CSRMatrix(DesignMatrix):
    """A sparse design matrix; its arrays are used as they are unless entries are duplicate or unsorted."""

    sparse = True

    def __init__(self, X: Any, n_jobs: int) -> None:
        self._X, arrays = canonical(X)
        X = self._X
        block_rows = int(np.clip(_BLOCK_ENTRIES // max(1, X.nnz // max(1, X.shape[0])), 16, BLOCK_ROWS))
        super().__init__(StoredRows(CSR, arrays, X.shape), X.nnz, block_rows, n_jobs)

    def _make_sweep_rows(self, rng: np.random.RandomState, single: bool) -> SweepRows:
        # Neighbours of a random order are visited in a row, which memory is good at; the rows converge as fast as if
        # each was drawn by itself (and in one fixed order they would not).
        order = rng.permutation(self.shape[0]).astype(np.uint32 if self.shape[0] < 1 << 32 else np.uint64)
        c = PackedRows(self.rows.arrays, self.shape[1], order, single=single)
        rows = c.values, c.columns, c.starts, c.stops
        return SweepRows(rows, order, _RUN, c.squares, c.diagonal, c.n_kept)

    def packed(self, rows: np.ndarray, *, single: bool = True) -> PackedRows:
        return PackedRows(self.rows.arrays, self.shape[1], rows, single=single)

    def row_gram(self, rows: np.ndarray, mean: np.ndarray | None) -> np.ndarray:
        part = self._X[rows].astype(np.float64, copy=False)
        gram = (part @ part.T).toarray()
        if mean is not None:
            gram -= mean @ gram
            gram -= (gram @ mean)[:, None]
        return gram

    def alone(self) -> DesignMatrix:
        other = CSRMatrix(self._X, 1)
        other._sweep_rows = self._sweep_rows
        return other

    def take(self, rows: np.ndarray) -> DesignMatrix:
        X = self._X[rows]
        X.has_canonical_format = True
        return CSRMatrix(X, 1)

    @property
    def scipy(self) -> Any:
        """The matrix of SciPy."""
        return self._X

    def largest_products(self, v: np.ndarray) -> np.ndarray:
        """A bound on |Σ_i t_i v_i x_i| of each column over all t_i from 0 to 1."""
        # Sums in single precision, of as many terms as a column has entries, fit the cache.
        sides = np.zeros((2, self.shape[1]), dtype=np.float32)
        column_sides(*self.rows.arrays, v, sides)
        single = np.finfo(np.float32)
        terms = self.shape[0] + 2
        return (1.0 + 2.0 * float(single.eps) * terms) * sides.max(axis=0).astype(float) + terms * float(single.tiny)

    def columns(self, which: np.ndarray) -> DesignMatrix:
        data, indices, indptr = self.rows.arrays
        where = np.full(self.shape[1], -1, dtype=np.int32)
        where[which] = np.arange(len(which), dtype=np.int32)
        # Room for all entries: how many there are is dear to count, and what is not written takes no memory.
        values, columns = np.empty(self.entries + 1, dtype=data.dtype), np.empty(self.entries + 1, dtype=np.uint32)
        starts = np.empty(self.shape[0] + 1, dtype=indptr.dtype)
        take_columns(data, indices, indptr, where, values, columns, starts)
        size = int(starts[-1])
        # In place: of a view of much more, SciPy makes a copy.
        values.resize(size, refcheck=False)
        columns.resize(size, refcheck=False)
        kept = values, columns.view(np.int32), starts.view(self._X.indptr.dtype)
        X = sparse.csr_array(kept, shape=(self.shape[0], len(which)))
        X.has_canonical_format = True
        return CSRMatrix(X, 1)

    def scaled(self, factor: np.ndarray) -> DesignMatrix:
        return CSRMatrix(with_data(self._X, self._X.data * factor[self._X.indices]), self._n_jobs)

    @property
    def few_pairs(self) -> bool:  # type: ignore[override]
        """Whether rows have so few entries that a Gram matrix is made of pairs of these."""
        (n, d), entries = self.shape, self.entries
        return _FEW * entries * entries < n * n * d * d

    def gram(self, c: np.ndarray, centre: np.ndarray | None) -> np.ndarray:
        if not self.few_pairs:
            return super().gram(c, centre)
        along = None if centre is None or not centre.any() else self.transposed_product(c)
        return self._gram_of_pairs(c, centre, along)

    def gram_with_intercept(self, c: np.ndarray, centre: np.ndarray) -> np.ndarray:
        if not self.few_pairs:
            return super().gram_with_intercept(c, centre)
        along = self.transposed_product(c)
        return bordered(self._gram_of_pairs(c, centre, along), along, float(c.sum()), centre)

    def _gram_of_pairs(self, c: np.ndarray, centre: np.ndarray | None, along: np.ndarray | None) -> np.ndarray:
        d = self.shape[1]
        lower = np.zeros((d, d))
        sparse_gram(*self.rows.arrays, c, lower)
        if centre is not None and along is not None:
            # Rows with few entries have small means: little of the digits cancels.
            rank_two(lower, centre, along - 0.5 * float(c.sum()) * centre)
        found = lower + lower.T
        found.flat[:: d + 1] *= 0.5
        return found

    def copy_rows(self, part: slice, out: np.ndarray) -> None:
        out[...] = self._X[part].toarray()
