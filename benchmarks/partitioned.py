"""Data larger than memory: seconds of a pass on disk beside memory, rounds on a cluster beside the peers.

    python benchmarks/partitioned.py disk --gigabytes 1 4 16 --folder /a/disk
    python benchmarks/partitioned.py rounds [--small]
    python benchmarks/partitioned.py cluster [--small]

``disk`` times one evaluation (value and gradient) of X in memory, in a file in the page cache, and in a file that is
not, and the memory of a whole fit. ``rounds`` counts passes over the data until 1e-6 of the best objective. ``cluster``
times fits and single rounds with one worker process and with two. One thread for each.
"""

from __future__ import annotations

import argparse
import os
import threading
import time
import warnings
from pathlib import Path
from typing import Any

import dask.array as da
import numpy as np
from data import dense
from scipy.optimize import minimize
from timing import interleaved, markdown, median

from marginclf import MarginLinearClassifier
from marginclf.losses import Logistic
from marginclf.matrix import design_matrix
from marginclf.matrix.dask import DaskParts, delayed, kept
from marginclf.matrix.parts import LocalParts
from marginclf.objective import L2, BinaryObjective, PartitionedObjective, Problem, signed_weights

COLUMNS = 50
TARGET = 1e-6


def write(folder: Path, gigabytes: float) -> tuple[Path, np.ndarray]:
    """A file of float64 with 50 columns, and its labels."""
    n = int(gigabytes * 2**30 / (8 * COLUMNS))
    file = folder / f"{gigabytes:g}.npy"
    X = np.lib.format.open_memmap(file, "w+", np.float64, (n, COLUMNS))
    rng = np.random.default_rng(0)
    w = rng.normal(size=COLUMNS) / np.sqrt(COLUMNS)
    y = np.empty(n, dtype=np.int8)
    for start in range(0, n, 1 << 18):
        rows = rng.normal(size=(min(1 << 18, n - start), COLUMNS))
        X[start : start + len(rows)] = rows
        y[start : start + len(rows)] = rows @ w + rng.normal(size=len(rows)) > 0.3
    X.flush()
    return file, y


def forget(file: Path) -> None:
    """Drop the pages of a file from memory."""
    descriptor = os.open(file, os.O_RDONLY)
    os.fsync(descriptor)
    os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
    os.close(descriptor)


def anonymous() -> float:
    """Megabytes of memory that belong to no file."""
    with open("/proc/self/status", encoding="ascii") as status:
        return next(int(line.split()[1]) / 1024 for line in status if line.startswith("RssAnon"))


def peak_of(action: Any) -> tuple[float, float]:
    """Seconds of a call, and the megabytes of anonymous memory that it needs at most."""
    base = peak = anonymous()
    done = threading.Event()

    def watch() -> None:
        nonlocal peak
        while not done.wait(0.005):
            peak = max(peak, anonymous())

    watcher = threading.Thread(target=watch)
    watcher.start()
    began = time.perf_counter()
    action()
    seconds = time.perf_counter() - began
    done.set()
    watcher.join()
    return seconds, peak - base


def disk(arguments: argparse.Namespace) -> None:
    rows = []
    small, labels = dense(5000, COLUMNS, seed=1)
    MarginLinearClassifier().fit(small, labels)
    for gigabytes in arguments.gigabytes:
        file, y = write(arguments.folder, gigabytes)
        X = np.load(file, mmap_mode="r")
        problem = Problem(Logistic(), 2, 1, 1.0, None, True, np.zeros(COLUMNS), L2())
        theta = np.zeros(COLUMNS + 1)
        theta[0] = 0.1

        def pass_over(rows: Any, problem: Any = problem, theta: np.ndarray = theta, y: np.ndarray = y) -> None:
            LocalParts(rows, y.view(np.uint8), None).sum(problem.partial_sums, theta)

        def cold(rows: Any = X, file: Path = file, pass_over: Any = pass_over) -> float:
            forget(file)
            began = time.perf_counter()
            pass_over(rows)
            return time.perf_counter() - began

        actions = {"page cache": lambda X=X, run=pass_over: run(X)}
        if gigabytes <= arguments.in_memory:
            memory = np.array(X)
            actions["memory"] = lambda X=memory, run=pass_over: run(X)
        found = {name: median(values) for name, values in interleaved(actions, 3).items()}
        found["disk"] = median([cold() for _ in range(3)])
        actions.clear()
        memory = None
        fit = MarginLinearClassifier(record_history=True)
        seconds, peak = peak_of(lambda fit=fit, X=X, y=y: fit.fit(X, y))
        inside = found.get("memory")
        ratio = ["–" if inside is None else f"{found[name] / inside:.2f}" for name in ("page cache", "disk")]
        rows.append(
            [
                f"{gigabytes:g} GB",
                "–" if inside is None else f"{inside / gigabytes:.3f}",
                *(
                    f"{found[name] / gigabytes:.3f} ({r})"
                    for name, r in zip(("page cache", "disk"), ratio, strict=True)
                ),
                f"{fit.history_[0]['passes'][-1]:.0f}",
                f"{seconds / gigabytes:.2f}",
                f"{peak:.0f} MB",
            ]
        )
        print(markdown(HEAD, rows), flush=True)
        file.unlink()


