"""Coordinate descent over groups of coefficients, column by column of X, and products with the Hessian.

The Hessian of a row in the changes δ of its K decision values is, with v = e_y − q,

    σ (diag q − q qᵀ) + c v vᵀ,

q being the softmax over the other classes and −σ and c the first and second derivative of the loss by the margin, as in
:mod:`.joint_column_descent`; of two classes K is 1, q is 0, and it is c. Here all coefficients of a group move at once:
it is the product g = H δ of each row that is kept, of shape (n, K). Entries are the columns of the groups, one after
another, each with its K classes. Indices are unsigned, as in :mod:`.sparse_columns`.
"""

from __future__ import annotations

import math

from .cache import inner, kernel
from .coordinate_descent import _block_step

_SUMS = {"fastmath": {"contract", "reassoc", "nsz"}}


@inner(**_SUMS)
def _mean(q, i, d, e):
    total = 0.0
    for k in range(q.shape[1]):
        total += q[i, k] * d[e + k]
    return total


@inner()
def _bend(codes, q, slopes, curvatures, i, d, e, x, mean, bent):
    """Add x H d to what is kept of a row."""
    y = codes[i]
    lead = x * curvatures[i] * (d[e + y] - mean)
    for k in range(q.shape[1]):
        bent[i, k] -= q[i, k] * (x * slopes[i] * (d[e + k] - mean) + lead)
    bent[i, y] += lead


@inner()
def _gather(data, indices, start, stop, bent, e, found):
    """Add Σ x g of a column to K numbers."""
    for p in range(start, stop):
        for k in range(bent.shape[1]):
            found[e + k] += data[p] * bent[indices[p], k]


@kernel()
def block_scales(data, indices, indptr, columns, starts, codes, q, slopes, curvatures, squares, sums, size, scale):
    """Fill ``squares`` with the diagonal of the Hessian, and ``scale`` with a bound on that of each group.

    The largest sum of magnitudes in a line of a symmetric matrix is no less than its largest eigenvalue.

    Parameters
    ----------
    squares, sums : ndarray of shape (m K,)
        Of each entry; the second is work space.
    size : ndarray of shape (n,)
        Work space, of zeros.
    scale : ndarray of shape (n_blocks,)
        Of each group.
    """
    n_classes = q.shape[1]
    for g in range(scale.size):
        for c in range(starts[g], starts[g + 1]):
            for p in range(indptr[columns[c]], indptr[columns[c] + 1]):
                size[indices[p]] += abs(data[p])
        largest = 0.0
        for c in range(starts[g], starts[g + 1]):
            e = c * n_classes
            for k in range(n_classes):
                squares[e + k] = sums[e + k] = 0.0
            for p in range(indptr[columns[c]], indptr[columns[c] + 1]):
                i = indices[p]
                own = 0.0
                x, y = data[p] * data[p], codes[i]
                for k in range(n_classes):
                    own = max(own, q[i, k])
                whole = 2.0 if own > 0.0 else 1.0  # what the magnitudes of e_y − q add up to
                for k in range(n_classes):
                    lead = 1.0 if k == y else q[i, k]
                    spread = -slopes[i] * q[i, k] * (1.0 - q[i, k])
                    squares[e + k] += x * (spread + curvatures[i] * lead * lead)
                    sums[e + k] += abs(data[p]) * size[i] * (2.0 * spread + curvatures[i] * lead * whole)
            for k in range(n_classes):
                largest = max(largest, sums[e + k])
        scale[g] = largest * (1.0 + 1e-12) + 1e-300
        for c in range(starts[g], starts[g + 1]):
            for p in range(indptr[columns[c]], indptr[columns[c] + 1]):
                size[indices[p]] = 0.0


