"""Coordinate ascent in the dual, until the duality gap is at most tol or another method is the better choice.

A sweep costs as much as an evaluation of the objective and, on sparse wide data, gains as much as several steps of any
method in the primal. What the gap will be after how many sweeps is forecast from the gains of the last ones, and
checked when the forecast says that it is worth its three passes over X.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, cast

from ..objective import BinaryObjective, InMemoryObjective, Point
from .ascent import Begun, BinaryAscent, JointAscent
from .augmented_lagrangian import certified
from .dual_newton import DualNewton
from .free_rows import certified_multipliers, end_by_free_rows, free_rows_suit
from .solution import Solution, Status

_PATIENCE = 1000
"""Sweeps that are worth waiting for where Newton's method could go on instead, for a smooth loss."""

_IDENTIFIED = 1e-10
"""For a loss with a kink, the forecast of what the dual objective can still gain, relative to F, at which sweeps end:
by then they have found which rows lie at the kink, and how these depend on each other is nothing that a sweep can see.
Unless few more are enough.
"""

_NEARLY, _SLOW, _TRIES = 1e-7, 60, 2
"""The same at which the system of the free rows is tried first, where more sweeps than these are left until then; and
how often in all. It takes 30 to 150 products, each of which costs about a sweep."""

_SINGLE = 1e-7
"""A tol that sweeps over values in float32 may not get to for a loss with a kink."""

_FEW = 40
"""Sweeps worth waiting for then. For many classes, any number: rows beyond the kink are curved too, so that Newton's
method has all of them to go through, and a step of it costs hundreds of sweeps."""

_EXCESS_JOINT = 25.0
"""The joint bound from the gradient, relative to the gap that the sweeps leave: 20 to 40 on text."""

_EXCESS, _EXCESS_KINKED = 4.0, 0.5
"""The gap of two classes, relative to what the forecast says: 3 to 12 on text, for hinge 0.1 to 2 times its root."""

_EVERY = 10
_ROUNDING, _ROUNDING_JOINT = 1e-14, 1e-22
"""The same forecast, below which sweeps add up rounding: of float32 values for sparse data, and of W itself."""

_FIRST, _BETWEEN, _WORTH = 50, 5, 250
"""Sweeps before the first Newton step in the dual and between two, and how many have to be left: a step takes 50 to 150
products, and it takes three of them at least. After a step of some length the forecast says little, as what sweeps see
is gone."""

_SETTLED, _SHORT, _PART = 1e-6, 0.1, 4
"""The same forecast, relative to F, from which on rows at a kink or at the largest slope are nearly known, where there
is one; the length of a step that these cut off all the same, and the part of the sweeps so far that have to go by then.
Text at C = 100: smooth_hinge takes 427 sweeps and 227 products, and 1,100 products with steps from 50 sweeps on."""

_LATE = 400
"""Sweeps after which a step is tried all the same."""


def dual(
    objective: InMemoryObjective, start: Point, *, tol: float, max_iter: int, seed: int = 0, begun: Begun | None = None
) -> Solution[Point]:
    """Maximise the dual of an objective.

    Parameters
    ----------
    objective : Objective
        F, of a convex loss and with a penalty.
    start : Point
        Gives the scale of F; where its coefficients are not zero, it is returned if it is good enough, and two classes
        start from there.
    tol : float
        Relative suboptimality at which to stop, as proven.
    max_iter : int
        Largest number of sweeps.
    seed : int, default=0
        Of the order of the visits.
    begun : Begun, optional
        Sweeps that have been done, for two classes.

    Returns
    -------
    Solution
        With the multipliers −φ' of the rows; MAX_ITER also where the sweeps have become a poor choice.
    """
    smooth, joint = objective.loss.smooth, objective.n_outputs > 1
    if smooth and start.w.any() and start.excess <= tol:
        return Solution(start, Status.PROVEN, 0)
    of_rows: Any = objective
    ascent: Any = JointAscent(of_rows, start, seed) if joint else BinaryAscent(of_rows, start, seed, begun)
    how: dict[str, Any] = {"smooth": smooth, "tol": tol, "max_iter": max_iter, "report": objective.report}
    if joint:
        how |= {"few": math.inf, "rounding": _ROUNDING_JOINT, "excess": _EXCESS_JOINT if smooth else 1.0}
        how |= {"newton": DualNewton(ascent).step if objective.loss.invertible else None}
        how |= {"settled": _SETTLED if math.isfinite(objective.loss.lipschitz) else math.inf}
    else:
        how |= {"excess": _excess(smooth=smooth), "looks": False, "done": begun.sweeps if begun else 0}
        how |= {"end": _by_free_rows(objective, ascent, tol) if free_rows_suit(objective) else None}
    point, status, n_iter = climb(ascent, lambda: certificate(objective, ascent), abs(start.value), **how)
    return Solution(point, status, n_iter, ascent.multipliers)


def _by_free_rows(objective: Any, ascent: BinaryAscent, tol: float) -> Callable[[], Point | None]:
    return lambda: end_by_free_rows(objective, ascent.multipliers, ascent.b, tol)


def certificate(objective: InMemoryObjective, ascent: Any) -> Point:
    """The point that an ascent has come to, with its duality gap."""
    if objective.loss.smooth:
        found: Point = ascent.point()
        return found
    if not objective.fit_intercept and free_rows_suit(objective):
        # Without the condition Σ α = 0 the multipliers are dual variables as they are: two passes, not three.
        return certified_multipliers(cast("BinaryObjective", objective), ascent.multipliers)
    return certified(objective, ascent.theta, ascent.multipliers)


