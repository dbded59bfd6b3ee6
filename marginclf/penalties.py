"""Penalties of the coefficients, for ``MarginLinearClassifier(penalty=...)``, and the C that lets the first one in."""

from ._estimator.smallest_c import smallest_C
from ._penalties import L1, L2, ElasticNet, GroupLasso, get_penalty

__all__ = ["L1", "L2", "ElasticNet", "GroupLasso", "get_penalty", "smallest_C"]
