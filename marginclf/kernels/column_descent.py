"""Coordinate descent on a quadratic model whose Hessian is too large to be written down: column by column of X.

The model is that of :mod:`.coordinate_descent` with H = Xᵀ diag(c) X for single entries; in place of H δ it keeps the
change X δ + δ_b of the decision values.
"""

from __future__ import annotations

from .cache import kernel

_QUIET = 5
"""Rounds over the entries that are not zero before all are looked at again."""


@kernel(fastmath={"contract", "reassoc", "nsz"})
def curvatures(data, indices, indptr, c, found):
    """Fill ``found`` with Σ_i c_i x_ij² of each column."""
    for j in range(found.size):
        total = 0.0
        for p in range(indptr[j], indptr[j + 1]):
            total += c[indices[p]] * data[p] * data[p]
        found[j] = total


@kernel(fastmath={"contract", "reassoc", "nsz"})
def minimise_by_columns(
    data, indices, indptr, c, q, scale, beside, slope, start, u, change, kink, lower, upper, accuracy, most
):
    """Minimise the model in place: ``u`` becomes its minimum, ``change`` that of the decision values.

    Parameters
    ----------
    data, indices, indptr : ndarray
        X by columns.
    c : ndarray of shape (n,)
        Curvature of each row.
    q, scale, beside, kink, lower, upper, u : ndarray of shape (d,)
        The gradient at the start; the diagonal of the Hessian, and what it has beside the columns; the weights of the
        magnitudes; the bounds; the entries.
    start : ndarray of shape (d,)
        The entries where the model was made.
    slope : ndarray of shape (2,)
        The derivative in the intercept and Σ c; zeros where it is not free.
    change : ndarray of shape (n,)
        Zeros.
    accuracy : float
        The largest move of a last round, relative to the kink.
    most : int
        The largest number of rounds.

    Returns
    -------
    float
        The change of the intercept.
    """
    shift, everything, quiet = 0.0, True, 0
    for _ in range(most):
        worst = 0.0
        if slope[1] > 0.0:
            total = slope[0]
            for i in range(c.size):
                total += c[i] * change[i]
            d = -total / slope[1]
            shift += d
            for i in range(c.size):
                change[i] += d
        for j in range(u.size):
            if not everything and u[j] == 0.0 and kink[j] > 0.0:
                continue
            total = q[j]
            for p in range(indptr[j], indptr[j + 1]):
                i = indices[p]
                total += data[p] * c[i] * change[i]
            # What the diagonal has beside the columns: squares of the penalty, and damping.
            total += beside[j] * (u[j] - start[j])
            v = scale[j] * u[j] - total
            x = v - kink[j] if v > kink[j] else (v + kink[j] if v < -kink[j] else 0.0)
            x = min(max(x / scale[j], lower[j]), upper[j])
            d = x - u[j]
            if d != 0.0:
                u[j] = x
                worst = max(worst, abs(d) * scale[j] / (kink[j] if kink[j] > 0.0 else scale[j]))
                for p in range(indptr[j], indptr[j + 1]):
                    change[indices[p]] += d * data[p]
        if worst <= accuracy:
            if everything:
                break
            everything, quiet = True, 0
        else:
            quiet += 1
            everything = quiet % _QUIET == 0
    return shift
