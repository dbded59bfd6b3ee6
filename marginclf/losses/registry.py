"""Losses by name: the catalogue, and what users register."""

from __future__ import annotations

import difflib
from typing import Any

from .base import MarginLoss
from .bounded import GeneralizedCrossEntropy, Savage, Sigmoid, Tangent
from .hinges import Hinge, ModifiedHuber, SmoothHinge, SquaredHinge
from .large_margin import DWD, LUM
from .logarithmic import Exponential, Logistic
from .polynomial import Linear, Squared

_CLASSES: tuple[type[MarginLoss], ...] = (
    Logistic,
    Linear,
    Hinge,
    SquaredHinge,
    SmoothHinge,
    ModifiedHuber,
    Exponential,
    Squared,
    DWD,
    LUM,
    Savage,
    Tangent,
    Sigmoid,
    GeneralizedCrossEntropy,
)

_BY_NAME = {name: cls for cls in _CLASSES for name in (cls.name, *cls.aliases)}

_REFUSED = {
    "perceptron": (
        "the perceptron loss max(0, -m) is not in the catalogue: with an L2 penalty its minimum is w = 0, which is "
        "useless. Use loss='smooth_hinge', or sklearn.linear_model.Perceptron"
    ),
}

_REGISTERED: dict[str, type[MarginLoss]] = {}


def register_loss(name: str, cls: type[MarginLoss]) -> None:
    """Give a loss of your own a name for the estimator and :func:`get_loss`.

    The name holds in this process only. Worker processes of joblib or dask do not know it: pass them the loss as an
    object. A fitted estimator keeps the object, and predicts wherever its class can be imported.

    Parameters
    ----------
    name : str
        Any name that no built-in loss has. A loss that was registered under the name before is replaced.
    cls : type
        A subclass of :class:`MarginLoss` whose parameters all have defaults.

    Raises
    ------
    TypeError
        If ``cls`` is not a subclass, or ``name`` is not a string.
    ValueError
        If the name belongs to a built-in loss.

    Examples
    --------
    >>> from marginclf.losses import MarginLoss, get_loss, register_loss
    >>> class Slow(MarginLoss):
    ...     rate: float = 0.5
    ...
    ...     def point(self, m):
    ...         return 1.0 - self.rate * m, -self.rate, 0.0
    >>> register_loss("slow", Slow)
    >>> get_loss("slow")
    Slow()
    """
    if not isinstance(name, str) or not name:
        raise TypeError(f"the name of a loss must be a string that is not empty, got {name!r}")
    if not (isinstance(cls, type) and issubclass(cls, MarginLoss)):
        hint = f"; register the class {type(cls).__name__}, not an object" if isinstance(cls, MarginLoss) else ""
        raise TypeError(f"register_loss needs a subclass of marginclf.losses.MarginLoss, got {cls!r}{hint}")
    if name in _BY_NAME or name in _REFUSED:
        raise ValueError(f"the name {name!r} belongs to a built-in loss; choose another one")
    cls()  # its parameters must have defaults
    _REGISTERED[name] = cls


def catalogue() -> dict[str, type[MarginLoss]]:
    """The built-in losses by their canonical names, in the order of the documentation.

    Returns
    -------
    dict of str to type

    Examples
    --------
    >>> from marginclf.losses import catalogue
    >>> list(catalogue())[:3]
    ['logistic', 'linear', 'hinge']
    >>> [name for name, cls in catalogue().items() if cls.probability is None]  # without ``predict_proba``
    ['linear', 'hinge', 'sigmoid']
    """
    return {cls.name: cls for cls in _CLASSES}


def get_loss(loss: str | MarginLoss) -> MarginLoss:
    """The loss of a name or alias, with default parameters; a loss object is returned as it is.

    Parameters
    ----------
    loss : str or MarginLoss
        Name, alias or object.

    Returns
    -------
    MarginLoss

    Raises
    ------
    ValueError
        If the name is unknown (the nearest one is suggested) or a parameter is out of range.
    TypeError
        If it is neither a name nor a loss object.

    Examples
    --------
    >>> from marginclf.losses import get_loss
    >>> get_loss("softplus")
    Logistic()
    """
    if isinstance(loss, MarginLoss):
        loss.validate()
        return loss
    if not isinstance(loss, str):
        if isinstance(loss, type) and issubclass(loss, MarginLoss):
            name = loss.__name__
            raise TypeError(f"loss={name} is a class, and a loss is an object of it: write {name}(), with parentheses")
        raise TypeError(f"loss must be a name or an instance of marginclf.losses.MarginLoss, got {loss!r}")
    cls = _BY_NAME.get(loss) or _REGISTERED.get(loss)
    if cls is not None:
        return cls()
    if loss in _REFUSED:
        raise ValueError(f"loss={loss!r}: {_REFUSED[loss]}")
    known = [*_BY_NAME, *_REGISTERED]
    near = difflib.get_close_matches(loss.lower(), known, n=1, cutoff=0.5)
    suggestion = f"did you mean {near[0]!r}? " if near else ""
    raise ValueError(
        f"unknown loss {loss!r}: {suggestion}Known names: {', '.join(known)}. A name from register_loss holds only in "
        "the process that registered it: pass the loss as an object to others"
    )


def with_parameters(given: Any, changes: dict[str, Any], what: str, grids: str) -> Any:
    """A loss, or a penalty, of the same class with some parameters changed; it is left as it is itself.

    Parameters
    ----------
    given : object
        With ``get_params``.
    changes : dict
        Names of parameters and their values.
    what, grids : str
        What it is, and a search over several of it, for the message.

    Raises
    ------
    ValueError
        If there is no such parameter; the message lists those that there are.
    """
    parameters = given.get_params(deep=False)
    unknown = sorted(changes.keys() - parameters.keys())
    if unknown:
        known = ", ".join(parameters) or "none"
        raise ValueError(
            f"Invalid parameter {unknown[0]!r} for {what} {given!r}; its parameters: {known}. To search over several "
            f"with different parameters, give a list of grids: {grids}"
        )
    return type(given)(**{**parameters, **changes})
