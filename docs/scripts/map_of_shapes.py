"""Draw the map of shapes from its newest results (called by conf.py)."""

import json
from pathlib import Path

import matplotlib as mpl
import numpy as np

mpl.use("Agg")
import matplotlib.pyplot as plt

RESULTS = Path(__file__).parents[2] / "benchmarks" / "results" / "map"


def write(folder: Path) -> None:
    """Write the picture, and a line that says how many cells were won, into `folder`."""
    results = json.loads(max(RESULTS.glob("*.json")).read_text(encoding="utf-8"))
    ratios = {(cell["K"], cell["C"], cell["n"], cell["d"]): cell["peer"] / cell["ours"] for cell in results["cells"]}
    classes, strengths, rows, columns = (sorted({key[i] for key in ratios}) for i in range(4))
    figure, axes = plt.subplots(
        len(classes), len(strengths), figsize=(8.0, 2.0 * len(classes)), sharex=True, sharey=True, squeeze=False
    )
    for i, K in enumerate(classes):
        for j, C in enumerate(strengths):
            cells = np.array([[ratios.get((K, C, n, d), np.nan) for d in columns] for n in rows])
            axis = axes[i, j]
            image = axis.imshow(np.log2(cells), cmap="PiYG", vmin=-1.5, vmax=1.5, origin="lower", aspect="auto")
            for (y, x), ratio in np.ndenumerate(cells):
                axis.text(x, y, f"{ratio:.2f}", ha="center", va="center", fontsize=8, color="black")
            axis.set(xticks=range(len(columns)), xticklabels=columns, yticks=range(len(rows)), yticklabels=rows)
            axis.set_title(f"{K} classes, C = {C:g}", fontsize=9)
            axis.grid(visible=False)
    figure.supxlabel("columns d", fontsize=9)
    figure.supylabel("rows n", fontsize=9)
    bar = figure.colorbar(image, ax=axes, ticks=[-1.0, 0.0, 1.0], fraction=0.03)
    bar.ax.set_yticklabels(["½", "1", "2"])
    bar.set_label("time of the peer / ours", fontsize=9)
    figure.savefig(folder / "map_of_shapes.png", dpi=150, bbox_inches="tight")
    plt.close(figure)
    found = np.array(list(ratios.values()))
    (folder / "map_of_shapes.inc").write_text(
        f"First in {(found >= 1.0).mean():.0%} of {len(found)} cells; the median is {np.median(found):.2f}, the least "
        f"{found.min():.2f}, the largest {found.max():.1f}.\n",
        encoding="utf-8",
    )
