"""The rule of ``solver="auto"``: both solvers beside each other, by shape, well and badly scaled.

    python benchmarks/rule.py [--threads 1|all|both] [--repeats 7]

Medians of interleaved fits to the default tolerance, logistic loss, C = 1; the solver that auto takes is marked. It
follows n d² + d³, the operations of one Hessian and its factor, and the size of X.
"""

from __future__ import annotations

import argparse
import warnings

from data import dense
from environment import in_each_setting, threads
from timing import duration, interleaved, markdown, median

from marginclf import MarginLinearClassifier
from marginclf.solvers import newton_suits

_SHAPES = (
    *((200, 5), (569, 30), (2_000, 5), (2_000, 20), (2_000, 50), (2_000, 200)),
    *((10_000, 5), (10_000, 20), (10_000, 50), (50_000, 5), (50_000, 20), (50_000, 50)),
    *((500, 500), (1_000, 300), (1_000, 1_000), (500, 2_000), (5_000, 200), (5_000, 1_000)),
)


def main(arguments: argparse.Namespace) -> None:
    warnings.simplefilter("ignore")
    rows = []
    for n, d in sorted(_SHAPES, key=lambda shape: shape[0] * shape[1] ** 2 + shape[1] ** 3):
        row = [f"{n:,} × {d:,}", f"{n * d * d + d**3:.0e}"]
        takes = "newton" if newton_suits(n, d, n * d) else "lbfgs"
        for span in (1.0, 1e3):
            X, y = dense(n, d, seed=12, span=span)
            models = {s: MarginLinearClassifier(solver=s, n_jobs=threads()) for s in ("newton", "lbfgs")}
            fits = {name: lambda model=model: model.fit(X, y) for name, model in models.items()}  # noqa: B023
            found = {name: median(values) for name, values in interleaved(fits, arguments.repeats).items()}
            row += [duration(found[name]) + (" *" if name == takes else "") for name in found]
            row.append(f"{found['newton'] / found['lbfgs']:.2f}")
        rows.append(row)
    header = ["n × d", "n d² + d³"]
    header += ["newton", "lbfgs", "ratio", "newton, scaled over 1e3", "lbfgs, scaled over 1e3", "ratio"]
    print(markdown(header, rows))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=7)
    in_each_setting(main, parser)