HEAD = [
    *("X", "memory, s/GB", "page cache, s/GB (ratio)", "disk, s/GB (ratio)"),
    *("rounds of a fit", "fit, s/GB", "memory beside X"),
]


def value(X: np.ndarray, y: np.ndarray, w: np.ndarray, b: float) -> float:
    """F of the logistic loss with C = 1."""
    z = X @ w + b
    return float(np.logaddexp(0.0, np.where(y > 0, -z, z)).sum() + 0.5 * w @ w)


def plain_lbfgs(X: da.Array, y: np.ndarray, best: float) -> int:
    """Evaluations that SciPy's L-BFGS-B needs with the same rounds, and no curvature but what it gathers."""
    sizes, d = X.chunks[0], X.shape[1]
    codes = da.from_array(y.astype(np.uint8), chunks=(sizes,)).to_delayed().ravel().tolist()
    parts = DaskParts(X.to_delayed().ravel().tolist(), codes, None, X.shape)
    problem = Problem(Logistic(), 2, 1, 1.0, None, True, np.zeros(d), L2())
    objective = PartitionedObjective(parts, problem, np.bincount(y))

    def see(theta: np.ndarray) -> tuple[float, np.ndarray]:
        point = objective.evaluate(theta)
        if (point.value - best) <= TARGET * best:
            raise StopIteration(parts.passes)
        return point.value, point.gradient

    try:
        minimize(
            see, np.zeros(d + 1), jac=True, method="L-BFGS-B", options={"maxiter": 2000, "maxfun": 2000, "ftol": 0}
        )
    except StopIteration as stop:
        return int(stop.value)
    return -parts.passes


def incremental(X: np.ndarray, y: np.ndarray, size: int, best: float, epochs: int) -> tuple[int, float]:
    """Passes of SGDClassifier.partial_fit over the chunks, and the relative suboptimality of the best of them.

    Its iterates and their averages, in its own schedule and with steps that fall more slowly: whichever is best.
    """
    from sklearn.linear_model import SGDClassifier

    least = np.inf
    schedules = [{"learning_rate": "optimal"}, *({"learning_rate": "invscaling", "eta0": eta} for eta in (0.001, 0.01))]
    for schedule in [{**s, "average": average} for s in schedules for average in (False, True)]:
        model = SGDClassifier("log_loss", alpha=1.0 / len(y), random_state=0, **schedule)
        for epoch in range(1, epochs + 1):
            for start in range(0, len(y), size):
                model.partial_fit(X[start : start + size], y[start : start + size], classes=[0, 1])
            reached = (value(X, y, model.coef_[0], float(model.intercept_[0])) - best) / best
            least = min(least, reached)
            if reached <= TARGET:
                return epoch, reached
    return epochs, least


def rounds(arguments: argparse.Namespace) -> None:
    n = 20_000 if arguments.small else 200_000
    size, rows = n // 8, []
    for name, span in (("well scaled", 1.0), ("columns scaled over 1e3", 1e3)):
        X, y = dense(n, COLUMNS, seed=11, span=span)
        y = (y > 0).astype(int)
        lazy = da.from_array(X, chunks=(size, COLUMNS)).persist()
        with design_matrix(X) as matrix:
            objective = BinaryObjective(
                matrix, Logistic(), signed_weights(y, 1, 2, None, 1.0), penalty=L2(), fit_intercept=True
            )
            exact = MarginLinearClassifier(tol=1e-12).fit(X, y)
            best = objective.at(objective.theta(exact.coef_, exact.intercept_)).value
        model = MarginLinearClassifier(record_history=True)
        model.fit(lazy, da.from_array(y, chunks=size))
        history = model.history_[0]
        met = int(history["passes"][(history["objective"] - best) <= TARGET * best][0]) + 1
        rows.append([name, "marginclf", f"{met} (one of them for labels and a sample)", f"{TARGET:g}"])
        count = plain_lbfgs(lazy, y, best)
        rows.append([name, "plain L-BFGS", f"{count}" if count > 0 else f"more than {-count}", f"{TARGET:g}"])
        epochs, reached = incremental(X, y, size, best, 5 if arguments.small else 30)
        rows.append([name, "SGDClassifier.partial_fit", f"{epochs}", f"{reached:.0e}"])
        rows += [[name, *row] for row in of_dask_ml(X, y, size, best)]
    print(markdown(["200,000 × 50, logistic", "method", "passes over the data", "reached"], rows))


