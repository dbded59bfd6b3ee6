r"""
How close to the optimum: the proven suboptimality
==================================================

With a convex loss and a penalty, every iterate has a proven bound on what is still to be gained,
:math:`(F - F^*)/|F| \le \tfrac12 \lVert \nabla_w F \rVert^2 / |F|`, or the duality gap. ``record_history=True`` keeps
it.
"""

import numpy as np
from sklearn.datasets import load_digits
from sklearn.preprocessing import scale

from marginclf import MarginLinearClassifier
from marginclf.inspection import ConvergenceDisplay

X, digit = load_digits(return_X_y=True)
X, y = scale(X), digit % 2

# %%
# Three solvers on one problem: is the digit odd? Newton's method needs few iterations, each with a Hessian; L-BFGS
# more, each a pass over the rows; coordinate ascent in the dual visits the rows one by one.
axes = None
for solver in ("newton", "lbfgs", "dual"):
    model = MarginLinearClassifier("squared_hinge", solver=solver, record_history=True).fit(X, y)
    axes = ConvergenceDisplay.from_estimator(model, ax=axes, name=solver).ax_
    history = model.history_[0]
    print(f"{solver:7} {model.n_iter_[0]:4} iterations, {history['passes'][-1]:4.0f} passes, {model.status_[0]}")

# %%
# Is the bound true?
# ------------------
#
# Against the best objective of all, the true suboptimality lies below the bound at every iterate.
model = MarginLinearClassifier("logistic", solver="lbfgs", record_history=True).fit(X, y)
best = MarginLinearClassifier("logistic", solver="newton", tol=0.0).fit(X, y).objective_[0]
history = model.history_[0]
true = (history["objective"] - best) / history["objective"]
assert np.all(true <= history["suboptimality"] + 1e-12)
display = ConvergenceDisplay.from_history(
    history, {**history, "suboptimality": true}, names=["proven", "true"], against=["iterations"]
)

# %%
# A loss that is not convex
# -------------------------
#
# Nothing is proven of it. How the objective came down can still be drawn.
model = MarginLinearClassifier("savage", record_history=True).fit(X, y)
ConvergenceDisplay.from_estimator(model, figure="objective", against=["iterations"])
