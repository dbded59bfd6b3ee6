"""Solvers of other packages, and a plain baseline. What a package needs is imported when it is first used."""

from __future__ import annotations

import importlib.util
from typing import Any

import numpy as np
from objective import LOSSES
from scipy import optimize, sparse
from solvers import _D_BY_D, MARGINCLF, MAX_ITER, SKLEARN, Solver, Task

_GRADIENT = (1e-3, 1e-5, 1e-7, 1e-9)


def _scipy() -> Solver:
    """What one would write without a package: the formulas of objective.py, handed to SciPy's L-BFGS-B."""

    def fit(task: Task, tol: float) -> Any:
        X, y, phi = task.X.astype(np.float64, copy=False), task.y, LOSSES[task.loss]
        n, d = X.shape

        def value_and_gradient(theta: np.ndarray) -> tuple[float, np.ndarray]:
            w = theta[:d]
            b = theta[d] if task.fit_intercept else 0.0
            values, slopes = phi(y * (X @ w + b))
            r = y * slopes / n
            gradient = X.T @ r + task.alpha * w
            return values.mean() + 0.5 * task.alpha * (w @ w), np.append(
                gradient, r.sum()
            ) if task.fit_intercept else gradient

        options = {"gtol": tol, "ftol": 64 * np.finfo(float).eps, "maxiter": MAX_ITER, "maxfun": 2 * MAX_ITER}
        start = np.zeros(d + task.fit_intercept)
        with np.errstate(over="ignore", invalid="ignore"):
            return optimize.minimize(value_and_gradient, start, method="L-BFGS-B", jac=True, options=options).x, d

    def coefficients(found: Any) -> tuple[Any, Any]:
        theta, d = found
        return theta[:d], theta[d:].sum()

    return Solver(
        "SciPy L-BFGS-B", fit, _GRADIENT, tuple(LOSSES), "scipy", knob="gtol", coefficients=coefficients, reaches=1e-6
    )


def _skglm(name: str) -> Solver:
    def fit(task: Task, tol: float) -> Any:
        from skglm import GeneralizedLinearEstimator
        from skglm.datafits import Logistic
        from skglm.penalties import L2, L1_plus_L2
        from skglm.solvers import LBFGS, ProxNewton

        X = task.X
        if name == "LBFGS":
            penalty, solver = L2(task.alpha), LBFGS(max_iter=MAX_ITER, tol=tol)
            # The estimator asks for two attributes that this solver lacks (skglm 0.5).
            solver.fit_intercept = solver.warm_start = False
        else:
            # L2 has no proximal operator there; the elastic net without its L1 part has one.
            penalty = L1_plus_L2(task.alpha, 0.0)
            solver = ProxNewton(max_iter=MAX_ITER, tol=tol, fit_intercept=task.fit_intercept)
            X = X.tocsc() if sparse.issparse(X) else np.asfortranarray(X)  # it walks along columns
        return GeneralizedLinearEstimator(Logistic(), penalty, solver).fit(X, task.y)

    return Solver(f"skglm {name}", fit, _GRADIENT, package="skglm", intercept=name != "LBFGS")


def _skglm_svc() -> Solver:
    def fit(task: Task, tol: float) -> Any:
        from skglm import LinearSVC

        return LinearSVC(task.C, max_iter=MAX_ITER, tol=tol, fit_intercept=False).fit(task.X, task.y)

    return Solver("skglm LinearSVC", fit, (1e-2, 1e-4, 1e-6), ("hinge",), "skglm", intercept=False, reaches=1e-4)


def _snapml(*, dual: bool) -> Solver:
    def fit(task: Task, tol: float) -> Any:
        from snapml import LogisticRegression

        # Its objective is Σ φ + ½ λ ‖w‖². Its intercept is a constant column, penalised like the others.
        model = LogisticRegression(
            regularizer=1.0 / task.C, dual=dual, tol=tol, max_iter=MAX_ITER, n_jobs=task.threads, random_state=0
        )
        return model.fit(task.X, task.y)

    ladder = (1e-1, 1e-2, 1e-3, 1e-4, 1e-6)
    return Solver(f"snapml {'dual' if dual else 'primal'}", fit, ladder, package="snapml", intercept=False)


