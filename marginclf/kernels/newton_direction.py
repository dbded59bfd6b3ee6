"""The direction of Newton's method for two classes and little data, from a Hessian that follows the rows.

Losses such as the squared hinge are curved alike wherever they are curved: from step to step only the rows that cross
an edge change Σ c x xᵀ, and soon these are few.
"""

from __future__ import annotations

from .cache import inner
from .cholesky import factor, solve
from .gram import GRAM_ROWS, add_gram
from .storage import call_storage

_SUMS = {"fastmath": {"contract", "reassoc", "nsz"}}


@inner(forceinline=True)
def _renewed(c, known):
    """Whether Σ c x xᵀ is better computed anew than from its last value, since many rows are curved otherwise now."""
    curved = changed = 0
    for i in range(c.size):
        curved += c[i] != 0.0
        changed += c[i] != known[i]
    return 2 * changed > curved


@inner(**_SUMS)
def _hessian(copy, c, m, known, centre, gram_work, kept, first):
    """Σ c (x − centre)(x − centre)ᵀ to ``kept``; after the first, by the rows whose c is not as it was, ``known``."""
    n, d, width, anew = c.size, m.size, kept.shape[0], first or _renewed(c, known)
    x, column, weights = gram_work[0], gram_work[1], gram_work[1, width]
    if anew:
        for j in range(d):
            centre[j] = m[j]
        for i in range(width):
            for j in range(width):
                kept[i, j] = 0.0
    start = 0
    while start < n:
        count = min(GRAM_ROWS, n - start)
        if anew:
            call_storage(copy, start, count, 1, centre, x, 0.0, centre, 0)
            for k in range(count):
                weights[k] = c[start + k]
            start += count
        else:
            count = 0
            while start < n and count < GRAM_ROWS:
                if c[start] != known[start]:
                    call_storage(copy, start, 1, 1, centre, column, 0.0, centre, 0)
                    for j in range(d):
                        x[j, count] = column[j, 0]
                    weights[count] = c[start] - known[start]
                    count += 1
                start += 1
        add_gram(weights, 0, count, d, x, gram_work[1], kept)
    for i in range(n):
        known[i] = c[i]


@inner(**_SUMS)
def direction(copy, c, m, g, in_b, weights, known, centre, gram_work, grams, p, curvature, first):
    """p = −(Σ c (x − m)(x − m)ᵀ + λ)⁻¹ (g − m in_b), by Cholesky; whether there is one."""
    d, kept, total = g.size, grams[0], grams[1]
    _hessian(copy, c, m, known, centre, gram_work, kept, first)
    for i in range(d):
        for j in range(i + 1):
            total[i, j] = kept[i, j] - curvature * (m[i] - centre[i]) * (m[j] - centre[j])
        total[i, i] += weights[i]
        p[i] = m[i] * in_b - g[i]
    if not factor(total, d):
        return False
    solve(total, d, p)
    return True
