"""Memory that a fit needs beside X, as a percentage of X: its peak, as tracemalloc sees it.

    python benchmarks/memory.py [--threads 1|all|both] [--small]

A first fit compiles and imports; the second is traced. A gradient of its own for each thread makes the difference
between thread settings.
"""

from __future__ import annotations

import argparse
import gc
import tracemalloc

import numpy as np
from data import dense, images
from environment import in_each_setting, threads
from timing import markdown

from marginclf import MarginLinearClassifier

_SOLVERS = ("auto", "lbfgs", "newton")


def peak_beside(X: np.ndarray, y: np.ndarray, solver: str) -> float:
    """Largest number of bytes allocated during a fit, as a fraction of X."""
    model = MarginLinearClassifier(solver=solver, n_jobs=threads()).fit(X, y)
    gc.collect()
    tracemalloc.start()
    try:
        model.fit(X, y)
        return tracemalloc.get_traced_memory()[1] / X.nbytes
    finally:
        tracemalloc.stop()


def main(arguments: argparse.Namespace) -> None:
    shrink = 20 if arguments.small else 1
    rows = []
    for n, d in ((100_000 // shrink, 50), (1_000_000 // shrink, 20)):
        X, y = dense(n, d, seed=11)
        rows.append([f"{n:,} × {d}", *(f"{100.0 * peak_beside(X, y, solver):.1f} %" for solver in _SOLVERS)])
    n = 60_000 // shrink
    X, y = images(n, seed=11)
    rows.append([f"{n:,} × 784, 10 classes", *(f"{100.0 * peak_beside(X, y, solver):.1f} %" for solver in _SOLVERS)])
    print(markdown(["peak beside X", *_SOLVERS], rows))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--small", action="store_true", help="20 times fewer rows, to try the script")
    in_each_setting(main, parser)
