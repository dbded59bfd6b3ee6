"""Rows in a NumPy array, in C or Fortran order."""

from __future__ import annotations

import numpy as np

from .base import DesignMatrix, read_only


class DenseMatrix(DesignMatrix):
    """A dense design matrix; the array is used as it is unless it is strided or misaligned."""

    def __init__(self, X: np.ndarray, n_jobs: int) -> None:
        usable = X.flags.aligned and (X.flags.c_contiguous or X.flags.f_contiguous)
        # np.array, not ascontiguousarray: that one would keep a misaligned array.
        self._X = read_only(X if usable else np.array(X, order="C"))
        # A single column is both C and Fortran contiguous, and Numba calls it C; so does a single row.
        super().__init__(self._X, X.shape, X.size, n_jobs)

    def copy_rows(self, part: slice, out: np.ndarray) -> None:
        out[...] = self._X[part]
