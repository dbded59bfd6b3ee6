"""What every loss must be, by mpmath and from the table of the catalogue; no formula comes from marginclf.

`LOSSES` is the one list of losses that the tests are parametrised over. A loss that enters the catalogue
without a formula here makes those tests fail with a sentence that says so.
"""

import itertools
from collections.abc import Callable
from functools import cache
from typing import NamedTuple

import mpmath
import numpy as np
import pytest

from marginclf.losses import DWD, LUM, GeneralizedCrossEntropy, MarginLoss, SmoothHinge, catalogue

# A context of its own: no other test can change its precision.
mp = mpmath.MPContext()
mp.dps = 60

_OTHER_PARAMETERS = [
    *(SmoothHinge(gamma=gamma) for gamma in (0.5, 2.0, 1e-3)),
    *(DWD(q=q) for q in (0.5, 2.0, 7.3)),
    *(LUM(a=a, c=c) for a, c in ((2.0, 1.0), (0.5, 3.0), (1.0, 1e3), (100.0, 0.5))),
    *(GeneralizedCrossEntropy(q=q) for q in (0.3, 1e-3, 1.0)),
]


def _id(loss: MarginLoss) -> str:
    return "-".join([loss.name, *(f"{name}={value:g}" for name, value in loss.get_params().items())])


LOSS_CASES: list[tuple[str, MarginLoss]] = [
    (_id(loss), loss) for loss in [*(cls() for cls in catalogue().values()), *_OTHER_PARAMETERS]
]
"""(id, loss): every class of the catalogue with its defaults, then other parameters; no test changes them."""

LOSSES = [pytest.param(loss, id=name) for name, loss in LOSS_CASES]
"""The same for ``pytest.mark.parametrize("loss", LOSSES)``."""

DEFAULTS = LOSSES[: len(catalogue())]
"""Those of the catalogue with its default parameters: where the parameters change nothing that is tested."""

_ROADS = ("logistic", "hinge", "squared_hinge", "linear", "savage")
FAMILY = [case for case in DEFAULTS if case.values[0].name in _ROADS]
"""One loss for each road through the solvers: smooth, with a kink, of pieces, affine, not convex.

For what a solver or the estimator does whatever the formula is; a test of formulas, optima or bounds takes them all.
"""

WITHOUT_JOINT_FORM = {"squared", "tangent", "linear"}
"""A name of the package that is asked while the tests are collected would compile every loss in every worker."""

SMOOTH = [pytest.param(loss, id=name) for name, loss in LOSS_CASES if loss.smooth]
CONVEX = [pytest.param(loss, id=name) for name, loss in LOSS_CASES if loss.convex]
JOINT = [pytest.param(loss, id=name) for name, loss in LOSS_CASES if loss.name not in WITHOUT_JOINT_FORM]
KINKED = [pytest.param(loss, id=name) for name, loss in LOSS_CASES if not loss.smooth]


def usually(cases: list) -> list:
    """The same losses, of which those that only differ from another by a parameter are for the slow tests.

    For what a parameter can hardly change; formulas, optima and bounds are tested with all of them.
    """
    usual = {case.id for case in DEFAULTS}
    return [
        case if case.id in usual else pytest.param(*case.values, id=case.id, marks=pytest.mark.slow) for case in cases
    ]


def takes(solver: str, loss: MarginLoss, C: float = 1.0) -> bool:
    """Whether a solver is there for a loss: a dual needs a convex loss and a penalty, L-BFGS a smooth one."""
    if solver == "dual":
        return loss.convex and np.isfinite(C)
    return loss.smooth if solver == "lbfgs" else (loss.smooth or np.isfinite(C))


def with_solvers(cases: list, solvers: tuple) -> list:
    """Every loss with every solver that takes it."""
    return [
        pytest.param(case.values[0], solver, id=f"{case.id}-{solver}", marks=case.marks)
        for case in cases
        for solver in solvers
        if takes(solver, case.values[0])
    ]


class Piece(NamedTuple):
    """φ, φ' and φ'' where they are smooth: for margins up to ``upper``, and a little beyond."""

    upper: mpmath.mpf
    value: Callable
    slope: Callable
    curvature: Callable


