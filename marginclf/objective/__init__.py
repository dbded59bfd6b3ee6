"""What is minimised: design matrix, loss, penalty and intercept, of two classes or of many with one joint margin."""

from .active_rows import ActiveRows, sides
from .base import DIRECT_LIMIT, FAR_MARGIN, Objective, Reach, is_curved
from .binary import BinaryObjective
from .binary_point import BinaryPoint
from .certificate import above, by_duality, fenchel_young, gain
from .curvature import Curvature
from .envelope import Answer, answer, imbalance
from .in_memory import CONSTANT, InMemoryObjective
from .intercepts import intercept_step, shortened
from .joint import JointObjective
from .joint_dual import dual_of_step
from .joint_moves import Move, softmax
from .joint_point import JointPoint
from .labels import signed_weights
from .monitored import Monitored, StopFit
from .newton_dual import newton_dual
from .newton_steps import few_operations
from .nonsmooth_penalty import NonsmoothPenalty
from .partial_sums import Problem
from .partitioned import PartitionedObjective
from .partitioned_point import PartitionedPoint
from .penalty import L2
from .point import Point
from .rounding import rounding_of_proof

__all__ = [
    "CONSTANT",
    "DIRECT_LIMIT",
    "FAR_MARGIN",
    "L2",
    "ActiveRows",
    "Answer",
    "BinaryObjective",
    "BinaryPoint",
    "Curvature",
    "InMemoryObjective",
    "JointObjective",
    "JointPoint",
    "Monitored",
    "Move",
    "NonsmoothPenalty",
    "Objective",
    "PartitionedObjective",
    "PartitionedPoint",
    "Point",
    "Problem",
    "Reach",
    "StopFit",
    "above",
    "answer",
    "by_duality",
    "dual_of_step",
    "fenchel_young",
    "few_operations",
    "gain",
    "imbalance",
    "intercept_step",
    "is_curved",
    "newton_dual",
    "rounding_of_proof",
    "shortened",
    "sides",
    "signed_weights",
    "softmax",
]
