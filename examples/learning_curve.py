r"""
Learning curves, and what a validation curve says about C
=========================================================

scikit-learn's ``LearningCurveDisplay`` and ``ValidationCurveDisplay``, over two losses.
"""

import matplotlib.pyplot as plt
from sklearn.datasets import load_digits
from sklearn.model_selection import LearningCurveDisplay, ShuffleSplit, ValidationCurveDisplay
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from marginclf import MarginLinearClassifier

X, y = load_digits(return_X_y=True)
folds = ShuffleSplit(n_splits=5, test_size=0.3, random_state=0)

figure, axes = plt.subplots(1, 2, figsize=(9, 3.8), sharey=True, layout="constrained")
for ax, loss in zip(axes, ("logistic", "linear"), strict=True):
    model = make_pipeline(StandardScaler(), MarginLinearClassifier(loss, C=0.01))
    LearningCurveDisplay.from_estimator(model, X, y, cv=folds, score_type="both", ax=ax, score_name="accuracy")
    ax.set_title(loss)

# %%
# ``linear`` is a classifier of class means: it learns fast from few rows, and more of them help it little.
figure, ax = plt.subplots(figsize=(6, 4), layout="constrained")
model = make_pipeline(StandardScaler(), MarginLinearClassifier("squared_hinge"))
ValidationCurveDisplay.from_estimator(
    model,
    X,
    y,
    param_name="marginlinearclassifier__C",
    param_range=[1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1.0],
    cv=folds,
    ax=ax,
    score_name="accuracy",
)
ax.set(title="squared_hinge", xlabel="C")
