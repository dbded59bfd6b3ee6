"""From what a user passes to canonical arrays: rows, classes and weights, each checked once."""

from __future__ import annotations

from numbers import Real
from typing import Any, NamedTuple

import numpy as np
from scipy import sparse
from sklearn import config_context
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import (
    _check_sample_weight,
    _num_samples,
    assert_all_finite,
    check_consistent_length,
    validate_data,
)

from ..matrix import SPARSE
from .columns import column, dateless, labels, not_numbers, unmasked
from .lone_class import LoneClass
from .sparse_structure import check_structure

_LARGE = 1e100

_LARGE_ARRAY = 1 << 20
"""Entries from which on a pass over X takes more time than the rest of the validation."""


class Data(NamedTuple):
    """Validated training data.

    Attributes
    ----------
    X : ndarray or sparse of shape (n, d), of a format that is used as it is
        float32 or float64.
    classes : ndarray of shape (n_classes,)
        The labels that occur with positive weight, sorted.
    codes : ndarray of shape (n,)
        Place of each row's label in classes; rows of weight 0 may have any code. Of the smallest integer type, since
        a byte a row is a hundredth of narrow data, and eight are a tenth.
    weights : ndarray of shape (n,) or None
        Sample weights times class weights; None for ones.
    class_weights : ndarray of shape (n_classes,)
        Those of the classes alone.
    lone : LoneClass or None
        Where one of two classes has no weight.
    """

    X: Any
    classes: np.ndarray
    codes: np.ndarray
    weights: np.ndarray | None
    class_weights: np.ndarray
    lone: LoneClass | None = None

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return self.X.shape


def training_data(estimator: Any, X: Any, y: Any, sample_weight: Any, class_weight: Any) -> Data:
    """Validate the arguments of ``fit``; sets ``n_features_in_`` and ``feature_names_in_`` of the estimator.

    Raises
    ------
    ValueError
        Naming the argument, the value and the remedy.
    """
    if y is None:
        raise ValueError(
            f"{type(estimator).__name__} requires y to be passed, but the target y is None. Pass the class labels."
        )
    X = features(estimator, X, reset=True, finite_later=True)
    y = labels(y)
    check_consistent_length(X, y)
    classes, codes = _two_classes(y) or _many_classes(y)
    weights = lone = None
    if sample_weight is not None:
        weights = _sample_weights(sample_weight, X)
        totals = np.bincount(codes, weights, minlength=len(classes))
        lone = LoneClass.among(totals, int(np.count_nonzero(weights)))
        # A row of weight 0 is a row that is not there, and so is a class that only such rows have.
        present = totals > 0.0
        if lone is None and not present.all():
            classes, codes = classes[present], _compact(np.maximum(np.cumsum(present) - 1, 0))[codes]
    check_several(classes, weighted=sample_weight is not None)
    rows = (codes, weights) if lone is None else (np.arange(2), lone.weights)
    class_weights = weights_of_classes(class_weight, classes, *rows)
    if class_weight is not None:
        factors = class_weights[codes]
        with np.errstate(over="ignore", invalid="ignore"):
            weights = factors if weights is None else weights * factors
    if weights is not None:
        check_total(weights)
    return Data(X, classes, codes, weights, class_weights, lone and lone.times(class_weights))


def check_several(classes: np.ndarray, *, weighted: bool) -> None:
    """Raise ValueError where there is one class only, of those with positive weight."""
    if len(classes) < 2:
        where = ", counting the rows of positive weight" if weighted else ""
        raise ValueError(
            f"y has only one class{where}: {classes.tolist()[0]!r}. A classifier needs samples of at least two classes"
        )


def weights_of_classes(
    class_weight: Any, classes: np.ndarray, codes: np.ndarray, weights: np.ndarray | None
) -> np.ndarray:
    """The weights of the classes alone, of shape (n_classes,); each leaves its class some weight."""
    if class_weight is None:
        return np.ones(len(classes))
    with np.errstate(over="ignore", invalid="ignore"):
        class_weights = np.asarray(_class_weights(class_weight, classes, codes, weights), dtype=float)
        lost = np.bincount(codes, weights, minlength=len(classes)) * class_weights == 0.0
    if lost.any():
        raise ValueError(
            f"class_weight is zero for class {classes[lost].tolist()[0]!r}; remove its rows instead of giving them "
            "no weight"
        )
    return class_weights


def check_total(weights: np.ndarray) -> None:
    """Raise ValueError where the sum of weights overflows."""
    with np.errstate(over="ignore"):
        total = weights.sum()
    if not np.isfinite(total):
        raise ValueError("the total of sample_weight times class_weight overflows; use smaller weights")


def features(estimator: Any, X: Any, *, reset: bool, finite_later: bool = False) -> Any:
    """X as a float32 or float64 array, or sparse; float types are kept as they are, and storages that a fit can use.

    Parameters
    ----------
    estimator : BaseEstimator
        Whose ``n_features_in_`` and ``feature_names_in_`` are set (``reset=True``) or compared.
    X : {array-like, sparse matrix, data frame}
        Features.
    reset : bool
        Whether this is a fit.
    finite_later : bool, default=False
        Whether large arrays need not be searched for NaN and infinity, which all that is computed from them shows;
        see :func:`unusable_data`.
    """
    X = unmasked(X, "X")
    dateless(X)
    if sparse.issparse(X):
        check_structure(X, "X")
    if getattr(getattr(X, "dtype", None), "kind", "") == "c":
        raise ValueError(
            f"Complex data not supported: X has dtype {X.dtype}; pass real and imaginary parts as columns of their own"
        )
    later = finite_later and isinstance(X, np.ndarray) and X.dtype.kind == "f" and X.size >= _LARGE_ARRAY
    kinds = {"accept_sparse": list(SPARSE), "dtype": [np.float64, np.float32]}
    how: dict[str, Any] = {**kinds, "ensure_all_finite": not later}
    try:
        with np.errstate(over="ignore", invalid="ignore"):  # of the sum by which infinity is looked for
            return validate_data(estimator, X, reset=reset, **how)
    except (TypeError, ValueError) as error:
        better = not_numbers(error)
        if better is None:
            raise
        raise better from None


