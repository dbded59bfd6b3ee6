"""Draw the pictures of README.md and of the first page, in light and in dark, from kept results.

    PYTHONPATH=. python docs/scripts/pictures.py

They are committed, since GitHub shows README.md without a build, and tests/test_pictures.py draws them again. So they
are written as SVG by hand, with rounded numbers: those of matplotlib would change with its version.
"""

import json
import math
import statistics
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "docs" / "pictures"
sys.path.insert(0, str(ROOT / "benchmarks"))

from report import both  # noqa: E402  (benchmarks/report.py)
from results import Results  # noqa: E402

sys.path.remove(str(ROOT / "benchmarks"))  # the tests, too, have a module named problems

TARGET = 1e-6

# Of Okabe and Ito, whom people with any colour vision can tell apart: the darker ones on white, the lighter on black.
PALETTES = {
    "light": {"ink": "#1f2328", "faint": "#d0d7de", "ours": "#0072b2", "theirs": "#d55e00"},
    "dark": {"ink": "#e6edf3", "faint": "#3d444d", "ours": "#56b4e9", "theirs": "#e69f00"},
}
FONT = "-apple-system, 'Segoe UI', Helvetica, Arial, sans-serif"


class Fit(NamedTuple):
    """A problem that was solved by marginclf and by others."""

    numbers: int
    """How many numbers of X are stored."""
    many_classes: bool
    ratio: float
    """Time of the fastest other solver, divided by ours."""


def measured() -> list[Fit]:
    """Return the cells of the newest map of shapes and the problems of the newest benchmark, on one thread."""
    results = ROOT / "benchmarks" / "results"
    cells = json.loads(max((results / "map").glob("*.json")).read_text(encoding="utf-8"))["cells"]
    fits = [Fit(cell["n"] * cell["d"], cell["K"] > 2, cell["peer"] / cell["ours"]) for cell in cells]
    benchmark = Results.load(max(results.glob("*.json")))
    for problem, facts in benchmark.problems.items():
        seconds = both(benchmark, problem, 1, TARGET)
        if seconds is not None:
            fits.append(Fit(facts["nonzeros"], facts["classes"] > 2, seconds[2] / seconds[0]))
    return fits


class Panel:
    """Axes of a picture: from data to pixels, with a frame, ticks and what is drawn."""

    def __init__(self, left: float, top: float, width: float, height: float, x: tuple, y: tuple) -> None:
        self.left, self.top, self.width, self.height, self.x, self.y = left, top, width, height, x, y

    def at(self, x: float, y: float) -> tuple[float, float]:
        across = (x - self.x[0]) / (self.x[1] - self.x[0])
        up = (y - self.y[0]) / (self.y[1] - self.y[0])
        return round(self.left + self.width * across, 1), round(self.top + self.height * (1.0 - up), 1)

    def grid(self, x_ticks: dict[float, str], y_ticks: dict[float, str]) -> Iterator[str]:
        for value, label in y_ticks.items():
            (x0, y), (x1, _) = self.at(self.x[0], value), self.at(self.x[1], value)
            yield f'<path class="grid" d="M{x0} {y}H{x1}"/>'
            yield text(x0 - 8, y + 4, label, "end")
        for value, label in x_ticks.items():
            x, y = self.at(value, self.y[0])
            yield f'<path class="grid" d="M{x} {self.top}V{y}"/>'
            yield text(x, y + 19, label, "middle")

    def curve(self, x: np.ndarray, y: np.ndarray, style: str) -> str:
        points = (self.at(a, b) for a, b in zip(x, y, strict=True) if self.y[0] <= b <= self.y[1])
        return f'<polyline {style} points="' + " ".join(f"{a},{b}" for a, b in points) + '"/>'


def text(x: float, y: float, words: str, anchor: str = "start", style: str = "") -> str:
    return f'<text x="{x:g}" y="{y:g}" text-anchor="{anchor}"{style and " " + style}>{words}</text>'


def picture(width: int, height: int, title: str, parts: Iterator[str], ink: dict[str, str]) -> str:
    """Return an SVG file."""
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
            f'role="img">',
            f"<title>{title}</title>",
            f"<style>text {{ font: 14px {FONT}; fill: {ink['ink']} }} .grid {{ stroke: {ink['faint']} }} "
            "polyline { fill: none; stroke-linejoin: round }</style>",
            *parts,
            "</svg>\n",
        ]
    )


