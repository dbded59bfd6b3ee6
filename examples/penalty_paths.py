r"""
Paths of coefficients, and groups that go in and out
====================================================

From the ``C`` that lets the first coefficient in, upwards: which features come, in which order, and what they take from
one another. One penalty looks at coefficients one by one, another at groups of them.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_breast_cancer
from sklearn.preprocessing import StandardScaler

from marginclf import MarginLinearClassifier
from marginclf.penalties import L1, ElasticNet, GroupLasso, smallest_C

data = load_breast_cancer()
X, y = StandardScaler().fit_transform(data.data), data.target
measured = np.array([name.replace("mean ", "") for name in data.feature_names[:10]])  # each as mean, error and worst


def path(penalty, times=500.0, bounds=None):
    """Values of C from the smallest to so many times that, and the coefficients at each."""
    strengths = smallest_C(X, y, penalty=penalty) * np.geomspace(1.0, times, 41)
    model = MarginLinearClassifier(penalty=penalty, bounds=bounds, warm_start=True)
    return strengths, np.array([model.set_params(C=C).fit(X, y).coef_[0] for C in strengths])


# %%
# Coefficients one by one
# -----------------------
#
# With ``"l1"`` most are zero, and one of several features that say the same comes in for all of them. The squares in an
# elastic net share a coefficient among these: more of them are in, and each is smaller.
figure, axes = plt.subplots(1, 2, figsize=(9, 3.8), sharey=True, layout="constrained")
penalties = {"L1()": L1(), "ElasticNet(l1_ratio=0.5)": ElasticNet(l1_ratio=0.5)}
for ax, (name, penalty) in zip(axes, penalties.items(), strict=True):
    C, W = path(penalty)
    ax.semilogx(C, W, linewidth=1)
    ax.set(title=name, xlabel="C")
    print(f"{name:26} coefficients that are not zero:", *(W[::10] != 0).sum(axis=1))
axes[0].set_ylabel("coefficient")
plt.show()

# %%
# Groups
# ------
#
# The thirty features are ten measurements of a cell's nucleus, each as a mean, an error and the worst of the cells.
# With a group for each measurement, its three coefficients are all in the model or none is: a measurement that is not
# in need not be made. A group that is in can leave again, where others that came later say the same and more.
C, W = path(GroupLasso(groups=np.tile(measured, 3)), times=3000.0)
norms = np.linalg.norm(W.reshape(len(C), 3, 10), axis=1)
figure, axes = plt.subplots(2, 1, figsize=(8, 6), sharex=True, layout="constrained")
order = np.argsort(np.argmax(norms > 0, axis=0), kind="stable")
for place, g in enumerate(order):
    style = {"color": f"C{place}", "linestyle": "-" if place < 5 else "--"}
    axes[0].semilogx(C, norms[:, g], label=measured[g], **style)
    inside = norms[:, g] > 0
    axes[1].plot(C, np.where(inside, place, np.nan), linewidth=6, solid_capstyle="butt", color=f"C{place}")
axes[0].set(ylabel="norm of the group", ylim=(0, 6))
axes[0].legend(ncols=2, fontsize="small")
axes[1].set(yticks=range(10), yticklabels=measured[order], xlabel="C", title="in the model")
axes[1].invert_yaxis()
plt.show()

# %%
# Signs that are known
# --------------------
#
# Class 1 is a benign tumour. Where a larger measurement must not speak for it, each coefficient has the upper bound 0:
# decision values are then monotone in each feature.
for bounds in (None, (None, 0)):
    C, W = path("l1", bounds=bounds)
    print(f"bounds={bounds!s:10}  at the largest C {(W[-1] > 0).sum()} coefficients above 0, {(W[-1] < 0).sum()} below")
