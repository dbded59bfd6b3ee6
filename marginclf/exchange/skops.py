"""What a file of skops may hold."""

from __future__ import annotations

from .._estimator import MarginLinearClassifier
from .._penalties import L1, L2, ElasticNet, GroupLasso
from ..losses import catalogue

_TYPES: list[type] = [MarginLinearClassifier, *catalogue().values(), L2, L1, ElasticNet, GroupLasso]

TRUSTED_TYPES = [f"{cls.__module__}.{cls.__qualname__}" for cls in _TYPES]
"""The types of marginclf that a file of skops can hold: for ``skops.io.load(file, trusted=TRUSTED_TYPES)``.

The classifier, the losses of the catalogue and the penalties, in a list of text to which you add: the name of a loss of
your own, and what other steps of a pipeline bring, such as ``"numpy.dtype"`` of scikit-learn's ``SimpleImputer``;
``skops.io.get_untrusted_types`` names what a file holds that skops does not know.

>>> from marginclf.exchange import TRUSTED_TYPES
>>> "marginclf.losses.hinges.Hinge" in TRUSTED_TYPES
True
"""
