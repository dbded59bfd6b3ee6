"""From what a user passes to canonical arrays: rows, classes and weights, each checked once."""

from __future__ import annotations

from numbers import Real
from typing import Any, NamedTuple

import numpy as np
from sklearn.utils import column_or_1d, compute_class_weight
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import _check_sample_weight, _num_samples, check_consistent_length, validate_data


class Data(NamedTuple):
    """Validated training data.

    Attributes
    ----------
    X : ndarray or CSR of shape (n, d)
        float32 or float64.
    classes : ndarray of shape (n_classes,)
        The labels that occur with positive weight, sorted.
    codes : ndarray of shape (n,)
        Place of each row's label in classes; rows of weight 0 may have any code.
    weights : ndarray of shape (n,)
        Sample weights times class weights.
    """

    X: Any
    classes: np.ndarray
    codes: np.ndarray
    weights: np.ndarray


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
    if getattr(getattr(X, "dtype", None), "kind", "") == "c":
        raise ValueError(
            f"Complex data not supported: X has dtype {X.dtype}; pass real and imaginary parts as columns of their own"
        )
    # Float types and storage are kept as they are.
    X = validate_data(estimator, X, accept_sparse="csr", dtype=[np.float64, np.float32])
    y = _labels(y)
    check_consistent_length(X, y)
    classes, codes = np.unique(y, return_inverse=True)
    if sample_weight is None:
        weights = np.ones(len(y))
    else:
        weights = _sample_weights(sample_weight, X)
        # A row of weight 0 is a row that is not there, and so is a class that only such rows have.
        present = np.bincount(codes, weights, minlength=len(classes)) > 0.0
        if not present.all():
            classes, codes = classes[present], np.maximum(np.cumsum(present) - 1, 0)[codes]
    if len(classes) < 2:
        where = "" if sample_weight is None else ", counting the rows of positive weight"
        raise ValueError(
            f"y has only one class{where}: {classes.tolist()[0]!r}. A classifier needs samples of at least two classes"
        )
    if class_weight is not None:
        factors = _class_weights(class_weight, classes, codes, weights)
        weights = weights * factors[codes]
        lost = np.bincount(codes, weights, minlength=len(classes)) == 0.0
        if lost.any():
            raise ValueError(
                f"class_weight is zero for class {classes[lost].tolist()[0]!r}; remove its rows instead of giving them "
                "no weight"
            )
    return Data(X, classes, codes, weights)


def _labels(y: Any) -> np.ndarray:
    if getattr(y, "ndim", 1) == 2 and y.shape[1] > 1:
        raise ValueError(
            f"y must have one column, got shape {tuple(y.shape)}. For labels that are not exclusive, use "
            "sklearn.multiclass.OneVsRestClassifier(MarginLinearClassifier()); for several targets, "
            "sklearn.multioutput.MultiOutputClassifier"
        )
    y = column_or_1d(y, warn=True)
    if y.dtype.kind in "fc" and not np.isfinite(y).all():
        raise ValueError("Input y contains NaN or infinity; remove these rows or give them a label")
    check_classification_targets(y)
    return y


def _sample_weights(sample_weight: Any, X: Any) -> np.ndarray:
    # Signs first: scikit-learn's own messages name neither the value nor the remedy.
    if not isinstance(sample_weight, Real):
        given = np.asarray(sample_weight)
        if given.dtype.kind in "biuf" and given.size:
            if (given < 0).any():
                raise ValueError(f"sample_weight must be at least 0, got {given.min()}; remove these rows instead")
            if not given.any():
                raise ValueError("sample_weight is zero for every row; give at least two classes a positive weight")
    return _check_sample_weight(sample_weight, X, dtype=np.float64)


def _class_weights(class_weight: Any, classes: np.ndarray, codes: np.ndarray, weights: np.ndarray) -> np.ndarray:
    if isinstance(class_weight, str):
        # As compute_class_weight("balanced"), with each row counted by its weight, so that a weight of 2 is two rows.
        totals = np.bincount(codes, weights, minlength=len(classes))
        return totals.sum() / (len(classes) * totals)
    bad = {
        k: value for k, value in class_weight.items() if not (isinstance(value, Real) and 0.0 <= float(value) < np.inf)
    }
    if bad:
        raise ValueError(f"class_weight must be finite numbers of at least 0, got {bad}")
    return compute_class_weight(class_weight, classes=classes, y=classes[codes])


def check_prepared(weights: np.ndarray, C: float) -> None:
    """Refuse a C whose product with the weights is not a number.

    Raises
    ------
    ValueError
        If C times the total weight overflows.
    """
    with np.errstate(over="ignore"):
        overflows = np.isfinite(C) and not np.isfinite(C * weights.sum())
    if overflows:
        raise ValueError(
            f"C={C!r} times the total of sample_weight ({weights.sum():.3g}) overflows; use a smaller C, or "
            "C=numpy.inf for no penalty"
        )


def overflow_error(X: Any) -> ValueError:
    """The error for features whose size overflows the computation."""
    values = X.data if hasattr(X, "indptr") else X
    largest = float(np.abs(values).max())
    return ValueError(
        f"X has values up to {largest:.3g} in magnitude, whose squares overflow the computation in "
        f"{_num_samples(X)} rows; scale the features, for example with sklearn.preprocessing.StandardScaler or "
        "MaxAbsScaler"
    )
