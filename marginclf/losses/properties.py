"""What is known of a loss as a function: its bounds, its bends, and what follows for a fit."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar, TypeVar

import numpy as np

from .._process import require_compiler
from .infimum import infimum

_increasing: dict[tuple, float | None] = {}
"""Where losses increase, by their compiled code and parameters."""

_infima: dict[tuple, float] = {}
"""Their least values, by what else the search for one asks as well: it takes as long as a small fit."""


_Method = TypeVar("_Method", bound=Callable[..., Any])


def replaceable(method: _Method) -> _Method | Any:
    """The same method, of which a type checker knows that a class may have None or a property in its place."""
    return method


class Properties:
    """Methods of a loss that say what kind of function it is."""

    convex: ClassVar[bool]
    bounded_below: ClassVar[bool]
    prox: ClassVar[Any]
    compiled: Callable[[], Any]
    evaluate: Callable[[Any], tuple[np.ndarray, np.ndarray, np.ndarray]]
    point: Callable[[float], tuple[float, float, float]]

    def slope_bounds(self) -> tuple[float, float]:
        """Lower and upper bound of φ' over all margins; infinite where there is none.

        Examples
        --------
        >>> from marginclf.losses import ModifiedHuber
        >>> ModifiedHuber().slope_bounds()
        (-4.0, 0.0)
        """
        return -np.inf, np.inf

    def curvature_bounds(self) -> tuple[float, float]:
        """Lower and upper bound of φ'' over all margins; infinite where there is none.

        Examples
        --------
        >>> from marginclf.losses import Logistic
        >>> Logistic().curvature_bounds()
        (0.0, 0.25)
        """
        return (0.0 if self.convex else -np.inf), np.inf

    @property
    def lipschitz(self) -> float:
        """The largest magnitude of the slope, which limits the influence of one sample.

        Examples
        --------
        >>> from marginclf.losses import Hinge, SquaredHinge
        >>> Hinge().lipschitz, SquaredHinge().lipschitz
        (1.0, inf)
        """
        return max(abs(bound) for bound in self.slope_bounds())

    @property
    def calibrated(self) -> bool:
        """Whether φ'(0) < 0: then the smallest expected loss is on the side of the more probable class.

        So it is for every convex loss that is differentiable at zero (Bartlett, Jordan, McAuliffe 2006, Convexity,
        classification, and risk bounds, JASA 101), and for those of the catalogue that are not convex.

        Examples
        --------
        >>> from marginclf.losses import Hinge
        >>> Hinge().calibrated
        True
        """
        require_compiler()  # the elementary functions of `point` are compiled
        return max(self.point(-1e-12)[1], self.point(1e-12)[1]) < 0.0

    @property
    def smooth(self) -> bool:
        """Whether φ has no kink; see ``prox``.

        Examples
        --------
        >>> from marginclf.losses import Hinge, SquaredHinge
        >>> Hinge().smooth, SquaredHinge().smooth
        (False, True)
        """
        return type(self).prox is None

    def infimum(self) -> float:
        """A lower bound of φ over all margins, tight but for rounding; −inf where none is found.

        Examples
        --------
        >>> from marginclf.losses import Linear, Squared
        >>> Squared().infimum(), Linear().infimum()
        (0.0, -inf)
        """
        _, parameters, code = self.compiled()
        key = code, *parameters.tolist(), self.convex, self.bounded_below
        if key not in _infima:
            _infima[key] = infimum(self)
        return _infima[key]

    @property
    def affine(self) -> bool:
        """Whether the slope is the same at every margin, so that only a penalty gives an optimum.

        Examples
        --------
        >>> from marginclf.losses import Hinge, Linear
        >>> Linear().affine, Hinge().affine
        (True, False)
        """
        return self.curvature_bounds() == (0.0, 0.0)

    def increases_at(self) -> float | None:
        """A margin at which φ increases; None where it never does, as far as a grid of margins shows.

        Examples
        --------
        >>> from marginclf.losses import Hinge, Squared
        >>> Hinge().increases_at() is None, round(Squared().increases_at(), 3)
        (True, 1.122)
        """
        _, parameters, code = self.compiled()
        key = code, *parameters.tolist()
        if key not in _increasing:
            grid = np.geomspace(1e-3, 1e3, 121)
            grid = np.concatenate([-grid[::-1], [0.0], grid])
            slopes = self.evaluate(grid)[1]
            _increasing[key] = float(grid[slopes > 0.0].min()) if (slopes > 0.0).any() else None
        return _increasing[key]

    def why_not_joint(self) -> str | None:
        """Why the loss has no form with one joint margin for many classes; None where it has one.

        Examples
        --------
        >>> from marginclf.losses import Hinge, Squared
        >>> Hinge().why_not_joint() is None
        True
        >>> Squared().why_not_joint()
        'the joint margin needs a loss that never increases, and this one does at margin 1.12'
        """
        if self.affine:
            return (
                "of a loss with the same slope everywhere, the joint margin makes another problem, which is unbounded "
                "as soon as a class holds half of the weight"
            )
        margin = self.increases_at()
        if margin is not None:
            return f"the joint margin needs a loss that never increases, and this one does at margin {margin:.3g}"
        return None
