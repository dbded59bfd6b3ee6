"""The passes of the joint margin, and the derivatives that the solvers take from them."""

import numpy as np
import pytest
from references import JOINT, mp, reference
from scipy import sparse
from storages import SLOW, STORAGES, storages

from marginclf.losses import get_loss
from marginclf.matrix import design_matrix
from marginclf.matrix.joint import pairs
from marginclf.objective import L2, JointObjective, curvature

# Fits of float32 are in test_joint.py of the folder above and in test_onnx.py.
STORAGE = pytest.mark.parametrize("kind", storages(slow=(*SLOW, "C-float32")))
# Fewer and more classes than lanes, more rows than a block and than a chunk, short rows and long ones.
SHAPES = pytest.mark.parametrize(("n", "d", "k"), [(50, 3, 3), (300, 7, 5), (1500, 40, 4), (700, 33, 9)])


def problem(kind, n, d, k, loss="logistic", *, weighted=True, n_jobs=1, shifts=None):
    rng = np.random.default_rng([n, d, k])
    X = rng.integers(-3, 4, (n, d)) * (rng.random((n, d)) < 0.6) / 4.0  # the same in float32
    y = rng.integers(0, k, n).astype(np.uint8)
    s = rng.uniform(0.1, 2.0, n) if weighted else np.full(1, 1.5)
    matrix = design_matrix(kind(X), n_jobs)
    objective = JointObjective(matrix, get_loss(loss), y, s, k, penalty=L2(), fit_intercept=True, shifts=shifts)
    theta = objective.theta(rng.normal(size=(k, d)) / np.sqrt(d), rng.normal(size=k))
    return X, y, np.broadcast_to(s, n), objective, theta


def parts(objective, theta):
    """Coefficients (K, d) and intercepts."""
    return objective.by_class(theta), objective.b(theta)


def direction(objective, seed=0):
    rng = np.random.default_rng(seed)
    p = objective.zeros()
    return objective.theta(rng.normal(size=objective.by_class(p).shape), rng.normal(size=objective.n_outputs))


@pytest.mark.parametrize("loss", JOINT)
def test_value_and_gradient_in_many_digits(loss):
    X, y, s, objective, theta = problem(np.asarray, 12, 3, 4, loss)
    W, b = parts(objective, theta)
    w, b = objective.split(theta)
    value, gradient, slope = mp.mpf(0), mp.zeros(4, 3), mp.zeros(4, 1)
    for i in range(12):
        z = [mp.fsum(mp.mpf(W[k, j]) * mp.mpf(X[i, j]) for j in range(3)) + mp.mpf(b[k]) for k in range(4)]
        others = [k for k in range(4) if k != y[i]]
        total = mp.fsum(mp.exp(z[k]) for k in others)
        m = z[y[i]] - mp.log(total)
        piece = reference(loss).piece(m)
        value += mp.mpf(s[i]) * piece.value(m)
        for k in range(4):
            r = mp.mpf(s[i]) * piece.slope(m) * (1 if k == y[i] else -mp.exp(z[k]) / total)
            slope[k] += r
            for j in range(3):
                gradient[k, j] += r * mp.mpf(X[i, j])
    found = objective.passes.evaluate(objective.compiled, w, b)
    np.testing.assert_allclose(found[0], float(value), rtol=1e-13)
    exact = np.array(gradient.tolist(), dtype=float)
    in_w, in_b = parts(objective, found[1])
    np.testing.assert_allclose(in_w, exact, atol=1e-12 * np.abs(exact).max())
    np.testing.assert_allclose(in_b, np.array(slope.tolist(), dtype=float).ravel(), atol=1e-12)


