"""The fit: which problems it consists of, who solves them (in memory, or over rows in parts), and what they give."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import cache
from typing import Any, Self

import numpy as np
from joblib import effective_n_jobs
from sklearn.utils import check_random_state

from .._process import require_compiler, say
from ..losses import MarginLoss, get_loss
from ..losses.checking import require_slopes
from ..matrix import design_matrix
from ..matrix.blas_threads import one_blas_thread
from ..matrix.parts import LocalParts
from ..objective import few_operations
from ..solvers import Solution
from . import report
from .callbacks import with_callbacks
from .collections import CollectionData, training_data
from .compatible import check_compatible
from .joint import takes_joint
from .lone_class import fit_lone_class
from .partitioned import PartitionedFit, fits_by_parts
from .penalised import PenalisedFit, Resolved, resolve
from .problems import Problems, Settings, Solve
from .progress import progress_of
from .squares import squares_solver
from .validation import Data, overflow_error, unusable_data
from .warm_start import first_coefficients, previous_fit


class LinearFit:
    """The method that fits a linear classifier: it sets ``coef_``, ``intercept_`` and how the fit ended."""

    coef_: Any
    intercept_: np.ndarray
    n_iter_: np.ndarray

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Fit the coefficients and intercepts.

        Parameters
        ----------
        X : {array-like, sparse matrix, data frame, dask.array, dask.dataframe} of shape (n_samples, n_features)
            Features. float32 and float64 in C or Fortran order, CSR and CSC are used without a copy; a solver that
            visits single rows, such as "dual", copies CSC by rows. X is never changed. An array in a mapped file is not
            loaded, and a Dask collection stays where it is. An xarray array is treated as the array that it holds.
            Masked entries (numpy.ma) and missing values raise an error, here and below.
        y : array-like of shape (n_samples,)
            Class labels: all of them integers, booleans, text, or floats that are whole numbers. If X is a Dask
            collection, a collection with the same chunks. Columns of pandas, polars and Arrow keep their values,
            including integers beyond 2**53.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights, at least 0. A weight of 2 is the same as the row twice, a weight of 0 the same as removing the row.

        Returns
        -------
        MarginLinearClassifier
            This estimator.

        Raises
        ------
        ValueError
            If a parameter or the data cannot be used. A previous fit is then unchanged.
        RuntimeError
            If the Dask cluster is lost.

        Examples
        --------
        >>> from marginclf import MarginLinearClassifier
        >>> X, y = [[0.0], [1.0], [2.0], [3.0]], ["no", "no", "yes", "yes"]
        >>> model = MarginLinearClassifier("hinge", C=10.0).fit(X, y)
        >>> print(model.coef_.round(3), model.intercept_.round(3))
        [[2.]] [-3.]
        >>> model.status_
        ('Optimal: the proven bound on the relative suboptimality is at most tol.',)
        """
        before = dict(self.__dict__)
        try:
            # Whatever numpy.seterr was told: what overflows is noticed where it matters.
            with np.errstate(all="ignore"):
                solutions, labels = self._fit(X, y, sample_weight)
            report.warn_if_unfinished(self, solutions, labels)
        except BaseException:
            self.__dict__.clear()
            self.__dict__.update(before)
            raise
        return self

    @with_callbacks
    def _fit(self: Any, X: Any, y: Any, sample_weight: Any) -> tuple[list[Solution], list]:
        given = {"X": X, "y": y, "metadata": None if sample_weight is None else {"sample_weight": sample_weight}}
        require_compiler()
        self._validate_params()
        loss = get_loss(self.loss)
        check_compatible(loss, self.C, self.solver, given=self.loss)
        require_slopes(loss)
        previous = previous_fit(self)
        # One seed for all classes: each visits its rows in the order in which it would alone.
        seed = _default_seed() if self.random_state is None else _seed(self.random_state)
        data = training_data(self, X, y, sample_weight, self.class_weight, seed)
        classes = data.classes
        joint = len(classes) > 2 and takes_joint(self.multi_class, loss)
        start = first_coefficients(self, previous, classes, data.shape[1], joint=joint)
        shape = (1 if len(classes) == 2 else len(classes), data.shape[1])
        weights, resolved = resolve(self, loss, shape, collection=isinstance(data, CollectionData))
        positive = [1] if len(classes) == 2 else list(range(len(classes)))
        n_jobs = effective_n_jobs(self.n_jobs)
        labels = ["all classes"] if joint else [f"class {classes[k]}" for k in positive]
        fitted = {"loss_": loss, "classes_": classes, "class_weight_": data.class_weights}
        progress = progress_of(self, labels, shape, fitted, given)
        solver = self.solver, self.tol, self.max_iter, seed, n_jobs
        settings = Settings(self.C, self.fit_intercept, *solver, progress, weights)
        solutions: list[Solution] = []
        which = [None] if joint else positive
        starts = [None] * len(labels) if start is None else [start] if joint else list(zip(*start, strict=True))
        # A trial step that is too long overflows, and is shortened.
        with _problems(data, loss, settings, resolved, joint=joint) as solve:
            try:
                for label, (solution, seconds) in zip(labels, solve(which, starts), strict=True):
                    solutions.append(solution)
                    if self.verbose:
                        say(report.line(label, solution, seconds))
            except OverflowError:
                raise _unusable(self, data) from None
        points = [solution.point for solution in solutions]
        self.__dict__.update(fitted)
        self.coef_ = points[0].coefficients if joint else np.array([point.coefficients[0] for point in points])
        self.intercept_ = points[0].b if joint else np.array([point.b[0] for point in points])
        self.n_iter_ = np.array([max(1, solution.n_iter) for solution in solutions], dtype=np.int32)
        self.objective_ = np.array([point.value for point in points])
        self.suboptimality_ = np.array([point.suboptimality for point in points])
        self.status_ = tuple(solution.status.value for solution in solutions)
        self.__dict__.pop("history_", None)  # of an earlier fit
        if self.record_history and progress is not None:
            self.history_ = progress.history()
        if progress is not None and progress.tasks is not None:
            progress.tasks.end(self.coef_, self.intercept_)
        named = positive if data.lone is None else [data.lone.absent]
        return solutions, classes[named].tolist()[: len(solutions)]


