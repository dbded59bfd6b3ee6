"""What is predicted for Dask collections: as lazy as what it is made for, and with the same chunks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from .blocks import blocks_like, blocks_of, checked_weights, chunk_sizes, described, in_chunk, unwrapped
from .coefficients import coefficients
from .columns import true_labels


def by_blocks(estimator: Any, X: Any, method: str, width: int | None, dtype: Any) -> Any:
    """What a method predicts for each block, as a lazy array with the same chunks.

    Parameters
    ----------
    estimator : MarginLinearClassifier
        Fitted.
    X : dask.array or dask.dataframe
        Features.
    method : str
        Name of the method.
    width : int or None
        Columns of the result; None for one dimension.
    dtype : dtype
        Of the result.
    """
    import dask.array as da

    from ..matrix.dask import delayed

    X = unwrapped(X)
    light = _light(estimator)
    described(light, X, reset=False)
    blocks = blocks_of(X, "X")
    sizes: Sequence[float] = chunk_sizes(X) or [np.nan] * len(blocks)
    rest = () if width is None else (width,)
    light = delayed(light, pure=False, traverse=False)
    call = delayed(_predicted, pure=False)
    found = [
        da.from_delayed(call(light, block, k, method, rest, dtype), shape=(size, *rest), dtype=dtype)
        for k, (block, size) in enumerate(zip(blocks, sizes, strict=True))
    ]
    return da.concatenate(found, axis=0, allow_unknown_chunksizes=True)


def _light(estimator: Any) -> Any:
    """A copy of what prediction needs, without the history of the fit."""
    light = type(estimator)(**estimator.get_params(deep=False))
    light.coef_, light.intercept_, light.classes_ = coefficients(estimator)
    light.n_features_in_ = light.coef_.shape[1]
    for name in ("loss_", "class_weight_", "feature_names_in_"):
        if hasattr(estimator, name):
            setattr(light, name, getattr(estimator, name))
    return light


def _predicted(estimator: Any, block: Any, number: int, method: str, rest: tuple, dtype: Any) -> np.ndarray:
    if block.shape[0] == 0:
        return np.empty((0, *rest), dtype=dtype)
    try:
        return getattr(estimator, method)(block)
    except ValueError as error:
        raise in_chunk(number, error) from None


def accuracy(estimator: Any, X: Any, y: Any, sample_weight: Any) -> float:
    """The part of the rows whose label is predicted, by weight."""
    from ..matrix.dask import computed, delayed

    X = unwrapped(X)
    light = _light(estimator)
    described(light, X, reset=False)
    blocks, sizes = blocks_of(X, "X"), chunk_sizes(X)
    labels = blocks_like(y, sizes, len(blocks), "y")
    weights = (
        [None] * len(blocks)
        if sample_weight is None
        else blocks_like(sample_weight, sizes, len(blocks), "sample_weight")
    )
    light = delayed(light, pure=False, traverse=False)
    call = delayed(_hits, pure=False)
    found = computed([call(light, *block) for block in zip(blocks, labels, weights, range(len(blocks)), strict=True)])
    hits, total = np.sum(found, axis=0)
    return float(hits / total)


def _hits(estimator: Any, block: Any, y: Any, sample_weight: Any, number: int) -> tuple[float, float]:
    if block.shape[0] == 0:
        return 0.0, 0.0
    predicted = _predicted(estimator, block, number, "predict", (), None)
    try:
        y = true_labels(y, predicted)
    except ValueError as error:
        raise in_chunk(number, error) from None
    if len(y) != len(predicted):
        raise ValueError(f"chunk {number} (counted from 0): X has {len(predicted)} rows, y has {len(y)}")
    weights = np.ones(len(y)) if sample_weight is None else checked_weights(sample_weight, number)
    return float(weights @ (predicted == y)), float(weights.sum())
