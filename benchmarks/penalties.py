"""Penalties with kinks beside the packages that have them: time to a relative suboptimality of 1e-6, one thread.

    python benchmarks/penalties.py [--repeats 3] [--problems tall …] [--shrink 10]

    tall      200,000 × 50 dense, l1, C = 100 smallest_C
    middling  20,000 × 500 dense, l1, C = 100 smallest_C
    wide      200 × 20,000 correlated, C = 20 smallest_C, l1 and elastic net with l1_ratio = ½
    text      64,000 × 355,000 TF-IDF, C = 30 and 300 smallest_C, with and without intercept, and elastic net

Made data whose signal is in few columns. Each peer runs at the loosest tolerance that gets there, found once: skglm's
proximal Newton, LIBLINEAR (l1, without intercept) and scikit-learn's saga (up to 2,000 rows × 1000 columns, it is slow
elsewhere); a peer that is not installed is left out. "gap" is what was reached, by a fit at tol=1e-10 of ours.
"""

from __future__ import annotations

import argparse
import math
import time
import warnings
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from data import text
from environment import in_each_setting
from scipy import sparse
from sklearn.linear_model import LogisticRegression
from timing import duration, markdown

from marginclf import MarginLinearClassifier
from marginclf.penalties import ElasticNet, smallest_C

GOAL = 1e-6
TOLERANCES = (1e-2, 1e-3, 1e-4, 1e-5, 1e-6, 1e-7)
_FEW_ENTRIES = 2_000_000


class Race(NamedTuple):
    """A problem: its data, what C is beside the smallest one, l1_ratio, and whether there is an intercept."""

    data: str
    factor: float
    ratio: float = 1.0
    intercept: bool = True


RACES = (
    Race("tall", 100.0), Race("middling", 100.0), Race("wide", 20.0), Race("wide", 20.0, 0.5),
    Race("text", 30.0), Race("text", 30.0, 0.5), Race("text", 30.0, 1.0, False), Race("text", 300.0),
)  # fmt: skip


