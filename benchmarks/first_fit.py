"""Import and first fit in a new process, with an empty and with a warm kernel cache, beside LogisticRegression.

    python benchmarks/first_fit.py [repeats]

Prints medians of wall-clock seconds of whole processes, the peers interleaved, and the ratio to LogisticRegression.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time

_DATA = """
from sklearn.datasets import load_breast_cancer
X, y = load_breast_cancer(return_X_y=True)
X = X / X.max(axis=0)
"""
_OURS = _DATA + "from marginclf import MarginLinearClassifier\n"
_PEER = _DATA + "from sklearn.linear_model import LogisticRegression\n"
PROGRAMS = {
    "data alone": _DATA,
    "LogisticRegression, import": _PEER,
    "LogisticRegression, import and fit": _PEER + "LogisticRegression().fit(X, y)",
    "marginclf, import": _OURS,
    "marginclf, import and fit": _OURS + "MarginLinearClassifier().fit(X, y)",
    "marginclf, import and fit by L-BFGS": _OURS + "MarginLinearClassifier(solver='lbfgs').fit(X, y)",
}


def seconds(program: str, cache: str) -> float:
    began = time.perf_counter()
    subprocess.run([sys.executable, "-c", program], check=True, env={**os.environ, "NUMBA_CACHE_DIR": cache})
    return time.perf_counter() - began


def main(repeats: int) -> None:
    with tempfile.TemporaryDirectory() as warm:
        for program in PROGRAMS.values():
            seconds(program, warm)
        runs: dict[str, list[float]] = {name: [] for name in [*PROGRAMS, "marginclf, import and fit, cold cache"]}
        for _ in range(repeats):
            for name, program in PROGRAMS.items():
                runs[name].append(seconds(program, warm))
            with tempfile.TemporaryDirectory() as cold:
                name = "marginclf, import and fit"
                runs[f"{name}, cold cache"].append(seconds(PROGRAMS[name], cold))
    peer = statistics.median(runs["LogisticRegression, import and fit"])
    for name, values in runs.items():
        median = statistics.median(values)
        print(f"{name:40s} {median:6.2f} s   {median - peer:+6.2f} s   ratio {median / peer:5.2f}")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 5)
