"""What a file of skops may hold."""

from __future__ import annotations

from .._estimator import MarginLinearClassifier
from .._penalties import L1, L2, ElasticNet, GroupLasso
from ..losses import catalogue

_TYPES: list[type] = [MarginLinearClassifier, *catalogue().values(), L2, L1, ElasticNet, GroupLasso]

TRUSTED_TYPES = [f"{cls.__module__}.{cls.__qualname__}" for cls in _TYPES]
"""The types of marginclf that a file of skops can hold: for ``skops.io.load(file, trusted=TRUSTED_TYPES)``.

The classifier, the losses of the catalogue and the penalties; add the name of your own loss where the file holds one.
"""
