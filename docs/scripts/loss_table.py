"""Write the table of losses and the scripts of its figures from the catalogue (called by conf.py)."""

from pathlib import Path

import numpy as np

from marginclf.losses import catalogue

HEADER = ("name (aliases)", "φ(m), and its source", "η(1)", "link ψ(η)")
PROPERTIES = (
    *("name", "convex", "smooth", "bounded below", "calibrated", "proper"),
    *("Lipschitz", "φ″", "noise-symmetric", "saturating"),
)


def write(folder: Path) -> None:
    """Write all generated files into `folder`; an unchanged one keeps its time and is not read again."""
    folder.mkdir(exist_ok=True)
    losses = [cls() for cls in catalogue().values()]
    files = {
        "loss_table.inc": table("22 52 8 18", HEADER, map(row, losses)),
        "loss_properties.inc": table("20 8 8 8 10 8 8 14 8 8", PROPERTIES, map(properties, losses)),
        "loss_curves.py": CURVES,
        "loss_probabilities.py": PROBABILITIES,
    }
    for name, text in files.items():
        path = folder / name
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")


def table(widths: str, header: tuple, rows) -> str:
    """Return a reStructuredText list-table."""
    lines = [".. list-table::", "   :header-rows: 1", f"   :widths: {widths}", ""]
    for cells in (header, *rows):
        for k, cell in enumerate(cells):
            lines.append(("   * - " if k == 0 else "     - ") + str(cell))
    return "\n".join(lines) + "\n"


def name_of(loss) -> str:
    return f":class:`{loss.name} <marginclf.losses.{type(loss).__name__}>`"


def row(loss) -> tuple[str, ...]:
    """Return name, formula, source, a sample of the probability and link of one loss at its default parameters."""
    names = name_of(loss)
    if loss.aliases:
        names += " (" + ", ".join(loss.aliases) + ")"
    link = lines(*(f":math:`{part}`" for part in loss.link_formula.split(r",\; "))) if loss.link_formula else "–"
    return names, lines(f":math:`{loss.formula}`", loss.source), probability(loss), link


def lines(*parts: str) -> str:
    """Return a cell of several lines."""
    return "\n       ".join(f"| {part}" for part in parts)


def properties(loss) -> tuple[str, ...]:
    """Return what a loss says of itself, at its default parameters."""
    low, high = loss.curvature_bounds()
    yes = {True: "✓", False: "–"}
    return (
        name_of(loss),
        yes[loss.convex],
        yes[loss.smooth],
        yes[loss.bounded_below],
        yes[loss.calibrated],
        yes[loss.link is not None],
        number(loss.lipschitz),
        number(low) if low == high else f"{number(low)} … {number(high)}",
        yes[loss.noise_symmetric],
        yes[loss.saturating],
    )


def number(x: float) -> str:
    return f"{x:.3g}".replace("-", "−") if np.isfinite(x) else ("∞" if x > 0 else "−∞")


def probability(loss) -> str:
    """Return η(1), or a dash for a loss that has no probability."""
    return "–" if loss.probability is None else f"{float(loss.probability(np.array([1.0]))[0]):.3f}"


CURVES = '''\
"""Value, slope and curvature of every loss of the catalogue against the margin."""

import matplotlib.pyplot as plt
import numpy as np

from marginclf.losses import catalogue

m = np.linspace(-3, 3, 1201)
losses = [cls() for cls in catalogue().values()]
columns = 3
rows = -(-len(losses) // columns)
figure, axes = plt.subplots(
    rows, columns, figsize=(9, 2.2 * rows), sharex=True, sharey=True, layout="constrained"
)
for axis in axes.flat[len(losses) :]:
    axis.set_axis_off()
for axis, loss in zip(axes.flat, losses):
    for curve, style, label in zip(loss.evaluate(m), ("-", "--", ":"), ("value", "slope", "curvature")):
        axis.plot(m, curve, style, label=label)
    axis.set(title=loss.name, ylim=(-3, 4))
axes.flat[0].legend()
figure.supxlabel("margin")
'''

PROBABILITIES = '''\
"""The probability that goes with a decision value, for every loss that has one."""

import matplotlib.pyplot as plt
import numpy as np

from marginclf.losses import catalogue

z = np.linspace(-5, 5, 1001)
losses = [cls() for cls in catalogue().values()]
figure, axis = plt.subplots(figsize=(7, 4), layout="constrained")
styles = ["-", "--", "-.", ":"]
for k, loss in enumerate(loss for loss in losses if loss.probability is not None):
    axis.plot(z, loss.probability(z), styles[k % 4], label=loss.name)
axis.set(xlabel="decision value z", ylabel="η(z)")
axis.legend(fontsize=8)
'''
