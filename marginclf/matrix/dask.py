"""Rows in the blocks of Dask collections: each function of a part runs where its block is, and sums come back."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import dask
import numpy as np
from dask.delayed import Delayed, delayed

from .parts import Part, Parts, Sums, added, combined


class DaskParts(Parts):
    """The blocks of a collection.

    Parameters
    ----------
    blocks : list of Delayed
        X of each part, as the kernels take it.
    codes : list of Delayed
        Class of each row.
    weights : list of Delayed or None
        Sample weights; None for ones.
    shape : tuple of int
        Rows and columns of all.
    """

    whole_hessian = 64

    def __init__(
        self, blocks: list[Delayed], codes: list[Delayed], weights: list[Delayed] | None, shape: tuple[int, int]
    ) -> None:
        self.shape = shape
        self._blocks, self._codes, self._weights = blocks, codes, weights
        self._multipliers: list[Delayed] | None = None
        self._client = client()

    def _each(self, function: Callable[..., Any], *arguments: Any) -> list[Delayed]:
        # One object for all parts, so that the point travels once to each worker.
        call = delayed((function, arguments), pure=False, traverse=False)
        nothing: list[None] = [None] * len(self._blocks)
        rows = zip(self._blocks, self._codes, self._weights or nothing, self._multipliers or nothing, strict=True)
        return [delayed(_apply, pure=False)(call, *part) for part in rows]

    def sum(self, function: Callable[..., Sums], *arguments: Any) -> Sums:
        self.passes += 1
        return computed([combined(self._each(function, *arguments), delayed(added, pure=False))], self._client)[0]

    def each(self, function: Callable[..., Any], *arguments: Any) -> list[Any]:
        self.passes += 1
        return list(computed(self._each(function, *arguments), self._client))

    def set_multipliers(self, function: Callable[..., np.ndarray] | None, *arguments: Any) -> None:
        if function is None:
            self._multipliers = None
            return
        # Not waited for: the next round asks for them.
        self.passes += 1
        self._multipliers = kept(self._each(function, *arguments))


def _apply(call: tuple[Callable[..., Any], tuple], X: Any, codes: Any, weights: Any, multipliers: Any) -> Any:
    function, arguments = call
    return function(Part(X, codes, weights, multipliers), *arguments)


def client() -> Any:
    """The client of a cluster, where there is one."""
    distributed = sys.modules.get("distributed")
    if distributed is None:
        return None
    try:
        return distributed.default_client()
    except ValueError:
        return None


def kept(values: Sequence[Delayed], *, large: bool = False) -> list[Delayed]:
    """Values that stay where they are computed, on the workers of a cluster, from now on.

    Large ones do so on a cluster alone: without one they are computed again in each round, since all of them may be
    more than the memory holds.
    """
    if large and client() is None:
        return list(values)
    with watched(client()):
        return list(dask.persist(*values))


def computed(values: Sequence[Delayed], on: Any = None) -> tuple:
    """The values themselves; ``on`` is the client of the cluster that has what they are made of."""
    with watched(on or client()), warnings.catch_warnings():
        # The coefficients of wide data are what has to be sent.
        warnings.filterwarnings("ignore", "Sending large graph", UserWarning)
        return dask.compute(*values)


@contextmanager
def watched(on: Any) -> Iterator[None]:
    """Turn whatever is raised because a cluster is lost into one clear error."""
    if on is None:
        yield
        return
    module = sys.modules["distributed"]
    names = "CommClosedError", "CancelledError", "FutureCancelledError", "ClosedClientError", "TimeoutError"
    lost = (module.KilledWorker, *(getattr(module.client, name) for name in names if hasattr(module.client, name)))
    try:
        if on.status != "running":
            raise module.comm.CommClosedError(f"the client is {on.status}")
        yield
    except Exception as error:  # what a lost cluster raises depends on where it is noticed
        if not isinstance(error, lost) and on.status == "running":
            raise
        raise RuntimeError(
            f"the Dask cluster was lost during the computation ({type(error).__name__}: {error}). Start it again, with "
            "more memory for each worker or smaller chunks if its workers were killed for their memory"
        ) from error
