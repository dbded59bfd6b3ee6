"""A constructor from annotated attributes, as dataclasses have it, in the form that scikit-learn's ``clone`` needs."""

from __future__ import annotations

import inspect
from typing import Any

_KIND = inspect.Parameter.POSITIONAL_OR_KEYWORD


def make_constructor(cls: type) -> None:
    """Give a class that annotates attributes an ``__init__`` that takes them by position or name, after its parent's.

    Attributes whose parent says ``ClassVar`` of them, and names that begin with an underscore, are no parameters.

    Raises
    ------
    TypeError
        If one of them has no default.
    """
    fixed = {name for owner in cls.__mro__[1:] for name, kind in _annotations(owner) if "ClassVar" in kind}
    own = [name for name, kind in _annotations(cls) if "ClassVar" not in kind and name not in fixed and name[0] != "_"]
    inherited = [p.name for p in _parameters(cls) if p.name not in own]
    if "__init__" in cls.__dict__ or not (own or any(name in cls.__dict__ for name in inherited)):
        return
    before = {p.name: p.default for p in _parameters(cls)}
    parameters = []
    for name in (*inherited, *own):
        default = cls.__dict__.get(name, before.get(name, inspect.Parameter.empty))
        if default is inspect.Parameter.empty:
            raise TypeError(f"{cls.__name__}.{name} needs a default, as in `{name}: float = 1.0`")
        parameters.append(inspect.Parameter(name, _KIND, default=default))
    cls.__init__ = _constructor(cls, inspect.Signature(parameters))  # type: ignore[misc]


def _annotations(cls: type) -> list[tuple[str, str]]:
    return [(name, str(kind)) for name, kind in inspect.get_annotations(cls).items()]


def _parameters(cls: type) -> list[inspect.Parameter]:
    """What the constructor that a class inherits takes, without ``self``."""
    found = list(inspect.signature(cls.__init__).parameters.values())[1:]  # type: ignore[misc]
    return [parameter for parameter in found if parameter.kind is _KIND]


def _constructor(cls: type, signature: inspect.Signature) -> Any:
    def __init__(self: Any, *args: Any, **kwargs: Any) -> None:
        try:
            bound = signature.bind(*args, **kwargs)
        except TypeError as error:
            names = ", ".join(signature.parameters)
            raise TypeError(f"{type(self).__name__}: {error}; its parameters: {names or 'none'}") from None
        bound.apply_defaults()
        for name, value in bound.arguments.items():
            setattr(self, name, value)

    own = inspect.Parameter("self", _KIND)
    __init__.__signature__ = signature.replace(parameters=[own, *signature.parameters.values()])  # type: ignore
    __init__.__qualname__ = f"{cls.__qualname__}.__init__"
    return __init__
