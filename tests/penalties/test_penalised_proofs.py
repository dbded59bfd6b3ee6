"""The conjugate behind the proofs, and the minimum of a quadratic model, against brute force."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize

from marginclf.kernels.coordinate_descent import minimise_quadratic
from marginclf.objective import NonsmoothPenalty

FAR = 1e3


@st.composite
def penalties(draw_one):
    """A penalty of K × d coefficients with some kinks, squares and bounds that are nothing or infinite."""
    k, d = draw_one(st.integers(1, 2)), draw_one(st.integers(1, 5))
    rng = np.random.default_rng(draw_one(st.integers(0, 10**6)))
    group, quadratic = None, np.zeros(d)
    if draw_one(st.booleans()):
        _, group = np.unique(rng.integers(0, 3, d), return_inverse=True)
    else:
        quadratic = rng.choice([0.0, 1.0, 0.3], d) * draw_one(st.integers(0, 1))
    kink = rng.choice([0.0, 0.5, 1.0, 2.0], d if group is None else group.max() + 1)
    bounds = None
    if draw_one(st.booleans()):
        lower = rng.choice([-np.inf, -1.0, -0.2, 0.0, 0.1], (k, d))
        bounds = lower, np.maximum(lower, rng.choice([np.inf, 1.0, 0.2, 0.0], (k, d)))
    return NonsmoothPenalty.of((k, d), kink, quadratic, group, bounds), rng


def blocks(penalty):
    return [slice(*penalty.starts[b : b + 2]) for b in range(len(penalty.kink))]


def conjugate(penalty, g):
    """sup g·x − p(x), by a search in each block; where it is infinite, a large number."""
    total = 0.0
    for kink, block in zip(penalty.kink, blocks(penalty), strict=True):
        lower, upper = np.maximum(penalty.lower[block], -FAR), np.minimum(penalty.upper[block], FAR)
        part, squares = g[block], penalty.quadratic[block]

        def loss(x, kink=kink, part=part, squares=squares):
            return kink * np.linalg.norm(x) + 0.5 * (squares * x) @ x - part @ x

        starts = [np.clip(np.sign(part) * size, lower, upper) for size in (0.0, 0.1, FAR)]
        ends = [minimize(loss, x, bounds=np.stack([lower, upper], 1), method="L-BFGS-B").x for x in starts]
        total -= min(loss(x) for x in (*starts, *ends))
    return total


def subgradient(penalty, u, rng):
    """A slope at which u is the best there is."""
    g, norms = penalty.quadratic * u, penalty.norms(u)
    for b, block in enumerate(blocks(penalty)):
        inside = rng.normal(size=block.stop - block.start)
        inside *= rng.random() / np.linalg.norm(inside)
        g[block] += penalty.kink[b] * (u[block] / norms[b] if norms[b] > 0.0 else inside)
    out = rng.exponential(size=len(u))
    return g + np.where(u >= penalty.upper, out, 0.0) - np.where((u <= penalty.lower) & (u < penalty.upper), out, 0.0)


@settings(max_examples=40, deadline=None, derandomize=True)
@given(penalties(), st.sampled_from([0.0, 0.1, 1.0]), st.sampled_from([0.3, 1.0, 3.0]), st.sampled_from([np.inf, 1.0]))
def test_the_proof_is_never_less_than_the_conjugate(case, size, slope, above):
    penalty, rng = case
    u = penalty.clipped(size * rng.normal(size=len(penalty.order)) * rng.integers(0, 2, len(penalty.order)))
    g = slope * rng.normal(size=len(u))
    t, total = penalty.proof(u, g, np.zeros(len(u)), above)
    exact = penalty.value(u) + conjugate(penalty, t * g) - t * float(g @ u)
    assert 0.0 <= t <= 1.0
    assert total >= exact - 1e-7 * (1.0 + abs(exact))


@settings(max_examples=60, deadline=None, derandomize=True)
@given(penalties(), st.sampled_from([np.inf, 1.0, 1e6]))
def test_at_an_optimum_it_is_nothing(case, above):
    penalty, rng = case
    u = penalty.clipped(rng.normal(size=len(penalty.order)) * rng.integers(0, 2, len(penalty.order)))
    g = subgradient(penalty, u, rng)
    t, total = penalty.proof(u, g, np.full(len(u), 1e-13), above)
    assert 1.0 - t <= 1e-14
    assert total <= 1e-13
    # Near it, what bounds hold may be a little less or more than they hold there.
    near = g + 1e-7 * rng.normal(size=len(u)) * np.repeat(penalty.kink > 0.0, penalty.sizes)
    t, total = penalty.proof(u, near, np.full(len(u), 1e-13), above)
    assert total + (1.0 - t) <= 1e-5


@settings(max_examples=60, deadline=None, derandomize=True)
@given(penalties(), st.integers(1, 12))
def test_the_minimum_of_a_quadratic_model(case, rank):
    """H has squares of a size of 1 and a rank that may be less than full; at the end, the proof is of its slopes."""
    penalty, rng = case
    m = len(penalty.order)
    root = rng.normal(size=(rank, m))
    h = root.T @ root + 0.01 * np.eye(m)
    q, u = rng.normal(size=m), penalty.clipped(rng.normal(size=m))
    at_start, start = q.copy(), u.copy()
    scale = np.array([np.linalg.norm(h[block, block], 2) for block in blocks(penalty)])
    h[np.arange(m), np.arange(m)] += penalty.quadratic
    scale += penalty.quadratic[penalty.starts[:-1]]
    q += penalty.quadratic * u
    slope = q.copy()
    minimise_quadratic(
        h, q, u, penalty.starts, penalty.kink, scale, penalty.lower, penalty.upper,
        np.ones(len(penalty.kink)), 1e-11, 20_000, np.empty((m, m)), np.empty(m, dtype=np.int64), np.empty((3, m)),
    )  # fmt: skip
    assert (penalty.lower <= u).all()
    assert (u <= penalty.upper).all()
    np.testing.assert_allclose(q, slope + h @ (u - start), atol=1e-9)
    g = -(q - penalty.quadratic * u)
    t, total = penalty.proof(u, g, np.full(m, 1e-8))
    assert 1.0 - t <= 1e-7
    assert total <= 1e-7 * (1.0 + np.abs(at_start).sum())
