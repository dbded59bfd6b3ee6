"""Interleaved measurement, and tables in Markdown: shared by every script here.

Repeats go round-robin over all candidates, so that a slow moment of the machine hits all of them alike; the median is
reported, and the minimum beside it.
"""

from __future__ import annotations

import gc
import statistics
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from environment import threads

_PAUSE = 0.15


def seconds(action: Callable[[], Any]) -> tuple[float, Any]:
    """Wall-clock seconds of one call, and what it returned. What is left from before is collected first, untimed.

    With several threads, BLAS goes on waiting for work, busily, after its last call; a pause keeps the threads of one
    solver off the cores that the next one needs.
    """
    gc.collect()
    if threads() > 1:
        time.sleep(_PAUSE)
    began = time.perf_counter()
    result = action()
    return time.perf_counter() - began, result


def still() -> None:
    """Take all that is alive now out of the garbage collector's sight.

    Compilers leave a million objects behind. Collecting would look at them before every fit, and sometimes during one.
    """
    gc.collect()
    gc.freeze()


def interleaved(actions: Mapping[str, Callable[[], Any]], repeats: int) -> dict[str, list[float]]:
    """Seconds of every action, in rounds over all, after one untimed call of each."""
    for action in actions.values():
        action()
    still()
    found: dict[str, list[float]] = {name: [] for name in actions}
    for _ in range(repeats):
        for name, action in actions.items():
            found[name].append(seconds(action)[0])
    return found


def median(values: Sequence[float]) -> float:
    return statistics.median(values)


def duration(value: float) -> str:
    """Seconds with a unit and three digits."""
    for limit, factor, unit in ((1e-3, 1e6, "µs"), (1.0, 1e3, "ms")):
        if value < limit:
            return f"{value * factor:.3g} {unit}"
    return f"{value:.3g} s" if value < 100.0 else f"{value:.0f} s"


def markdown(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table, its columns padded for terminals too: the first is on the left, the others on the right."""
    lines = [list(header), *(list(row) for row in rows)]
    widths = [max(3, *(len(line[k]) for line in lines)) for k in range(len(header))]

    def text(line: Sequence[str]) -> str:
        cells = [
            f"{cell:<{w}}" if k == 0 else f"{cell:>{w}}" for k, (cell, w) in enumerate(zip(line, widths, strict=True))
        ]
        return "| " + " | ".join(cells) + " |"

    rule = ["-" * w if k == 0 else "-" * (w - 1) + ":" for k, w in enumerate(widths)]
    return "\n".join([text(lines[0]), text(rule), *(text(line) for line in lines[1:])])
