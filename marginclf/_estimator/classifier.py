"""MarginLinearClassifier: its parameters and fit."""

from __future__ import annotations

from numbers import Integral, Real
from typing import Any, ClassVar, Self

import numpy as np
from joblib import effective_n_jobs
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import Interval, StrOptions

from .._process import require_compiler, say
from ..losses import MarginLoss, get_loss
from ..losses.registry import with_parameters
from ..solvers import SOLVERS, Solution
from . import report
from .callbacks import CallbackSupportMixin, with_callbacks
from .collections import training_data
from .compatible import check_compatible
from .fitting import problems, unusable
from .joint import takes_joint
from .one_vs_rest import Settings
from .persistence import Versioned
from .prediction import LinearPrediction
from .progress import progress_of
from .warm_start import first_coefficients, previous_fit


class MarginLinearClassifier(LinearPrediction, Versioned, ClassifierMixin, CallbackSupportMixin, BaseEstimator):
    r"""Linear classification with any margin loss and an L2 penalty.

    Minimises

    .. math:: F(w, b) = C \sum_i s_i \, \varphi(y_i (x_i \cdot w + b)) + \tfrac12 \|w\|^2

    over the coefficients w and the intercept b, which is never penalised. s are the sample weights with class weights
    folded in, y is −1 or +1, and φ is the loss. More than two classes have one such problem each, against the rest, or
    one joint margin :math:`m = z_y - \log \sum_{k \ne y} e^{z_k}` in place of :math:`y z`.

    Parameters
    ----------
    loss : str or MarginLoss, default="logistic"
        Name or alias of a loss of :mod:`marginclf.losses`, or a loss object such as ``SmoothHinge(gamma=0.5)``.
        ``"logistic"``, ``"log_loss"``, ``"softplus"`` and ``"cross_entropy"`` are one and the same. Parameters of the
        loss are reached as ``loss__gamma``. Losses that are not convex start from the optimum of the logistic loss and
        end at a stationary point.
    C : float, default=1.0
        Inverse strength of the penalty, positive, as in scikit-learn. ``numpy.inf`` is no penalty: F is then the first
        sum without C, nothing can be proved about its optimum, and coefficients that grow without bound are named as
        such. ``loss="hinge"`` needs a penalty.
    fit_intercept : bool, default=True
        Whether to fit b; otherwise it is 0.
    class_weight : dict or "balanced", default=None
        Weights of the classes, multiplied with the sample weights. "balanced" gives every class the same total;
        its counts include the sample weights. With more than two classes they are weights of the classes in y, not of
        a class and its rest.
    multi_class : {"auto", "joint", "ovr"}, default="auto"
        What to do with more than two classes; two are always one binary problem. "joint" minimises
        C Σ s φ(z_y − log Σ_{k≠y} exp z_k) + ½‖W‖² over all classes at once, with Σ b = 0: softmax regression for
        ``loss="logistic"``, and its like for every loss that never increases. "ovr" fits each class against the rest.
        "auto" is "joint" for a convex loss that has that form, and "ovr" for the others.
    proba_prior : {"weighted", "data"}, default="weighted"
        Of which population ``predict_proba`` speaks when there are class weights: of the reweighted one, with which
        ``predict`` agrees, or of the data's own.
    tol : float, default=1e-8
        Relative suboptimality (F − F*)/\|F\| at which to stop, as proven (``suboptimality_``); the true one is often
        far smaller. Where the coefficients gain less than \|F\|, since C is small, it is relative to what they gain,
        F(0, b₀) − F. Small problems go on to rounding.
    max_iter : int, default=1000
        Largest number of iterations.
    solver : {"auto", "lbfgs", "newton", "dual"}, default="auto"
        "auto" takes Newton's method where the data is small, "dual" where it is sparse and wide or has fewer rows than
        columns, and L-BFGS elsewhere. Newton's method finishes what they leave unproven; for a loss with a kink
        ("hinge"), the method of multipliers does, and starts where the data is neither. "dual" is coordinate ascent in
        the dual, for convex losses with a finite C. "lbfgs" runs in coordinates in which scales, offsets and
        correlations of the columns are taken out, as far as a sample of the rows shows them; the optimum is the same. A
        loss with the same slope everywhere ("linear") is solved in closed form whatever is asked for.
    warm_start : bool, default=False
        Start from the previous fit, or from ``coef_`` and ``intercept_`` set by hand. For a convex loss the optimum is
        the same.
    random_state : int, RandomState or None, default=None
        Seed of the order in which "dual" visits the rows. Other than in scikit-learn, None is one fixed seed (0), so
        that results are reproducible by default.
    n_jobs : int or None, default=None
        Threads for the passes over the rows, or for several classes side by side; None is one, −1 all. The results are
        the same bits for any number.
    verbose : int, default=0
        1 prints a line for each iteration (objective, proven suboptimality, seconds, passes over the data) and how the
        fit ended. What it takes to prove something at each iterate is not counted in.
    record_history : bool, default=False
        Whether to keep ``history_``.

    Attributes
    ----------
    coef_ : ndarray of shape (1, n_features) or (n_classes, n_features)
        Coefficients w, float64.
    intercept_ : ndarray of shape (1,) or (n_classes,)
        Intercepts b.
    classes_ : ndarray of shape (n_classes,)
        Class labels that occur in y with positive weight; of two, both.
    class_weight_ : ndarray of shape (n_classes,)
        Weights of the classes; ones without ``class_weight``.
    loss_ : MarginLoss
        The loss that was fitted.
    n_features_in_ : int
        Number of features.
    feature_names_in_ : ndarray of shape (n_features,)
        Names of the features, where X has string names.
    n_iter_ : ndarray of shape (1,) or (n_classes,)
        Iterations, at least 1.
    objective_ : ndarray of shape (1,) or (n_classes,)
        F at the solution.
    suboptimality_ : ndarray of shape (1,) or (n_classes,)
        Proven bound on (F − F*)/\|F\|: ½‖∇_w F‖²/\|F\|, which holds for every smooth convex loss with b at its own
        minimum, or the duality gap, for "hinge" and from "dual".
        0 for a closed form; NaN where nothing can be proved (no penalty, or a loss that is not convex).
    status_ : tuple of str
        How each fit ended, in a sentence.
    history_ : list of dict
        With ``record_history=True``, for each fit the columns "objective", "suboptimality" (proven), "seconds" and
        "passes" (over the data), one entry for the start and for each iteration; of a loss with a kink, for each sweep
        and for each round of the method of multipliers.

    Warns
    -----
    sklearn.exceptions.ConvergenceWarning
        Once, if a fit did not end at an optimum, with the reason, the bound reached and the remedy. So it is where all
        rows of one of two classes have no weight, as in a bag that has missed a rare class: ``coef_`` is zero then,
        and ``intercept_`` as from half a row of that class.

    See Also
    --------
    sklearn.linear_model.LogisticRegression : The same optimum for ``loss="logistic"``.
    sklearn.svm.LinearSVC : Squared hinge and hinge, with a penalised intercept.

    Examples
    --------
    >>> from sklearn.datasets import load_breast_cancer
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import StandardScaler
    >>> from marginclf import MarginLinearClassifier
    >>> X, y = load_breast_cancer(return_X_y=True)
    >>> model = make_pipeline(StandardScaler(), MarginLinearClassifier("squared_hinge", C=0.1)).fit(X, y)
    >>> round(model.score(X, y), 2)
    0.99
    >>> bool(model[-1].suboptimality_[0] < 1e-8)
    True
    """

    # Where the representation in a notebook links to.
    _doc_link_module = "marginclf"
    _doc_link_template = (
        "https://marginclf.readthedocs.io/en/stable/generated/api/{estimator_module}.{estimator_name}.html"
    )

    _parameter_constraints: ClassVar[dict[str, list]] = {
        "loss": [str, MarginLoss],
        "C": [Interval(Real, 0.0, None, closed="right")],
        "fit_intercept": ["boolean"],
        "class_weight": [dict, StrOptions({"balanced"}), None],
        "multi_class": [StrOptions({"auto", "joint", "ovr"})],
        "proba_prior": [StrOptions({"weighted", "data"})],
        "tol": [Interval(Real, 0.0, None, closed="left")],
        "max_iter": [Interval(Integral, 1, None, closed="left")],
        "solver": [StrOptions({"auto", *SOLVERS})],
        "warm_start": ["boolean"],
        "random_state": ["random_state"],
        "n_jobs": [None, Integral],
        "verbose": ["verbose"],
        "record_history": ["boolean"],
    }

    def __init__(
        self,
        loss: str | MarginLoss = "logistic",
        *,
        C: float = 1.0,
        fit_intercept: bool = True,
        class_weight: dict | str | None = None,
        multi_class: str = "auto",
        proba_prior: str = "weighted",
        tol: float = 1e-8,
        max_iter: int = 1000,
        solver: str = "auto",
        warm_start: bool = False,
        random_state: Any = None,
        n_jobs: int | None = None,
        verbose: int = 0,
        record_history: bool = False,
    ) -> None:
        self.loss = loss
        self.C = C
        self.fit_intercept = fit_intercept
        self.class_weight = class_weight
        self.multi_class = multi_class
        self.proba_prior = proba_prior
        self.tol = tol
        self.max_iter = max_iter
        self.solver = solver
        self.warm_start = warm_start
        self.random_state = random_state
        self.n_jobs = n_jobs
        self.verbose = verbose
        self.record_history = record_history

    def set_params(self, **params: Any) -> Self:
        """Set parameters, those of the loss as ``loss__<name>``.

        ``loss__gamma=0.5`` on a name replaces the name by a fresh loss object, on an object by a changed copy, so that
        two estimators never share a change.

        Parameters
        ----------
        **params : dict
            Names and values.

        Returns
        -------
        MarginLinearClassifier
            This estimator.

        Raises
        ------
        ValueError
            If there is no such parameter; for one of the loss, the message lists those that it has.
        """
        of_loss = {key: value for key, value in params.items() if key.startswith("loss__")}
        super().set_params(**{key: value for key, value in params.items() if key not in of_loss})
        if of_loss:
            self.loss = with_parameters(self.loss, {key[len("loss__") :]: value for key, value in of_loss.items()})
        return self

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Fit the coefficients and intercepts.

        Parameters
        ----------
        X : {array-like, sparse matrix, data frame, dask.array, dask.dataframe} of shape (n_samples, n_features)
            Features. float32 and float64 in C or Fortran order and CSR are used as they are, without a copy; X is
            never changed. An array in a mapped file is not loaded, and a collection of Dask stays where it is. An array
            of xarray is what it holds. Masked entries (numpy.ma) and missing values are errors, here and below.
        y : array-like of shape (n_samples,)
            Class labels, all integers, booleans, text, or floats that are whole numbers; for a collection, one with the
            same chunks. Columns of pandas, polars and Arrow keep their values, integers beyond 2**53 among them.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights, at least 0. A weight of 2 is the row twice, a weight of 0 is the row removed.

        Returns
        -------
        MarginLinearClassifier
            This estimator.

        Raises
        ------
        ValueError
            If a parameter or the data cannot be used; a previous fit is then left as it was.
        RuntimeError
            If the Dask cluster is lost.
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
    def _fit(self, X: Any, y: Any, sample_weight: Any) -> tuple[list[Solution], list]:
        given = {"X": X, "y": y, "metadata": None if sample_weight is None else {"sample_weight": sample_weight}}
        require_compiler()
        self._validate_params()
        loss = get_loss(self.loss)
        check_compatible(loss, self.C, self.solver, given=self.loss)
        previous = previous_fit(self)
        # One seed for all classes: each is fitted as it would be alone.
        seed = check_random_state(0 if self.random_state is None else self.random_state).randint(1 << 31)
        data = training_data(self, X, y, sample_weight, self.class_weight, seed)
        classes = data.classes
        joint = len(classes) > 2 and takes_joint(self.multi_class, loss)
        start = first_coefficients(self, previous, classes, data.shape[1], joint=joint)
        positive = [1] if len(classes) == 2 else list(range(len(classes)))
        n_jobs = effective_n_jobs(self.n_jobs)
        labels = ["all classes"] if joint else [f"class {classes[k]}" for k in positive]
        fitted = {"loss_": loss, "classes_": classes, "class_weight_": data.class_weights}
        shape = (1 if len(classes) == 2 else len(classes), data.shape[1])
        progress = progress_of(self, labels, shape, fitted, given)
        settings = Settings(self.C, self.fit_intercept, self.solver, self.tol, self.max_iter, seed, n_jobs, progress)
        solutions: list[Solution] = []
        starts = [None] * len(labels) if start is None else [start] if joint else list(zip(*start, strict=True))
        # A trial step that is too long overflows, and is shortened.
        with problems(data, loss, settings, joint=joint) as solve:
            try:
                for label, (solution, seconds) in zip(labels, solve(positive, starts), strict=True):
                    solutions.append(solution)
                    if self.verbose:
                        say(report.line(label, solution, seconds))
            except OverflowError:
                raise unusable(self, data) from None
        points = [solution.point for solution in solutions]
        self.__dict__.update(fitted)
        self.coef_ = points[0].w if joint else np.array([point.w for point in points])
        self.intercept_ = points[0].b if joint else np.array([point.b for point in points])
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

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        try:
            affine = get_loss(self.loss).affine
        except (TypeError, ValueError):
            affine = False
        # Without an intercept, scikit-learn's own data for that check cannot be separated, by any linear classifier;
        # and a classifier of class means is what an affine loss is.
        tags.classifier_tags.poor_score = affine or not self.fit_intercept
        return tags
