"""What a fit of each loss costs, as a multiple of a fit of the logistic loss.

    python benchmarks/loss_cost.py [--repeats 7] [--output benchmarks/results/loss_cost/DATE.json]

Default settings at C = 1, one thread, everything compiled. Fits of all losses are interleaved; the figure is the least
processor time, and the ratio one of such minima.
"""

from __future__ import annotations

import argparse
import gc
import json
import time
import warnings
from pathlib import Path

from data import bundled, dense, text
from environment import in_each_setting, machine, versions
from timing import duration, markdown, still

from marginclf import MarginLinearClassifier
from marginclf.losses import catalogue

PROBLEMS = {
    "569 × 30": lambda: bundled("breast_cancer", (1,)),
    "1797 × 64, 10 classes": lambda: bundled("digits", None),
    "100,000 × 50": lambda: dense(100_000, 50, seed=0),
    "10,000 × 30,000, sparse": lambda: text(10_000, 30_000, per_row=50.0, seed=0),
}
SMALL = 0.02
"""Fits that take less are done several times at once, for the clock of the processor is coarse."""


def cost(model: MarginLinearClassifier, X: object, y: object, times: int) -> float:
    """Processor seconds of one fit."""
    gc.collect()
    began = time.process_time()
    for _ in range(times):
        model.fit(X, y)
    return (time.process_time() - began) / times


def main(arguments: argparse.Namespace) -> None:
    warnings.simplefilter("ignore")
    found: dict[str, dict[str, float]] = {}
    for problem, make in PROBLEMS.items():
        X, y = make()
        models = {loss: MarginLinearClassifier(loss) for loss in catalogue()}
        for model in models.values():
            model.fit(X, y)
        still()
        times = {loss: max(1, round(SMALL / max(cost(model, X, y, 1), 1e-4))) for loss, model in models.items()}
        least = dict.fromkeys(models, float("inf"))
        for _ in range(arguments.repeats):
            for loss, model in models.items():
                least[loss] = min(least[loss], cost(model, X, y, times[loss]))
        found[problem] = least
    rows = [[loss, *(f"{of[loss] / of['logistic']:.2g}" for of in found.values())] for loss in catalogue()]
    rows.append(["logistic, by itself", *(duration(of["logistic"]) for of in found.values())])
    print(markdown(["loss", *found], rows))
    if arguments.output:
        facts = {"machine": machine(), "versions": versions(), "seconds": found}
        arguments.output.parent.mkdir(exist_ok=True)
        arguments.output.write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--output", type=Path, help="file of results, from which the documentation draws its table")
    parser.set_defaults(threads="1")
    in_each_setting(main, parser)
