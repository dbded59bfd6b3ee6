"""The Moreau envelope of a loss with a kink, from its ``point`` and ``prox``."""

from __future__ import annotations

from typing import Any

from ..kernels.block import MOST_PARAMETERS


def envelope(cls: Any) -> dict[str, Any]:
    """The class body of the loss min over u of φ(u) + (u − m)²/(2 γ), with γ as its last parameter ``envelope_width``.

    It is smooth, with the minimum of φ, and within γ sup φ'² / 2 of it. With u = prox_γφ(m), its slope is (m − u)/γ;
    its curvature is φ''(u)/(1 + γ φ''(u)), or 1/γ where u stays at a kink.

    Parameters
    ----------
    cls : type
        A class of convex losses with a ``prox``.

    Raises
    ------
    TypeError
        If the loss has so many parameters that none is left for the width.
    """
    names = cls._get_param_names()
    if len(names) >= MOST_PARAMETERS:
        raise TypeError(
            f"{cls.__name__} has {len(names)} parameters ({', '.join(names)}); a loss with a kink can have at most "
            f"{MOST_PARAMETERS - 1}, since the solvers smooth it over a width that is one more"
        )
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

    return {
        "__annotations__": dict.fromkeys((*names, "envelope_width"), "float"),  # a name that the loss will hardly have
        **{name: getattr(cls, name, 1.0) for name in names},
        "envelope_width": 1.0,
        "point": point,
        "__doc__": f"The envelope of {cls.__name__}.",
    }
