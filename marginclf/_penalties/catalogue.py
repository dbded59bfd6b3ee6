"""The penalties, and their names."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from numbers import Real
from typing import Any

import numpy as np

from .base import Penalty, Terms, number, numbers, positions, require_weights, weights_of


class L2(Penalty):
    r"""Half the sum of squares: :math:`\tfrac12 \sum_j v_j w_j^2`.

    Parameters
    ----------
    weights : array-like of shape (n_features,), dict or None, default=None
        v ≥ 0, or a dict by feature name with 1 for the others; None for ones. 0 does not penalise a feature, inf keeps
        it out of the model.

    See Also
    --------
    sklearn.linear_model.LogisticRegression : The same penalty by default, without weights.

    Examples
    --------
    >>> from marginclf.penalties import L2
    >>> L2(weights={"age": 0.0})
    L2(weights={'age': 0.0})
    """

    def __init__(self, weights: Any = None) -> None:
        self.weights = weights

    def terms(self, n_features: int, names: Any) -> Terms:
        v, kept = _of_features(self.weights, n_features, names)
        return Terms(np.zeros(n_features), v, None, kept)


class L1(Penalty):
    r"""The sum of magnitudes: :math:`\sum_j v_j |w_j|`. Coefficients that it sets to zero are exactly zero.

    Parameters
    ----------
    weights : array-like of shape (n_features,), dict or None, default=None
        v ≥ 0, or a dict by feature name with 1 for the others; None for ones. 0 does not penalise a feature, inf keeps
        it out of the model.

    See Also
    --------
    sklearn.linear_model.LogisticRegression : ``l1_ratio=1`` with ``solver="saga"``, for one loss.
    sklearn.linear_model.Lasso : The same penalty for a regression.

    References
    ----------
    Tibshirani (1996), Regression shrinkage and selection via the lasso, J. R. Statist. Soc. B 58.

    Examples
    --------
    >>> from marginclf.penalties import L1
    >>> L1() == L1(), L1() == L1(weights=[1.0, 2.0])
    (True, False)
    """

    def __init__(self, weights: Any = None) -> None:
        self.weights = weights

    def terms(self, n_features: int, names: Any) -> Terms:
        v, kept = _of_features(self.weights, n_features, names)
        return Terms(v, np.zeros(n_features), None, kept)


class ElasticNet(Penalty):
    r"""Magnitudes and squares: :math:`\sum_j v_j (r |w_j| + (1 - r) \tfrac12 w_j^2)`.

    Parameters
    ----------
    l1_ratio : float, default=0.5
        r, from 0 to 1, as in scikit-learn.
    weights : array-like of shape (n_features,), dict or None, default=None
        v ≥ 0, or a dict by feature name with 1 for the others; None for ones. 0 does not penalise a feature, inf keeps
        it out of the model.

    See Also
    --------
    sklearn.linear_model.LogisticRegression : ``l1_ratio`` with ``solver="saga"``, for one loss.
    sklearn.linear_model.ElasticNet : The same penalty for a regression.

    References
    ----------
    Zou, Hastie (2005), Regularization and variable selection via the elastic net, J. R. Statist. Soc. B 67.

    Examples
    --------
    >>> from marginclf.penalties import ElasticNet
    >>> ElasticNet(l1_ratio=0.9)
    ElasticNet(l1_ratio=0.9)
    """

    def __init__(self, l1_ratio: float = 0.5, weights: Any = None) -> None:
        self.l1_ratio = l1_ratio
        self.weights = weights

    def terms(self, n_features: int, names: Any) -> Terms:
        r = self.l1_ratio
        if isinstance(r, bool) or not isinstance(r, Real) or not 0.0 <= float(r) <= 1.0:
            raise ValueError(f"l1_ratio must be a number from 0 (only squares) to 1 (only magnitudes), got {r!r}")
        v, kept = _of_features(self.weights, n_features, names)
        return Terms(float(r) * v, (1.0 - float(r)) * v, None, kept)


class GroupLasso(Penalty):
    r"""The norms of groups: :math:`\sum_g v_g \|W_g\|`. A group is in the model as a whole or not at all.

    Parameters
    ----------
    groups : array-like of shape (n_features,), list of lists, or None, default=None
        A label for each feature, or for each group a list of its columns or of the names of its features. A feature
        that is in no list is a group by itself. None makes each feature a group; with one joint margin for many
        classes, the group is its K coefficients.
    weights : array-like of shape (n_groups,), dict or None, default=None
        v ≥ 0 of each group, in the order of the lists, followed by the features that are in no list; or in the order of
        the sorted labels; or a dict by label. None is √(features of the group). 0 does not penalise a group, inf keeps
        it out of the model.

    See Also
    --------
    sklearn.linear_model.MultiTaskLasso : Norms of the coefficients of each feature, for regressions.

    References
    ----------
    Yuan, Lin (2006), Model selection and estimation in regression with grouped variables, J. R. Statist. Soc. B 68.

    Examples
    --------
    >>> from marginclf.penalties import GroupLasso
    >>> GroupLasso(groups=[[0, 1], [2, 3, 4]])
    GroupLasso(groups=[[0, 1], [2, 3, 4]])
    """

    def __init__(self, groups: Any = None, weights: Any = None) -> None:
        self.groups = groups
        self.weights = weights

    def terms(self, n_features: int, names: Any) -> Terms:
        group, labels = _groups(self.groups, n_features, names)
        n_groups, what = len(labels), "weights of the penalty"
        v = np.sqrt(np.bincount(group, minlength=n_groups))
        if isinstance(self.weights, Mapping):
            known = {label: g for g, label in enumerate(labels)}
            unknown = [label for label in self.weights if label not in known]
            if unknown:
                raise ValueError(f"{what} name the group {unknown[0]!r}, and the groups are {list(known)}")
            for label, value in self.weights.items():
                v[known[label]] = number(value, what)
        elif self.weights is not None:
            given = numbers(self.weights, what)
            if given.ndim and given.shape != (n_groups,):
                raise ValueError(
                    f"{what} have shape {given.shape}, and there are {n_groups} groups; give one for each, or a dict "
                    "by label"
                )
            v[:] = given
        require_weights(v, what, labels, "group")
        kept = np.isfinite(v)
        return Terms(np.where(kept, v, 0.0), np.zeros(n_features), group, kept[group])


def _of_features(weights: Any, n_features: int, names: Any) -> tuple[np.ndarray, np.ndarray]:
    """v of each feature, 0 where that is kept out, and which features are not."""
    v = weights_of(weights, n_features, names, "weights of the penalty")
    kept = np.isfinite(v)
    return np.where(kept, v, 0.0), kept


def _groups(groups: Any, d: int, names: Any) -> tuple[np.ndarray, list]:
    """Group of each feature, numbered from 0, and the labels of the groups."""
    if groups is None:
        return np.arange(d), list(range(d))
    lists = isinstance(groups, list | tuple) and all(isinstance(g, list | tuple | np.ndarray) for g in groups)
    if not lists:
        labels = np.asarray(groups)
        if labels.shape != (d,):
            raise ValueError(
                f"groups of the penalty have shape {labels.shape}, and X has {d} features; give a label for each, or a "
                "list of the columns of each group"
            )
        try:
            found, group = np.unique(labels, return_inverse=True)
        except TypeError:
            found = np.array([np.nan])
        if found.dtype.kind not in "biufSUO" or (found != found).any():
            raise ValueError(
                "groups of the penalty must be whole numbers or text, one label for each feature and none missing, "
                f"got {groups!r:.80}"
            )
        return group.reshape(-1), found.tolist()
    group = np.full(d, -1)
    for g, members in enumerate(groups):
        if not len(members):
            raise ValueError(f"groups of the penalty have no column in group {g}; leave it out")
        columns = positions(members, names, "groups of the penalty") if any(isinstance(m, str) for m in members) else [
            _column(m, d) for m in members
        ]  # fmt: skip
        for j in columns:
            if group[j] >= 0:
                raise ValueError(f"groups of the penalty have feature {j} in two groups; groups must not overlap")
            group[j] = g
    alone = np.flatnonzero(group < 0)
    group[alone] = len(groups) + np.arange(len(alone))
    return group, list(range(len(groups) + len(alone)))


def _column(member: Any, d: int) -> int:
    if isinstance(member, bool) or not isinstance(member, int | np.integer) or not 0 <= member < d:
        raise ValueError(f"groups of the penalty contain {member!r}; columns are whole numbers from 0 to {d - 1}")
    return int(member)


_BY_NAME: dict[str, type[Penalty]] = {
    "l2": L2,
    "l1": L1,
    "elastic_net": ElasticNet,
    "elasticnet": ElasticNet,
    "group_lasso": GroupLasso,
}


def get_penalty(penalty: str | Penalty) -> Penalty:
    """The penalty of a name, with default parameters; a penalty object is returned as it is.

    Parameters
    ----------
    penalty : str or Penalty
        ``"l2"``, ``"l1"``, ``"elastic_net"``, ``"group_lasso"``, or an object.

    Raises
    ------
    ValueError
        If the name is unknown.
    TypeError
        If it is neither a name nor a penalty object.

    Examples
    --------
    >>> from marginclf.penalties import get_penalty
    >>> get_penalty("l1")
    L1()
    """
    if isinstance(penalty, Penalty):
        return penalty
    if not isinstance(penalty, str):
        if isinstance(penalty, type) and issubclass(penalty, Penalty):
            name = penalty.__name__
            raise TypeError(
                f"penalty={name} is a class, and a penalty is an object of it: write {name}(), with parentheses"
            )
        hint = "; for no penalty, set C=numpy.inf" if penalty is None else ""
        raise TypeError(f"penalty must be a name or an object of marginclf.penalties, got {penalty!r}{hint}")
    if penalty not in _BY_NAME:
        near = difflib.get_close_matches(penalty.lower(), _BY_NAME, n=1, cutoff=0.4)
        suggestion = f"did you mean {near[0]!r}? " if near else ""
        raise ValueError(
            f"unknown penalty {penalty!r}: {suggestion}Known names: {', '.join(_BY_NAME)}. For no penalty, set C=inf"
        )
    return _BY_NAME[penalty]()
