"""The process that fits: started by schedule.py with its threads fixed, one command a line in, one answer a line out.

It holds one problem at a time and fits it once for each command, so that the schedule is made outside of it, and a fit
that runs too long can be ended together with it.
"""

from __future__ import annotations

import dataclasses
import json
import os
import sys
import warnings
from typing import Any

import numpy as np
from environment import blas, threads
from objective import accuracy, objective
from peers import EVERY_SOLVER
from problems import PROBLEMS
from scipy import sparse
from solvers import MAX_ITER, Task, coefficients, run
from timing import seconds, still

from marginclf import MarginLinearClassifier

_SOLVERS = {solver.name: solver for solver in EVERY_SOLVER}
_PROBLEMS = {problem.name: problem for problem in PROBLEMS}
_WARM_ROWS = 20  # of each class
_WARM_COLUMNS = 50  # for solvers with a d × d matrix; others may take another path when there are few columns


class Bench:
    """The problem at hand, and what can be asked about it."""

    task: Task

    def problem(self, name: str, shrink: int) -> dict[str, Any]:
        """Make the data; say what it is like."""
        problem = _PROBLEMS[name]
        X, y = problem.make(shrink)
        self.task = Task(X, y, problem.loss, problem.C, problem.fit_intercept, threads(), problem.joint)
        return {
            "shape": list(X.shape),
            "nonzeros": int(X.nnz if sparse.issparse(X) else X.size),
            "dtype": str(X.dtype),
            "classes": len(np.unique(y)),
            "largest_class": float(np.unique(y, return_counts=True)[1].max() / len(y)),
            "loss": problem.loss,
            "C": problem.C,
            "fit_intercept": problem.fit_intercept,
            "joint": problem.joint,
        }

    def reference(self) -> dict[str, Any]:
        """An untimed fit to the limit of precision: F*, until a solver finds a smaller one, and how sure it is."""
        task = self.task
        model = MarginLinearClassifier(
            task.loss, C=task.C, fit_intercept=task.fit_intercept, multi_class=task.multi_class,
            tol=1e-15, max_iter=MAX_ITER, n_jobs=task.threads,
        ).fit(task.X, task.y)  # fmt: skip
        arguments = (task.X, task.y, model.coef_, model.intercept_, task.C, task.loss, task.joint)
        bound = float((model.suboptimality_ * model.objective_).sum() / model.objective_.sum())
        # What is proved of F* (absent where nothing is), and what rounding does to F when it is measured.
        return {
            "best": objective(*arguments),
            "proved": bound if np.isfinite(bound) else None,
            "accuracy": accuracy(*arguments),
        }

    def warm(self, solver: str) -> dict[str, Any]:
        """A first fit on a few rows, so that nothing is compiled, imported or started while the clock runs."""
        task = self.task
        rows = np.concatenate([np.flatnonzero(task.y == k)[:_WARM_ROWS] for k in np.unique(task.y)])
        X = task.X[rows]
        if _SOLVERS[solver].max_features is not None:
            X = X[:, :_WARM_COLUMNS] if sparse.issparse(X) else np.ascontiguousarray(X[:, :_WARM_COLUMNS])
        run(_SOLVERS[solver], dataclasses.replace(task, X=X, y=task.y[rows]), _SOLVERS[solver].ladder[0])
        still()
        return {}

    def fit(self, solver: str, value: float | None) -> dict[str, Any]:
        task = self.task
        spent, models = seconds(lambda: run(_SOLVERS[solver], task, value))
        W, b = coefficients(_SOLVERS[solver], models, task.X.shape[1])
        if not (np.isfinite(W).all() and np.isfinite(b).all()):
            raise FloatingPointError("the coefficients are not finite")
        return {"seconds": spent, "objective": objective(task.X, task.y, W, b, task.C, task.loss, task.joint)}

    def blas(self) -> dict[str, Any]:
        return {"pools": blas()}


def main() -> None:
    # Packages print: their text goes to standard error, and standard output belongs to the answers.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    warnings.simplefilter("ignore")
    bench = Bench()
    for line in sys.stdin:
        command = json.loads(line)
        try:
            answer = getattr(bench, command.pop("do"))(**command)
        except Exception as error:  # whatever a package raises is its answer to this task; the next one is asked
            answer = {"error": f"{type(error).__name__}: {error}".splitlines()[0][:200]}
        print(json.dumps(answer), file=answers, flush=True)


if __name__ == "__main__":
    main()
