"""The pass for all classes against a pass for each."""

import numpy as np
import pytest
from storages import SLOW, storages

from marginclf.losses import Logistic, SmoothHinge
from marginclf.matrix import design_matrix
from marginclf.objective import signed_weights

EVERY_STORAGE = pytest.mark.parametrize("storage", storages(slow=(*SLOW, "C-float32")))


@EVERY_STORAGE
@pytest.mark.parametrize("weighted", [False, True], ids=["ones", "weights"])
def test_one_pass_is_many(storage, weighted):
    """Around what goes four, or two, at a time: rows, classes and columns."""
    for n, d, n_classes in [(1, 1, 3), (5, 7, 3), (257, 3, 4), (1001, 130, 5), (70, 20, 9), (2050, 5, 2)]:
        rng = np.random.default_rng([n, d, n_classes])
        X = storage(np.float32(rng.normal(size=(n, d))).astype(float))
        codes = rng.integers(0, n_classes, n).astype(np.uint8)
        weights = rng.uniform(size=n) * (rng.random(n) < 0.8) if weighted else None
        w, b = rng.normal(size=(n_classes, d)) / d, rng.normal(size=n_classes)
        positive = rng.permutation(n_classes)
        C = 3.0
        matrix = design_matrix(X)
        for loss in (Logistic(), SmoothHinge(0.5)):
            scaled = np.full(1, C) if weights is None else C * weights
            sums, gradients = matrix.evaluate_all(loss.compiled(), codes, scaled, positive, w, b)
            for k in range(n_classes):
                v = signed_weights(codes, positive[k], n_classes, weights, C)
                value, gradient, slope, curvature = matrix.evaluate(loss.compiled(), v, w[k], b[k])
                np.testing.assert_allclose(sums[k], [value, slope, curvature], rtol=1e-12, atol=1e-12 * C * n)
                np.testing.assert_allclose(gradients[k], gradient, rtol=1e-12, atol=1e-12 * C * n)


@EVERY_STORAGE
def test_the_same_bits_for_any_number_of_threads(storage):
    rng = np.random.default_rng(7)
    n, d, n_classes = 20_011, 30, 5
    X = storage(rng.normal(size=(n, d)))
    codes = rng.integers(0, n_classes, n).astype(np.uint8)
    w, b, found = rng.normal(size=(n_classes, d)), rng.normal(size=n_classes), []
    for n_jobs in (1, 2, 3):
        with design_matrix(X, n_jobs) as matrix:
            assert (matrix._pool is None) == (n_jobs == 1)
            arrays = matrix.evaluate_all(Logistic().compiled(), codes, np.ones(1), np.arange(n_classes), w, b)
            found.append([a.tobytes() for a in arrays])
    assert found[0] == found[1] == found[2]
