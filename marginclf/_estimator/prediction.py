"""Prediction with fitted coefficients: decision values, labels, probabilities."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from scipy import sparse
from sklearn.utils.extmath import safe_sparse_dot

from .._process import quiet
from ..losses import MarginLoss
from ..losses.checking import jump_without_prox
from ..losses.probability import is_own, log_shares, log_two_classes, one_vs_rest, shares, two_classes
from .available import available
from .blocks import is_collection
from .blockwise import accuracy, by_blocks
from .coefficients import Coefficients, check_finite, class_weights_of, coefficients, loss_of
from .columns import column, true_labels
from .joint import takes_joint
from .validation import features, unusable_data

_LARGE = 1 << 22
"""Entries of X from which on decision values are computed by parts."""

_TIE = 1e-9
"""Relative difference up to which the largest probabilities are taken to differ by rounding only."""


def is_joint(estimator: Any) -> bool:
    """Whether the fit has more than two classes with one joint margin."""
    return len(estimator.classes_) > 2 and takes_joint(estimator.multi_class, loss_of(estimator))


def has_probability(estimator: LinearPrediction) -> bool:
    """Whether the loss has probabilities for the classes that there are, or may be."""
    return why_no_probability(estimator) is None


def why_no_probability(estimator: LinearPrediction) -> str | None:
    """Why there is no probability, and what to do without one; None where there is."""
    loss = loss_of(estimator)
    # Before a fit it is not known how many classes there will be: what is promised must then hold for any number.
    joint = is_joint(estimator) if hasattr(estimator, "classes_") else estimator.multi_class == "joint"
    if loss.probability is None:
        which = ""
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


class LinearPrediction:
    """The methods of a fitted linear classifier: what it predicts from ``coef_``, ``intercept_`` and its loss."""

    loss: str | MarginLoss
    multi_class: str
    proba_prior: str
    class_weight_: np.ndarray
    loss_: MarginLoss
    coef_: Any
    intercept_: np.ndarray
    classes_: np.ndarray

    @quiet
    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """The part of the samples whose label is predicted (accuracy).

        Parameters
        ----------
        X : {array-like, sparse matrix, data frame, dask.array, dask.dataframe} of shape (n_samples, n_features)
            Features.
        y : array-like of shape (n_samples,)
            True labels.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights.

        Returns
        -------
        float
            From 0 to 1.
        """
        if is_collection(X):
            return accuracy(self, X, y, sample_weight)
        # As at the fit, so that labels of every container are compared with what is predicted.
        y = true_labels(y, coefficients(self).classes)
        sample_weight = None if sample_weight is None else column(sample_weight, "sample_weight")
        return super().score(X, y, sample_weight)  # type: ignore[misc]

    @quiet
    def decision_function(self, X: Any) -> np.ndarray:
        """Decision values z = X·w + b.

        Parameters
        ----------
        X : {array-like, sparse matrix, data frame, dask.array, dask.dataframe} of shape (n_samples, n_features)
            Features.

        Returns
        -------
        ndarray or dask.array of shape (n_samples,) or (n_samples, n_classes)
            With two classes, positive values are for ``classes_[1]``.

        Raises
        ------
        ValueError
            If X does not have the features of the fit, or a decision value overflows.
        """
        found = coefficients(self)
        if is_collection(X):
            n_classes = len(found.classes)
            return by_blocks(self, X, "decision_function", None if n_classes == 2 else n_classes, float)
        # Sparse coefficients would not see NaN in the columns that they leave out.
        X = features(self, X, reset=False, finite_later=not sparse.issparse(found.w))
        if X.shape[1] != found.w.shape[1]:  # which validation says of a fit only
            raise ValueError(
                f"X has {X.shape[1]} features, but {type(self).__name__} is expecting {found.w.shape[1]} features as "
                "input (the columns of coef_)"
            )
        z = _decisions(found, X)
        if not np.isfinite(z).all():
            check_finite(found.w, found.b)
            raise unusable_data(self, X)
        return z.ravel() if z.shape[1] == 1 else z

    @quiet
    def predict(self, X: Any) -> np.ndarray:
        """Class labels.

        Parameters
        ----------
        X : {array-like, sparse matrix, data frame, dask.array, dask.dataframe} of shape (n_samples, n_features)
            Features.

        Returns
        -------
        ndarray or dask.array of shape (n_samples,)
            The class of the largest decision value.
        """
        if is_collection(X):
            return by_blocks(self, X, "predict", None, coefficients(self).classes.dtype)
        z = self.decision_function(X)
        return np.asarray(self.classes_)[(z > 0.0).astype(int) if z.ndim == 1 else z.argmax(axis=1)]

    @available(why_no_probability)
    @quiet
    def predict_proba(self, X: Any) -> np.ndarray:
        """Probabilities of the classes, by the function η of the loss.

        Available where the loss has a probability. Of two classes they are η(−z) and η(z), each with digits of its
        own. With more than two classes and one joint margin, they follow from the expected loss
        (:meth:`~marginclf.losses.MarginLoss.joint_probability`); of classes that were fitted against the rest, the
        probabilities are divided by their sum, and where the formula is zero for all, every class gets the same.

        With class weights they are probabilities of the reweighted population, as ``predict`` is a decision for it;
        where the largest ones tie, that of the predicted class is larger by the last bit. With
        ``proba_prior="data"`` they are those of the data's own population, divided by ``class_weight_`` and by their
        sum: the predicted class is then not always the most probable one.

        Parameters
        ----------
        X : {array-like, sparse matrix, data frame, dask.array, dask.dataframe} of shape (n_samples, n_features)
            Features.

        Returns
        -------
        ndarray or dask.array of shape (n_samples, n_classes)
            Probabilities, in the order of ``classes_``.
        """
        if is_collection(X):
            return by_blocks(self, X, "predict_proba", len(coefficients(self).classes), float)
        z, loss = self.decision_function(X), loss_of(self)
        if self.proba_prior == "data":
            return shares(self._log_probabilities(z, loss))
        if z.ndim == 1:
            proba = two_classes(loss, z)
        elif is_joint(self):
            proba = loss.joint_probability(z)
        else:
            proba = one_vs_rest(loss, z)
        return _agreeing(proba, z, 1.0 - _TIE, 0.0)

    @available(why_no_probability)
    @quiet
    def predict_log_proba(self, X: Any) -> np.ndarray:
        """Logarithms of the probabilities, by the formula: finite where a probability underflows, −inf where it is 0.

        At z = 700, the logistic loss gives −700 for the negative class.

        Parameters
        ----------
        X : {array-like, sparse matrix, data frame, dask.array, dask.dataframe} of shape (n_samples, n_features)
            Features.

        Returns
        -------
        ndarray or dask.array of shape (n_samples, n_classes)
            Log-probabilities, in the order of ``classes_``.
        """
        if is_collection(X):
            return by_blocks(self, X, "predict_log_proba", len(coefficients(self).classes), float)
        z, loss = self.decision_function(X), loss_of(self)
        logarithms = self._log_probabilities(z, loss)
        return logarithms if self.proba_prior == "data" else _agreeing(logarithms, z, 1.0, -_TIE)

    def _log_probabilities(self, z: np.ndarray, loss: MarginLoss) -> np.ndarray:
        """Of the population that ``proba_prior`` names."""
        if z.ndim == 1:
            found = log_two_classes(loss, z)
        elif is_joint(self):
            found = loss.joint_log_probability(z)
        else:
            found = log_shares(loss.log_probability(z))
        return log_shares(found - np.log(class_weights_of(self))) if self.proba_prior == "data" else found

    def sparsify(self) -> Self:
        """Convert ``coef_`` to a CSR matrix; prediction works as before.

        Returns
        -------
        MarginLinearClassifier
            This estimator.
        """
        self.coef_ = sparse.csr_matrix(coefficients(self).w)
        return self

    def densify(self) -> Self:
        """Convert ``coef_`` back to an array.

        Returns
        -------
        MarginLinearClassifier
            This estimator.
        """
        coefficients(self)
        if sparse.issparse(self.coef_):
            self.coef_ = self.coef_.toarray()
        return self


def _decisions(found: Coefficients, X: Any) -> np.ndarray:
    """X Wᵀ + b, of large dense X a few rows at a time, so that another float type is not a copy of all."""
    w, b, _ = found
    if sparse.issparse(X) or X.size <= _LARGE:
        return safe_sparse_dot(X, w.T, dense_output=True) + b
    z = np.empty((X.shape[0], w.shape[0]))
    size = max(1, _LARGE // X.shape[1])
    for start in range(0, len(z), size):
        part = np.asarray(X)[start : start + size]
        z[start : start + size] = safe_sparse_dot(part, w.T, dense_output=True)
    z += b
    return z


def _agreeing(p: np.ndarray, z: np.ndarray, scale: float, shift: float) -> np.ndarray:
    """Probabilities or their logarithms, of which that of the predicted class is the largest, by the last bit.

    Where it is smaller by no more than rounding (at least ``scale`` times the largest, plus ``shift``), the two change
    places, so that the sum stays.
    """
    rows = np.arange(len(z))
    predicted = (z > 0.0).astype(np.intp) if z.ndim == 1 else z.argmax(axis=1)
    first = p.argmax(axis=1)
    largest = p[rows, first]
    tied = (first != predicted) & (p[rows, predicted] >= scale * largest + shift)
    rows, first, predicted = rows[tied], first[tied], predicted[tied]
    p[rows, first] = p[rows, predicted]
    p[rows, predicted] = np.nextafter(largest[tied], np.inf)
    return p
