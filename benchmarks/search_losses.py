"""A search over losses on many classes beside one of the same size over LogisticRegression, and what two workers gain.

    python benchmarks/search_losses.py [--repeats 3] [--losses hinge …] [--each]

digits (1797 × 64, 10 classes), StandardScaler and classifier in a pipeline, five folds, C = 0.01, 0.1, 1, 10 and 100,
all at default settings; the peer is LogisticRegression(solver="newton-cg", tol=1e-6). One thread of BLAS. "Per fit" is
processor time divided by the number of fits, and the ratio one of minima of interleaved searches. "Gain" is how much
sooner n_jobs=2 is there, by the clock, once its workers run; the first search that they do is beside it. Where other
work is on the cores, only the ratio means something. --each shows every loss by itself.
"""

from __future__ import annotations

import argparse
import os
import time
import warnings
from collections.abc import Callable

from data import bundled
from environment import in_each_setting
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from timing import duration, markdown, seconds, still

from marginclf import MarginLinearClassifier

LOSSES = ("logistic", "squared_hinge", "hinge", "smooth_hinge", "modified_huber", "squared")
CS = (0.01, 0.1, 1.0, 10.0, 100.0)
FOLDS = 5


def search(classifier: object, grid: dict[str, object], n_jobs: int) -> GridSearchCV:
    pipeline = make_pipeline(StandardScaler(), classifier)
    grid = {f"{type(classifier).__name__.lower()}__{name}": list(values) for name, values in grid.items()}
    return GridSearchCV(pipeline, grid, cv=FOLDS, n_jobs=n_jobs, refit=False)


def measured(action: Callable[[], object]) -> tuple[float, float]:
    """Seconds by the clock and of this processor."""
    began = time.process_time()
    clock, _ = seconds(action)
    return clock, time.process_time() - began


def main(arguments: argparse.Namespace) -> None:
    warnings.simplefilter("ignore")
    os.environ["PYTHONWARNINGS"] = "ignore"  # of the workers
    X, y = bundled("digits", None)
    losses = arguments.losses
    models: dict[str, tuple[object, dict, int]] = {
        "LogisticRegression": (LogisticRegression(solver="newton-cg", tol=1e-6), {"C": CS}, 1),
        f"{len(losses)} losses": (MarginLinearClassifier(), {"loss": losses, "C": CS}, len(losses)),
    }
    if arguments.each:
        models |= {loss: (MarginLinearClassifier(loss), {"C": CS}, 1) for loss in losses}
    actions = {
        (name, n_jobs): lambda model=model, grid=grid, n_jobs=n_jobs: search(model, grid, n_jobs).fit(X, y)
        for name, (model, grid, _) in models.items()
        for n_jobs in (1, 2)
    }
    first = {key: seconds(action)[0] for key, action in actions.items()}
    still()
    found: dict[tuple[str, int], list[tuple[float, float]]] = {key: [] for key in actions}
    for _ in range(arguments.repeats):
        for key, action in actions.items():
            found[key].append(measured(action))
    clock, processor = ({key: min(pair[k] for pair in pairs) for key, pairs in found.items()} for k in range(2))
    rows = []
    peer = processor["LogisticRegression", 1]
    for name, (_, _, size) in models.items():
        alone, together = clock[name, 1], clock[name, 2]
        rows.append(
            [
                name,
                duration(processor[name, 1] / (size * len(CS) * FOLDS)),
                f"{processor[name, 1] / size / peer:.2f}",
                *(duration(value) for value in (alone, first[name, 2], together)),
                f"{alone / together:.2f}",
            ]
        )
    print(markdown(["search of", "per fit", "ratio", "n_jobs=1", "n_jobs=2, first", "later", "gain"], rows))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--losses", nargs="+", default=list(LOSSES))
    parser.add_argument("--each", action="store_true")
    parser.set_defaults(threads="1")
    in_each_setting(main, parser)
