"""How often a fit with a penalty ends proven, over problems of all kinds."""

import time

import numpy as np
import pytest
import scipy.sparse as sp
from problems import fit

from marginclf.penalties import L1, L2, ElasticNet, GroupLasso
from marginclf.solvers import Status

LOSSES = ("logistic", "squared_hinge", "smooth_hinge", "modified_huber", "squared", "exponential", "dwd", "hinge")
PROBLEMS, PROVEN = 500, 0.95


def columns(rng, n, d):
    X = rng.normal(size=(n, d))
    kind = rng.choice(["plain", "correlated", "units", "offsets", "constant", "twice", "counts"])
    if kind == "correlated":
        X += 2.0 * rng.normal(size=(n, 1))
    elif kind == "units":
        X *= 10.0 ** rng.uniform(-2.0, 2.0, d)
    elif kind == "offsets":
        X += 10.0 * rng.normal(size=d)
    elif kind == "constant":
        X[:, 0] = 1.0
    elif kind == "twice":
        X[:, -1] = X[:, 0]
    elif kind == "counts":
        X = (X > 0.8).astype(float)
    return kind, X


def draw(number):
    """A loss, X, classes, weights of rows, the other parameters, and all of it in words."""
    rng = np.random.default_rng([24, number])
    loss, n_classes = str(rng.choice(LOSSES)), int(rng.choice([2, 2, 2, 3, 4]))
    n, d = int(rng.choice([8, 30, 100])), int(rng.choice([1, 4, 10, 40]))
    kind, X = columns(rng, n, d)
    scores = (X - X.mean(axis=0)) / (X.std(axis=0) + 1e-9) @ rng.normal(size=(d, n_classes))
    codes = (scores + 2.0 * rng.gumbel(size=scores.shape)).argmax(axis=1)
    codes[:n_classes] = np.arange(n_classes)
    v = [None, rng.choice([0.0, 1.0], d, p=[0.2, 0.8]), rng.uniform(0.1, 3.0, d), rng.choice([1.0, np.inf], d)]
    v = v[rng.choice(4, p=[0.4, 0.2, 0.3, 0.1])]
    groups = np.unique(rng.integers(0, 1 + d // 3, d), return_inverse=True)[1]
    penalty = [L1(v), ElasticNet(float(rng.uniform(0.1, 0.9)), v), L2(v), GroupLasso(None, v), GroupLasso(groups)]
    penalty = penalty[rng.integers(5)]
    some = np.where(rng.random(d) < 0.5, -np.inf, 0.0), np.where(rng.random(d) < 0.5, np.inf, 0.2)
    name = rng.choice(["free", "signs", "box", "some"], p=[0.5, 0.2, 0.15, 0.15])
    how = {
        "penalty": penalty,
        "bounds": {"free": None, "signs": (0.0, None), "box": (-0.3, 0.3), "some": some}[name],
        "C": float(10.0 ** rng.uniform(-2.0, 2.0)) * 30.0 / n,
        "multi_class": str(rng.choice(["auto", "ovr"])),
        "fit_intercept": bool(rng.random() < 0.8),
    }
    s = rng.uniform(0.2, 3.0, n) if rng.random() < 0.4 else None
    X = sp.csr_array(X) if kind == "counts" else X
    words = f"{number}: {loss} {type(penalty).__name__} {name} C={how['C']:.2g} {n_classes} classes {n}×{d} {kind}"
    return loss, X, codes, s, how, f"{words} {how['multi_class']} intercept={how['fit_intercept']}"


@pytest.mark.slow
def test_nearly_all_fits_end_proven():
    left = []
    for number in range(PROBLEMS):
        loss, X, codes, s, how, words = draw(number)
        began = time.perf_counter()
        model, messages = fit(loss, X, codes, s, **how)
        seconds = time.perf_counter() - began
        assert np.isfinite(model.coef_).all(), words
        assert np.isfinite(model.objective_).all(), words
        assert not np.isnan(model.suboptimality_).any(), words
        for status, bound in zip(model.status_, model.suboptimality_, strict=True):
            if status == Status.PROVEN.value:
                assert bound <= 1e-8, words
            else:
                left.append(f"{words}: {bound:.1e} in {seconds:.1f} s, {status[:40]}")
                break
        assert bool(messages) == any(not Status(status).converged for status in model.status_), words
    assert len(left) <= (1.0 - PROVEN) * PROBLEMS, "\n".join([f"{len(left)} of {PROBLEMS} not proven:", *left])
