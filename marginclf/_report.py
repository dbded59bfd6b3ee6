"""What a fit says: a line for each class where it is verbose, one warning where it did not reach an optimum."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from sklearn.exceptions import ConvergenceWarning

from .solvers import Solution


def line(label: str, solution: Solution, seconds: float) -> str:
    """How the fit of one class, or of all, ended."""
    point = solution.point
    return (
        f"[marginclf] {label}: {solution.n_iter} iterations, {seconds:.3f} s, objective {point.value:.10g}, "
        f"suboptimality at most {point.suboptimality:.1e}. {solution.status.value}"
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
    failed = [(s, label) for s, label in zip(solutions, labels, strict=True) if not s.status.converged]
    if not failed:
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
    warnings.warn(
        f"loss={estimator.loss!r}, {worst.n_iter} iterations: {worst.status.value}{where} At the end {reached}. "
        f"{worst.status.remedy}",
        ConvergenceWarning,
        stacklevel=4,
    )
