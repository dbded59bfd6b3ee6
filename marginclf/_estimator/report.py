"""What a fit says: a line for each class where it is verbose, one warning where it did not reach an optimum."""

from __future__ import annotations

import sys
import time
import warnings
import weakref
from typing import Any

import numpy as np
from sklearn.exceptions import ConvergenceWarning

from .._process import warn
from ..losses import MarginLoss
from ..losses.checking import jump_without_prox
from ..losses.compiling import is_built_in
from ..solvers import Solution, Status

_MANY_FITS = {"sklearn.utils.parallel", "sklearn.model_selection._validation"}
"""Modules of scikit-learn that are on the way to a fit where it is one of many, as in a search."""

_QUIET = 60.0
"""Seconds after such a warning in which it is not repeated."""

_last: dict[tuple, float] = {}
"""When fits among many last ended in a way to be warned of, by where the search began, loss and status."""


def proven(bound: float) -> str:
    """A bound on the relative suboptimality, in words."""
    return f"proven suboptimality {bound:.1e}" if np.isfinite(bound) else "nothing proven"


def line(label: str, solution: Solution, seconds: float) -> str:
    """How the fit of one class, or of all, ended."""
    point = solution.point
    return (
        f"[marginclf] {label}: {solution.n_iter} iterations, {seconds:.3f} s, objective {point.value:.10g}, "
        f"{proven(point.suboptimality)}. {solution.status.value}"
    )


def warn_if_unfinished(estimator: Any, solutions: list[Solution], labels: list) -> None:
    """One ConvergenceWarning for all classes that did not end at an optimum; the worst of them speaks for all.

    One for all fits of a search with the same loss that end in the same way, where Python's filters are such that what
    repeats itself is shown once, as they are by default.

    Parameters
    ----------
    estimator : MarginLinearClassifier
        Whose fit it is.
    solutions : list of Solution
        One for each class.
    labels : list
        The classes.
    """
    ended = [(s, label) for s, label in zip(solutions, labels, strict=True)]
    failed = [pair for pair in ended if not pair[0].status.converged and pair[0].status is not Status.STOPPED]
    if not failed:
        return
    worst, label = max(failed, key=lambda pair: np.nan_to_num(pair[0].point.suboptimality, nan=np.inf))
    search = _search()
    others = "" if search is None else " Other fits of this search may end so too."
    if search is not None and _repeated((search, type(estimator.loss_), worst.status)):
        return
    if worst.status is Status.LONE_CLASS:  # the only one then
        text = f"{worst.status.value} The class is {label!r}. {worst.status.remedy}{others}"
        warn(text, ConvergenceWarning, stacklevel=3)
        return
    more = f" and {len(failed) - 1} more" if len(failed) > 1 else ""
    where = f" Class {label!r}{more}." if len(solutions) > 1 else ""
    bound = worst.point.suboptimality
    reached = (
        "nothing can be proved about its distance to the optimum"
        if np.isnan(bound)
        else f"the proven relative suboptimality is {bound:.1e} (tol={estimator.tol:g})"
    )
    warn(
        f"loss={estimator.loss!r}, {worst.n_iter} iterations: {worst.status.value}{where} At the end {reached}. "
        f"{_remedy(worst.status, estimator.loss_)}{others}",
        ConvergenceWarning,
        stacklevel=3,  # who called fit
    )


def _remedy(status: Status, loss: MarginLoss) -> str:
    """What to do; first of all, whether the fault is in a loss that the user has written."""
    if status not in (Status.LINE_SEARCH, Status.MAX_ITER) or is_built_in(type(loss), (type(loss).point,)):
        return status.remedy
    jump = jump_without_prox(loss)
    if jump:
        jump = jump.replace("the slope", f"The slope of {type(loss).__name__}", 1)
        return f"{jump}. marginclf.losses.check_margin_loss(loss) names all that is wrong with it."
    return f"Try marginclf.losses.check_margin_loss(loss). If it passes: {status.remedy}"


def _search() -> tuple | None:
    """What a fit is one of many of: file and line that began the search, and its object, if any; None if nothing."""
    frame, among_many, owner = sys._getframe(1), False, None
    while frame is not None:
        module = frame.f_globals.get("__name__", "")
        among_many |= module in _MANY_FITS
        if among_many and module.partition(".")[0] not in ("sklearn", "joblib"):
            return frame.f_code.co_filename, frame.f_lineno, owner
        try:
            here = weakref.ref(frame.f_locals["self"])
            hash(here)
            owner = here  # the outermost one in the end
        except (KeyError, TypeError):
            pass
        frame = frame.f_back  # type: ignore[assignment]
    return None


def _repeated(kind: tuple) -> bool:
    """Whether the last one of a kind was a moment ago, and Python would not show a warning twice.

    Python itself compares whole texts, numbers in them included, and forgets them in each task of a search.
    """
    before, now = _last.pop(kind, -np.inf), time.monotonic()
    for old in [key for key, then in _last.items() if now - then > _QUIET]:
        del _last[old]
    _last[kind] = now
    of_all = ((action, of) for action, message, of, module, _ in warnings.filters if not (message or module))
    action = next((action for action, of in of_all if issubclass(ConvergenceWarning, of)), "default")
    return action in ("default", "module", "once") and now - before < _QUIET
