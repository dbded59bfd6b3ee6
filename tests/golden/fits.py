"""Fits whose coefficients are stored: losses × data × C × intercept, and one estimator of each version as a pickle."""

import json
import pickle
import warnings
from pathlib import Path

import numpy as np
from sklearn.datasets import load_breast_cancer, load_iris, load_wine
from sklearn.exceptions import ConvergenceWarning
from sklearn.preprocessing import scale

import marginclf
from marginclf import MarginLinearClassifier
from marginclf.losses import catalogue

FOLDER = Path(__file__).parent
FILE = FOLDER / "fits.json"
DATA = {"breast_cancer": load_breast_cancer, "iris": load_iris, "wine": load_wine}
STRENGTHS = (0.01, 1.0)


def cases():
    for loss in catalogue():
        for data in DATA:
            for C in STRENGTHS:
                for fit_intercept in (True, False):
                    yield loss, data, C, fit_intercept


def name(loss, data, C, fit_intercept):
    return f"{loss}, {data}, C={C:g}, {'intercept' if fit_intercept else 'no intercept'}"


def fit(loss, data, C, fit_intercept):
    X, y = DATA[data](return_X_y=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # sigmoid runs off where classes are unbalanced
        return MarginLinearClassifier(loss, C=C, fit_intercept=fit_intercept, tol=1e-12).fit(scale(X), y)


def summary(model):
    """What is stored: enough of it that another optimum would show, in a line of a file."""
    return {
        "objective": [float(f"{value:.10g}") for value in model.objective_],
        "norm": float(f"{np.linalg.norm(model.coef_):.8g}"),
        "first": [float(f"{value:.8g}") for value in model.coef_[:, 0]],
        "intercept": [float(f"{value:.8g}") for value in model.intercept_],
    }


def pickles():
    return sorted(FOLDER.glob("*.pkl"))


def stored():
    return json.loads(FILE.read_text(encoding="utf-8"))


def _line(case, line):
    return f"{json.dumps(name(*case))}: {json.dumps(line)}"


def write_missing():
    """The cases that the file does not have; the lines of the others stay as they are, and those of no case go."""
    known = stored()
    missing = [case for case in cases() if name(*case) not in known]
    lines = [_line(case, known.get(name(*case)) or summary(fit(*case))) for case in cases()]
    FILE.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")
    return [name(*case) for case in missing]


def write():
    lines = [_line(case, summary(fit(*case))) for case in cases()]
    FILE.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")
    if "dev" in marginclf.__version__:
        return  # only what was released has to load for ever
    X, y = load_iris(return_X_y=True)
    models = {loss: MarginLinearClassifier(loss).fit(X, y) for loss in catalogue()}
    content = {loss: (model, model.decision_function(X)) for loss, model in models.items()}
    (FOLDER / f"{marginclf.__version__}.pkl").write_bytes(pickle.dumps(content))
