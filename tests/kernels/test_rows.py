"""The passes over the rows, for every storage, against plain NumPy formulas."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from references import LOSSES, usually
from storages import SLOW, STORAGES, storages

from marginclf.kernels import rows as passes
from marginclf.kernels.block import BLOCK_ROWS, scratch
from marginclf.losses import Exponential, Logistic, SquaredHinge, Tangent
from marginclf.matrix import design_matrix

EVERY_STORAGE = pytest.mark.parametrize("storage", storages())

# Around what is unrolled (4 rows), the block (256 rows) and the chunks below.
SIZES = [(n, d) for n in (1, 3, 4, 5, 255, 256, 257, 1000) for d in (1, 2, 7, 30)]


def stored(storage, X):
    """The rows of X as the passes take them; the arrays live as long as this."""
    return design_matrix(storage(X.copy())).rows


class Problem:
    """Rows, labels and weights, some of them empty or zero. float32 holds X exactly."""

    def __init__(self, n, d, seed=0):
        rng = np.random.default_rng([seed, n, d])
        self.X = np.float32(rng.normal(size=(n, d))).astype(np.float64)
        self.X[rng.random((n, d)) < 0.4] = 0.0
        self.X[rng.random(n) < 0.1] = 0.0
        self.v = rng.choice([-1.0, 1.0], n) * rng.uniform(0.1, 2.0, n)
        self.v[rng.random(n) < 0.1] = 0.0
        self.w = rng.normal(size=d)
        self.b = 0.3
        self.r = rng.normal(size=n)
        self.r[rng.random(n) < 0.1] = 0.0


def chunks_of(n, chunk_rows):
    return -(-n // chunk_rows)


def evaluate(rows, p, loss, chunk_rows=1000, block_rows=BLOCK_ROWS, split=False, chunks=None):
    address, parameters, _keep = loss.compiled()
    chunks = chunks or chunks_of(p.v.size, chunk_rows)
    # NaN, so that a number that is only added to, or never written, shows.
    sums, gradients, work = np.full((chunks, 3), np.nan), np.full((chunks, p.w.size), np.nan), scratch(chunks)
    work[:] = np.nan
    for first, last in [(k, k + 1) for k in range(chunks)] if split else [(0, chunks)]:
        layout = first, last, chunk_rows, block_rows
        passes.evaluate(
            rows["forward"], rows["backward"], p.v, p.w, p.b, address, parameters, *layout, work, sums, gradients
        )
    return sums, gradients


def expected(p, loss):
    """The sums of C s φ, C s y φ' and C s φ'', then Σ C s y φ' x; and the same of magnitudes, for tolerances."""
    y = np.where(p.v < 0.0, -1.0, 1.0)
    values, slopes, curvatures = loss.evaluate(y * (p.X @ p.w + p.b))
    keep = p.v != 0.0
    weights = np.abs(p.v[keep])
    terms = np.stack([weights * values[keep], p.v[keep] * slopes[keep], weights * curvatures[keep]])
    X, slope = p.X[keep], terms[1]
    return (terms.sum(axis=1), X.T @ slope), (np.abs(terms).sum(axis=1), np.abs(X).T @ np.abs(slope))


@EVERY_STORAGE
def test_evaluate_at_every_size(storage):
    for n, d in SIZES:
        p = Problem(n, d)
        rows = stored(storage, p.X)
        sums, gradients = evaluate(rows, p, Logistic(), chunk_rows=300)
        (totals, gradient), (scales, gradient_scale) = expected(p, Logistic())
        assert (np.abs(sums.sum(axis=0) - totals) <= 1e-13 * scales).all(), (n, d)
        assert (np.abs(gradients.sum(axis=0) - gradient) <= 1e-13 * gradient_scale).all(), (n, d)


@pytest.mark.parametrize("loss", usually(LOSSES))
def test_evaluate_every_loss(loss):
    p = Problem(301, 7)
    sums, gradients = evaluate(stored(STORAGES["C"], p.X), p, loss)
    (totals, gradient), (scales, gradient_scale) = expected(p, loss)
    # The margins differ in their last bits from those of NumPy; a gamma of 1e-3 makes that 1e3 times larger.
    assert (np.abs(sums[0] - totals) <= 1e-11 * scales).all()
    assert (np.abs(gradients[0] - gradient) <= 1e-11 * gradient_scale).all()


@EVERY_STORAGE
@pytest.mark.parametrize("chunk_rows", [256, 300, 1000])
def test_chunks_alone_or_together_are_the_same_bits(storage, chunk_rows):
    p = Problem(1000, 7)
    rows = stored(storage, p.X)
    together = evaluate(rows, p, Tangent(), chunk_rows)
    alone = evaluate(rows, p, Tangent(), chunk_rows, split=True)
    for a, b in zip(together, alone, strict=True):
        assert a.tobytes() == b.tobytes()


@EVERY_STORAGE
def test_products(storage):
    for n, d in SIZES:
        p = Problem(n, d)
        rows = stored(storage, p.X)
        chunk_rows, chunks = 300, chunks_of(n, 300)
        z, z_split = np.full((2, n), np.nan)
        passes.product(rows["forward"], p.w, 0, chunks, chunk_rows, BLOCK_ROWS, z)
        for k in range(chunks):
            passes.product(rows["forward"], p.w, k, k + 1, chunk_rows, BLOCK_ROWS, z_split)
        np.testing.assert_array_equal(z, z_split)
        assert (np.abs(z - p.X @ p.w) <= 1e-14 * (np.abs(p.X) @ np.abs(p.w))).all(), (n, d)
        for name, power in (("backward", 1), ("squares", 2)):
            gradients, split = np.full((2, chunks, d), np.nan)
            passes.transposed_product(rows[name], p.r, 0, chunks, chunk_rows, BLOCK_ROWS, gradients)
            for k in range(chunks):
                passes.transposed_product(rows[name], p.r, k, k + 1, chunk_rows, BLOCK_ROWS, split)
            np.testing.assert_array_equal(gradients, split)
            scale = np.abs(p.X.T) ** power @ np.abs(p.r)
            difference = gradients.sum(axis=0) - (p.X.T**power) @ p.r
            assert (np.abs(difference) <= 1e-14 * scale).all(), (name, n, d)


@pytest.mark.parametrize(
    "storage",
    [case for case in storages() if case.id.endswith("32")],
)
def test_squares_of_float32_do_not_overflow(storage):
    X = np.array([[1e30, 1e-30], [0.0, 3e38]])
    rows, gradients = stored(storage, X), np.empty((1, 2))
    passes.transposed_product(rows["squares"], np.ones(2), 0, 1, 2, BLOCK_ROWS, gradients)
    squares = X.astype(np.float32).astype(np.float64) ** 2
    np.testing.assert_allclose(gradients[0], squares.sum(axis=0), rtol=1e-15)


@EVERY_STORAGE
def test_hessian_product(storage):
    for n, d in SIZES:
        p = Problem(n, d)
        rows, chunks = stored(storage, p.X), chunks_of(n, 300)
        sums, gradients, work = np.full((chunks, 3), np.nan), np.full((chunks, d), np.nan), scratch(chunks)
        for k in range(chunks):
            layout = k, k + 1, 300, 64
            passes.hessian_product(rows["forward"], rows["backward"], p.r, p.w, 0.7, *layout, work, sums, gradients)
        u = p.r * (p.X @ p.w + 0.7)
        size = np.abs(p.r) * (np.abs(p.X) @ np.abs(p.w) + 0.7)
        assert abs(sums[:, 0].sum() - u.sum()) <= 1e-14 * size.sum(), (n, d)
        assert (np.abs(gradients.sum(axis=0) - p.X.T @ u) <= 1e-14 * (np.abs(p.X).T @ size)).all(), (n, d)


@EVERY_STORAGE
@pytest.mark.parametrize("block_rows", [1, 4, 100, 256])
def test_the_block_size_changes_only_rounding(storage, block_rows):
    p = Problem(257, 7)
    rows = stored(storage, p.X)
    (sums, gradients), (reference_sums, reference_gradients) = (
        evaluate(rows, p, SquaredHinge(), 257, size) for size in (block_rows, BLOCK_ROWS)
    )
    np.testing.assert_allclose(sums, reference_sums, rtol=1e-13)
    np.testing.assert_allclose(gradients, reference_gradients, rtol=1e-12)


@EVERY_STORAGE
def test_a_row_of_weight_zero_is_not_there_even_if_its_loss_overflows(storage):
    p = Problem(40, 7)
    p.v[:3] = 0.0
    p.X[:3] = -1e4 * np.sign(p.w)  # margins of −2e4: e^−m, e^m and their products are infinite there
    sums, gradients = evaluate(stored(storage, p.X), p, Exponential())
    p.X, p.v = p.X[3:], p.v[3:]
    totals, gradient = expected(p, Exponential())[0]
    np.testing.assert_allclose(sums[0], totals, rtol=1e-12)
    np.testing.assert_allclose(gradients[0], gradient, rtol=1e-12, atol=1e-12)


def test_pointwise_with_rows_of_weight_zero_whose_loss_overflows():
    address, parameters, _keep = Exponential().compiled()
    z, v = np.array([-1e4, 0.5, -1e4]), np.array([0.0, -2.0, 0.0])
    sums, r, c = np.empty((1, 3)), np.empty(3), np.empty(3)
    passes.pointwise(z, v, 0.0, address, parameters, 0, 1, 3, scratch(), sums, r, c)
    e = 2.0 * np.exp(0.5)
    for found, wanted in ((sums[0], [e, e, e]), (r, [0.0, e, 0.0]), (c, [0.0, e, 0.0])):
        np.testing.assert_allclose(found, wanted, rtol=1e-15)


def test_pointwise():
    for n in (1, 4, 255, 256, 257, 1000):
        p = Problem(n, 2)
        loss, chunk_rows, chunks = Tangent(), 300, chunks_of(n, 300)
        address, parameters, _keep = loss.compiled()
        z = p.X @ p.w
        z.flags.writeable = False
        results = []
        for calls in ([(0, chunks)], [(k, k + 1) for k in range(chunks)]):
            sums, r, c = np.full((chunks, 3), np.nan), np.full(n, np.nan), np.full(n, np.nan)
            for first, last in calls:
                layout = first, last, chunk_rows
                passes.pointwise(z, p.v, p.b, address, parameters, *layout, scratch(chunks), sums, r, c)
            results.append(b"".join(a.tobytes() for a in (sums, r, c)))
        assert results[0] == results[1]
        y = np.where(p.v < 0.0, -1.0, 1.0)
        values, slopes, curvatures = loss.evaluate(y * (z + p.b))
        np.testing.assert_allclose(r, p.v * slopes, rtol=1e-15)
        np.testing.assert_allclose(c, np.abs(p.v) * curvatures, rtol=1e-15)
        totals = (np.abs(p.v) * values).sum(), r.sum(), c.sum()
        np.testing.assert_allclose(sums.sum(axis=0), totals, rtol=1e-12, atol=1e-12)


@settings(max_examples=60, deadline=None, derandomize=True, database=None)
@given(
    storage=st.sampled_from([name for name in STORAGES if name not in SLOW]),
    n=st.integers(1, 40),
    d=st.integers(1, 9),
    chunk_rows=st.integers(1, 50),
    seed=st.integers(0, 1000),
)
def test_gradient_and_products_agree_with_each_other(storage, n, d, chunk_rows, seed):
    p = Problem(n, d, seed)
    rows = stored(STORAGES[storage], p.X)
    chunks = chunks_of(n, chunk_rows)
    sums, gradients = evaluate(rows, p, Logistic(), chunk_rows)
    # The same by three passes: product, pointwise, transposed product.
    address, parameters, _keep = Logistic().compiled()
    z, r, c = np.empty((3, n))
    apart, sums_apart = np.empty((chunks, d)), np.empty((chunks, 3))
    layout = 0, chunks, chunk_rows
    passes.product(rows["forward"], p.w, *layout, BLOCK_ROWS, z)
    passes.pointwise(z, p.v, p.b, address, parameters, *layout, scratch(chunks), sums_apart, r, c)
    passes.transposed_product(rows["backward"], r, 0, chunks, chunk_rows, BLOCK_ROWS, apart)
    np.testing.assert_allclose(sums, sums_apart, rtol=1e-13, atol=1e-13)
    np.testing.assert_allclose(gradients, apart, rtol=1e-13, atol=1e-13)
    assert (c[p.v == 0.0] == 0.0).all()
    assert (c >= 0.0).all()


@EVERY_STORAGE
def test_chunks_without_rows_and_matrices_without_columns(storage):
    nothing = Problem(0, 3)
    nothing_sums, nothing_gradients = evaluate(stored(storage, nothing.X), nothing, Logistic(), chunks=2)
    assert (nothing_sums == 0.0).all()
    assert (nothing_gradients == 0.0).all()
    narrow = Problem(5, 0)
    sums, gradients = evaluate(stored(storage, narrow.X), narrow, Logistic())
    np.testing.assert_allclose(sums[0], expected(narrow, Logistic())[0][0], rtol=1e-14)
    assert gradients.shape == (1, 0)
