r"""
A loss of your own, from formula to certificate
===============================================

Ten lines of Python are compiled into the passes over the data that the built-in losses use, and the fit is proven like
theirs.
"""

import math

import matplotlib.pyplot as plt
from sklearn.datasets import load_breast_cancer
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from marginclf import MarginLinearClassifier
from marginclf.inspection import ConvergenceDisplay, LossDisplay
from marginclf.losses import MarginLoss, check_margin_loss


class LogHinge(MarginLoss):
    """Softplus of a hinge: s log(1 + exp((1 - m)/s)), the hinge as s goes to 0."""

    s: float = 0.5

    def point(self, m):
        u = (1.0 - m) / self.s
        e = math.exp(-abs(u))
        p = 1.0 / (1.0 + e) if u > 0.0 else e / (1.0 + e)
        value = self.s * (max(u, 0.0) + math.log1p(e))
        return value, -p, p * (1.0 - p) / self.s


print(check_margin_loss(LogHinge()))

# %%
# It can be drawn before anything is compiled or fitted:
LossDisplay.from_losses("hinge", LogHinge(s=0.1), LogHinge(s=0.5), LogHinge(s=2.0))

# %%
# And fitted, searched and proven:
X, y = load_breast_cancer(return_X_y=True)
model = make_pipeline(StandardScaler(), MarginLinearClassifier(LogHinge(), record_history=True))
grid = {"marginlinearclassifier__loss__s": [0.1, 0.5, 2.0], "marginlinearclassifier__C": [0.01, 0.1, 1.0]}
search = GridSearchCV(model, grid, cv=5).fit(X, y)
best = search.best_estimator_
print(search.best_params_)
print(f"accuracy of the folds {search.best_score_:.3f}; {best[-1].status_[0]}")
display = ConvergenceDisplay.from_estimator(best, against=["iterations"])
plt.show()
