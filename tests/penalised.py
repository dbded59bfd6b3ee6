"""Fits with penalties and bounds: the one list of penalties that tests are taken over, F by its formula, and cvxpy."""

import warnings
from typing import NamedTuple

import cvxpy as cp
import numpy as np
import pytest
import scipy.sparse as sp

from marginclf.penalties import L1, L2, ElasticNet, GroupLasso

D = 5
"""Features of the problems that the penalties below are for."""

WEIGHTS = (0.0, 1.0, 2.5, 0.5, np.inf)

PENALTIES = {
    "l2-weights": L2(weights=WEIGHTS),
    "l1": L1(),
    "l1-weights": L1(weights=WEIGHTS),
    "elastic-net": ElasticNet(l1_ratio=0.3),
    "elastic-net-weights": ElasticNet(l1_ratio=0.8, weights=WEIGHTS),
    "grouped": GroupLasso(),
    "groups": GroupLasso(groups=[[0, 3], [1, 2]]),
    "groups-weights": GroupLasso(groups=["a", "b", "b", "a", "c"], weights={"a": 2.0, "c": 0.0}),
}
"""Every penalty of the package, with and without its parameters: a new one is tested by an entry here."""

BOUNDS = {
    "free": None,
    "signs": (0, None),
    "box": (-0.2, 0.3),
    "some": ([-np.inf, 0.05, -0.1, -np.inf, 0.0], [0.2, 0.4, -0.1, np.inf, np.inf]),
}
"""What the coefficients may be: anything, of one sign, in a box; the last leaves out 0, and leaves one no choice."""

CASES = [pytest.param(penalty, id=name) for name, penalty in PENALTIES.items()]


class Terms(NamedTuple):
    """Σ_g kink_g size(W_g) + ½ Σ_j quadratic_j ‖W_j‖²: size is ‖W_g‖, or the sum of magnitudes."""

    groups: list
    kinks: list
    quadratic: np.ndarray
    norms: bool
    out: list


def terms_of(penalty, d):
    """By the formulas of the documentation, for the parameters that PENALTIES has; no number comes from marginclf."""
    name, given = type(penalty).__name__, penalty.weights
    if name == "GroupLasso":
        labels = list(range(d)) if penalty.groups is None else penalty.groups
        if isinstance(labels[0], list):
            labels = [next((g for g, group in enumerate(penalty.groups) if j in group), d + j) for j in range(d)]
        found = sorted(set(labels))
        groups = [[j for j in range(d) if labels[j] == label] for label in found]
        kinks = [(given or {}).get(label, np.sqrt(len(group))) for label, group in zip(found, groups, strict=True)]
        return Terms(groups, kinks, np.zeros(d), True, [])
    v = np.ones(d) if given is None else np.array(given)
    out = np.flatnonzero(np.isinf(v)).tolist()
    v[out] = 0.0
    ratios = {"L2": lambda: 0.0, "L1": lambda: 1.0, "ElasticNet": lambda: penalty.l1_ratio}
    if name not in ratios:
        pytest.fail(f"the penalty {name} has no formula: add one to terms_of in tests/penalised.py")
    ratio = ratios[name]()
    return Terms([[j] for j in range(d)], list(ratio * v), (1.0 - ratio) * v, False, out)


def penalty_value(penalty, W):
    """Σ_j v_j p(w_j) of a matrix of coefficients."""
    found = terms_of(penalty, W.shape[1])
    sizes = [np.linalg.norm(W[:, g]) if found.norms else np.abs(W[:, g]).sum() for g in found.groups]
    return np.dot(found.kinks, sizes) + 0.5 * (found.quadratic * W**2).sum()


def limits(bounds, shape):
    """The least and the largest value of each coefficient."""
    low, high = (None, None) if bounds is None else bounds
    low, high = -np.inf if low is None else low, np.inf if high is None else high
    return np.broadcast_to(np.array(low, dtype=float), shape), np.broadcast_to(np.array(high, dtype=float), shape)


_EXACT = {
    "logistic": lambda m: np.logaddexp(0.0, -m),
    "hinge": lambda m: np.maximum(1.0 - m, 0.0),
    "squared_hinge": lambda m: np.maximum(1.0 - m, 0.0) ** 2,
    "smooth_hinge": lambda m: np.where(m <= 0.0, 0.5 - m, 0.5 * np.maximum(1.0 - m, 0.0) ** 2),
    "modified_huber": lambda m: np.where(m <= -1.0, -4.0 * m, np.maximum(1.0 - m, 0.0) ** 2),
    "squared": lambda m: (1.0 - m) ** 2,
}


