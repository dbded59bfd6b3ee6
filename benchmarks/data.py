"""Data sets: three that scikit-learn bundles, benchopt's, and generators of dense and text-like data.

All are the same on every run. The generated labels follow a logistic model, a few of them flipped, so that classes
overlap as they do in practice: a problem whose classes can be separated is another problem. ``shrink`` divides the
number of rows.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import sparse
from sklearn import datasets
from sklearn.feature_extraction.text import TfidfTransformer
from sklearn.preprocessing import StandardScaler

_STEEPNESS = 4.0  # standard deviation of the true decision values: about 87 % of the labels agree with their sign
_FLIPPED = 0.03
_CORRELATION = 0.9


def bundled(name: str, positive: tuple[int, ...] | None) -> tuple[np.ndarray, np.ndarray]:
    """A data set of scikit-learn, standardised or scaled to [0, 1]; the positive classes against the others, or all."""
    X, target = getattr(datasets, f"load_{name}")(return_X_y=True)
    X = X / 16.0 if name == "digits" else StandardScaler().fit_transform(X)
    return X, target if positive is None else np.where(np.isin(target, positive), 1, -1)


def benchopt(n: int, d: int) -> tuple[np.ndarray, np.ndarray]:
    """The simulated data of benchopt's benchmark_logreg_l2: independent normal columns, labels without noise."""
    rng = np.random.RandomState(42)
    beta = rng.randn(d)
    X = rng.randn(n, d)
    return X, np.sign(X @ beta).astype(int)


def dense(n: int, d: int, *, seed: int, span: float = 1.0, dtype: Any = np.float64) -> tuple[np.ndarray, np.ndarray]:
    """Normal rows, neighbouring columns correlated by 0.9 (AR(1)), column scales log-uniform over ``span``."""
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, d))
    fresh = np.sqrt(1.0 - _CORRELATION**2)
    for j in range(1, d):
        X[:, j] *= fresh
        X[:, j] += _CORRELATION * X[:, j - 1]
    y = _labels(X @ rng.standard_normal(d), rng)
    if span > 1.0:
        X *= rng.permutation(np.geomspace(span**-0.5, span**0.5, d))
    return X.astype(dtype, copy=False), y


