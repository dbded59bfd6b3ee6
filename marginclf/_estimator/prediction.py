"""Prediction with fitted coefficients: decision values, labels, probabilities."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from scipy import sparse
from sklearn.utils.extmath import safe_sparse_dot

from .._process import quiet
from ..losses import MarginLoss
from ..losses.probability import log_shares, log_two_classes, one_vs_rest, shares, two_classes
from .available import available
from .blocks import is_collection
from .blockwise import accuracy, by_blocks
from .coefficients import Coefficients, check_finite, class_weights_of, coefficients, loss_of
from .columns import column, true_labels
from .probabilities import agreeing, is_joint, why_no_probability
from .validation import features, unusable_data

_LARGE = 1 << 22
"""Entries of X from which on decision values are computed by parts."""


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
        """The fraction of samples whose label is predicted correctly (accuracy).

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

        Examples
        --------
        >>> from marginclf import MarginLinearClassifier
        >>> model = MarginLinearClassifier().fit([[0.0], [1.0], [2.0], [3.0]], ["no", "no", "yes", "yes"])
        >>> model.score([[-1.0], [4.0]], ["no", "no"])
        0.5
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

        Examples
        --------
        >>> from marginclf import MarginLinearClassifier
        >>> model = MarginLinearClassifier()
        >>> model.coef_, model.intercept_, model.classes_ = [[2.0]], [-1.0], ["no", "yes"]
        >>> print(model.decision_function([[0.0], [1.0]]))
        [-1.  1.]
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

        Examples
        --------
        >>> from marginclf import MarginLinearClassifier
        >>> model = MarginLinearClassifier().fit([[0.0], [1.0], [2.0], [3.0]], ["no", "no", "yes", "yes"])
        >>> print(model.predict([[-1.0], [4.0]]))
        ['no' 'yes']
        """
        if is_collection(X):
            return by_blocks(self, X, "predict", None, coefficients(self).classes.dtype)
        z = self.decision_function(X)
        return np.asarray(self.classes_)[(z > 0.0).astype(int) if z.ndim == 1 else z.argmax(axis=1)]

    @available(why_no_probability)
    @quiet
    def predict_proba(self, X: Any) -> np.ndarray:
        """Probabilities of the classes, from the function η of the loss.

        Available if the loss has a probability. For two classes they are η(−z) and η(z), each computed to full
        precision. With more than two classes and one joint margin, they follow from the expected loss
        (:meth:`~marginclf.losses.MarginLoss.joint_probability`). For classes that were fitted against the rest, the
        probabilities are divided by their sum; if the formula is zero for all classes, they all get the same
        probability.

        With class weights they are the probabilities of the reweighted population, for which ``predict`` decides. If
        the largest ones tie, that of the predicted class is larger by the last bit. With ``proba_prior="data"`` they
        are divided by ``class_weight_`` and by their sum, which gives those of the population of the data. The
        predicted class is then not always the most probable one.

        Parameters
        ----------
        X : {array-like, sparse matrix, data frame, dask.array, dask.dataframe} of shape (n_samples, n_features)
            Features.

        Returns
        -------
        ndarray or dask.array of shape (n_samples, n_classes)
            Probabilities, in the order of ``classes_``.

        Examples
        --------
        >>> from marginclf import MarginLinearClassifier
        >>> model = MarginLinearClassifier()
        >>> model.coef_, model.intercept_, model.classes_ = [[2.0]], [-1.0], ["no", "yes"]
        >>> print(model.predict_proba([[0.0], [1.0]]).round(3))
        [[0.731 0.269]
         [0.269 0.731]]
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
        return agreeing(proba, z, logarithms=False)

    @available(why_no_probability)
    @quiet
    def predict_log_proba(self, X: Any) -> np.ndarray:
        """Logarithms of the probabilities: finite where a probability underflows, −inf where the formula is 0.

        At z = 700, the logistic loss gives −700 for the negative class.

        Parameters
        ----------
        X : {array-like, sparse matrix, data frame, dask.array, dask.dataframe} of shape (n_samples, n_features)
            Features.

        Returns
        -------
        ndarray or dask.array of shape (n_samples, n_classes)
            Log-probabilities, in the order of ``classes_``.

        Examples
        --------
        >>> from marginclf import MarginLinearClassifier
        >>> model = MarginLinearClassifier()
        >>> model.coef_, model.intercept_, model.classes_ = [[2.0]], [-1.0], ["no", "yes"]
        >>> print(model.predict_log_proba([[-400.0]])[:, 1])
        [-801.]
        """
        if is_collection(X):
            return by_blocks(self, X, "predict_log_proba", len(coefficients(self).classes), float)
        z, loss = self.decision_function(X), loss_of(self)
        logarithms = self._log_probabilities(z, loss)
        return logarithms if self.proba_prior == "data" else agreeing(logarithms, z, logarithms=True)

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

        Examples
        --------
        >>> from marginclf import MarginLinearClassifier
        >>> model = MarginLinearClassifier().fit([[0.0], [1.0], [2.0], [3.0]], ["no", "no", "yes", "yes"])
        >>> model.sparsify().coef_.format
        'csr'
        """
        self.coef_ = sparse.csr_matrix(coefficients(self).w)
        return self

    def densify(self) -> Self:
        """Convert ``coef_`` back to an array.

        Returns
        -------
        MarginLinearClassifier
            This estimator.

        Examples
        --------
        >>> from marginclf import MarginLinearClassifier
        >>> model = MarginLinearClassifier().fit([[0.0], [1.0], [2.0], [3.0]], ["no", "no", "yes", "yes"])
        >>> model.sparsify().densify().coef_.shape
        (1, 1)
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
