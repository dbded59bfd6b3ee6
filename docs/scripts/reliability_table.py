"""Write the table of faults from what the tests have counted, and that of mutants (called by conf.py)."""

import json
from pathlib import Path

from loss_table import table

GUIDE = Path(__file__).parents[1] / "guide"

LINES = {
    "bad input": """
        Kinds of bad data, labels, weights, parameters and calls, through the constructor, ``fit`` and the methods that
        predict; masks, missing values, and sparse matrices whose indices lead outside of them. Each is a ``ValueError``
        or ``TypeError`` that names the parameter; none comes from Numba, LLVM or SciPy; an earlier fit of the same
        estimator stays as it was.""",
    "extremes": """
        X from 1e-300 to 1e300 in both precisions, weights and ``C`` likewise; constant, repeated, empty and nearly
        equal columns; two rows; far more columns than rows; every form of sparse input. Each is a finite fit, or an
        error that says what overflows; where coefficients diverge, the status says so.""",
    "equivalences": """
        Weight 2 and the row twice, weight 0 and no row, swapped classes, other orders of rows and columns, scaled
        features, eight containers, float32, warm starts, every solver; threads and repeats bit for bit. The same fit
        each time.""",
    "solver faults": """
        NaN and infinity in the k-th pass over the rows, nonsense from SciPy, hardly any iterations, a tolerance of 0, a
        failing allocation, a watcher that raises. What comes back is finite, and a fit that claims an optimum is at it;
        an earlier fit stays.""",
    "cache faults": """
        Compiled code on disk that is truncated, empty, random, of another function; a folder that is full, deleted
        meanwhile, unreadable or open to everybody; processes that write at once; an edited formula. The right numbers,
        at most one warning.""",
    "concurrency": """
        Eight threads with the first compilation among them; children by fork, spawn and forkserver; workers of joblib;
        50 interrupts at random instants. The right numbers, no hang, no thread left, ``KeyboardInterrupt`` within a
        second.""",
    "clusters": """
        A cluster of Dask with processes of its own: more data than a worker has memory, workers that are killed during
        a round and before a fit (not a bit changes), a cluster that ends (one clear error, the earlier fit stays),
        chunks that are made once.""",
    "long life": """
        Stored fits of every loss, a thousand fits in one process (memory stays flat), pickles of released versions.""",
    "security": """
        Tampered files of skops are refused; the source has no eval, no exec and no network; no address of compiled code
        is stored or taken from a file, nor outlives the code.""",
}


def write(folder: Path) -> None:
    """Write both tables into `folder`."""
    tried = json.loads((GUIDE / "reliability.json").read_text(encoding="utf-8"))
    rows = [(line, f"{tried[line]:,}", " ".join(text.split())) for line, text in LINES.items()]
    save(folder / "reliability.inc", table("14 8 78", ("fault", "tried", "what came of it"), rows))
    found = json.loads((GUIDE / "mutation.json").read_text(encoding="utf-8"))
    killed, n, n_all = found["killed"], found["tried"], found["mutants"]
    share = f"{100 * killed / n:.1f} %"
    save(folder / "mutation.inc", f"Of {n_all:,} mutants, {n} were drawn: the tests noticed {killed}, {share}.\n")
    rows = [
        (f"``{s['place'].removeprefix('marginclf/')}``", s["why"], f"``{s['was']}`` became ``{s['became']}``")
        for s in found["survivors"]
    ]
    save(folder / "survivors.inc", table("20 30 50", ("where", "why it survived", "what was changed"), rows))


def save(file: Path, text: str) -> None:
    file.write_text(text, encoding="utf-8")
