"""How close to the optimum LogisticRegression comes at its default tolerance: what our default has to match.

    python benchmarks/default_tolerance.py

Relative suboptimality (F − F*)/F of the logistic loss, measured from the returned coefficients, on bundled data, raw
and standardised, one class against the rest; F* is the objective of our fit, which runs to rounding on data of this
size.
"""

from __future__ import annotations

import warnings

import numpy as np
from sklearn import datasets
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from marginclf import MarginLinearClassifier

SOLVERS = ("lbfgs", "newton-cg", "newton-cholesky")


def objective(X: np.ndarray, y: np.ndarray, model: LogisticRegression) -> float:
    margins = (2 * y - 1) * model.decision_function(X)
    return float(model.C * np.logaddexp(0.0, -margins).sum() + 0.5 * (model.coef_**2).sum())


def main() -> None:
    found: dict[str, list[float]] = {solver: [] for solver in SOLVERS}
    print(f"{'data':16s} {'scaled':7s} {'C':>6s}" + "".join(f"{solver:>18s}" for solver in SOLVERS))
    for load in (datasets.load_breast_cancer, datasets.load_iris, datasets.load_wine, datasets.load_digits):
        raw, target = load(return_X_y=True)
        y = (target == target.max()).astype(int)
        for scaled in (True, False):
            X = StandardScaler().fit_transform(raw) if scaled else raw
            for C in (0.01, 1.0, 100.0):
                best = MarginLinearClassifier(C=C).fit(X, y).objective_[0]
                row = []
                for solver in SOLVERS:
                    with warnings.catch_warnings():
                        warnings.simplefilter("ignore", ConvergenceWarning)
                        model = LogisticRegression(C=C, solver=solver).fit(X, y)
                    row.append((objective(X, y, model) - best) / best)
                    found[solver].append(row[-1])
                print(f"{load.__name__[5:]:16s} {scaled!s:7s} {C:6g}" + "".join(f"{value:18.1e}" for value in row))
    for quantile in (0.1, 0.5, 0.9):
        figures = "".join(f"{np.quantile(found[solver], quantile):18.1e}" for solver in SOLVERS)
        print(f"{f'quantile {quantile}':31s}{figures}")


if __name__ == "__main__":
    main()
