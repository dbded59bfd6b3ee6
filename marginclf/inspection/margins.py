"""Margins of the rows, with the loss over them."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from scipy.special import logsumexp

from .._estimator.coefficients import loss_of
from .._estimator.columns import column, labels
from .._estimator.prediction import is_joint
from .._process import quiet
from ..losses import MarginLoss, get_loss
from .drawing import COLOURS, axes_for, fitted_classifier_in
from .losses import name_of

_WIDEST = 0.01
"""Share of the rows at each end that may lie beyond the outermost bars, which count them."""

_LEGEND_COLUMNS, _NARROW = 4, 4.5
"""Columns of the legend, half as many over axes of less than so many inches, beyond which it would reach."""


class MarginDisplay:
    r"""How the margins of the rows are distributed, by class, with the loss over them.

    The margin of a row is :math:`m = y z`; with more than two classes :math:`m = z_y - \log \sum_{k \ne y} e^{z_k}` for
    one joint margin, and the decision value of the row's own class if each class was fitted against the rest. Only rows
    at which the slope of the loss is not zero determine the fit. The region of these margins is marked: for "hinge",
    margins up to 1, which are the support vectors. Most smooth losses have a slope everywhere. The outermost bars also
    count the rows beyond them. Up to seven classes have a colour each; more are drawn as one distribution.

    Create it with :meth:`from_estimator` or :meth:`from_predictions`.

    Parameters
    ----------
    margins : ndarray of shape (n_samples,)
        Margins.
    y_true : ndarray of shape (n_samples,)
        Labels.
    loss : MarginLoss
        The loss.
    sample_weight : ndarray of shape (n_samples,), default=None
        Weights of the rows.

    Attributes
    ----------
    ax_ : Axes
        The axes of the distribution.
    loss_ax_ : Axes
        The axes of the loss, on the right.
    figure_ : Figure
        The figure that holds them.
    support_ : float
        Share of the rows, by weight, whose slope is not zero.

    Examples
    --------
    >>> from sklearn.datasets import load_breast_cancer
    >>> from sklearn.preprocessing import scale
    >>> from marginclf import MarginLinearClassifier
    >>> from marginclf.inspection import MarginDisplay
    >>> X, y = load_breast_cancer(return_X_y=True)
    >>> model = MarginLinearClassifier("hinge", C=0.1).fit(scale(X), y)
    >>> display = MarginDisplay.from_estimator(model, scale(X), y)
    >>> bool(display.support_ < 0.2)
    True
    """

    def __init__(
        self, *, margins: np.ndarray, y_true: np.ndarray, loss: MarginLoss, sample_weight: np.ndarray | None = None
    ) -> None:
        self.margins = margins
        self.y_true = y_true
        self.loss = loss
        self.sample_weight = sample_weight

    @classmethod
    @quiet
    def from_estimator(
        cls, estimator: Any, X: Any, y: Any, *, sample_weight: Any = None, ax: Any = None, **options: Any
    ) -> Self:
        """Draw the margins of rows under a fitted classifier.

        Parameters
        ----------
        estimator : MarginLinearClassifier
            Fitted; or a fitted pipeline that ends with one, or a search over one.
        X : {array-like, sparse matrix, data frame} of shape (n_samples, n_features)
            Rows, as the estimator takes them.
        y : array-like of shape (n_samples,)
            Their labels.
        sample_weight : array-like of shape (n_samples,), default=None
            Their weights.
        ax : Axes, default=None
            Where to draw; None for a new figure.
        **options : dict
            As for :meth:`plot`.

        Returns
        -------
        MarginDisplay
        """
        classifier = fitted_classifier_in(estimator)
        return cls.from_predictions(
            y,
            estimator.decision_function(X),
            loss=loss_of(classifier),
            classes=classifier.classes_,
            joint=is_joint(classifier),
            sample_weight=sample_weight,
            ax=ax,
            **options,
        )

    @classmethod
    @quiet
    def from_predictions(
        cls,
        y_true: Any,
        y_score: Any,
        *,
        loss: str | MarginLoss,
        classes: Any = None,
        joint: bool = True,
        sample_weight: Any = None,
        ax: Any = None,
        **options: Any,
    ) -> Self:
        """Draw the margins that decision values have.

        Parameters
        ----------
        y_true : array-like of shape (n_samples,)
            Labels.
        y_score : array-like of shape (n_samples,) or (n_samples, n_classes)
            Decision values; of two classes, positive ones are for the second class.
        loss : str or MarginLoss
            The loss to draw over them.
        classes : array-like of shape (n_classes,), default=None
            The classes in the order of the decision values; None for the sorted labels.
        joint : bool, default=True
            Whether more than two classes have one joint margin.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows.
        ax : Axes, default=None
            Where to draw; None for a new figure.
        **options : dict
            As for :meth:`plot`.

        Returns
        -------
        MarginDisplay
        """
        y, z = labels(y_true, warn=False), np.asarray(y_score, dtype=float)
        classes = np.unique(y) if classes is None else np.asarray(classes)
        expected = (len(y),) if len(classes) == 2 else (len(y), len(classes))
        if z.shape != expected:
            raise ValueError(f"y_score must have shape {expected} for {len(classes)} classes, got {z.shape}")
        codes = np.searchsorted(classes, y).clip(max=len(classes) - 1)
        if (classes[codes] != y).any():
            unknown = y[classes[codes] != y][:1]
            raise ValueError(
                f"y_true has the label {unknown.tolist()[0]!r}, which is none of the classes {classes.tolist()}"
            )
        weights = None if sample_weight is None else column(sample_weight, "sample_weight").astype(float)
        return cls(margins=_margins(codes, z, joint), y_true=y, loss=get_loss(loss), sample_weight=weights).plot(
            ax=ax, **options
        )

    @quiet
    def plot(self, *, ax: Any = None, bins: int = 40, name: str | None = None) -> Self:
        """Draw.

        Parameters
        ----------
        ax : Axes, default=None
            Where to draw; None for a new figure.
        bins : int, default=40
            Number of bars.
        name : str, default=None
            What the loss is called; None for its own name.

        Returns
        -------
        MarginDisplay
        """
        axis = axes_for(ax, 1, size=(6.0, 4.0))[0]
        low, high = np.quantile(self.margins, [_WIDEST, 1.0 - _WIDEST])
        low, high = min(low, -1.0), max(high, 1.5)
        edges = np.linspace(low, high, bins + 1)
        weights = np.ones(len(self.margins)) if self.sample_weight is None else self.sample_weight
        names, groups = _groups(self.y_true)
        axis.hist(
            [self.margins[group].clip(low, high) for group in groups],
            edges,
            weights=[weights[group] for group in groups],
            stacked=True,
            color=COLOURS[: len(groups)],
            alpha=0.6,
            label=names,
        )
        m = np.linspace(low, high, 1001)
        value, slope, _ = self.loss.evaluate(m)
        at_rows = self.loss.evaluate(self.margins)[1] != 0.0
        self.support_ = float(weights[at_rows].sum() / weights.sum())
        if (slope == 0.0).any():
            axis.fill_between(
                m,
                0.0,
                1.0,
                where=slope != 0.0,
                transform=axis.get_xaxis_transform(),
                color="0.9",
                zorder=0,
                label=f"slope not zero: {100.0 * self.support_:.0f} % of the rows",
            )
        right = axis.twinx()
        right.plot(m, value, color="black", label=f"loss: {name or name_of(self.loss)}")
        right.set_ylabel("loss φ(m)")
        axis.set(xlabel="margin m", ylabel="rows" if self.sample_weight is None else "weight of rows", xlim=(low, high))
        handles = [handle for a in (axis, right) for handle in a.get_legend_handles_labels()[0]]
        narrow = axis.get_window_extent().width < _NARROW * axis.figure.dpi
        columns = _LEGEND_COLUMNS // 2 if narrow else _LEGEND_COLUMNS
        where = {"loc": "lower center", "bbox_to_anchor": (0.5, 1.0), "ncols": columns}
        right.legend(handles=handles, fontsize="small", frameon=False, **where)
        self.ax_, self.loss_ax_, self.figure_ = axis, right, axis.figure
        return self


def _groups(y: np.ndarray) -> tuple[list[str], list[np.ndarray]]:
    """What has a colour of its own, and its rows: each class, or all of them where there are more than colours."""
    classes = np.unique(y)
    if len(classes) > len(COLOURS):
        return [f"all {len(classes)} classes"], [np.ones(len(y), dtype=bool)]
    return [f"class {label}" for label in classes], [y == label for label in classes]


def _margins(codes: np.ndarray, z: np.ndarray, joint: bool) -> np.ndarray:
    """The margin of each row by the code of its class."""
    if z.ndim == 1:
        return np.where(codes == 1, z, -z)
    own = z[np.arange(len(z)), codes]
    if not joint:
        return own
    others = z.copy()
    others[np.arange(len(z)), codes] = -np.inf
    return own - logsumexp(others, axis=1)
