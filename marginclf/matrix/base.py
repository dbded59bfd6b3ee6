"""What solvers may ask of the data, whatever the storage: a few passes over the rows."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import Any, Self

import numpy as np

from ..kernels import rows as passes
from ..kernels.block import scratch
from ..kernels.classes import classes_scratch, evaluate_all
from ..kernels.gram import GRAM_COLUMNS, gram, gram_scratch, gram_totals
from ..kernels.storage import StoredRows
from ..losses.base import CompiledLoss
from .blas import bordered, gram_by_blas
from .chunks import Chunks, cut
from .packed import SweepRows


class DesignMatrix:
    """The rows x_i, prepared once for all classes. Use it as a context: its threads live as long as that.

    Chunks of rows depend on the shape and the stored entries alone, and their partial sums are added in order, so that
    results are the same bits for any number of threads.

    Parameters
    ----------
    rows : StoredRows
        The arrays and the functions of their storage.
    entries : int
        Stored entries.
    block_rows : int
        Rows in a block, which a pass looks at twice.
    n_jobs : int
        Threads.
    """

    sparse = few_pairs = False

    def __init__(self, rows: StoredRows, entries: int, block_rows: int, n_jobs: int) -> None:
        self.rows = rows
        self.shape = rows.shape
        self.entries = entries
        self.passes = 0
        d = self.shape[1]
        self.block_rows = block_rows
        self._n_jobs = n_jobs
        self._chunk_rows, self._chunks, self._shares = self.chunks(d)
        self._work = scratch(self._chunks, block_rows)
        self._sums = np.empty((self._chunks, 3))
        self._gradients = np.empty((self._chunks, d))
        self._sweep_rows: dict[bool, SweepRows] = {}
        self._gram_work: tuple[list[np.ndarray], np.ndarray] | None = None
        threads = len(self._shares) - 1
        self._pool = ThreadPoolExecutor(threads) if threads > 1 else None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._pool is not None:
            self._pool.shutdown()

    def chunks(self, width: int) -> Chunks:
        """How to cut the rows for a pass that leaves ``width`` numbers a chunk."""
        return cut(self.shape[0], self.entries, width, self._n_jobs)

    def blocks(self, n_columns: int) -> int:
        """Rows in a block of a pass with several columns of coefficients, whose work space is larger."""
        return self.block_rows

    def run(self, share: Callable[[int, int], None], shares: list[int], *, reads: bool = True) -> None:
        """Call ``share`` for every thread's run of chunks; which thread it is does not matter to the sums.

        ``reads`` says that it reads X, which makes it a pass.
        """
        self.passes += reads
        bounds = list(pairwise(shares))
        if self._pool is None or len(bounds) == 1:
            for first, last in bounds:
                share(first, last)
            return
        for done in [self._pool.submit(share, first, last) for first, last in bounds]:
            done.result()

    def _run(self, share: Callable[[int, int], None], *, reads: bool = True) -> None:
        if self._pool is None:
            self.passes += reads
            share(0, self._chunks)
        else:
            self.run(share, self._shares, reads=reads)

    def evaluate(
        self, loss: CompiledLoss, v: np.ndarray, w: np.ndarray, b: float
    ) -> tuple[float, np.ndarray, float, float]:
        """Σ |v| φ, its gradient in w, its slope and its curvature in b, in one pass.

        Parameters
        ----------
        loss : CompiledLoss
            φ.
        v : ndarray of shape (n,)
            C s y: label in the sign, weight in the magnitude.
        w : ndarray of shape (d,)
            Coefficients.
        b : float
            Intercept.
        """
        address, parameters, _ = loss
        self._run(
            lambda first, last: passes.evaluate(
                self.rows["forward"], self.rows["backward"], v, w, b, address, parameters, first, last,
                self._chunk_rows, self.block_rows, self._work, self._sums, self._gradients,
            )
        )  # fmt: skip
        value, slope, curvature = self._sums.sum(axis=0)
        return float(value), self._gradients.sum(axis=0), float(slope), float(curvature)

    def evaluate_all(
        self,
        loss: CompiledLoss,
        codes: np.ndarray,
        weights: np.ndarray,
        positive: np.ndarray,
        w: np.ndarray,
        b: np.ndarray,
    ) -> tuple[np.ndarray, np.ndarray]:
        """What :meth:`evaluate` returns for several problems of one class against the rest, in one pass for all.

        Parameters
        ----------
        loss : CompiledLoss
            φ.
        codes : ndarray of int of shape (n,)
            Class of each row.
        weights : ndarray of shape (n,) or (1,)
            C s.
        positive : ndarray of int of shape (k,)
            The class of each problem.
        w, b : ndarray of shape (k, d) and (k,)
            Coefficients and intercepts.

        Returns
        -------
        sums : ndarray of shape (k, 3)
            Value, slope and curvature in b.
        gradients : ndarray of shape (k, d)
            In w.
        """
        address, parameters, _ = loss
        k, d = w.shape
        forward, backward = self.rows["forward_each"], self.rows["backward_each"]
        block_rows = self.blocks(k)
        works = [classes_scratch(k, block_rows) for _ in self._shares[1:]]
        sums, gradients = np.empty((self._chunks, k, 3)), np.empty((self._chunks, k, d))
        self._run(
            lambda first, last: evaluate_all(
                forward, backward, codes, weights, positive, w, b, address, parameters, first, last,
                self._chunk_rows, block_rows, works[self._shares.index(first)], sums, gradients,
            )
        )  # fmt: skip
        return sums.sum(axis=0), gradients.sum(axis=0)

    def pointwise(
        self, loss: CompiledLoss, v: np.ndarray, z: np.ndarray, b: float
    ) -> tuple[float, float, np.ndarray, np.ndarray]:
        """The loss at stored decision values z + b: Σ |v| φ, Σ v φ', the vectors v φ' and |v| φ''. No pass over X."""
        address, parameters, _ = loss
        r, c = np.empty_like(z), np.empty_like(z)
        self._run(
            lambda first, last: passes.pointwise(
                z, v, b, address, parameters, first, last, self._chunk_rows, self._work, self._sums, r, c
            ),
            reads=False,
        )
        value, slope, _ = self._sums.sum(axis=0)
        return float(value), float(slope), r, c

    def product(self, w: np.ndarray) -> np.ndarray:
        """X w, of shape (n,)."""
        z = np.empty(self.shape[0])
        forward = self.rows["forward"]
        self._run(lambda first, last: passes.product(forward, w, first, last, self._chunk_rows, self.block_rows, z))
        return z

    def transposed_product(self, r: np.ndarray, backward: str = "backward") -> np.ndarray:
        """Xᵀ r, of shape (d,)."""
        self._run(
            lambda first, last: passes.transposed_product(
                self.rows[backward], r, first, last, self._chunk_rows, self.block_rows, self._gradients
            )
        )
        return self._gradients.sum(axis=0)

    def hessian_product(self, c: np.ndarray, p: np.ndarray, shift: float) -> tuple[np.ndarray, float]:
        """Xᵀ u and Σ u for u = c (X p + shift), in one pass."""
        self._run(
            lambda first, last: passes.hessian_product(
                self.rows["forward"], self.rows["backward"], c, p, shift, first, last,
                self._chunk_rows, self.block_rows, self._work, self._sums, self._gradients,
            )
        )  # fmt: skip
        return self._gradients.sum(axis=0), float(self._sums[:, 0].sum())

    def squared_product(self, r: np.ndarray) -> np.ndarray:
        """(X²)ᵀ r with the square taken elementwise, of shape (d,)."""
        return self.transposed_product(r, "squares")

    def gram(self, c: np.ndarray, centre: np.ndarray | None) -> np.ndarray:
        """Σ_i c_i (x_i − centre)(x_i − centre)ᵀ, of shape (d, d); a few rows at a time, X is never copied whole.

        Subtracting the centre first keeps the digits that a large common offset of the rows would cost.
        """
        d = self.shape[1]
        centre = np.zeros(d) if centre is None else centre
        if d > GRAM_COLUMNS:
            return gram_by_blas(self.copy_rows, self.shape, c, centre)
        if self._gram_work is None:
            # One work space a thread: they are larger than those of the other passes.
            self._gram_work = [gram_scratch(d) for _ in self._shares[1:]], gram_totals(self._chunks, d)
        works, totals = self._gram_work
        self._run(
            lambda first, last: gram(
                self.rows["copy"], c, centre, first, last, self._chunk_rows, works[self._shares.index(first)], totals
            )
        )
        return totals.sum(axis=0)[:d, :d]

    def gram_with_intercept(self, c: np.ndarray, centre: np.ndarray) -> np.ndarray:
        """Σ_i c_i (x_i − centre, 1)(x_i − centre, 1)ᵀ, of shape (d + 1, d + 1)."""
        return bordered(self.gram(c, centre), self.transposed_product(c), float(c.sum()), centre)

    def rough_gram(self, c: np.ndarray, centre: np.ndarray) -> np.ndarray:
        """:meth:`gram` for c ≥ 0, of many columns to about 1e-6 of its diagonal, in half of the time."""
        if self.shape[1] <= GRAM_COLUMNS:
            return self.gram(c, centre)
        with np.errstate(over="ignore"):
            return gram_by_blas(self.copy_rows, self.shape, c, centre, np.float32).astype(float)

    def sweep_rows(self, seed: int, *, single: bool = True) -> SweepRows:
        """The rows as coordinate ascent visits them; made once, in a random order and ``single`` where copied."""
        if single not in self._sweep_rows:
            self._sweep_rows[single] = self._make_sweep_rows(np.random.RandomState(seed), single)
        return self._sweep_rows[single]

    def _make_sweep_rows(self, rng: np.random.RandomState, single: bool) -> SweepRows:
        raise NotImplementedError

    def alone(self) -> DesignMatrix:
        """The same matrix for one thread of its own: passes of one object cannot run side by side."""
        raise NotImplementedError

    def row_gram(self, rows: np.ndarray, mean: np.ndarray | None) -> np.ndarray:
        """Y Yᵀ of shape (m, m) for m of the rows less their mean, whose weights are given; None for no mean."""
        raise NotImplementedError

    def packed(self, rows: np.ndarray, *, single: bool = True) -> Any:
        """Some rows, rewritten for many passes over them, in float32 if that will do; of sparse matrices only."""
        raise NotImplementedError

    def take(self, rows: np.ndarray) -> DesignMatrix:
        """Some of the rows, for one thread, in a storage whose ``by_column`` is that of this one.

        θ of a sample is θ of all rows: its coefficients have to lie as they do here.
        """
        raise NotImplementedError

    def columns(self, which: np.ndarray) -> DesignMatrix:
        """Some of the columns, in rising order, for one thread."""
        raise NotImplementedError

    def scaled(self, factor: np.ndarray) -> DesignMatrix:
        """A copy in float64 with each column multiplied by a number; as this one, it is a context."""
        raise NotImplementedError

    def copy_rows(self, part: slice, out: np.ndarray) -> None:
        """Rows of X as dense float64."""
        raise NotImplementedError
