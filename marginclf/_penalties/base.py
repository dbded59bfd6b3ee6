"""What every penalty has: parameters, equality by value, and the numbers that they mean for the features of X."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from sklearn.base import BaseEstimator


class Terms(NamedTuple):
    """A penalty for the features of one X: Σ_g kink_g ‖W_g‖ + ½ Σ_j quadratic_j ‖W_j‖².

    Attributes
    ----------
    kink : ndarray of shape (n_groups,)
        Weight of the norm of each group.
    quadratic : ndarray of shape (n_features,)
        Weight of half the square of each feature.
    group : ndarray of int of shape (n_features,) or None
        Group of each feature, numbered from 0. None where each coefficient is by itself, of each class as well: kink
        then has a number for each feature.
    kept : ndarray of bool of shape (n_features,)
        Which features are not kept out by an infinite weight.
    """

    kink: np.ndarray
    quadratic: np.ndarray
    group: np.ndarray | None
    kept: np.ndarray


class Penalty(BaseEstimator):
    """A penalty Σ_j v_j p(w_j) of the coefficients: one of those below, each of which says what p is."""

    def terms(self, n_features: int, names: Any) -> Terms:
        """The numbers for the features of X.

        Parameters
        ----------
        n_features : int
            d.
        names : array of str, or None
            Names of the features, where X has them.

        Raises
        ------
        ValueError
            If a parameter does not fit the features.
        """
        raise NotImplementedError(f"the penalty {type(self).__name__} must define terms(self, n_features, names)")

    def __eq__(self, other: object) -> bool:
        if type(self) is not type(other):
            return False
        mine, others = self.get_params(deep=False), other.get_params(deep=False)  # type: ignore[attr-defined]
        return all(_same(mine[name], others[name]) for name in mine)

    def __hash__(self) -> int:
        return hash(type(self))

    def __setstate__(self, state: dict[str, Any]) -> None:
        # Parameters are all that a penalty has: nothing from a file may stand in for a method.
        names = type(self)._get_param_names()
        super().__setstate__({name: value for name, value in state.items() if name in names})


def _same(one: Any, other: Any) -> bool:
    if type(one) is not type(other):
        return False
    if isinstance(one, Mapping):
        return one.keys() == other.keys() and all(_same(one[key], other[key]) for key in one)
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(map(_same, one, other))
    return bool(np.array_equal(one, other))  # of columns of pandas as well


def positions(keys: Any, names: Any, what: str) -> list[int]:
    """The columns of features that are named.

    ``what`` is what names them, in the plural, here and below.

    Raises
    ------
    ValueError
        If X has no names, or none of these.
    """
    if names is None and len(keys):
        raise ValueError(
            f"{what} name the feature {next(iter(keys))!r}, and X has no feature names; fit with a data frame whose "
            "columns are text, or give an array with one entry for each feature"
        )
    at = {name: j for j, name in enumerate(names if names is not None else ())}
    unknown = [key for key in keys if key not in at]
    if unknown:
        raise ValueError(
            f"{what} name the feature {unknown[0]!r}, which X does not have; its features: {list(names)!r:.200}"
        )
    return [at[key] for key in keys]


def weights_of(weights: Any, n_features: int, names: Any, what: str) -> np.ndarray:
    """v of each feature, from None, a number, an array, or a dict by feature name.

    Raises
    ------
    ValueError
        If there is not one number of at least 0 for each feature.
    """
    if isinstance(weights, Mapping):
        found = np.ones(n_features)
        for j, value in zip(positions(weights, names, what), weights.values(), strict=True):
            found[j] = number(value, what)
    else:
        found = np.ones(n_features) if weights is None else numbers(weights, what)
        if found.ndim and found.shape != (n_features,):
            raise ValueError(
                f"{what} have shape {found.shape}, and X has {n_features} features; give one weight for each, or a "
                "dict by feature name"
            )
        found = np.broadcast_to(found, (n_features,))
    require_weights(found, what, range(n_features) if names is None else names, "feature")
    return found


def require_weights(found: np.ndarray, what: str, labels: Any, each: str) -> None:
    """Raise ValueError unless all are at least 0; each of them is a feature, or a group."""
    wrong = np.flatnonzero(~(found >= 0.0))  # NaN is not either
    if len(wrong):
        j = int(wrong[0])
        raise ValueError(
            f"{what} must be at least 0, got {found[j]:g} for {each} {labels[j]!r}; 0 does not penalise a {each}, inf "
            "keeps it out of the model"
        )


def numbers(value: Any, what: str) -> np.ndarray:
    """An array of float64.

    Raises
    ------
    ValueError
        If they are no numbers.
    """
    try:
        found = np.asarray(value)
        return found.astype(float, casting="same_kind" if found.dtype.kind in "biufc" else "unsafe")
    except (TypeError, ValueError):
        raise ValueError(f"{what} must be numbers, got {value!r:.80}") from None


def number(value: Any, what: str) -> float:
    """One number.

    Raises
    ------
    ValueError
        If it is none.
    """
    found = numbers(value, what)
    if found.ndim:
        raise ValueError(f"{what} must be numbers, one for each name, got {value!r:.80}")
    return float(found)
