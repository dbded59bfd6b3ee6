"""Rows in parts: of an array on disk, or on many machines. Only sums over them come back.

A function of one part is called for each of them, where the part is, and its results are added up in a fixed tree, so
that sums are the same bits from run to run. That is one round; whoever minimises should need few of them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

_FAN_IN = 8
_PART_BYTES = 1 << 25
"""Of an array on disk: what is read between two looks at the same rows stays in memory, and little else does."""

_EQUAL = 0.25
"""Part of a sample that classes share equally, whatever their size."""

_LEAST_SAMPLE, _SAMPLE_NUMBERS, _FOR_EACH = 1 << 14, 1 << 23, 40
_RUN = 16

Sums = tuple[np.ndarray, ...]


class Part(NamedTuple):
    """Some of the rows.

    Attributes
    ----------
    X : ndarray or CSR of shape (m, d)
        float32 or float64.
    codes : ndarray of int of shape (m,)
        Class of each row.
    weights : ndarray of shape (m,) or None
        Sample weights; None for ones.
    multipliers : ndarray of shape (m,) or None
        What a solver keeps of each row between two rounds; None for zeros.
    """

    X: Any
    codes: np.ndarray
    weights: np.ndarray | None
    multipliers: np.ndarray | None = None


class Parts:
    """The rows of a data set, in parts.

    Attributes
    ----------
    shape : tuple of int
        Rows n and columns d of all parts together.
    passes : int
        Rounds so far: each reads all of X once.
    whole_hessian : int
        Coefficients and intercepts up to which all rows make a Hessian; beyond, so many fewer do. More than what costs
        as much as an evaluation, where waiting for a round costs that anyway.
    """

    shape: tuple[int, int]
    passes: int = 0
    whole_hessian = 10

    def sum(self, function: Callable[..., Sums], *arguments: Any) -> Sums:
        """Σ function(part, *arguments) over the parts, entry by entry of the tuples that it returns."""
        raise NotImplementedError

    def largest(self, function: Callable[..., np.ndarray], *arguments: Any) -> np.ndarray:
        """The entrywise maximum of function(part, *arguments) over the parts."""
        return np.max(self.each(function, *arguments), axis=0)

    def each(self, function: Callable[..., Any], *arguments: Any) -> list[Any]:
        """function(part, *arguments) of every part, in their order; for results that are small."""
        raise NotImplementedError

    def set_multipliers(self, function: Callable[..., np.ndarray] | None, *arguments: Any) -> None:
        """Let each part have function(part, *arguments) as its multipliers from now on; None for zeros."""
        raise NotImplementedError


class LocalParts(Parts):
    """Runs of the rows of one array, of which one at a time is looked at, in their order.

    Parameters
    ----------
    X : ndarray of shape (n, d)
        Often in a file that is mapped into memory.
    codes : ndarray of int of shape (n,)
        Class of each row.
    weights : ndarray of shape (n,) or None
        Sample weights; None for ones.
    """

    def __init__(self, X: np.ndarray, codes: np.ndarray, weights: np.ndarray | None) -> None:
        self.shape = X.shape
        self._X, self._codes, self._weights = X, codes, weights
        self._rows = max(1, _PART_BYTES // max(1, X.itemsize * X.shape[1]))
        self._multipliers: np.ndarray | None = None

    def __iter__(self) -> Any:
        for start in range(0, self.shape[0], self._rows):
            yield self.part(slice(start, start + self._rows))

    def sample(self, n_classes: int, seed: int) -> Part:
        """Rows of all classes, whose weights say what they stand for."""
        size = sample_size(*self.shape, n_classes)
        rows, scale = stratified(self._codes, self._weights, size, seed, _RUN)
        part = self.part(rows)
        return part._replace(weights=scale if part.weights is None else scale * part.weights, multipliers=None)

    def part(self, rows: Any) -> Part:
        """Some of the rows."""
        others = (None if a is None else a[rows] for a in (self._weights, self._multipliers))
        # A plain view: each slice of a memmap would be another memmap, and keep the file open.
        return Part(np.asarray(self._X)[rows], self._codes[rows], *others)

    def sum(self, function: Callable[..., Sums], *arguments: Any) -> Sums:
        self.passes += 1
        total: Sums | None = None
        for part in self:
            found = function(part, *arguments)
            total = found if total is None else added([total, found])
        assert total is not None
        return total

    def each(self, function: Callable[..., Any], *arguments: Any) -> list[Any]:
        self.passes += 1
        return [function(part, *arguments) for part in self]

    def set_multipliers(self, function: Callable[..., np.ndarray] | None, *arguments: Any) -> None:
        if function is None:
            self._multipliers = None
            return
        self.passes += 1
        kept = np.zeros(self.shape[0]) if self._multipliers is None else self._multipliers
        for number, part in enumerate(self):
            start = number * self._rows
            kept[start : start + self._rows] = function(part, *arguments)
        self._multipliers = kept


def added(found: Sequence[Sums]) -> Sums:
    """The sum of tuples, entry by entry and in their order."""
    if len(found) == 1:
        return found[0]
    total = tuple(a + b for a, b in zip(found[0], found[1], strict=True))
    for more in found[2:]:
        for a, b in zip(total, more, strict=True):
            a += b
    return total


def combined(found: Sequence[Any], combine: Callable[[list], Any]) -> Any:
    """Combine results, neighbours first, in a tree that depends on their number alone."""
    level = list(found)
    while True:
        level = [combine(level[k : k + _FAN_IN]) for k in range(0, len(level), _FAN_IN)]
        if len(level) == 1:
            return level[0]


def sample_size(n: int, d: int, n_classes: int) -> int:
    """Rows of a sample whose optimum is a good start: some for each coefficient, and no more than 64 MB of them."""
    wanted = max(_LEAST_SAMPLE, _FOR_EACH * d * max(1, n_classes - 1))
    return min(n, max(min(wanted, _SAMPLE_NUMBERS // max(1, d)), 2 * d if d < _LEAST_SAMPLE else 1))


def stratified(
    codes: np.ndarray, weights: np.ndarray | None, size: int, seed: int | None, run: int = 1, equal: float = _EQUAL
) -> tuple[np.ndarray, np.ndarray]:
    """Rows of every class, in their order, and how many rows each of them stands for.

    Parameters
    ----------
    codes : ndarray of int of shape (n,)
        Class of each row.
    weights : ndarray of shape (n,) or None
        Rows of weight 0 are not drawn.
    size : int
        How many to draw, about.
    seed : int or None
        Of the places, one in each stretch of a class, whatever order the rows are in; None for places at equal
        distances, where the rows are a draw already.
    run : int, default=1
        How many rows of a class to take from one place: reading from a disk costs by the place.
    equal : float, default=0.25
        Part of the sample that classes share equally, whatever their size.
    """
    rng = np.random.default_rng(seed)
    present = np.ones(len(codes), dtype=bool) if weights is None else weights > 0.0
    found, scale = [], []
    of_classes = [np.flatnonzero(present & (codes == k)) for k in np.unique(codes)]
    counts = np.array([len(of_class) for of_class in of_classes], dtype=float)
    wanted = size * ((1.0 - equal) * counts / max(1.0, counts.sum()) + equal / max(1, len(counts)))
    wanted = np.minimum(wanted, counts)
    # What rare classes do not have, the others give.
    room = counts - wanted
    wanted += min(1.0, (size - wanted.sum()) / max(1.0, room.sum())) * room
    for of_class, rows_wanted in zip(of_classes, wanted, strict=True):
        count = len(of_class)
        places = min(-(-count // run), max(1, round(rows_wanted / run)))
        if seed is None:
            starts = np.linspace(0, count - 1, places).astype(np.intp)
        else:
            starts = ((np.arange(places) + rng.random(places)) * (count / max(1, places))).astype(np.intp)
        chosen = np.unique(np.minimum(starts[:, None] + np.arange(run), count - 1)) if count else starts[:0]
        found.append(of_class[chosen])
        scale.append(np.full(len(chosen), count / max(1, len(chosen))))
    if not found:
        return np.empty(0, dtype=np.intp), np.empty(0)
    rows, scales = np.concatenate(found), np.concatenate(scale)
    order = np.argsort(rows)
    return rows[order], scales[order]
