"""Write the tables and the plot of the newest benchmark results (called by conf.py)."""

import sys
from pathlib import Path

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
sys.path.insert(0, str(BENCHMARKS))

import plot  # noqa: E402  (benchmarks/plot.py)
import report  # noqa: E402
from environment import count  # noqa: E402
from results import Results  # noqa: E402
from timing import duration  # noqa: E402

TARGET = 1e-6


def write(folder: Path) -> None:
    """Write the table and the plot into `folder`; a plot newer than its results is kept."""
    file = max((BENCHMARKS / "results").glob("*.json"))
    results = Results.load(file)
    (folder / "benchmark_table.inc").write_text("\n".join(lines(results)) + "\n", encoding="utf-8")
    picture = folder / "benchmark.png"
    if not picture.exists() or picture.stat().st_mtime < file.stat().st_mtime:
        plot.draw(results, results.settings()[0], picture)


def lines(results: Results):
    """Return a list-table for each number of threads, and what they were measured on."""
    machine = results.machine
    versions = ", ".join(f"{name} {version}" for name, version in results.versions.items() if name != "marginclf")
    yield f"{machine['cpu']}, {machine['cores']} cores, Python {machine['python']}, {results.date[:10]}; {versions}."
    for threads in results.settings():
        yield from ("", f".. list-table:: To {TARGET:.0e}, {count(threads)}", "   :header-rows: 1", "")
        header = ("problem", "n × d", "marginclf", "fastest peer", "", "peer / marginclf")
        for cells in (header, *rows(results, threads)):
            for k, cell in enumerate(cells):
                yield ("   * - " if k == 0 else "     - ") + cell


def rows(results: Results, threads: int):
    for problem, facts in results.problems.items():
        measured = report.both(results, problem, threads, TARGET)
        if measured is not None:
            ours, peer, theirs = measured
            n, d = facts["shape"]
            yield problem, f"{n:,}\u00a0×\u00a0{d:,}", duration(ours), duration(theirs), peer, f"{theirs / ours:.1f}"
