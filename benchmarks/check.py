"""Do all solvers minimise the same objective? ``python benchmarks/run.py --check``

Every solver is run at its tightest rung on small data, dense and sparse, with and without an intercept, for each loss
that it takes; its coefficients, in the objective of objective.py, must come as near to the optimum as ``reaches`` says.
The strength of the penalty is chosen so that a solver given twice the C would miss that by far, which is checked too,
and so is that marginclf's own ``objective_`` is that of objective.py.
"""

from __future__ import annotations

import dataclasses
import warnings
from typing import Any

import numpy as np
from data import dense
from objective import LOSSES, objective
from scipy import sparse
from solvers import Solver, Task, coefficients, has_loss, run

from marginclf import MarginLinearClassifier

_C = 0.003
_CLASSES = 3
# On sparse data it moves the intercept a hundred times more slowly, and is not there after any sensible number of
# epochs; its objective is checked on dense data.
_SLOW_INTERCEPT = "SGDClassifier"


def _tasks() -> dict[str, Task]:
    X, y = dense(800, 6, seed=9)
    X[np.abs(X) < 0.3] = 0.0
    several = (np.digitize(X[:, 0] + 0.2 * y, (-0.7, 0.7))).astype(int)
    found = {}
    for loss in LOSSES:
        for fit_intercept in (True, False):
            task = Task(X, y, loss, _C, fit_intercept, 1)
            ending = "" if fit_intercept else ", no intercept"
            found[f"{loss}{ending}"] = task
            if loss in ("logistic", "squared_hinge"):
                found[f"{loss}, sparse{ending}"] = dataclasses.replace(task, X=sparse.csr_matrix(X))
                found[f"{loss}, {_CLASSES} classes{ending}"] = dataclasses.replace(task, y=several)
                found[f"{loss}, {_CLASSES} classes, joint{ending}"] = dataclasses.replace(task, y=several, joint=True)
        if loss == "logistic":
            found["logistic, float32"] = Task(X.astype(np.float32), y, loss, _C, True, 1)
    return found


def _optimum(task: Task, C: float) -> Any:
    model = MarginLinearClassifier(
        task.loss, C=C, fit_intercept=task.fit_intercept, multi_class=task.multi_class, tol=1e-15
    )
    return model.fit(task.X, task.y)


def check(solvers: list[Solver]) -> int:
    """Print what each solver reached, in its worst case; return the number of failures."""
    warnings.simplefilter("ignore")
    failures = []
    worst: dict[str, tuple[float, str]] = {}
    for name, task in _tasks().items():
        if not has_loss(task.loss):
            continue

        def value(W: np.ndarray, b: np.ndarray, task: Task = task) -> float:
            return objective(task.X, task.y, W, b, task.C, task.loss, task.joint)

        model, wrong = _optimum(task, _C), _optimum(task, 2.0 * _C)
        best = value(model.coef_, model.intercept_)
        if abs(best - model.objective_.sum()) > 1e-12 * best:
            failures.append(f"{name}: objective_ is {model.objective_.sum()!r}, objective.py says {best!r}")
        missed = (value(wrong.coef_, wrong.intercept_) - best) / best
        for solver in solvers:
            slow = solver.name == _SLOW_INTERCEPT and sparse.issparse(task.X) and task.fit_intercept
            if slow or not solver.takes(task.loss, task.fit_intercept, task.X.shape[1], task.joint):
                continue
            allowed = solver.reaches
            W, b = coefficients(solver, run(solver, task, solver.ladder[-1]), task.X.shape[1])
            reached = (value(W, b) - best) / best
            worst[solver.name] = max(worst.get(solver.name, (-1.0, "")), (reached, name))
            if not -1e-13 <= reached <= allowed:
                failures.append(f"{solver.name}, {name}: {reached:.1e} from the optimum, {allowed:.0e} allowed")
            if missed < 3.0 * allowed:
                failures.append(f"{solver.name}, {name}: twice the C would be {missed:.1e} off, too little to notice")
    for solver, (reached, name) in worst.items():
        print(f"{solver:36s} worst {reached:8.1e}  ({name})")
    print("\n".join(failures) if failures else f"{len(worst)} solvers: all objectives are the same")
    return len(failures)
