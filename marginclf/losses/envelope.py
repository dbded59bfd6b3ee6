"""The Moreau envelope of a loss with a kink, from its ``point`` and ``prox``."""

from __future__ import annotations

from typing import Any

from ..kernels.block import MOST_PARAMETERS
from .base import MarginLoss

_envelopes: dict[tuple, type[MarginLoss]] = {}


def envelope(loss: MarginLoss, gamma: float) -> MarginLoss:
    """min over u of φ(u) + (u − m)²/(2 γ): smooth, with the minimum of φ, and within γ sup φ'² / 2 of it.

    With u = prox_γφ(m), its slope is (m − u)/γ; its curvature is φ''(u)/(1 + γ φ''(u)), or 1/γ where u stays at a kink.

    Parameters
    ----------
    loss : MarginLoss
        A convex loss with a ``prox``.
    gamma : float
        Width γ, positive.

    Raises
    ------
    TypeError
        If the loss has so many parameters that none is left for the width.
    """
    cls = type(loss)
    names = cls._get_param_names()
    if len(names) >= MOST_PARAMETERS:
        raise TypeError(
            f"{cls.__name__} has {len(names)} parameters ({', '.join(names)}); a loss with a kink can have at most "
            f"{MOST_PARAMETERS - 1}, since the solvers smooth it over a width that is one more"
        )
    key = cls, cls.point, cls.prox
    if key not in _envelopes:
        _envelopes[key] = _class_of(cls)
    return _envelopes[key](**loss.get_params(deep=False), envelope_width=gamma)


def _class_of(cls: type[MarginLoss]) -> type[MarginLoss]:
    formula, proximal = cls.point, cls.prox

    def point(self: Any, m: float) -> tuple[float, float, float]:
        u = proximal(self, m, self.envelope_width)
        value, _, curvature = formula(self, u)
        pull = (m - u) / self.envelope_width
        # Next to a kink the slope on either side is not the pull, which lies between them.
        step = abs(u) * 2.0**-48 + 1e-14
        _, left, _ = formula(self, u - step)
        _, right, _ = formula(self, u + step)
        jump = right - left
        held = jump > 1e-6 * (abs(left) + abs(right)) and left < pull < right
        bend = 1.0 / self.envelope_width if held else curvature / (1.0 + self.envelope_width * curvature)
        return value + 0.5 * self.envelope_width * pull * pull, pull, bend

    names = [*cls._get_param_names(), "envelope_width"]  # a name that the loss itself will hardly have
    namespace = {
        "__annotations__": dict.fromkeys(names, "float"),
        **{name: getattr(cls, name, 1.0) for name in names[:-1]},
        "envelope_width": 1.0,
        "point": point,
        "__doc__": f"The envelope of {cls.__name__}.",
    }
    return type(f"{cls.__name__}Envelope", (MarginLoss,), namespace)
