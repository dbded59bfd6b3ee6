"""Fits with a penalty that has kinks, unpenalised features or bounds: two classes, one against the rest, or joint."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from functools import partial
from itertools import repeat
from typing import Any, NamedTuple, Self

import numpy as np

from .._penalties import L2, Penalty, Terms, get_penalty, resolve_bounds
from ..losses import MarginLoss
from ..objective import L2 as Quadratic
from ..objective import NonsmoothPenalty, few_operations
from ..solvers import MOST_WRITTEN, Solution, solve_penalised
from .loose_bounds import is_all, may_be_loose, squares_alone, surely_loose, without_bounds
from .problems import Problems


class Resolved(NamedTuple):
    """A penalty and bounds for the features of one X.

    Attributes
    ----------
    terms : Terms
        What the penalty says of each feature, or group.
    bounds : tuple of ndarray of shape (K, d), or None
        The least and the largest value of each coefficient.
    provable : bool
        Whether there is a penalty: C is finite.
    """

    terms: Terms
    bounds: tuple[np.ndarray, np.ndarray] | None
    provable: bool

    @classmethod
    def of(cls, penalty: str | Penalty, bounds: Any, C: float, shape: tuple[int, int], names: Any) -> Self | None:
        """For K × d coefficients; None where ½‖W‖², or nothing, is all of it.

        Raises
        ------
        ValueError
            If they do not fit the features.
        """
        penalty = get_penalty(penalty)
        limits = resolve_bounds(bounds, shape, names)
        if limits is None and isinstance(penalty, L2) and penalty.weights is None:
            return None
        terms = penalty.terms(shape[1], names)
        finite = bool(np.isfinite(C))
        if not finite:
            if limits is None and terms.kept.all():
                return None
            terms = terms._replace(kink=np.zeros_like(terms.kink), quadratic=np.zeros_like(terms.quadratic))
        if not terms.kept.all():
            out = ~terms.kept
            lower, upper = limits or (np.full(shape, -np.inf), np.full(shape, np.inf))
            if (lower[:, out] > 0.0).any() or (upper[:, out] < 0.0).any():
                j = int(np.flatnonzero(out & ((lower > 0.0) | (upper < 0.0)).any(axis=0))[0])
                raise ValueError(
                    f"feature {j} has an infinite weight, which makes its coefficient 0, and bounds that exclude 0; "
                    "change the weight or the bounds"
                )
            lower, upper = lower.copy(), upper.copy()
            lower[:, out] = upper[:, out] = 0.0
            limits = lower, upper
        return cls(terms, limits, finite)

    @property
    def weights(self) -> np.ndarray | None:
        """Weights of a penalty of nothing but squares, which the other solvers take; None of another penalty."""
        terms = self.terms
        plain = self.bounds is None and self.provable and not terms.kink.any() and (terms.quadratic > 0.0).all()
        return terms.quadratic if plain else None

    def penalty(self, k: int, rows: slice | list[int] = slice(None)) -> NonsmoothPenalty:
        """For K columns of coefficients, with the bounds of some of them."""
        terms, limits = self.terms, self.bounds
        shape = (k, len(terms.quadratic))
        mine = None if limits is None else (limits[0][rows], limits[1][rows])
        return NonsmoothPenalty.of(shape, terms.kink, terms.quadratic, terms.group, mine)

    def require_suitable(self, loss: MarginLoss, solver: str, given: Any) -> None:
        """Raise ValueError for a loss or solver that cannot have this penalty."""
        if solver in ("dual", "lbfgs"):
            raise ValueError(
                f"solver={solver!r} needs penalty='l2' without weights and bounds; use solver='auto', which takes "
                "Newton's method on working sets of the features"
            )
        if not loss.convex:
            raise ValueError(
                f"loss={given!r} is not convex, and fits with this penalty or with bounds need a convex one; use a "
                "convex loss such as 'logistic', or penalty='l2' without weights and bounds"
            )
        if loss.affine:
            penalty = self.penalty(1 if self.bounds is None else len(self.bounds[0]))
            if penalty.grouped:
                raise ValueError(
                    f"loss={given!r} is a straight line, and its closed form does not cover groups of coefficients; "
                    "use penalty='l2' or 'elastic_net', or a loss with curvature"
                )
            if not penalty.bounds_everything:
                raise ValueError(
                    f"loss={given!r} is a straight line, with which a coefficient is unbounded or zero unless it has a "
                    "quadratic penalty or two finite bounds; use penalty='l2' or 'elastic_net' with positive weights, "
                    "or give bounds"
                )
        if not self.provable and not loss.smooth:
            raise ValueError(f"C=inf with loss={given!r}, which has a kink, needs a penalty; use a finite C")


def resolve(
    estimator: Any, loss: MarginLoss, shape: tuple[int, int], *, collection: bool
) -> tuple[np.ndarray | None, Resolved | None]:
    """What an estimator has for a penalty, for K × d coefficients.

    Returns
    -------
    weights : ndarray of shape (d,) or None
        Of ½ Σ v_j ‖W_j‖², which every solver for rows in memory takes; None for ones.
    resolved : Resolved or None
        Any other penalty, or bounds.

    Raises
    ------
    ValueError
        If it does not fit the features, the loss or the solver.
    """
    names = getattr(estimator, "feature_names_in_", None)
    resolved = Resolved.of(estimator.penalty, estimator.bounds, estimator.C, shape, names)
    if resolved is None:
        return None, None
    if resolved.weights is not None and not collection:
        return resolved.weights, None
    if not collection:
        resolved.require_suitable(loss, estimator.solver, estimator.loss)
    return None, resolved


class PenalisedFit:
    """The problems beside such a penalty.

    Parameters
    ----------
    problems : Problems
        The rows and what is done with them.
    resolved : Resolved
        The penalty and the bounds.
    """

    def __init__(self, problems: Problems, resolved: Resolved) -> None:
        self._problems, self._resolved = problems, resolved
        self._penalties: dict[int, NonsmoothPenalty] = {}  # by the number of the problem

    def solve(self, positive: Sequence[int | None], starts: Sequence[tuple | None]) -> Iterator[tuple[Solution, float]]:
        """The solution of each problem, None for one joint margin of all classes, and the seconds that it took."""
        plain = self._without_bounds(positive, starts)
        for number, (k, start) in enumerate(zip(positive, starts, strict=True)):
            found, spent = next(plain)
            if found is not None and is_all(self._penalty(k, number), found):
                yield found, spent
                continue
            began = time.perf_counter()
            solution = self._with_bounds(k, number, start, 0 if found is None else found.n_iter)
            yield solution, spent + time.perf_counter() - began

    def _without_bounds(
        self, positive: Sequence[int | None], starts: Sequence[tuple | None]
    ) -> Iterator[tuple[Solution | None, float]]:
        """What each problem has without bounds, where that may be all."""
        if not squares_alone(self._penalty(positive[0], 0)) or (positive[0] is not None and self._by_hessian()):
            return repeat((None, 0.0))
        if not (self._surely_loose(positive[0]) or self._probably_loose(positive[0], starts[0])):
            return repeat((None, 0.0))
        squares = self._resolved.terms.quadratic
        weights = None if (squares == 1.0).all() else squares  # ½‖W‖² itself has more solvers
        return without_bounds(self._problems, weights, partial(self._penalty, positive[0]))(positive, starts)

    def _by_hessian(self) -> bool:
        """Whether sparse rows are so narrow that steps with a Hessian take a half of what plain fits do."""
        matrix, smooth = self._problems.matrix, self._problems.loss.smooth
        return matrix.sparse and smooth and matrix.shape[1] <= MOST_WRITTEN and not few_operations(*matrix.shape)

    def _surely_loose(self, k: int | None) -> bool:
        """By the value of the loss at 0, of two classes, which takes no look at the rows."""
        if k is None:
            return False
        loss, weights = self._problems.loss, self._problems.weights
        rows = self._problems.matrix.shape[0] if weights is None else float(weights.sum())
        above = float(loss.evaluate([0.0])[0][0]) - loss.infimum()
        return surely_loose(self._penalty(k, 0), self._problems.settings.C * rows * above)

    def _probably_loose(self, k: int | None, start: tuple | None) -> bool:
        objective, penalty = self.problem(k, 0)
        return may_be_loose(objective, penalty, objective.zeros() if start is None else objective.theta(*start))

    def _with_bounds(self, k: int | None, number: int, start: tuple | None, spent: int) -> Solution:
        settings = self._problems.settings
        objective, penalty = self.problem(k, number)
        self._problems.watch(objective, number)
        how: dict[str, Any] = {"tol": settings.tol, "max_iter": max(1, settings.max_iter - spent)}
        how["provable"] = self._resolved.provable
        try:
            theta = objective.zeros() if start is None else objective.theta(*start)
            found = solve_penalised(objective, penalty, theta, **how)
        except OverflowError:
            if start is None:
                raise
            # A warm start may lie where the loss overflows; zero does not.
            found = solve_penalised(objective, penalty, objective.zeros(), **how)
        found.point.release()
        return Solution(found.point, found.status, spent + found.n_iter)

    def _penalty(self, k: int | None, number: int) -> NonsmoothPenalty:
        if number not in self._penalties:
            rows = (self._problems.n_classes, slice(None)) if k is None else (1, [number])
            self._penalties[number] = self._resolved.penalty(*rows)
        return self._penalties[number]

    def problem(self, k: int | None, number: int) -> tuple[Any, NonsmoothPenalty]:
        """The losses and the penalty of a class against the rest, or of all classes."""
        none = Quadratic(0.0)
        objective = self._problems.joint(none, always=True) if k is None else self._problems.binary(k, none)
        return objective, self._penalty(k, number)
