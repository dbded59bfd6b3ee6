r"""
More columns than rows: the few that tell classes apart
=======================================================

Four kinds of tumours in children, 63 samples with the activity of 2,308 genes each (Khan and others, 2001, Nature
Medicine 7): which genes are enough to tell them apart? The data is in the package ISLP, and only its files are needed:
``pip install --no-deps ISLP``. Where it is not, digits take its place: few rows, and products of pixels as columns.
"""

from importlib.util import find_spec
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.datasets import load_digits
from sklearn.preprocessing import PolynomialFeatures

from marginclf import MarginLinearClassifier
from marginclf.penalties import smallest_C


def khan():
    """Columns and classes to learn from, and to test on."""
    folder = Path(find_spec("ISLP").origin).parent / "data"  # finds, and does not import
    names = ("xtrain", "ytrain", "xtest", "ytest")
    X, y, X_test, y_test = (pd.read_csv(folder / f"Khan_{name}.csv").to_numpy() for name in names)
    return X, y.ravel(), X_test, y_test.ravel()


def few_digits():
    """The same of digits: four classes, 63 rows, and 2,144 columns."""
    X, y = load_digits(n_class=4, return_X_y=True)
    products = PolynomialFeatures(2, include_bias=False, order="F").fit_transform
    return products(X[:63] / 16.0), y[:63], products(X[63:] / 16.0), y[63:]


X, y, X_test, y_test = khan() if find_spec("ISLP") else few_digits()
print(f"{len(y)} rows to learn from, {len(y_test)} to test on, {X.shape[1]} columns, {len(np.unique(y))} classes")

# %%
# One number for a column, or one for each class
# ----------------------------------------------
#
# One joint margin has a coefficient for each class and column. With ``"l1"`` each of them is in or out by itself: a
# column speaks for one class. With ``"group_lasso"`` the coefficients of a column are a group: it is in for all
# classes, or not needed at all. From the smallest ``C`` upwards:
figure, axes = plt.subplots(2, 2, figsize=(9, 6), sharex="col", layout="constrained")
for (above, below), penalty in zip(axes.T, ("l1", "group_lasso"), strict=True):
    strengths = smallest_C(X, y, penalty=penalty) * np.geomspace(1.0, 300.0, 30)
    model = MarginLinearClassifier(penalty=penalty, tol=1e-6, warm_start=True)
    fits = []
    for C in strengths:
        model.set_params(C=C).fit(X, y)
        fits.append((model.coef_, (model.coef_ != 0).any(axis=0).sum(), model.score(X_test, y_test)))
    W, columns, accuracy = (np.array(values) for values in zip(*fits, strict=True))
    for k, color in enumerate(("#0072B2", "#D55E00", "#009E73", "#CC79A7")):
        above.semilogx(strengths, W[:, k][:, (W[:, k] != 0).any(axis=0)], color=color, linewidth=0.9)
    above.set_title(f"{penalty}: a colour for each class")
    below.semilogx(strengths, columns, "k-", label="columns")
    below.set(xlabel="C")
    right = below.twinx()
    right.semilogx(strengths, 100 * accuracy, "k:", label="accuracy on test rows, %")
    right.set_ylim(0, 105)
    right.grid(visible=False)
    below.legend(handles=[*below.lines, *right.lines], loc="lower right")
    first = np.argmax(accuracy)
    print(f"{penalty:12} accuracy {accuracy[first]:.2f} with {columns[first]} columns; {model.status_[0]}")
axes[0, 0].set_ylabel("coefficient")
axes[1, 0].set_ylabel("columns in the model")
plt.show()

# %%
# Which ones
# ----------
#
# The columns of the first of these models with the highest accuracy, and what each says of each class: purple speaks
# for it, orange against.
some = np.flatnonzero((W[first] != 0).any(axis=0))
some = some[np.argsort(W[first][:, some].argmax(axis=0), kind="stable")]
figure, ax = plt.subplots(figsize=(8, 2.6), layout="constrained")
limit = np.abs(W[first]).max()
image = ax.imshow(W[first][:, some], cmap="PuOr", vmin=-limit, vmax=limit, aspect="auto")
ax.set(yticks=range(len(model.classes_)), yticklabels=model.classes_, ylabel="class", xlabel="column")
ax.set_xticks(range(len(some)), some, rotation=90, fontsize="small")
ax.grid(visible=False)
figure.colorbar(image, label="coefficient")
plt.show()