def times(fits: list[Fit], ink: dict[str, str]) -> str:
    """Return the picture of how many times as long the fastest other solver takes, against the size of X."""
    first = sum(fit.ratio >= 1.0 for fit in fits)
    middle = statistics.median(fit.ratio for fit in fits)
    won = f"First in {first} of {len(fits)} fits"
    title = f"{won}; in the median the fastest other solver takes {middle:.1f} times as long"
    low, high = (math.log10(bound(fit.ratio for fit in fits)) for bound in (min, max))
    sizes = [math.log10(fit.numbers) for fit in fits]
    panel = Panel(58, 40, 610, 312, (min(sizes) - 0.15, max(sizes) + 0.15), (low - 0.08, high + 0.08))

    def parts() -> Iterator[str]:
        ticks = {0.25: "¼", 0.5: "½", 1: "1", 2: "2", 4: "4", 8: "8", 16: "16", 32: "32", 64: "64"}
        decades = {3: "1,000", 4: "10,000", 5: "100,000", 6: "1 million", 7: "10 million"}
        yield from panel.grid(
            {x: label for x, label in decades.items() if panel.x[0] < x < panel.x[1]},
            {math.log10(y): f"{label} ×" for y, label in ticks.items() if panel.y[0] < math.log10(y) < panel.y[1]},
        )
        (x0, y0), (x1, _) = panel.at(panel.x[0], 0.0), panel.at(panel.x[1], 0.0)
        yield f'<path d="M{x0} {y0}H{x1}" stroke="{ink["ink"]}" stroke-width="1.5"/>'
        yield text(8, 22, title, "start", 'font-weight="600"')
        yield text(x0 + 8, panel.top + 44, "↑ marginclf is faster", "start", f'style="fill: {ink["ours"]}"')
        below = panel.top + panel.height - 8
        yield text(x0 + 8, below, "↓ the other is faster", "start", f'style="fill: {ink["theirs"]}"')
        for fit in fits:
            # Many cells have the same size: those of many classes stand a little to the right.
            x, y = panel.at(math.log10(fit.numbers) + (0.05 if fit.many_classes else -0.05), math.log10(fit.ratio))
            look = f'fill="{ink["ours" if fit.ratio >= 1.0 else "theirs"]}" fill-opacity="0.65"'
            if fit.many_classes:
                yield f'<rect x="{x - 4:.1f}" y="{y - 4:.1f}" width="8" height="8" {look}/>'
            else:
                yield f'<circle cx="{x}" cy="{y}" r="4.5" {look}/>'
        yield text(363, 392, "numbers stored in X (● two classes, ■ more)", "middle")

    return picture(680, 402, title, parts(), ink)


def slopes(ink: dict[str, str]) -> str:
    """Return the picture of the three losses of the question, and of their slopes."""
    from marginclf.losses import get_loss

    m = np.linspace(-4.0, 4.0, 161)
    sigma = 1.0 / (1.0 + np.exp(-m))  # of a row with p = 1: its margin is z
    cross_entropy = -np.log(sigma), sigma - 1.0
    power = '<tspan dy="-5" font-size="11">−yz</tspan><tspan dy="5">\u200b</tspan>'
    curves = (
        ("L1, cross-entropy", cross_entropy, f'stroke="{ink["ours"]}" stroke-width="7" stroke-opacity="0.45"'),
        (f"L3, log(1 + e{power})", get_loss("logistic").evaluate(m)[:2], f'stroke="{ink["ours"]}" stroke-width="2"'),
        (
            "L2, −yz",
            get_loss("linear").evaluate(m)[:2],
            f'stroke="{ink["theirs"]}" stroke-width="2" stroke-dasharray="7 4"',
        ),
    )
    panels = (Panel(40, 62, 290, 210, (-4, 4), (-2, 4)), Panel(380, 62, 290, 210, (-4, 4), (-1.25, 0.25)))
    title = "L1 and L3 are the same curve; the slope of L2 never ends"

    def parts() -> Iterator[str]:
        yield text(8, 22, title, "start", 'font-weight="600"')
        across = {x: f"{x}".replace("-", "−") for x in (-4, -2, 0, 2, 4)}
        yield from panels[0].grid(across, {-2: "−2", 0: "0", 2: "2", 4: "4"})
        yield from panels[1].grid(across, {-1: "−1", -0.5: "−½", 0: "0"})
        for k, (panel, name) in enumerate(zip(panels, ("loss", "slope"), strict=True)):
            yield text(panel.left, 52, name)
            for _, values, style in curves:
                yield panel.curve(m, values[k], style)
        yield text(350, 312, "margin m = yz (below 0: on the wrong side)", "middle")
        for k, (name, _, style) in enumerate(curves):
            x = 70 + 200 * k
            yield f'<polyline {style} points="{x},336 {x + 34},336"/>'
            yield text(x + 42, 341, name)

    return picture(680, 356, title, parts(), ink)


def drawn() -> dict[str, str]:
    """Return the content of each file."""
    fits = measured()
    pictures = {}
    for scheme, ink in PALETTES.items():
        pictures[f"times_{scheme}.svg"] = times(fits, ink)
        pictures[f"slopes_{scheme}.svg"] = slopes(ink)
    return pictures


if __name__ == "__main__":
    for name, content in drawn().items():
        (FOLDER / name).write_text(content, encoding="utf-8")
