"""Coordinate descent and products with the Hessian of many classes, column by column of X.

With the softmax q over the other classes of a row, −σ and c its first and second derivative of the loss by the margin,
the Hessian in the changes δ_k of its decision values is that of

    ½ (σ Σ_k q_k (δ_k − δ̄)² + c (δ_y − δ̄)²),   δ̄ = Σ_k q_k δ_k,

which is diagonal but for δ̄: with it and δ_y at hand, descent in one class meets the whole Hessian at the price of that
of two classes. Changes δ are of shape (K, n). Entries of W are lists of columns, one class after the other: class k has
those from ``first[k]`` to ``first[k + 1]``. Indices are unsigned, as in :mod:`.sparse_columns`.
"""

from __future__ import annotations

from .cache import inner, kernel

_SUMS = {"fastmath": {"contract", "reassoc", "nsz"}}


@inner(**_SUMS)
def _enter(k, codes, q, slopes, curvatures, change, mean, own, rows):
    """Of each row, what the Hessian has for class k by itself, and what δ_k would be if that made its gradient."""
    for i in range(codes.size):
        lead = own[i] - mean[i]
        if codes[i] == k:
            rows[i, 0], rows[i, 1] = curvatures[i], lead
        else:
            bend = curvatures[i] * q[k, i] - slopes[i] * (1.0 - q[k, i])
            pull = -slopes[i] * (change[k, i] - mean[i]) - curvatures[i] * lead
            rows[i, 0], rows[i, 1] = q[k, i] * bend, pull / bend if bend > 0.0 else 0.0


@inner(**_SUMS)
def _leave(k, codes, q, before, rows, change, mean, own):
    """δ_k moves as the second of ``rows`` did."""
    for i in range(codes.size):
        d = rows[i, 1] - before[i]
        change[k, i] += d
        if codes[i] == k:
            own[i] += d
        else:
            mean[i] += q[k, i] * d


@inner(**_SUMS)
def _sums(rows):
    """Σ of the curvatures, and of their products with the second of ``rows``."""
    curved, pull = 0.0, 0.0
    for i in range(rows.shape[0]):
        curved += rows[i, 0]
        pull += rows[i, 0] * rows[i, 1]
    return curved, pull


@inner(**_SUMS)
def _squares(data, indices, start, stop, rows):
    total = 0.0
    for p in range(start, stop):
        total += data[p] * data[p] * rows[indices[p], 0]
    return total


@inner(**_SUMS)
def _along(data, indices, start, stop, rows):
    total = 0.0
    for p in range(start, stop):
        i = indices[p]
        total += data[p] * rows[i, 0] * rows[i, 1]
    return total


