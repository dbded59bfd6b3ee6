"""The ways to store X: the one list that what a storage has to do is tested over. A new storage has an entry here."""

import numpy as np
import pytest
import scipy.sparse as sp


def compressed(container, index=np.int32, dtype=np.float64):
    """What stores X in a container of SciPy with indices and values of these types."""

    def store(X):
        found = container(X.astype(dtype))
        found.indices, found.indptr = found.indices.astype(index), found.indptr.astype(index)
        return found

    return store


STORAGES = {
    "C": np.ascontiguousarray,
    "F": np.asfortranarray,
    "C-float32": lambda X: np.ascontiguousarray(X, dtype=np.float32),
    "F-float32": lambda X: np.asfortranarray(X, dtype=np.float32),
    "csr": compressed(sp.csr_array),
    "csr-int64": compressed(sp.csr_array, index=np.int64),
    "csr-float32": compressed(sp.csr_array, dtype=np.float32),
    "csc": compressed(sp.csc_array),
    "csc-int64": compressed(sp.csc_array, index=np.int64),
    "csc-float32": compressed(sp.csc_array, dtype=np.float32),
}
"""From an array of float64 to X as it is stored. float32 has to hold the values of a test exactly."""

SLOW = ("F-float32", "csr-int64", "csr-float32", "csc-int64", "csc-float32")
"""Each compiles its functions anew, and differs from another in one type only."""


def storages(*, slow=SLOW, more=None):
    """``STORAGES``, and more, for ``parametrize``, of which some are for the slow tests."""
    return [
        pytest.param(store, id=name, marks=[pytest.mark.slow] * (name in slow))
        for name, store in {**STORAGES, **(more or {})}.items()
    ]
