"""What is minimised: design matrix, loss, penalty and intercept, of two classes or of many with one joint margin."""

from .base import CONSTANT, FAR_MARGIN, Objective, Reach
from .binary import BinaryObjective
from .binary_point import BinaryPoint
from .certificate import above, by_duality, fenchel_young, gain
from .curvature import Curvature, with_penalty
from .intercepts import intercept_step, shortened
from .joint import JointObjective
from .kinks import Zone, sides
from .labels import signed_weights
from .monitored import Monitored, StopFit
from .partitioned import PartitionedObjective, PartitionedPoint
from .penalty import L2, Penalty
from .point import Point
from .share import Problem

__all__ = [
    "CONSTANT",
    "FAR_MARGIN",
    "L2",
    "BinaryObjective",
    "BinaryPoint",
    "Curvature",
    "JointObjective",
    "Monitored",
    "Objective",
    "PartitionedObjective",
    "PartitionedPoint",
    "Penalty",
    "Point",
    "Problem",
    "Reach",
    "StopFit",
    "Zone",
    "above",
    "by_duality",
    "fenchel_young",
    "gain",
    "intercept_step",
    "shortened",
    "sides",
    "signed_weights",
    "with_penalty",
]
