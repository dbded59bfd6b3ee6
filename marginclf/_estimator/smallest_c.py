"""The largest C at which a penalty with kinks lets no coefficient in."""

from __future__ import annotations

from typing import Any

import numpy as np

from .._penalties import Penalty
from ..losses import MarginLoss, get_loss
from ..losses.checking import require_slopes
from ..matrix import design_matrix
from ..solvers import solve_penalised
from .classifier import MarginLinearClassifier
from .joint import takes_joint
from .penalised import PenalisedFit, Resolved
from .problems import Problems, Settings
from .validation import training_data

_TOL = 1e-12
"""To which the fit of what is not penalised goes: the slopes of the other features are asked for."""

_BELOW = 1.0 - 1e-9
"""What a slope may be wrong by: the C that is returned lets nothing in."""


def smallest_C(
    X: Any,
    y: Any,
    *,
    loss: str | MarginLoss = "logistic",
    penalty: str | Penalty = "l1",
    sample_weight: Any = None,
    class_weight: Any = None,
    fit_intercept: bool = True,
    multi_class: str = "auto",
    bounds: Any = None,
) -> float:
    r"""The largest C at which every coefficient that is penalised is zero.

    With the intercept, and the features of weight 0, at their optimum, it is

    .. math:: 1 \Big/ \max_g \frac{\|\sum_i s_i \, \varphi'(m_i) \, y_i \, x_{ig}\|}{v_g}

    over the features or groups g, where :math:`v_g` is the weight of the kink in their penalty (for an elastic net,
    ``l1_ratio`` times the weight). Features that bounds keep at zero do not count. With one joint margin, the slope of
    each class takes the place of :math:`\varphi' y`. For one-vs-rest it is the smallest over the classes.

    Parameters
    ----------
    X : {array-like, sparse matrix} of shape (n_samples, n_features)
        Features.
    y : array-like of shape (n_samples,)
        Class labels.
    loss, penalty, class_weight, fit_intercept, multi_class, bounds
        As of :class:`~marginclf.MarginLinearClassifier`.
    sample_weight : array-like of shape (n_samples,), default=None
        Weights of the rows.

    Returns
    -------
    float
        C. It is 0 if a coefficient is nonzero at every C: with a quadratic penalty only, or with bounds that exclude
        0. It is infinite if all are zero at every C. For a loss with a kink the slopes at the optimum are not unique,
        and C is a lower bound: all coefficients are zero at this C, and perhaps at a larger one.

    Raises
    ------
    ValueError
        As ``fit`` does.

    See Also
    --------
    sklearn.svm.l1_min_c : For the losses of ``LinearSVC`` and ``LogisticRegression``, without an intercept.

    Examples
    --------
    >>> from sklearn.datasets import load_breast_cancer
    >>> from sklearn.preprocessing import scale
    >>> from marginclf import MarginLinearClassifier
    >>> from marginclf.penalties import smallest_C
    >>> X, y = load_breast_cancer(return_X_y=True)
    >>> X = scale(X)
    >>> C = smallest_C(X, y)
    >>> for factor in (1.0, 1.01):
    ...     print((MarginLinearClassifier(penalty="l1", C=factor * C).fit(X, y).coef_ != 0).sum())
    0
    1
    """
    estimator = MarginLinearClassifier(
        loss, penalty=penalty, C=1.0, bounds=bounds, class_weight=class_weight, fit_intercept=fit_intercept,
        multi_class=multi_class,
    )  # fmt: skip
    estimator._validate_params()
    with np.errstate(all="ignore"):
        return _smallest(estimator, X, y, sample_weight)


def _smallest(estimator: MarginLinearClassifier, X: Any, y: Any, sample_weight: Any) -> float:
    loss = get_loss(estimator.loss)
    require_slopes(loss)
    data = training_data(estimator, X, y, sample_weight, estimator.class_weight)
    if data.lone is not None:
        return np.inf
    n_classes = len(data.classes)
    joint = n_classes > 2 and takes_joint(estimator.multi_class, loss)
    positive: list[Any] = [None] if joint else [1] if n_classes == 2 else list(range(n_classes))
    shape = (1 if n_classes == 2 else n_classes, data.shape[1])
    names = getattr(estimator, "feature_names_in_", None)
    resolved = Resolved.of(estimator.penalty, estimator.bounds, 1.0, shape, names)
    if resolved is None:
        return 0.0
    resolved.require_suitable(loss, "auto", estimator.loss)
    settings = Settings(1.0, estimator.fit_intercept, "auto", _TOL, 1000)
    found = np.inf
    with design_matrix(data.X, 1) as matrix:
        fit = PenalisedFit(Problems(matrix, loss, data.codes, data.weights, n_classes, settings), resolved)
        for number, k in enumerate(positive):
            objective, penalty = fit.problem(k, number)
            kinked = np.repeat(penalty.kink, penalty.sizes) > 0.0
            fixed = np.repeat(penalty.fixed, penalty.sizes)
            if not penalty.holds_zero or (~kinked & (penalty.quadratic > 0.0) & ~fixed).any():
                return 0.0
            zero = penalty.without(kinked)
            solution = solve_penalised(
                objective, zero, objective.zeros(), tol=_TOL, max_iter=settings.max_iter, provable=True, screen=False
            )
            point = solution.point
            in_w = objective.by_class(point.gradient)
            pull = penalty.pull(np.where(kinked, 0.0, penalty.vector(point.coefficients)), -penalty.vector(in_w))
            with_kink = penalty.kink > 0.0
            strongest = float((pull[with_kink] / penalty.kink[with_kink]).max(initial=0.0))
            found = min(found, 1.0 / strongest if strongest > 0.0 else np.inf)
    return found * _BELOW
