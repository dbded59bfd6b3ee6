"""The plot of report.py: suboptimality against seconds, one panel a problem, one line a solver over its ladder."""

from __future__ import annotations

import math
import statistics
from dataclasses import dataclass
from pathlib import Path

import matplotlib as mpl

mpl.use("Agg")
import matplotlib.pyplot as plt
from environment import count
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.ticker import LogLocator, NullFormatter
from results import Results

_FLOOR = 1e-16
_COLUMNS = 4


@dataclass(frozen=True)
class Look:
    colour: str
    marker: str
    line: str = "-"


# Colours of Okabe and Ito, which people with any colour vision can tell apart, one for a family of solvers; a wine red
# of Tol's stands in for their yellow, which is too pale for a line. Markers and dashes tell the members of a family
# apart, and what is left where print has no colour.
_BLACK, _ORANGE, _SKY, _GREEN = "#000000", "#E69F00", "#56B4E9", "#009E73"
_WINE, _BLUE, _RED, _PINK, _GREY = "#882255", "#0072B2", "#D55E00", "#CC79A7", "#7F7F7F"
_LOOKS = {
    "marginclf as it comes": Look(_BLACK, "*", ""),
    "marginclf auto": Look(_BLACK, "o"),
    "marginclf lbfgs": Look(_BLACK, "s", "--"),
    "marginclf newton": Look(_BLACK, "^", ":"),
    "marginclf dual": Look(_BLACK, "D", "-."),
    "LogisticRegression as it comes": Look(_ORANGE, "*", ""),
    "LogisticRegression lbfgs": Look(_ORANGE, "o"),
    "LogisticRegression newton-cg": Look(_ORANGE, "s", "--"),
    "LogisticRegression newton-cholesky": Look(_ORANGE, "^", ":"),
    "LogisticRegression liblinear": Look(_GREEN, "o"),
    "LogisticRegression liblinear dual": Look(_GREEN, "s", "--"),
    "LinearSVC primal": Look(_GREEN, "D"),
    "LinearSVC dual": Look(_GREEN, "v", "--"),
    "LinearSVC hinge dual": Look(_GREEN, "P", ":"),
    "liblinear-multicore primal": Look(_BLUE, "o"),
    "liblinear-multicore SVC primal": Look(_BLUE, "D"),
    "liblinear-multicore SVC dual": Look(_BLUE, "v", "--"),
    "LogisticRegression sag": Look(_PINK, "o"),
    "LogisticRegression saga": Look(_PINK, "s", "--"),
    "SGDClassifier": Look(_PINK, "^", ":"),
    "RidgeClassifier cholesky": Look(_SKY, "o"),
    "RidgeClassifier lsqr": Look(_SKY, "s", "--"),
    "snapml primal": Look(_SKY, "o"),
    "snapml dual": Look(_SKY, "s", "--"),
    "skglm LBFGS": Look(_RED, "o"),
    "skglm ProxNewton": Look(_RED, "s", "--"),
    "glum irls-ls": Look(_WINE, "o"),
    "glum lbfgs": Look(_WINE, "s", "--"),
    "SciPy L-BFGS-B": Look(_GREY, "o"),
}


def _look(solver: str) -> Look:
    """A solver without a look of its own is one that marginclf has gained."""
    return _LOOKS.get(solver, Look(_BLACK, "X", "-."))


def draw(results: Results, threads: int, file: Path) -> None:
    """Write the figure of one thread setting."""
    problems = [problem for problem in results.problems if results.select(problem, threads)]
    columns = min(_COLUMNS, len(problems))
    rows = math.ceil(len(problems) / columns)
    seen = [solver for solver in _LOOKS if any(solver in results.select(p, threads) for p in problems)]
    seen += sorted({run.solver for run in results.runs if run.threads == threads} - set(seen))
    keys_a_line = 2 if columns < 3 else columns
    keys = math.ceil(len(seen) / keys_a_line)
    top, bottom = 0.7, 0.35 + 0.2 * keys
    width, height = max(3.4 * columns, 3.6 * keys_a_line * 0.9), 2.8 * rows + top + bottom
    figure, axes = plt.subplots(rows, columns, figsize=(width, height), squeeze=False)
    for axis, problem in zip(axes.flat, problems, strict=False):
        _panel(axis, results, problem, threads)
    for axis in axes.flat[len(problems) :]:
        axis.set_axis_off()
    for row in axes:
        row[0].set_ylabel("suboptimality (F − F*)/F*")
    for k, axis in enumerate(axes.flat[: len(problems)]):
        if k + columns >= len(problems):
            axis.set_xlabel("seconds (median)")
    handles = [
        Line2D([], [], color=look.colour, marker=look.marker, linestyle=look.line or "none", label=solver, markersize=5)
        for solver in seen
        for look in [_look(solver)]
    ]
    figure.legend(handles=handles, loc="lower center", ncol=keys_a_line, frameon=False, fontsize=9)
    small = "\nsmall data: says only that the suite works" if results.quick else ""
    title = f"Towards the optimum, {count(threads)} ({results.machine['cpu']}){small}"
    figure.suptitle(title, fontsize=11, y=1.0 - 0.25 / height)
    figure.tight_layout(rect=(0.0, bottom / height, 1.0, 1.0 - 0.35 / height))
    figure.savefig(file, dpi=110)
    plt.close(figure)


def _panel(axis: Axes, results: Results, problem: str, threads: int) -> None:
    for solver, runs in results.select(problem, threads).items():
        ran = [run for run in runs if run.seconds]
        look = _look(solver)
        axis.plot(
            [statistics.median(run.seconds) for run in ran],
            [max(_FLOOR, results.suboptimality(run)) for run in ran],
            color=look.colour, marker=look.marker, linestyle=look.line or "none",
            markersize=9 if look.marker == "*" else 4, linewidth=1.2, alpha=0.9,
            zorder=3 if solver.startswith("marginclf") else 2,
        )  # fmt: skip
    accuracy = results.problems[problem].get("accuracy")
    if accuracy:  # below it, differences are rounding
        axis.axhspan(_FLOOR / 10.0, accuracy, color="0.92", zorder=0, linewidth=0)
    axis.set_xscale("log")
    axis.set_yscale("log")
    axis.set_ylim(_FLOOR / 3.0, 3.0)
    axis.yaxis.set_major_locator(LogLocator(base=10.0, numticks=6))
    axis.yaxis.set_minor_formatter(NullFormatter())
    axis.xaxis.set_minor_formatter(NullFormatter())
    low, high = axis.get_xlim()
    if high / low < 100.0:  # at least two labelled decades
        middle = math.sqrt(low * high)
        axis.set_xlim(middle / 10.0, middle * 10.0)
    n, d = results.problems[problem]["shape"]
    axis.set_title(f"{problem}\n{n:,} × {d:,}", fontsize=9)
    axis.tick_params(labelsize=8)
    axis.grid(True, color="0.88", linewidth=0.6)
