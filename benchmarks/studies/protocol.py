"""Candidates, figures and the nested choice of C, for every study alike."""

from __future__ import annotations

import argparse
import fnmatch
import json
import sys
import tempfile
import warnings
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import joblib
import numpy as np
from data_sets import scaled
from sklearn.linear_model import LogisticRegression, SGDClassifier
from sklearn.metrics import average_precision_score, log_loss, roc_auc_score
from sklearn.model_selection import StratifiedKFold
from sklearn.svm import LinearSVC

from marginclf import MarginLinearClassifier
from marginclf.losses import catalogue

sys.path.append(str(Path(__file__).resolve().parents[1]))
import environment

RESULTS = Path(__file__).resolve().parent / "results"
STRENGTHS = (0.001, 0.01, 0.1, 1.0, 10.0, 100.0)
INNER_FOLDS = 3
_UNLIKELY = 1e-6
"""Probabilities are cut off here for the log-loss: one certain error would decide a mean otherwise."""

Make = Callable[[float, int], Any]


def ours() -> dict[str, Make]:
    """A classifier for each loss of the catalogue, as a function of C and the number of rows."""
    return {name: lambda C, n, name=name: MarginLinearClassifier(name, C=C) for name in catalogue()}


def peers(sgd_loss: str = "hinge") -> dict[str, Make]:
    """What a user of scikit-learn would take; C of SGDClassifier is 1/(alpha n)."""
    return {
        "LogisticRegression": lambda C, n: LogisticRegression(C=C, max_iter=2000),
        "LinearSVC": lambda C, n: LinearSVC(C=C, max_iter=5000),
        f"SGDClassifier {sgd_loss}": lambda C, n: SGDClassifier(sgd_loss, alpha=1.0 / (C * n), random_state=0),
    }


def scores_of(model: Any, X: Any) -> np.ndarray:
    """Decision values of shape (n, K); of two classes, (−z, z)."""
    z = model.decision_function(X)
    return np.column_stack([-z, z]) if z.ndim == 1 else z


def accuracy(model: Any, X: Any, y: np.ndarray) -> float:
    return float((model.predict(X) == y).mean())


def auc(model: Any, X: Any, y: np.ndarray) -> float:
    """Area under the ROC curve; of many classes, the mean over each against the rest."""
    return _ranking(roc_auc_score, model, X, y)


def average_precision(model: Any, X: Any, y: np.ndarray) -> float:
    """Average precision of the rarer class; of many classes, the mean over all."""
    return _ranking(average_precision_score, model, X, y)


def minus_log_loss(model: Any, X: Any, y: np.ndarray) -> float:
    """NaN for a model without probabilities."""
    if not hasattr(model, "predict_proba"):
        return np.nan
    proba = np.clip(model.predict_proba(X), _UNLIKELY, 1.0)
    return -log_loss(y, proba / proba.sum(axis=1, keepdims=True), labels=model.classes_)


def _ranking(figure: Any, model: Any, X: Any, y: np.ndarray) -> float:
    z = scores_of(model, X)
    columns = range(len(model.classes_))
    if len(model.classes_) == 2:
        columns = [int((y == model.classes_[1]).mean() <= 0.5)]
    found = [
        figure(y == model.classes_[k], z[:, k]) for k in columns if 0 < int((y == model.classes_[k]).sum()) < len(y)
    ]
    return float(np.mean(found)) if found else np.nan


FIGURES = {
    "accuracy": accuracy,
    "AUC": auc,
    "average precision": average_precision,
    "minus log-loss": minus_log_loss,
}


