"""How a fit came to its optimum."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Self

import numpy as np

from .._estimator.coefficients import loss_of
from .._process import quiet
from .drawing import axes_for, fitted_classifier_in, next_style, unpacked
from .losses import name_of

_AGAINST = {"iterations": "iterations", "seconds": "seconds", "passes": "passes over the data"}
_ROUNDING = 1e-16
_MARKED = 60
"""Points up to which each gets a mark."""


class ConvergenceDisplay:
    """The proven suboptimality against iterations and time.

    Create it with :meth:`from_estimator` or :meth:`from_history`.

    Parameters
    ----------
    histories : list of dict
        For each line, the columns of ``history_``: "objective", "suboptimality", "seconds" and "passes".
    names : list of str
        What the lines are called.

    Attributes
    ----------
    ax_ : ndarray of Axes
        One for each quantity that the lines are drawn against.
    figure_ : Figure
        The figure that holds them.
    lines_ : list of Line2D
        What was drawn.

    Examples
    --------
    >>> from sklearn.datasets import load_breast_cancer
    >>> from sklearn.preprocessing import scale
    >>> from marginclf import MarginLinearClassifier
    >>> from marginclf.inspection import ConvergenceDisplay
    >>> X, y = load_breast_cancer(return_X_y=True)
    >>> model = MarginLinearClassifier(solver="lbfgs", record_history=True).fit(scale(X), y)
    >>> display = ConvergenceDisplay.from_estimator(model)
    >>> [ax.get_xlabel() for ax in display.ax_]
    ['iterations', 'seconds']
    """

    def __init__(self, *, histories: list[Mapping[str, np.ndarray]], names: list[str]) -> None:
        self.histories = histories
        self.names = names

    @classmethod
    @quiet
    def from_estimator(
        cls, estimator: Any, X: Any = None, y: Any = None, *, name: str | None = None, **options: Any
    ) -> Self:
        """Draw the history of a fit.

        Parameters
        ----------
        estimator : MarginLinearClassifier
            Fitted with ``record_history=True``; or a pipeline that ends with one, or a search over one.
        X, y : ignored
            Taken for the sake of a common form.
        name : str, default=None
            Name of the line; None for the loss and the solver. With several problems, the class is added to the name.
        **options : dict
            As for :meth:`plot`.

        Returns
        -------
        ConvergenceDisplay
        """
        classifier = fitted_classifier_in(estimator)
        if not hasattr(classifier, "history_"):
            raise ValueError("the fit kept no history: set record_history=True before fit")
        name = f"{name_of(loss_of(classifier))}, {classifier.solver}" if name is None else name
        several = len(classifier.history_) > 1
        names = [f"{name}, class {label}" for label in classifier.classes_] if several else [name]
        return cls.from_history(*classifier.history_, names=names, **options)

    @classmethod
    @quiet
    def from_history(
        cls, *histories: Mapping[str, Any] | Sequence[Mapping[str, Any]], names: Sequence[str], **options: Any
    ) -> Self:
        """Draw histories.

        Parameters
        ----------
        *histories : dict
            Columns as in ``history_``; or one list of them, such as ``history_`` itself.
        names : sequence of str
            What the lines are called.
        **options : dict
            As for :meth:`plot`.

        Returns
        -------
        ConvergenceDisplay
        """
        chosen = unpacked(histories)
        if len(names) != len(chosen):
            raise ValueError(f"names must be as many as the histories, {len(chosen)}, got {len(names)}")
        return cls(histories=list(chosen), names=list(names)).plot(**options)

    @quiet
    def plot(
        self,
        *,
        against: Sequence[str] = ("iterations", "seconds"),
        figure: str = "suboptimality",
        ax: Any = None,
        **line: Any,
    ) -> Self:
        """Draw.

        Parameters
        ----------
        against : sequence of {"iterations", "seconds", "passes"}
            What to draw against; an axes for each.
        figure : {"suboptimality", "objective"}, default="suboptimality"
            The proven bound, or how far the objective is above its lowest value, as a fraction of it: all there is for
            a loss that is not convex, and not a proof of anything.
        ax : Axes or array of Axes, default=None
            One for each of ``against``, or one that is divided; None for a new figure. Lines are added to those that it
            holds.
        **line : dict
            For ``Axes.plot``.

        Returns
        -------
        ConvergenceDisplay
        """
        unknown = [key for key in against if key not in _AGAINST]
        if unknown:
            raise ValueError(f"unknown quantity {unknown[0]!r} in against; known: {', '.join(_AGAINST)}")
        if figure not in ("suboptimality", "objective"):
            raise ValueError(f"figure must be 'suboptimality' or 'objective', got {figure!r}")
        heights = [_heights(history, figure, name) for history, name in zip(self.histories, self.names, strict=True)]
        axes = axes_for(ax, len(against), size=(4.5, 3.6))
        self.lines_ = []
        for history, y, name in zip(self.histories, heights, self.names, strict=True):
            style = next_style(axes[0])
            for axis, key in zip(axes, against, strict=True):
                x = np.arange(len(y)) if key == "iterations" else np.asarray(history[key])
                self.lines_ += axis.plot(x, y, **{**style, "marker": _marker(y), "label": name, **line})
        for axis, key in zip(axes, against, strict=True):
            axis.set(xlabel=_AGAINST[key], yscale="log")
            axis.locator_params(axis="x", nbins=5)
            axis.grid(visible=True, alpha=0.3)
        label = "proven suboptimality" if figure == "suboptimality" else "objective above its lowest"
        axes[0].set_ylabel(f"{label}, relative")
        axes[0].legend(fontsize="small")
        self.ax_, self.figure_ = axes, axes[0].figure
        return self


def _marker(y: np.ndarray) -> str:
    return "." if len(y) <= _MARKED else "None"


def _heights(history: Mapping[str, Any], figure: str, name: str) -> np.ndarray:
    """What is drawn, not below rounding: a logarithm has no place for zero."""
    if figure == "suboptimality":
        bound = np.asarray(history["suboptimality"], dtype=float)
        if not np.isfinite(bound).any():
            raise ValueError(f"nothing was proven of {name}: use figure='objective'")
        return np.maximum(bound, _ROUNDING)
    F = np.asarray(history["objective"], dtype=float)
    lowest = F.min()
    return np.maximum((F - lowest) / (abs(lowest) or 1.0), _ROUNDING)
