"""Dask collections, validated block by block where the blocks are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from scipy import sparse
from sklearn.utils.multiclass import check_classification_targets

from ..matrix.parts import Part, Parts, sample_size, stratified
from . import validation
from .blocks import (
    blocks_like,
    blocks_of,
    checked_weights,
    chunk_sizes,
    described,
    in_chunk,
    is_collection,
    sound,
    unwrapped,
)
from .lone_class import LoneClass


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
    totals : ndarray of shape (n_classes,)
        Sum of the weights of the rows of each class, without class weights.
    largest : float
        The largest magnitude in X.
    lone : LoneClass or None
        Where one of two classes has no weight.
    """

    parts: Parts
    sample: Part
    classes: np.ndarray
    class_weights: np.ndarray
    totals: np.ndarray
    largest: float
    lone: LoneClass | None = None

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return self.parts.shape


class Summary(NamedTuple):
    """What is asked of each block first: its rows, how many have weight, labels, what these weigh, and a sample."""

    rows: int
    weighted: int
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
    X = unwrapped(X)
    d = described(estimator, X, reset=True)
    blocks = blocks_of(X, "X")
    sizes = chunk_sizes(X)
    labels = blocks_like(y, sizes, len(blocks), "y")
    weights = None if sample_weight is None else blocks_like(sample_weight, sizes, len(blocks), "sample_weight")
    known = None if sizes is None else sum(sizes)
    size = sample_size(1 << 62 if known is None else known, d, 2)
    each = -(-size // len(blocks))
    names = getattr(estimator, "feature_names_in_", None)
    cls = _own_class(estimator)
    rows = kept([delayed(_rows, pure=False)(block, k, cls, d, names) for k, block in enumerate(blocks)], large=True)
    nothing: list[None] = [None] * len(blocks)
    given = list(zip(rows, labels, weights or nothing, range(len(blocks)), strict=True))
    summaries: list[Summary] = list(
        computed([delayed(_summary, pure=False)(*of_block, cls, each, seed) for of_block in given])
    )
    n = sum(summary.rows for summary in summaries)
    classes, totals, lone = _classes(summaries, weighted=weights is not None)
    counted = totals if lone is None else lone.weights
    class_weights = validation.weights_of_classes(class_weight, classes, np.arange(len(classes)), counted)
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
        totals,
        max((summary.largest for summary in summaries), default=0.0),
        lone and lone.times(class_weights),
    )


def _own_class(estimator: Any) -> type:
    """The class of marginclf in an estimator: workers may not know one that a user has derived from it."""
    return next(cls for cls in type(estimator).__mro__ if cls.__module__.startswith(f"{__package__}."))


def _rows(block: Any, number: int, cls: type, d: int, names: Any) -> Any:
    """A block as the kernels take it; a block without rows is None."""
    if sparse.issparse(block):
        block = sparse.csr_array(sound(block, number))
    if block.shape[1] != d:
        raise ValueError(f"chunk {number} (counted from 0): X has {block.shape[1]} columns, and {d} are expected")
    if block.shape[0] == 0:
        return None
    try:
        return validation.features(_stub(cls, d, names), block, reset=False)
    except ValueError as error:
        raise in_chunk(number, error) from None


def _stub(cls: type, d: int, names: Any) -> Any:
    """An estimator to validate features against, made where they are."""
    stub: Any = cls()
    stub.n_features_in_ = d
    if names is not None:
        stub.feature_names_in_ = names
    return stub


def _summary(X: Any, given: Any, sample_weight: Any, number: int, cls: type, size: int, seed: int) -> Summary:
    rows = 0 if X is None else X.shape[0]
    weights = None if sample_weight is None else checked_weights(sample_weight, number)
    try:
        y = validation.labels(given)
        check_classification_targets(y) if rows else None
    except ValueError as error:
        raise in_chunk(number, error) from None
    for name, other in (("y", y), ("sample_weight", weights)):
        if other is not None and len(other) != rows:
            raise ValueError(f"chunk {number} (counted from 0): X has {rows} rows, {name} has {len(other)}")
    if not rows:
        return Summary(0, 0, y[:0], np.empty(0), 0.0, None, y[:0], np.empty(0))
    labels, codes = np.unique(y, return_inverse=True)
    totals = np.bincount(codes, weights, minlength=len(labels)).astype(float)
    chosen, scale = stratified(codes, weights, size, seed + number)
    values = X.data if sparse.issparse(X) else X
    largest = max(abs(float(values.max(initial=0.0))), abs(float(values.min(initial=0.0))))
    if not np.isfinite(largest):  # which validation does not look for where scikit-learn is told to assume the contrary
        raise in_chunk(number, validation.unusable_data(_stub(cls, X.shape[1], None), X))
    scale = scale if weights is None else scale * weights[chosen]
    return Summary(
        rows,
        rows if weights is None else int(np.count_nonzero(weights)),
        labels,
        totals,
        largest,
        X[chosen],
        y[chosen],
        scale,
    )


def _classes(summaries: Sequence[Summary], *, weighted: bool) -> tuple[np.ndarray, np.ndarray, LoneClass | None]:
    """The labels of all blocks that have weight, and their weights; and whether one of two has none."""
    found = [summary for summary in summaries if summary.rows]
    if not found:
        raise ValueError("Found array with 0 sample(s): all chunks of X are empty; at least two samples are required")
    kinds = sorted({"text" if isinstance(summary.labels[0], str) else "number" for summary in found})
    if len(kinds) > 1:
        raise ValueError(f"y must have labels of one type, got {' and '.join(kinds)} in different chunks; convert them")
    every = _joined([summary.labels for summary in found])
    check_classification_targets(every)
    classes, codes = np.unique(every, return_inverse=True)
    totals = np.bincount(codes, np.concatenate([summary.totals for summary in found]), minlength=len(classes))
    if not totals.any():
        raise ValueError("sample_weight is zero for every row; give at least two classes a positive weight")
    lone = LoneClass.among(totals, sum(summary.weighted for summary in found))
    if lone is None:
        classes, totals = classes[totals > 0.0], totals[totals > 0.0]
    validation.check_several(classes, weighted=weighted)
    return classes, totals, lone


def _joined(found: Sequence[np.ndarray]) -> np.ndarray:
    """Labels of several blocks; NumPy would make floats of signed and unsigned integers."""
    if len({labels.dtype.kind for labels in found}) == 1:
        return np.concatenate(found)
    return validation.labels([label for labels in found for label in labels.tolist()])


def _codes(given: Any, classes: np.ndarray) -> np.ndarray:
    # Labels of rows without weight may be none of the classes, and then have any code.
    found = np.minimum(np.searchsorted(classes, validation.labels(given).astype(classes.dtype)), len(classes) - 1)
    return found.astype(np.min_scalar_type(len(classes) - 1))


def _sample(summaries: Sequence[Summary], classes: np.ndarray) -> Part:
    found = [summary for summary in summaries if len(summary.sample_labels)]
    samples = [summary.sample for summary in found]
    X: Any = sparse.vstack(samples, format="csr") if sparse.issparse(samples[0]) else np.concatenate(samples)
    labels = _joined([summary.sample_labels for summary in found])
    return Part(X, _codes(labels, classes), np.concatenate([summary.sample_weights for summary in found]))
