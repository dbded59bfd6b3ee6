"""How the rows are cut for a pass: results are the same bits for any number of threads."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ..kernels.block import BLOCK_ROWS

_MIN_CHUNK_ROWS = 1024
_MAX_CHUNKS = 32
_THREADED_ENTRIES = 1 << 18
"""Below this, a pass is over before another thread has started."""


class Chunks(NamedTuple):
    """How the rows are cut for a pass.

    Attributes
    ----------
    rows, number : int
        Rows in a chunk, and how many chunks there are.
    shares : list of int
        Thread t takes the chunks from ``shares[t]`` to ``shares[t + 1]``.
    """

    rows: int
    number: int
    shares: list[int]


def cut(n: int, entries: int, width: int, n_jobs: int) -> Chunks:
    """Chunks of n rows for a pass that leaves ``width`` numbers a chunk; they depend on the data alone."""
    # There must be few chunks where these outweigh the data.
    most = max(1, min(_MAX_CHUNKS, entries // max(1, 4 * width)))
    size = max(_MIN_CHUNK_ROWS, -(-n // most))
    rows = -(-size // BLOCK_ROWS) * BLOCK_ROWS
    number = -(-n // rows)
    threads = min(n_jobs, number) if entries >= _THREADED_ENTRIES else 1
    # Small matrices are made in every step of some solvers.
    shares = [0, number] if threads == 1 else np.linspace(0, number, threads + 1).astype(int).tolist()
    return Chunks(rows, number, shares)
