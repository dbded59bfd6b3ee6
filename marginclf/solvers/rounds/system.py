"""The Newton step from a Hessian that a round has brought."""

from __future__ import annotations

import numpy as np
from scipy.linalg import eigh, lapack

_DEPENDENT = 1e-6
_SMALLEST_EIGENVALUE = 1e-12


def solved(hessian: np.ndarray, right: np.ndarray, *, strict: bool) -> np.ndarray:
    """H⁻¹ times a vector, by Cholesky; by magnitudes of the eigenvalues where H is not positive definite."""
    scale = np.sqrt(np.abs(hessian.diagonal()))
    scale[scale == 0.0] = 1.0
    scaled = hessian / scale / scale[:, None]
    factor, solution, info = lapack.dposv(scaled, right / scale, lower=True)
    if info == 0 and (not strict or factor.diagonal().min() > _DEPENDENT):
        return solution / scale
    values, vectors = eigh(scaled)
    magnitudes = np.abs(values)
    part = vectors.T @ (right / scale)
    flat = magnitudes < _SMALLEST_EIGENVALUE * (magnitudes.max() or 1.0)
    # A true slope without curvature leads far, until the line search stops it; one that is rounding leads nowhere.
    part[flat & (np.abs(part) <= 1e-12 * np.abs(part).max(initial=0.0))] = 0.0
    magnitudes[flat] = _SMALLEST_EIGENVALUE * (magnitudes.max() or 1.0)
    return (vectors @ (part / magnitudes)) / scale
