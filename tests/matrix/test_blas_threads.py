"""BLAS has one thread while a fit runs, and as many as before afterwards: nested, in threads, after an exception."""

import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from children import child
from sklearn.datasets import load_iris

from marginclf import MarginLinearClassifier
from marginclf._estimator import squares
from marginclf.matrix import blas_threads
from marginclf.matrix.blas_threads import one_blas_thread

X, Y = load_iris(return_X_y=True)


class Library:
    """What threadpoolctl has of one; ``held`` by somebody else, it does not listen."""

    def __init__(self, number, *, held=False):
        self.number, self.held, self.sets = number, held, 0

    def get_num_threads(self):
        return self.number

    def set_num_threads(self, number):
        self.sets += 1
        if not self.held:
            self.number = number


class OfThread(Library):
    """A library with a number for each thread."""

    def __init__(self, number):
        self.first, self.each, self.sets = number, threading.local(), 0

    def get_num_threads(self):
        return getattr(self.each, "number", self.first)

    def set_num_threads(self, number):
        self.sets += 1
        self.each.number = number


@pytest.fixture
def libraries(monkeypatch):
    """One of the process, one of each thread, and one that is held."""
    found = Library(4), OfThread(3), Library(2, held=True)
    monkeypatch.setattr(blas_threads, "_libraries", lambda: ([found[0], found[2]], [found[1]]))
    monkeypatch.setattr(blas_threads, "_process", blas_threads._Process())
    return found


def numbers(libraries):
    return [lib.get_num_threads() for lib in libraries]


def test_limits_and_restores_nested_and_after_an_exception(libraries):
    with one_blas_thread():
        assert numbers(libraries) == [1, 1, 2]
        with pytest.raises(KeyError), one_blas_thread():
            raise KeyError
        assert numbers(libraries) == [1, 1, 2]
    assert numbers(libraries) == [4, 3, 2]


def test_one_thread_is_left_alone(libraries):
    for lib in libraries:
        lib.set_num_threads(1)
        lib.sets = 0
    libraries[2].number = 1
    with one_blas_thread():
        pass
    assert [lib.sets for lib in libraries] == [0, 0, 0]


def test_first_thread_limits_and_last_one_restores(libraries):
    inside, leave = threading.Event(), threading.Event()
    seen = []

    def other():
        with one_blas_thread():
            inside.set()
            leave.wait(10)
            seen.append(numbers(libraries))
        seen.append(numbers(libraries))

    thread = threading.Thread(target=other)
    with one_blas_thread():
        thread.start()
        assert inside.wait(10)
    # The number of the process waits for the other; that of this thread does not.
    assert numbers(libraries) == [1, 3, 2]
    leave.set()
    thread.join()
    assert seen == [[1, 1, 2], [4, 3, 2]]
    assert numbers(libraries) == [4, 3, 2]


def test_a_child_starts_anew(libraries):
    blas_threads._process.enter()
    blas_threads._process.lock.acquire()
    blas_threads._process.forked()
    assert libraries[0].number == 4
    with one_blas_thread():
        assert libraries[0].number == 1
    assert libraries[0].number == 4


def test_fits_in_threads_leave_it_as_it_was(libraries, monkeypatch):
    seen, fit = set(), squares.fit_jointly

    def watched(*arguments):
        seen.update(numbers(libraries)[:2])
        return fit(*arguments)

    monkeypatch.setattr(squares, "fit_jointly", watched)
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda k: MarginLinearClassifier("squared_hinge", C=0.1 + k).fit(X, Y), range(12)))
        # Also in threads that live on.
        assert set(pool.map(lambda _: tuple(numbers(libraries)), range(12))) == {(4, 3, 2)}
    assert seen == {1}


def test_a_fit_that_fails_restores(libraries, monkeypatch):
    def fails(*arguments):
        assert numbers(libraries) == [1, 1, 2]
        raise MemoryError

    monkeypatch.setattr(squares, "fit_jointly", fails)
    with pytest.raises(MemoryError):
        MarginLinearClassifier().fit(X, Y)
    assert numbers(libraries) == [4, 3, 2]


@pytest.mark.slow
def test_the_libraries_that_are_loaded(monkeypatch):
    """NumPy's and SciPy's own, in a process where they have two threads; inside of a limit of the user's, too."""
    monkeypatch.setenv("OPENBLAS_NUM_THREADS", "2")
    found = child(
        """
        import json, threading
        import marginclf._estimator.squares as squares
        from sklearn.datasets import load_iris
        from threadpoolctl import ThreadpoolController, threadpool_limits
        from marginclf import MarginLinearClassifier
        X, y = load_iris(return_X_y=True)
        libraries = ThreadpoolController().select(user_api="blas").lib_controllers
        now = lambda: [lib.get_num_threads() for lib in libraries]
        inside, fit = [], squares.fit_jointly
        squares.fit_jointly = lambda *a: (inside.append(max(now())), fit(*a))[1]
        before = now()
        threads = [threading.Thread(target=MarginLinearClassifier("hinge", C=1 + k).fit, args=(X, y)) for k in range(8)]
        for thread in threads: thread.start()
        for thread in threads: thread.join()
        after = now()
        with threadpool_limits(2, user_api="blas"):
            MarginLinearClassifier("hinge").fit(X, y)
            held = now()
        print(json.dumps([before, inside, after, held, now()]))
        """
    )
    before, inside, *others = found
    if set(before) != {2}:
        pytest.skip("this BLAS does not have two threads")
    assert inside == [1] * 9
    assert others == [before] * 3


def test_small_fits_without_blas_do_not_touch_it(libraries):
    model = MarginLinearClassifier().fit(X, Y > 0)
    assert [lib.sets for lib in libraries] == [0, 0, 0]
    assert np.isfinite(model.coef_).all()
    MarginLinearClassifier("hinge").fit(X, Y > 0)
    assert libraries[0].sets == 2
