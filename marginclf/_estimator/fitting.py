"""Which problems a fit consists of, and who solves them: in memory, or over rows in parts."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from ..losses import MarginLoss
from ..matrix import design_matrix
from ..matrix.parts import LocalParts
from ..solvers import Solution
from .collections import CollectionData
from .joint import fit_jointly
from .lone_class import fit_lone_class
from .one_vs_rest import OneVsRest, Settings
from .partitioned import PartitionedFit, fits_by_parts
from .validation import Data, overflow_error, unusable_data

Solve = Callable[[Sequence[int], Sequence[tuple | None]], Iterator[tuple[Solution, float]]]


@contextmanager
def problems(data: Data | CollectionData, loss: MarginLoss, settings: Settings, *, joint: bool) -> Iterator[Solve]:
    """What solves the problems of a fit, called with the class of each and where it starts.

    Parameters
    ----------
    data : Data or CollectionData
        Validated.
    loss : MarginLoss
        φ.
    settings : Settings
        Parameters of the estimator.
    joint : bool
        Whether there is one problem with one joint margin, whatever the classes.
    """
    n_classes = len(data.classes)
    if data.lone is not None:
        lone, d = data.lone, data.shape[1]
        yield lambda positive, starts: iter([(fit_lone_class(loss, lone, d, settings), 0.0)])
    elif isinstance(data, CollectionData):
        if settings.solver == "dual":
            raise ValueError(
                "solver='dual' visits the rows of X one after another in memory, and X is a Dask collection; use "
                "solver='auto'"
            )
        fit = PartitionedFit(data.parts, data.sample, loss, data.class_weights, n_classes, data.totals, settings)
        yield lambda positive, starts: fit.solve([None] if joint else positive, starts)
    elif fits_by_parts(data.X, settings.solver):
        parts = LocalParts(data.X, data.codes, data.weights)
        totals = np.bincount(data.codes, data.weights, minlength=n_classes)[:n_classes].astype(float)
        fit = PartitionedFit(parts, parts.sample(n_classes, settings.seed), loss, None, n_classes, totals, settings)
        yield lambda positive, starts: fit.solve([None] if joint else positive, starts)
    else:
        with design_matrix(data.X, settings.n_jobs) as matrix:
            rows = matrix, loss, data.codes, data.weights, n_classes, settings
            if joint:
                yield lambda _, starts: iter([fit_jointly(*rows, starts[0])])
            else:
                yield OneVsRest(*rows).solve


def unusable(estimator: Any, data: Data | CollectionData) -> ValueError:
    """The error for data whose computation overflows."""
    if isinstance(data, CollectionData):
        return overflow_error(data.largest, data.totals @ data.class_weights, estimator.C, data.shape[0])
    return unusable_data(estimator, data.X, data.weights, estimator.C)
