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

    print(f"{len(y_train)} cases to learn from, and {len(y_test)} held out.")
    print("The losses in the order of their ROC-AUC in cross-validation; right of it, the held-out cases:\n")
    header = f"{'loss':<28}{'best C':>8}{'cv ROC-AUC':>12}{'accuracy':>10}{'ROC-AUC':>9}{'log-loss':>10}"
    print(header + f"{'fit, ms':>9}{'suboptimality':>15}")
    for parameters, score in best_of_each_loss(search):
        fitted = clone(model).set_params(**parameters)
        start = time.perf_counter()
        fitted.fit(X_train, y_train)
        print(table_row(fitted, score, 1e3 * (time.perf_counter() - start), X_test, y_test))

    best = search.best_estimator_
    chosen = f"loss={best[-1].loss!r}, C={best[-1].C:g}"
    print(f"\nchosen by cross-validation: {chosen}, with a ROC-AUC of {search.best_score_:.4f} there")
    show_ranking(best.decision_function(X_test), y_test)


def best_of_each_loss(search):
    """Return, for each loss, the parameters with its best C and their score, the best loss first."""
    results = search.cv_results_
    best = {}
    for k in np.argsort(results["rank_test_score"], kind="stable"):
        parameters = results["params"][k]
        score = results["mean_test_score"][k]
        best.setdefault(str(parameters["marginlinearclassifier__loss"]), (parameters, score))
    return best.values()


def table_row(model, score, milliseconds, X, y):
    """Return one line of the table; "-" where a figure does not exist."""
    classifier = model[-1]
    z = model.decision_function(X)
    loss = log_loss(y, model.predict_proba(X)) if hasattr(model, "predict_proba") else np.nan
    figures = (
        f"{classifier.C:>8g}",
        f"{score:>12.4f}",
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
