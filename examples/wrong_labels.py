r"""
Wrong labels: a bounded loss gives them up
==========================================

A third of the labels of one class are wrong. A convex loss has to listen to each of them; a bounded one, started at the
convex optimum, gives up those that lie far on the wrong side.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_breast_cancer
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler

from marginclf import MarginLinearClassifier
from marginclf.inspection import MarginDisplay

X, y = load_breast_cancer(return_X_y=True)
X, X_test, y, y_test = train_test_split(X, y, test_size=0.4, stratify=y, random_state=0)
scaler = StandardScaler().fit(X)
X, X_test = scaler.transform(X), scaler.transform(X_test)
rng = np.random.default_rng(0)
wrong = (y == 1) & (rng.random(len(y)) < 0.35)
given = np.where(wrong, 0, y)
print(f"{wrong.sum()} of {len(y)} labels are wrong, all of them of class 1")

figure, axes = plt.subplots(2, 1, figsize=(7, 6.5), layout="constrained")
for loss, ax in zip(("logistic", "generalized_cross_entropy"), axes, strict=True):
    model = MarginLinearClassifier(loss, C=1.0).fit(X, given)
    display = MarginDisplay.from_estimator(model, X, given, ax=ax)
    margins = display.margins
    print(f"{loss:26} accuracy on right labels {model.score(X_test, y_test):.3f}")
    share = wrong[np.argsort(margins)[: wrong.sum()]].mean()
    print(f"{'':26} of the {wrong.sum()} rows with the lowest margins, {100 * share:.0f} % are the wrong ones")

# %%
# The margins of such a fit are a list of labels to look at again.
