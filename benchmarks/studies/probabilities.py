"""Is a loss's own probability what it claims to be? On real data, and on data whose probabilities are known.

    python benchmarks/studies/probabilities.py [--sets PATTERN ...]

Log-loss, Brier score and reliability (how often the event came true among the rows that were given about the same
probability) of each loss's probability, beside LogisticRegression and CalibratedClassifierCV around LinearSVC; then
class_weight="balanced" with proba_prior="weighted" and "data". C is chosen by the log-loss of inner folds, or by their
accuracy where a model has no probability until it is calibrated. Rows of the same set are pooled over the folds.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from data_sets import DataSet, bundled, keel, scaled, smaller, textbook
from protocol import STRENGTHS, minus_log_loss, study
from scipy.special import expit, ndtr
from sklearn.calibration import CalibratedClassifierCV
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import brier_score_loss, log_loss
from sklearn.model_selection import StratifiedKFold, train_test_split
from sklearn.svm import LinearSVC

from marginclf import MarginLinearClassifier
from marginclf.losses import catalogue

N_FOLDS, MOST_ROWS, BINS = 5, 3000, 10
_UNLIKELY = 1e-6
_KNOWN_ROWS = 6000
_SETS = (
    *("breast_cancer", "australian", "german", "magic", "mammographic", "phoneme", "pima", "spambase", "titanic"),
    *("page-blocks0", "yeast1", "yeast4", "winequality-red-4", "Caravan", "Default", "OJ", "Weekly"),
)


def known() -> Iterator[tuple[DataSet, np.ndarray]]:
    """Rows with the probability that their label was drawn by, in the order of the test rows of one fold."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(_KNOWN_ROWS, 5))
    z = X @ np.array([1.5, -1.0, 0.5, 0.0, 0.0]) - 1.0
    for name, eta in (
        ("known: logistic in z", expit(z)),
        ("known: normal in z", ndtr(z)),
        ("known: linear in z", np.clip(0.5 + 0.2 * z, 0.0, 1.0)),
        ("known: with a floor of 10 %", 0.1 + 0.8 * expit(3.0 * z)),
    ):
        y = (rng.random(_KNOWN_ROWS) < eta).astype(int)
        a, b = train_test_split(np.arange(_KNOWN_ROWS), test_size=0.5, random_state=0)
        yield DataSet(name, "drawn", [(X[a], y[a], X[b], y[b])]), eta[b]


_TRUE = {data.name: eta for data, eta in known()}


def sets(folder: Path) -> Iterator[DataSet]:
    for source in (bundled(N_FOLDS), keel(folder, N_FOLDS), textbook(folder, N_FOLDS)):
        yield from (data for data in source if data.name in _SETS)
    yield from (data for data, _ in known())


def candidates() -> dict[str, Any]:
    found: dict[str, Any] = {
        name: lambda C, name=name: MarginLinearClassifier(name, C=C)
        for name, cls in catalogue().items()
        if cls().probability is not None
    }
    found["LogisticRegression"] = lambda C: LogisticRegression(C=C, max_iter=2000)
    for method in ("sigmoid", "isotonic"):
        found[f"LinearSVC, {method}"] = lambda C, method=method: CalibratedClassifierCV(
            LinearSVC(C=C, max_iter=5000), method=method, cv=3
        )
    for prior in ("weighted", "data"):
        found[f"logistic, balanced, {prior}"] = lambda C, prior=prior: MarginLinearClassifier(
            C=C, class_weight="balanced", proba_prior=prior
        )
    return found


def measure(data: DataSet) -> dict[str, Any]:
    makers = candidates()
    proba: dict[str, list[np.ndarray]] = {name: [] for name in makers}
    labels = []
    for X, y, X_test, y_test in data.folds:
        X, y = smaller(X, y, MOST_ROWS)
        # The rarer class is the event.
        event = np.unique(y)[np.argmin(np.unique(y, return_counts=True)[1])]
        y, X, X_test = (y == event).astype(int), *scaled(X, X_test)
        labels.append((y_test == event).astype(int))
        parts = list(StratifiedKFold(3, shuffle=True, random_state=0).split(X, y))
        for name, make in makers.items():
            tried = [
                np.mean([minus_log_loss(make(C).fit(X[a], y[a]), X[b], y[b]) for a, b in parts]) for C in STRENGTHS
            ]
            model = make(STRENGTHS[int(np.argmax(tried))]).fit(X, y)
            proba[name].append(model.predict_proba(X_test)[:, 1])
    event = np.concatenate(labels)
    found: dict[str, Any] = {"share": event.mean(), "models": {}}
    for name, parts in proba.items():
        eta = np.concatenate(parts)
        row = {
            "log-loss": log_loss(event, np.clip(eta, _UNLIKELY, 1.0 - _UNLIKELY)),
            "Brier": brier_score_loss(event, eta),
            **reliability(event, eta),
        }
        if data.name in _TRUE:
            row["mean error"] = np.abs(eta - _TRUE[data.name]).mean()
        found["models"][name] = row
    return found


def reliability(event: np.ndarray, eta: np.ndarray) -> dict[str, Any]:
    """Mean probability, share of events and rows in each tenth of [0, 1]; and the mean gap between the two."""
    bin_of = np.minimum((eta * BINS).astype(int), BINS - 1)
    counts = np.bincount(bin_of, minlength=BINS)
    claimed = np.bincount(bin_of, eta, minlength=BINS)
    came = np.bincount(bin_of, event, minlength=BINS)
    gap = np.abs(claimed - came).sum() / len(eta)
    return {"calibration error": gap, "rows": counts.tolist(), "claimed": claimed, "came": came}


if __name__ == "__main__":
    study(__doc__ or "", sets, measure, "probabilities.json", folds=N_FOLDS, most_rows=MOST_ROWS)
