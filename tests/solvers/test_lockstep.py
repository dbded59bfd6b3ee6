"""Solvers in turns: one answer for all that are left, always in the same order, and no thread left behind."""

import threading

import pytest

from marginclf.solvers.lockstep import lockstep


def counting(steps):
    """Asks ``steps`` times for the double of the step, and returns the answers."""
    return lambda ask: [ask(step) for step in range(steps)]


def run(tasks, log=None):
    def answer(which, requests):
        if log is not None:
            log.append((which, requests))
        return [2 * request for request in requests]

    return lockstep(tasks, answer)


def test_all_that_are_left_are_answered_at_once():
    for _ in range(20):
        log = []
        assert run([counting(3), counting(0), counting(1), counting(2)], log) == [[0, 2, 4], [], [0], [0, 2]]
        assert log == [([0, 2, 3], [0, 0, 0]), ([0, 3], [1, 1]), ([0], [2])]
    assert run([]) == []


def test_one_runs_at_a_time():
    busy = []

    def task(ask):
        for _ in range(50):
            assert not busy, "another task is at work"
            busy.append(1)
            busy.pop()
            ask(0)

    run([task] * 5)


@pytest.mark.parametrize("where", ["task", "answer"])
@pytest.mark.parametrize("error", [ValueError, OverflowError, KeyboardInterrupt])
def test_an_error_ends_them_all(where, error):
    before = threading.active_count()
    finished = []

    def fails(ask):
        ask(1)
        if where == "task":
            raise error("here")
        ask(2)

    def waits(ask):
        try:
            ask(1)
            ask(2)
        finally:
            finished.append(1)

    def answer(which, requests):
        if where == "answer" and 2 in requests:
            raise error("here")
        return requests

    with pytest.raises(error, match="here"):
        lockstep([waits, fails, waits], answer)
    assert len(finished) == 2
    assert threading.active_count() == before
