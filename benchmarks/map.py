"""The map of shapes: one logistic fit at default settings, beside the fastest solver of scikit-learn, cell by cell.

    python benchmarks/map.py [--K 2 5 10] [--n 200 1000 5000 20000] [--d 5 20 100 500] [--C 0.01 1 100]
                             [--hundreds] [--repeats 5] [--tol 1e-8] [--output map.json] [--peers map.json]

A cell is K classes, n rows, d columns and C. Of lbfgs, newton-cg and newton-cholesky, each at the largest tolerance
that gets to 1e-6 of the optimum, the fastest is found once; that one and ours are then called in turn, and the ratio of
their minima is peer / ours: above 1 we are first. --hundreds is 1500 × 10 with 600 classes and 6000 × 20 with 1000,
against LogisticRegression(tol=1e-7). --peers takes solvers and tolerances from a file of results instead of finding
them anew. One thread.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
import warnings
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from environment import machine, on_one_thread, versions
from objective import objective
from sklearn.datasets import make_classification
from sklearn.linear_model import LogisticRegression
from timing import duration, interleaved, markdown, median, seconds

from marginclf import MarginLinearClassifier

GOOD = 1e-6
"""Relative suboptimality at which a peer has arrived."""

_SOLVERS = ("lbfgs", "newton-cg", "newton-cholesky")
_TOLERANCES = tuple(10.0**-k for k in range(1, 13))
_DENSE = 2000
"""Coefficients up to which newton-cholesky is tried: beyond, its Hessian takes minutes."""

_HOPELESS = 4.0
"""Times the best peer so far after which a solver is given up."""


class Cell(NamedTuple):
    """A problem of the map."""

    K: int
    n: int
    d: int
    C: float

    def data(self) -> tuple[np.ndarray, np.ndarray]:
        """X of shape (n, d) and labels."""
        if self.K > 26:
            return _hundreds(self)
        X, y = make_classification(
            self.n, self.d, n_informative=min(self.d, 10), n_redundant=0, n_classes=self.K, n_clusters_per_class=1,
            flip_y=0.1, random_state=1,
        )  # fmt: skip
        return X, y


def _hundreds(cell: Cell) -> tuple[np.ndarray, np.ndarray]:
    """Gaussian clouds; every class has rows."""
    rng = np.random.default_rng(1)
    y = np.r_[np.arange(cell.K), rng.integers(0, cell.K, cell.n - cell.K)]
    return rng.standard_normal((cell.K, cell.d))[y] + rng.standard_normal((cell.n, cell.d)), y


def value(cell: Cell, X: np.ndarray, y: np.ndarray, model: Any) -> float:
    """F of a fitted model."""
    targets = np.where(y == 1, 1, -1) if cell.K == 2 else y
    return objective(X, targets, model.coef_, model.intercept_, cell.C, "logistic", cell.K > 2)


def peer(cell: Cell, X: np.ndarray, y: np.ndarray, best: float) -> tuple[str, float, float]:
    """Solver, tolerance and suboptimality of the fastest that arrives."""
    found, fastest = ("none", math.nan, math.nan), math.inf
    for solver in _SOLVERS:
        if solver == "newton-cholesky" and cell.K * (cell.d + 1) > _DENSE:
            continue
        for tol in _TOLERANCES:
            model = LogisticRegression(C=cell.C, solver=solver, tol=tol, max_iter=100_000)
            spent, _ = seconds(lambda model=model: model.fit(X, y))
            off = (value(cell, X, y, model) - best) / abs(best)
            if off <= GOOD:
                spent = min([spent, *(seconds(lambda model=model: model.fit(X, y))[0] for _ in range(3))])
                if spent < fastest:
                    found, fastest = (solver, tol, off), spent
                break
            if spent > _HOPELESS * fastest:
                break
    return found


def measure(cell: Cell, repeats: int, tol: float, known: dict[Cell, dict]) -> dict[str, Any]:
    """Everything of one cell."""
    X, y = cell.data()
    best = value(cell, X, y, MarginLinearClassifier(C=cell.C, tol=1e-11).fit(X, y))
    if cell.K > 26:
        solver, peer_tol, off = "lbfgs", 1e-7, math.nan
    elif cell in known:
        solver, peer_tol, off = (known[cell][name] for name in ("solver", "peer_tol", "peer_off"))
    else:
        solver, peer_tol, off = peer(cell, X, y, best)
    ours = MarginLinearClassifier(C=cell.C, tol=tol)
    theirs = LogisticRegression(C=cell.C, solver=solver, tol=peer_tol, max_iter=100_000)
    times = interleaved({"ours": lambda: ours.fit(X, y), "peer": lambda: theirs.fit(X, y)}, repeats)
    fitted = (value(cell, X, y, ours) - best) / abs(best)
    return {
        **cell._asdict(), "ours": min(times["ours"]), "peer": min(times["peer"]), "solver": solver,
        "peer_tol": peer_tol, "peer_off": off, "ours_off": fitted, "status": ours.status_[0],
        "n_iter": int(np.max(ours.n_iter_)),
    }  # fmt: skip


def load(path: Path | None) -> dict[Cell, dict]:
    """Cells of a file of results."""
    cells = json.loads(path.read_text())["cells"] if path is not None and path.exists() else []
    return {Cell(*(row[name] for name in Cell._fields)): row for row in cells}


def table(rows: list[dict]) -> str:
    """In Markdown, one line a cell, and what the bar asks for below."""
    head = ["K, n × d, C", "ours", "peer", "peer / ours", "which", "steps", "status"]
    lines = [
        [
            f"{r['K']}, {r['n']} × {r['d']}, {r['C']:g}", duration(r["ours"]), duration(r["peer"]),
            f"{r['peer'] / r['ours']:.2f}", f"{r['solver']} {r['peer_tol']:.0e}", str(r["n_iter"]), r["status"],
        ]
        for r in rows
    ]  # fmt: skip
    summary = []
    for K in sorted({r["K"] for r in rows}):
        ratios = [r["peer"] / r["ours"] for r in rows if r["K"] == K]
        first = sum(ratio >= 1.0 for ratio in ratios) / len(ratios)
        summary.append(f"K = {K}: first in {first:.0%} of {len(ratios)}, least {min(ratios):.2f}, median "
                       f"{median(ratios):.2f}")  # fmt: skip
    return "\n".join([markdown(head, lines), "", *summary])


def main(arguments: argparse.Namespace) -> None:
    warnings.simplefilter("ignore")
    known = load(arguments.peers)
    cells = [Cell(K, n, d, C) for K in arguments.K for n in arguments.n for d in arguments.d for C in arguments.C]
    if arguments.hundreds:
        cells = [Cell(600, 1500, 10, 1.0), Cell(1000, 6000, 20, 1.0)]
    results = load(arguments.output) if arguments.output else {}
    rows = []
    for cell in cells:
        rows.append(measure(cell, arguments.repeats, arguments.tol, known))
        results[cell] = rows[-1]
        print(f"{cell}: {rows[-1]['peer'] / rows[-1]['ours']:.2f}", file=sys.stderr, flush=True)
        if arguments.output:
            facts = {"machine": machine(), "versions": versions(), "cells": list(results.values())}
            arguments.output.write_text(json.dumps(facts, indent=1) + "\n")
    print(table(rows))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--K", type=int, nargs="+", default=[2, 5, 10])
    parser.add_argument("--n", type=int, nargs="+", default=[200, 1000, 5000, 20000])
    parser.add_argument("--d", type=int, nargs="+", default=[5, 20, 100, 500])
    parser.add_argument("--C", type=float, nargs="+", default=[0.01, 1.0, 100.0])
    parser.add_argument("--hundreds", action="store_true", help="hundreds of classes instead")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--tol", type=float, default=1e-8, help="ours")
    parser.add_argument("--output", type=Path, help="file of results; its other cells stay")
    parser.add_argument("--peers", type=Path, help="file of results from which solvers and tolerances are taken")
    on_one_thread(main, parser)
