"""The version in a saved estimator, and the warning where it is another one."""

from __future__ import annotations

import warnings
from typing import Any

from sklearn.exceptions import InconsistentVersionWarning as SklearnInconsistentVersionWarning

from .._version import __version__

_KEY = "_marginclf_version"


class InconsistentVersionWarning(SklearnInconsistentVersionWarning):
    """An estimator was saved by another version of marginclf."""

    def __init__(self, *, estimator_name: str, current_version: str, original_version: str) -> None:
        super().__init__(
            estimator_name=estimator_name,
            current_sklearn_version=current_version,
            original_sklearn_version=original_version,
        )

    def __str__(self) -> str:
        return (
            f"this {self.estimator_name} was saved by marginclf {self.original_sklearn_version} and is loaded by "
            f"marginclf {self.current_sklearn_version}: predictions may differ or fail. Fit it again, or load it with "
            "the version that saved it"
        )


class Versioned:
    """An estimator whose state holds the version that made it."""

    def __getstate__(self) -> dict[str, Any]:
        return {**super().__getstate__(), _KEY: __version__}  # type: ignore[dict-item]

    def __setstate__(self, state: dict[str, Any]) -> None:
        state = dict(state)
        original = state.pop(_KEY, "of an unknown version")
        if original != __version__:
            warnings.warn(
                InconsistentVersionWarning(
                    estimator_name=type(self).__name__, current_version=__version__, original_version=original
                ),
                stacklevel=2,
            )
        super().__setstate__(state)  # type: ignore[misc]
