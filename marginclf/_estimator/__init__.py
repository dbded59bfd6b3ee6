"""The estimator: what a user passes in, the problems that this makes, and what is fitted by them."""

from .classifier import MarginLinearClassifier

__all__ = ["MarginLinearClassifier"]
