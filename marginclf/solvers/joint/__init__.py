"""Solvers for the joint margin of many classes, and the rule that chooses between them."""

from __future__ import annotations

import numpy as np

from ...objective import JointObjective, JointPoint, StopFit
from ..rule import SPARSE, SWEEPS, dual_suits
from ..solution import LITTLE, Solution, Status, bounded_by, proves_coefficients
from .direction import DIRECT_LIMIT, direct
from .dual import joint_dual
from .lbfgs import joint_lbfgs
from .multipliers import joint_multipliers
from .newton import joint_newton

_FEW_OPERATIONS = 2e7
_SWEEPS = 4
_PATIENCE = 300


def solve_joint(
    objective: JointObjective, w: np.ndarray, b: np.ndarray, *, solver: str, tol: float, max_iter: int, seed: int = 0
) -> Solution[JointPoint]:
    """Minimise a joint objective by the named solver, or by the one that suits it.

    Parameters
    ----------
    objective : JointObjective
        F.
    w, b : ndarray of shape (K, d), (K,)
        Where to start.
    solver : {"auto", "lbfgs", "newton", "dual"}
        The solver.
    tol : float
        Relative suboptimality at which to stop.
    max_iter : int
        Largest number of iterations.
    seed : int, default=0
        For solvers that draw random numbers.

    Raises
    ------
    OverflowError
        If the gradient at zero, its square, the Hessian or the solution overflows.
    """
    try:
        solution = _solve(objective, w, b, solver=solver, tol=tol, max_iter=max_iter, seed=seed)
        objective.report(lambda: solution.point)
    except StopFit as stop:
        solution = Solution(stop.point, Status.STOPPED, stop.n_iter)
    point = solution.point
    if not (np.isfinite(point.value) and np.isfinite(point.w).all() and np.isfinite(point.b).all()):
        raise OverflowError("the solution overflows")
    return solution


def _solve(
    objective: JointObjective, w: np.ndarray, b: np.ndarray, *, solver: str, tol: float, max_iter: int, seed: int
) -> Solution[JointPoint]:
    n, d = objective.matrix.shape
    suits = dual_suits(n, d, objective.matrix.entries) and not _small(objective)
    if solver == "dual" or (solver == "auto" and objective.provable and suits):
        warm = _start(objective, w, b) if w.any() else None
        if objective.loss.smooth:
            objective.report(lambda: warm or objective.origin())
        first = joint_dual(objective, warm, tol=tol, max_iter=max(1, int(SWEEPS * max_iter)), seed=seed)
        if first.status.converged and not _worth_sharpening(objective, first, tol):
            return first
        return _finished(objective, first, tol=tol, max_iter=max_iter)
    start = _start(objective, w, b)
    if objective.loss.smooth:  # elsewhere nothing is proven of it
        objective.report(lambda: start)
    if not objective.loss.smooth:
        return joint_multipliers(objective, start, tol=tol, max_iter=max_iter)
    if solver == "newton" or (solver == "auto" and (_small(objective) or _wide(objective))):
        return joint_newton(objective, start, tol=tol, max_iter=max_iter)
    if solver == "lbfgs":
        return joint_lbfgs(objective, start, tol=tol, max_iter=max_iter)
    first = joint_lbfgs(objective, start, tol=tol, max_iter=min(max_iter, _PATIENCE))
    if first.status.converged or first.status is Status.SEPARABLE:
        return first
    return _finished(objective, first, tol=tol, max_iter=max_iter)


def _finished(
    objective: JointObjective, first: Solution[JointPoint], *, tol: float, max_iter: int
) -> Solution[JointPoint]:
    """What another solver left, taken on by Newton's method or the method of multipliers."""
    point, a = first.point, first.alpha
    # Ascent climbs in the dual: early, or where that loses its way, the point that it makes may be far above zero's.
    if not point.value <= objective.at_zero:
        point, a = objective.origin(), None
    if first.n_iter >= max_iter:
        if point is not first.point and not objective.loss.smooth:
            bounded_by(point, first.point)
        return Solution(point, first.status, first.n_iter, a)
    rest = max_iter - first.n_iter
    if objective.loss.smooth:
        second = joint_newton(objective, point, tol=tol, max_iter=rest)
    else:
        second = joint_multipliers(objective, point, tol=tol, max_iter=rest, a=a)
    return Solution(second.point, second.status, first.n_iter + second.n_iter)


def _worth_sharpening(objective: JointObjective, first: Solution[JointPoint], tol: float) -> bool:
    """As for two classes: whether the coefficients may be far less exact than F, and Newton's step costs little."""
    point, (n, d) = first.point, objective.matrix.shape
    if not objective.loss.smooth or proves_coefficients(point, tol):
        return False
    cheap = direct(objective) and objective.n_classes * min(n, d) <= _SWEEPS * first.n_iter
    return cheap or point.gain <= LITTLE * abs(point.value)


def _wide(objective: JointObjective) -> bool:
    """Whether there are so many columns, and so few entries, that vectors of coefficients cost more than passes."""
    n, d = objective.matrix.shape
    return d > DIRECT_LIMIT and objective.matrix.entries < SPARSE * n * d


def _small(objective: JointObjective) -> bool:
    n, d = objective.matrix.shape
    size = objective.n_classes * (d + 1)
    return direct(objective) and n * size * size // 4 + size**3 // 3 <= _FEW_OPERATIONS


def _start(objective: JointObjective, w: np.ndarray, b: np.ndarray) -> JointPoint:
    if not w.any():
        return objective.origin()
    inside = objective.passes.zeros()
    objective.passes.by_class(inside)[...] = w
    point = objective.at(inside, b)
    flat = point.gradient.ravel()
    # A warm start may lie where the loss overflows; zero does not.
    return point if np.isfinite(point.value) and np.isfinite(flat @ flat) else objective.origin()


__all__ = ["solve_joint"]
