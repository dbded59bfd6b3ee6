"""Write the tables and pictures of the studies from benchmarks/studies/results (called by conf.py)."""

import json
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from loss_table import table
from scipy import stats

RESULTS = Path(__file__).parents[2] / "benchmarks" / "studies" / "results"
# Of the catalogue, and the eight colours of Okabe and Ito that colour-blind people tell apart.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#7F7F7F")
STYLE = {"font.size": 9, "axes.grid": True, "grid.alpha": 0.3, "svg.hashsalt": "marginclf"}


def write(folder: Path) -> None:
    """Write all files into `folder`."""
    with plt.rc_context(STYLE):
        which_loss(load("which_loss"), folder)
        label_noise(load("label_noise"), folder)
        probabilities(load("probabilities"), folder)


def load(name: str) -> dict:
    return json.loads((RESULTS / f"{name}.json").read_text(encoding="utf-8"))


def save(figure, file: Path) -> None:
    figure.savefig(file, metadata={"Date": None})
    plt.close(figure)


def figures_of(sets: dict, figure: str) -> tuple[list[str], np.ndarray]:
    """Names of the candidates that have a figure on every set, and its values by set and candidate."""
    rows = [entry["figures"][figure] for entry in sets.values()]
    names = [name for name in rows[0] if all(row[name] is not None for row in rows)]
    return names, np.array([[row[name] for name in names] for row in rows])


def ranks(values: np.ndarray) -> np.ndarray:
    """1 is the best; ties share their mean rank."""
    return stats.rankdata(-values.round(4), axis=1)


def critical_difference(k: int, n: int) -> float:
    """Nemenyi's, for mean ranks of k candidates on n sets, at 5 % (Demšar 2006, JMLR 7)."""
    return stats.studentized_range.ppf(0.95, k, np.inf) / np.sqrt(2.0) * np.sqrt(k * (k + 1) / (6.0 * n))


def which_loss(results: dict, folder: Path) -> None:
    sets = results["sets"]
    shown = ("accuracy", "AUC", "average precision", "minus log-loss")
    found = {figure: figures_of(sets, figure) for figure in shown}
    rows = []
    for name in found["accuracy"][0]:
        cells = []
        for figure in shown:
            names, values = found[figure]
            if name in names:
                k = names.index(name)
                sign = -1.0 if figure.startswith("minus") else 1.0
                cells += [f"{sign * values[:, k].mean():.3f}", f"{ranks(values)[:, k].mean():.1f}"]
            else:
                cells += ["–", "–"]
        rows.append((name, *cells))
    header = ("", "accuracy", "rank", "AUC", "rank", "average precision", "rank", "log-loss", "rank")
    (folder / "which_loss.inc").write_text(table("auto", header, rows), encoding="utf-8")
    _against_logistic(found["accuracy"], found["AUC"], folder)
    _where_it_matters(sets, folder)
    _rank_plot(found, len(sets), folder)


def _against_logistic(accuracy, auc, folder: Path) -> None:
    """On how many sets each candidate is better or worse than the logistic loss, and whether that is chance."""
    names = accuracy[0]
    rows = []
    for name in names:
        if name == "logistic":
            continue
        cells = []
        for found_names, values in (accuracy, auc):
            difference = values[:, found_names.index(name)] - values[:, found_names.index("logistic")]
            better, worse = int((difference > 0.002).sum()), int((difference < -0.002).sum())
            p = stats.wilcoxon(difference).pvalue if np.any(difference) else 1.0
            cells += [f"{better} / {worse}", f"{100 * difference.mean():+.2f}", "< 0.001" if p < 0.001 else f"{p:.3f}"]
        rows.append((name, *cells))
    header = ("", "accuracy: better / worse", "mean, points", "p", "AUC: better / worse", "mean, points", "p")
    (folder / "which_loss_pairs.inc").write_text(table("auto", header, rows), encoding="utf-8")


def _where_it_matters(sets: dict, folder: Path) -> None:
    """The sets on which convex losses differ most."""
    from marginclf.losses import catalogue

    convex = [name for name, cls in catalogue().items() if cls().convex and name != "linear"]
    rows = []
    for name, entry in sets.items():
        row = entry["figures"]["accuracy"]
        values = {loss: row[loss] for loss in convex}
        best, worst = max(values, key=values.get), min(values, key=values.get)
        about = f"{entry['rows']:,} × {entry['columns']:,}, {entry['classes']} classes"
        cells = (f"{best} {values[best]:.3f}", f"{worst} {values[worst]:.3f}", f"{values['logistic']:.3f}")
        rows.append((values[best] - values[worst], (name, about, *cells)))
    rows.sort(key=lambda row: -row[0])
    header = ("data", "size", "best", "worst", "logistic")
    (folder / "which_loss_matters.inc").write_text(table("auto", header, [r for _, r in rows[:12]]), encoding="utf-8")
    spread = np.array([difference for difference, _ in rows])
    text = (
        f"On half of the {len(rows)} sets the most and the least accurate of the {len(convex)} convex losses (without "
        f"``linear``) are within {100 * np.median(spread):.1f} points of each other, on {(spread < 0.01).sum()} within "
        f"one point, on {(spread > 0.03).sum()} more than three points apart.\n"
    )
    (folder / "which_loss_spread.inc").write_text(text, encoding="utf-8")


