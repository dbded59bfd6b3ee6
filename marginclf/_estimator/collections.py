"""Dask collections, validated block by block where the blocks are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from scipy import sparse
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import validate_data

from ..matrix.parts import Part, Parts, sample_size, stratified
from . import validation
from .sparse_structure import check_structure


def is_collection(X: Any) -> bool:
    """Whether X is a collection of Dask."""
    return callable(getattr(X, "__dask_graph__", None))


class CollectionData(NamedTuple):
    """What :class:`~.validation.Data` is for arrays.

    Attributes
    ----------
    parts : Parts
        The rows.
    sample : Part
        Some of them, whose weights say what they stand for.
    classes, class_weights : ndarray of shape (n_classes,)
        Labels with positive weight, sorted, and their weights.
    total, largest : float
        Sum of the weights of all rows, and the largest magnitude in X.
    """

    parts: Parts
    sample: Part
    classes: np.ndarray
    class_weights: np.ndarray
    total: float
    largest: float

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return self.parts.shape


class Summary(NamedTuple):
    """What is asked of each block first: labels, how many rows and what weight they have, and a sample."""

    rows: int
    labels: np.ndarray
    totals: np.ndarray
    largest: float
    sample: Any
    sample_labels: np.ndarray
    sample_weights: np.ndarray


def training_data(
    estimator: Any, X: Any, y: Any, sample_weight: Any, class_weight: Any, seed: int
) -> validation.Data | CollectionData:
    """Validate the arguments of ``fit``; sets ``n_features_in_`` and ``feature_names_in_`` of the estimator.

    Raises
    ------
    ValueError
        Naming the argument, the value and the remedy, and the chunk of a collection.
    """
    if is_collection(X):
        return _collection_data(estimator, X, y, sample_weight, class_weight, seed)
    for name, values in (("y", y), ("sample_weight", sample_weight)):
        if is_collection(values):
            raise ValueError(f"{name} is a Dask collection and X is not; pass {name}.compute(), or X as a collection")
    return validation.training_data(estimator, X, y, sample_weight, class_weight)


def _collection_data(
    estimator: Any, X: Any, y: Any, sample_weight: Any, class_weight: Any, seed: int
) -> CollectionData:
    from ..matrix.dask import DaskParts, computed, delayed, kept

    if y is None:
        raise ValueError(
            f"{type(estimator).__name__} requires y to be passed, but the target y is None. Pass the class labels."
        )
    d = described(estimator, X, reset=True)
    blocks = blocks_of(X, "X")
    sizes = chunk_sizes(X)
    labels = blocks_like(y, sizes, len(blocks), "y")
    weights = None if sample_weight is None else blocks_like(sample_weight, sizes, len(blocks), "sample_weight")
    known = None if sizes is None else sum(sizes)
    size = sample_size(1 << 62 if known is None else known, d, 2)
    each = -(-size // len(blocks))
    names = getattr(estimator, "feature_names_in_", None)
    rows = kept([delayed(_rows, pure=False)(block, k, d, names) for k, block in enumerate(blocks)], large=True)
    nothing: list[None] = [None] * len(blocks)
    given = list(zip(rows, labels, weights or nothing, range(len(blocks)), strict=True))
    summaries: list[Summary] = list(
        computed([delayed(_summary, pure=False)(*of_block, each, seed) for of_block in given])
    )
    n = sum(summary.rows for summary in summaries)
    classes, totals = _classes(summaries, weighted=weights is not None)
    class_weights = validation.weights_of_classes(class_weight, classes, np.arange(len(classes)), totals)
    validation.check_total(np.array([totals @ class_weights]))
    there = [k for k, summary in enumerate(summaries) if summary.rows]
    encoded = kept([delayed(_codes, pure=False)(labels[k], classes) for k in there])
    checked = None if weights is None else kept([delayed(checked_weights, pure=False)(weights[k], k) for k in there])
    parts = DaskParts([rows[k] for k in there], encoded, checked, (n, d))
    return CollectionData(
        parts,
        _sample(summaries, classes),
        classes,
        class_weights,
        float(totals @ class_weights),
        max((summary.largest for summary in summaries), default=0.0),
    )


def described(estimator: Any, X: Any, *, reset: bool) -> int:
    """Columns of a collection; sets or compares ``n_features_in_`` and the names of the features."""
    if len(getattr(X, "shape", ())) != 2:
        raise ValueError(
            f"X must have two dimensions, got a Dask collection of shape {getattr(X, 'shape', None)}; for one feature, "
            "pass X.reshape(-1, 1) or a data frame of one column"
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
    array = np.asarray(values)
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


def _rows(block: Any, number: int, d: int, names: Any) -> Any:
    """A block as the kernels take it; a block without rows is None."""
    if sparse.issparse(block):
        block = sparse.csr_array(sound(block, number))
    if block.shape[1] != d:
        raise ValueError(f"chunk {number} (counted from 0): X has {block.shape[1]} columns, and {d} are expected")
    if block.shape[0] == 0:
        return None
    try:
        return validation.features(_stub(d, names), block, reset=False)
    except ValueError as error:
        raise in_chunk(number, error) from None


def _stub(d: int, names: Any) -> Any:
    """Something to validate features against, light enough to travel."""
    from .classifier import MarginLinearClassifier

    stub = MarginLinearClassifier()
    stub.n_features_in_ = d
    if names is not None:
        stub.feature_names_in_ = names
    return stub


def flat(labels: Any) -> Any:
    return labels.to_numpy() if hasattr(labels, "to_numpy") else labels


def checked_weights(given: Any, number: int) -> np.ndarray:
    weights = np.asarray(flat(given))
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


def _summary(X: Any, given: Any, sample_weight: Any, number: int, size: int, seed: int) -> Summary:
    rows = 0 if X is None else X.shape[0]
    weights = None if sample_weight is None else checked_weights(sample_weight, number)
    try:
        y = validation.labels(flat(given)) if rows or len(given) else np.asarray(flat(given))
        check_classification_targets(y) if rows else None
    except ValueError as error:
        raise in_chunk(number, error) from None
    for name, other in (("y", y), ("sample_weight", weights)):
        if other is not None and len(other) != rows:
            raise ValueError(f"chunk {number} (counted from 0): X has {rows} rows, {name} has {len(other)}")
    if not rows:
        return Summary(0, y[:0], np.empty(0), 0.0, None, y[:0], np.empty(0))
    labels, codes = np.unique(y, return_inverse=True)
    totals = np.bincount(codes, weights, minlength=len(labels)).astype(float)
    chosen, scale = stratified(codes, weights, size, seed + number)
    values = X.data if sparse.issparse(X) else X
    largest = max(abs(float(values.max(initial=0.0))), abs(float(values.min(initial=0.0))))
    scale = scale if weights is None else scale * weights[chosen]
    return Summary(rows, labels, totals, largest, X[chosen], y[chosen], scale)


def _classes(summaries: Sequence[Summary], *, weighted: bool) -> tuple[np.ndarray, np.ndarray]:
    """The labels of all blocks that have weight, and their weights."""
    found = [summary for summary in summaries if summary.rows]
    if not found:
        raise ValueError("Found array with 0 sample(s): all chunks of X are empty; at least two samples are required")
    kinds = sorted({"text" if isinstance(summary.labels[0], str) else "number" for summary in found})
    if len(kinds) > 1:
        raise ValueError(f"y must have labels of one type, got {' and '.join(kinds)} in different chunks; convert them")
    every = np.concatenate([summary.labels for summary in found])
    check_classification_targets(every)
    classes, codes = np.unique(every, return_inverse=True)
    totals = np.bincount(codes, np.concatenate([summary.totals for summary in found]), minlength=len(classes))
    if not totals.any():
        raise ValueError("sample_weight is zero for every row; give at least two classes a positive weight")
    classes, totals = classes[totals > 0.0], totals[totals > 0.0]
    validation.check_several(classes, weighted=weighted)
    return classes, totals


def _codes(given: Any, classes: np.ndarray) -> np.ndarray:
    # Labels of rows without weight may be none of the classes, and then have any code.
    found = np.minimum(np.searchsorted(classes, validation.labels(flat(given))), len(classes) - 1)
    return found.astype(np.min_scalar_type(len(classes) - 1))


def _sample(summaries: Sequence[Summary], classes: np.ndarray) -> Part:
    found = [summary for summary in summaries if len(summary.sample_labels)]
    samples = [summary.sample for summary in found]
    X: Any = sparse.vstack(samples, format="csr") if sparse.issparse(samples[0]) else np.concatenate(samples)
    labels = np.concatenate([summary.sample_labels for summary in found])
    return Part(X, _codes(labels, classes), np.concatenate([summary.sample_weights for summary in found]))
