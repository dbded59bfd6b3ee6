"""Labels flipped at random, and gross outliers: what a bounded loss is worth on real data.

    python benchmarks/studies/label_noise.py [--sets PATTERN ...]

Binary sets with 500 rows or more. Only the rows to learn from are spoiled, those that C is chosen by among them; the
test rows are clean. Flipped: each label with the same probability, 0 to 40 %. Outliers: rows that are moved 10 standard
deviations towards the other class's mean and beyond, with the label that they had. Accuracy and area under the ROC
curve, C chosen for each by inner folds; SGDClassifier has scikit-learn's robust loss, modified Huber.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from data_sets import DataSet, bundled, keel, smaller, textbook
from protocol import nested, ours, peers, study
from scipy import sparse

N_FOLDS, MOST_ROWS = 3, 1000
FLIPPED = (0.0, 0.1, 0.2, 0.3, 0.4)
OUTLIERS = (0.0, 0.01, 0.02, 0.05, 0.1)
_DISTANCE = 10.0
_FIGURES = ("accuracy", "AUC")
_SETS = (
    *("breast_cancer", "australian", "chess", "german", "magic", "mammographic", "mushroom", "phoneme", "pima"),
    *("spambase", "tic-tac-toe", "titanic", "twonorm", "wisconsin", "yeast1", "OJ", "Default"),
)


def sets(folder: Path) -> Iterator[DataSet]:
    for source in (bundled(N_FOLDS), keel(folder, N_FOLDS), textbook(folder, N_FOLDS)):
        yield from (data for data in source if data.name in _SETS)


def flipped(X: Any, y: np.ndarray, share: float, rng: np.random.Generator) -> tuple[Any, np.ndarray]:
    classes = np.unique(y)
    other = np.where(y == classes[0], classes[1], classes[0])
    return X, np.where(rng.random(len(y)) < share, other, y)


def with_outliers(X: np.ndarray, y: np.ndarray, share: float, rng: np.random.Generator) -> tuple[Any, np.ndarray]:
    """Rows far out on the other class's side."""
    classes = np.unique(y)
    spread = X.std(axis=0)
    spread[spread == 0.0] = 1.0
    means = [(X[y == c] / spread).mean(axis=0) for c in classes]
    towards = means[1] - means[0]
    towards /= np.linalg.norm(towards) or 1.0
    X = X.astype(float).copy()
    for i in np.flatnonzero(rng.random(len(y)) < share):
        X[i] += (1.0 if y[i] == classes[0] else -1.0) * _DISTANCE * towards * spread
    return X, y


def measure(data: DataSet) -> dict[str, Any]:
    makers = {**ours(), **peers("modified_huber")}
    found: dict[str, Any] = {}
    for kind, spoil, shares in (("flipped", flipped, FLIPPED), ("outliers", with_outliers, OUTLIERS)):
        for share in shares:
            rows = []
            for number, (X, y, X_test, y_test) in enumerate(data.folds):
                X, y = smaller(X.toarray() if sparse.issparse(X) else X, y, MOST_ROWS)
                spoiled = spoil(X, y, share, np.random.default_rng([number, round(1000 * share)]))
                rows.append(nested(makers, *spoiled, X_test, y_test, _FIGURES))
            for figure in _FIGURES:
                means = {name: float(np.mean([row[name][figure][0] for row in rows])) for name in makers}
                found.setdefault(kind, {}).setdefault(f"{share:g}", {})[figure] = means
    return found


if __name__ == "__main__":
    study(__doc__ or "", sets, measure, "label_noise.json", folds=N_FOLDS, most_rows=MOST_ROWS)
