"""The packages that minimise losses with an l1 or elastic-net penalty, each called as its authors advise.

A fit gets the data, C, the problem and a tolerance, and returns seconds, coefficients of shape (d,) and the intercept.
Data are converted to what a package asks for before the clock runs. A package that is not installed raises ImportError.
"""

from __future__ import annotations

import multiprocessing
import shutil
import subprocess
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from scipy import sparse
from sklearn.linear_model import LogisticRegression
from sklearn.svm import LinearSVC

from marginclf import MarginLinearClassifier
from marginclf.penalties import ElasticNet

TOLERANCES = (1e-2, 1e-3, 1e-4, 1e-5, 1e-6, 1e-7)

Found = tuple[float, np.ndarray, float]
"""Seconds, w and b."""

Fit = Callable[[Any, np.ndarray, float, Any, float], Found]
"""A fit at a tolerance."""


class TooSlow(Exception):
    """A fit that did not end within its limit."""


def penalty_of(race: Any) -> Any:
    return "l1" if race.ratio == 1.0 else ElasticNet(race.ratio)


def ours(X: Any, y: np.ndarray, C: float, race: Any, tol: float, penalty: Any = None) -> Found:
    penalty = penalty_of(race) if penalty is None else penalty
    model = MarginLinearClassifier(race.loss, penalty=penalty, C=C, tol=tol, fit_intercept=race.intercept)
    began = time.perf_counter()
    model.fit(X, y)
    return time.perf_counter() - began, model.coef_[0], float(model.intercept_[0])


def by_columns(X: Any) -> Any:
    return X.tocsc() if sparse.issparse(X) else np.asfortranarray(X)


def skglm(X: Any, y: np.ndarray, C: float, race: Any, tol: float) -> Found:
    from skglm.datafits import Logistic
    from skglm.estimators import GeneralizedLinearEstimator
    from skglm.penalties import L1, L1_plus_L2
    from skglm.solvers import ProxNewton

    alpha = 1.0 / (len(y) * C)
    penalty = L1(alpha) if race.ratio == 1.0 else L1_plus_L2(alpha, race.ratio)
    model = GeneralizedLinearEstimator(Logistic(), penalty, ProxNewton(tol=tol, fit_intercept=race.intercept))
    columns = by_columns(X)
    began = time.perf_counter()
    model.fit(columns, 2.0 * y - 1.0)
    b = float(np.ravel(model.intercept_)[0]) if race.intercept else 0.0
    return time.perf_counter() - began, np.ravel(model.coef_), b


def celer(X: Any, y: np.ndarray, C: float, race: Any, tol: float) -> Found:
    from celer import LogisticRegression as Celer

    model = Celer(C=C, tol=tol, fit_intercept=False, max_iter=200)
    columns = by_columns(X)
    began = time.perf_counter()
    model.fit(columns, y)
    return time.perf_counter() - began, np.ravel(model.coef_), 0.0


def of_scikit_learn(solver: str) -> Fit:
    def fit(X: Any, y: np.ndarray, C: float, race: Any, tol: float) -> Found:
        model: Any
        if race.loss == "squared_hinge":
            model = LinearSVC(penalty="l1", dual=False, C=C, tol=tol, max_iter=10_000, fit_intercept=False)
        else:
            how = {"l1_ratio": race.ratio, "max_iter": 10_000, "fit_intercept": race.intercept}
            model = LogisticRegression(solver=solver, C=C, tol=tol, **how)
        began = time.perf_counter()
        model.fit(X, y)
        return time.perf_counter() - began, model.coef_[0], float(np.ravel(model.intercept_)[0])

    return fit


