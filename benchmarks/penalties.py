"""l1 and elastic net beside the packages that have them: time to a relative suboptimality of 1e-6, one thread.

    python benchmarks/penalties.py [--repeats 3] [--problems tall …] [--shrink 10] [--seed 0] [--order F C] [--limit 30]

    tall      200,000 × 50 dense, l1, C = 100 smallest_C
    middling  20,000 × 500 dense, l1, C = 100 smallest_C
    wide      200 × 20,000 correlated, C = 20 smallest_C, l1 and elastic net with l1_ratio = ½
    text      64,000 × 355,000 TF-IDF, C = 30 and 300 smallest_C, with and without intercept, elastic net, squared hinge
    weak      tall and middling with C so large that next to nothing is zero, beside plain l2 with that C

Made data whose signal is in few columns; dense data by columns (F) or by rows (C), of which every package gets what it
asks for. Each peer runs at the loosest tolerance that gets there, found once: skglm's proximal Newton, celer (no
intercept), LIBLINEAR (l1, no intercept), scikit-learn's saga, and glmnet if there is an R that has it (Debian:
r-cran-glmnet). A fit of the last three that takes longer than ``--limit`` seconds ends there, and a package that is not
installed is left out. "gap" is what was reached, by a fit at tol=1e-10 of ours.
"""

from __future__ import annotations

import argparse
import warnings
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from data import text
from environment import in_each_setting
from penalty_peers import PEERS, Fit, Found, Peer, TooSlow, glmnet, limited, ours, penalty_of, suits
from scipy import sparse
from timing import duration, markdown

from marginclf.penalties import smallest_C

GOAL = 1e-6


class Race(NamedTuple):
    """A problem: its data, what C is beside the smallest one, l1_ratio, whether there is an intercept, and the loss."""

    data: str
    factor: float
    ratio: float = 1.0
    intercept: bool = True
    loss: str = "logistic"

    def __str__(self) -> str:
        parts = f"{self.data}, {self.factor:g}", f"r = {self.ratio:g}" if self.ratio != 1.0 else ""
        parts += "" if self.intercept else "no intercept", self.loss if self.loss != "logistic" else ""
        return ", ".join(part for part in parts if part)


RACES = (
    Race("tall", 100.0), Race("middling", 100.0), Race("wide", 20.0), Race("wide", 20.0, 0.5),
    Race("text", 30.0), Race("text", 30.0, 0.5), Race("text", 30.0, 1.0, False), Race("text", 300.0),
    Race("text", 300.0, 1.0, False), Race("text", 30.0, 1.0, False, "squared_hinge"),
)  # fmt: skip
WEAK = Race("tall", 1e6), Race("middling", 1e6)