def _two_classes(y: np.ndarray) -> tuple[np.ndarray, np.ndarray] | None:
    """Classes and codes where there are two, by comparing instead of sorting; None where there are more, or fewer."""
    if not len(y):
        return None
    first = y == y[0]
    second = y == y[np.argmin(first)]
    if not isinstance(first, np.ndarray) or (first == second).any():
        return None
    pair = np.array([y[0], y[np.argmin(first)]], dtype=y.dtype)
    if y.dtype.kind not in "biuSU":
        check_classification_targets(pair)
    classes = np.sort(pair)
    return classes, (second if classes[1] == pair[1] else first).view(np.uint8)


def _many_classes(y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    plain = y.dtype.kind in "biuSU"
    if not plain:
        check_classification_targets(y)
    classes, codes = np.unique(y, return_inverse=True)
    if plain and 2 * len(classes) > len(y):
        # It sorts them once more, to say that so many look like numbers to be predicted.
        check_classification_targets(y)
    return classes, _compact(codes)


def _compact(codes: np.ndarray) -> np.ndarray:
    return codes.astype(np.min_scalar_type(int(codes.max(initial=0))))


def _sample_weights(sample_weight: Any, X: Any) -> np.ndarray:
    # Signs first: scikit-learn's own messages name neither the value nor the remedy.
    given = column(sample_weight, "sample_weight")
    if given.dtype.kind in "biuf" and given.size:
        if (given < 0).any():
            raise ValueError(f"sample_weight must be at least 0, got {given.min()}; remove these rows instead")
        if not given.any():
            raise ValueError("sample_weight is zero for every row; give at least two classes a positive weight")
    weights = _check_sample_weight(given if given.ndim else sample_weight, X, dtype=np.float64)
    if np.isinf(weights).any():  # which scikit-learn does not look for where it is told to assume the contrary
        raise ValueError("Input sample_weight contains infinity; remove these rows, or give them a finite weight")
    return weights


def _class_weights(class_weight: Any, classes: np.ndarray, codes: np.ndarray, weights: np.ndarray | None) -> np.ndarray:
    if isinstance(class_weight, str):
        # As compute_class_weight("balanced"), with each row counted by its weight, so that a weight of 2 is two rows.
        totals = np.bincount(codes, weights, minlength=len(classes))
        return totals.sum() / (len(classes) * totals)
    bad = {
        k: value for k, value in class_weight.items() if not (isinstance(value, Real) and 0.0 <= float(value) < np.inf)
    }
    if bad:
        raise ValueError(f"class_weight must be finite numbers of at least 0, got {bad}")
    present = set(classes)
    absent = [key for key in class_weight if key not in present]
    if absent and not all(label in class_weight for label in present):
        raise ValueError(
            f"class_weight has keys that are not classes of y: {absent}; the rows of positive weight have the classes "
            f"{classes.tolist()}. Correct the keys. If a fold of cross-validation lacks a class, stratify "
            "the folds, or give all classes a weight: keys that are not in y are then ignored"
        )
    return np.array([class_weight.get(label, 1.0) for label in classes], dtype=float)


def unusable_data(estimator: Any, X: Any, weights: np.ndarray | None = None, C: float = 1.0) -> ValueError:
    """The error for data whose first pass gave no finite number: NaN, infinity, or a size that overflows.

    Parameters
    ----------
    estimator : BaseEstimator
        For its name.
    X : ndarray or sparse
        Features.
    weights : ndarray or None
        Weights of the rows.
    C : float
        Inverse strength of the penalty.
    """
    values = X.data if sparse.issparse(X) else X
    try:
        with config_context(assume_finite=False):
            assert_all_finite(values, estimator_name=type(estimator).__name__, input_name="X")
    except ValueError as error:
        return error
    # Not the magnitudes of all: they would be a copy.
    largest = float(max(values.max(initial=0.0), -values.min(initial=0.0)))
    n = _num_samples(X)
    return overflow_error(largest, float(n if weights is None else weights.sum()), C, n)


def overflow_error(largest: float, total: float, C: float, n: int) -> ValueError:
    """The error for finite data whose computation overflows, which names what is too large.

    Parameters
    ----------
    largest : float
        Magnitude in X.
    total : float
        Sum of the weights.
    C : float
        Inverse strength of the penalty.
    n : int
        Rows.
    """
    with np.errstate(over="ignore"):
        if largest < _LARGE < (C * total if np.isfinite(C) else total):
            return ValueError(
                f"C={C!r} times the total of the sample and class weights ({total:.3g}) overflows the computation; use "
                "a smaller C or smaller weights"
            )
    return ValueError(
        f"X has values up to {largest:.3g} in magnitude, whose squares overflow the computation in {n} rows; scale the "
        "features, for example with sklearn.preprocessing.StandardScaler or MaxAbsScaler"
    )