def _snapml_svm() -> Solver:
    def fit(task: Task, tol: float) -> Any:
        from snapml import SupportVectorMachine

        model = SupportVectorMachine(
            "hinge", regularizer=1.0 / task.C, tol=tol, max_iter=MAX_ITER, n_jobs=task.threads, random_state=0
        )
        return model.fit(task.X, task.y)

    ladder = (1e-2, 1e-3, 1e-4, 1e-6)
    return Solver("snapml SVM", fit, ladder, ("hinge",), "snapml", intercept=False, reaches=1e-4)


def _rehline() -> Solver:
    def fit(task: Task, tol: float) -> Any:
        from rehline import plqERM_Ridge

        return plqERM_Ridge({"name": "svm"}, C=task.C, tol=tol, max_iter=MAX_ITER).fit(task.X, task.y)

    return Solver(
        "rehline", fit, (1e-2, 1e-4, 1e-6), ("hinge",), "rehline",
        intercept=False, coefficients=lambda model: (model.coef_, 0.0), reaches=1e-4,
    )  # fmt: skip


def _glum(solver: str, max_iter: int, **facts: Any) -> Solver:
    def fit(task: Task, tol: float) -> Any:
        from glum import GeneralizedLinearRegressor

        model = GeneralizedLinearRegressor(
            family="binomial", alpha=task.alpha, l1_ratio=0, fit_intercept=task.fit_intercept,
            solver=solver, gradient_tol=tol, max_iter=max_iter,
        )  # fmt: skip
        return model.fit(task.X, (task.y > 0).astype(task.X.dtype))

    return Solver(f"glum {solver}", fit, (1e-2, 1e-4, 1e-6, 1e-8), package="glum", knob="gradient_tol", **facts)


def _liblinear(kind: int, loss: str, name: str, **facts: Any) -> Solver:
    def fit(task: Task, epsilon: float) -> Any:
        from liblinear.liblinearutil import problem, train

        # -R leaves the bias out of the penalty.
        bias = "-B 1 -R" if task.fit_intercept else ""
        options = f"-q -s {kind} -c {task.C!r} -e {epsilon!r} -m {task.threads} {bias}"
        return train(problem(task.y.astype(float), sparse.csr_matrix(task.X)), options)

    def coefficients(model: Any) -> tuple[Any, Any]:
        w, b = model.get_decfun()
        sign = model.get_labels()[0]  # its coefficients point to the class it saw first
        return sign * np.array(w), sign * b

    return Solver(
        f"liblinear-multicore {name}", fit, (1e-1, 1e-2, 1e-4, 1e-6), (loss,),
        package="liblinear", knob="-e", coefficients=coefficients, **facts,
    )  # fmt: skip


_PEERS = (
    _scipy(),
    _skglm("LBFGS"),
    _skglm("ProxNewton"),
    _skglm_svc(),
    _snapml(dual=False),
    _snapml(dual=True),
    _snapml_svm(),
    _rehline(),
    _glum("irls-ls", 200, max_features=_D_BY_D),
    _glum("lbfgs", MAX_ITER),
    _liblinear(0, "logistic", "primal"),
    _liblinear(2, "squared_hinge", "SVC primal"),
    _liblinear(1, "squared_hinge", "SVC dual", intercept=False),
    _liblinear(3, "hinge", "SVC hinge", intercept=False),
)

# Those that compile come before those that run into the time limit: a process that is ended has to compile again.
EVERY_SOLVER = (*MARGINCLF, *_PEERS, *SKLEARN)
assert len({solver.name for solver in EVERY_SOLVER}) == len(EVERY_SOLVER), "results are told apart by the name"


def available() -> tuple[Solver, ...]:
    """The solvers whose package is installed."""
    return tuple(solver for solver in EVERY_SOLVER if importlib.util.find_spec(solver.package) is not None)


def missing() -> list[str]:
    """Packages that are not installed."""
    return sorted({solver.package for solver in EVERY_SOLVER} - {solver.package for solver in available()})
