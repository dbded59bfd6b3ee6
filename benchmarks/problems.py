"""The problems: data, loss, C, and whether there is an intercept. One line each; data.py makes the data."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from data import benchopt, bundled, dense, images, many, text

QUICK = 16
"""With --quick, problems have this many times fewer rows (and text-like ones as many times fewer columns)."""
QUICK_LEVELS = (0, 2)
"""With --quick, only these rungs of a ladder are run."""


@dataclass(frozen=True)
class Problem:
    """``make(shrink)`` returns X and y: labels ±1 for two classes, 0 … K−1 for more."""

    name: str
    make: Callable[[int], tuple[Any, np.ndarray]]
    loss: str = "logistic"
    C: float = 1.0
    fit_intercept: bool = True
    joint: bool = False


def _dense(n: int, d: int, shrink: int, **options: Any) -> tuple[np.ndarray, np.ndarray]:
    return dense(n // shrink, d, **options)


def _square(n: int, shrink: int, **options: Any) -> tuple[np.ndarray, np.ndarray]:
    side = round(n / shrink**0.5)
    return dense(side, side, **options)


def _text(n: int, d: int, shrink: int, **options: Any) -> tuple[Any, np.ndarray]:
    return text(n // shrink, d // shrink, **options)


def _many(n: int, d: int, shrink: int, **options: Any) -> tuple[np.ndarray, np.ndarray]:
    return many(n // shrink, d, **options)


def _images(n: int, shrink: int, **options: Any) -> tuple[np.ndarray, np.ndarray]:
    return images(n // shrink, **options)


def _bundled(name: str, positive: tuple[int, ...] | None, shrink: int) -> tuple[np.ndarray, np.ndarray]:
    return bundled(name, positive)


def _benchopt(n: int, d: int, shrink: int) -> tuple[np.ndarray, np.ndarray]:
    return benchopt(n if n <= 1000 else n // shrink, d)


_TALL = partial(_dense, 200_000, 50, seed=1)
_NOISY = partial(_dense, 50_000, 50, seed=8)
_TEXT = partial(_text, 60_000, 350_000, per_row=33.0, seed=6)
_LETTERS = partial(_many, 20_000, 16, classes=26, seed=9)
_IMAGES = partial(_images, 60_000, seed=10)
_TEXT_JOINT = partial(_text, 60_000, 350_000, per_row=33.0, seed=6, classes=20)
_TEXT_20 = partial(_text, 11_000, 60_000, per_row=80.0, seed=7, classes=20)

PROBLEMS = (
    Problem("iris", partial(_bundled, "iris", (2,))),
    Problem("breast-cancer", partial(_bundled, "breast_cancer", (1,))),
    Problem("digits", partial(_bundled, "digits", (5, 6, 7, 8, 9))),
    # benchopt's objective is Σ log(1 + e^−m) + λ/2 ‖w‖², without an intercept: C = 1/λ.
    *(
        Problem(f"benchopt-{n}x{d}-lambda-{lmbd:g}", partial(_benchopt, n, d), C=1.0 / lmbd, fit_intercept=False)
        for n, d in ((200, 500), (1000, 10), (100_000, 400))
        for lmbd in (1.0, 0.01)
    ),
    Problem("tall-200k-50", _TALL),
    Problem("tall-1m-20", partial(_dense, 1_000_000, 20, seed=2)),
    Problem("tall-float32", partial(_dense, 200_000, 50, seed=1, dtype=np.float32)),
    Problem("tall-no-intercept", _TALL, fit_intercept=False),
    Problem("scaled-1e3", partial(_dense, 200_000, 50, seed=3, span=1e3)),
    Problem("scaled-1e6", partial(_dense, 200_000, 50, seed=3, span=1e6)),
    Problem("dense-100k-300", partial(_dense, 100_000, 300, seed=4)),
    Problem("square-3k", partial(_square, 3_000, seed=5)),
    Problem("text-C1", _TEXT),
    Problem("text-C100", _TEXT, C=100.0),
    Problem("text-C1-no-intercept", _TEXT, fit_intercept=False),
    Problem("text-C100-no-intercept", _TEXT, C=100.0, fit_intercept=False),
    Problem("text-20-classes", _TEXT_20),
    Problem("text-20-classes-no-intercept", _TEXT_20, fit_intercept=False),
    *(
        Problem(f"loss-{loss.replace('_', '-')}", _TALL, loss=loss)
        for loss in ("squared_hinge", "squared", "smooth_hinge", "modified_huber", "exponential", "dwd")
    ),
    Problem("loss-squared-hinge-no-intercept", _TALL, loss="squared_hinge", fit_intercept=False),
    Problem("text-squared-hinge-no-intercept", _TEXT, loss="squared_hinge", fit_intercept=False),
    *(
        Problem(f"text-{loss.replace('_', '-')}", _TEXT, loss=loss)
        for loss in ("squared_hinge", "squared", "smooth_hinge", "modified_huber", "exponential", "dwd", "lum")
    ),
    Problem("text-squared-hinge-C100-no-intercept", _TEXT, "squared_hinge", 100.0, fit_intercept=False),
    Problem("text-hinge-no-intercept", _TEXT, "hinge", fit_intercept=False),
    Problem("text-hinge-C100-no-intercept", _TEXT, "hinge", 100.0, fit_intercept=False),
    *(
        Problem(f"text-20-classes-{loss.replace('_', '-')}-no-intercept", _TEXT_20, loss=loss, fit_intercept=False)
        for loss in ("hinge", "squared_hinge")
    ),
    *(
        Problem(f"noisy-50k-{loss.replace('_', '-')}-no-intercept", _NOISY, loss, 0.01, fit_intercept=False)
        for loss in ("hinge", "squared_hinge")
    ),
    Problem("joint-digits", partial(_bundled, "digits", None), joint=True),
    *(
        Problem(f"joint-{name}-{loss.replace('_', '-')}", make, loss=loss, joint=True)
        for name, make in (("letters", _LETTERS), ("images", _IMAGES), ("text", _TEXT_JOINT))
        for loss in ("logistic", "squared_hinge", "smooth_hinge", "hinge")
        if not (name == "images" and loss == "hinge")
    ),
)
