"""Small data: one fit at default settings, and a grid search, beside LogisticRegression.

    python benchmarks/small.py [--threads 1|all|both] [--repeats 200] [--searches 7]

569 × 30 (breast cancer, standardised). What costs here is not the optimisation but all that surrounds it; the two are
called in turn, and the ratio is one of medians. Both stop where they stop by default: --threads with run.py says where.
"""

from __future__ import annotations

import argparse
import warnings

import numpy as np
from data import bundled
from environment import in_each_setting
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from timing import duration, interleaved, markdown, median

from marginclf import MarginLinearClassifier

_GRID = {"C": np.logspace(-3, 3, 13)}


def main(arguments: argparse.Namespace) -> None:
    warnings.simplefilter("ignore")
    X, y = bundled("breast_cancer", (1,))
    pair = {"MarginLinearClassifier()": MarginLinearClassifier(), "LogisticRegression()": LogisticRegression()}
    fits = {name: lambda model=model: model.fit(X, y) for name, model in pair.items()}
    searches = {name: lambda model=model: GridSearchCV(model, _GRID, cv=5).fit(X, y) for name, model in pair.items()}
    rows = []
    for what, actions, repeats in (
        ("one fit", fits, arguments.repeats),
        (f"search of {len(_GRID['C'])} C × 5 folds", searches, arguments.searches),
    ):
        ours, theirs = interleaved(actions, repeats).values()
        cells = [f"{duration(median(found))} (min {duration(min(found))})" for found in (ours, theirs)]
        rows.append([what, *cells, f"{median(ours) / median(theirs):.2f}"])
    print(markdown(["569 × 30", *pair, "ratio"], rows))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=200)
    parser.add_argument("--searches", type=int, default=7)
    in_each_setting(main, parser)
