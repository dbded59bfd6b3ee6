"""Hinge and squared hinge beside LinearSVC, ReHLine and LIBLINEAR, and logistic text beside newton-cg, one thread.

    python benchmarks/hinge.py [--threads 1] [--repeats 3] [--problems dense …] [--shrink 10]

    dense     50,000 × 50, hinge: correlated columns, and those of make_classification; C = 0.01 and 1
    text      64,000 × 355,000, C = 1: squared hinge, hinge, and logistic with an intercept
    large     hinge on the same at C = 100, of ours alone; not unless it is named
    classes   12,000 × 18,800 with 20 classes one against the rest, hinge and squared hinge, easy and contradictory

No other intercepts, as LIBLINEAR penalises its own. Each package runs at the loosest tolerance that comes within 1e-4
of the best F that any of them found, and at the loosest within 1e-6, found once; one that does not get there has no
line. Below, all as they come. Seconds are the least, of the processor, in turns; LIBLINEAR's include the conversion of
its rows.
"""

from __future__ import annotations

import argparse
import time
import warnings
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from data import dense, text, topics
from environment import in_each_setting
from objective import objective
from scipy import sparse
from sklearn.datasets import make_classification
from sklearn.linear_model import LogisticRegression
from sklearn.svm import LinearSVC
from timing import duration, markdown

from marginclf import MarginLinearClassifier

GOALS = (1e-4, 1e-6)
_ENOUGH = 20_000  # iterations of LinearSVC


class Race(NamedTuple):
    problem: str
    data: str
    loss: str
    C: float = 1.0
    intercept: bool = False


RACES = (
    *(Race("dense", data, "hinge", C) for data in ("correlated", "classification") for C in (0.01, 1.0)),
    Race("text", "words", "squared_hinge"), Race("text", "words", "hinge"),
    Race("text", "words", "logistic", intercept=True),
    Race("large", "words", "hinge", 100.0),
    *(Race("classes", data, loss) for data in ("easy", "contradictory") for loss in ("hinge", "squared_hinge")),
)  # fmt: skip


def classification(n: int) -> tuple[np.ndarray, np.ndarray]:
    X, y = make_classification(n, 50, n_informative=20, random_state=0)
    return X, 2 * y - 1


