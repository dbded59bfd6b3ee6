"""What a fit with ``warm_start=True`` takes over from the one before."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from scipy import sparse

from .coefficients import check_finite, shaped


class PreviousFit(NamedTuple):
    """The fit that a warm start continues, or what was set by hand; read before a new one changes anything."""

    classes: Any
    names: Any
    coef: Any
    intercept: Any


def previous_fit(estimator: Any) -> PreviousFit | None:
    """The previous fit of an estimator, where there is one and it is asked for."""
    if not (estimator.warm_start and hasattr(estimator, "coef_")):
        return None
    coef = estimator.coef_.toarray() if sparse.issparse(estimator.coef_) else estimator.coef_
    classes, names = getattr(estimator, "classes_", None), getattr(estimator, "feature_names_in_", None)
    return PreviousFit(classes, names, coef, getattr(estimator, "intercept_", 0.0))


def first_coefficients(
    estimator: Any, previous: PreviousFit | None, classes: np.ndarray, d: int, *, joint: bool
) -> tuple[np.ndarray, np.ndarray] | None:
    """W and b where a fit starts, one row a problem; None for zero.

    Raises
    ------
    ValueError
        If the previous fit had other classes or features, or what was set by hand has another shape.
    """
    if previous is None:
        return None
    remedy = "fit a new estimator, or set warm_start=False"
    if previous.classes is not None and not np.array_equal(previous.classes, classes):
        raise ValueError(f"warm_start: y has the classes {classes}, the previous fit had {previous.classes}; {remedy}")
    w, b = shaped(previous.coef, previous.intercept, len(classes))
    check_finite(w, b)
    if w.shape[1] != d:
        raise ValueError(f"warm_start: X has {d} features, the previous fit had {w.shape[1]}; {remedy}")
    names = getattr(estimator, "feature_names_in_", None)
    if previous.names is not None and names is not None and not np.array_equal(previous.names, names):
        raise ValueError(f"warm_start: X has other feature names than the previous fit; {remedy}")
    if not estimator.fit_intercept:
        return w.copy(), np.zeros_like(b)
    return w.copy(), b - b.mean() if joint else b.copy()