@kernel(**_SUMS)
def descend_jointly(
    data, indices, indptr, columns, first, codes, q, slopes, curvatures, pull, in_b, scale, beside, start, u, shift,
    kink, lower, upper, damping, change, mean, own, rows, before, accuracy, most,
):  # fmt: skip
    """Some rounds over the entries, class after class, in place: all that changes goes on from where it is.

    Parameters
    ----------
    data, indices, indptr : ndarray
        X by columns.
    columns, first : ndarray
        The entries.
    codes, q, slopes, curvatures : ndarray
        Class of each row, its softmax (K, n), and C s φ' and C s φ''.
    pull, scale, beside, start, u, kink, lower, upper : ndarray
        Of each entry: the gradient at the start; space for the diagonal of the Hessian, and what it has beside the
        columns; where the model was made; its value; the weight of its magnitude; its bounds.
    in_b, shift : ndarray of shape (K,)
        The derivatives in the intercepts, and their changes; in_b is empty where they are not free.
    damping : float
        Added to the diagonal of the intercepts.
    change, mean, own : ndarray of shape (K, n), (n,) and (n,)
        δ, δ̄ and δ_y.
    rows, before : ndarray of shape (n, 2) and (n,)
        Work space.
    accuracy, most : float, int
        As of :func:`~.column_descent.descend_by_columns`.

    Returns
    -------
    worst : float
        The largest move of the last round.
    changed : int
        Entries that changed their sign in it, or are zero and were not, or the other way round.
    """
    worst, changed = 0.0, 0
    for done in range(most):
        everything = done == 0 or done == most - 1
        worst, changed = 0.0, 0
        for k in range(first.size - 1):
            _enter(k, codes, q, slopes, curvatures, change, mean, own, rows)
            for i in range(codes.size):
                before[i] = rows[i, 1]
            if in_b.size > 0:
                curved, total = _sums(rows)
                if curved > 0.0:
                    d = -(total + in_b[k] + damping * shift[k]) / (curved + damping)
                    shift[k] += d
                    for i in range(codes.size):
                        rows[i, 1] += d
            for e in range(first[k], first[k + 1]):
                if not everything and u[e] == 0.0 and kink[e] > 0.0:
                    continue
                begin, end = indptr[columns[e]], indptr[columns[e] + 1]
                if done == 0:
                    scale[e] = _squares(data, indices, begin, end, rows) + beside[e] + 1e-300
                total = pull[e] + _along(data, indices, begin, end, rows) + beside[e] * (u[e] - start[e])
                v = scale[e] * u[e] - total
                x = v - kink[e] if v > kink[e] else (v + kink[e] if v < -kink[e] else 0.0)
                x = min(max(x / scale[e], lower[e]), upper[e])
                d = x - u[e]
                if d != 0.0:
                    changed += (x > 0.0) != (u[e] > 0.0) or (x < 0.0) != (u[e] < 0.0)
                    u[e] = x
                    worst = max(worst, abs(d) * scale[e] / (kink[e] if kink[e] > 0.0 else scale[e]))
                    for p in range(begin, end):
                        rows[indices[p], 1] += d * data[p]
            _leave(k, codes, q, before, rows, change, mean, own)
        if everything and worst <= accuracy:
            break
    return worst, changed


@inner(**_SUMS)
def _bend(codes, q, slopes, curvatures, change, mean, own):
    """The Hessian of each row times its change, in place."""
    for i in range(codes.size):
        mean[i] = 0.0
        own[i] = change[codes[i], i]
    for k in range(q.shape[0]):
        for i in range(codes.size):
            mean[i] += q[k, i] * change[k, i]
    for k in range(q.shape[0]):
        for i in range(codes.size):
            lead = curvatures[i] * (own[i] - mean[i])
            other = -q[k, i] * (slopes[i] * (change[k, i] - mean[i]) + lead)
            change[k, i] = lead if codes[i] == k else other


@inner(**_SUMS)
def _dot(data, indices, start, stop, values):
    total = 0.0
    for p in range(start, stop):
        total += data[p] * values[indices[p]]
    return total


@inner(**_SUMS)
def _sum(values):
    total = 0.0
    for i in range(values.size):
        total += values[i]
    return total


@kernel(**_SUMS)
def decisions_jointly(data, indices, indptr, columns, first, p, p_b, change):
    """Fill ``change`` with X p_k + p_b,k of each class; without intercepts ``p_b`` is of zeros."""
    for k in range(p_b.size):
        for i in range(change.shape[1]):
            change[k, i] = p_b[k]
        for e in range(first[k], first[k + 1]):
            for s in range(indptr[columns[e]], indptr[columns[e] + 1]):
                change[k, indices[s]] += p[e] * data[s]


@kernel(**_SUMS)
def gradient_jointly(
    data, indices, indptr, columns, first, codes, q, slopes, curvatures, change, mean, own, found, found_b
):
    """The gradient of the model's squares at changes, which are overwritten: Xᵀ(H δ) of each entry, and Σ H δ."""
    _bend(codes, q, slopes, curvatures, change, mean, own)
    for k in range(found_b.size):
        for e in range(first[k], first[k + 1]):
            found[e] = _dot(data, indices, indptr[columns[e]], indptr[columns[e] + 1], change[k])
        found_b[k] = _sum(change[k])