@STORAGE
@SHAPES
@pytest.mark.parametrize("weighted", [True, False])
def test_one_pass_is_the_formula(kind, n, d, k, weighted):
    X, y, s, objective, theta = problem(kind, n, d, k, weighted=weighted)
    w, b = objective.split(theta)
    z = X @ objective.by_class(theta).T + b
    others = np.where(np.arange(k) == y[:, None], -np.inf, z)
    lse = np.logaddexp.reduce(others, axis=1)
    m = z[np.arange(n), y] - lse
    values, slopes, _ = objective.loss.evaluate(m)
    r = -(s * slopes)[:, None] * np.exp(others - lse[:, None])
    r[np.arange(n), y] = s * slopes
    value, gradient = objective.passes.evaluate(objective.compiled, w, b)
    in_w, slope = parts(objective, gradient)
    np.testing.assert_allclose(value, s @ values, rtol=1e-12)
    np.testing.assert_allclose(in_w, r.T @ X, atol=1e-10)
    np.testing.assert_allclose(slope, r.sum(axis=0), atol=1e-10)
    np.testing.assert_allclose(objective.passes.margins(w, b), m, atol=1e-12)
    np.testing.assert_allclose(objective.passes.decisions(w, b, 10, 45), z[10:45].T, atol=1e-12)
    alpha = np.zeros((n, -(-k // 4) * 4))
    alpha[:, :k] = r
    combined = np.append(objective.passes.combination(alpha), np.zeros(k))
    np.testing.assert_allclose(objective.by_class(combined), r.T @ X, atol=1e-10)
    if objective.passes.by_column:
        lanes = gradient[:-k].reshape(objective.passes.shape)[:, k:]
        assert not lanes.any(), "what fills up the lanes stays zero"


# What a storage adds to them is tested by a pass above and by the diagonal below: here, the two forms of coefficients.
@pytest.mark.parametrize("kind", [STORAGES["C"], STORAGES["csr"]], ids=["C", "csr"])
@SHAPES
@pytest.mark.parametrize("loss", ["logistic", "smooth_hinge"])
def test_second_derivatives(kind, n, d, k, loss):
    _, _, _, objective, theta = problem(kind, n, d, k, loss)
    passes, compiled = objective.passes, objective.compiled
    w, b = objective.split(theta)
    p = direction(objective)
    product = passes.hessian_product(compiled, w, b, *objective.split(p))
    # The second derivative of the smooth hinge jumps: the step is so short that few margins cross.
    step = 1e-6
    _, up = passes.evaluate(compiled, *objective.split(theta + step * p))
    _, down = passes.evaluate(compiled, *objective.split(theta - step * p))
    product_w, product_b = parts(objective, product)
    scale = np.abs(product_w).max()
    change_w, change_b = parts(objective, (up - down) / (2.0 * step))
    np.testing.assert_allclose(product_w, change_w, atol=2e-3 * scale)
    np.testing.assert_allclose(product_b, change_b, atol=2e-3 * np.abs(product_b).max())

    unit = objective.zeros()
    objective.by_class(unit)[k - 1, d - 2] = 1.0
    diagonal_w, diagonal_b = parts(objective, passes.diagonal(compiled, w, b))
    column = objective.by_class(passes.hessian_product(compiled, w, b, *objective.split(unit)))
    np.testing.assert_allclose(diagonal_w[k - 1, d - 2], column[k - 1, d - 2], rtol=1e-10)

    _, slope, in_b = passes.intercepts(compiled, w, b)
    np.testing.assert_allclose(slope, objective.b(passes.evaluate(compiled, w, b)[1]), atol=1e-10)
    p_w, p_b = parts(objective, p)
    image = objective.b(passes.hessian_product(compiled, w, b, *objective.split(objective.theta(0.0, p_b))))
    np.testing.assert_allclose(in_b @ p_b, image, atol=1e-10)
    np.testing.assert_allclose(in_b.diagonal(), diagonal_b, atol=1e-10)
    np.testing.assert_allclose(in_b.sum(axis=0), 0.0, atol=1e-10)

    point = objective.evaluate(theta)
    centre = np.linspace(-1.0, 1.0, d)
    whole = objective.hessian(point, centre).reshape(k, d + 1, k, d + 1)
    np.testing.assert_array_equal(whole, whole.transpose(2, 3, 0, 1))
    # In the coordinates of the centred rows, b is what is left of it.
    moved = np.column_stack([p_w, p_b + p_w @ centre])
    image = np.einsum("kilj,lj->ki", whole, moved)
    expected = product_w - product_b[:, None] * centre
    np.testing.assert_allclose(image[:, :d], expected, atol=1e-9 * scale)
    np.testing.assert_allclose(image[:, d], product_b, atol=1e-9 * scale)


@pytest.mark.parametrize("loss", ["logistic", "modified_huber"])
def test_the_hessian_of_rows_with_few_entries(loss, monkeypatch):
    n, d, k = 500, 40, 4
    rng = np.random.default_rng(0)
    X = rng.normal(size=(n, d)) * (rng.random((n, d)) < 0.05)
    y, s, centre = rng.integers(0, k, n).astype(np.uint8), rng.uniform(0.1, 2.0, n), X.mean(axis=0)
    monkeypatch.setattr(curvature, "_ROWS", 128)
    found = []
    for kind in (sparse.csr_array, np.asarray):
        matrix = design_matrix(kind(X), 1)
        objective = JointObjective(matrix, get_loss(loss), y, s, k, penalty=L2(), fit_intercept=True)
        theta = objective.theta(np.ones((k, d)) * np.arange(k)[:, None], np.arange(k) / 2.0)
        found.append(objective.hessian(objective.evaluate(theta), centre))
        assert matrix.few_pairs == matrix.sparse
    np.testing.assert_allclose(*found, atol=1e-12 * np.abs(found[1]).max())


@STORAGE
@SHAPES
def test_the_diagonal_of_the_hessian(kind, n, d, k):
    X, _, _, objective, theta = problem(kind, n, d, k)
    passes, compiled = objective.passes, objective.compiled
    W, b = parts(objective, theta)
    _, _, second = passes.second_derivatives(compiled, W @ X.T + b[:, None], 0)
    own = second[pairs(k).diagonal()]
    diagonal, diagonal_b = parts(objective, passes.diagonal(compiled, *objective.split(theta)))
    np.testing.assert_allclose(diagonal, own @ X**2, atol=1e-10)
    np.testing.assert_allclose(diagonal_b, own.sum(axis=1), atol=1e-10)


def test_the_hessian_product_in_many_digits():
    X, y, s, objective, theta = problem(np.asarray, 8, 2, 3, "squared_hinge")
    p = direction(objective, 1)
    (W, b), (P, p_b) = parts(objective, theta), parts(objective, p)

    def slopes(t):
        """The gradient in b and w, (K, 3), at a distance t along the direction."""
        total = mp.zeros(3, 3)
        for i in range(8):
            x = [mp.mpf(v) for v in X[i]] + [mp.one]
            rows = [
                [mp.mpf(a) + t * mp.mpf(c) for a, c in zip([*W[k], b[k]], [*P[k], p_b[k]], strict=True)]
                for k in range(3)
            ]
            z = [mp.fdot(row, x) for row in rows]
            others = mp.fsum(mp.exp(z[k]) for k in range(3) if k != y[i])
            m = z[y[i]] - mp.log(others)
            slope = mp.mpf(s[i]) * reference(objective.loss).piece(m).slope(m)
            for k in range(3):
                r = slope * (1 if k == y[i] else -mp.exp(z[k]) / others)
                for j in range(3):
                    total[k, j] += r * x[j]
        return total

    step = mp.mpf(10) ** -20
    exact = np.array(((slopes(step) - slopes(-step)) / (2 * step)).tolist(), dtype=float)
    split = (*objective.split(theta), *objective.split(p))
    product, product_b = parts(objective, objective.passes.hessian_product(objective.compiled, *split))
    np.testing.assert_allclose(product, exact[:, :2], atol=1e-12)
    np.testing.assert_allclose(product_b, exact[:, 2], atol=1e-12)


@pytest.mark.parametrize("kind", [case for case in storages() if "-" not in case.id])
def test_the_same_bits_for_any_number_of_threads(kind):
    found = []
    for n_jobs in (1, 2, 3):
        _, _, _, objective, theta = problem(kind, 25_000, 40, 5, n_jobs=n_jobs)
        w, b = objective.split(theta)
        p = objective.split(direction(objective))
        with objective.matrix:
            found.append(
                [
                    *objective.passes.evaluate(objective.compiled, w, b),
                    objective.passes.hessian_product(objective.compiled, w, b, *p),
                    objective.passes.margins(w, b),
                ]
            )
            assert len(objective.passes._chunks.shares) == n_jobs + 1, "this is what the test is for"
    for other in found[1:]:
        for one, another in zip(found[0], other, strict=True):
            np.testing.assert_array_equal(one, another)


def test_shifts_are_added_to_the_margins():
    n = 300
    shifts = np.random.default_rng(3).normal(size=n)
    _, _, s, plain, theta = problem(np.asarray, n, 3, 4, "squared_hinge")
    _, _, _, shifted, _ = problem(np.asarray, n, 3, 4, "squared_hinge", shifts=shifts)
    w, b = plain.split(theta)
    values, _, _ = plain.loss.evaluate(plain.passes.margins(w, b) + shifts)
    np.testing.assert_allclose(shifted.passes.evaluate(shifted.compiled, w, b)[0], s @ values, rtol=1e-12)


@pytest.mark.parametrize("size", [1e3, 1e4, 1e150, 1e300])
def test_far_decision_values(size):
    """No NaN where the others' exponentials underflow, or all of them are equal and far away."""
    _, y, _, objective, _ = problem(np.asarray, 20, 2, 4)
    for far in (np.array([size, -size, 0.0, size / 2]), np.full(4, size)):
        at = objective.split(objective.theta(0.0, far))
        value, gradient = objective.passes.evaluate(objective.compiled, *at)
        assert np.isfinite(value)
        assert np.isfinite(gradient).all()
        others = [np.delete(far, k) for k in y]
        expected = far[y] - [z.max() + np.log(np.exp(z - z.max()).sum()) for z in others]
        np.testing.assert_allclose(objective.passes.margins(*at), expected, rtol=1e-14)
