r"""
Who decides the fit: margins under three losses
===============================================

After a fit, each row has a margin. Where the loss has a slope there, the row pulls; where it has none, the row could be
left out without changing the coefficients.
"""

import matplotlib.pyplot as plt
from sklearn.datasets import load_breast_cancer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from marginclf import MarginLinearClassifier
from marginclf.inspection import MarginDisplay

X, y = load_breast_cancer(return_X_y=True)
figure, axes = plt.subplots(3, 1, figsize=(7, 9), layout="constrained")
for loss, ax in zip(("hinge", "logistic", "savage"), axes, strict=True):
    model = make_pipeline(StandardScaler(), MarginLinearClassifier(loss, C=0.1)).fit(X, y)
    display = MarginDisplay.from_estimator(model, X, y, ax=ax)
    print(f"{loss:9} accuracy {model.score(X, y):.3f}, rows with a slope {100 * display.support_:.0f} %")

# %%
# The hinge is decided by the few rows with a margin below 1, its support vectors. The logistic loss listens to all, the
# less the more they are right. With savage, rows far on the wrong side count for little.
#
# Leave out what has no slope
# ---------------------------
#
# The rows outside the marked region can go, and the fit stays:
scaled = StandardScaler().fit_transform(X)
whole = MarginLinearClassifier("hinge", C=0.1).fit(scaled, y)
margins = (2 * y - 1) * whole.decision_function(scaled)
kept = margins < 1.0 + 1e-6
part = MarginLinearClassifier("hinge", C=0.1).fit(scaled[kept], y[kept])
print(f"{kept.sum()} of {len(y)} rows; largest difference of a coefficient: {abs(part.coef_ - whole.coef_).max():.1e}")
