"""Conjugate gradients with the Kronecker product, run in one compiled loop where there is little data."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..kernels import joint_solve as kernel
from ..objective import JointObjective
from .conjugate_gradients import Loop
from .kronecker import Kronecker

_ENTRIES, _COLUMNS, _CLASSES = 1 << 18, 512, 128
"""Stored entries of X up to which a pass is one thread's work; columns and classes up to which products need no BLAS.
Python takes 25 to 35 µs for a product and the preconditioner, as long as 20,000 rows · columns · classes."""


def compiled_loop(objective: JointObjective, curvature: Any, kronecker: Kronecker) -> Loop | None:
    """Conjugate gradients for a curvature; None where there is no such loop for an objective."""
    passes, rows = objective.passes, curvature.kept
    (_, d), k = objective.matrix.shape, objective.n_outputs
    small = objective.matrix.entries < _ENTRIES and d <= _COLUMNS and k <= _CLASSES
    parts = kronecker.parts() if small and rows is not None and not passes.by_column else None
    if parts is None:
        return None
    centre = np.zeros(d) if curvature.centre is None else curvature.centre
    weights = np.ascontiguousarray(kronecker.penalty)

    def loop(r: np.ndarray, left: float, miss: float, most: int) -> tuple[np.ndarray, np.ndarray]:
        vectors, in_b = np.empty((5, k, d)), np.empty((6, k))
        vectors[kernel.LEFT], in_b[kernel.LEFT] = objective.by_class(r), objective.b(r)
        stored: Any = objective.matrix.rows
        chunk_rows, block_rows, work = passes.alone
        kronecker.calls = kernel.solve_joint(
            stored["forward_all"], stored["backward_all"], passes.codes, rows.q, rows.slopes, rows.curvatures, centre,
            objective.fit_intercept, weights, chunk_rows, block_rows, *parts, left, miss, most, vectors, in_b,
            np.empty((2, k, d)), work,
        )  # fmt: skip
        found = [objective.theta(vectors[i], in_b[i]) for i in (kernel.STEP, kernel.LEFT)]
        return found[0], found[1]

    return loop
