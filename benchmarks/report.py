"""Tables (Markdown, to standard output) and plots (PNG) from a results file of run.py.

python benchmarks/report.py results.json [--plot results.png] [--no-plot]
"""

from __future__ import annotations

import argparse
import statistics
from collections.abc import Iterator
from pathlib import Path

from environment import count
from results import TARGETS, Results, Run
from timing import duration, markdown

OURS = "marginclf"
CHOICE = "marginclf auto"


def fastest_peer(results: Results, chosen: dict[str, list[Run]], target: float) -> tuple[str, float] | None:
    """The peer whose median to the target is the smallest."""
    found = [
        (statistics.median(run.seconds), solver)
        for solver, runs in chosen.items()
        if runs[0].package != OURS and (run := results.to_target(runs, target)) is not None
    ]
    return (min(found)[1], min(found)[0]) if found else None


def both(results: Results, problem: str, threads: int, target: float) -> tuple[float, str, float] | None:
    """Seconds of marginclf with its own choice of solver, the fastest peer and its seconds, where both get there."""
    chosen = results.select(problem, threads)
    ours = results.to_target(chosen.get(CHOICE, []), target)
    peer = fastest_peer(results, chosen, target)
    return None if ours is None or peer is None else (statistics.median(ours.seconds), *peer)


def summary(results: Results, threads: int) -> str:
    """marginclf with its own choice of solver beside the fastest peer, one line a problem."""
    rows = []
    for problem in results.problems:
        chosen = results.select(problem, threads)
        if not chosen:
            continue
        row = [problem]
        for target in TARGETS:
            ours = results.to_target(chosen.get(CHOICE, []), target)
            peer = fastest_peer(results, chosen, target)
            mine = statistics.median(ours.seconds) if ours else None
            row.append(duration(mine) if mine else "–")
            row.append(f"{duration(peer[1])} {peer[0]}" if peer else "–")
            row.append(f"{mine / peer[1]:.2f}" if mine and peer else "–")
        rows.append(row)
    header = ["problem"]
    for target in TARGETS:
        header += [f"{CHOICE} to {target:.0e}", "fastest peer", "ratio"]
    return markdown(header, rows)


def as_it_comes(results: Results, threads: int) -> str:
    """Both with the parameters that they come with: seconds, and how close to the optimum that is."""
    rows = []
    for problem in results.problems:
        chosen = results.select(problem, threads)
        pair = [(chosen.get(name) or [None])[0] for name in ("marginclf as it comes", "LogisticRegression as it comes")]
        if all(run is not None and run.seconds for run in pair):
            medians = [statistics.median(run.seconds) for run in pair]
            cells = [f"{duration(m)}, {results.suboptimality(run):.0e}" for m, run in zip(medians, pair, strict=True)]
            rows.append([problem, *cells, f"{medians[0] / medians[1]:.2f}"])
    return markdown(["problem", "MarginLinearClassifier()", "LogisticRegression()", "ratio"], rows) if rows else ""


def detail(results: Results, problem: str, threads: int) -> str:
    """Every solver on one problem: median, minimum and ratio to the fastest peer, for each target."""
    chosen = results.select(problem, threads)
    peers = {target: fastest_peer(results, chosen, target) for target in TARGETS}
    rows = []
    for solver, runs in chosen.items():
        row = [solver]
        for target in TARGETS:
            run = results.to_target(runs, target)
            peer = peers[target]
            if run is None:
                row += ["–", "–", "–"]
                continue
            middle = statistics.median(run.seconds)
            row += [duration(middle), duration(min(run.seconds)), f"{middle / peer[1]:.2f}" if peer else "–"]
        ran = [run for run in runs if run.seconds]
        row.append(f"{min(map(results.suboptimality, ran)):.0e}" if ran else "–")
        row.append(
            "–".join(map(str, sorted({min(lengths), max(lengths)})))
            if (lengths := [len(r.seconds) for r in ran])
            else "0"
        )
        row.append(next((run.ended for run in runs if run.ended), ""))
        rows.append(row)
    header = ["solver"]
    for target in TARGETS:
        header += [f"to {target:.0e}", "min", "ratio"]
    return markdown([*header, "closest", "repeats", "ended"], rows)


def tables(results: Results) -> str:
    return "\n".join(_parts(results))


def _parts(results: Results) -> Iterator[str]:
    machine = results.machine
    yield f"\n{machine['cpu']}, {machine['cores']} cores, {machine['os']}, Python {machine['python']}; {results.date}"
    yield ", ".join(f"{package} {version}" for package, version in results.versions.items())
    if results.quick:
        yield "\n**Small data (--quick): these figures say that the suite works, and nothing else.**"
    for threads in results.settings():
        title = count(threads)
        yield f"\n## Seconds to a suboptimality, {title}\n\n{summary(results, threads)}"
        if pair := as_it_comes(results, threads):
            yield f"\n## As they come: seconds and suboptimality, {title}\n\n{pair}"
        for problem, facts in results.problems.items():
            if results.select(problem, threads):
                kind = f"{facts['loss']}, C = {facts['C']:g}, {'' if facts['fit_intercept'] else 'no '}intercept"
                n, d = facts["shape"]
                known = [f"accuracy {facts['accuracy']:.0e}"] if facts.get("accuracy") else []
                known += [f"proved to {facts['proved']:.0e}"] if facts.get("proved") is not None else []
                best = f"F* = {facts['best']:.10g} ({', '.join(known)})" if known else f"F* = {facts['best']}"
                yield f"\n### {problem}, {title}\n\n{n} x {d}, {facts['dtype']}, {kind}; {best}\n"
                yield detail(results, problem, threads)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("results", type=Path)
    parser.add_argument("--plot", type=Path, help="PNG (default: beside the results file); one for each thread setting")
    parser.add_argument("--no-plot", action="store_true", help="tables only")
    arguments = parser.parse_args()
    results = Results.load(arguments.results)
    print(tables(results))
    if not arguments.no_plot:
        from plot import draw

        for threads in results.settings():
            base = arguments.plot or arguments.results.with_suffix(".png")
            file = base.with_name(f"{base.stem}-{count(threads).replace(' ', '-')}{base.suffix}")
            draw(results, threads, file)
            print(f"\n{file}")


if __name__ == "__main__":
    main()