def made(name: str, shrink: int, seed: int = 0) -> tuple[Any, np.ndarray]:
    rng = np.random.default_rng(seed)
    if name == "text":
        n, d = 64_000 // shrink, 355_000 // shrink
        X, _ = text(n, d, per_row=75, seed=seed + 1)
        often = np.argsort(-np.bincount(X.indices, minlength=d))[50:4050]
        w = np.zeros(d)
        w[rng.permutation(often)[:400]] = 8.0 * rng.normal(size=min(400, len(often)))
        z = X @ w
        return X, (z - np.median(z) + 0.5 * rng.logistic(size=n) > 0.0).astype(int)
    n, d = {"tall": (200_000 // shrink, 50), "middling": (20_000 // shrink, 500), "wide": (200, 20_000 // shrink)}[name]
    common = rng.normal(size=(n, 50 if name == "wide" else 1))
    X = rng.normal(size=(n, d)) + 0.6 * common @ rng.normal(size=(common.shape[1], d))
    w = np.zeros(d)
    w[: max(10, d // 10) if n > d else 20] = rng.normal(size=max(10, d // 10) if n > d else 20)
    y = (0.5 * X @ w + rng.normal(size=n) > 0.0).astype(int)
    return np.asfortranarray(X), y


def objective(X: Any, y: np.ndarray, w: np.ndarray, b: float, C: float, ratio: float, loss: str = "logistic") -> float:
    margins = (2 * y - 1) * (X @ w + b)
    losses = np.logaddexp(0.0, -margins) if loss == "logistic" else np.maximum(1.0 - margins, 0.0) ** 2
    return float(C * losses.sum() + ratio * np.abs(w).sum() + 0.5 * (1.0 - ratio) * (w @ w))


def raced(
    peers: dict[str, Peer], problem: tuple, gap: Callable[[Found], float], repeats: int, limit: float
) -> list[list[str]]:
    """A line of each package, ours first: time, times ours, and what was reached."""
    suited: dict[str, tuple[Fit, float]] = {}
    failed: dict[str, bool] = {}
    for name, (fit, tolerances, _) in peers.items():
        try:
            tol = next((tol for tol in tolerances if gap(fit(*problem, tol)) <= GOAL), None)
        except ImportError:  # a package that is not installed has no line
            continue
        except TooSlow:
            failed[name] = True
            continue
        if tol is None:
            failed[name] = False
        else:
            suited[name] = fit, tol
    found: dict[str, list[Found]] = {name: [] for name in suited}
    for _ in range(repeats):
        for name, (fit, tol) in suited.items():
            try:
                found[name].append(fit(*problem, tol))
            except TooSlow:
                failed[name] = True
    mine, rows = min(one[0] for one in found[next(iter(peers))]), []
    for name in peers:
        if found.get(name):
            least, reached = min(one[0] for one in found[name]), max(gap(found[name][-1]), 0.0)
            rows.append([name, duration(least), f"{least / mine:.2f}", f"{reached:.0e}"])
        elif name in failed:
            slow = [f"> {limit:g} s", f"> {limit / mine:.0f}", "—"]
            rows.append([name, *(slow if failed[name] else ["—", "—", "not reached"])])
    return rows


def run(race: Race, order: str, arguments: argparse.Namespace) -> list[list[str]]:
    X, y = made(race.data, arguments.shrink, arguments.seed)
    X = X if sparse.issparse(X) else np.asarray(X, order=order)
    C = race.factor * smallest_C(X, y, loss=race.loss, penalty=penalty_of(race), fit_intercept=race.intercept)
    peers, limit = {"marginclf": Peer(ours, (GOAL,))}, arguments.limit
    for name, peer in PEERS.items():
        if suits(name, race):
            fit = partial(glmnet, limit=limit) if name == "glmnet" else peer.fit
            peers[name] = peer._replace(fit=limited(fit, limit) if peer.slow else fit)
    _, w, b = ours(X, y, C, race, 1e-10)
    best = objective(X, y, w, b, C, race.ratio, race.loss)

    def gap(found: Found) -> float:
        return objective(X, y, *found[1:], C, race.ratio, race.loss) / best - 1.0

    rows = raced(peers, (X, y, C, race), gap, arguments.repeats, limit)
    return [[f"{race}{'' if order == 'F' or sparse.issparse(X) else ', by rows'}", *row] for row in rows]


def weak(race: Race, order: str, arguments: argparse.Namespace) -> list[list[str]]:
    """l1 beside l2, both ours, each with its own objective."""
    X, y = made(race.data, arguments.shrink, arguments.seed)
    X = np.asarray(X, order=order)
    C, found = race.factor * smallest_C(X, y, penalty="l1"), {"marginclf, l2": [], "marginclf, l1": []}
    ours(X, y, C, race, GOAL, "l2")
    for _ in range(arguments.repeats + 1):
        for name, times in found.items():
            times.append(ours(X, y, C, race, GOAL, name[-2:]))
    plain = min(one[0] for one in found["marginclf, l2"][1:])
    rows, what = [], f"{race}{'' if order == 'F' else ', by rows'}"
    for name, fits in found.items():
        least, zeros = min(one[0] for one in fits[1:]), int((fits[-1][1] == 0.0).sum())
        rows.append([what, name, duration(least), f"{least / plain:.2f}", f"{zeros} zeros"])
    return rows


def main(arguments: argparse.Namespace) -> None:
    warnings.simplefilter("ignore")
    header = ["problem", "package", "time", "times ours", "gap"]
    for race in RACES:
        for order in arguments.order if race.data != "text" else "F":
            if race.data in arguments.problems:
                print(markdown(header, run(race, order, arguments)), flush=True)
    for race in WEAK if "weak" in arguments.problems else ():
        for order in arguments.order:
            print(markdown([*header[:3], "times l2", "zeros"], weak(race, order, arguments)), flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--problems", nargs="+", default=["tall", "middling", "wide", "text", "weak"])
    parser.add_argument("--shrink", type=int, default=1, help="divide the large dimension by this")
    parser.add_argument("--seed", type=int, default=0, help="of the data")
    parser.add_argument("--order", nargs="+", choices=("F", "C"), default=["F"], help="of dense data")
    parser.add_argument("--limit", type=float, default=30.0, help="seconds after which a fit that may be slow ends")
    in_each_setting(main, parser)
