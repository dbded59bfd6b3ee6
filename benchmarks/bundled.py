"""Data that everybody tries first, every loss at default settings, beside what scikit-learn has for it.

    python benchmarks/bundled.py [--data iris …] [--losses hinge …] [--repeats 7]

hinge and squared_hinge with multi_class="ovr" beside LinearSVC as it comes (which ends before the optimum and
penalises the intercept), squared beside RidgeClassifier, and logistic beside the fastest solver of scikit-learn that
gets to 1e-6, found once. All are called in turn, and the ratio is one of minima, peer / ours: above 1 we are first. One
thread.
"""

from __future__ import annotations

import argparse
import sys
import warnings
from functools import partial
from typing import Any

import numpy as np
from data import bundled
from environment import on_one_thread
from map import Cell, peer, value
from sklearn.linear_model import LogisticRegression, RidgeClassifier
from sklearn.preprocessing import scale
from sklearn.svm import LinearSVC
from timing import duration, interleaved, markdown, median

from marginclf import MarginLinearClassifier

_DATA = ("iris", "wine", "breast_cancer", "digits", "odd_digits", "digits_scaled")
_LOSSES = ("hinge", "squared_hinge", "squared", "logistic")


def _data(name: str) -> tuple[np.ndarray, np.ndarray]:
    """X, standardised, and y; pixels of ``digits_scaled`` lie in [0, 1] instead, as they come but for a factor."""
    if name == "digits_scaled":
        return bundled("digits", None)
    X, y = bundled(name.removeprefix("odd_"), (1, 3, 5, 7, 9) if name == "odd_digits" else None)
    return scale(X), y


def _peer(X: np.ndarray, y: np.ndarray, loss: str, C: float) -> tuple[str, Any]:
    """What scikit-learn has for a loss."""
    if loss == "squared":
        # ½(1 − m)² for each of the rows: the penalty weighs 1/C beside twice that.
        return "RidgeClassifier", RidgeClassifier(alpha=1.0 / C)
    if loss != "logistic":
        return "LinearSVC", LinearSVC(C=C, loss=loss)
    cell = Cell(len(np.unique(y)), *X.shape, C)
    best = value(cell, X, y, MarginLinearClassifier(C=C, tol=1e-11).fit(X, y))
    solver, tol, _ = peer(cell, X, y, best)
    return f"{solver} {tol:.0e}", LogisticRegression(C=C, solver=solver, tol=tol, max_iter=100_000)


def main(arguments: argparse.Namespace) -> None:
    warnings.simplefilter("ignore")
    rows, ratios = [], {}
    for name in arguments.data:
        X, y = _data(name)
        for loss in arguments.losses:
            how = {} if loss == "logistic" else {"multi_class": "ovr"}
            for C in (0.01, 1.0, 100.0):
                ours = MarginLinearClassifier(loss, C=C, **how)
                which, theirs = _peer(X, y, loss, C)
                fits = {"ours": partial(ours.fit, X, y), "peer": partial(theirs.fit, X, y)}
                times = interleaved(fits, arguments.repeats)
                found, other = (min(seconds) for seconds in times.values())
                ratios.setdefault(name, []).append(other / found)
                cells = [duration(found), duration(other), f"{other / found:.2f}", which, ours.status_[0]]
                rows.append([f"{name}, {loss}, {C:g}", *cells])
                print(rows[-1][0], cells[2], file=sys.stderr, flush=True)
    print(markdown(["data, loss, C", "ours", "peer", "peer / ours", "which", "status"], rows))
    print("\n".join(f"{name}: median {median(of):.2f}, least {min(of):.2f}" for name, of in ratios.items()))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", nargs="+", default=list(_DATA), choices=_DATA)
    parser.add_argument("--losses", nargs="+", default=list(_LOSSES), choices=_LOSSES)
    parser.add_argument("--repeats", type=int, default=7)
    on_one_thread(main, parser)
