"""Is a loss of a user what it says that it is? All that can be asked, or before a fit what it must not get wrong."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any
from weakref import WeakKeyDictionary

from .._process import quiet, require_compiler
from ..kernels.fingerprint import state
from ..kernels.formula import helpers
from .base import MarginLoss
from .checks import CHECKS, convexity, kinks, slope
from .compiling import is_built_in

_answers: WeakKeyDictionary[type, tuple[Any, dict[tuple, str | None]]] = WeakKeyDictionary()
"""What was found of losses of users, by class and formula, question and parameters: fits ask again and again."""

_EVERY = 6
"""Of the margins at which the slope is looked at, one in so many before a fit: a millisecond."""


class Report:
    """What was tried, to be printed."""

    def __init__(self, loss: MarginLoss, lines: list[str]) -> None:
        self.loss, self.lines = loss, lines

    def __str__(self) -> str:
        return "\n".join([f"{self.loss!r} passes:", *(f"  {line}" for line in self.lines)])

    __repr__ = __str__


@quiet
def check_margin_loss(loss: MarginLoss) -> Report:
    """Check a loss before it is fitted.

    Slope and curvature are compared with finite differences, ``prox`` with ``point``, and convexity, boundedness and
    the other properties with what is declared. Further checks are for extreme margins, types, names, and whether the
    same margin always gives the same numbers. All of that is plain Python; a loss that passes is compiled last.

    Parameters
    ----------
    loss : MarginLoss
        An object with the parameters to check.

    Returns
    -------
    Report
        The checks that were done, to be printed.

    Raises
    ------
    TypeError
        If it is no loss object.
    ValueError
        If a check fails. The message has one sentence for each failure, with a margin at which it occurs.

    Examples
    --------
    >>> from marginclf.losses import MarginLoss, check_margin_loss
    >>> class Wrong(MarginLoss):
    ...     def point(self, m):
    ...         t = max(0.0, 1.0 - m)
    ...         return t * t, -t, 1.0 if t > 0.0 else 0.0
    >>> check_margin_loss(Wrong())
    Traceback (most recent call last):
        ...
    ValueError: Wrong() fails 1 check:
    - slope: at m = -30 it is -31, but differences of the value give -62.
    """
    if not isinstance(loss, MarginLoss):
        hint = f"; try {loss.__name__}()" if isinstance(loss, type) else ""
        raise TypeError(f"check_margin_loss needs an object of a subclass of MarginLoss, got {loss!r}{hint}")
    require_compiler()
    loss.validate()
    failures: list[str] = []
    passed = []
    for name, (check, right) in CHECKS.items():
        if name == "compilation" and failures:
            break
        try:
            found = next(check(loss), None)
        except Exception as error:  # the user's formula may raise anything
            found = f"it raises {type(error).__name__}: {error}"
        if found is None:
            passed.append(f"{name}: {right}")
            continue
        if name != "types" or not failures:  # it fails for want of what it asks for
            failures.append(f"- {name}: {found}.")
        if name == "types":  # nothing else can be said then
            break
    if failures:
        number = f"{len(failures)} check{'s' if len(failures) > 1 else ''}"
        raise ValueError("\n".join([f"{loss!r} fails {number}:", *failures]))
    return Report(loss, passed)


def require_slopes(loss: MarginLoss) -> None:
    """Raise ValueError where a fit would prove what is not so, as far as a look at some margins shows.

    A proof rests on the slopes, and on convexity: for a loss that declares it and does not have it, or whose slope is
    that of something else, ``suboptimality_`` would be a number without meaning.
    """
    found = _answer(loss, "proofs", _proofs)
    if found:
        raise ValueError(
            f"loss={loss!r} fails a check, {found}. marginclf.losses.check_margin_loss(loss) names all that is wrong "
            "with it"
        )


def _proofs(loss: MarginLoss) -> Iterator[str]:
    yield from (f"slope: {found}" for found in slope(loss, every=_EVERY))
    yield from (f"convexity: {found}" for found in convexity(loss))


def jump_without_prox(loss: MarginLoss) -> str | None:
    """Where the slope of a loss of a user jumps, and what it needs then, in words; None where it does not."""
    return _answer(loss, "kinks", kinks)


def _answer(loss: MarginLoss, what: str, check: Callable[[Any], Iterator[str]]) -> str | None:
    """The first that is found; of losses of the package, whose tests ask more, nothing."""
    cls = type(loss)
    if is_built_in(cls, (cls.point,)):
        return None
    written = state((cls.point, *helpers(cls.point)))
    known = _answers.get(cls)
    if known is None or known[0] != written:
        known = _answers[cls] = written, {}
    key = what, *(float(value) for value in loss.get_params(deep=False).values())
    if key not in known[1]:
        try:
            known[1][key] = next(check(loss), None)
        except Exception:  # what Python raises, such as OverflowError, may be an infinity once it is compiled
            known[1][key] = None
    return known[1][key]