def _seed(random_state: Any) -> int:
    return int(check_random_state(random_state).randint(1 << 31))


@cache
def _default_seed() -> int:
    """That of random_state=None, which repeats: to make a generator takes a tenth of a small fit."""
    return _seed(0)


@contextmanager
def _problems(
    data: Data | CollectionData, loss: MarginLoss, settings: Settings, resolved: Resolved | None, *, joint: bool
) -> Iterator[Solve]:
    """What solves the problems of a fit, called with the class of each, None for all of them, and where it starts.

    Parameters
    ----------
    data : Data or CollectionData
        Validated.
    loss : MarginLoss
        φ.
    settings : Settings
        Parameters of the estimator.
    resolved : Resolved or None
        A penalty other than ½‖W‖², or bounds.
    joint : bool
        Whether there is one problem with one joint margin, whatever the classes.
    """
    n_classes = len(data.classes)
    if data.lone is not None:
        lone, d = data.lone, data.shape[1]
        yield lambda positive, starts: iter([(fit_lone_class(loss, lone, d, settings), 0.0)])
    elif isinstance(data, CollectionData):
        if resolved is not None:
            raise ValueError(
                "X is a Dask collection, for which only penalty='l2' without weights and bounds is available; load "
                "X into memory (X.compute()), or leave penalty and bounds at their defaults"
            )
        if settings.solver == "dual":
            raise ValueError("solver='dual' needs X in memory, and X is a Dask collection; use solver='auto'")
        fit = PartitionedFit(data.parts, data.sample, loss, data.class_weights, n_classes, data.totals, settings)
        yield fit.solve
    elif resolved is None and fits_by_parts(data.X, settings.solver):
        parts = LocalParts(data.X, data.codes, data.weights)
        totals = np.bincount(data.codes, data.weights, minlength=n_classes)[:n_classes].astype(float)
        fit = PartitionedFit(parts, parts.sample(n_classes, settings.seed), loss, None, n_classes, totals, settings)
        with one_blas_thread():
            yield fit.solve
    else:
        with _limit(data.shape, loss, settings, joint=joint), design_matrix(data.X, settings.n_jobs) as matrix:
            problems = Problems(matrix, loss, data.codes, data.weights, n_classes, settings)
            if resolved is not None:
                yield PenalisedFit(problems, resolved).solve
            else:
                yield squares_solver(problems, joint=joint)


def _limit(shape: tuple[int, int], loss: MarginLoss, settings: Settings, *, joint: bool) -> AbstractContextManager:
    """One thread for BLAS, where it is called: a small fit of two classes is over sooner than the limit is set."""
    plain = loss.smooth and loss.convex and settings.solver in ("auto", "newton") and np.isfinite(settings.C)
    return nullcontext() if plain and not joint and few_operations(*shape) else one_blas_thread()


def _unusable(estimator: Any, data: Data | CollectionData) -> ValueError:
    """The error for data whose computation overflows."""
    if isinstance(data, CollectionData):
        return overflow_error(data.largest, data.totals @ data.class_weights, estimator.C, data.shape[0])
    return unusable_data(estimator, data.X, data.weights, estimator.C)
