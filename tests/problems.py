"""Small problems with their objective, gradient and optimum in 60 digits, by the formulas of references.py."""

import warnings
from functools import cached_property

import numpy as np
from references import mp, reference
from sklearn.exceptions import ConvergenceWarning

from marginclf import MarginLinearClassifier
from marginclf.losses import get_loss
from marginclf.matrix import design_matrix
from marginclf.objective import L2, BinaryObjective, signed_weights


def draw(n=40, d=3, seed=0, noise=1.0, shift=0.3):
    """X, labels 0 and 1 that overlap, and weights with a few zeros; both classes keep some weight."""
    rng = np.random.default_rng([seed, n, d])
    X = rng.normal(size=(n, d))
    score = X @ np.linspace(1.0, -0.5, d) + shift + noise * rng.normal(size=n)
    y = (score > np.clip(0.0, *np.sort(score)[[1, -2]])).astype(int)
    s = rng.uniform(0.2, 3.0, n)
    s[rng.random(n) < 0.1] = 0.0
    s[[y.argmin(), y.argmax()]] = 1.0
    return X, y, s


def fit(loss, X, y, s=None, **parameters):
    """A fitted classifier and the messages of its ConvergenceWarnings; other warnings stay errors."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("error")
        warnings.simplefilter("always", ConvergenceWarning)
        model = MarginLinearClassifier(loss, **parameters).fit(X, y, s)
    return model, [str(warning.message) for warning in caught]


def solution(model):
    """Coefficients, and the intercept, of a binary fit."""
    return model.coef_[0], float(model.intercept_[0])


class Exact:
    """F(w, b) = C Σ s φ(y (x·w + b)) + ½ ‖w‖² of one problem, in 60 digits.

    Parameters
    ----------
    loss : MarginLoss
        φ.
    X, y, s : array-like
        Rows, labels 0 and 1, weights (None for ones).
    C : float
        Infinite for no penalty.
    fit_intercept : bool
        Whether b is free.
    """

    def __init__(self, loss, X, y, s=None, *, C=1.0, fit_intercept=True):
        s = np.ones(len(X)) if s is None else np.asarray(s, dtype=float)
        keep = s > 0.0
        self.reference = reference(loss)
        self.penalty = int(np.isfinite(C))
        self.fit_intercept = fit_intercept
        self.columns = X.shape[1]
        size = self.columns + int(fit_intercept)
        self.rows = [[mp.mpf(float(v)) for v in row] + [mp.one] for row in np.asarray(X)[keep]]
        self.rows = [row[:size] for row in self.rows]
        self.signs = [1 if label else -1 for label in np.asarray(y)[keep]]
        factor = mp.mpf(C) if self.penalty else mp.one
        self.weights = [factor * mp.mpf(float(v)) for v in s[keep]]

    def theta(self, w, b):
        return [mp.mpf(float(v)) for v in [*w, b]][: len(self.rows[0])]

    def _margins(self, theta):
        for row, sign, weight in zip(self.rows, self.signs, self.weights, strict=True):
            m = sign * mp.fdot(row, theta)
            yield row, sign, weight, m, self.reference.piece(m)

    def value(self, theta):
        data = mp.fsum(weight * piece.value(m) for _, _, weight, m, piece in self._margins(theta))
        return data + self.penalty * mp.fsum(t * t for t in theta[: self.columns]) / 2

    def derivatives(self, theta):
        """Gradient and Hessian in (w, b)."""
        size = len(theta)
        gradient = mp.matrix([self.penalty * t for t in theta[: self.columns]] + [0] * (size - self.columns))
        hessian = mp.zeros(size)
        for j in range(self.columns):
            hessian[j, j] = self.penalty
        for row, sign, weight, m, piece in self._margins(theta):
            slope, curvature = sign * weight * piece.slope(m), weight * piece.curvature(m)
            for j in range(size):
                gradient[j] += slope * row[j]
                for k in range(j + 1):
                    hessian[j, k] += curvature * row[j] * row[k]
        for j in range(size):
            for k in range(j):
                hessian[k, j] = hessian[j, k]
        return gradient, hessian

    def decrement(self, theta):
        """½ gᵀ|H|⁻¹g: what a step of Newton's method gains, whatever the units and offsets of the columns."""
        gradient, hessian = self.derivatives(theta)
        scale = [mp.sqrt(abs(hessian[j, j])) or mp.one for j in range(len(theta))]
        for j in range(len(theta)):
            for k in range(len(theta)):
                hessian[j, k] /= scale[j] * scale[k]
        values, vectors = mp.eigsy(hessian)
        part = vectors.T * mp.matrix([gradient[j] / scale[j] for j in range(len(theta))])
        if any(part[j] and not values[j] for j in range(len(theta))):
            return mp.inf
        return mp.fsum(part[j] ** 2 / abs(values[j]) for j in range(len(theta)) if part[j]) / 2

    def optimum(self, w, b):
        """(F*, w*, b*) by Newton's method from (w, b), for a convex loss."""
        theta = self.theta(w, b)
        if self.reference.jumps:
            theta = self._at_the_kinks(theta)
            assert theta is not None, "no set of rows at the kink passes for the optimum's"
            return self.value(theta), theta[: self.columns], theta[self.columns] if self.fit_intercept else mp.zero
        value = self.value(theta)
        for _ in range(100):
            gradient, hessian = self.derivatives(theta)
            if self.fit_intercept and hessian[self.columns, self.columns] == 0:
                hessian[self.columns, self.columns] = mp.one
            step = mp.lu_solve(hessian, gradient)
            gain = mp.fdot(gradient, step)
            if gain <= mp.mpf(10) ** -45 * abs(value):
                return value, theta[: self.columns], theta[self.columns] if self.fit_intercept else mp.zero
            t = mp.one
            while True:
                trial = [v - t * step[j] for j, v in enumerate(theta)]
                found = self.value(trial)
                if found <= value - t * gain / 10000:
                    break
                t /= 2
            theta, value = trial, found
        raise AssertionError("Newton's method in 60 digits does not converge from here")

    def _at_the_kinks(self, theta):
        """The optimum of a loss of two lines, from a point so near that it shows which rows lie at the kink.

        Those rows have margins of exactly one and multipliers a between the slopes, the others have the slopes: a
        linear system, whose solution is checked to be all that an optimum has to be. How near is near is tried.
        """
        (kink,) = self.reference.jumps
        rows = list(self._margins(theta))
        near = sorted(range(len(rows)), key=lambda i: abs(rows[i][3] - kink))
        found = (self._with_kinks_at(theta, rows, kink, near[:count]) for count in range(len(theta) + 1))
        return next((optimum for optimum in found if optimum is not None), None)

    def _with_kinks_at(self, theta, rows, kink, at):
        size = len(theta)
        fixed = mp.matrix(size, 1)
        for i, (row, sign, weight, m, piece) in enumerate(rows):
            if i not in at:
                for j in range(size):
                    fixed[j] -= weight * sign * piece.slope(m) * row[j]
        # Unknown are theta and the α of the rows at the kink: w = Σ α x, 0 = Σ α, margins at the kink.
        system, right = mp.zeros(size + len(at)), mp.matrix(size + len(at), 1)
        for j in range(size):
            system[j, j] = mp.one if j < self.columns else mp.zero
            right[j] = fixed[j]
            for k, i in enumerate(at):
                system[j, size + k] = -rows[i][0][j]
                system[size + k, j] = rows[i][1] * rows[i][0][j]
        for k in range(len(at)):
            right[size + k] = kink
        if at or not self.fit_intercept:
            try:
                found = mp.lu_solve(system, right)
            except ZeroDivisionError:
                return None
            theta = [found[j] for j in range(size)]
            alpha = [found[size + k] for k in range(len(at))]
        else:
            # Multipliers at their bounds only: b is free within an interval, and the point's own will do.
            if abs(fixed[size - 1]) > mp.mpf(10) ** -40:
                return None
            theta, alpha = [*fixed[: size - 1], theta[size - 1]], []
        bounded = all(0 <= alpha[k] * rows[i][1] <= rows[i][2] for k, i in enumerate(at))
        margins = [m for *_, m, _ in self._margins(theta)]
        sides = all(i in at or (m < kink) == (rows[i][3] < kink) for i, m in enumerate(margins))
        return theta if bounded and sides else None

    def excess(self, model):
        """(F − F*)/|F| of a fitted model, for a convex loss."""
        w, b = solution(model)
        value = self.value(self.theta(w, b))
        best = self.optimum(w, b)[0]
        return float((value - best) / abs(value)) if value != best else 0.0

    def rounding(self, model):
        """How much of F, relative to it, rounding w and b may cost, to first order: what a loss with a kink feels.

        The equations that fix d coefficients and b are solved with an error of d + 1 ulp in each; at its kink a row
        pays for a change of its margin with a slope of 1.
        """
        w, b = solution(model)
        moves = mp.fsum(
            weight * mp.fsum(abs(x * t) for x, t in zip(row, self.theta(w, b), strict=True))
            for row, weight in zip(self.rows, self.weights, strict=True)
        )
        return float(len(self.rows[0]) * np.finfo(float).eps * moves / abs(self.value(self.theta(w, b))))

    @cached_property
    def sizes(self):
        return len(self.rows), self.columns


def objective_of(loss, X, y, s=None, *, C=1.0, fit_intercept=True, n_jobs=1):
    """The package's own objective for labels 0 and 1."""
    v = signed_weights(np.asarray(y, dtype=int), 1, 2, s, C)
    penalty = float(np.isfinite(C))
    return BinaryObjective(
        design_matrix(X, n_jobs), get_loss(loss), v, penalty=L2(penalty), fit_intercept=fit_intercept
    )
