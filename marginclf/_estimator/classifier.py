"""MarginLinearClassifier: its parameters."""

from __future__ import annotations

from numbers import Integral, Real
from typing import Any, ClassVar, Self

from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils._param_validation import Hidden, Interval, StrOptions

from .._penalties import Penalty, get_penalty
from ..losses import MarginLoss, get_loss
from ..losses.registry import with_parameters
from ..solvers import SOLVERS
from .callbacks import CallbackSupportMixin
from .fitting import LinearFit
from .persistence import Versioned
from .prediction import LinearPrediction

_GRIDS_OF_LOSSES = "[{'loss': ['logistic']}, {'loss': ['smooth_hinge'], 'loss__gamma': [0.5, 1.0]}]"
_GRIDS_OF_PENALTIES = "[{'penalty': ['l1']}, {'penalty': ['elastic_net'], 'penalty__l1_ratio': [0.5, 0.9]}]"


class MarginLinearClassifier(
    LinearFit, LinearPrediction, Versioned, ClassifierMixin, CallbackSupportMixin, BaseEstimator
):
    r"""Linear classification with any margin loss and any of several penalties.

    Minimises

    .. math:: F(w, b) = C \sum_i s_i \, \varphi(y_i (x_i \cdot w + b)) + \sum_j v_j \, p(w_j)

    over the coefficients w, within bounds if there are any, and the intercept b, which is never penalised. s are the
    sample weights multiplied by the class weights, y is −1 or +1, φ is the loss, and the penalty is :math:`\tfrac12
    \|w\|^2` by default. More than two classes have one such problem for each class against the rest, or one joint
    margin :math:`m = z_y - \log \sum_{k \ne y} e^{z_k}` in place of :math:`y z`.

    The parameters below, by what they are for:

    - the problem: ``loss``, ``penalty``, ``C``, ``bounds``, ``fit_intercept``;
    - rows and classes: ``class_weight``, ``multi_class``, ``proba_prior``;
    - how it is solved: ``tol``, ``max_iter``, ``solver``, ``warm_start``, ``random_state``, ``n_jobs``;
    - what one sees of that: ``verbose``, ``record_history``.

    All but ``loss`` are given by name.

    Parameters
    ----------
    loss : str or MarginLoss, default="logistic"
        Name or alias of a loss of :mod:`marginclf.losses`, or a loss object such as ``SmoothHinge(gamma=0.5)``.
        ``"logistic"``, ``"log_loss"``, ``"softplus"`` and ``"cross_entropy"`` are the same loss. Parameters of the loss
        are set as ``loss__gamma``. With a loss that is not convex, the fit starts at the optimum of the logistic loss
        and ends at a stationary point.
    penalty : {"l2", "l1", "elastic_net", "group_lasso"} or object of marginclf.penalties, default="l2"
        Name of a penalty, or an object such as ``ElasticNet(l1_ratio=0.9)`` or ``L1(weights={"age": 0})``, whose
        parameters are set as ``penalty__l1_ratio``; ``"elasticnet"`` is ``"elastic_net"``. Coefficients that a penalty
        sets to zero are exactly zero. Penalties other than l2 need a convex loss and X in memory, and are fitted by
        Newton's method on working sets.
    C : float, default=1.0
        Inverse strength of the penalty, positive, as in scikit-learn. ``numpy.inf`` is no penalty: F is then the first
        sum without C, nothing can be proved about its optimum, and ``status_`` says if the coefficients grow without
        bound. ``loss="hinge"`` needs a penalty.
    bounds : tuple, dict or None, default=None
        (lower, upper) for all coefficients, each None, a number or an array of shape (n_features,) or (n_classes,
        n_features); or a dict by feature name, such as ``{"age": (0, None)}``, which leaves the others without bounds.
        Bounds work with any penalty. For a feature that must not count against a class, use (0, None).
    fit_intercept : bool, default=True
        Whether to fit b; otherwise it is 0.
    class_weight : dict or "balanced", default=None
        Weights of the classes, multiplied with the sample weights. "balanced" gives every class the same total; its
        counts include the sample weights. With more than two classes they are always the weights of the classes in y,
        also if each class is fitted against the rest.
    multi_class : {"auto", "joint", "ovr"}, default="auto"
        What to do with more than two classes; two are always one binary problem. "joint" minimises
        C Σ s φ(z_y − log Σ_{k≠y} exp z_k) + ½‖W‖² over all classes at once, with Σ b = 0: softmax regression for
        ``loss="logistic"``, and its like for every loss that never increases. "ovr" fits each class against the rest.
        "auto" is "joint" for a convex loss that has that form, and "ovr" for the others.
    proba_prior : {"weighted", "data"}, default="weighted"
        With class weights, the population whose probabilities ``predict_proba`` returns: the reweighted one, with which
        ``predict`` agrees, or that of the data.
    tol : float, default=1e-8
        Proven relative suboptimality (F − F*)/\|F\| at which to stop (``suboptimality_``); the true one is often far
        smaller. If the coefficients lower F by less than \|F\|, because C is small, it is relative to that decrease,
        F(0, b₀) − F. With a ``tol`` below 1e-4, small problems continue to the limit of rounding; from 1e-4 on, a fit
        ends once ``tol`` is proven.
    max_iter : int, default=1000
        Largest number of iterations.
    solver : {"auto", "lbfgs", "newton", "dual"}, default="auto"
        With penalty="l2" and no bounds, "auto" takes Newton's method on small data, "dual" on data that is sparse and
        wide or has fewer rows than columns, and L-BFGS on other data; if ``tol`` is not proven then, Newton's method
        finishes the fit. For a loss with a kink ("hinge"), the method of multipliers takes the place of L-BFGS and
        finishes the fit. With another penalty or with bounds, "auto" and "newton" are Newton's method on working sets.
        "dual" is coordinate ascent in the dual, for convex losses with a finite C. "lbfgs" is preconditioned by the
        Hessian of a sample of the rows, which corrects for scales, offsets and correlations of the columns. A loss with
        the same slope everywhere ("linear") is solved in closed form with every solver. All solvers have the same
        optimum.
    warm_start : bool, default=False
        Start from the previous fit, or from ``coef_`` and ``intercept_`` set by hand. For a convex loss the optimum is
        the same.
    random_state : int, RandomState or None, default=None
        Seed of the order in which "dual" visits the rows. Unlike in scikit-learn, None is one fixed seed (0), so that
        results are reproducible by default.
    n_jobs : int or None, default=None
        Threads for the passes over the rows, or for several classes at once; None is one, −1 all. The results are
        identical to the last bit for any number.
    verbose : int, default=0
        1 prints a line for each iteration (objective, proven suboptimality, seconds, passes over the data) and how the
        fit ended. The work for the proof at each iteration is not counted.
    record_history : bool, default=False
        Whether to keep ``history_``.

    Attributes
    ----------
    coef_ : ndarray of shape (1, n_features) or (n_classes, n_features)
        Coefficients w, float64.
    intercept_ : ndarray of shape (1,) or (n_classes,)
        Intercepts b.
    classes_ : ndarray of shape (n_classes,)
        Class labels that occur in y with positive weight; if y has two, always both.
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
        minimum, or the duality gap, for "hinge", for "dual" and for other penalties. 0 for a closed form; NaN where
        nothing can be proved (no penalty, or a loss that is not convex).
    status_ : tuple of str
        How each fit ended, one sentence for each.
    history_ : list of dict
        With ``record_history=True``, for each fit the columns "objective", "suboptimality" (proven), "seconds" and
        "passes" (over the data), with one entry for the start and one for each iteration. For a loss with a kink, the
        entries are sweeps and rounds of the method of multipliers.

    Warns
    -----
    sklearn.exceptions.ConvergenceWarning
        Once, if a fit did not end at an optimum, with the reason, the bound reached and the remedy; of the fits of a
        search, once for each loss and way to end, unless Python's filters are told otherwise. This includes data
        in which all rows of one of two classes have no weight, as in a bagging sample without a rare class: ``coef_``
        is then zero, and ``intercept_`` is that of a fit with half a row of that class.

    See Also
    --------
    sklearn.linear_model.LogisticRegression : The same optimum for ``loss="logistic"``.
    sklearn.svm.LinearSVC : Squared hinge and hinge, with a penalised intercept.
    sklearn.linear_model.RidgeClassifier : The same optimum for ``loss="squared"`` and ``alpha = 1 / (2 * C)``.
    sklearn.linear_model.SGDClassifier : Other solvers, for some of these losses, and ``partial_fit``.

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
        # A class without parentheses, and None for no penalty, are refused with the remedy, and what is hidden in it is
        # not recommended by the message for everything else.
        "loss": [str, MarginLoss, Hidden(type)],
        "penalty": [str, Penalty, Hidden(type), Hidden(None)],
        "C": [Interval(Real, 0.0, None, closed="right")],
        "bounds": [tuple, list, dict, None],
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
        penalty: str | Penalty = "l2",
        C: float = 1.0,
        bounds: Any = None,
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
        self.penalty = penalty
        self.C = C
        self.bounds = bounds
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
        """Set parameters; those of the loss as ``loss__<name>``, those of the penalty as ``penalty__<name>``.

        If ``loss`` is a name, ``loss__gamma=0.5`` replaces it by a new loss object; if it is an object, by a changed
        copy. Two estimators therefore never share a change.

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
            If there is no such parameter. For a parameter of the loss or penalty, the message lists the existing ones.

        Examples
        --------
        >>> from marginclf import MarginLinearClassifier
        >>> MarginLinearClassifier("smooth_hinge").set_params(C=10.0, loss__gamma=0.5)
        MarginLinearClassifier(C=10.0, loss=SmoothHinge(gamma=0.5))
        """
        nested = {key for key in params if key.startswith(("loss__", "penalty__"))}
        super().set_params(**{key: value for key, value in params.items() if key not in nested})
        for name, known, grids in (("loss", get_loss, _GRIDS_OF_LOSSES), ("penalty", get_penalty, _GRIDS_OF_PENALTIES)):
            changes = {key.partition("__")[2]: params[key] for key in nested if key.startswith(f"{name}__")}
            if changes:
                setattr(self, name, with_parameters(known(getattr(self, name)), changes, name, grids))
        return self

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
