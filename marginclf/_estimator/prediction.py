"""Prediction with fitted coefficients: decision values, labels, probabilities."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from scipy import sparse
from sklearn.utils.extmath import safe_sparse_dot
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted

from ..losses import MarginLoss, get_loss
from .blocks import is_collection
from .blockwise import accuracy, by_blocks
from .columns import column, true_labels
from .joint import takes_joint
from .validation import features, unusable_data

_LARGE = 1 << 22
"""Entries of X from which on decision values are computed by parts."""


def has_probability(estimator: LinearPrediction) -> bool:
    """Whether the loss has probabilities for the classes that there are, or may be."""
    loss = getattr(estimator, "loss_", None) or get_loss(estimator.loss)
    # Before a fit it is not known how many classes there will be: what is promised must then hold for any number.
    joint = estimator._is_joint() if hasattr(estimator, "classes_") else estimator.multi_class == "joint"
    return loss.probability is not None and not (joint and loss.joint_probability is None)


def _check_probability(estimator: LinearPrediction) -> bool:
    if not has_probability(estimator):
        joint = estimator.multi_class == "joint" or len(getattr(estimator, "classes_", ())) > 2
        raise AttributeError(
            f"loss={estimator.loss!r} has no probability{' for many classes at once' if joint else ''}. Use "
            "decision_function for the ranking of samples, wrap the "
            "classifier in sklearn.calibration.CalibratedClassifierCV, or choose a loss that has one, such as "
            "'logistic'"
        )
    return True


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

    def _is_joint(self) -> bool:
        """Whether the fit has more than two classes with one joint margin."""
        return len(self.classes_) > 2 and takes_joint(self.multi_class, self.loss_)

    def _columns(self) -> int | None:
        """Of the decision values; None for one dimension."""
        return None if len(self.classes_) == 2 else len(self.classes_)

    def _decisions(self, X: Any) -> np.ndarray:
        """X Wᵀ + b, of large dense X a few rows at a time, so that another float type is not a copy of all."""
        if sparse.issparse(X) or X.size <= _LARGE:
            return safe_sparse_dot(X, self.coef_.T, dense_output=True) + self.intercept_
        z = np.empty((X.shape[0], self.coef_.shape[0]))
        size = max(1, _LARGE // X.shape[1])
        for start in range(0, len(z), size):
            part = np.asarray(X)[start : start + size]
            z[start : start + size] = safe_sparse_dot(part, self.coef_.T, dense_output=True)
        z += self.intercept_
        return z

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
        check_is_fitted(self)
        if is_collection(X):
            return accuracy(self, X, y, sample_weight)
        # As at the fit, so that labels of every container are compared with what is predicted.
        y = true_labels(y, self.classes_)
        sample_weight = None if sample_weight is None else column(sample_weight, "sample_weight")
        return super().score(X, y, sample_weight)  # type: ignore[misc]

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
        check_is_fitted(self)
        if is_collection(X):
            return by_blocks(self, X, "decision_function", self._columns(), float)
        # Sparse coefficients would not see NaN in the columns that they leave out.
        X = features(self, X, reset=False, finite_later=not sparse.issparse(self.coef_))
        with np.errstate(over="ignore", invalid="ignore"):
            z = self._decisions(X)
        if not np.isfinite(z).all():
            raise unusable_data(self, X)
        return z.ravel() if z.shape[1] == 1 else z

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
            check_is_fitted(self)
            return by_blocks(self, X, "predict", None, self.classes_.dtype)
        z = self.decision_function(X)
        return self.classes_[(z > 0.0).astype(int) if z.ndim == 1 else z.argmax(axis=1)]

    @available_if(_check_probability)
    def predict_proba(self, X: Any) -> np.ndarray:
        """Probabilities of the classes, by the function η of the loss.

        Available where the loss has a probability. With more than two classes and one joint margin, they follow from
        the expected loss (:meth:`~marginclf.losses.MarginLoss.joint_probability`); of classes that were fitted against
        the rest, the probabilities are divided by their sum, and where all are zero, every class gets the same.

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
            check_is_fitted(self)
            return by_blocks(self, X, "predict_proba", len(self.classes_), float)
        z = self.decision_function(X)
        loss = self.loss_
        if z.ndim == 1:
            eta = loss.probability(z)
            z = np.column_stack([-z, z])
            proba = np.column_stack([1.0 - eta, eta])
        elif self._is_joint():
            proba = loss.joint_probability(z)
        else:
            eta = loss.probability(z)
            eta[eta.sum(axis=1) == 0.0] = 1.0
            proba = eta / eta.sum(axis=1, keepdims=True)
        if self.proba_prior == "data":
            # The largest is divided out first: a weight may be of any size.
            proba = proba / (self.class_weight_ / self.class_weight_.max())
            return proba / proba.sum(axis=1, keepdims=True)
        rows, predicted = np.arange(len(z)), z.argmax(axis=1)
        tied = proba.argmax(axis=1) != predicted
        proba[rows[tied], predicted[tied]] = np.nextafter(proba[tied].max(axis=1), np.inf)
        return proba

    @available_if(_check_probability)
    def predict_log_proba(self, X: Any) -> np.ndarray:
        """Logarithms of the probabilities; −inf where a probability is 0.

        Parameters
        ----------
        X : {array-like, sparse matrix, data frame, dask.array, dask.dataframe} of shape (n_samples, n_features)
            Features.

        Returns
        -------
        ndarray or dask.array of shape (n_samples, n_classes)
            Log-probabilities, in the order of ``classes_``.
        """
        with np.errstate(divide="ignore"):
            if is_collection(X):
                check_is_fitted(self)
                return by_blocks(self, X, "predict_log_proba", len(self.classes_), float)
            return np.log(self.predict_proba(X))

    def sparsify(self) -> Self:
        """Convert ``coef_`` to a CSR matrix; prediction works as before.

        Returns
        -------
        MarginLinearClassifier
            This estimator.
        """
        check_is_fitted(self)
        self.coef_ = sparse.csr_matrix(self.coef_)
        return self

    def densify(self) -> Self:
        """Convert ``coef_`` back to an array.

        Returns
        -------
        MarginLinearClassifier
            This estimator.
        """
        check_is_fitted(self)
        if sparse.issparse(self.coef_):
            self.coef_ = self.coef_.toarray()
        return self
