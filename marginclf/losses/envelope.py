"""The Moreau envelope of a loss with a kink, from its ``point`` and ``prox``."""

from __future__ import annotations

from typing import Any

from .base import MarginLoss

_envelopes: dict[tuple, type[MarginLoss]] = {}


def envelope(loss: MarginLoss, gamma: float) -> MarginLoss:
    """min over u of φ(u) + (u − m)²/(2 γ): smooth, with the minimum of φ, and within γ sup φ'² / 2 of it.

    With u = prox_γφ(m), its slope is (m − u)/γ; its curvature is φ''(u)/(1 + γ φ''(u)), or 1/γ where u stays at a kink.

    Parameters
    ----------
    loss : MarginLoss
        A convex loss with a ``prox``, and with at most three parameters.
    gamma : float
        Width γ, positive.
    """
    cls = type(loss)
    key = cls, cls.point, cls.prox
    if key not in _envelopes:
        _envelopes[key] = _class_of(cls)
    return _envelopes[key](**loss.get_params(deep=False), gamma=gamma)


def _class_of(cls: type[MarginLoss]) -> type[MarginLoss]:
    formula, proximal = cls.point, cls.prox

    def point(self: Any, m: float) -> tuple[float, float, float]:
        u = proximal(self, m, self.gamma)
        value, _, curvature = formula(self, u)
        pull = (m - u) / self.gamma
        # Next to a kink the slope on either side is not the pull, which lies between them.
        step = abs(u) * 2.0**-48 + 1e-14
        _, left, _ = formula(self, u - step)
        _, right, _ = formula(self, u + step)
        jump = right - left
        held = jump > 1e-6 * (abs(left) + abs(right)) and left < pull < right
        bend = 1.0 / self.gamma if held else curvature / (1.0 + self.gamma * curvature)
        return value + 0.5 * self.gamma * pull * pull, pull, bend

    names = [*cls._get_param_names(), "gamma"]
    namespace = {
        "__annotations__": dict.fromkeys(names, "float"),
        **{name: getattr(cls, name, 1.0) for name in names[:-1]},
        "gamma": 1.0,
        "point": point,
        "__doc__": f"The envelope of {cls.__name__}.",
    }
    return type(f"{cls.__name__}Envelope", (MarginLoss,), namespace)
