"""What a solver is to the suite, and marginclf's and scikit-learn's; peers.py has those of other packages.

A solver's tolerance means something else in each package, so each has a ladder of values from loose to tight, and what
counts is how close to the optimum its coefficients really are. ``max_iter`` is generous everywhere.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from joblib import Parallel, delayed
from sklearn.linear_model import LogisticRegression, RidgeClassifier, SGDClassifier
from sklearn.svm import LinearSVC

from marginclf import MarginLinearClassifier
from marginclf.losses import get_loss
from marginclf.solvers import SOLVERS

MAX_ITER = 10_000
OURS = "marginclf"


@dataclass(frozen=True)
class Task:
    """What is to be fitted, and with how many threads."""

    X: Any
    y: np.ndarray
    loss: str
    C: float
    fit_intercept: bool
    threads: int
    joint: bool = False  # one margin for all classes, instead of one for each against the rest

    @property
    def multi_class(self) -> str:
        return "joint" if self.joint else "ovr"

    @property
    def alpha(self) -> float:
        """The strength of the penalty ½ α ‖w‖² beside the mean loss: F / (C n) is that objective."""
        return 1.0 / (self.C * self.X.shape[0])


@dataclass(frozen=True)
class Solver:
    """One line of the tables.

    ``fit(task, value)`` is what is timed: everything from X and y to a fitted object, with its tolerance (``knob``)
    at ``value``; None is the package's own default. ``coefficients(model)`` reads W and b from it, untimed.
    """

    name: str
    fit: Callable[[Task, Any], Any]
    ladder: tuple[float | int | None, ...]
    losses: tuple[str, ...] | None = ("logistic",)  # None: whatever marginclf has
    package: str = "sklearn"
    knob: str = "tol"
    intercept: bool = True  # fits one that is not penalised; where it is penalised, the objective is another
    max_features: int | None = None  # more would need a d × d matrix that does not fit into memory
    several_classes: bool = False  # takes more than two classes itself, one against the rest
    joint: bool = False  # takes them with one joint margin
    coefficients: Callable[[Any], tuple[Any, Any]] = lambda model: (model.coef_, model.intercept_)
    kinks: bool = True  # takes the hinge, where losses is None
    reaches: float = 1e-7  # how close the tightest rung comes on the small problems of ``run.py --check``

    @property
    def ours(self) -> bool:
        return self.package == OURS

    def takes(self, loss: str, fit_intercept: bool, d: int, joint: bool = False) -> bool:
        if (joint and not self.joint) or (fit_intercept and not self.intercept):
            return False
        known = has_loss(loss, kinks=self.kinks) if self.losses is None else loss in self.losses
        return known and (self.max_features is None or d <= self.max_features)


def has_loss(loss: str, *, kinks: bool = True) -> bool:
    """Whether marginclf has the loss, with kinks or only as a smooth one."""
    try:
        return get_loss(loss).smooth or kinks
    except (TypeError, ValueError, NotImplementedError):  # an earlier marginclf, measured beside this one, lacks it
        return False


def run(solver: Solver, task: Task, value: Any) -> list[Any]:
    """The fit that is timed. Several classes are fitted one against the rest, side by side in threads."""
    classes = np.unique(task.y)
    if len(classes) == 2 or solver.several_classes or task.joint:
        return [solver.fit(task, value)]
    jobs = [replace(task, y=np.where(task.y == k, 1, -1), threads=1) for k in classes]
    return Parallel(n_jobs=task.threads, prefer="threads")(delayed(solver.fit)(job, value) for job in jobs)


def coefficients(solver: Solver, models: list[Any], d: int) -> tuple[np.ndarray, np.ndarray]:
    """W of shape (K, d) and b of shape (K,), float64."""
    pairs = [solver.coefficients(model) for model in models]
    W = np.concatenate([np.asarray(w, dtype=np.float64).reshape(-1, d) for w, _ in pairs])
    b = np.concatenate([np.broadcast_to(np.asarray(b, dtype=np.float64).ravel(), np.size(w) // d) for w, b in pairs])
    return W, b


def _marginclf(solver: str) -> Solver:
    def fit(task: Task, tol: float | None) -> Any:
        options = {} if tol is None else {"tol": tol, "solver": solver, "max_iter": MAX_ITER}
        model = MarginLinearClassifier(
            task.loss, C=task.C, fit_intercept=task.fit_intercept, multi_class=task.multi_class, n_jobs=task.threads,
            **options,
        )  # fmt: skip
        return model.fit(task.X, task.y)

    ladder = (None,) if solver == "as it comes" else (1e-2, 1e-4, 1e-6, 1e-8, 1e-12)
    kinks = solver != "lbfgs"
    return Solver(f"marginclf {solver}", fit, ladder, None, OURS, several_classes=True, joint=True, kinks=kinks)


def _logistic_regression(solver: str, ladder: tuple[float | None, ...], *, dual: bool = False, **facts: Any) -> Solver:
    def fit(task: Task, tol: float | None) -> Any:
        options = {} if tol is None else {"tol": tol, "solver": solver, "max_iter": MAX_ITER, "dual": dual}
        model = LogisticRegression(C=task.C, fit_intercept=task.fit_intercept, random_state=0, **options)
        return model.fit(task.X, task.y)

    name = f"LogisticRegression {solver}{' dual' if dual else ''}"
    return Solver(name, fit, ladder, joint=solver != "liblinear", **facts)


def _linear_svc(loss: str, *, dual: bool) -> Solver:
    def fit(task: Task, tol: float) -> Any:
        model = LinearSVC(
            C=task.C, loss=loss, dual=dual, tol=tol, fit_intercept=False, max_iter=MAX_ITER, random_state=0
        )
        return model.fit(task.X, task.y)

    name = f"LinearSVC {'hinge ' if loss == 'hinge' else ''}{'dual' if dual else 'primal'}"
    return Solver(name, fit, (1e-1, 1e-2, 1e-4, 1e-6), (loss,), intercept=False, reaches=1e-5)


def _sgd() -> Solver:
    # squared_error is half of φ = (1 − m)², so its penalty is halved too.
    names = {
        **{"logistic": "log_loss", "hinge": "hinge", "squared_hinge": "squared_hinge"},
        **{"modified_huber": "modified_huber", "squared": "squared_error"},
    }

    def fit(task: Task, epochs: int) -> Any:
        alpha = task.alpha / 2.0 if task.loss == "squared" else task.alpha
        model = SGDClassifier(
            names[task.loss], alpha=alpha, fit_intercept=task.fit_intercept, max_iter=epochs, tol=None, random_state=0
        )
        return model.fit(task.X, task.y)

    # Its tolerance is about the noise of the last epochs; the number of epochs says how far it goes.
    return Solver("SGDClassifier", fit, (3, 10, 30, 100, 300), tuple(names), knob="epochs", reaches=3e-4)


def _ridge(solver: str, ladder: tuple[float, ...], **facts: Any) -> Solver:
    # (1 − m)² = (y − z)², beside ‖w‖² alone: alpha = 1/(2C).
    def fit(task: Task, tol: float) -> Any:
        model = RidgeClassifier(
            1.0 / (2.0 * task.C), fit_intercept=task.fit_intercept, solver=solver, tol=tol, max_iter=MAX_ITER
        )
        return model.fit(task.X, task.y)

    return Solver(f"RidgeClassifier {solver}", fit, ladder, ("squared",), **facts)


_GRADIENT = (1e-2, 1e-4, 1e-6, 1e-8)
_STEP = (1e-2, 1e-3, 1e-4, 1e-6, 1e-8)
_D_BY_D = 3_000

SKLEARN = (
    _logistic_regression("as it comes", (None,), reaches=1e-3),
    _logistic_regression("lbfgs", _GRADIENT),
    _logistic_regression("newton-cg", _GRADIENT),
    _logistic_regression("newton-cholesky", _GRADIENT, max_features=_D_BY_D),
    _logistic_regression("liblinear", (1e-1, 1e-2, 1e-4, 1e-6), intercept=False),
    _logistic_regression("liblinear", (1e-1, 1e-2, 1e-4, 1e-6), dual=True, intercept=False),
    _logistic_regression("sag", _STEP),
    _logistic_regression("saga", _STEP),
    _linear_svc("squared_hinge", dual=False),
    _linear_svc("squared_hinge", dual=True),
    _linear_svc("hinge", dual=True),
    _sgd(),
    _ridge("cholesky", (1e-4,), max_features=_D_BY_D),
    _ridge("lsqr", (1e-2, 1e-4, 1e-6, 1e-8)),
)
MARGINCLF = tuple(_marginclf(solver) for solver in ("as it comes", "auto", *SOLVERS))
