"""Rows in a compressed sparse row matrix or array of SciPy."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..kernels.block import BLOCK_ROWS
from ..kernels.csr import CSR
from ..kernels.storage import StoredRows
from .base import DesignMatrix, read_only
from .packed import PackedRows, SweepRows

_BLOCK_ENTRIES = 1 << 15
"""Half a megabyte at most: the second look at a block finds it in the second-level cache."""

_RUN = 64

_UNSIGNED = {4: np.uint32, 8: np.uint64}


def canonical(X: Any) -> tuple[Any, tuple[np.ndarray, ...]]:
    """X, copied where entries are duplicate or unsorted, and its arrays as the kernels take them."""
    if not X.has_canonical_format:
        X = X.copy()
        X.sum_duplicates()
    indices, indptr = (read_only(a).view(_UNSIGNED[a.itemsize]) for a in (X.indices, X.indptr))
    return X, (read_only(X.data), indices, indptr)


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

    def packed(self, rows: np.ndarray) -> PackedRows:
        return PackedRows(self.rows.arrays, self.shape[1], rows)

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
        return CSRMatrix(self._X[rows], 1)

    def columns(self, which: np.ndarray) -> DesignMatrix:
        return CSRMatrix(self._X[:, which], 1)

    def copy_rows(self, part: slice, out: np.ndarray) -> None:
        out[...] = self._X[part].toarray()
