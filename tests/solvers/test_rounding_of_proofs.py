"""What rounding adds to a proof by dual variables: what is claimed of a point is true of it in exact arithmetic."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from problems import objective_of
from scipy import sparse

from marginclf import MarginLinearClassifier
from marginclf.losses import Hinge, SmoothHinge
from marginclf.objective.rounding import rounding_of_proof

LENGTHS = [Fraction(0), *(Fraction(sign * k, 10**e) for sign in (1, -1) for k in (1, 3) for e in range(8, 17))]


def exact_margins(X, signs, w, b):
    w, b = [Fraction(float(v)) for v in w], Fraction(float(b))
    z = [sum((Fraction(float(x)) * v for x, v in zip(row, w, strict=True) if x), b) for row in X]
    return [int(s) * v for s, v in zip(signs, z, strict=True)]


def hinge(m):
    return max(1 - m, Fraction(0))


def smooth_hinge(m):
    return Fraction(0) if m >= 1 else (1 - m) ** 2 / 2 if m > 0 else Fraction(1, 2) - m


@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("storage", [np.asarray, sparse.csr_array], ids=["dense", "sparse"])
def test_a_margin_at_the_kink_counts_by_the_slope_beside_it(storage, fit_intercept):
    """Nearly separable, with a large C: F is next to nothing, and the rounding of a margin of 1 costs C of it.

    F* is no more than what F is along the line to zero.
    """
    rng = np.random.default_rng(3)
    X = rng.normal(size=(40, 25)) * (rng.random((40, 25)) < 0.6)
    X[:, 0] = 100.0
    y, C, above = np.arange(40) % 8, 10_000, 0.0
    model = MarginLinearClassifier(Hinge(), C=float(C), multi_class="ovr", fit_intercept=fit_intercept)
    model.fit(storage(X), y)
    assert (model.suboptimality_ <= 1e-8).all()
    for k in (0, 1, 3, 6):
        margins = exact_margins(X, np.where(y == k, 1, -1), model.coef_[k], model.intercept_[k])
        half = sum(Fraction(float(v)) ** 2 for v in model.coef_[k]) / 2
        along = [C * sum(hinge((1 + t) * m) for m in margins) + (1 + t) ** 2 * half for t in LENGTHS]
        suboptimality = float((along[0] - min(along)) / along[0])
        assert suboptimality <= model.suboptimality_[k]
        above = max(above, suboptimality)
    assert above > 1e-14  # else nothing was seen


@pytest.mark.parametrize(("loss", "formula"), [(Hinge(), hinge), (SmoothHinge(), smooth_hinge)], ids=["kink", "smooth"])
@pytest.mark.parametrize("offset", [0.0, 1e6])
@pytest.mark.parametrize("C", [1.0, 1e6])
def test_it_is_no_less_than_the_rounding_of_the_losses(loss, formula, offset, C):
    """Margins of 1 but for rounding, in columns whose offsets cancel: neither margins nor the intercept show these."""
    rng = np.random.default_rng(5)
    X = rng.normal(size=(30, 31))
    X[:, -2:] += offset
    signs = np.where(np.arange(30) < 15, 1.0, -1.0)
    w = np.linalg.lstsq(X, signs)[0]
    if loss.smooth:
        w *= 0.75
    weights = C * rng.random(30)
    objective = objective_of(loss, X, signs > 0.0, weights, fit_intercept=False)
    point = objective.at(np.append(w, 0.0))
    margins = objective.margins(point)
    exact = exact_margins(X, signs, w, 0.0)
    value = sum(Fraction(float(s)) * formula(m) for s, m in zip(weights, exact, strict=True))
    wrong = abs(float(value - Fraction(point.loss_value)))
    rounding = rounding_of_proof(objective, point.theta, margins, point.r, point.loss_value, 0.0)
    assert 0.0 < wrong <= rounding
    assert rounding <= 1e3 * wrong
