"""Penalties of the coefficients, for ``MarginLinearClassifier(penalty=...)``, and the C at which they let the first in."""

from ._estimator.smallest_c import smallest_C
from ._penalties import L1, L2, ElasticNet, GroupLasso, get_penalty

__all__ = ["L1", "L2", "ElasticNet", "GroupLasso", "get_penalty", "smallest_C"]
