"""Rows in a NumPy array, in C or Fortran order."""

from __future__ import annotations

import numpy as np

from ..kernels.block import BLOCK_ROWS
from ..kernels.dense import DENSE_C, DENSE_F, DENSE_NARROW
from ..kernels.dense_columns import take_dense_columns
from ..kernels.storage import NARROW, StoredRows
from .base import DesignMatrix
from .blas import add_square, mirrored
from .packed import SweepRows, read_only

_BLOCK_BYTES, _LEAST_ROWS = 1 << 14, 8
"""A block of rows stays in the first-level cache while the next one is fetched beside it; wide rows, in the second."""

_COLUMN_BLOCK_BYTES, _LEAST_COLUMN_PART = 1 << 17, 64
"""A block of columns has to be a run of rows long enough for the hardware; it stays in the second-level cache."""

_WIDE = 1 << 11
"""Columns from which on a block of so few rows is in no cache either, and longer runs are read faster: 200 × 20,000 in
two fifths of the time."""


RUN = 16
"""Rows beside each other that a sample of columns in Fortran order has together: memory is read in such runs."""


class DenseMatrix(DesignMatrix):
    """A dense design matrix; the array is used as it is unless it is strided or misaligned."""

    def __init__(self, X: np.ndarray, n_jobs: int) -> None:
        usable = X.flags.aligned and (X.flags.c_contiguous or X.flags.f_contiguous)
        # np.array, not ascontiguousarray: that one would keep a misaligned array.
        self._X = read_only(X if usable else np.array(X, order="C"))
        by_rows = self._X.flags.c_contiguous
        most, least = (_BLOCK_BYTES, _LEAST_ROWS) if by_rows else (_COLUMN_BLOCK_BYTES, _LEAST_COLUMN_PART)
        if not by_rows and X.shape[1] >= _WIDE:
            least = BLOCK_ROWS
        block_rows = max(least, min(most // (X.itemsize * max(1, X.shape[1])), BLOCK_ROWS)) // 4 * 4
        in_c = DENSE_NARROW if X.shape[1] <= NARROW else DENSE_C
        rows = StoredRows(in_c if by_rows else DENSE_F, (self._X,), X.shape)
        super().__init__(rows, X.size, block_rows, n_jobs)

    def _make_sweep_rows(self, rng: np.random.RandomState, single: bool) -> SweepRows:
        n, d = self.shape
        rows = read_only(np.ascontiguousarray(self._X))
        squares = np.einsum("ij,ij->i", rows, rows, dtype=np.float64)
        return SweepRows(rows, np.arange(n), 1, squares, np.zeros(n), d)

    def row_gram(self, rows: np.ndarray, mean: np.ndarray | None) -> np.ndarray:
        part = self._X[rows].astype(np.float64, order="C")
        if mean is not None:
            part -= mean @ part
        total = np.zeros((len(part), len(part)))
        add_square(total, part.T)
        return mirrored(total)

    def alone(self) -> DesignMatrix:
        other = DenseMatrix(self._X, 1)
        other._sweep_rows = self._sweep_rows
        return other

    def take(self, rows: np.ndarray) -> DesignMatrix:
        # The layout as well: for another one, Numba would compile all passes anew.
        if self._X.flags.c_contiguous:
            return DenseMatrix(self._X[rows], 1)
        starts = rows[::RUN]
        if not len(rows) or len(rows) % RUN or not np.array_equal(rows, (starts[:, None] + np.arange(RUN)).ravel()):
            return DenseMatrix(np.asarray(self._X[rows], order="F"), 1)
        # Runs are copied as a whole.
        runs = np.lib.stride_tricks.sliding_window_view(self._X.T, RUN, axis=1)[:, starts]
        return DenseMatrix(runs.reshape(-1, len(rows)).T, 1)

    def columns(self, which: np.ndarray) -> DesignMatrix:
        if not self._X.flags.c_contiguous:
            return DenseMatrix(self._X.T[which].T, 1)
        out = np.empty((self.shape[0], len(which)), dtype=self._X.dtype)
        take_dense_columns(self._X, which.astype(np.uint32), out)
        return DenseMatrix(out, 1)

    def scaled(self, factor: np.ndarray) -> DesignMatrix:
        return DenseMatrix(np.multiply(self._X, factor, dtype=np.float64), self._n_jobs)

    @property
    def by_columns(self) -> bool:
        """Whether columns lie one after the other."""
        return not self._X.flags.c_contiguous

    def copy_rows(self, part: slice, out: np.ndarray) -> None:
        out[...] = self._X[part]