def made(name: str, shrink: int) -> tuple[Any, np.ndarray]:
    rng = np.random.default_rng(0)
    if name == "text":
        n, d = 64_000 // shrink, 355_000 // shrink
        X, _ = text(n, d, per_row=75, seed=1)
        often = np.argsort(-np.bincount(X.indices, minlength=d))[50:4050]
        w = np.zeros(d)
        w[rng.permutation(often)[:400]] = 8.0 * rng.normal(size=min(400, len(often)))
        z = X @ w
        return X, (z - np.median(z) + 0.5 * rng.logistic(size=n) > 0.0).astype(int)
    n, d = {"tall": (200_000 // shrink, 50), "middling": (20_000 // shrink, 500), "wide": (200, 20_000 // shrink)}[name]
    common = rng.normal(size=(n, 50 if name == "wide" else 1))
    X = rng.normal(size=(n, d)) + 0.6 * common @ rng.normal(size=(common.shape[1], d))
    w = np.zeros(d)
    w[: max(10, d // 10) if n > d else 20] = rng.normal(size=max(10, d // 10) if n > d else 20)
    y = (0.5 * X @ w + rng.normal(size=n) > 0.0).astype(int)
    return np.asfortranarray(X), y


def objective(X: Any, y: np.ndarray, w: np.ndarray, b: float, C: float, ratio: float) -> float:
    losses = np.logaddexp(0.0, -(2 * y - 1) * (X @ w + b)).sum()
    return float(C * losses + ratio * np.abs(w).sum() + 0.5 * (1.0 - ratio) * (w @ w))


Fit = Callable[[Any, np.ndarray, float, Race, float], tuple[float, np.ndarray, float]]
"""Seconds, w and b of a fit at a tolerance."""


def ours(X: Any, y: np.ndarray, C: float, race: Race, tol: float) -> tuple[float, np.ndarray, float]:
    penalty = "l1" if race.ratio == 1.0 else ElasticNet(race.ratio)
    model = MarginLinearClassifier(penalty=penalty, C=C, tol=tol, fit_intercept=race.intercept)
    began = time.perf_counter()
    model.fit(X, y)
    return time.perf_counter() - began, model.coef_[0], float(model.intercept_[0])


def skglm(X: Any, y: np.ndarray, C: float, race: Race, tol: float) -> tuple[float, np.ndarray, float]:
    from skglm.datafits import Logistic
    from skglm.estimators import GeneralizedLinearEstimator
    from skglm.penalties import L1, L1_plus_L2
    from skglm.solvers import ProxNewton

    alpha = 1.0 / (len(y) * C)
    penalty = L1(alpha) if race.ratio == 1.0 else L1_plus_L2(alpha, race.ratio)
    model = GeneralizedLinearEstimator(Logistic(), penalty, ProxNewton(tol=tol, fit_intercept=race.intercept))
    by_columns = X.tocsc() if sparse.issparse(X) else X
    began = time.perf_counter()
    model.fit(by_columns, 2.0 * y - 1.0)
    b = float(np.ravel(model.intercept_)[0]) if race.intercept else 0.0
    return time.perf_counter() - began, np.ravel(model.coef_), b


def of_scikit_learn(solver: str) -> Fit:
    def fit(X: Any, y: np.ndarray, C: float, race: Race, tol: float) -> tuple[float, np.ndarray, float]:
        model = LogisticRegression(
            solver=solver, l1_ratio=race.ratio, C=C, tol=tol, max_iter=10_000, fit_intercept=race.intercept
        )
        began = time.perf_counter()
        model.fit(X, y)
        return time.perf_counter() - began, model.coef_[0], float(np.ravel(model.intercept_)[0])

    return fit


def suits(name: str, X: Any, race: Race) -> bool:
    """Whether a peer has the objective, and is not known to be slow."""
    if name == "LIBLINEAR":  # it penalises its intercept, and has no elastic net
        return not race.intercept and race.ratio == 1.0
    return name != "saga" or X.shape[0] * X.shape[1] <= _FEW_ENTRIES


PEERS: dict[str, Fit] = {"skglm": skglm, "LIBLINEAR": of_scikit_learn("liblinear"), "saga": of_scikit_learn("saga")}


def run(race: Race, arguments: argparse.Namespace) -> list[list[str]]:
    X, y = made(race.data, arguments.shrink)
    penalty = "l1" if race.ratio == 1.0 else ElasticNet(race.ratio)
    C = race.factor * smallest_C(X, y, penalty=penalty, fit_intercept=race.intercept)
    _, w, b = ours(X, y, C, race, 1e-10)
    best = objective(X, y, w, b, C, race.ratio)

    def gap(found: tuple[float, np.ndarray, float]) -> float:
        return objective(X, y, *found[1:], C, race.ratio) / best - 1.0

    suited: dict[str, tuple[Fit, float]] = {"marginclf": (ours, GOAL)}
    for name, fit in PEERS.items():
        if not suits(name, X, race):
            continue
        try:
            suited[name] = fit, next((tol for tol in TOLERANCES if gap(fit(X, y, C, race, tol)) <= GOAL), math.nan)
        except ImportError:  # a peer that is not installed has no line
            continue
    times: dict[str, list[float]] = {name: [] for name in suited}
    reached = {}
    for _ in range(arguments.repeats):
        for name, (fit, tol) in suited.items():
            if not math.isnan(tol):
                found = fit(X, y, C, race, tol)
                times[name].append(found[0])
                reached[name] = gap(found)
    mine = min(times["marginclf"])
    what = f"{race.data}, {race.factor:g}, r = {race.ratio:g}{'' if race.intercept else ', no intercept'}"
    rows = []
    for name, taken in times.items():
        if taken:
            row = [duration(min(taken)), f"{min(taken) / mine:.2f}", f"{max(reached[name], 0.0):.0e}"]
        else:
            row = ["—", "—", "not reached"]
        rows.append([what, name, *row])
    return rows


def main(arguments: argparse.Namespace) -> None:
    warnings.simplefilter("ignore")
    races = [race for race in RACES if race.data in arguments.problems]
    header = ["problem", "package", "time", "times ours", "gap"]
    for race in races:
        print(markdown(header, run(race, arguments)), flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--problems", nargs="+", default=["tall", "middling", "wide", "text"])
    parser.add_argument("--shrink", type=int, default=1, help="divide the large dimension by this")
    in_each_setting(main, parser)
