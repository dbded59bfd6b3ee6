r"""
A search over losses, as over any parameter
===========================================

The loss is a name or an object, so ``GridSearchCV`` searches it beside ``C``.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import GridSearchCV, train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from marginclf import MarginLinearClassifier
from marginclf.losses import SmoothHinge

X, y = load_digits(return_X_y=True)
X, X_test, y, y_test = train_test_split(X, y, test_size=0.5, stratify=y, random_state=0)
losses = ["logistic", "squared_hinge", SmoothHinge(gamma=0.5), "dwd", "squared"]
strengths = [1e-4, 1e-3, 1e-2, 1e-1, 1.0]
model = make_pipeline(StandardScaler(), MarginLinearClassifier())
grid = {"marginlinearclassifier__loss": losses, "marginlinearclassifier__C": strengths}
search = GridSearchCV(model, grid, cv=3).fit(X, y)
print("chosen:", search.best_params_)
print(f"accuracy of the folds {search.best_score_:.3f}, of the other half {search.score(X_test, y_test):.3f}")

# %%
# Each loss has a C of its own: its scale is not that of the others, and a comparison at one C says little.
results = search.cv_results_
figure, ax = plt.subplots(figsize=(7, 4), layout="constrained")
for loss, style in zip(losses, ("o-", "s--", "^-.", "d:", "v-"), strict=True):
    rows = [k for k, p in enumerate(results["params"]) if p["marginlinearclassifier__loss"] is loss]
    mean, error = np.array(results["mean_test_score"])[rows], np.array(results["std_test_score"])[rows]
    ax.errorbar(strengths, mean, error, fmt=style, capsize=2, label=str(loss))
ax.set(xscale="log", xlabel="C", ylabel="accuracy, three folds", title="digits: ten classes")
ax.legend()

# %%
# Parameters of a loss are searched by name; losses with different ones by a list of grids.
grids = [
    {"marginlinearclassifier__loss": ["logistic"]},
    {"marginlinearclassifier__loss": ["smooth_hinge"], "marginlinearclassifier__loss__gamma": [0.1, 1.0, 10.0]},
]
search = GridSearchCV(model.set_params(marginlinearclassifier__C=0.01), grids, cv=3).fit(X, y)
print("chosen:", search.best_params_)
