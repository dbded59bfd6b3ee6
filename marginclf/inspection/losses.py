"""Losses side by side."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self

import numpy as np

from .._estimator.coefficients import loss_of
from .._process import quiet
from ..losses import MarginLoss, get_loss
from .drawing import axes_for, classifier_in, next_style, unpacked

CURVES = ("value", "slope", "curvature", "probability")
_SYMBOLS = {"value": "φ(m)", "slope": "φ′(m)", "curvature": "φ″(m)", "probability": "η(z)"}
_SHARE, _STEEP = 0.95, 3.0
"""Where a few points of a steep loss are so many times beyond this part of all, they are left outside the picture."""


class LossDisplay:
    """Value, slope and curvature of losses against the margin, and the probability against the decision value.

    Create it with :meth:`from_losses` or :meth:`from_estimator`.

    Parameters
    ----------
    margins : ndarray of shape (n,)
        Where the losses are evaluated.
    values : list of dict
        For each loss, the curves by name, "value", "slope", "curvature" and, where there is one, "probability": arrays
        of shape (n,).
    names : list of str
        Names of the losses in the legend.

    Attributes
    ----------
    ax_ : ndarray of Axes
        One for each curve.
    figure_ : Figure
        The figure that holds them.
    lines_ : list of Line2D
        What was drawn.

    Examples
    --------
    >>> from marginclf.inspection import LossDisplay
    >>> display = LossDisplay.from_losses("logistic", "hinge", "savage")
    >>> [ax.get_title() for ax in display.ax_]
    ['value φ(m)', 'slope φ′(m)', 'curvature φ″(m)', 'probability η(z)']
    """

    def __init__(self, *, margins: np.ndarray, values: list[dict[str, np.ndarray]], names: list[str]) -> None:
        self.margins = margins
        self.values = values
        self.names = names

    @classmethod
    @quiet
    def from_losses(
        cls,
        *losses: str | MarginLoss | Sequence[str | MarginLoss],
        margin_range: tuple[float, float] = (-3.0, 3.0),
        n_points: int = 601,
        names: Sequence[str] | None = None,
        curves: Sequence[str] = CURVES,
        ax: Any = None,
        **line: Any,
    ) -> Self:
        """Draw losses.

        Parameters
        ----------
        *losses : str or MarginLoss
            Names, aliases or objects, your own included; or one list of them.
        margin_range : tuple of float, default=(-3.0, 3.0)
            Smallest and largest margin.
        n_points : int, default=601
            Number of points of each curve.
        names : sequence of str, default=None
            What the losses are called; None for their names, with the parameters that were changed.
        curves : sequence of {"value", "slope", "curvature", "probability"}
            What to draw; an axes for each.
        ax : Axes or array of Axes, default=None
            One for each curve, or one that is divided; None for a new figure.
        **line : dict
            For ``Axes.plot``.

        Returns
        -------
        LossDisplay
        """
        chosen = unpacked(losses)
        if not chosen:
            raise ValueError("from_losses needs a loss, such as LossDisplay.from_losses('logistic', 'hinge')")
        margins = np.linspace(*margin_range, n_points)
        resolved = [get_loss(loss) for loss in chosen]
        values = [_curves(loss, margins) for loss in resolved]
        labels = [name_of(loss) for loss in resolved] if names is None else list(names)
        return cls(margins=margins, values=values, names=labels).plot(curves=curves, ax=ax, **line)

    @classmethod
    @quiet
    def from_estimator(cls, estimator: Any, X: Any = None, y: Any = None, **options: Any) -> Self:
        """Draw the loss of a classifier, fitted or not.

        Parameters
        ----------
        estimator : MarginLinearClassifier
            Or a pipeline that ends with one, or a fitted search over one.
        X, y : ignored
            Taken for the sake of a common form.
        **options : dict
            As for :meth:`from_losses`.

        Returns
        -------
        LossDisplay
        """
        classifier = classifier_in(estimator)
        return cls.from_losses(loss_of(classifier), **options)

    @quiet
    def plot(self, *, curves: Sequence[str] = CURVES, ax: Any = None, **line: Any) -> Self:
        """Draw.

        Parameters
        ----------
        curves : sequence of {"value", "slope", "curvature", "probability"}
            What to draw; an axes for each.
        ax : Axes or array of Axes, default=None
            One for each curve, or one that is divided; None for a new figure. Lines are added to those it holds.
        **line : dict
            For ``Axes.plot``.

        Returns
        -------
        LossDisplay
        """
        unknown = [curve for curve in curves if curve not in CURVES]
        if unknown:
            raise ValueError(f"unknown curve {unknown[0]!r}; known: {', '.join(CURVES)}")
        axes = axes_for(ax, len(curves), size=(3.0, 3.2))
        self.lines_ = []
        for values, name in zip(self.values, self.names, strict=True):
            style = next_style(axes[0])
            for axis, curve in zip(axes, curves, strict=True):
                found = values.get(curve, np.full_like(self.margins, np.nan))
                label = name if curve in values else f"{name}: none"
                self.lines_ += axis.plot(self.margins, found, **{**style, "label": label, **line})
        for axis, curve in zip(axes, curves, strict=True):
            axis.set(
                title=f"{curve} {_SYMBOLS[curve]}",
                xlabel="decision value z" if curve == "probability" else "margin m = y z",
            )
            _limit(axis)
        axes[0].legend(fontsize="small")
        self.ax_, self.figure_ = axes, axes[0].figure
        return self


def _curves(loss: MarginLoss, margins: np.ndarray) -> dict[str, np.ndarray]:
    found = dict(zip(CURVES, loss.evaluate(margins), strict=False))
    if loss.probability is not None:
        found["probability"] = loss.probability(margins)
    return found


def name_of(loss: MarginLoss) -> str:
    """As a user would write it: the name and the parameters that were changed."""
    return f"{loss.name or type(loss).__name__}{repr(loss)[len(type(loss).__name__) :]}".removesuffix("()")


def _limit(axis: Any) -> None:
    """A steep loss is cut off where it would press the others flat."""
    lines = [line.get_ydata() for line in axis.get_lines()]
    points = np.concatenate([y[np.isfinite(y)] for y in lines])
    if not len(points):
        return
    low, high = points.min(), points.max()
    if len(lines) > 1:
        usual_low, usual_high = np.quantile(points, [1.0 - _SHARE, _SHARE])
        size = max(usual_high, -usual_low)
        low, high = (usual_low if -low > _STEEP * size else low), (usual_high if high > _STEEP * size else high)
    room = 0.05 * (high - low) or 0.1
    axis.set_ylim(low - room, high + room)
