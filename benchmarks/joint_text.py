"""One joint margin on text of 20 classes beside LinearSVC's one-vs-rest, at the same C.

    python benchmarks/joint_text.py [--threads 1|all|both] [--repeats 3] [--losses hinge …] [--data easy contradictory]
                                    [--C 0.1 1 10 100]

12,000 rows and 18,800 words: ``easy`` can be separated once C is large, ``contradictory`` cannot. Both at default
settings, in turns; seconds are the least, of the processor, as a fit of either is one thread.
"""

from __future__ import annotations

import argparse
import time
import warnings
from collections.abc import Callable
from functools import partial
from typing import Any

from data import text, topics
from environment import in_each_setting
from sklearn.svm import LinearSVC
from timing import duration, markdown

from marginclf import MarginLinearClassifier

_LOSSES = ("squared_hinge", "smooth_hinge", "modified_huber", "hinge")
_DATA: dict[str, Callable[[], Any]] = {
    "easy": partial(text, 12_000, 18_800, per_row=80.0, seed=1, classes=20),
    "contradictory": partial(topics, 12_000, 18_800, classes=20, seed=5),
}


def main(arguments: argparse.Namespace) -> None:
    warnings.simplefilter("ignore")
    for name in arguments.data:
        X, y = _DATA[name]()
        rows = [row(X, y, loss, C, arguments.repeats) for loss in arguments.losses for C in arguments.C]
        print(markdown([name, "C", "joint", "LinearSVC", "ratio", "sweeps", "proven"], rows), flush=True)


def row(X: Any, y: Any, loss: str, C: float, repeats: int) -> list[str]:
    """The line of one loss and one C."""
    ours, peer = MarginLinearClassifier(loss, C=C, multi_class="joint"), LinearSVC(C=C)
    MarginLinearClassifier(loss, multi_class="joint").fit(X[:400, :2500], y[:400])
    found: dict[Any, list[float]] = {ours: [], peer: []}
    for _ in range(repeats):
        for model, times in found.items():
            began = time.process_time()
            model.fit(X, y)
            times.append(time.process_time() - began)
    best, least = min(found[ours]), min(found[peer])
    times = [duration(best), duration(least), f"{best / least:.2f}"]
    return [loss, f"{C:g}", *times, str(ours.n_iter_.max()), f"{ours.suboptimality_.max():.1e}"]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--losses", nargs="+", default=_LOSSES)
    parser.add_argument("--data", nargs="+", default=tuple(_DATA), choices=tuple(_DATA))
    parser.add_argument("--C", nargs="+", type=float, default=(0.1, 1.0, 10.0, 100.0))
    in_each_setting(main, parser)
