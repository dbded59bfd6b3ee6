"""What all displays share: matplotlib when it is needed, axes, colours, and the classifier inside an estimator."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.utils.validation import check_is_fitted

from .._estimator import MarginLinearClassifier

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
"""Of Okabe and Ito: colour-blind people tell them apart."""

LINES = ("-", "--", "-.", ":")
"""A second sign beside the colour."""


def pyplot() -> Any:
    """matplotlib.pyplot, imported late: only pictures need it."""
    try:
        import matplotlib.pyplot
    except ImportError as error:
        raise ImportError("marginclf.inspection needs matplotlib: pip install 'marginclf[plot]'") from error
    return matplotlib.pyplot


def axes_for(ax: Any, n: int, *, size: tuple[float, float]) -> np.ndarray:
    """n axes side by side: those that were given, or new ones in the place of one, or in a figure of their own."""
    plt = pyplot()
    if ax is None:
        _, axes = plt.subplots(1, n, figsize=(size[0] * n, size[1]), layout="constrained", squeeze=False)
        return axes[0]
    given = np.atleast_1d(np.asarray(ax, dtype=object)).ravel()
    if len(given) == n:
        return given
    if len(given) == 1:
        place = given[0].get_subplotspec()
        if place is None:
            raise ValueError(f"ax is not part of a grid, and cannot be divided into {n} axes; pass {n} axes")
        given[0].set_axis_off()
        grid = place.subgridspec(1, n)
        return np.array([given[0].figure.add_subplot(grid[k]) for k in range(n)], dtype=object)
    raise ValueError(f"ax must be one axes or {n} of them, got {len(given)}")


def unpacked(items: tuple) -> tuple:
    """The arguments of a call, where a single list may stand for all of them."""
    return tuple(items[0]) if len(items) == 1 and isinstance(items[0], list | tuple) else items


def next_style(ax: Any) -> dict[str, str]:
    """Colour and dashes of one more line beside those that the axes hold."""
    k = len(ax.get_lines())
    return {"color": COLOURS[k % len(COLOURS)], "linestyle": LINES[k % len(LINES)]}


def classifier_in(estimator: Any) -> MarginLinearClassifier:
    """The classifier itself: the last step of a pipeline, the best of a search.

    Raises
    ------
    TypeError
        If there is none.
    """
    found = estimator
    while not isinstance(found, MarginLinearClassifier):
        if hasattr(found, "best_estimator_"):
            found = found.best_estimator_
        elif getattr(found, "steps", None):
            found = found.steps[-1][1]
        else:
            raise TypeError(
                f"there is no MarginLinearClassifier in {estimator!r}; pass one, a pipeline that ends with one, or a "
                "fitted search over one"
            )
    return found


def fitted_classifier_in(estimator: Any) -> MarginLinearClassifier:
    """The same, fitted."""
    classifier = classifier_in(estimator)
    check_is_fitted(classifier)
    return classifier
