"""The fused pass for several columns of coefficients at once: each row is read once for all of them."""

from __future__ import annotations

import numpy as np

from .block import BLOCK_ROWS, apply_block
from .cache import kernel
from .storage import call_storage, work_rows
from .view import part_of


def classes_scratch(n_classes: int, block_rows: int) -> np.ndarray:
    """Work space of one thread: decision values and slopes of each class; three vectors; what the storage needs."""
    return np.empty((2 * n_classes + 3 + work_rows(n_classes), max(BLOCK_ROWS, block_rows)))


@kernel(fastmath={"contract", "reassoc", "nsz"})
def evaluate_all(
    forward,
    backward,
    codes,
    weights,
    positive,
    w,
    b,
    address,
    parameters,
    first,
    last,
    chunk_rows,
    block_rows,
    work,
    sums,
    gradients,
):
    """Value and gradient of several problems of one class against the rest, in one pass.

    Problem k takes class ``positive[k]`` for y = 1. ``weights`` is C s, of length 1 where it is the same for all rows.
    Per chunk and problem, the sums of :func:`rows.evaluate` to ``sums`` and gradients to ``gradients``.
    """
    n, n_classes = codes.size, w.shape[0]
    z, r = part_of(work, 0, n_classes), part_of(work, n_classes, n_classes)
    v, values, curvatures = work[2 * n_classes], work[2 * n_classes + 1], work[2 * n_classes + 2]
    line = work[2 * n_classes + 3]
    for chunk in range(first, last):
        for k in range(n_classes):
            for j in range(w.shape[1]):
                gradients[chunk, k, j] = 0.0
            sums[chunk, k, 0] = sums[chunk, k, 1] = sums[chunk, k, 2] = 0.0
        stop = min((chunk + 1) * chunk_rows, n)
        for start in range(chunk * chunk_rows, stop, block_rows):
            size = min(block_rows, stop - start)
            call_storage(forward, start, size, n_classes, w, z, b, line, 0)
            for k in range(n_classes):
                for i in range(size):
                    weight = weights[start + i] if weights.size > 1 else weights[0]
                    v[i] = weight if codes[start + i] == positive[k] else -weight
                apply_block(address, parameters, z[k], v, values, r[k], curvatures, size)
                value = slope = curvature = 0.0
                for i in range(size):
                    value += values[i]
                    slope += r[k, i]
                    curvature += curvatures[i]
                sums[chunk, k, 0] += value
                sums[chunk, k, 1] += slope
                sums[chunk, k, 2] += curvature
            call_storage(backward, start, size, n_classes, r, gradients[chunk], b, line, size)
