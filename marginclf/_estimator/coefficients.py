"""What prediction and a warm start need of an estimator: as a fit left it, or as it was set by hand."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from scipy import sparse
from sklearn.exceptions import NotFittedError
from sklearn.utils.validation import check_is_fitted

from ..losses import MarginLoss, get_loss
from .validation import weights_of_classes


class Coefficients(NamedTuple):
    """W of shape (1 or K, d), an array or sparse, b of shape (1 or K,), and the K classes."""

    w: Any
    b: np.ndarray
    classes: np.ndarray


def coefficients(estimator: Any) -> Coefficients:
    """The coefficients of an estimator, of which those set by hand may be lists, of any float type, or sparse.

    Raises
    ------
    NotFittedError
        If there are none, or no classes with them.
    ValueError
        If their shapes do not fit.
    """
    check_is_fitted(estimator)
    for name in ("coef_", "classes_"):
        if not hasattr(estimator, name):
            raise NotFittedError(
                f"this {type(estimator).__name__} has no {name}: fit it, or set all of coef_, intercept_ and classes_"
            )
    classes = np.asarray(estimator.classes_)
    if classes.ndim != 1 or len(classes) < 2:
        raise ValueError(f"classes_ must be at least two labels, got {estimator.classes_!r}")
    w, b = shaped(estimator.coef_, getattr(estimator, "intercept_", 0.0), len(classes))
    d = getattr(estimator, "n_features_in_", w.shape[1])
    if w.shape[1] != d:
        raise ValueError(
            f"coef_ has shape {w.shape}, and the estimator was fitted with {d} features (n_features_in_); set "
            f"coefficients of {d} features, or take a new estimator"
        )
    return Coefficients(w, b, classes)


def shaped(coef: Any, intercept: Any, n_classes: int) -> tuple[Any, np.ndarray]:
    """W and b of float64, one row a problem.

    Raises
    ------
    ValueError
        If they do not have the shape that goes with the number of classes, or are no real numbers.
    """
    rows = 1 if n_classes == 2 else n_classes
    if sparse.issparse(coef) and coef.ndim == 2 and coef.dtype.kind != "c":
        w = coef.asformat("csr").astype(np.float64, copy=False)
    else:
        w = _real(coef, "coef_")
    if w.ndim == 1 and rows == 1:
        w = w.reshape(1, -1)
    if w.ndim != 2 or w.shape[0] != rows:
        remedy = (
            "; of two classes they are those of classes_[1]: set coef_[1:] - coef_[:1], and likewise the intercept"
            if rows == 1 and w.ndim == 2 and w.shape[0] == 2
            else ""
        )
        raise ValueError(f"coef_ has shape {tuple(w.shape)}, and {n_classes} classes need ({rows}, n_features){remedy}")
    b = _real(intercept, "intercept_")
    if b.ndim and b.size != rows:
        raise ValueError(f"intercept_ has shape {b.shape}, and {n_classes} classes need ({rows},)")
    return w, b if b.shape == (rows,) else np.broadcast_to(b.ravel(), rows).copy()


def _real(values: Any, name: str) -> np.ndarray:
    try:
        if getattr(getattr(values, "dtype", None), "kind", "") == "c":
            raise TypeError("complex")
        return np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError):
        raise ValueError(
            f"{name} must be an array of real numbers, got {type(values).__name__}: {values!r:.80}"
        ) from None


def check_finite(w: Any, b: np.ndarray) -> None:
    """Raise ValueError where a coefficient, set by hand, is NaN or infinite."""
    for name, values in (("coef_", w.data if sparse.issparse(w) else w), ("intercept_", b)):
        if not np.isfinite(values).all():
            raise ValueError(f"{name} contains NaN or infinity; set finite numbers, or fit again")


def loss_of(estimator: Any) -> MarginLoss:
    """The loss of the fit; of coefficients set by hand, that of the parameter."""
    return getattr(estimator, "loss_", None) or get_loss(estimator.loss)


def class_weights_of(estimator: Any) -> np.ndarray:
    """``class_weight_``; of coefficients set by hand, ones, or the weights of the parameter.

    Raises
    ------
    ValueError
        If only the labels of a fit could say what they are.
    """
    classes = np.asarray(estimator.classes_)
    if hasattr(estimator, "class_weight_"):
        found = _real(estimator.class_weight_, "class_weight_")
        if found.shape != classes.shape:
            raise ValueError(f"class_weight_ has shape {found.shape}, and there are {len(classes)} classes")
        return found
    if isinstance(estimator.class_weight, str):
        raise ValueError(
            f"class_weight={estimator.class_weight!r} needs the labels of a fit, and the coefficients were set by "
            "hand; set class_weight_, or class_weight to a dict"
        )
    return weights_of_classes(estimator.class_weight, classes, np.arange(len(classes)), None)
