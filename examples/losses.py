r"""
The losses beside each other
============================

A margin loss is judged by its slope: what a row pulls with, at its margin :math:`m = y z`. A gradient should be stable
and informative, neither exploding nor vanishing where it is needed.
"""

from marginclf.inspection import LossDisplay
from marginclf.losses import MarginLoss, SmoothHinge

# %%
# ``linear`` never lets go: a row that is right by a large margin pulls as hard as one that is wrong. ``logistic`` pulls
# at most with 1 and lets go of what is right. ``exponential`` pulls without limit on an outlier. ``savage`` gives up on
# a row that is far on the wrong side, which resists wrong labels and costs the convexity.
LossDisplay.from_losses("linear", "logistic", "exponential", "savage")

# %%
# The hinge and its relatives
# ---------------------------
#
# The hinge has a kink, and no probability. A rounded one has both a curvature and, by the formula
# :math:`\eta(z) = \varphi'(-z) / (\varphi'(z) + \varphi'(-z))`, a probability, flat at ½ where only the straight
# parts are compared.
LossDisplay.from_losses("hinge", SmoothHinge(gamma=0.5), SmoothHinge(gamma=2.0), "squared_hinge")


# %%
# One of your own
# ---------------
#
# Displays take any loss, before anything is fitted.
class Quartic(MarginLoss):
    """The fourth power of the hinge."""

    def point(self, m):
        t = max(1.0 - m, 0.0)
        return t**4, -4.0 * t**3, 12.0 * t**2


LossDisplay.from_losses("squared_hinge", Quartic(), margin_range=(-1.0, 2.0), names=["squared hinge", "its square"])