def _modified_huber(m):
    v = cp.Variable(m.shape, nonneg=True)
    return cp.square(cp.pos(1 - m - v)) + 4 * v


def _smooth_hinge(m):
    u = cp.Variable(m.shape)
    return cp.pos(1 - u) + cp.square(u - m) / 2


_DISCIPLINED = {
    "logistic": lambda m: cp.logistic(-m),
    "hinge": lambda m: cp.pos(1 - m),
    "squared_hinge": lambda m: cp.square(cp.pos(1 - m)),
    "smooth_hinge": _smooth_hinge,
    "modified_huber": _modified_huber,
    "squared": lambda m: cp.square(1 - m),
}

LOSSES = list(_EXACT)


class Problem:
    """One problem: of class 1 against the others, or of all classes with a joint margin.

    Parameters
    ----------
    loss : str
        One of LOSSES.
    penalty, bounds, C, fit_intercept
        As of MarginLinearClassifier.
    X : array or sparse array
        Rows.
    codes : ndarray of int
        Class of each row.
    s : ndarray
        Weights of the rows, those of the classes in them.
    jointly : bool
        Whether it is joint.
    """

    def __init__(self, loss, penalty, X, codes, s, *, C=1.0, bounds=None, fit_intercept=True, jointly=False):
        self.loss, self.penalty, self.C, self.fit_intercept, self.jointly = loss, penalty, C, fit_intercept, jointly
        self.X = np.asarray(X.toarray() if sp.issparse(X) else X, dtype=float)
        self.codes, self.s = codes, s
        self.n_outputs = int(codes.max()) + 1 if jointly else 1
        self.lower, self.upper = limits(bounds, (self.n_outputs, self.X.shape[1]))

    def value(self, W, b):
        """F, by its formula."""
        z = self.X @ W.T + b
        if self.jointly:
            own = np.eye(self.n_outputs, dtype=bool)[self.codes]
            m = z[own] - np.logaddexp.reduce(np.where(own, -np.inf, z), axis=1)
        else:
            m = np.where(self.codes == 1, z[:, 0], -z[:, 0])
        return self.C * (self.s * _EXACT[self.loss](m)).sum() + penalty_value(self.penalty, W)

    def by_cvxpy(self):
        """F where CLARABEL finds it least, its point moved into the bounds: never below the minimum."""
        W, b = cp.Variable((self.n_outputs, self.X.shape[1])), cp.Variable(self.n_outputs)
        held = [] if self.fit_intercept else [b == 0]
        z = self.X @ W.T + np.ones((len(self.X), 1)) @ cp.reshape(b, (1, self.n_outputs), order="C")
        if self.jointly:
            m = cp.Variable(len(self.X))  # φ falls: the largest m that the margin allows is the best
            for i, k in enumerate(self.codes):
                others = [j for j in range(self.n_outputs) if j != k]
                held.append(cp.log_sum_exp(z[i, others]) <= z[i, k] - m[i])
        else:
            m = cp.multiply(np.where(self.codes == 1, 1.0, -1.0), z[:, 0])
        terms = terms_of(self.penalty, self.X.shape[1])
        F = self.C * cp.sum(cp.multiply(self.s, _DISCIPLINED[self.loss](m)))
        F += cp.sum(cp.square(W) @ terms.quadratic) / 2
        for group, kink in zip(terms.groups, terms.kinks, strict=True):
            part = cp.vec(W[:, group], order="C")
            F += kink * (cp.norm(part) if terms.norms else cp.norm1(part))
        held += [W[:, terms.out] == 0] if terms.out else []
        for limit, side in ((self.lower, 1), (self.upper, -1)):
            at = np.argwhere(np.isfinite(limit))
            if len(at):
                held.append(side * (W[at[:, 0], at[:, 1]] - limit[at[:, 0], at[:, 1]]) >= 0)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that its last digits are not as asked for: what counts is F there
            cp.Problem(cp.Minimize(F), held).solve(solver=cp.CLARABEL)
        inside = np.clip(W.value, self.lower, self.upper)
        inside[:, terms.out] = 0.0
        return self.value(inside, b.value if self.fit_intercept else np.zeros(self.n_outputs))