def many(n: int, d: int, *, classes: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """The rows of :func:`dense`, with several classes by a softmax model, some labels at random."""
    X, _ = dense(n, d, seed=seed)
    rng = np.random.default_rng(seed + 1)
    return X, _classes(X @ rng.standard_normal((d, classes)), rng)


def images(n: int, *, seed: int, side: int = 28, classes: int = 10) -> tuple[np.ndarray, np.ndarray]:
    """Rows like small grey images: values in [0, 1], smooth, a fifth of them not zero, a margin that is always zero."""
    rng = np.random.default_rng(seed)
    grid = np.arange(side)
    centres = rng.uniform(0.2 * side, 0.8 * side, (60, 2))
    blots = np.exp(-((grid[:, None, None] - centres[:, 0]) ** 2 + (grid[:, None] - centres[:, 1]) ** 2) / 8.0)
    blots[[0, 1, -2, -1]] = blots[:, [0, 1, -2, -1]] = 0.0
    strength = rng.standard_normal((n, 60))
    X = strength @ blots.reshape(side * side, 60).T
    inside = X[:, X.any(axis=0)]
    X -= np.quantile(inside[:1000], 0.73)
    X[:, ~(blots.reshape(side * side, 60).any(axis=1))] = 0.0
    np.clip(X, 0.0, None, out=X)
    X /= X.max()
    return X, _classes(strength @ rng.standard_normal((60, classes)), rng)


def text(n: int, d: int, *, per_row: float, seed: int, classes: int = 2) -> tuple[sparse.csr_matrix, np.ndarray]:
    """Rows like those of a TF-IDF vectoriser: counts, frequencies of columns after Zipf, rows of norm one.

    Column j occurs 1 + c/j times, so that most columns occur in one row only, as in real text; rows have lengths of
    their own. ``per_row`` nonzeros a row are aimed at.
    """
    rng = np.random.default_rng(seed)
    harmonic = float((1.0 / np.arange(1, d + 1)).sum())
    # A few draws of a frequent word fall on the same row and become one entry: 15 % are added for them.
    spare = max(0.0, 1.15 * per_row * n - d) / harmonic
    counts = 1 + np.floor(spare / np.arange(1, d + 1)).astype(np.int64)
    lengths = np.cumsum(rng.lognormal(sigma=0.7, size=n))
    rows = np.searchsorted(lengths, rng.random(int(counts.sum())) * lengths[-1])
    columns = np.repeat(rng.permutation(d), counts)
    X = sparse.coo_matrix((np.ones(len(rows)), (rows, columns)), shape=(n, d)).tocsr()
    X.sum_duplicates()
    documents = np.bincount(X.indices, minlength=d)
    X.data = (1.0 + np.log(X.data)) * (np.log((1.0 + n) / (1.0 + documents)) + 1.0)[X.indices]
    norms = np.sqrt(np.asarray(X.multiply(X).sum(axis=1)).ravel())
    X.data /= np.repeat(np.where(norms > 0.0, norms, 1.0), np.diff(X.indptr))
    if classes == 2:
        return X, _labels(X @ rng.standard_normal(d), rng)
    return X, _classes(X @ rng.standard_normal((d, classes)), rng)


def topics(
    n: int, d: int, *, classes: int, seed: int, median: float = 18.0, sigma: float = 1.3
) -> tuple[sparse.csr_matrix, np.ndarray]:
    """TF-IDF rows of words that a class prefers, mixed with those of another class; some rows are a word or two.

    Rows with the same few words have different classes, so that they contradict each other, as short messages do. Their
    lengths are log-normal.
    """
    rng = np.random.default_rng(seed)
    words = 1.0 / (np.arange(d) + 5.0)
    words /= words.sum()
    preferred = words * np.exp(1.5 * rng.standard_normal((classes, d)) * (rng.random((classes, d)) < 0.3))
    preferred /= preferred.sum(axis=1, keepdims=True)
    cumulated = np.cumsum(preferred[:, rng.permutation(d)], axis=1)
    sizes = rng.uniform(0.5, 1.5, classes)
    y = rng.choice(classes, n, p=sizes / sizes.sum())
    lengths = np.maximum(1, rng.lognormal(np.log(median), sigma, n).astype(int))
    columns = []
    for own, length in zip(y, lengths, strict=True):
        other = rng.integers(classes)
        of_own = rng.binomial(length, rng.beta(3.0, 1.3))
        parts = (own, of_own), (other, length - of_own)
        found = [np.searchsorted(cumulated[topic], rng.random(size)) for topic, size in parts]
        columns.append(np.minimum(np.concatenate(found), d - 1))
    rows = np.repeat(np.arange(n), lengths)
    X = sparse.coo_matrix((np.ones(len(rows)), (rows, np.concatenate(columns))), shape=(n, d)).tocsr()
    X.sum_duplicates()
    X = sparse.csr_matrix(TfidfTransformer(sublinear_tf=True).fit_transform(X))
    X.sort_indices()
    return X, y


def _classes(Z: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """0 … K − 1 from a softmax model of decision values, some of them at random."""
    y = (2.0 * _STEEPNESS * Z / Z.std() + rng.gumbel(size=Z.shape)).argmax(axis=1)
    flipped = rng.random(len(Z)) < _FLIPPED
    return np.where(flipped, rng.integers(Z.shape[1], size=len(Z)), y)


def _labels(z: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """±1 from a logistic model of decision values z, a little unbalanced, some of them flipped."""
    z = _STEEPNESS * (z / z.std() - 0.25)
    y = np.where(rng.random(len(z)) < 1.0 / (1.0 + np.exp(-z)), 1, -1)
    return np.where(rng.random(len(z)) < _FLIPPED, -y, y)
