"""scikit-learn's callbacks (from its version 1.9 on); with an older one there are none."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

try:
    from sklearn.callback import CallbackSupportMixin, with_callbacks
except ImportError:  # scikit-learn < 1.9

    class CallbackSupportMixin:  # type: ignore[no-redef]
        """Nothing."""

    def with_callbacks(method: Callable) -> Callable:  # type: ignore[no-redef]
        return method


class Tasks:
    """The fit as a tree of tasks: iterations, or with several problems one task for each, with its iterations below.

    Parameters
    ----------
    estimator : MarginLinearClassifier
        Whose callbacks are called.
    n_problems, joint : int, bool
        How many problems there are, and whether the one there is holds all classes.
    shape : tuple of int
        Of ``coef_``.
    fitted : dict
        Attributes of a fitted estimator beside coefficients and intercepts.
    **data
        X, y and metadata for the callbacks.
    """

    def __init__(
        self, estimator: Any, n_problems: int, shape: tuple[int, int], fitted: dict[str, Any], **data: Any
    ) -> None:
        self._estimator, self._data, self._fitted = estimator, data, fitted
        self._coef, self._intercept = np.zeros(shape), np.zeros(shape[0])
        several = n_problems > 1
        self._root = estimator._init_callback_context(
            max_subtasks=n_problems if several else None, sequential_subtasks=not several
        )
        self._root.call_on_fit_task_begin(estimator=estimator, **data)
        self._problems = [self._root]
        if several:
            self._problems = [
                self._root.subcontext(task_name="class", task_id=k, max_subtasks=None) for k in range(n_problems)
            ]
            for problem in self._problems:
                problem.call_on_fit_task_begin(estimator=estimator, **data)

    def iteration(self, number: int, point: Any) -> bool:
        """Tell the callbacks of an iterate; whether one of them asks to stop."""
        if len(self._problems) > 1:
            self._coef[number], self._intercept[number] = point.coefficients[0], point.b[0]
        elif len(self._coef) > 1:
            self._coef, self._intercept = point.coefficients, np.array(point.b)
        else:
            self._coef[0], self._intercept[0] = point.coefficients[0], point.b[0]
        context = self._problems[number].subcontext(task_name="iteration")
        context.call_on_fit_task_begin(estimator=self._estimator, **self._data)
        return bool(
            context.call_on_fit_task_end(
                estimator=self._estimator, reconstruction_attributes=self._reconstruction, **self._data
            )
        )

    def end(self, coef: np.ndarray, intercept: np.ndarray) -> None:
        """The estimator is fitted."""
        self._coef, self._intercept = coef, intercept
        for context in (*(self._problems if len(self._problems) > 1 else ()), self._root):
            context.call_on_fit_task_end(
                estimator=self._estimator, reconstruction_attributes=self._reconstruction, **self._data
            )

    def _reconstruction(self) -> dict[str, Any]:
        return {**self._fitted, "coef_": self._coef.copy(), "intercept_": self._intercept.copy()}
