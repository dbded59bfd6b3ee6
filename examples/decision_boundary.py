r"""
Decision boundaries
===================

scikit-learn's ``DecisionBoundaryDisplay`` works as it does for its own classifiers.
"""

import matplotlib.pyplot as plt
from sklearn.datasets import load_iris
from sklearn.inspection import DecisionBoundaryDisplay

from marginclf import MarginLinearClassifier

iris = load_iris()
X, y = iris.data[:, 2:], iris.target

figure, axes = plt.subplots(1, 3, figsize=(10, 3.6), sharex=True, sharey=True, layout="constrained")
for ax, loss in zip(axes, ("logistic", "hinge", "squared"), strict=True):
    model = MarginLinearClassifier(loss, C=10.0).fit(X, y)
    DecisionBoundaryDisplay.from_estimator(model, X, response_method="predict", alpha=0.3, ax=ax)
    ax.scatter(*X.T, c=y, s=12, edgecolor="black", linewidth=0.4)
    ax.set(title=f"{loss}: accuracy {model.score(X, y):.2f}", xlabel="length of petals, cm")
axes[0].set_ylabel("width of petals, cm")

# %%
# ``squared`` has no joint margin, since it increases again where a row is right by much: it is fitted one class against
# the rest, and the class in the middle, which no line separates from both others, is the one that loses by it.
#
# Probabilities
# -------------
#
# Of two classes, with the lines of equal probability:
two = y > 0
figure, axes = plt.subplots(1, 2, figsize=(8, 3.6), sharey=True, layout="constrained")
for ax, loss in zip(axes, ("logistic", "squared_hinge"), strict=True):
    model = MarginLinearClassifier(loss, C=10.0).fit(X[two], y[two])
    DecisionBoundaryDisplay.from_estimator(
        model,
        X[two],
        response_method="predict_proba",
        levels=[0, 0.1, 0.25, 0.5, 0.75, 0.9, 1],
        cmap="PuOr",
        alpha=0.6,
        ax=ax,
    )
    ax.scatter(*X[two].T, c=y[two], s=16, edgecolor="black", linewidth=0.6, cmap="gray")
    ax.set(title=loss, xlabel="length of petals, cm")
axes[0].set_ylabel("width of petals, cm")