class Reference(NamedTuple):
    """A loss as smooth pieces from −∞ to ∞, and the margins where slope or curvature go through zero."""

    pieces: tuple[Piece, ...]
    zeros: tuple[mpmath.mpf, ...] = ()

    @property
    def kinks(self) -> tuple[mpmath.mpf, ...]:
        """Margins at which the curvature jumps."""
        return tuple(piece.upper for piece in self.pieces[:-1])

    @property
    def jumps(self) -> tuple[mpmath.mpf, ...]:
        """Margins at which the slope jumps."""
        return tuple(
            a.upper for a, b in itertools.pairwise(self.pieces) if abs(a.slope(a.upper) - b.slope(a.upper)) > 1e-30
        )

    def piece(self, m: mpmath.mpf) -> Piece:
        return next(piece for piece in self.pieces if m <= piece.upper)

    def pieces_near(self, m: float) -> list[Piece]:
        """The piece of margin m, and its neighbour where the kink between them is at most an ulp away."""
        around = (m, np.nextafter(m, -np.inf), np.nextafter(m, np.inf))
        found = {id(piece): piece for piece in (self.piece(mp.mpf(float(a))) for a in around)}
        return list(found.values())

    def probability(self, z: float) -> mpmath.mpf:
        """η(z) = φ'(−z) / (φ'(z) + φ'(−z)), clipped to [0, 1]."""
        # Slopes of a size of 1e300 may cancel to a sum of 1.
        with mp.workdps(640):
            z = mp.mpf(z)
            slope, opposite = self.piece(z).slope(z), self.piece(-z).slope(-z)
            return min(max(opposite / (slope + opposite), mp.mpf(0)), mp.mpf(1))

    def log_probability(self, z: float) -> mpmath.mpf:
        """log η(z), with digits of its own where η is nearly 0 or 1."""
        with mp.workdps(120):
            z = mp.mpf(z)
            slope, opposite = self.piece(z).slope(z), self.piece(-z).slope(-z)
            if opposite >= 0:
                return mp.ninf
            return -mp.log1p(slope / opposite) if slope < 0 else mp.mpf(0)

    def joint_log_probability(self, z: tuple) -> list[mpmath.mpf]:
        """The logarithms of p_k (1 − p_k) / (−φ'(m_k)), normalised, with p the softmax and m_k = log(p_k/(1 − p_k))."""
        z = [mp.mpf(a) for a in z]
        weights = []
        for k, own in enumerate(z):
            m = own - mp.log(mp.fsum(mp.exp(other) for j, other in enumerate(z) if j != k))
            slope = self.piece(m).slope(m)
            if slope == 0 and m > 0:
                return [mp.mpf(0) if j == k else mp.ninf for j in range(len(z))]
            weights.append(m - 2 * mp.log1p(mp.exp(m)) - mp.log(-slope))
        rest = [mp.fsum(mp.exp(w - own) for j, w in enumerate(weights) if j != k) for k, own in enumerate(weights)]
        return [-mp.log1p(others) for others in rest]


def change_of_one_rounding(function: Callable, z: float) -> mpmath.mpf:
    """How far a function of a decision value goes when that is one ulp larger or smaller; infinite at its end."""
    here = function(mp.mpf(z))
    with mp.workdps(120):
        return max(abs(function(mp.mpf(z) + step * ulp(z)) - here) for step in (-1, 1))


def condition(function: Callable, m: mpmath.mpf) -> mpmath.mpf:
    """|m f'(m)/f(m)|, by a central difference whose step is far below an ulp of a double."""
    step = mp.mpf(10) ** -20
    value = function(m)
    change = function(m * (1 + step)) - function(m * (1 - step))
    return abs(change / (2 * step * value)) if value else mp.mpf(0)


def ulp(value: float) -> mpmath.mpf:
    """The distance from a double to the next larger one in magnitude."""
    return mp.mpf(float(np.spacing(abs(value))))


def reference(loss: MarginLoss) -> Reference:
    """The reference of a loss of the catalogue, at its parameters."""
    if loss.name not in _BUILDERS:
        pytest.fail(
            f"the loss {loss.name!r} is in the catalogue but has no formula in tests/references.py: add its "
            "value, slope and curvature to _BUILDERS there, from the source of the loss and not from its code"
        )
    return _build(loss.name, tuple(sorted(loss.get_params().items())))


@cache
def _build(name: str, parameters: tuple) -> Reference:
    return _BUILDERS[name](**{key: mp.mpf(value) for key, value in parameters})


def _sigma(x):
    return 1 / (1 + mp.exp(-x))


def _smooth(value, slope, curvature, zeros=()):
    return Reference((Piece(mp.inf, value, slope, curvature),), tuple(zeros))


def _line(upper, offset, slope):
    return Piece(upper, lambda m: offset + slope * m, lambda m: slope, lambda m: mp.mpf(0))


