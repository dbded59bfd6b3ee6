"""The design matrix: the one object that knows how X is stored, one storage a file."""

from __future__ import annotations

from typing import Any

from scipy import sparse

from .base import DesignMatrix
from .csr import CSRMatrix
from .dense import DenseMatrix


def design_matrix(X: Any, n_jobs: int = 1) -> DesignMatrix:
    """The design matrix for validated data.

    Parameters
    ----------
    X : ndarray or CSR matrix or array of shape (n, d)
        float32 or float64.
    n_jobs : int, default=1
        Threads that share a pass.
    """
    return CSRMatrix(X, n_jobs) if sparse.issparse(X) else DenseMatrix(X, n_jobs)


__all__ = ["DesignMatrix", "design_matrix"]
