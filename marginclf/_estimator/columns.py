"""Labels and weights in whatever container they come, as arrays that hold the values given."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
from scipy import sparse
from sklearn.utils import column_or_1d

_KINDS: dict[str, tuple[type, ...]] = {
    "bool": (bool, np.bool_),
    "int": (int, np.integer),
    "float": (float, np.floating),
    "str": (str,),
    "bytes": (bytes, bytearray),
}
_REMEDIES = {"y": "give them a label", "sample_weight": "give them a weight"}


def unmasked(values: Any, name: str) -> Any:
    """Refuse masked entries of NumPy's masked arrays; an array without any is returned as a plain one.

    Parameters
    ----------
    values : Any
        An argument; whatever is no masked array nor a list of some is returned as it is.
    name : str
        Of the argument, for the message.
    """
    parts = values if isinstance(values, list | tuple) else [values]
    masked = sum(int(np.ma.count_masked(part)) for part in parts if isinstance(part, np.ma.MaskedArray))
    if masked:
        every = sum(np.size(part) for part in parts)
        raise ValueError(
            f"{name} has masked entries (numpy.ma): {masked} of {every}, which have no value; give them one by "
            f"{name}.filled(value), or remove their rows"
        )
    return np.asarray(values) if isinstance(values, np.ma.MaskedArray) else values


_DATES = re.compile("date|time|duration|period|interval", re.IGNORECASE)
"""How types of dates and of their differences begin, in NumPy, pandas, polars and Arrow."""


def dateless(X: Any) -> None:
    """Refuse dates, of which NumPy makes nanoseconds, or an error about its types.

    Parameters
    ----------
    X : Any
        Features. Of what has neither a ``dtype`` nor columns with a type, nothing is known yet.
    """
    kind = getattr(getattr(X, "dtype", None), "kind", "")
    if kind:
        if kind in "mM":
            raise ValueError(f"X must be numbers, and is of type {X.dtype}{_of_dates(str(X.dtype))}")
        return
    names: Any = getattr(X, "columns", None)
    kinds: Any = None if names is None else getattr(X, "dtypes", None)  # once: pandas builds them
    if kinds is None:
        names, kinds = (getattr(getattr(X, "schema", None), what, ()) for what in ("names", "types"))  # of Arrow
    if not any(_DATES.match(str(kind)) for kind in set(kinds)):
        return
    found = [(name, str(kind)) for name, kind in zip(names, kinds, strict=True) if _DATES.match(str(kind))]
    (name, first), more = found[0], f" (and {len(found) - 1} more)" if len(found) > 1 else ""
    raise ValueError(f"X must be numbers, and its column {name!r}{more} is of type {first}{_of_dates(first)}")


def _of_dates(kind: str) -> str:
    if kind.lower().startswith(("timedelta", "duration")):
        return "; divide it by numpy.timedelta64(1, 'D') for days, or by another unit"
    return "; take the days since some date, or year, month and weekday as columns of their own"


def not_numbers(error: Exception) -> TypeError | ValueError | None:
    """For the error of a conversion to numbers of X, one with the remedy; None where it is of another kind."""
    said = str(error)
    if "NAType" in said:
        return ValueError(
            "Input X contains NaN: missing values (pandas.NA) in columns of dtype object. Fill them, or convert the "
            "columns to numbers (X.convert_dtypes() of pandas) and impute them, or remove these rows"
        )
    if "could not convert string" in said:
        return ValueError(
            f"X must be numbers: {error}. Encode text columns first, for example with "
            "sklearn.preprocessing.OneHotEncoder"
        )
    of = re.search(r"real number, not '(?:\w+\.)*(\w+)'", f"{said} {error.__cause__}")
    if of is None:
        return None
    remedy = _of_dates(of[1]) if _DATES.match(of[1]) else "; make columns of numbers of what they hold"
    kind = TypeError if isinstance(error, TypeError) else ValueError  # scikit-learn's checks ask for type and words
    return kind(f"X must be numbers, and it has values of type {of[1]}{remedy} ({said})")


def column(values: Any, name: str) -> np.ndarray:
    """Labels or weights as an array of NumPy: integers stay integers, and missing values are refused.

    Parameters
    ----------
    values : array-like of shape (n,) or (n, 1)
        A list, an array, or a column of pandas, polars or Arrow; none of these is imported here.
    name : {"y", "sample_weight"}
        Of the argument, for the message.

    Raises
    ------
    ValueError
        If values are masked or missing, or in a sparse matrix.
    """
    values = unmasked(values, name)
    if sparse.issparse(values):
        raise ValueError(f"{name} is a sparse matrix of shape {values.shape}; pass {name}.toarray().ravel()")
    frame = getattr(values, "shape", ())[1:] == (1,) and hasattr(values, "dtypes")
    series = values[values.columns[0]] if frame else values
    missing = _missing(series)
    if not missing:
        # The array of a nullable column or of an Arrow-backed one may be one of floats or of objects.
        exact = getattr(getattr(series, "dtype", None), "numpy_dtype", None)
        array = np.asarray(series, dtype=exact if getattr(exact, "kind", "") in "biuf" else None)
        if array.dtype.kind == "T":  # NumPy's StringDType, of which scikit-learn knows nothing
            sentinel = getattr(array.dtype, "na_object", None)
            array = array.astype(object)
            missing = int(np.count_nonzero(array == sentinel)) if isinstance(sentinel, str) else 0
        missing += _missing(array)
    if missing:
        raise ValueError(
            f"Input {name} contains NaN, None or another missing value: {missing} of {np.size(series)} are missing; "
            f"remove these rows or {_REMEDIES[name]}"
        )
    return array[:, None] if frame else array


def _missing(values: Any) -> int:
    """How many values are missing, as far as the container or Python says so."""
    if hasattr(values, "isna"):  # pandas
        return int(np.count_nonzero(values.isna()))
    if hasattr(values, "null_count") and hasattr(values, "__len__"):  # polars, where it is a method, and Arrow
        return int(np.sum(np.asarray(values.null_count() if callable(values.null_count) else values.null_count)))
    if isinstance(values, np.ndarray):
        if values.dtype.kind in "fcmM":
            return int(np.count_nonzero(np.isnan(values)))
        values = values.ravel().tolist() if values.dtype == object else ()
    if not isinstance(values, list | tuple) or set(map(type, values)) <= {str, int, bool, bytes}:
        return 0
    return sum(map(_is_missing, values))


def _is_missing(value: Any) -> bool:
    try:
        return value is None or bool(value != value)
    except TypeError:  # pandas.NA refuses to be true or false
        return True
    except ValueError:  # an array: not a label, which is noticed later
        return False


def labels(y: Any, *, warn: bool = True) -> np.ndarray:
    """Labels as an array of shape (n,), of the type and the values that were given.

    Parameters
    ----------
    y : array-like of shape (n,) or (n, 1)
        Labels: integers, booleans, text, or floats that are whole numbers; of one kind, whatever the container.
    warn : bool, default=True
        Whether to warn of a column of shape (n, 1).

    Raises
    ------
    ValueError
        Naming what is wrong with y, and the remedy.
    """
    array = y if hasattr(y, "shape") else column(y, "y")
    if len(array.shape) == 2 and array.shape[1] > 1:
        single = "Y.argmax(axis=1)"
        if hasattr(y, "dtypes"):  # a data frame
            single = "Y.idxmax(axis=1)" if hasattr(y, "idxmax") else "Y.to_numpy().argmax(axis=1)"
        raise ValueError(
            f"y must have one column, got shape {tuple(array.shape)}. For one-hot encoded classes, pass {single}; for "
            "labels that are not exclusive, use sklearn.multiclass.OneVsRestClassifier(MarginLinearClassifier()); for "
            "several targets, sklearn.multioutput.MultiOutputClassifier"
        )
    plain = column_or_1d(column(array, "y"), warn=warn)
    if plain.dtype == object or isinstance(y, list | tuple):
        plain = _of_one_kind(plain.tolist() if plain.dtype == object else list(y), plain)
    if plain.dtype.kind == "S":
        raise _bytes_error()
    if plain.dtype.kind in "fc" and np.isinf(plain).any():
        raise ValueError(
            f"Input y contains infinity in {np.count_nonzero(np.isinf(plain))} of {len(plain)} rows; remove these rows "
            "or give them a label"
        )
    return plain


def true_labels(y: Any, classes: np.ndarray) -> np.ndarray:
    """Labels to compare with predicted ones, which NumPy 1 does in floats where only one of both has a sign."""
    y = labels(y, warn=False)
    return y.astype(classes.dtype) if {y.dtype.kind, classes.dtype.kind} == {"i", "u"} else y


def _of_one_kind(given: list, plain: np.ndarray) -> np.ndarray:
    """The array of labels that are Python objects, or come from a list, whose type NumPy may have changed."""
    kinds = {_kind(of) for of in set(map(type, given))}
    if "bytes" in kinds:
        raise _bytes_error()
    others = kinds - {"int", "float", "bool", "str"}
    if others and plain.dtype != object:  # a list of arrays or of dates, which NumPy understands
        return plain
    if others or (len(kinds) > 1 and kinds != {"int", "float"}):
        remedy = "pass integers, booleans or text" if others else "convert them"
        raise ValueError(
            f"y must have labels of one type, got {', '.join(sorted(kinds))}; {remedy}, for example by "
            "[str(label) for label in y]"
        )
    if kinds == {"str"}:
        return plain
    array = np.array(given) if plain.dtype == object else plain
    if kinds == {"int"} and array.dtype.kind not in "iu":
        # NumPy makes floats of integers on both sides of 2**63, which merges neighbours.
        if min(given) < 0 or max(given) >= 1 << 64:
            raise ValueError(
                f"y has integers from {min(given)} to {max(given)}, which no integer type of 64 bits holds; pass text, "
                "for example [str(label) for label in y]"
            )
        array = np.array(given, dtype=np.uint64)
    if kinds == {"int", "float"}:
        array = np.array(given, dtype=float)
        if array.tolist() != given:
            raise ValueError("y has floats, and integers too large for a float; convert the floats to integers")
    return array


def _kind(of: type) -> str:
    """int, float, bool, str and bytes, also for the types of NumPy; the name of any other type."""
    if issubclass(of, np.timedelta64):  # an integer, to NumPy
        return of.__name__
    return next((name for name, types in _KINDS.items() if issubclass(of, types)), of.__name__)


def _bytes_error() -> ValueError:
    return ValueError(
        "y has labels of type bytes; decode them, by y.astype(str) for an array that is ASCII, or else by "
        "[label.decode() for label in y]"
    )
