"""The solvers, one a file, and the rule that chooses between them. None knows a loss or a storage by name."""

from __future__ import annotations

from typing import Any, cast

import numpy as np

from ..objective import InMemoryObjective, Objective, Point, StopFit, above
from .ascent import Begun
from .ascent_classes import AT_ONCE, begin_classes, classes_suit
from .augmented_lagrangian import augmented_lagrangian
from .closed_form import closed_form
from .convergence import LITTLE, proves_coefficients
from .dual import dual
from .dual_active_set import dual_active_set
from .lbfgs import lbfgs
from .newton import newton
from .penalised import solve_penalised
from .penalised.quadratic_model import MOST_WRITTEN
from .primal_dual import primal_dual, primal_dual_suits
from .rule import dual_suits, most_sweeps, newton_suits, rows_are_few
from .solution import Solution, Status

SOLVERS = ("lbfgs", "newton", "dual")
"""The solvers that a user can name, beside "auto"."""

_PRIMAL = ("auto", "newton", "lbfgs")
"""Those for which others stand: the augmented Lagrangian where there is a kink, and each other over rows in parts."""

_PATIENCE = 300
"""Iterations of L-BFGS after which Newton's method takes on; for two classes fewer, by the price of its Hessians."""

_TALL, _PATIENCE_TALL = 3, 100
"""Rows for each coefficient from which on L-BFGS is tried before primal-dual steps, whose Hessians have all these rows
where the classes overlap, and its iterations. Five classes, 5000 × 100: 60 to 150 ms, against 140 to 290; × 300: 90 to
210, against 420 to 1200. Digits five times with noise at C = 100 take 38 s by L-BFGS and Newton, 1.2 by these steps."""

_SWEEPS = 4
"""Columns (or rows, if these are fewer) for each sweep done up to which a Hessian costs no more than the sweeps."""


def solve(
    objective: Objective,
    theta: np.ndarray,
    *,
    solver: str,
    tol: float,
    max_iter: int,
    seed: int = 0,
    begun: Begun | None = None,
) -> Solution[Point]:
    """Minimise an objective by the named solver, or by the one that suits it.

    ``"auto"`` takes the closed form for an affine loss; coordinate ascent in the dual or Newton's method where they
    suit, and L-BFGS elsewhere. What ascent or L-BFGS leave unproven, Newton's method finishes. For a loss with a kink,
    the augmented Lagrangian stands for Newton's method and for L-BFGS.

    Parameters
    ----------
    objective : Objective
        F.
    theta : ndarray
        Where to start.
    solver : {"auto", "lbfgs", "newton", "dual"}
        The solver.
    tol : float
        Relative suboptimality at which to stop.
    max_iter : int
        Largest number of iterations, of all solvers together.
    seed : int, default=0
        For solvers that draw random numbers.
    begun : Begun, optional
        Sweeps in the dual that have been done and reported, where ascent suits.

    Raises
    ------
    OverflowError
        If the gradient at zero, its square, the Hessian or the solution overflows.
    ValueError
        If there is no such solver, or it needs other weights of the penalty, or rows in memory.
    """
    if solver not in ("auto", *SOLVERS):
        raise ValueError(f"unknown solver {solver!r}: use 'auto' or one of {', '.join(map(repr, SOLVERS))}")
    _require_weights(objective, solver)
    how: dict[str, Any] = {"tol": tol, "max_iter": max_iter}
    try:
        # Over rows in parts the closed form takes one round, and a loss with a kink is seen by its envelope first.
        looks = objective.in_memory or (objective.loss.smooth and not objective.loss.affine)
        start = _start(objective, theta) if looks else objective.known(theta)
        if looks and objective.loss.smooth and begun is None:  # elsewhere nothing is proven of it
            objective.report(lambda: start)
        if objective.loss.affine:
            solution = closed_form(objective)
        elif objective.in_memory:
            solution = _in_memory(
                cast("InMemoryObjective", objective), start, solver=solver, seed=seed, begun=begun, **how
            )
        else:
            solution = _by_parts(objective, start, solver=solver, **how)
        objective.report(lambda: solution.point)
    except StopFit as stop:
        solution = Solution(stop.point, Status.STOPPED, stop.n_iter)
    point = solution.point
    # A margin of infinity costs nothing, and would not be seen in F.
    if not (np.isfinite(point.value) and np.isfinite(point.theta).all() and point.decisions_are_finite):
        raise OverflowError("the solution overflows")
    return solution


