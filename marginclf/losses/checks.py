"""What a loss of a user is asked, one question at a time: each finds what is wrong, in words, at a margin."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from .base import MarginLoss
from .compiling import unknown_names
from .probability import is_own

_MARGINS = np.unique(np.concatenate([[0.0], np.geomspace(1e-3, 30.0, 60), -np.geomspace(1e-3, 30.0, 60)]))
_FAR = (-745.0, 745.0, -1e4, 1e4, -1e8, 1e8, -1e300, 1e300)
_STEP = 1e-5
_ACCURACY = 1e-4
_KAPPAS = (1e-3, 1.0, 1e3)
_PARTS = (1e-3, 0.1, 0.5, 0.9, 0.999)
_RIGHT, _GENTLE, _MODERATE = 1e4, 1e6, 1e8


def _types(loss: MarginLoss) -> Iterator[str]:
    for m in (-1.5, 0.0, 0.5, 1.0, 3.0):
        found = loss.point(m)
        if not (isinstance(found, tuple) and len(found) == 3):
            yield f"at m = {m:g} point returned {found!r}, not three numbers (value, slope, curvature)"
        for what, number in zip(("value", "slope", "curvature"), found, strict=True):
            if isinstance(number, bool | complex | str | np.ndarray) or not isinstance(number, float | int | np.number):
                yield f"at m = {m:g} the {what} is {number!r}, of type {type(number).__name__}, not a real number"


def _names(loss: MarginLoss) -> Iterator[str]:
    yield from unknown_names(loss)


def _determinism(loss: MarginLoss) -> Iterator[str]:
    for m in _MARGINS[::7].tolist():
        if _point(loss, m) != _point(loss, m):
            yield f"at m = {m:.3g} two calls give {_point(loss, m)} and {_point(loss, m)}"


def slope(loss: MarginLoss, every: int = 1) -> Iterator[str]:
    """Margins, of all or of each such one, at which the slope is not that of the value."""
    return _differences(loss, 0, 1, "value", every)


def _curvature(loss: MarginLoss) -> Iterator[str]:
    yield from _differences(loss, 1, 2, "slope")


def _differences(loss: MarginLoss, of: int, what: int, name: str, every: int = 1) -> Iterator[str]:
    for m in _MARGINS[::every].tolist():
        h = _STEP * max(1.0, abs(m))
        around = [_point(loss, m + k * h) for k in (-2, -1, 0, 1, 2)]
        here = around[2][what]
        left = (around[2][of] - around[1][of]) / h
        right = (around[3][of] - around[2][of]) / h
        if not all(math.isfinite(number) for number in (here, left, right)):
            continue  # extreme margins have a check of their own
        # At a kink the one-sided differences part, and anything between them will do.
        low, high = min(left, right), max(left, right)
        scale = max(abs(here), abs(low), abs(high), 1e-3)
        bend = abs(around[3][what] - around[1][what]) if math.isfinite(around[3][what] - around[1][what]) else math.inf
        room = _ACCURACY * scale + bend + 1e-9 * max(abs(around[2][of]), 1.0) / h
        if not low - room <= here <= high + room:
            given = f"at m = {m:.3g} it is {here:.6g}"
            yield f"{given}, but differences of the {name} give {0.5 * (left + right):.6g}"


def convexity(loss: MarginLoss) -> Iterator[str]:
    """Margins at which a loss that is said to be convex is not."""
    if not loss.convex:
        return
    last: tuple[float, float] | None = None
    for m in _MARGINS.tolist():
        _, slope, curvature = _point(loss, m)
        if curvature < 0.0:
            yield f"at m = {m:.3g} the curvature is {curvature:.6g}; declare `convex = False` if that is meant"
        if last is not None and slope < last[1] - 1e-9 * max(1.0, abs(last[1])):
            yield (
                f"the slope falls from {last[1]:.6g} at m = {last[0]:.3g} to {slope:.6g} at m = {m:.3g}; declare "
                "`convex = False` if that is meant"
            )
        last = m, slope


def kinks(loss: MarginLoss) -> Iterator[str]:
    """Margins at which the slope jumps, of a loss that has no ``prox``."""
    if loss.prox is not None:
        return
    for a, b in zip(_MARGINS[:-1].tolist(), _MARGINS[1:].tolist(), strict=True):
        # A jump stays when the interval is halved; a slope that is only steep does not.
        low, high, left, right = a, b, _point(loss, a)[1], _point(loss, b)[1]
        for _ in range(40):
            middle = 0.5 * (low + high)
            mid = _point(loss, middle)[1]
            if abs(mid - left) > abs(right - mid):
                high, right = middle, mid
            else:
                low, left = middle, mid
            jump = abs(right - left)
            if not jump > 1e-6 * max(1.0, abs(left)):
                break
        else:
            yield f"the slope jumps by {jump:.3g} at m = {high:.6g}; such a loss needs a prox(self, v, kappa)"


def _boundedness(loss: MarginLoss) -> Iterator[str]:
    try:
        slope = _point(loss, _RIGHT)[1]
    except OverflowError:
        return  # which the extreme margins report
    if loss.convex and loss.bounded_below and slope < -1e-3 * abs(_point(loss, 0.0)[1]):
        yield (
            f"at m = {_RIGHT:g} the slope is still {slope:.3g}: the loss falls for ever, and only the penalty gives a "
            "fit an optimum; declare `bounded_below = False` if that is meant"
        )


def _declared_bounds(loss: MarginLoss) -> Iterator[str]:
    for index, name in ((1, "slope"), (2, "curvature")):
        low, high = getattr(loss, f"{name}_bounds")()
        room = 1e-9 * max(abs(bound) for bound in (low, high, 0.0) if math.isfinite(bound))
        for m in _MARGINS.tolist():
            found = _point(loss, m)[index]
            if not low - room <= found <= high + room:
                yield f"at m = {m:.3g} the {name} is {found:.6g}, but {name}_bounds() says {low:.6g} to {high:.6g}"
    # That the slope never changes has the closed form of `linear` as its consequence.
    if not loss.affine and all(_point(loss, m)[1] == _point(loss, 0.0)[1] for m in _MARGINS.tolist()):
        yield "the slope is the same at every margin: let curvature_bounds() return (0.0, 0.0), so that a fit knows it"


def _declared_behaviour(loss: MarginLoss) -> Iterator[str]:
    if loss.noise_symmetric:
        there = 2.0 * _point(loss, 0.0)[0]
        for m in _MARGINS.tolist():
            here = _point(loss, m)[0] + _point(loss, -m)[0]
            if abs(here - there) > 1e-9 * max(1.0, abs(_point(loss, m)[0])):
                yield (
                    f"noise_symmetric: φ(m) + φ(−m) is {here:.6g} at m = {m:.3g}, and {there:.6g} at zero; declare "
                    "`noise_symmetric = False`"
                )
    if loss.saturating and abs(_point(loss, -_RIGHT)[1]) > 1e-3 * abs(_point(loss, 0.0)[1]):
        slope = _point(loss, -_RIGHT)[1]
        yield f"saturating: at m = {-_RIGHT:g} the slope is {slope:.6g}, not near zero; declare `saturating = False`"


def _prox(loss: MarginLoss) -> Iterator[str]:
    if loss.prox is None:
        return
    for kappa in _KAPPAS:
        for v in _MARGINS[::3].tolist():
            u = float(loss.prox(v, kappa))
            if not math.isfinite(u):
                yield f"prox({v:.3g}, {kappa:g}) is {u}"
                continue
            h = 1e-7 * max(1.0, abs(u))
            pull = (v - u) / kappa
            left, right = _point(loss, u - h)[1], _point(loss, u + h)[1]
            room = 1e-5 * max(1.0, abs(pull)) + 2.0 * h / kappa
            if not left - room <= pull <= right + room:
                yield (
                    f"prox({v:.3g}, {kappa:g}) is {u:.6g}, where (v − u)/kappa = {pull:.6g} is no slope of the loss: "
                    f"that lies between {left:.6g} and {right:.6g}"
                )


def _inverse(loss: MarginLoss) -> Iterator[str]:
    if not loss.invertible:
        return
    most = -loss.slope_bounds()[0]
    for part in _PARTS:
        a = part * (most if math.isfinite(most) else 1.0)
        m, change = (float(number) for number in loss.inverse_slope(a))
        # At a kink the slope is anything between those on both sides.
        h = 1e-7 * max(1.0, abs(m))
        left, here, right = (_point(loss, m + k * h)[1] for k in (-1, 0, 1))
        room = 1e-5 * a + (0.0 if change == 0.0 else 2.0 * h / abs(change))
        if not left - room <= -a <= right + room:
            yield f"inverse_slope({a:.3g}) is the margin {m:.6g}, where the slope is {here:.6g}, not {-a:.6g}"


def _logarithms(loss: MarginLoss) -> Iterator[str]:
    # Only those that the class has written: the others are computed from what is checked elsewhere.
    own = {name for name in ("log_slope", "log_probability", "probability") if is_own(loss, name)}
    for m in _MARGINS[::3].tolist():
        slope, opposite = min(_point(loss, m)[1], 0.0), min(_point(loss, -m)[1], 0.0)
        expected = {"log_slope": -slope}
        if loss.log_probability is not None and slope + opposite < 0.0:
            eta = (
                float(np.asarray(loss.probability([m])).item())
                if "probability" in own
                else opposite / (slope + opposite)
            )
            expected["log_probability"] = eta
        for name, number in expected.items():
            if name in own and math.isfinite(number) and number > 1e-250:
                found = float(np.asarray(getattr(loss, name)([m])).item())
                if not abs(found - math.log(number)) <= _ACCURACY * max(1.0, abs(found)):
                    of = "−φ'" if name == "log_slope" else "the probability"
                    yield f"{name} is {found:.6g} at {m:.3g}, and the logarithm of {of} {math.log(number):.6g}"


def _extremes(loss: MarginLoss) -> Iterator[str]:
    remedy = "write it so that nothing overflows, as max(0, −m) + log1p(exp(−|m|)) for log(1 + exp(−m))"
    for m in _FAR:
        # Whether the loss itself explodes there, or only a step on the way to it.
        gentle = abs(_point(loss, math.copysign(50.0, m))[1]) < _GENTLE
        try:
            value, slope, curvature = _point(loss, m)
        except OverflowError as error:
            if gentle and abs(m) <= _MODERATE:
                yield f"at m = {m:g} it raises OverflowError ({error}), though its slope is moderate; {remedy}"
            continue
        for what, number in (("value", value), ("slope", slope), ("curvature", curvature)):
            if math.isnan(number):
                yield f"at m = {m:g} the {what} is NaN"
        if math.isinf(value) and gentle and abs(m) <= _MODERATE:
            yield f"at m = {m:g} the value is infinite, though its slope is moderate; {remedy}"


def _compiles(loss: MarginLoss) -> Iterator[str]:
    """Of what the solvers compile of a loss, all that is written by its class."""
    try:
        loss.compiled()
        if loss.prox is not None:
            loss.compiled_prox()
            loss.smoothed(1.0)
        if loss.invertible:
            loss.compiled_inverse()
    except TypeError as error:  # whose sentences are written for the user
        yield str(error).replace("\n", " ").removesuffix(".")


def _point(loss: MarginLoss, m: float) -> tuple[float, float, float]:
    with np.errstate(all="ignore"):
        value, slope, curvature = loss.point(m)
    return float(value), float(slope), float(curvature)


CHECKS: dict[str, tuple[Callable[[Any], Iterator[str]], str]] = {
    "names": (_names, "point asks self for nothing but parameters"),
    "types": (_types, "three real numbers"),
    "determinism": (_determinism, "the same numbers for the same margin"),
    "slope": (slope, "agrees with differences of the value"),
    "curvature": (_curvature, "agrees with differences of the slope"),
    "convexity": (convexity, "as declared"),
    "kinks": (kinks, "none, or a prox for them"),
    "boundedness": (_boundedness, "as declared"),
    "declared bounds": (_declared_bounds, "slope_bounds() and curvature_bounds() hold"),
    "declared behaviour": (_declared_behaviour, "noise_symmetric and saturating are not claimed wrongly"),
    "prox": (_prox, "fits to point, where there is one"),
    "inverse slope": (_inverse, "fits to point, where there is one"),
    "logarithms": (_logarithms, "agree with the slopes and probabilities, where they are written"),
    "extreme margins": (_extremes, "nothing overflows before it must"),
    "compilation": (_compiles, "Numba takes all of it"),
}
"""Each with what can be said of a loss that passes. The last takes a second, and is for those that pass the others."""
