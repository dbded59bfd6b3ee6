"""The losses, each written once as a class with one method ``point``.

A new loss is one class in one file of this folder and its name in the tuple below; kernels, solvers, tests, docs and
error messages take it from there.
"""

from __future__ import annotations

import difflib

from .base import Loss
from .bounded import GeneralizedCrossEntropy, Savage, Sigmoid, Tangent
from .hinges import Hinge, ModifiedHuber, SmoothHinge, SquaredHinge
from .large_margin import DWD, LUM
from .logarithmic import Exponential, Logistic
from .polynomial import Linear, Squared

_CLASSES: tuple[type[Loss], ...] = (
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


def catalogue() -> dict[str, type[Loss]]:
    """The losses by their canonical names, in the order of the documentation.

    Returns
    -------
    dict of str to type

    Examples
    --------
    >>> from marginclf.losses import catalogue
    >>> list(catalogue())[:3]
    ['logistic', 'linear', 'hinge']
    """
    return {cls.name: cls for cls in _CLASSES}


def get_loss(loss: str | Loss) -> Loss:
    """The loss of a name or alias, with default parameters; a loss object is returned as it is.

    Parameters
    ----------
    loss : str or Loss
        Name, alias or object.

    Returns
    -------
    Loss

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
    if isinstance(loss, Loss):
        loss.validate()
        return loss
    if not isinstance(loss, str):
        hint = f"; use {loss.__name__}()" if isinstance(loss, type) and issubclass(loss, Loss) else ""
        raise TypeError(f"loss must be a name or an instance of marginclf.losses.Loss, got {loss!r}{hint}")
    if loss in _BY_NAME:
        return _BY_NAME[loss]()
    if loss in _REFUSED:
        raise ValueError(f"loss={loss!r}: {_REFUSED[loss]}")
    near = difflib.get_close_matches(loss.lower(), _BY_NAME, n=1, cutoff=0.5)
    suggestion = f"did you mean {near[0]!r}? " if near else ""
    raise ValueError(f"unknown loss {loss!r}: {suggestion}Known names: {', '.join(_BY_NAME)}")


__all__ = ["Loss", "catalogue", "get_loss", *sorted(cls.__name__ for cls in _CLASSES)]
