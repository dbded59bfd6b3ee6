"""What lets somebody watch a minimisation, and end it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


class StopFit(Exception):
    """Raised at an iterate where the one who watches asks to stop."""

    def __init__(self, point: Any, n_iter: int) -> None:
        super().__init__("stopped")
        self.point, self.n_iter = point, n_iter


class Monitored:
    """An objective whose iterates are reported.

    Attributes
    ----------
    monitor : callable, optional
        Called with a function that makes the iterate, with what is proven of it, since that may cost passes that the
        solver would not need; returns whether to stop.
    """

    monitor: Callable[[Callable[[], Any]], bool] | None = None

    def report(self, iterate: Callable[[], Any]) -> None:
        """Tell who watches, if anybody does.

        Raises
        ------
        StopFit
            If he asks to stop.
        """
        if self.monitor is not None and self.monitor(iterate):
            raise StopFit(iterate(), getattr(self.monitor, "n_iter", 0))
