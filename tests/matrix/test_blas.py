"""Products that are added to a total in place, for every order and shape."""

import numpy as np
import pytest

from marginclf.matrix.blas import add_product, add_square, mirrored


@pytest.mark.parametrize(("m", "k", "n"), [(1, 1, 1), (1, 5, 3), (7, 1, 3), (7, 5, 1), (6, 4, 130)])
def test_a_product_is_added(m, k, n):
    rng = np.random.default_rng(0)
    left, right, total = rng.normal(size=(m, n)), rng.normal(size=(k, n)), rng.normal(size=(m, k))
    expected = total + left @ right.T
    add_product(total, left, right)
    np.testing.assert_allclose(total, expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("factor", [1.0, -1.0])
@pytest.mark.parametrize(("m", "n"), [(0, 3), (1, 1), (1, 4), (5, 1), (90, 40), (9, 200)])
def test_a_square_is_added(m, n, factor, order):
    rng = np.random.default_rng(1)
    rows = np.asarray(rng.normal(size=(m, n)), order=order)
    start = rng.normal(size=(n, n))
    total = np.tril(start)
    add_square(total, rows, factor)
    whole = mirrored(total)
    np.testing.assert_array_equal(whole, whole.T)
    np.testing.assert_allclose(whole, mirrored(start) + factor * rows.T @ rows, rtol=1e-12, atol=1e-12)
