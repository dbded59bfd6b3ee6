"""One joint margin of 20 classes of text with l1 beside 20 fits of skglm, one against the rest, each to 1e-6.

    python benchmarks/joint_penalties.py [--threads 1|all|both] [--repeats 3] [--data easy contradictory …]
                                         [--factors 30 100]

``easy`` and ``contradictory`` are those of ``joint_text.py``; ``long`` and ``wide`` have longer texts, of 18,800 and
60,000 words; with ``own words``, each class has words of its own. C is so many times the smallest one with a joint
margin. Seconds are the least, of the processor; skglm runs at the loosest tolerance at which all its fits are within
1e-6 of the optimum, or at the strictest with the gap beside it, and its conversion of X is not counted. The last
column is one against the rest by this package, to 1e-6.
"""

from __future__ import annotations

import argparse
import time
import warnings
from functools import partial
from typing import Any

import numpy as np
from data import text, topics
from environment import in_each_setting
from joint_text import _DATA
from penalties import GOAL
from timing import duration, markdown

from marginclf import MarginLinearClassifier
from marginclf.penalties import smallest_C


def own_words() -> tuple[Any, np.ndarray]:
    """Each class has words of its own, which nearly separate them."""
    rng, n, d = np.random.default_rng(0), 12_000, 60_000
    X, _ = text(n, d, per_row=75, seed=1)
    often = np.argsort(-np.bincount(X.indices, minlength=d))[50:4050]
    W = np.zeros((d, 20))
    for k in range(20):
        W[rng.permutation(often)[:60], k] = 8.0 * rng.normal(size=60)
    return X, (X @ W + 0.5 * rng.gumbel(size=(n, 20))).argmax(axis=1)


DATA = {
    **_DATA,
    "own words": own_words,
    "long": partial(topics, 12_000, 18_800, classes=20, seed=7, median=60.0, sigma=0.7),
    "wide": partial(topics, 20_000, 60_000, classes=20, seed=11, median=60.0, sigma=0.7),
}
_TOLERANCES = (1e-4, 1e-5, 1e-6)


def ours(X: Any, y: np.ndarray, C: float, form: str, tol: float = GOAL) -> tuple[float, MarginLinearClassifier]:
    model = MarginLinearClassifier(penalty="l1", C=C, tol=tol, multi_class=form)
    began = time.process_time()
    model.fit(X, y)
    return time.process_time() - began, model


def skglm(X: Any, y: np.ndarray, C: float, tol: float) -> tuple[float, list]:
    from skglm.datafits import Logistic
    from skglm.estimators import GeneralizedLinearEstimator
    from skglm.penalties import L1
    from skglm.solvers import ProxNewton

    by_columns, found = X.tocsc(), []
    began = time.process_time()
    for k in np.unique(y):
        model = GeneralizedLinearEstimator(Logistic(), L1(1.0 / (len(y) * C)), ProxNewton(tol=tol, fit_intercept=True))
        model.fit(by_columns, np.where(y == k, 1.0, -1.0))
        found.append((model.coef_.ravel().copy(), float(np.ravel(model.intercept_)[0])))
    return time.process_time() - began, found


def gap(X: Any, y: np.ndarray, C: float, found: list, best: MarginLinearClassifier) -> float:
    """The largest relative suboptimality of the classes."""

    def objective(k: int, w: np.ndarray, b: float) -> float:
        signs = np.where(y == k, 1.0, -1.0)
        return float(C * np.logaddexp(0.0, -signs * (X @ w + b)).sum() + np.abs(w).sum())

    reached = (objective(k, *it) / objective(k, best.coef_[k], best.intercept_[k]) for k, it in enumerate(found))
    return max(reached) - 1.0


def row(name: str, factor: float, repeats: int) -> list[str]:
    X, y = DATA[name]()
    C = factor * smallest_C(X, y, multi_class="joint")
    _, best = ours(X, y, C, "ovr", 1e-10)
    skglm(X[:300], y[:300], C, 1e-3)  # compiles
    for tol in _TOLERANCES:
        left = gap(X, y, C, skglm(X, y, C, tol)[1], best)
        if left <= GOAL:
            break
    times: list[list[float]] = [[], [], []]
    for _ in range(repeats):
        times[0].append(ours(X, y, C, "joint")[0])
        times[1].append(skglm(X, y, C, tol)[0])
        times[2].append(ours(X, y, C, "ovr")[0])
    joint, peer, each = map(min, times)
    peer_time = duration(peer) + ("" if left <= GOAL else f" (gap {left:.0e})")
    return [name, f"{factor:g}", duration(joint), peer_time, f"{peer / joint:.2f}", duration(each)]


def main(arguments: argparse.Namespace) -> None:
    warnings.simplefilter("ignore")
    header = ["data", "C / smallest_C", "joint", "skglm", "skglm / joint", "one-vs-rest"]
    for name in arguments.data:
        rows = [row(name, factor, arguments.repeats) for factor in arguments.factors]
        print(markdown(header, rows), flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--data", nargs="+", default=tuple(DATA), choices=tuple(DATA))
    parser.add_argument("--factors", nargs="+", type=float, default=(30.0, 100.0))
    in_each_setting(main, parser)
