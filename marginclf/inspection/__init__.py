"""Pictures of losses, margins and fits, in the form of scikit-learn's displays; drawn by matplotlib."""

from .convergence import ConvergenceDisplay
from .losses import LossDisplay
from .margins import MarginDisplay

__all__ = ["ConvergenceDisplay", "LossDisplay", "MarginDisplay"]
