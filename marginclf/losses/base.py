"""What every loss has: parameters, the compiled form, and (probability.py) what its decision values say."""

from __future__ import annotations

import ctypes
from typing import Any, ClassVar, NamedTuple, dataclass_transform
from weakref import WeakKeyDictionary

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils._param_validation import validate_parameter_constraints

from .._process import quiet, require_compiler
from ..kernels.block import compile_block
from ..kernels.fingerprint import state
from ..kernels.formula import helpers
from ..kernels.inverse import compile_inverse
from ..kernels.prox import compile_prox
from .compiling import check_arguments, compile_loss
from .constructor import make_constructor
from .envelope import envelope
from .probability import Probabilities
from .properties import Properties


class CompiledLoss(NamedTuple):
    """A loss as the kernels take it. Holding it keeps the code at ``address`` alive."""

    address: int
    parameters: np.ndarray
    block: Any


_Store = WeakKeyDictionary[type, tuple[Any, Any]]
_blocks: _Store = WeakKeyDictionary()
_steps: _Store = WeakKeyDictionary()
_inverses: _Store = WeakKeyDictionary()
"""Compiled block functions, proximal steps and inverses by class: never by name, which two classes in a notebook may
share."""
_envelopes: WeakKeyDictionary[type, tuple[Any, type[MarginLoss]]] = WeakKeyDictionary()
"""Formulas and classes of envelopes by class, since a notebook may give a class another ``point``."""


