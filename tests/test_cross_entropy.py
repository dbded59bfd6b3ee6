"""The question of the project: L3, the softplus of the negative margin, is L1, sigmoid cross-entropy.

L1 = −Σ s [p log σ(z) + (1 − p) log(1 − σ(z))] with p in {0, 1}, by scikit-learn and by Newton's method on L1 itself.
"""

import warnings

import numpy as np
import pytest
import scipy.sparse as sp
from problems import draw, fit
from scipy.special import expit, log_expit
from sklearn.datasets import load_breast_cancer
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler
from sklearn.utils.class_weight import compute_sample_weight

from marginclf.losses import Logistic


def breast_cancer():
    X, y = load_breast_cancer(return_X_y=True)
    return StandardScaler().fit_transform(X), y


def breast_cancer_in_its_own_units():
    X, y = load_breast_cancer(return_X_y=True)
    return X, y


def generated():
    X, y, _ = draw(n=300, d=12, seed=6, noise=2.0)
    X[np.abs(X) < 0.8] = 0.0
    return X, y


DATA = {f.__name__: f for f in (breast_cancer, breast_cancer_in_its_own_units, generated)}
STORAGES = {"dense": np.asarray, "sparse": sp.csr_array}


class CrossEntropy:
    """C·L1 + ½ ‖w‖² with its own gradient, Hessian and Newton step, straight from the probabilities."""

    def __init__(self, X, p, s, C, fit_intercept):
        # Centred, the same objective in (w, b + x̄·w): its Hessian keeps its digits.
        self.centre = X.mean(axis=0) if fit_intercept else np.zeros(X.shape[1])
        self.A = np.column_stack([X - self.centre, np.ones(len(X))]) if fit_intercept else X
        self.p, self.s, self.C = p, s, C
        self.penalised = np.ones(self.A.shape[1])
        self.penalised[X.shape[1] :] = 0.0

    def theta(self, w, b):
        return np.append(w, b + self.centre @ w)[: len(self.penalised)]

    def value(self, theta):
        z = self.A @ theta
        l1 = -self.s @ (self.p * log_expit(z) + (1 - self.p) * log_expit(-z))
        return self.C * l1 + 0.5 * np.sum(self.penalised * theta**2)

    def gradient(self, theta):
        """And the sums of the magnitudes of its terms."""
        r = self.C * self.s * (expit(self.A @ theta) - self.p)
        gradient = self.A.T @ r + self.penalised * theta
        return gradient, np.abs(self.A.T) @ np.abs(r) + self.penalised * np.abs(theta)

    def step(self, theta):
        z = self.A @ theta
        hessian = (self.A.T * (self.C * self.s * expit(z) * expit(-z))) @ self.A + np.diag(self.penalised)
        return -np.linalg.solve(hessian, self.gradient(theta)[0])


def by_scikit_learn(X, y, s, C, fit_intercept):
    with warnings.catch_warnings():
        # At this tol the last step of its line search is one of rounding, and it warns.
        warnings.simplefilter("ignore")
        model = LogisticRegression(
            C=C, fit_intercept=fit_intercept, solver="newton-cholesky", tol=1e-14, max_iter=1000
        ).fit(X, y, s)
    return model.coef_[0], float(model.intercept_[0])


@pytest.mark.parametrize("weights", ["none", "sample_weight", "balanced"])
@pytest.mark.parametrize("fit_intercept", [True, False], ids=["intercept", "no-intercept"])
@pytest.mark.parametrize("storage", STORAGES)
@pytest.mark.parametrize("data", DATA)
def test_l3_is_l1(data, storage, fit_intercept, weights):
    C = 0.7
    X, p = DATA[data]()
    s, parameters, total = None, {}, np.ones(len(X))
    if weights == "sample_weight":
        s = total = np.random.default_rng(7).uniform(0.0, 3.0, len(X)).round(1)
    if weights == "balanced":
        parameters, total = {"class_weight": "balanced"}, compute_sample_weight("balanced", p)

    # For scikit-learn weights by row, for us the option of that name: they are to mean the same.
    w, b = by_scikit_learn(STORAGES[storage](X), p, total, C, fit_intercept)
    l1 = CrossEntropy(X, p, total, C, fit_intercept)
    theta = l1.theta(w, b)
    for _ in range(5):
        theta = theta + l1.step(theta)
    gradient, size = l1.gradient(theta)
    assert (np.abs(gradient) <= 1e-13 * size).all(), "the reference is not at its own optimum"

    ours, messages = fit("logistic", STORAGES[storage](X), p, s, C=C, fit_intercept=fit_intercept, **parameters)
    assert not messages
    found = l1.theta(ours.coef_[0], ours.intercept_[0])
    assert l1.value(found) == pytest.approx(l1.value(theta), rel=1e-12)
    assert ours.objective_[0] == pytest.approx(l1.value(theta), rel=1e-12)
    np.testing.assert_allclose(found, theta, rtol=1e-6, atol=1e-6)
    # scikit-learn itself, not polished, where the units of the columns allow it.
    if data != "breast_cancer_in_its_own_units":
        np.testing.assert_allclose(ours.coef_[0], w, rtol=1e-6, atol=1e-6)
        assert ours.intercept_[0] == pytest.approx(b, rel=1e-6, abs=1e-6)


def test_the_default_is_as_accurate_as_that_of_logistic_regression():
    """What each leaves of F − F* at its default tolerance, on data in good units and in bad ones."""
    for X, p in (breast_cancer(), breast_cancer_in_its_own_units()):
        l1 = CrossEntropy(X, p, np.ones(len(X)), 1.0, True)
        theirs = LogisticRegression(max_iter=10_000).fit(X, p)
        ours, messages = fit("logistic", X, p)
        assert not messages
        best = l1.theta(ours.coef_[0], ours.intercept_[0])
        for _ in range(8):
            best = best + l1.step(best)
        left = [l1.value(l1.theta(m.coef_[0], m.intercept_[0])) - l1.value(best) for m in (ours, theirs)]
        assert left[0] <= max(left[1], 1e-8 * l1.value(best))


def test_l3_is_l1_at_every_decision_value():
    """Term by term, not only at the optimum: value and slope in z for p = 0 and p = 1."""
    z = np.linspace(-40.0, 40.0, 4001)
    for p in (0, 1):
        y = 2 * p - 1
        value, slope, curvature = Logistic().evaluate(y * z)
        np.testing.assert_allclose(value, -(p * log_expit(z) + (1 - p) * log_expit(-z)), rtol=1e-14)
        residual = expit(z) if p == 0 else -expit(-z)
        np.testing.assert_allclose(y * slope, residual, rtol=1e-14)
        np.testing.assert_allclose(curvature, expit(z) * expit(-z), rtol=1e-14)
