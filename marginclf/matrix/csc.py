"""Rows in a compressed sparse column matrix or array of SciPy."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..kernels.block import BLOCK_ROWS
from ..kernels.csc import CSC, copy_rows
from ..kernels.storage import NARROW, StoredRows
from .base import DesignMatrix
from .chunks import Chunks
from .csr import CSRMatrix, canonical, with_data
from .packed import PackedRows, SweepRows

_PART = 1 << 12
"""Entries of a column, on average, for which it pays to look for a part of the column: that is a jump in memory."""

_CHUNK_COLUMNS = _PART // 4
"""A chunk of rows has four entries, or more, for each number of its partial sum: as if a column had so many."""

_MOST_ROWS = 1 << 20

_SLACK = 1e-9
"""What rounding may take off a sum, as a part of it."""

_WORK_NUMBERS = 1 << 20
"""Work space of a pass with many columns of coefficients, unless these are more numbers."""


class CSCMatrix(DesignMatrix):
    """A sparse design matrix by columns; its arrays are used as they are unless entries are duplicate or unsorted.

    Where single rows are visited many times, by coordinate ascent and by conjugate gradients in the space of the rows,
    that is in a copy by rows, which is made when it is first asked for.
    """

    sparse = True

    def __init__(self, X: Any, n_jobs: int) -> None:
        self._X, arrays = canonical(X)
        X = self._X
        self._converted: list[CSRMatrix] = []
        # What the chunks depend on: a block is a whole one, and most often that is all rows.
        self.shape, self.entries, self._n_jobs = X.shape, X.nnz, n_jobs
        block_rows = min(self.chunks(self.shape[1]).rows, _MOST_ROWS)
        super().__init__(StoredRows(CSC, arrays, X.shape), X.nnz, block_rows, n_jobs)

    def chunks(self, width: int) -> Chunks:
        # Fewer than of a storage by rows, for each of them has a part of every column.
        return super().chunks(max(width, _CHUNK_COLUMNS * self.shape[1]))

    def blocks(self, n_columns: int) -> int:
        most = max(_WORK_NUMBERS, n_columns * self.shape[1]) // (3 * n_columns + NARROW)
        return max(BLOCK_ROWS, min(self.block_rows, most))

    def _by_rows(self) -> CSRMatrix:
        if not self._converted:
            self._converted.append(CSRMatrix(self._X.tocsr(), 1))
        return self._converted[0]

    def _make_sweep_rows(self, rng: np.random.RandomState, single: bool) -> SweepRows:
        return self._by_rows()._make_sweep_rows(rng, single)

    def packed(self, rows: np.ndarray, *, single: bool = True) -> PackedRows:
        return self._by_rows().packed(rows, single=single)

    row_gram = CSRMatrix.row_gram

    scipy = CSRMatrix.scipy

    def largest_products(self, v: np.ndarray) -> np.ndarray:
        """As of rows; infinite where there are entries of either sign."""
        if self._X.data.min(initial=0.0) < 0.0:
            return np.full(self.shape[1], np.inf)
        sums = [self.transposed_product(np.maximum(sign * v, 0.0)) for sign in (1.0, -1.0)]
        return (1.0 + _SLACK) * np.maximum(*sums)

    def alone(self) -> DesignMatrix:
        other = CSCMatrix(self._X, 1)
        other._sweep_rows, other._converted = self._sweep_rows, self._converted
        return other

    def take(self, rows: np.ndarray) -> DesignMatrix:
        # By a pass over all entries, which Newton's method can afford for rows that it then passes over many times.
        return CSCMatrix(self._X[rows], 1)

    def columns(self, which: np.ndarray) -> DesignMatrix:
        return CSRMatrix(self._X[:, which].tocsr(), 1)

    def scaled(self, factor: np.ndarray) -> DesignMatrix:
        each = np.repeat(factor, np.diff(self._X.indptr))
        return CSCMatrix(with_data(self._X, self._X.data * each), self._n_jobs)

    def copy_rows(self, part: slice, out: np.ndarray) -> None:
        start, stop, _ = part.indices(self.shape[0])
        found = np.empty((self.shape[1], stop - start))
        copy_rows(self.rows["copy"], start, stop - start, np.zeros(self.shape[1]), found)
        out[...] = found.T