@dataclass_transform(eq_default=False)  # for type checkers: annotated attributes make the constructor
class MarginLoss(Probabilities, Properties, BaseEstimator):
    """A margin loss φ(m), with m = y·z, y ∈ {−1, +1} and z the decision value.

    A loss of your own is a subclass with the method ``point``. Its parameters, at most four real numbers, are
    annotated attributes with defaults. It then works everywhere that a built-in loss does:
    :func:`marginclf.losses.check_margin_loss` tries it, :func:`marginclf.losses.register_loss` gives it a name.

    Attributes
    ----------
    name : str
        The name by which the catalogue knows the loss.
    aliases : tuple of str
        Further names.
    formula : str
        φ(m), in LaTeX.
    source : str
        Where the loss comes from.
    convex : bool
        Whether φ is convex.
    bounded_below : bool
        Whether φ has a lower bound.
    noise_symmetric : bool
        Whether φ(m) + φ(−m) is the same for all m. Labels flipped at random, all with the same probability below ½,
        then only scale and shift the expected loss, and do not move its minimum [1]_.
    saturating : bool
        Whether the slope vanishes as m → −∞, so that a sample far on the wrong side has no influence.
    link_formula : str
        The link z = ψ(η), in LaTeX; empty where the loss is not proper.
    link : None
        For a proper loss, a method ``link(self, eta)`` in its place: the only decision value z with the smallest
        expected loss where the positive class has probability η; the inverse of ``probability``.
    prox : None
        For a loss with a kink, a method ``prox(self, v, kappa)`` in its place: the u that minimises
        φ(u) + (u − v)²/(2 kappa). Losses without kinks do not need it. A class that has it has no ``probability``
        unless it writes one: by slopes that jump, η is a step.
    inverse_slope : None
        For a convex loss that never increases, a method ``inverse_slope(self, a)`` in its place, defined beside
        ``point``: the margin m with −φ'(m) = a and dm/da, for 0 < a < sup −φ'. Joint fits are then faster.

    References
    ----------
    .. [1] Ghosh, Manwani, Sastry (2015), Making risk minimization tolerant to label noise, Neurocomputing 160.

    Examples
    --------
    >>> from marginclf.losses import MarginLoss
    >>> class PowerHinge(MarginLoss):
    ...     p: float = 3.0
    ...
    ...     def point(self, m):
    ...         t = 1.0 - m
    ...         if t <= 0.0:
    ...             return 0.0, 0.0, 0.0
    ...         return t**self.p, -self.p * t ** (self.p - 1), self.p * (self.p - 1) * t ** (self.p - 2)
    >>> values, slopes, curvatures = PowerHinge().evaluate([0.0, 2.0])
    >>> print(values, slopes)
    [1. 0.] [-3.  0.]
    """

    name: ClassVar[str] = ""
    aliases: ClassVar[tuple[str, ...]] = ()
    formula: ClassVar[str] = ""
    source: ClassVar[str] = ""
    convex: ClassVar[bool] = True
    bounded_below: ClassVar[bool] = True
    noise_symmetric: ClassVar[bool] = False
    saturating: ClassVar[bool] = False
    link_formula: ClassVar[str] = ""
    link: ClassVar[Any] = None
    prox: ClassVar[Any] = None
    inverse_slope: ClassVar[Any] = None
    _parameter_constraints: ClassVar[dict[str, list]] = {}

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        check_arguments(cls)
        make_constructor(cls)

    def point(self, m: float) -> tuple[float, float, float]:
        """Value, slope and curvature at one margin.

        The same text runs in Python and, compiled by Numba, in the kernels; there ``self`` has the parameters as
        attributes and nothing else. At a kink of the slope, either one-sided curvature will do.

        Parameters
        ----------
        m : float
            Margin y·z, without unit.

        Returns
        -------
        value, slope, curvature : float
            φ(m), φ'(m) and φ''(m).

        Examples
        --------
        >>> from marginclf.losses import SquaredHinge
        >>> SquaredHinge().point(0.0)
        (1.0, -2.0, 2.0)
        """
        raise NotImplementedError(f"the loss {type(self).__name__} must define point(self, m)")

    def smoothed(self, gamma: float) -> MarginLoss:
        """The Moreau envelope of a loss with a kink: min over u of φ(u) + (u − m)²/(2 gamma).

        Examples
        --------
        >>> from marginclf.losses import Hinge
        >>> Hinge().smoothed(0.5)
        SmoothHinge(gamma=0.5)
        """
        cls = type(self)
        formulas = cls.point, cls.prox
        known = _envelopes.get(cls)
        if known is None or known[0] != formulas:
            known = _envelopes[cls] = formulas, type(f"{cls.__name__}Envelope", (MarginLoss,), envelope(cls))
        return known[1](**self.get_params(deep=False), envelope_width=gamma)

    def validate(self) -> None:
        """Check the values of the parameters.

        Raises
        ------
        ValueError
            If a parameter is out of its range; the message names it, its value and the range.

        Examples
        --------
        >>> from marginclf.losses import SmoothHinge
        >>> try:
        ...     SmoothHinge(gamma=-1.0).validate()
        ... except ValueError as error:
        ...     print(error)
        The 'gamma' parameter of SmoothHinge must be a float in the range (0.0, inf). Got -1.0 instead.
        """
        parameters = self.get_params(deep=False)
        validate_parameter_constraints(self._parameter_constraints, parameters, caller_name=type(self).__name__)
        try:
            _ = [float(value) for value in parameters.values()]
        except (TypeError, ValueError, OverflowError) as error:
            raise ValueError(f"the parameters of a loss must be real numbers, got {self!r}") from error

    def compiled(self) -> CompiledLoss:
        """The loss as a C function over blocks of margins, compiled once for each class.

        Examples
        --------
        >>> from marginclf.losses import SmoothHinge
        >>> print(SmoothHinge(gamma=0.5).compiled().parameters)
        [0.5]
        """
        return self._compiled(_blocks, (type(self).point,), compile_block)

    def compiled_prox(self) -> CompiledLoss:
        """The proximal step of the loss as a C function, compiled once for each class.

        Examples
        --------
        >>> from marginclf.losses import Hinge
        >>> Hinge().compiled_prox().parameters.shape
        (0,)
        """
        return self._compiled(_steps, (type(self).point, type(self).prox), compile_prox)

    @property
    def invertible(self) -> bool:
        """Whether there is an ``inverse_slope`` that belongs to ``point``: both are of one class.

        Examples
        --------
        >>> from marginclf.losses import Hinge, Logistic
        >>> Hinge().invertible, Logistic().invertible
        (True, False)
        """
        owners = [next(c for c in type(self).__mro__ if name in vars(c)) for name in ("point", "inverse_slope")]
        return self.inverse_slope is not None and owners[0] is owners[1]

    def compiled_inverse(self) -> CompiledLoss:
        """The inverse of the slope as a C function over blocks, compiled once for each class.

        Examples
        --------
        >>> from marginclf.losses import DWD
        >>> print(DWD(q=2.0).compiled_inverse().parameters)
        [2.]
        """
        return self._compiled(_inverses, (type(self).inverse_slope,), compile_inverse)

    def _compiled(self, store: _Store, formulas: tuple, compile_formulas: Any) -> CompiledLoss:
        self.validate()
        require_compiler()
        cls = type(self)
        names = tuple(cls._get_param_names())
        # A notebook may give a class another `point`, or define anew a function or number that it uses.
        written = state(tuple(part for formula in formulas if formula for part in (formula, *helpers(formula))))
        known = store.get(cls)
        if known is None or known[0] != written:
            known = store[cls] = written, compile_loss(self, names, formulas, compile_formulas)
        code = known[1]
        return CompiledLoss(code.address, np.array([float(getattr(self, name)) for name in names]), code)

    def evaluate(self, margins: Any) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Value, slope and curvature at many margins, by the compiled code that a fit uses.

        Parameters
        ----------
        margins : array-like
            Margins m = y·z, of any shape.

        Returns
        -------
        values, slopes, curvatures : ndarray of float64
            φ(m), φ'(m) and φ''(m), of the same shape.

        Examples
        --------
        >>> from marginclf.losses import SquaredHinge
        >>> values, slopes, curvatures = SquaredHinge().evaluate([[0.0, 2.0]])
        >>> print(values, slopes, curvatures)
        [[1. 0.]] [[-2.  0.]] [[2. 0.]]
        """
        m = np.asarray(margins, dtype=np.float64, order="C")
        _, parameters, block = self.compiled()
        # NaN shows what a point that leaves by an error, in a function that it calls, did not compute.
        values, slopes, curvatures = (np.full_like(m, np.nan) for _ in range(3))
        arrays = parameters, m, np.ones_like(m), values, slopes, curvatures
        block.ctypes(*(a.ctypes.data_as(ctypes.POINTER(ctypes.c_double)) for a in arrays), m.size)
        return values, slopes, curvatures

    def __setstate__(self, state: dict[str, Any]) -> None:
        # Parameters are all that a loss has: nothing from a file may stand in for a method or compiled code.
        names = type(self)._get_param_names()
        super().__setstate__({name: value for name, value in state.items() if name in names})

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and self.get_params() == other.get_params()  # type: ignore[attr-defined]

    def __hash__(self) -> int:
        return hash((type(self), tuple(sorted(self.get_params().items()))))


@quiet
def clipped_half(z: Any) -> np.ndarray:
    """η(z) = (1 + z)/2, clipped to [0, 1]: the probability of every loss that is (1 − m)² for |m| ≤ 1."""
    return np.clip(0.5 + 0.5 * np.asarray(z, dtype=np.float64), 0.0, 1.0)


@quiet
def half_link(eta: Any) -> np.ndarray:
    """z = 2η − 1: its inverse where η is neither 0 nor 1."""
    return 2.0 * np.asarray(eta, dtype=np.float64) - 1.0
