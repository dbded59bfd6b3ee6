"""Collections of Dask and their blocks: which arguments are some, and what belongs to which block."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import sparse
from sklearn.utils.validation import validate_data

from .columns import column, labels
from .sparse_structure import check_structure


def is_collection(X: Any) -> bool:
    """Whether X is a collection of Dask, or something that wraps one, such as a chunked array of xarray."""
    graph = getattr(X, "__dask_graph__", None)
    # What may wrap one has no graph where it wraps an array. Dask's own always do, and some would build it to answer.
    return callable(graph) and (_is_of_dask(X) or graph() is not None)


def _is_of_dask(X: Any) -> bool:
    return any(of.__module__.partition(".")[0] in ("dask", "dask_expr") for of in type(X).__mro__)


def unwrapped(X: Any) -> Any:
    """The collection of Dask that a chunked array of xarray holds; whatever else as it is."""
    if is_collection(X) and not _is_of_dask(X) and is_collection(getattr(X, "data", None)):
        return X.data
    return X


def described(estimator: Any, X: Any, *, reset: bool) -> int:
    """Columns of a collection; sets or compares ``n_features_in_`` and the names of the features."""
    shape = getattr(X, "shape", None)
    if not isinstance(shape, tuple):
        raise ValueError(
            f"X must have two dimensions, as a dask.array or a dask.dataframe, got {type(X).__name__}; pass the "
            "collection that it holds (such as X.to_dataarray().T.data of an xarray.Dataset), or X.compute()"
        )
    if len(shape) != 2:
        raise ValueError(
            f"X must have two dimensions, got a Dask collection of shape {shape}; for one feature, pass "
            "X.reshape(-1, 1) or a data frame of one column"
        )
    d = X.shape[1]
    if not isinstance(d, int | np.integer):
        raise ValueError("X has an unknown number of columns; name the columns, or give the blocks a known width")
    validate_data(estimator, X._meta if hasattr(X, "columns") else np.empty((0, d)), reset=reset, skip_check_array=True)
    return int(d)


def blocks_of(X: Any, name: str) -> list[Any]:
    """The blocks of rows of a collection, each as one delayed value."""
    if hasattr(X, "numblocks") and len(X.numblocks) == 2 and X.numblocks[1] > 1:
        # Sparse blocks are looked at before they are put together, which uses their indices.
        X = X.map_blocks(_sound_part, dtype=X.dtype, meta=X._meta).rechunk({1: -1})
    if not hasattr(X, "to_delayed"):
        raise ValueError(f"{name} must be a dask.array or a dask.dataframe, got {type(X).__name__}")
    if hasattr(X, "simplify"):
        # Only the columns that are needed are read; and no partitions are fused, which would be other ones for y.
        blocks = X.simplify().to_delayed(optimize_graph=False)
    else:
        blocks = X.to_delayed()
    return np.asarray(blocks, dtype=object).ravel().tolist()


def chunk_sizes(X: Any) -> list[int] | None:
    """Rows of each block of an array; None where they are not known, as of a data frame."""
    chunks = getattr(X, "chunks", None)
    if chunks is None or any(np.isnan(size) for size in chunks[0]):
        return None
    return [int(size) for size in chunks[0]]


def blocks_like(values: Any, sizes: list[int] | None, number: int, name: str) -> list[Any]:
    """The blocks of labels or weights that go with those of X."""
    from ..matrix.dask import delayed

    values = unwrapped(values)
    if is_collection(values):
        others = chunk_sizes(values)
        if sizes is not None and others is not None and others != sizes:
            if sum(others) != sum(sizes):
                raise ValueError(f"{name} has {sum(others)} rows, X has {sum(sizes)}")
            values = values.rechunk({0: tuple(sizes)})
        blocks = blocks_of(values, name)
        if len(blocks) != number:
            raise ValueError(
                f"{name} has {len(blocks)} chunks, X has {number}; take both from one collection (partitions of a data "
                "frame are fused by to_delayed() unless optimize_graph=False), or give both known chunk sizes "
                "(compute_chunk_sizes) so that they can be aligned"
            )
        return blocks
    if sizes is None:
        raise ValueError(
            f"{name} is no Dask collection, and the chunks of X have unknown sizes; pass {name} as a column of the "
            "same collection, or call X.compute_chunk_sizes() first"
        )
    array = labels(values) if name == "y" else column(values, name)
    if array.ndim == 0 or len(array) != sum(sizes):
        raise ValueError(f"{name} has shape {array.shape}, X has {sum(sizes)} rows")
    ends = np.cumsum(sizes)
    return [delayed(array[end - size : end], pure=False) for size, end in zip(sizes, ends, strict=True)]


def in_chunk(number: int, error: ValueError) -> ValueError:
    return ValueError(f"chunk {number} (counted from 0): {error}")


def sound(block: Any, number: int) -> Any:
    """A sparse block whose indices lie inside of it; whatever else as it is."""
    if sparse.issparse(block):
        try:
            check_structure(block, "X")
        except ValueError as error:
            raise in_chunk(number, error) from None
    return block


def _sound_part(block: Any, block_info: Any = None) -> Any:
    return sound(block, block_info[0]["chunk-location"][0] if block_info else 0)


def checked_weights(given: Any, number: int) -> np.ndarray:
    try:
        weights = column(given, "sample_weight")
    except ValueError as error:
        raise in_chunk(number, error) from None
    if weights.dtype.kind not in "biuf" or weights.ndim != 1:
        raise ValueError(
            f"chunk {number} (counted from 0): sample_weight must be a column of numbers, got dtype {weights.dtype} "
            f"and shape {weights.shape}"
        )
    weights = weights.astype(float)
    if not np.isfinite(weights).all():
        raise ValueError(f"chunk {number} (counted from 0): sample_weight contains NaN or infinity")
    if (weights < 0.0).any():
        raise ValueError(
            f"chunk {number} (counted from 0): sample_weight must be at least 0, got {weights.min()}; remove these rows"
        )
    return weights
