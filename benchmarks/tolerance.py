"""What a loose tol saves: fits of the map of shapes and of joint margins with tol=1e-3, beside the default's.

    python benchmarks/tolerance.py [--tol 1e-3] [--beside 1e-8] [--K 2 5 10] [--n …] [--d …] [--C …] [--joint]
                                   [--losses hinge …] [--data libras …] [--repeats 5] [--least 5]

Cells are those of map.py, or with --joint the data, losses and C of joint.py. Both fits run in turns, and the ratio is
one of minima; fits whose minimum at --beside is at most so many ms (--least) are left out. One thread.
"""

from __future__ import annotations

import argparse
import sys
import warnings
from collections.abc import Iterator

import joint
import map as shapes
import numpy as np
from environment import on_one_thread
from timing import duration, interleaved, markdown, median, seconds

from marginclf import MarginLinearClassifier


def problems(arguments: argparse.Namespace) -> Iterator[tuple[str, np.ndarray, np.ndarray, dict]]:
    """Name, data and parameters of each fit."""
    strengths = arguments.C or [0.01, 1.0, 100.0]
    if arguments.joint:
        for name in arguments.data:
            X, y = joint.DATA[name]()
            for loss in arguments.losses:
                for C in strengths:
                    yield f"{name}, {loss}, {C:g}", X, y, {"loss": loss, "C": C}
        return
    for K in arguments.K:
        for n in arguments.n:
            for d in arguments.d:
                for C in strengths:
                    yield f"{K}, {n} × {d}, {C:g}", *shapes.Cell(K, n, d, C).data(), {"C": C}


def compared(
    X: np.ndarray, y: np.ndarray, parameters: dict, arguments: argparse.Namespace
) -> tuple[float, list[str]] | None:
    """The ratio and the line of one fit; nothing for one that is over sooner."""
    models = {tol: MarginLinearClassifier(tol=tol, **parameters) for tol in (arguments.beside, arguments.tol)}
    actions = {str(tol): lambda model=model: model.fit(X, y) for tol, model in models.items()}
    first = actions[str(arguments.beside)]
    first()
    if seconds(first)[0] <= 1e-3 * arguments.least:
        return None
    beside, loose = (min(times) for times in interleaved(actions, arguments.repeats).values())
    if beside <= 1e-3 * arguments.least:
        return None
    unproven = [m.status_[0] for m in models.values() if not all("proven bound" in s for s in m.status_)]
    steps = "/".join(str(int(np.max(model.n_iter_))) for model in models.values())
    left = f"{np.max(models[arguments.tol].suboptimality_):.0e}"
    ratio = loose / beside
    return ratio, [duration(beside), duration(loose), f"{ratio:.2f}", steps, left, "; ".join(unproven)]


def main(arguments: argparse.Namespace) -> None:
    warnings.simplefilter("ignore")
    lines, ratios = [], []
    for name, X, y, parameters in problems(arguments):
        found = compared(X, y, parameters, arguments)
        if found is not None:
            ratios.append(found[0])
            lines.append([name, *found[1]])
            print(" | ".join(lines[-1]), file=sys.stderr, flush=True)
    head = ["fit", f"tol={arguments.beside:g}", f"tol={arguments.tol:g}", "ratio", "steps", "proven", "not proven"]
    print(markdown(head, lines))
    if ratios:
        print(f"\n{len(ratios)} fits: median {median(ratios):.2f}, most {max(ratios):.2f}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tol", type=float, default=1e-3)
    parser.add_argument("--beside", type=float, default=1e-8)
    parser.add_argument("--K", type=int, nargs="+", default=[2, 5, 10])
    parser.add_argument("--n", type=int, nargs="+", default=[200, 1000, 5000, 20000])
    parser.add_argument("--d", type=int, nargs="+", default=[5, 20, 100, 500])
    parser.add_argument("--C", type=float, nargs="+")
    parser.add_argument("--joint", action="store_true", help="the fits of joint.py instead")
    parser.add_argument("--losses", nargs="+", default=joint.LOSSES)
    parser.add_argument("--data", nargs="+", default=("digits", "libras"), choices=tuple(joint.DATA))
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--least", type=float, default=5.0, help="ms")
    on_one_thread(main, parser)
