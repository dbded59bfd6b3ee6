"""What is minimised: design matrix, loss, penalty and intercept, of two classes or of many with one joint margin."""

from .binary import Objective, Point, signed_weights
from .joint import JointObjective, JointPoint, intercept_step, shortened, with_penalty
from .kinks import Zone, sides
from .partitioned import PartitionedObjective, PartitionedPoint
from .share import Problem
from .watched import StopFit, Watched

__all__ = [
    "JointObjective",
    "JointPoint",
    "Objective",
    "PartitionedObjective",
    "PartitionedPoint",
    "Point",
    "Problem",
    "StopFit",
    "Watched",
    "Zone",
    "intercept_step",
    "shortened",
    "sides",
    "signed_weights",
    "with_penalty",
]
