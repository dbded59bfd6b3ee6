"""Linear classification with any margin loss."""

from ._classifier import MarginLinearClassifier

__all__ = ["MarginLinearClassifier"]