def _rank_plot(found: dict, n: int, folder: Path) -> None:
    titles = {"accuracy": "accuracy", "AUC": "AUC", "minus log-loss": "log-loss"}
    figure, axes = plt.subplots(1, 3, figsize=(10, 5), layout="constrained")
    for axis, (key, title) in zip(axes, titles.items(), strict=True):
        names, values = found[key]
        means = ranks(values).mean(axis=0)
        order = np.argsort(-means)
        half = 0.5 * critical_difference(len(names), n)
        for place, k in enumerate(order):
            peer = names[k].startswith(("Logistic", "Linear", "SGD"))
            colour = COLOURS[1] if peer else COLOURS[2] if names[k] == "chosen" else COLOURS[0]
            axis.errorbar(means[k], place, xerr=half, fmt="s" if peer else "o", color=colour, capsize=2, markersize=4)
        axis.set(title=title, xlabel="mean rank (1 is best)", yticks=range(len(names)))
        axis.set_yticklabels([names[k] for k in order])
    save(figure, folder / "which_loss.svg")


def label_noise(results: dict, folder: Path) -> None:
    sets = results["sets"]
    for kind in ("flipped", "outliers"):
        shares = list(next(iter(sets.values()))[kind])
        names = list(next(iter(sets.values()))[kind][shares[0]]["accuracy"])
        mean = {
            figure: np.array(
                [[np.mean([s[kind][v][figure][name] for s in sets.values()]) for v in shares] for name in names]
            )
            for figure in ("accuracy", "AUC")
        }
        rows = [
            (
                name,
                *(f"{a:.3f}" for a in mean["accuracy"][k]),
                *(f"{a:.3f}" for a in mean["AUC"][k]),
            )
            for k, name in enumerate(names)
        ]
        percent = [f"{100 * float(share):g} %" for share in shares]
        header = ("", *(f"accuracy {share}" for share in percent), *(f"AUC {share}" for share in percent))
        (folder / f"label_noise_{kind}.inc").write_text(table("auto", header, rows), encoding="utf-8")
    _noise_plot(sets, folder)


def _noise_plot(sets: dict, folder: Path) -> None:
    shown = (
        *("logistic", "hinge", "linear", "savage", "sigmoid", "generalized_cross_entropy"),
        *("LogisticRegression", "SGDClassifier modified_huber"),
    )
    figure, axes = plt.subplots(2, 2, figsize=(9, 6.5), layout="constrained", sharey="row")
    for column, (kind, label) in enumerate((("flipped", "labels flipped, %"), ("outliers", "outliers, %"))):
        for row, what in enumerate(("accuracy", "AUC")):
            axis = axes[row, column]
            for name, colour, style in zip(shown, COLOURS, ("-", "--", "-.", ":") * 2, strict=True):
                shares = list(next(iter(sets.values()))[kind])
                means = [np.mean([s[kind][share][what][name] for s in sets.values()]) for share in shares]
                axis.plot([100 * float(s) for s in shares], means, style, marker=".", color=colour, label=name)
            axis.set(xlabel=label, ylabel=f"{what}, clean test rows" if column == 0 else "")
    figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=3)
    save(figure, folder / "label_noise.svg")


def probabilities(results: dict, folder: Path) -> None:
    sets = {name: s for name, s in results["sets"].items() if s["source"] != "drawn"}
    drawn = {name: s for name, s in results["sets"].items() if s["source"] == "drawn"}
    names = [name for name in next(iter(sets.values()))["models"] if "balanced" not in name]
    figures = ("log-loss", "Brier", "calibration error")
    rows = []
    for name in names:
        means = [np.mean([s["models"][name][figure] for s in sets.values()]) for figure in figures]
        rows.append((name, *(f"{value:.4f}" for value in means)))
    (folder / "probabilities.inc").write_text(table("auto", ("", *figures), rows), encoding="utf-8")

    labels = [name.removeprefix("known: ") for name in drawn]
    rows = [(name, *(f"{s['models'][name]['mean error']:.3f}" for s in drawn.values())) for name in names]
    (folder / "probabilities_known.inc").write_text(
        table("auto", ("true probability", *labels), rows), encoding="utf-8"
    )

    rows = []
    for name, s in sets.items():
        if s["share"] < 0.4:
            plain, weighted, data = (
                s["models"][key] for key in ("logistic", "logistic, balanced, weighted", "logistic, balanced, data")
            )
            cells = (f"{row['log-loss']:.3f}" for row in (plain, weighted, data))
            errors = (f"{row['calibration error']:.3f}" for row in (weighted, data))
            rows.append((s["share"], (name, f"{100 * s['share']:.1f} %", *cells, *errors)))
    rows.sort(key=lambda row: row[0])
    header = (
        "data",
        "share of the event",
        "no class_weight",
        '"weighted"',
        '"data"',
        'error "weighted"',
        'error "data"',
    )
    (folder / "probabilities_prior.inc").write_text(table("auto", header, [r for _, r in rows]), encoding="utf-8")
    _reliability_plot(sets, names, folder)


def _reliability_plot(sets: dict, names: list[str], folder: Path) -> None:
    columns = 4
    rows = -(-len(names) // columns)
    figure, axes = plt.subplots(rows, columns, figsize=(9, 2.3 * rows), layout="constrained", sharex=True, sharey=True)
    for axis in axes.flat[len(names) :]:
        axis.set_axis_off()
    for axis, name in zip(axes.flat, names, strict=False):
        count, claimed, came = (
            np.sum([s["models"][name][key] for s in sets.values()], axis=0) for key in ("rows", "claimed", "came")
        )
        there = count > 0
        axis.plot([0, 1], [0, 1], color=COLOURS[7], linewidth=0.8)
        axis.plot(claimed[there] / count[there], came[there] / count[there], "o-", color=COLOURS[0], markersize=3)
        axis.set_title(name)
    figure.supxlabel("probability that was given")
    figure.supylabel("share of rows where the event came true")
    save(figure, folder / "probabilities.svg")
