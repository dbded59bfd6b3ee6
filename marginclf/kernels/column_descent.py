"""Coordinate descent on a quadratic model whose Hessian is too large to be written down: column by column of X.

The model is that of :mod:`.coordinate_descent` with H = Xᵀ diag(c) X for single entries; in place of H δ it keeps the
change √c (X δ + δ_b) of the decision values. X comes scaled by √c, so that an entry meets one number of its row and not
two. Indices are unsigned, as in :mod:`.sparse_columns`.
"""

from __future__ import annotations

from .cache import kernel

_SUMS = {"fastmath": {"contract", "reassoc", "nsz"}}


@kernel()
def scale_columns(data, indices, indptr, root, scaled):
    """Fill ``scaled`` with root_i x_ij."""
    for p in range(indptr[indptr.size - 1]):
        scaled[p] = root[indices[p]] * data[p]


@kernel(**_SUMS)
def squared_columns(data, indptr, found):
    """Fill ``found`` with Σ_i x_ij² of each column."""
    for j in range(found.size):
        total = 0.0
        for p in range(indptr[j], indptr[j + 1]):
            total += data[p] * data[p]
        found[j] = total


@kernel(**_SUMS)
def along_columns(data, indices, indptr, members, change, found):
    """Fill ``found`` with x_j · change of some of the columns."""
    for k in range(members.size):
        j = members[k]
        total = 0.0
        for p in range(indptr[j], indptr[j + 1]):
            total += data[p] * change[indices[p]]
        found[k] = total


@kernel(**_SUMS)
def descend_by_columns(
    data, indices, indptr, root, q, scale, beside, slope, start, u, change, kink, lower, upper, accuracy, most
):
    """Some rounds over the entries, in place: ``u`` and ``change`` go on from where they are.

    Parameters
    ----------
    data, indices, indptr : ndarray
        X by columns, scaled by ``root``.
    root : ndarray of shape (n,)
        Square root of the curvature of each row.
    q, scale, beside, kink, lower, upper, u : ndarray of shape (d,)
        The gradient at the start; the diagonal of the Hessian, and what it has beside the columns; the weights of the
        magnitudes; the bounds; the entries.
    start : ndarray of shape (d,)
        The entries where the model was made.
    slope : ndarray of shape (2,)
        The derivative in the intercept and Σ c; zeros where it is not free.
    change : ndarray of shape (n,)
        √c (X δ + δ_b).
    accuracy : float
        The largest move of a last round, relative to the kink.
    most : int
        The largest number of rounds. The first and the last one are over all entries, others over those that are not
        zero.

    Returns
    -------
    shift : float
        The change of the intercept.
    worst : float
        The largest move of the last round.
    changed : int
        Entries that changed their sign in it, or are zero and were not, or the other way round.
    """
    shift, worst, changed = 0.0, 0.0, 0
    for done in range(most):
        everything = done == 0 or done == most - 1
        worst, changed = 0.0, 0
        if slope[1] > 0.0:
            total = slope[0]
            for i in range(root.size):
                total += root[i] * change[i]
            d = -total / slope[1]
            shift += d
            for i in range(root.size):
                change[i] += d * root[i]
        for j in range(u.size):
            if not everything and u[j] == 0.0 and kink[j] > 0.0:
                continue
            total = q[j]
            for p in range(indptr[j], indptr[j + 1]):
                total += data[p] * change[indices[p]]
            # What the diagonal has beside the columns: squares of the penalty, and damping.
            total += beside[j] * (u[j] - start[j])
            v = scale[j] * u[j] - total
            x = v - kink[j] if v > kink[j] else (v + kink[j] if v < -kink[j] else 0.0)
            x = min(max(x / scale[j], lower[j]), upper[j])
            d = x - u[j]
            if d != 0.0:
                changed += (x > 0.0) != (u[j] > 0.0) or (x < 0.0) != (u[j] < 0.0)
                u[j] = x
                worst = max(worst, abs(d) * scale[j] / (kink[j] if kink[j] > 0.0 else scale[j]))
                for p in range(indptr[j], indptr[j + 1]):
                    change[indices[p]] += d * data[p]
        if everything and worst <= accuracy:
            break
    return shift, worst, changed
