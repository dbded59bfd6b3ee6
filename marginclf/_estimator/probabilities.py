"""Whether the decision values of an estimator have probabilities, and that these agree with what it predicts."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..losses.checking import jump_without_prox
from ..losses.probability import is_own
from .coefficients import loss_of
from .joint import takes_joint

_TIE = 1e-9
"""Relative difference up to which the largest probabilities are taken to differ by rounding only."""


def is_joint(estimator: Any) -> bool:
    """Whether the fit has more than two classes with one joint margin."""
    return len(estimator.classes_) > 2 and takes_joint(estimator.multi_class, loss_of(estimator))


def has_probability(estimator: Any) -> bool:
    """Whether the loss has probabilities for the classes that there are, or may be."""
    return why_no_probability(estimator) is None


def why_no_probability(estimator: Any) -> str | None:
    """Why there is no probability, and what to do without one; None where there is."""
    loss = loss_of(estimator)
    # Before a fit it is not known how many classes there will be: what is promised must then hold for any number.
    joint = is_joint(estimator) if hasattr(estimator, "classes_") else estimator.multi_class == "joint"
    if loss.probability is None:
        which = "" if loss.smooth else ", as its slope jumps"
    elif joint and loss.joint_probability is None:
        which = " for many classes at once"
    elif not is_own(loss, "probability") and jump_without_prox(loss):
        which = ", as its slope jumps"
    else:
        return None
    return (
        f"loss={estimator.loss!r} has no probability{which}. Use decision_function for the ranking of samples, wrap "
        "the classifier in sklearn.calibration.CalibratedClassifierCV, or choose a loss that has one, such as "
        "'logistic'"
    )


def agreeing(p: np.ndarray, z: np.ndarray, *, logarithms: bool) -> np.ndarray:
    """Probabilities or their logarithms, of which that of the predicted class is the largest, by the last bit.

    Where it is smaller by no more than rounding, the two change places, so that the sum stays.
    """
    scale, shift = (1.0, -_TIE) if logarithms else (1.0 - _TIE, 0.0)
    rows = np.arange(len(z))
    predicted = (z > 0.0).astype(np.intp) if z.ndim == 1 else z.argmax(axis=1)
    first = p.argmax(axis=1)
    largest = p[rows, first]
    tied = (first != predicted) & (p[rows, predicted] >= scale * largest + shift)
    rows, first, predicted = rows[tied], first[tied], predicted[tied]
    p[rows, first] = p[rows, predicted]
    p[rows, predicted] = np.nextafter(largest[tied], np.inf)
    return p