def of_dask_ml(X: np.ndarray, y: np.ndarray, size: int, best: float) -> list[list[str]]:
    """Iterations of the solvers of dask-ml, where it is installed; it penalises the intercept, nearly nothing here."""
    try:
        from dask_ml.linear_model import LogisticRegression
    except ImportError:
        return []
    found = []
    lazy, labels = da.from_array(X, chunks=(size, X.shape[1])), da.from_array(y, chunks=size)
    for solver in ("lbfgs", "newton", "admm"):
        for iterations in (2, 4, 8, 16, 32, 64, 128, 256):
            try:
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")
                    model = LogisticRegression(C=1.0, solver=solver, max_iter=iterations, tol=1e-12).fit(lazy, labels)
            except Exception as error:  # a peer that fails is a line of the table
                found.append([f"dask-ml, {solver}", "fails", type(error).__name__])
                break
            reached = (value(X, y, np.ravel(model.coef_), float(np.ravel(model.intercept_)[0])) - best) / best
            if reached <= TARGET:
                found.append([f"dask-ml, {solver}", f"{iterations} iterations or fewer", f"{reached:.0e}"])
                break
        else:
            found.append([f"dask-ml, {solver}", f"more than {iterations} iterations", f"{reached:.0e}"])
    return found


def cluster(arguments: argparse.Namespace) -> None:
    from distributed import Client, LocalCluster

    n, rows = (200_000 if arguments.small else 2_000_000), []
    X, y = dense(n, COLUMNS, seed=11)
    file = arguments.folder / "cluster.npy"
    np.save(file, X)
    del X
    for workers in (1, 2):
        machines = LocalCluster(n_workers=workers, threads_per_worker=1, dashboard_address=None, memory_limit=0)
        with machines, Client(machines):
            lazy = da.map_blocks(
                lambda block_info: np.load(str(file), mmap_mode="r")[slice(*block_info[None]["array-location"][0])],
                chunks=((n // 16,) * 16, (COLUMNS,)), dtype=float, meta=np.empty((0, 0)),
            )  # fmt: skip
            labels = da.from_array((y > 0).astype(int), chunks=n // 16)
            model = MarginLinearClassifier(record_history=True)
            fits = []
            for _ in range(4):
                began = time.perf_counter()
                model.fit(lazy, labels)
                fits.append(time.perf_counter() - began)
            overhead = {}
            for chunks in (16, 256):
                one_row = [np.ones((1, 2)), np.zeros(1, dtype=np.uint8)]
                blocks, codes = (kept([delayed(np.copy, pure=False)(a) for _ in range(chunks)]) for a in one_row)
                parts = DaskParts(blocks, codes, None, (chunks, 2))
                objective = PartitionedObjective(
                    parts, Problem(Logistic(), 2, 1, 1.0, None, True, np.zeros(2), L2()), np.array([chunks, 0])
                )
                times = []
                for _ in range(9):
                    began = time.perf_counter()
                    objective.evaluate(np.zeros(3))
                    times.append(time.perf_counter() - began)
                overhead[chunks] = median(times[2:])
            rows.append(
                [
                    str(workers),
                    f"{model.history_[0]['passes'][-1]:.0f} + 1",
                    f"{median(fits[1:]):.2f}",
                    f"{1e3 * overhead[16]:.0f} ms",
                    f"{1e3 * (overhead[256] - overhead[16]) / 240:.1f} ms",
                ]
            )
    file.unlink()
    print(
        markdown(
            [f"workers, {n:,} × {COLUMNS}", "rounds", "fit, s", "empty round of 16 chunks", "each chunk more"], rows
        )
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["disk", "rounds", "cluster"])
    parser.add_argument("--gigabytes", type=float, nargs="+", default=[1.0, 4.0, 16.0])
    parser.add_argument("--in-memory", type=float, default=4.0, help="gigabytes up to which X is also loaded")
    parser.add_argument("--folder", type=Path, default=Path("."), help="for the files, which are removed")
    parser.add_argument("--small", action="store_true")
    given = parser.parse_args()
    {"disk": disk, "rounds": rounds, "cluster": cluster}[given.what](given)