def _by_parts(objective: Objective, start: Point, *, solver: str, tol: float, max_iter: int) -> Solution[Point]:
    """Where a look at the rows is a round: second derivatives that come with it double the correct digits."""
    if solver not in _PRIMAL:
        raise ValueError(f"solver={solver!r} needs the rows in memory, and they are in parts; use solver='auto'")
    if not objective.loss.smooth:
        return augmented_lagrangian(objective, start, tol=tol, max_iter=max_iter, solve=solve)
    method = newton if objective.direct and solver != "lbfgs" else lbfgs
    return method(objective, start, tol=tol, max_iter=max_iter)


def _in_memory(
    objective: InMemoryObjective,
    start: Point,
    *,
    solver: str,
    tol: float,
    max_iter: int,
    seed: int,
    begun: Begun | None = None,
) -> Solution[Point]:
    (n, d), k, entries = objective.matrix.shape, objective.n_outputs, objective.matrix.entries
    suits = objective.provable and objective.penalty.uniform and dual_suits(n, d, entries, k, objective.loss)
    suits = suits and not (objective.preconditioned and rows_are_few(n, d, entries))
    if solver == "dual" or (solver == "auto" and suits):
        first = dual(objective, start, tol=tol, max_iter=most_sweeps(max_iter), seed=seed, begun=begun)
        if first.status.converged and not _worth_sharpening(objective, first, tol):
            return first
        return _finished(objective, start, first, tol=tol, max_iter=max_iter)
    if solver == "auto" and not objective.preconditioned and primal_dual_suits(objective):
        return _by_primal_dual(objective, start, tol=tol, max_iter=max_iter)
    if not objective.loss.smooth and solver in _PRIMAL:
        of_two: Any = objective
        found = dual_active_set(of_two, tol=tol, max_iter=max_iter, seed=seed) if k == 1 and solver == "auto" else None
        return found or augmented_lagrangian(objective, start, tol=tol, max_iter=max_iter)
    suits = newton_suits(n, d, entries, k) or objective.preconditioned
    if solver == "newton" or (solver == "auto" and suits):
        return newton(objective, start, tol=tol, max_iter=max_iter)
    if solver == "lbfgs":
        return lbfgs(objective, start, tol=tol, max_iter=max_iter)
    if solver == "auto":
        return _by_lbfgs(objective, start, start, 0, tol=tol, max_iter=max_iter)
    raise ValueError(
        f"solver={solver!r} is in SOLVERS, and _in_memory of marginclf/solvers/__init__.py does not call it"
    )


def _by_lbfgs(
    objective: InMemoryObjective, start: Point, point: Point, spent: int, *, tol: float, max_iter: int
) -> Solution[Point]:
    """L-BFGS from a point, reached in so many iterations, and what it leaves by Newton's method."""
    patience = _PATIENCE if objective.n_outputs > 1 else min(_PATIENCE, 20 + objective.matrix.shape[1])
    found = lbfgs(objective, point, tol=tol, max_iter=min(max_iter, patience) - spent)
    first = Solution(found.point, found.status, spent + found.n_iter, found.multipliers)
    if not _can_be_finished(objective, first):
        return first
    return _finished(objective, start, first, tol=tol, max_iter=max_iter)


