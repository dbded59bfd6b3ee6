"""What threads of BLAS do to a fit: at their default number, beside one.

    python benchmarks/blas_threads.py [--K 2 5 10] [--n …] [--d …] [--C 1 100] [--jobs -1] [--joint] [--repeats 5]

Fits of map.py, or of joint.py and letters-like data (20,000 × 16, 26 classes). Both in one process, in turns: BLAS is
limited to one thread around every second fit by threadpoolctl, after a pause in which the threads of the last one fall
asleep. The ratio is default / one thread, of minima.
"""

from __future__ import annotations

import argparse
import sys
import time
import warnings
from collections.abc import Iterator
from contextlib import nullcontext

import joint
import map as shapes
import numpy as np
from sklearn.datasets import make_classification
from threadpoolctl import threadpool_limits
from timing import duration, markdown, median

from marginclf import MarginLinearClassifier

_PAUSE = 0.12


def letters() -> tuple[np.ndarray, np.ndarray]:
    return make_classification(20_000, 16, n_informative=12, n_redundant=2, n_classes=26, n_clusters_per_class=1,
                               random_state=1)  # fmt: skip


def problems(arguments: argparse.Namespace) -> Iterator[tuple[str, np.ndarray, np.ndarray, dict]]:
    if arguments.joint:
        for name in ("digits", "libras"):
            X, y = joint.DATA[name]()
            for loss in arguments.losses:
                for C in arguments.C:
                    yield f"{name}, {loss}, {C:g}", X, y, {"loss": loss, "C": C}
                    yield f"{name}, {loss}, {C:g}, ovr", X, y, {"loss": loss, "C": C, "multi_class": "ovr"}
        for loss in ("logistic", "hinge", "squared_hinge"):
            yield f"letters, {loss}", *letters(), {"loss": loss}
        return
    for K in arguments.K:
        for n in arguments.n:
            for d in arguments.d:
                for C in arguments.C:
                    yield f"{K}, {n} × {d}, {C:g}", *shapes.Cell(K, n, d, C).data(), {"C": C}


def main(arguments: argparse.Namespace) -> None:
    warnings.simplefilter("ignore")
    lines, ratios = [], []
    for name, X, y, parameters in problems(arguments):
        model = MarginLinearClassifier(n_jobs=arguments.jobs, **parameters)
        model.fit(X, y)
        times: dict[bool, list[float]] = {True: [], False: []}
        for _ in range(arguments.repeats):
            for limited in times:
                time.sleep(_PAUSE)
                with threadpool_limits(1, user_api="blas") if limited else nullcontext():
                    began = time.perf_counter()
                    model.fit(X, y)
                    times[limited].append(time.perf_counter() - began)
        one, default = min(times[True]), min(times[False])
        ratios.append(default / one)
        lines.append([name, duration(one), duration(default), f"{ratios[-1]:.2f}"])
        print(" | ".join(lines[-1]), file=sys.stderr, flush=True)
    print(markdown(["fit", "one thread", "default", "ratio"], lines))
    print(f"\n{len(ratios)} fits: median {median(ratios):.2f}, least {min(ratios):.2f}, most {max(ratios):.2f}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--K", type=int, nargs="+", default=[2, 5, 10])
    parser.add_argument("--n", type=int, nargs="+", default=[200, 1000, 5000, 20000])
    parser.add_argument("--d", type=int, nargs="+", default=[5, 20, 100, 500])
    parser.add_argument("--C", type=float, nargs="+", default=[1.0, 100.0])
    parser.add_argument("--jobs", type=int)
    parser.add_argument("--joint", action="store_true", help="the fits of joint.py and letters instead")
    parser.add_argument("--losses", nargs="+", default=joint.LOSSES)
    parser.add_argument("--repeats", type=int, default=5)
    main(parser.parse_args())
