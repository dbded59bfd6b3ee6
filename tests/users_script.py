"""A script as a user writes it, for ``mypy --strict`` with the installed package (.ci/package); nothing here is a test.

A comment that ignores an error where there is none is an error as well: the mistakes below must be found.
"""

import math
from typing import Any, assert_type

import numpy as np
from sklearn.datasets import load_iris  # type: ignore[import-untyped]
from sklearn.model_selection import GridSearchCV  # type: ignore[import-untyped]
from sklearn.pipeline import make_pipeline  # type: ignore[import-untyped]
from sklearn.preprocessing import StandardScaler  # type: ignore[import-untyped]

from marginclf import MarginLinearClassifier
from marginclf.exchange import TRUSTED_TYPES, register_onnx_converter
from marginclf.inspection import ConvergenceDisplay, LossDisplay, MarginDisplay
from marginclf.losses import MarginLoss, SmoothHinge, catalogue, check_margin_loss, get_loss, register_loss
from marginclf.penalties import L1, L2, ElasticNet, GroupLasso, get_penalty, smallest_C

Array = np.ndarray[tuple[Any, ...], np.dtype[Any]]


class Softplus(MarginLoss):
    tau: float = 1.0

    def point(self, m: float) -> tuple[float, float, float]:
        e = math.exp(-abs(m) / self.tau)
        p = 1.0 / (1.0 + e) if m < 0.0 else e / (1.0 + e)
        return self.tau * math.log1p(e) + max(-m, 0.0), -p, p * (1.0 - p) / self.tau


class Absolute(MarginLoss):
    probability = None

    def point(self, m: float) -> tuple[float, float, float]:
        return abs(1.0 - m), (-1.0 if m < 1.0 else 1.0), 0.0

    def prox(self, v: float, kappa: float) -> float:
        return min(v + kappa, max(v - kappa, 1.0))

    def slope_bounds(self) -> tuple[float, float]:
        return -1.0, 1.0


def fit(X: Array, y: Array) -> MarginLinearClassifier:
    penalty = ElasticNet(l1_ratio=0.5)
    model = MarginLinearClassifier("squared_hinge", penalty=penalty, C=0.1, bounds=(None, 1.0), record_history=True)
    assert_type(model.fit(X, y, sample_weight=np.ones(len(y))), MarginLinearClassifier)
    assert_type(model.predict(X), Array)
    assert_type(model.decision_function(X), Array)
    assert_type(model.predict_proba(X), Array)
    assert_type(model.predict_log_proba(X), Array)
    assert_type(model.score(X, y), float)
    assert_type(model.intercept_, Array)
    assert_type(model.suboptimality_, Array)
    assert_type(model.status_, tuple[str, ...])
    assert_type(model.loss_, MarginLoss)
    print(model.coef_.shape, model.n_iter_.max(), model.history_[0]["objective"][-1])
    return model.set_params(C=1.0, penalty__l1_ratio=0.9).fit(X, y)


def search(X: Array, y: Array) -> None:
    pipeline = make_pipeline(StandardScaler(), MarginLinearClassifier())
    grid = {"marginlinearclassifier__loss": ["logistic", SmoothHinge(gamma=0.5), Softplus()]}
    GridSearchCV(pipeline, grid).fit(X, y)


def own_losses() -> None:
    print(check_margin_loss(Softplus(tau=0.5)), check_margin_loss(Absolute()))
    register_loss("softplus of a script", Softplus)
    assert_type(Softplus(0.5).evaluate([0.0, 1.0]), tuple[Array, Array, Array])
    assert_type(Softplus().tau, float)
    found: Array = get_loss("logistic").probability([0.0])
    print(found, {name: kind().formula for name, kind in catalogue().items()})


def penalties(X: Array, y: Array) -> None:
    for penalty in (L2(), L1({"age": 0.0}), GroupLasso(groups=[[0, 1], [2, 3]], weights=[1.0, 2.0]), get_penalty("l1")):
        MarginLinearClassifier("logistic", penalty=penalty)
    assert_type(smallest_C(X, y, penalty="l1", loss="logistic"), float)


def inspect(model: MarginLinearClassifier, X: Array, y: Array) -> None:
    assert_type(LossDisplay.from_losses("hinge", Softplus()), LossDisplay)
    MarginDisplay.from_estimator(model, X, y).plot()
    print(ConvergenceDisplay.from_estimator(model).ax_, TRUSTED_TYPES)
    register_onnx_converter()


def mistakes() -> None:
    MarginLinearClassifier(los="hinge")  # type: ignore[call-arg]
    MarginLinearClassifier(loss=0.5)  # type: ignore[arg-type]
    Softplus(tau="wide")  # type: ignore[arg-type]
    get_loss("hinge").evaluate([0.0])[3]  # type: ignore[misc]


if __name__ == "__main__":
    X, y = load_iris(return_X_y=True)
    own_losses()
    penalties(X, y)
    search(X, y)
    inspect(fit(X, y), X, y)
