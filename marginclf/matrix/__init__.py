"""The design matrix: the one object that knows how X is stored, one storage a file."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from scipy import sparse

from .base import DesignMatrix
from .csc import CSCMatrix
from .csr import CSRMatrix
from .dense import DenseMatrix

SPARSE: dict[str, Callable[[Any, int], DesignMatrix]] = {"csr": CSRMatrix, "csc": CSCMatrix}
"""The sparse formats that are used as they are, by their names in SciPy; others are converted to the first."""


def design_matrix(X: Any, n_jobs: int = 1) -> DesignMatrix:
    """The design matrix for validated data.

    Parameters
    ----------
    X : ndarray or sparse matrix or array of shape (n, d)
        float32 or float64; of the formats in ``SPARSE``.
    n_jobs : int, default=1
        Threads that share a pass.
    """
    return SPARSE[X.format](X, n_jobs) if sparse.issparse(X) else DenseMatrix(X, n_jobs)


__all__ = ["SPARSE", "DesignMatrix", "design_matrix"]
