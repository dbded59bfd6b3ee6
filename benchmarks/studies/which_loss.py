"""Which loss, then? Every loss and three classifiers of scikit-learn on real data, C chosen by nested cross-validation.

    python benchmarks/studies/which_loss.py [--sets PATTERN ...]

"chosen" is the loss that does best in the inner folds, chosen there together with its C, as GridSearchCV over the loss
would. Accuracy, area under the ROC curve, average precision and log-loss, each by a C of its own.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from data_sets import DataSet, all_sets, smaller
from protocol import FIGURES, nested, ours, peers, study

N_FOLDS, MOST_ROWS = 5, 2000


def measure(data: DataSet) -> dict[str, Any]:
    """Mean of each figure over the folds, by candidate."""
    makers = {**ours(), **peers()}
    folds = []
    for X, y, X_test, y_test in data.folds:
        X, y = smaller(X, y, MOST_ROWS)
        found = nested(makers, X, y, X_test, y_test, FIGURES)
        found["chosen"] = {}
        for figure in FIGURES:
            inner = {name: row[figure][1] for name, row in found.items() if name in ours()}
            best = max(inner, key=lambda name: -np.inf if np.isnan(inner[name]) else inner[name])
            found["chosen"][figure] = found[best][figure]
        folds.append(found)
    return {
        "figures": {
            figure: {name: float(np.mean([fold[name][figure][0] for fold in folds])) for name in folds[0]}
            for figure in FIGURES
        }
    }


if __name__ == "__main__":
    study(
        __doc__ or "",
        lambda folder: all_sets(folder, N_FOLDS),
        measure,
        "which_loss.json",
        folds=N_FOLDS,
        most_rows=MOST_ROWS,
    )
