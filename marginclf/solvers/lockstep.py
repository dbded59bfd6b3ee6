"""Solvers that take turns, so that what all of them ask for can be answered at once.

Each runs in a thread of its own, but only one at a time: it runs until it asks for something, and when all that are
left have asked, one call answers them. So a pass over the rows serves every class, no solver has to know of it, and
the order of events, hence every bit of the result, is always the same.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from threading import Semaphore, Thread
from typing import Any

Ask = Callable[[Any], Any]


class _CancelledError(BaseException):
    """Ends a turn that nobody waits for any more; like KeyboardInterrupt, nothing should catch it on the way."""


class _Turn:
    """One task, which runs only between a call of ``resume`` and its return."""

    def __init__(self, task: Callable[[Ask], Any]) -> None:
        self.request: Any = None
        self.result: Any = None
        self.error: BaseException | None = None
        self.done = False
        self._task = task
        self._answer: Any = None
        self._cancelled = False
        self._mine, self._theirs = Semaphore(0), Semaphore(0)
        self._thread = Thread(target=self._run, daemon=True)
        self._thread.start()

    def resume(self, answer: Any = None) -> None:
        self._answer = answer
        self._mine.release()
        self._theirs.acquire()

    def cancel(self) -> None:
        if not self.done:
            self._cancelled = True
            self._mine.release()
        self._thread.join()

    def _run(self) -> None:
        try:
            self._mine.acquire()
            if not self._cancelled:
                self.result = self._task(self._ask)
        except BaseException as error:  # the caller of lockstep is to see it, in its own thread
            self.error = error
        finally:
            self.done = True
            self._theirs.release()

    def _ask(self, request: Any) -> Any:
        self.request = request
        self._theirs.release()
        self._mine.acquire()
        if self._cancelled:
            raise _CancelledError
        return self._answer


def lockstep(tasks: Sequence[Callable[[Ask], Any]], answer: Callable[[list[int], list[Any]], Sequence[Any]]) -> list:
    """Run tasks in turns.

    Parameters
    ----------
    tasks : sequence of callable
        Each is called with one function, ``ask(request)``, which returns the answer to its request.
    answer : callable
        ``answer(which, requests)`` returns the answers to the requests of the tasks numbered ``which``.

    Returns
    -------
    list
        What the tasks returned. The first error in any of them is raised instead.
    """
    turns: list[_Turn] = []
    try:
        for task in tasks:
            turns.append(_Turn(task))
            _go_on(turns[-1])
        while which := [k for k, turn in enumerate(turns) if not turn.done]:
            for k, found in zip(which, answer(which, [turns[k].request for k in which]), strict=True):
                _go_on(turns[k], found)
    finally:
        for turn in turns:
            turn.cancel()
    return [turn.result for turn in turns]


def _go_on(turn: _Turn, answer: Any = None) -> None:
    turn.resume(answer)
    if turn.error is not None:
        raise turn.error
