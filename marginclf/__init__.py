"""Linear classification with any margin loss."""

from ._estimator import MarginLinearClassifier
from ._version import __version__

__all__ = ["MarginLinearClassifier", "__version__"]
