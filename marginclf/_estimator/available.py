"""Methods that an object has or has not, as scikit-learn's ``available_if``, with the reason in the error itself."""

from __future__ import annotations

from collections.abc import Callable
from functools import update_wrapper, wraps
from types import MethodType
from typing import Any, TypeVar

_Method = TypeVar("_Method", bound=Callable[..., Any])


class available:
    """A method that is there where nothing speaks against it.

    scikit-learn's decorator puts the reason into the cause of an ``AttributeError`` that does not say it.

    Parameters
    ----------
    why_not : function
        Of the object: why it has no such method, in words, or None. An error that it raises is a reason too.
    """

    def __init__(self, why_not: Callable[[Any], str | None]) -> None:
        self._why_not = why_not

    def __call__(self, method: _Method) -> _Method:
        """The method; for type checkers, as it is written."""
        self._method = method
        found: Any = update_wrapper(self, method)  # type: ignore[arg-type]
        return found  # type: ignore[no-any-return]

    def __get__(self, instance: Any, owner: Any = None) -> Any:
        if instance is not None:
            self._require(instance)
            return MethodType(self._method, instance)

        @wraps(self._method)
        def unbound(instance: Any, *arguments: Any, **options: Any) -> Any:
            self._require(instance)
            return self._method(instance, *arguments, **options)

        return unbound

    def _require(self, instance: Any) -> None:
        try:
            reason = self._why_not(instance)
        except Exception as error:  # such as a loss that is not known
            reason = str(error)
        if reason is not None:
            raise AttributeError(f"this {type(instance).__name__} has no {self._method.__name__}: {reason}")
