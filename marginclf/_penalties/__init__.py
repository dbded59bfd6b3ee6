"""The penalties as a user writes them: parameters, checked against the features of X when a fit begins."""

from .base import Penalty, Terms
from .bounds import resolve_bounds
from .catalogue import L1, L2, ElasticNet, GroupLasso, get_penalty

__all__ = ["L1", "L2", "ElasticNet", "GroupLasso", "Penalty", "Terms", "get_penalty", "resolve_bounds"]