def nested(
    makers: Mapping[str, Make], X: Any, y: np.ndarray, X_test: Any, y_test: np.ndarray, figures: Iterable[str]
) -> dict[str, dict[str, tuple[float, float]]]:
    """For each candidate and figure: its value on the test rows, and the best mean of the inner folds.

    C is chosen for each figure by itself, by stratified inner folds; the columns are standardised by the rows that are
    learned from, each time.
    """
    figures = tuple(figures)
    smallest = int(np.unique(y, return_counts=True)[1].min())
    inner = StratifiedKFold(max(2, min(INNER_FOLDS, smallest)), shuffle=True, random_state=0)
    parts = [(*scaled(X[a], X[b]), y[a], y[b]) for a, b in inner.split(np.zeros(len(y)), y)]
    whole, test = scaled(X, X_test)
    found: dict[str, dict[str, tuple[float, float]]] = {}
    for name, make in makers.items():
        tried = np.full((len(STRENGTHS), len(figures)), np.nan)
        for k, C in enumerate(STRENGTHS):
            rows = []
            for X_in, X_out, y_in, y_out in parts:
                model = make(C, len(y_in)).fit(X_in, y_in)
                rows.append([FIGURES[figure](model, X_out, y_out) for figure in figures])
            tried[k] = np.mean(rows, axis=0)
        found[name], models = {}, {}
        for column, figure in enumerate(figures):
            if np.isnan(tried[:, column]).all():
                found[name][figure] = (np.nan, np.nan)
                continue
            best = int(np.nanargmax(tried[:, column]))
            if best not in models:
                models[best] = make(STRENGTHS[best], len(y)).fit(whole, y)
            found[name][figure] = FIGURES[figure](models[best], test, y_test), tried[best, column]
    return found


def quietly(function: Callable, *arguments: Any) -> Any:
    """A call in a worker process: its warnings are not the point here."""
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        return function(*arguments)


def study(description: str, sets: Callable[[Path], Iterable[Any]], measure: Callable, file: str, **about: Any) -> None:
    """The main program of a study: every data set in a process of its own, and one file of results.

    Parameters
    ----------
    description : str
        Documentation of the script.
    sets : callable
        Data sets of a folder for packages with data.
    measure : callable
        One data set to what is known of it (for JSON).
    file : str
        Name of the results.
    **about
        More to be kept with them.
    """
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, help="where packages with data are put, or are (default: temporary)")
    parser.add_argument("--sets", nargs="+", default=["*"], metavar="PATTERN", help="names of data sets, or patterns")
    parser.add_argument("--output", type=Path, default=RESULTS / file, help="file of the results")
    parser.add_argument("--jobs", type=int, default=environment.cores(), help="processes")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        chosen = [
            data
            for data in sets(arguments.folder or Path(temporary))
            if any(fnmatch.fnmatchcase(data.name, pattern) for pattern in arguments.sets)
        ]
    tasks = (joblib.delayed(quietly)(measure, data) for data in chosen)
    found = {}
    for data, result in zip(chosen, joblib.Parallel(arguments.jobs, return_as="generator")(tasks), strict=True):
        rows, columns = data.shape
        about_set = {"source": data.source, "rows": rows, "columns": columns, "classes": data.n_classes}
        found[data.name] = {**about_set, **result}
        print(f"{data.name}: {rows} x {columns}, {data.n_classes} classes", flush=True)
        content = {"versions": environment.versions(), "strengths": STRENGTHS, **about, "sets": found}
        arguments.output.write_text(as_text(_rounded(content)))


def as_text(content: dict[str, Any]) -> str:
    """JSON with a line for each set: two runs can be compared."""
    sets = ",\n".join(f"  {json.dumps(name)}: {json.dumps(found)}" for name, found in content["sets"].items())
    rest = json.dumps({key: value for key, value in content.items() if key != "sets"}, indent=1)
    return f'{rest[:-2]},\n "sets": {{\n{sets}\n }}\n}}\n'.replace("NaN", "null")


def _rounded(value: Any) -> Any:
    """Five digits are more than any of the figures has."""
    if isinstance(value, dict):
        return {key: _rounded(item) for key, item in value.items()}
    if isinstance(value, list | tuple | np.ndarray):
        return [_rounded(item) for item in value]
    return float(f"{value:.5g}") if isinstance(value, float | np.floating) else value
