"""Search over losses and C on the bundled breast-cancer data, then rank the held-out cases."""

import time

import numpy as np
from sklearn.base import clone
from sklearn.datasets import load_breast_cancer
from sklearn.metrics import accuracy_score, log_loss, roc_auc_score
from sklearn.model_selection import GridSearchCV, train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from marginclf import MarginLinearClassifier
from marginclf.losses import SmoothHinge, catalogue


def main():
    data = load_breast_cancer()
    diagnoses = data.target_names[data.target]  # "malignant" or "benign": labels may be strings
    X_train, X_test, y_train, y_test = train_test_split(
        data.data, diagnoses == "malignant", test_size=0.3, stratify=diagnoses, random_state=0
    )
    model = make_pipeline(StandardScaler(), MarginLinearClassifier())
    losses = [*catalogue(), SmoothHinge(gamma=0.5)]  # names and objects mix
    search = GridSearchCV(
        model,
        {"marginlinearclassifier__loss": losses, "marginlinearclassifier__C": [0.01, 0.1, 1.0, 10.0, 100.0]},
        scoring="roc_auc",
        cv=5,
    ).fit(X_train, y_train)

    print(f"{len(y_train)} cases to learn from; the figures are those of {len(y_test)} held-out cases.")
    print("The losses in the order of their cross-validated ROC-AUC:\n")
    header = f"{'loss':<28}{'best C':>8}{'accuracy':>10}{'ROC-AUC':>9}{'log-loss':>10}{'fit, ms':>9}"
    print(header + f"{'suboptimality':>15}")
    for parameters in best_of_each_loss(search):
        fitted = clone(model).set_params(**parameters)
        start = time.perf_counter()
        fitted.fit(X_train, y_train)
        print(table_row(fitted, 1e3 * (time.perf_counter() - start), X_test, y_test))

    best = search.best_estimator_
    print("\nchosen by cross-validation:", best[-1])
    show_ranking(best.decision_function(X_test), y_test)


def best_of_each_loss(search):
    """Return, for each loss, the parameters with its best C, the best loss first."""
    results = search.cv_results_
    best = {}
    for k in np.argsort(results["rank_test_score"], kind="stable"):
        parameters = results["params"][k]
        best.setdefault(str(parameters["marginlinearclassifier__loss"]), parameters)
    return best.values()


def table_row(model, milliseconds, X, y):
    """Return one line of the table; "-" where a figure does not exist."""
    classifier = model[-1]
    z = model.decision_function(X)
    loss = log_loss(y, model.predict_proba(X)) if hasattr(model, "predict_proba") else np.nan
    figures = (
        f"{classifier.C:>8g}",
        f"{accuracy_score(y, model.predict(X)):>10.3f}",
        f"{roc_auc_score(y, z):>9.4f}",
        f"{dash(loss, '.4f'):>10}",
        f"{milliseconds:>9.1f}",
        f"{dash(classifier.suboptimality_[0], '.1e'):>15}",
    )
    return f"{classifier.loss!s:<28}" + "".join(figures)


def dash(value, kind):
    return "-" if np.isnan(value) else format(value, kind)


def show_ranking(z, malignant, ends=5):
    """Print the cases with the largest and smallest decision values."""
    order = np.argsort(-z)
    print(f"\n{'rank':>4}{'decision value':>16}  true label")
    for rank in range(len(z)):
        if rank == ends:
            print(f"{'...':>4}")
        if rank < ends or rank >= len(z) - ends:
            case = order[rank]
            print(f"{rank + 1:>4}{z[case]:>16.3f}  {'malignant' if malignant[case] else 'benign'}")


if __name__ == "__main__":
    main()