def ready_to_end(left: float, factor: float, tol: float, enough: float, *, first: bool = True) -> bool:
    """Whether the free rows are to be tried, with so much left to gain relative to F, and a factor of it a sweep."""
    if left <= _IDENTIFIED:
        return tol < _SINGLE or _sweeps(left, factor, enough) > _FEW
    return first and left <= _NEARLY and _sweeps(left, factor, max(enough, _IDENTIFIED)) > _SLOW


def ends_here(left: float, factor: float, tol: float, *, smooth: bool) -> bool:
    """Whether so little is left to gain that tol may be proven, or that another method is to end it."""
    enough = (tol / _excess(smooth=smooth)) ** (1.0 / _power(smooth=smooth))
    return left <= enough or (not smooth and ready_to_end(left, factor, tol, enough))


def _excess(*, smooth: bool) -> float:
    return _EXCESS if smooth else _EXCESS_KINKED


def _power(*, smooth: bool) -> float:
    """F falls with the dual's distance to its maximum, or where the loss has a kink with the root of that."""
    return 1.0 if smooth else 0.5


def climb(
    ascent: Any,
    certify: Callable[[], Any],
    scale: float,
    *,
    smooth: bool,
    tol: float,
    max_iter: int,
    excess: float = 1.0,
    few: float = _FEW,
    rounding: float = _ROUNDING,
    newton: Callable[[], float] | None = None,
    settled: float = math.inf,
    report: Callable[[Callable[[], Any]], None] = lambda iterate: None,
    end: Callable[[], Any] | None = None,
    done: int = 0,
    looks: bool = True,
) -> tuple[Any, Status, int]:
    r"""Sweep until what ``certify`` proves is at most tol, or another method is the better choice.

    Parameters
    ----------
    ascent : BinaryAscent or JointAscent
        The dual variables.
    certify : callable
        Returns the point that they make, with its proven suboptimality.
    scale : float
        About how large \|F\| is.
    smooth : bool
        Whether the loss has no kink.
    tol : float
        Relative suboptimality at which to stop.
    max_iter : int
        Largest number of sweeps.
    excess : float, default=1.0
        By how much what is proven is likely to be above what the forecast says.
    few : float
        For a loss with a kink, the sweeps that are worth waiting for once the rows at the kink are known.
    rounding : float
        The forecast, relative to F, below which it is rounding.
    newton : callable, optional
        A Newton step in the dual, which returns its length.
    settled : float
        The forecast, relative to F, from which on it is taken.
    report : callable
        Called after each sweep but the last with a function that makes its point.
    end : callable, optional
        Returns the point at which another method has ended it, for a loss with a kink, or None.
    done : int, default=0
        Sweeps of the ascent so far.
    looks : bool, default=True
        Whether to see early how far what is proven is above the forecast.
    """
    power, usual, due, worth, tries = _power(smooth=smooth), excess, _FIRST, _WORTH, 0
    for n_iter in range(max(1, done), max_iter + 1):
        if n_iter > done:
            ascent.sweep()
        left, factor = ascent.forecast.rest()
        left /= scale
        enough = (tol / excess) ** (1.0 / power) if excess > 0.0 else math.inf
        rest = _sweeps(left, factor, enough)
        if newton is not None and due <= n_iter < max_iter and rest > worth and (left <= settled or n_iter >= _LATE):
            length = newton()
            due, excess = n_iter + (_BETWEEN if length > _SHORT or settled == math.inf else n_iter // _PART), usual
            worth = _BETWEEN if length > _SHORT else _WORTH
            newton = newton if length > 0.0 else None
            report(certify)
            continue
        if smooth:
            hopeless = left <= rounding or (newton is None and n_iter % _EVERY == 0 and rest > _PATIENCE)
        else:
            hopeless = left <= _IDENTIFIED and (left <= rounding or rest > few)
        if end is not None and left > enough and ready_to_end(left, factor, tol, enough, first=tries == 0):
            tries, point = tries + 1, end()
            end = end if tries < _TRIES else None
            if point is not None:
                return point, Status.PROVEN, n_iter
        if not (left <= enough or hopeless or n_iter == max_iter or (looks and n_iter == _EVERY)):
            report(certify)
            continue
        point = certify()
        status = Status.PROVEN if point.excess <= tol else Status.MAX_ITER
        # The forecast is checked against what could be proved.
        measure = min(abs(point.value), point.gain) or scale
        left, scale = left * scale / measure, measure
        excess = point.excess / left**power if left > 0.0 else math.inf
        if smooth and hopeless and excess > 0.0:
            hopeless = left <= rounding or (newton is None and _sweeps(left, factor, tol / excess) > _PATIENCE)
        if status.converged or hopeless or n_iter == max_iter:
            return point, status, n_iter
        report(lambda: point)  # noqa: B023 (called at once)
    raise AssertionError("unreachable")


def _sweeps(left: float, factor: float, target: float) -> float:
    """How many sweeps it takes to get from ``left`` to ``target``."""
    if left <= target:
        return 0.0
    if not 0.0 < factor < 1.0 or not target > 0.0:
        return math.inf
    return math.log(left / target) / -math.log(factor)