def _by_primal_dual(objective: InMemoryObjective, start: Point, *, tol: float, max_iter: int) -> Solution[Point]:
    """Primal-dual Newton's method, and what it leaves by another; first some iterations that often are enough."""
    (n, d), k = objective.matrix.shape, objective.n_outputs
    point, spent = start, 0
    if objective.loss.smooth and n > _TALL * k * (d + 1) and not newton_suits(n, d, objective.matrix.entries, k):
        first = lbfgs(objective, start, tol=tol, max_iter=min(max_iter, _PATIENCE_TALL))
        if first.status is Status.PROVEN or first.n_iter >= max_iter:
            return first
        point, spent = first.point, first.n_iter
        if first.status.converged:
            # It is close, and a proof from there costs less than to start anew.
            return _by_lbfgs(objective, start, point, spent, tol=tol, max_iter=max_iter)
    of_many: Any = objective
    found = primal_dual(of_many, start, tol=tol, max_iter=max_iter - spent)
    if not found.status.converged:
        found = _finished(objective, point, found, tol=tol, max_iter=max_iter - spent)
    return Solution(found.point, found.status, spent + found.n_iter, found.multipliers)


def _require_weights(objective: Objective, solver: str) -> None:
    """Say which weights of the penalty a solver needs.

    Raises
    ------
    ValueError
        If it has others.
    """
    penalty = objective.penalty
    if solver == "dual" and not penalty.uniform:
        raise ValueError(
            "solver='dual' needs a penalty that weighs all features alike, and its weights are from "
            f"{np.min(penalty.weights):g} to {np.max(penalty.weights):g}; use solver='auto'"
        )
    loss = objective.loss
    if not penalty.strong_convexity and (loss.affine or not loss.smooth):
        why = "is a straight line" if loss.affine else "has a kink"
        raise ValueError(
            f"loss={loss!r} {why}, and its fit needs a penalty of every feature; the least weight is "
            f"{np.min(penalty.weights):g}. Give every feature a positive weight, or use a smooth loss"
        )


def _finished(
    objective: InMemoryObjective, start: Point, first: Solution[Point], *, tol: float, max_iter: int
) -> Solution[Point]:
    """What another solver left, taken on by Newton's method or the augmented Lagrangian."""
    point, multipliers = first.point, first.multipliers
    if not point.value <= start.value:
        # Ascent climbs in the dual: early, or where that loses its way, the point that it makes may be far above.
        point, multipliers = start, None
    if first.n_iter >= max_iter:
        if point is start and not objective.loss.smooth:
            # The gradient at a point proves nothing where the loss has a kink; the dual variables of another do.
            point = start.certified(above(start.value, first.point.value - first.point.bound))
        return Solution(point, first.status, first.n_iter, multipliers)
    rest = max_iter - first.n_iter
    if objective.loss.smooth:
        second = newton(objective, point, tol=tol, max_iter=rest)
    else:
        second = augmented_lagrangian(objective, point, tol=tol, max_iter=rest, multipliers=multipliers)
    return Solution(second.point, second.status, first.n_iter + second.n_iter)


def _worth_sharpening(objective: InMemoryObjective, first: Solution[Point], tol: float) -> bool:
    """Whether the coefficients that ascent has proven may be far less exact than F, and Newton's step costs little."""
    point = first.point
    if not objective.loss.smooth:
        return False
    # Beside so many sweeps a Hessian is cheap; where the penalty is most of it, conjugate gradients are few.
    cheap = objective.n_outputs * min(objective.matrix.shape) <= _SWEEPS * first.n_iter
    if objective.n_outputs > 1:
        cheap = cheap and objective.direct
    # What the coefficients are proven to be takes a pass, and is asked for last.
    return (cheap or point.gain <= LITTLE * abs(point.value)) and not proves_coefficients(point, tol)


def _can_be_finished(objective: Objective, solution: Solution) -> bool:
    if solution.status is Status.LIMIT_OF_PRECISION and objective.provable and objective.direct:
        # A step or two may still prove what L-BFGS could only estimate.
        return True
    return not solution.status.converged and solution.status is not Status.SEPARABLE


def _start(objective: Objective, theta: np.ndarray) -> Point:
    if not objective.w(theta).any():
        start = objective.origin()
    else:
        start = objective.at(theta)
        # A warm start may lie where the loss overflows; zero does not.
        start = start if start.finite else objective.origin()
    return start


__all__ = [
    "AT_ONCE",
    "MOST_WRITTEN",
    "SOLVERS",
    "Begun",
    "Solution",
    "Status",
    "begin_classes",
    "classes_suit",
    "dual_suits",
    "most_sweeps",
    "newton_suits",
    "solve",
    "solve_penalised",
]