_GLMNET = """
suppressMessages({library(Matrix); library(glmnet)})
given <- commandArgs(TRUE); folder <- given[1]; number <- as.numeric(given[-1])
n <- number[1]; d <- number[2]; entries <- number[3]
raw <- function(name, what, size) {
  file <- file(file.path(folder, name), "rb"); on.exit(close(file)); readBin(file, what, size)
}
y <- raw("y", "integer", n)
X <- if (entries < 0) matrix(raw("x", "double", n * d), n, d) else
  new("dgCMatrix", i = raw("i", "integer", entries), p = raw("p", "integer", d + 1), x = raw("x", "double", entries),
      Dim = as.integer(c(n, d)))
lambda <- exp(seq(log(number[5]), log(number[4]), length.out = 10))
seconds <- system.time(model <- glmnet(X, y, family = "binomial", alpha = number[6], lambda = lambda, maxit = 1e7,
  thresh = number[7], standardize = FALSE, intercept = number[8] > 0))[["elapsed"]]
last <- length(model$lambda)
found <- c(seconds, if (last == 10) 1 else 0, model$a0[last], as.numeric(model$beta[, last]))
writeBin(found, file.path(folder, "found"))
"""


_BEGINS = 30.0
"""Seconds that R has to load its packages and the data."""


def glmnet(X: Any, y: np.ndarray, C: float, race: Any, tol: float, *, limit: float = 600.0) -> Found:
    """R's, through a path of ten λ from the largest to the one asked for; the seconds are R's own for that."""
    script = shutil.which("Rscript")
    if script is None or not _has_glmnet(script):
        raise ImportError("no Rscript with glmnet")
    (n, d), columns = X.shape, by_columns(X)
    with tempfile.TemporaryDirectory() as folder:
        entries = columns.nnz if sparse.issparse(X) else -1
        parts = {"y": y.astype(np.int32)}
        if sparse.issparse(X):
            parts |= {"i": columns.indices.astype(np.int32), "p": columns.indptr.astype(np.int32), "x": columns.data}
        else:
            parts["x"] = columns.ravel(order="F")
        for name, array in parts.items():
            array.tofile(Path(folder, name))
        path = 1.0 / (n * C), race.factor / (n * C)
        asked = [n, d, entries, *path, race.ratio, tol, int(race.intercept)]
        command = [script, "-e", _GLMNET, folder, *(repr(float(number)) for number in asked)]
        try:
            subprocess.run(command, check=True, timeout=limit + _BEGINS, capture_output=True)
        except subprocess.TimeoutExpired:
            raise TooSlow from None
        found = np.fromfile(Path(folder, "found"))
    seconds, reached, b = found[:3]
    return float(seconds), found[3:] if reached else np.zeros(d), float(b)


def _has_glmnet(script: str) -> bool:
    if script not in _known:
        ran = subprocess.run([script, "-e", "library(glmnet)"], capture_output=True, check=False)
        _known[script] = ran.returncode == 0
    return _known[script]


_known: dict[str, bool] = {}


def limited(fit: Fit, limit: float) -> Fit:
    """The same in a process of its own, which ends after so many seconds: compiled loops hear nothing before."""

    def within(X: Any, y: np.ndarray, C: float, race: Any, tol: float) -> Found:
        context = multiprocessing.get_context("fork")
        here, there = context.Pipe(duplex=False)

        def work() -> None:
            warnings.simplefilter("ignore")
            there.send(fit(X, y, C, race, tol))

        process = context.Process(target=work)
        process.start()
        there.close()
        try:
            if not here.poll(limit):
                raise TooSlow
            found: Found = here.recv()
            return found
        finally:
            process.terminate()
            process.join()

    return within


class Peer(NamedTuple):
    """How to call a package, from the loosest tolerance on, and whether that may take for ever."""

    fit: Fit
    tolerances: tuple[float, ...] = TOLERANCES
    slow: bool = False


PEERS: dict[str, Peer] = {
    "skglm": Peer(skglm),
    "celer": Peer(celer),
    "LIBLINEAR": Peer(of_scikit_learn("liblinear"), slow=True),
    "saga": Peer(of_scikit_learn("saga"), slow=True),
    "glmnet": Peer(glmnet, tuple(10.0**-k for k in range(6, 15))),
}


def suits(name: str, race: Any) -> bool:
    """Whether a package has the objective: LIBLINEAR penalises its intercept, celer's logistic model has none."""
    if name == "LIBLINEAR":
        return not race.intercept and race.ratio == 1.0
    if race.loss != "logistic":
        return False
    return name != "celer" or (not race.intercept and race.ratio == 1.0)
