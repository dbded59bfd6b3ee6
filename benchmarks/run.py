"""marginclf beside its peers: seconds to a given suboptimality, on many problems, all to the same objective.

    python benchmarks/run.py                      # everything: hours
    python benchmarks/run.py --quick              # the same on small data: three minutes
    python benchmarks/run.py --problems 'tall*' --solvers 'marginclf*' '*newton*' --threads 1
    python benchmarks/run.py --check              # are all objectives the same? seconds

Peers: pip install -r benchmarks/requirements.txt. One that is not installed is left out. The results file is written
after every problem; a file that exists already is continued, if machine and versions are the same: a problem that is
measured again replaces all that the file had of it, so that what stands side by side was measured in one go.
"""

from __future__ import annotations

import argparse
import fnmatch
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from environment import add_threads_option, count, settings
from peers import available, missing
from problems import PROBLEMS, QUICK, Problem
from report import tables
from results import Results
from schedule import Ended, Measurement, Worker
from solvers import Solver, has_loss


def options() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--problems", nargs="+", default=["*"], metavar="PATTERN", help="names, or patterns such as 'text*'"
    )
    parser.add_argument("--solvers", nargs="+", default=["*"], metavar="PATTERN", help="names, or patterns")
    add_threads_option(parser, default=None)
    parser.add_argument("--repeats", type=int, help="rounds (default: 5; 1 with --quick)")
    parser.add_argument(
        "--quick", action="store_true", help=f"data {QUICK} times smaller, two rungs, one round, one thread"
    )
    parser.add_argument("--time-limit", type=float, help="seconds for a fit (default: 20; 2 with --quick)")
    parser.add_argument("--output", type=Path, default=Path("results.json"), help="results file (default: %(default)s)")
    parser.add_argument("--list", action="store_true", help="list problems and solvers")
    parser.add_argument("--check", action="store_true", help="check on small data that all objectives are the same")
    return parser


def chosen(names: Sequence[str], patterns: Sequence[str]) -> set[str]:
    for pattern in patterns:
        if not fnmatch.filter(names, pattern):
            sys.exit(f"{pattern!r} matches none of: {', '.join(names)}")
    return {name for name in names if any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns)}


def measure(
    results: Results, problem: Problem, worker: Worker, solvers: list[Solver], repeats: int, limit: float
) -> None:
    began = time.monotonic()
    measurement = Measurement(worker, problem.name, results.quick, solvers, limit)
    n, d = measurement.facts["shape"]
    measurement.solvers = [s for s in solvers if s.takes(problem.loss, problem.fit_intercept, d, problem.joint)]
    if not measurement.solvers:
        print(f"{problem.name}: none of the chosen solvers takes it", flush=True)
        return
    facts = results.problems.setdefault(problem.name, measurement.facts)
    if "best" not in facts:
        facts.update({"best": None, **measurement.reference()})
    measurement.best = facts["best"]
    print(f"{problem.name}: {n} x {d}, {count(worker.threads)}, round", end="", flush=True)
    for number in range(repeats):
        print(f" {number + 1}", end="", flush=True)
        print(f" ({measurement.round(number)} fits)", end="", flush=True)
    print(f", {time.monotonic() - began:.0f} s", flush=True)
    facts["best"] = measurement.best
    results.blas[str(worker.threads)] = worker.ask(60.0, do="blas")["pools"]
    results.replace(problem.name, worker.threads, list(measurement.runs.values()))


def main() -> None:
    arguments = options().parse_args()
    for package in missing():
        print(f"{package} is not installed and left out")
    solvers = [s for s in available() if s.name in chosen([s.name for s in available()], arguments.solvers)]
    problems = [p for p in PROBLEMS if p.name in chosen([p.name for p in PROBLEMS], arguments.problems)]
    if arguments.list:
        print(
            "\n".join(["problems:", *(f"  {p.name}" for p in problems), "solvers:", *(f"  {s.name}" for s in solvers)])
        )
        return
    if arguments.check:
        from check import check

        sys.exit(check(solvers))
    results = Results.here(arguments.quick)
    if arguments.output.exists():
        earlier = Results.load(arguments.output)
        if not results.continues(earlier):
            sys.exit(f"{arguments.output} is of another machine, of other versions or sizes: choose another --output")
        results.blas, results.problems, results.runs = earlier.blas, earlier.problems, earlier.runs
    repeats = arguments.repeats or (1 if arguments.quick else 5)
    limit = arguments.time_limit or (2.0 if arguments.quick else 20.0)
    workers = [Worker(threads) for threads in settings(arguments.threads or ("1" if arguments.quick else "both"))]
    try:
        for problem in problems:
            if not has_loss(problem.loss):
                print(f"{problem.name}: marginclf has no {problem.loss} yet, left out", flush=True)
                continue
            for worker in workers:
                try:
                    measure(results, problem, worker, solvers, repeats, limit)
                except Ended as reason:
                    print(f"\n{problem.name}: {reason}", flush=True)
                if not arguments.quick:  # every problem in a fresh process
                    worker.close()
            results.save(arguments.output)
    finally:
        for worker in workers:
            worker.close()
    print(tables(results))
    print(f"\nPlot: python benchmarks/report.py {arguments.output}")


if __name__ == "__main__":
    main()