def made(name: str, shrink: int) -> Any:
    makers: dict[str, Callable[[], Any]] = {
        "correlated": partial(dense, 50_000 // shrink, 50, seed=8),
        "classification": partial(classification, 50_000 // shrink),
        "words": partial(text, 64_000 // shrink, 355_000 // shrink, per_row=33.0, seed=6),
        "easy": partial(text, 12_000 // shrink, 18_800 // shrink, per_row=80.0, seed=1, classes=20),
        "contradictory": partial(topics, 12_000 // shrink, 18_800 // shrink, classes=20, seed=5),
    }
    return makers[name]()


Found = tuple[np.ndarray, Any]
Fit = Callable[[Any, np.ndarray, Race, float | None], Found]
"""W and b at a tolerance; None is the package's default."""


def _of(model: Any, X: Any, y: np.ndarray, tol: float | None) -> Found:
    model.set_params(**({} if tol is None else {"tol": tol})).fit(X, y)
    return np.atleast_2d(model.coef_), np.broadcast_to(
        getattr(model, "intercept_", 0.0), len(np.atleast_2d(model.coef_))
    )


def ours(X: Any, y: np.ndarray, race: Race, tol: float | None) -> Found:
    model = MarginLinearClassifier(race.loss, C=race.C, fit_intercept=race.intercept, multi_class="ovr")
    return _of(model, X, y, tol)


def linear_svc(X: Any, y: np.ndarray, race: Race, tol: float | None) -> Found:
    how = {"max_iter": 1000 if tol is None else _ENOUGH, "random_state": 0}
    return _of(LinearSVC(loss=race.loss, C=race.C, fit_intercept=False, **how), X, y, tol)


def newton_cg(X: Any, y: np.ndarray, race: Race, tol: float | None) -> Found:
    return _of(LogisticRegression(solver="newton-cg", C=race.C, max_iter=1000), X, y, tol)


def rehline(X: Any, y: np.ndarray, race: Race, tol: float | None) -> Found:
    from rehline import plqERM_Ridge

    return _of(plqERM_Ridge({"name": "svm"}, C=race.C, max_iter=_ENOUGH), X, y, tol)


def liblinear(X: Any, y: np.ndarray, race: Race, tol: float | None) -> Found:
    from liblinear.liblinearutil import problem, train

    epsilon = 0.1 if tol is None else tol
    model = train(problem(y.astype(float), sparse.csr_matrix(X)), f"-q -s 3 -c {race.C!r} -e {epsilon!r} -m 1")
    return model.get_labels()[0] * np.array(model.get_decfun()[0])[None], np.zeros(1)


def peers(race: Race) -> dict[str, Fit]:
    if race.loss == "logistic":
        return {"newton-cg": newton_cg}
    if race.problem == "dense":
        return {"LinearSVC": linear_svc, "ReHLine": rehline}
    if race.problem == "large":  # a peer takes minutes
        return {}
    return {"LinearSVC": linear_svc} | (
        {"LIBLINEAR": liblinear} if race.problem == "text" and race.loss == "hinge" else {}
    )


def run(race: Race, arguments: argparse.Namespace) -> list[list[str]]:
    X, y = made(race.data, arguments.shrink)
    few = slice(0, 600)
    ours(X[few], y[few], race, None)  # compiles
    ladders: dict[str, tuple[Fit, tuple]] = {"marginclf": (ours, (1e-3, 1e-4, 1e-5, 1e-6, None))}
    for name, fit in peers(race).items():
        ladders[name] = fit, (1.0, 1e-1, 1e-2, 1e-3, 1e-4, 1e-5, None)
    values: dict[tuple, float] = {}
    for name, (fit, tolerances) in ladders.items():
        try:
            for tol in tolerances:
                values[name, tol] = objective(X, y, *fit(X, y, race, tol), race.C, race.loss)
        except ImportError:  # a peer that is not installed has no line
            continue
    best = min(values.values())
    gaps = {key: value / best - 1.0 for key, value in values.items()}
    wanted: dict[tuple, Any] = {(name, None): None for name, tol in gaps if tol is None}
    for goal in GOALS:
        for name, (_, tolerances) in ladders.items():
            there = [tol for tol in tolerances if tol is not None and gaps.get((name, tol), np.inf) <= goal]
            wanted |= {(name, goal): there[0]} if there else {}
    times: dict[tuple, list[float]] = {key: [] for key in wanted}
    for _ in range(arguments.repeats):
        for key, tol in wanted.items():
            began = time.process_time()
            ladders[key[0]][0](X, y, race, tol)
            times[key].append(time.process_time() - began)
    title = f"{race.data}, {race.loss}, C = {race.C:g}"
    rows = []
    for goal in (*GOALS, None):
        for name in ladders:
            if (key := (name, goal)) in times:
                mine, gap = times.get(("marginclf", goal)), max(gaps[name, wanted[key]], 0.0)
                ratio = f"{min(times[key]) / min(mine):.2f}" if mine else "—"
                label = "as it comes" if goal is None else f"{goal:g}"
                rows.append([title, label, name, duration(min(times[key])), ratio, f"{gap:.0e}"])
    return rows


def main(arguments: argparse.Namespace) -> None:
    warnings.simplefilter("ignore")
    for race in RACES:
        if race.problem in arguments.problems:
            print(
                markdown(["problem", "goal", "package", "time", "times ours", "gap"], run(race, arguments)), flush=True
            )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--problems", nargs="+", default=["dense", "text", "classes"])
    parser.add_argument("--shrink", type=int, default=1, help="divide the large dimensions by this")
    in_each_setting(main, parser)
