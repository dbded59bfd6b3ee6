"""Write the table of losses and the scripts of its figures from the catalogue (called by conf.py)."""

from pathlib import Path

import numpy as np

from marginclf.losses import catalogue

HEADER = ("name (aliases)", "φ(m)", "convex", "φ″", "η(1)", "source")


def write(folder: Path) -> None:
    """Write all generated files into `folder`; an unchanged one keeps its time and is not read again."""
    folder.mkdir(exist_ok=True)
    files = {"loss_table.inc": table(), "loss_curves.py": CURVES, "loss_probabilities.py": PROBABILITIES}
    for name, text in files.items():
        path = folder / name
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")


def table() -> str:
    """Return the catalogue as a reStructuredText list-table."""
    lines = [".. list-table::", "   :header-rows: 1", "   :widths: 22 34 8 12 8 22", ""]
    for cells in (HEADER, *(row(loss()) for loss in catalogue().values())):
        for k, cell in enumerate(cells):
            lines.append(("   * - " if k == 0 else "     - ") + cell)
    return "\n".join(lines) + "\n"


def row(loss) -> tuple[str, ...]:
    """Return the cells of one loss at its default parameters."""
    names = f":class:`{loss.name} <marginclf.losses.{type(loss).__name__}>`"
    if loss.aliases:
        names += " (" + ", ".join(loss.aliases) + ")"
    low, high = loss.curvature_bounds()
    convex = "yes" if loss.convex else "no"
    return (names, f":math:`{loss.formula}`", convex, bounds(low, high), probability(loss), loss.source)


def bounds(low: float, high: float) -> str:
    return number(low) if low == high else f"{number(low)} … {number(high)}"


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
