"""Some columns of a sparse matrix by rows: copied, and their Gram matrix from the few entries that a row has there.

Indices are unsigned, as in :mod:`csr`.
"""

from __future__ import annotations

import numpy as np

from .cache import kernel


@kernel()
def take_columns(data, indices, indptr, where, values, columns, starts):
    """Copy the columns j with ``where[j]`` ≥ 0, which is what they become.

    Parameters
    ----------
    data, indices, indptr : ndarray
        A matrix by rows.
    where : ndarray of int32 of shape (d,)
        The new number of each column, rising; −1 for those that are left out.
    values, columns, starts : ndarray
        Filled with the copy; the first two have room for one entry more than it has.
    """
    at = np.uint64(0)
    for i in range(indptr.size - 1):
        starts[i] = at
        for p in range(np.uint64(indptr[i]), np.uint64(indptr[i + 1])):
            j = where[indices[p]]
            # Written in any case, and overwritten by the next where it is left out: cheaper than a jump.
            columns[at] = j
            values[at] = data[p]
            at += np.uint64(j >= 0)
    starts[indptr.size - 1] = at


@kernel(fastmath={"contract", "nsz"})
def sparse_gram(data, indices, indptr, c, gram):
    """Add Σ_i c_i x_i x_iᵀ to the lower half of ``gram``, for columns that rise within each row."""
    for i in range(indptr.size - 1):
        if c[i] == 0.0:
            continue
        first = np.uint64(indptr[i])
        for p in range(first, np.uint64(indptr[i + 1])):
            x = c[i] * data[p]
            row = gram[indices[p]]
            for q in range(first, p + np.uint64(1)):
                row[indices[q]] += x * data[q]


@kernel()
def column_sides(data, indices, indptr, v, sides):
    """Add up the parts of Xᵀv of each column above and below zero, as magnitudes.

    Rows with v > 0 come first: where no entry is negative, only one of the two sums of a column is in the cache.

    Parameters
    ----------
    data, indices, indptr : ndarray
        A matrix by rows.
    v : ndarray of shape (n,)
        Weights, with the label in the sign.
    sides : ndarray of float32 of shape (2, d)
        Where they are added.
    """
    above, below = sides[0], sides[1]
    for side in (1.0, -1.0):
        for i in range(indptr.size - 1):
            if v[i] * side > 0.0:
                for p in range(np.uint64(indptr[i]), np.uint64(indptr[i + 1])):
                    x = np.float32(v[i] * data[p])
                    if x > np.float32(0.0):
                        above[indices[p]] += x
                    else:
                        below[indices[p]] -= x
