"""Write the tables of the page on migration (called by conf.py): where LogisticRegression stops, what a loss costs."""

import json
import warnings
from pathlib import Path

import numpy as np
from sklearn import datasets
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import scale

from marginclf import MarginLinearClassifier

COSTS = Path(__file__).parents[2] / "benchmarks" / "results" / "loss_cost"
DATA = ("breast_cancer", "iris", "wine", "digits")
STRENGTHS = (1.0, 100.0)


def write(folder: Path) -> None:
    """Write both tables into `folder`; the first from fits that are done here, the second from the newest results."""
    (folder / "early_stop.inc").write_text("\n".join(_table(_early_stop())) + "\n", encoding="utf-8")
    results = json.loads(max(COSTS.glob("*.json")).read_text(encoding="utf-8"))
    machine = results["machine"]
    measured = f"One thread; {machine['cpu']}, {machine['cores']} cores, Python {machine['python']}."
    (folder / "loss_cost.inc").write_text("\n".join([*_table(_costs(results)), "", measured]) + "\n", encoding="utf-8")


def _early_stop():
    yield "data", "C", "largest", "default", "iterations", "``tol=1e-10``", "iterations"
    for name in DATA:
        X, y = getattr(datasets, f"load_{name}")(return_X_y=True)
        X = scale(X)
        for C in STRENGTHS:
            ours = MarginLinearClassifier(C=C, tol=1e-12).fit(X, y).coef_
            row = [name, f"{C:g}", f"{np.abs(ours).max():.1f}"]
            for options in ({}, {"tol": 1e-10, "max_iter": 10_000}):
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore", ConvergenceWarning)
                    theirs = LogisticRegression(C=C, **options).fit(X, y)
                row += [f"{np.abs(theirs.coef_ - ours).max():.1g}", str(theirs.n_iter_[0])]
            yield row


def _costs(results):
    seconds = results["seconds"]
    yield "loss", *seconds
    for loss in next(iter(seconds.values())):
        yield f"``{loss}``", *(f"{of[loss] / of['logistic']:.2g}" for of in seconds.values())
    yield "``logistic``, ms", *(f"{1e3 * of['logistic']:.2g}" for of in seconds.values())


def _table(rows):
    yield from (".. list-table::", "   :header-rows: 1", "")
    for cells in rows:
        for k, cell in enumerate(cells):
            yield ("   * - " if k == 0 else "     - ") + cell
