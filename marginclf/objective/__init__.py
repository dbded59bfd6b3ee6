"""What is minimised: design matrix, loss, penalty and intercept, of two classes or of many with one joint margin."""

from .binary import Objective, Point, signed_weights
from .joint import JointObjective, JointPoint, shortened
from .watched import StopFit, Watched

__all__ = ["JointObjective", "JointPoint", "Objective", "Point", "StopFit", "Watched", "shortened", "signed_weights"]