def _parabola(upper, scale):
    return Piece(upper, lambda m: scale * (1 - m) ** 2, lambda m: -2 * scale * (1 - m), lambda m: 2 * scale)


_NOTHING = _line(mp.inf, mp.mpf(0), mp.mpf(0))
_ONE = mp.mpf(1)


def _logistic():
    return _smooth(
        lambda m: mp.log1p(mp.exp(-m)),
        lambda m: -_sigma(-m),
        lambda m: _sigma(m) * _sigma(-m),
    )


def _smooth_hinge(gamma):
    return Reference((_line(1 - gamma, 1 - gamma / 2, -_ONE), _parabola(_ONE, 1 / (2 * gamma)), _NOTHING))


def _modified_huber():
    return Reference((_line(-_ONE, mp.mpf(0), mp.mpf(-4)), _parabola(_ONE, _ONE), _NOTHING))


def _exponential():
    return _smooth(lambda m: mp.exp(-m), lambda m: -mp.exp(-m), lambda m: mp.exp(-m))


def _dwd(q):
    scale = q**q / (q + 1) ** (q + 1)
    above = Piece(
        mp.inf,
        lambda m: scale * m**-q,
        lambda m: -q * scale * m ** (-q - 1),
        lambda m: q * (q + 1) * scale * m ** (-q - 2),
    )
    return Reference((_line(q / (q + 1), _ONE, -_ONE), above))


def _lum(a, c):
    def ratio(m):
        return a / ((1 + c) * m - c + a)

    above = Piece(
        mp.inf,
        lambda m: ratio(m) ** a / (1 + c),
        lambda m: -(ratio(m) ** (a + 1)),
        lambda m: (1 + c) * (1 + a) / a * ratio(m) ** (a + 2),
    )
    return Reference((_line(c / (1 + c), _ONE, -_ONE), above))


def _savage():
    return _smooth(
        lambda m: _sigma(-2 * m) ** 2,
        lambda m: -4 * _sigma(-2 * m) ** 2 * _sigma(2 * m),
        lambda m: 8 * _sigma(-2 * m) ** 2 * _sigma(2 * m) * (2 - 3 * _sigma(-2 * m)),
        zeros=[-mp.log(2) / 2],
    )


def _tangent():
    def k(m):
        return 2 * mp.atan(m) - 1

    return _smooth(
        lambda m: k(m) ** 2,
        lambda m: 4 * k(m) / (1 + m**2),
        lambda m: 8 * (1 - m * k(m)) / (1 + m**2) ** 2,
        zeros=[mp.tan(mp.mpf(0.5)), *(mp.findroot(lambda m: 1 - m * k(m), guess) for guess in (-0.5, 1.3))],
    )


def _sigmoid():
    return _smooth(
        lambda m: _sigma(-m),
        lambda m: -_sigma(m) * _sigma(-m),
        lambda m: _sigma(m) * _sigma(-m) * mp.tanh(m / 2),  # 1 − 2φ = tanh(m/2), also where m is tiny
        zeros=[mp.mpf(0)],
    )


def _generalized_cross_entropy(q):
    return _smooth(
        lambda m: -mp.expm1(-q * mp.log1p(mp.exp(-m))) / q,
        lambda m: -(_sigma(m) ** q) * _sigma(-m),
        # The last factor is σ − q(1 − σ), which would lose its digits for q = 1 and a tiny m.
        lambda m: _sigma(m) ** q * _sigma(-m) * ((1 - q) + (1 + q) * mp.tanh(m / 2)) / 2,
        zeros=[mp.log(q)],
    )


_BUILDERS: dict[str, Callable[..., Reference]] = {
    "logistic": _logistic,
    "linear": lambda: Reference((_line(mp.inf, mp.mpf(0), -_ONE),)),
    "hinge": lambda: Reference((_line(_ONE, _ONE, -_ONE), _NOTHING)),
    "squared_hinge": lambda: Reference((_parabola(_ONE, _ONE), _NOTHING)),
    "smooth_hinge": _smooth_hinge,
    "modified_huber": _modified_huber,
    "exponential": _exponential,
    "squared": lambda: Reference((_parabola(mp.inf, _ONE),), (_ONE,)),
    "dwd": _dwd,
    "lum": _lum,
    "savage": _savage,
    "tangent": _tangent,
    "sigmoid": _sigmoid,
    "generalized_cross_entropy": _generalized_cross_entropy,
}
