"""Which solver suits which data; ``benchmarks/rule.py`` has the measurements."""

from __future__ import annotations

from ..losses import MarginLoss
from ..objective import DIRECT_LIMIT, few_operations, is_curved

SPARSE = 0.1
"""Part of the entries that are stored, below which data counts as sparse."""

SWEEPS = 0.8
"""Part of the iterations that may be sweeps: what they leave takes few Newton steps."""

_FEW_ROWS = 500
"""200 rows, 5 and 10 classes: 0.4 to 1.2 of the time of ascent at 500 columns, 0.3 to 0.6 at 5,000. 1000 × 2000: 1.5.
"""

_FEW_OPERATIONS, _FEW_OPERATIONS_JOINT = 1e6, 2e7
_SOME_OPERATIONS, _SMALL_DATA = 8e6, 1e5
"""The same where X has no more than so many numbers, and more columns than the compiled loop takes: the logistic loss
and squared hinge at C = 0.01, 1 and 100 took 0.8 to 4 times as long by L-BFGS on 200 × 150."""


_KINKED, _FLAT, _FLAT_JOINT = 25, 1, 4
"""Rows for each column of sparse data with 1,000 columns or fewer up to which ascent suits a loss with a kink, and one
without curvature from some margin on. Text, C = 0.1 to 100: hinge with 20 classes, 600 × 940, 20 to 24 ms against 940
to 1570 without, 3000 × 300 4 to 170 against 30 to 90, 20,000 × 900 33 to 1680 against 290 to 830; squared hinge with 20
classes, 600 × 940, 14 to 26 ms against 24 to 430, jointly with 10, 3000 × 900, 21 to 80 against 25 to 1000. For the
logistic loss L-BFGS is faster at small C."""


def most_sweeps(max_iter: int) -> int:
    """Sweeps of ascent among so many iterations."""
    return max(1, int(SWEEPS * max_iter))


def dual_suits(n: int, d: int, entries: int, k: int = 1, loss: MarginLoss | None = None) -> bool:
    """Whether coordinate ascent in the dual is likely to be the fastest.

    A sweep costs an evaluation and gains what several steps in the primal do, where rows share few columns or are
    fewer than these.

    Parameters
    ----------
    n, d, entries : int
        Rows, columns and stored entries.
    k : int, default=1
        Columns of coefficients.
    loss : MarginLoss, optional
        φ; None for one that is curved at every margin.
    """
    if k > 1 and _small(n, k * (d + 1)):
        return False
    if entries < SPARSE * n * d:
        return d > DIRECT_LIMIT or (loss is not None and not few_operations(n, d) and _leaves_rows(n, d, k, loss))
    return d > n and not newton_suits(n, d, entries)


def _leaves_rows(n: int, d: int, k: int, loss: MarginLoss) -> bool:
    """Whether the loss lets sweeps find the rows that decide, where sparse data has few columns."""
    if not loss.smooth:
        return n <= _KINKED * d
    return n <= (_FLAT if k == 1 else _FLAT_JOINT) * d and not is_curved(loss)


def newton_suits(n: int, d: int, entries: int, k: int = 1) -> bool:
    """Whether Newton's method is likely to be faster than L-BFGS.

    On data of any size L-BFGS in its coordinates needs few passes, but a millisecond of overhead; a Hessian costs n·d²
    operations, its factor d³. On sparse wide data L-BFGS spends its time on vectors of length d, and conjugate
    gradients need fewer of them.

    Parameters
    ----------
    n, d, entries : int
        Rows, columns and stored entries.
    k : int, default=1
        Columns of coefficients.
    """
    if d > DIRECT_LIMIT:
        return entries < SPARSE * n * d
    if k > 1:
        return _small(n, k * (d + 1))
    operations = n * d * d + d**3
    return (
        few_operations(n, d)
        or operations <= _FEW_OPERATIONS
        or (operations <= _SOME_OPERATIONS and n * d <= _SMALL_DATA)
    )


def _small(n: int, size: int) -> bool:
    """Whether the Hessian of many classes is cheap."""
    return size <= DIRECT_LIMIT and n * size * size // 4 + size**3 // 3 <= _FEW_OPERATIONS_JOINT


def rows_are_few(n: int, d: int, entries: int) -> bool:
    """Whether dense data of many classes has so few rows that their Gram preconditions the primal in no time."""
    return n <= _FEW_ROWS and entries >= SPARSE * n * d
