"""What a fit says: a line for each class where it is verbose, one warning where it did not reach an optimum."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.exceptions import ConvergenceWarning

from .._process import warn
from ..solvers import Solution, Status


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
    if failed[0][0].status is Status.LONE_CLASS:
        status, label = failed[0][0].status, failed[0][1]
        warn(f"{status.value} The class is {label!r}. {status.remedy}", ConvergenceWarning, stacklevel=3)
        return
    worst, label = max(failed, key=lambda pair: np.nan_to_num(pair[0].point.suboptimality, nan=np.inf))
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
        f"{worst.status.remedy}",
        ConvergenceWarning,
        stacklevel=3,  # who called fit
    )