@kernel()
def descend_by_blocks(
    data, indices, indptr, columns, starts, codes, q, slopes, curvatures, pull, in_b, of_b, scale, damping, start, u,
    shift, kink, lower, upper, bent, v, new, accuracy, most,
):  # fmt: skip
    """Some rounds over the groups, in place: ``u``, ``shift`` and ``bent`` go on from where they are.

    Parameters
    ----------
    data, indices, indptr : ndarray
        X by columns.
    columns, starts : ndarray
        The columns of the groups, and where each group begins.
    codes, q, slopes, curvatures : ndarray
        Class of each row, its softmax (n, K), and C s φ' and C s φ''.
    pull, start, u, lower, upper : ndarray of shape (m K,)
        The gradient at the start, the entries there and now, and their bounds.
    in_b, of_b, shift : ndarray of shape (K,)
        The derivatives in the intercepts, the diagonal of the Hessian there, and their changes; the first is empty
        where they are not free.
    scale, kink : ndarray of shape (n_blocks,)
        A bound on the largest eigenvalue of each group's part of the Hessian, and the weight of its norm.
    damping : float
        Added to the diagonal.
    bent : ndarray of shape (n, K)
        g.
    v, new : ndarray
        Work space, as long as the entries and as K.
    accuracy, most : float, int
        As of :func:`~.column_descent.descend_by_columns`.

    Returns
    -------
    worst : float
        The largest move of the last round, relative to the kink.
    changed : int
        Groups that are zero after it and were not, or the other way round.
    """
    n_classes = q.shape[1]
    worst, changed = 0.0, 0
    for done in range(most):
        everything = done == 0 or done == most - 1
        worst, changed = 0.0, 0
        for k in range(in_b.size):
            if of_b[k] <= 0.0:
                continue
            total = in_b[k] + damping * shift[k]
            for i in range(codes.size):
                total += bent[i, k]
            for other in range(n_classes):
                new[other] = 0.0
            new[k] = -total / (of_b[k] + damping)
            shift[k] += new[k]
            for i in range(codes.size):
                _bend(codes, q, slopes, curvatures, i, new, 0, 1.0, q[i, k] * new[k], bent)
        for g in range(kink.size):
            first, last = starts[g] * n_classes, starts[g + 1] * n_classes
            was = False
            for e in range(first, last):
                was = was or u[e] != 0.0
            if not (everything or was or kink[g] == 0.0):
                continue
            for e in range(first, last):
                v[e] = pull[e] + damping * (u[e] - start[e])
            for c in range(starts[g], starts[g + 1]):
                _gather(data, indices, indptr[columns[c]], indptr[columns[c] + 1], bent, c * n_classes, v)
            whole = scale[g] + damping
            for e in range(first, last):
                v[e] = whole * u[e] - v[e]
            _block_step(v, first, last, whole, kink[g], lower, upper, v)
            now, moved = False, 0.0
            for e in range(first, last):
                now = now or v[e] != 0.0
                moved += (v[e] - u[e]) ** 2
            changed += now != was
            if moved == 0.0:
                continue
            worst = max(worst, math.sqrt(moved) * (whole / kink[g] if kink[g] > 0.0 else 1.0))
            for e in range(first, last):
                x = v[e]
                v[e] = x - u[e]
                u[e] = x
            for c in range(starts[g], starts[g + 1]):
                e = c * n_classes
                for p in range(indptr[columns[c]], indptr[columns[c] + 1]):
                    i = indices[p]
                    _bend(codes, q, slopes, curvatures, i, v, e, data[p], _mean(q, i, v, e), bent)
        if everything and worst <= accuracy:
            break
    return worst, changed


@kernel()
def decisions_of_blocks(data, indices, indptr, columns, p, p_b, change):
    """Fill ``change`` with X p + p_b, of shape (n, K)."""
    n_classes = change.shape[1]
    for i in range(change.shape[0]):
        for k in range(n_classes):
            change[i, k] = p_b[k]
    for c in range(columns.size):
        e = c * n_classes
        for s in range(indptr[columns[c]], indptr[columns[c] + 1]):
            for k in range(n_classes):
                change[indices[s], k] += data[s] * p[e + k]


@kernel()
def bend_rows(codes, q, slopes, curvatures, change, bent, found_b):
    """Fill ``bent`` with H δ of each row, and ``found_b`` with their sum."""
    n_classes = q.shape[1]
    for k in range(n_classes):
        found_b[k] = 0.0
    for i in range(codes.size):
        for k in range(n_classes):
            bent[i, k] = 0.0
        _bend(codes, q, slopes, curvatures, i, change[i], 0, 1.0, _mean(q, i, change[i], 0), bent)
        for k in range(n_classes):
            found_b[k] += bent[i, k]


@kernel()
def along_blocks(data, indices, indptr, columns, bent, found):
    """Fill ``found`` with Xᵀ g of each entry."""
    for e in range(found.size):
        found[e] = 0.0
    for c in range(columns.size):
        _gather(data, indices, indptr[columns[c]], indptr[columns[c] + 1], bent, c * bent.shape[1], found)
