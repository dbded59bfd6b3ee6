r"""
Are the probabilities what they claim?
======================================

Each loss has a probability of its own. scikit-learn's ``CalibrationDisplay`` shows whether, among the rows that were
given 30 %, three in ten are of the class.
"""

import matplotlib.pyplot as plt
from sklearn.calibration import CalibratedClassifierCV, CalibrationDisplay
from sklearn.datasets import load_digits
from sklearn.metrics import log_loss
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from marginclf import MarginLinearClassifier

X, digit = load_digits(return_X_y=True)
X, X_test, y, y_test = train_test_split(X, digit % 2, test_size=0.5, random_state=0)
hinge = MarginLinearClassifier("hinge", C=0.01)
candidates = {
    "logistic": MarginLinearClassifier("logistic", C=0.1),
    "squared_hinge": MarginLinearClassifier("squared_hinge", C=0.1),
    "generalized_cross_entropy": MarginLinearClassifier("generalized_cross_entropy", C=0.1),
    "hinge, calibrated": CalibratedClassifierCV(hinge, method="sigmoid"),
}
figure, ax = plt.subplots(figsize=(6, 5), layout="constrained")
for (name, classifier), marker in zip(candidates.items(), "osd^", strict=True):
    model = make_pipeline(StandardScaler(), classifier).fit(X, y)
    how = {"n_bins": 8, "strategy": "quantile", "name": name, "marker": marker}
    CalibrationDisplay.from_estimator(model, X_test, y_test, ax=ax, **how)
    print(f"{name:26} log-loss {log_loss(y_test, model.predict_proba(X_test)):.3f}")
ax.set(title="digits: odd or even", xlabel="probability that was given", ylabel="share of odd ones")

# %%
# A loss without a probability has no ``predict_proba``, and says what to do:
try:
    hinge.fit(X, y).predict_proba(X)
except AttributeError as error:
    print(error.__cause__ or error)
