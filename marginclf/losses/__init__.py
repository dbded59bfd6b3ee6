"""The losses, each written once as a class with one method ``point``.

A new loss is one class in one file of this folder and its name in the tuple of registry.py; kernels, solvers, tests,
docs and error messages take it from there.
"""

from .base import MarginLoss
from .bounded import GeneralizedCrossEntropy, Savage, Sigmoid, Tangent
from .checking import check_margin_loss
from .hinges import Hinge, ModifiedHuber, SmoothHinge, SquaredHinge
from .large_margin import DWD, LUM
from .logarithmic import Exponential, Logistic
from .polynomial import Linear, Squared
from .registry import catalogue, get_loss, register_loss

__all__ = [
    "DWD",
    "LUM",
    "Exponential",
    "GeneralizedCrossEntropy",
    "Hinge",
    "Linear",
    "Logistic",
    "MarginLoss",
    "ModifiedHuber",
    "Savage",
    "Sigmoid",
    "SmoothHinge",
    "Squared",
    "SquaredHinge",
    "Tangent",
    "catalogue",
    "check_margin_loss",
    "get_loss",
    "register_loss",
]
