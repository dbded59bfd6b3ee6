"""What a user hears of a ``point`` or of parameters that cannot work: a few lines that name the class."""

import warnings

import numpy as np
import pytest
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import GridSearchCV

from marginclf import MarginLinearClassifier
from marginclf._estimator import report
from marginclf.losses import Hinge, MarginLoss
from marginclf.penalties import L1, smallest_C


class Two(MarginLoss):
    def __init__(self, slope=2.0, offset=3.0):
        self.slope = slope
        self.offset = offset

    def point(self, m):
        return self.offset - self.slope * m, -self.slope, 0.0


class Five(MarginLoss):
    def __init__(self, a=1.0, b=1.0, c=1.0, d=1.0, e=1.0):
        self.a, self.b, self.c, self.d, self.e = a, b, c, d, e

    def point(self, m):
        return -m, -1.0, 0.0


class TwoValues(MarginLoss):
    def point(self, m):
        return -m, -1.0


class FourValues(MarginLoss):
    def point(self, m):
        return -m, -1.0, 0.0, 0.0


class Nothing(MarginLoss):
    def point(self, m):
        pass


class TwoValuesInABranch(MarginLoss):
    def point(self, m):
        if m > 1.0:
            return 0.0, 0.0
        return 1.0 - m, -1.0, 0.0


class CallsAMethod(MarginLoss):
    def helper(self, m):
        return m

    def point(self, m):
        return self.helper(m), 1.0, 0.0


class Unannotated(MarginLoss):
    tau = 0.9

    def point(self, m):
        return self.tau - m, -1.0, 0.0


class UnderlinedInAHelper(MarginLoss):
    _tau = 0.9

    def point(self, m):
        return -m, -1.0, 0.0

    def prox(self, v, kappa):
        return v + kappa * self._tau


class InTheConstructor(MarginLoss):
    def __init__(self):
        self.tau = 0.9

    def point(self, m):
        return self.tau - m, -1.0, 0.0


class Forgotten(MarginLoss):
    def point(self, m):
        return self.tau - m, -1.0, 0.0


class Text(MarginLoss):
    def point(self, m):
        return "a", "b", "c"


class Imports(MarginLoss):
    def point(self, m):
        from math import exp

        return exp(-m), -exp(-m), exp(-m)


class Opens(MarginLoss):
    def point(self, m):
        if m > 1.0:
            with open("there is none") as file:
                return float(file.read()), 0.0, 0.0
        return -m, -1.0, 0.0


class Raises(MarginLoss):
    def point(self, m):
        if m < 0.0:
            raise ValueError("no negative margins")
        return -m, -1.0, 0.0


@pytest.mark.parametrize(
    ("cls", "says"),
    [
        (Five, r"has 5 parameters \(a, b, c, d, e\); a loss can have at most 4"),
        (TwoValues, "must return three numbers"),
        (FourValues, "must return three numbers"),
        (Nothing, "must return three numbers.*returned None"),
        # Numba names one of the two returns that disagree, not always the same one.
        (TwoValuesInABranch, r"cannot be compiled.* Line \d+ of point: `return (0\.0|1\.0 - m, -1\.0), 0\.0`"),
        (CallsAMethod, "point calls self.helper.*no methods: write helper as a plain function outside of the class"),
        (Unannotated, r"point uses self.tau, which is no parameter; annotate it: `tau: float = 0\.9`"),
        (UnderlinedInAHelper, r"prox uses self._tau, which is no parameter; annotate it: `tau: float = 0\.9`"),
        (InTheConstructor, r"point uses self.tau.*take it in the constructor, as in `def __init__\(self, tau=0\.9\)`"),
        (Forgotten, r"point uses self.tau, which is no parameter; annotate it: `tau: float = 1\.0`"),
        (Text, "must return three numbers|cannot be compiled"),
        (Imports, r"cannot be compiled.* Line \d+ of point: `from math import exp`"),
        (Opens, "cannot be compiled"),
        # Compiled code has nobody to raise to: Numba would leave the rest of the block as it was before.
        (Raises, "raise"),
    ],
)
@pytest.mark.filterwarnings("ignore:unsafe cast")
def test_a_point_that_cannot_work_is_an_error_of_a_few_lines(cls, says):
    with pytest.raises(TypeError, match=says) as caught:
        cls().evaluate([-0.5, 0.5])
    message = str(caught.value)
    assert cls.__name__ in message
    assert len(message.splitlines()) <= 12


def test_a_loss_without_point():
    class Empty(MarginLoss):
        pass

    with pytest.raises(NotImplementedError, match="Empty must define point"):
        Empty().evaluate([0.0])


def test_parameters_that_are_no_numbers():
    with pytest.raises(ValueError, match=r"(?s)real number.*'steep'") as caught:
        Two(slope="steep").evaluate([0.0])
    assert "slope" in str(caught.value)


def test_arguments_are_looked_at_where_the_class_is_defined():
    with pytest.raises(TypeError, match=r"WithLabel.point takes \(self, m, y\), and must be point\(self, m\): a margin "
                       "loss knows only m.*class_weight.*sample_weight"):  # fmt: skip
        type("WithLabel", (MarginLoss,), {"point": lambda self, m, y: (0.0, 0.0, 0.0)})
    with pytest.raises(TypeError, match=r"Bare.point takes \(m\), and must be point\(self, m\)$"):
        type("Bare", (MarginLoss,), {"point": lambda m: (0.0, 0.0, 0.0)})
    with pytest.raises(TypeError, match=r"Static.point must be a plain method, point\(self, m\)"):
        type("Static", (MarginLoss,), {"point": staticmethod(lambda m: (0.0, 0.0, 0.0))})
    with pytest.raises(TypeError, match=r"Short.prox takes \(self, v\), and must be prox\(self, v, kappa\)$"):
        type("Short", (Hinge,), {"prox": lambda self, v: v})
    # What has a default need not be given.
    assert type("Optional", (MarginLoss,), {"point": lambda self, m, scale=1.0: (0.0, 0.0, 0.0)})


RNG = np.random.default_rng(0)
X = RNG.normal(size=(60, 3))
Y = (X[:, 0] + 0.5 * RNG.normal(size=60) > 0).astype(int)


class WrongSign(MarginLoss):
    def point(self, m):
        t = max(0.0, 1.0 - m)
        return t * t, 2.0 * t, 2.0 if t > 0.0 else 0.0


class HalfSlope(MarginLoss):
    def point(self, m):
        t = max(0.0, 1.0 - m)
        return t * t, -t, 2.0 if t > 0.0 else 0.0


class NotConvex(MarginLoss):
    def point(self, m):
        return 1.0 / (1.0 + m * m), -2.0 * m / (1.0 + m * m) ** 2, 0.0


@pytest.mark.parametrize(
    ("loss", "says"),
    [
        (WrongSign(), r"slope: at m = -30 it is 62, but differences of the value give -62"),
        (HalfSlope(), r"slope: at m = -30 it is -31, but differences of the value give -62"),
        (NotConvex(), r"convexity: the slope falls from .*; declare `convex = False` if that is meant"),
    ],
    ids=repr,
)
def test_no_fit_proves_anything_of_a_loss_with_a_wrong_slope(loss, says):
    for use in (MarginLinearClassifier(loss).fit, lambda X, y: smallest_C(X, y, loss=loss)):
        with pytest.raises(ValueError, match=says) as caught:
            use(X, Y)
        assert str(caught.value).startswith(f"loss={loss!r} fails a check, ")
        assert "check_margin_loss(loss)" in str(caught.value)


class Kinked(MarginLoss):
    """The hinge, without its proximal step."""

    height: float = 1.0

    def point(self, m):
        return (self.height - m, -1.0, 0.0) if m < self.height else (0.0, 0.0, 0.0)


class WrongCurvature(MarginLoss):
    def point(self, m):
        t = max(0.0, 1.0 - m)
        return t * t, -2.0 * t, 1e9


@pytest.mark.parametrize(
    ("loss", "says"),
    [
        (Kinked(), r"The slope of Kinked jumps by 1 at m = 1; such a loss needs a prox\(self, v, kappa\)"),
        (WrongCurvature(), r"Try marginclf\.losses\.check_margin_loss\(loss\)\. If it passes: "),
    ],
    ids=repr,
)
def test_a_fit_that_does_not_end_sends_to_the_check(loss, says):
    with pytest.warns(ConvergenceWarning, match=says):
        MarginLinearClassifier(loss, max_iter=30, solver="newton").fit(X, Y)


def test_by_slopes_that_jump_there_is_no_probability():
    class WithProx(Kinked):
        def prox(self, v, kappa):
            return v if v >= self.height else min(v + kappa, self.height)

    class Own(WithProx):
        def probability(self, z):
            return 1.0 / (1.0 + np.exp(-z))

    assert WithProx.probability is None
    assert WithProx.log_probability is None
    assert not hasattr(MarginLinearClassifier(WithProx()), "predict_proba")
    with pytest.raises(AttributeError, match=r"has no predict_proba: loss=Kinked\(\) has no probability, as its slope"):
        _ = MarginLinearClassifier(Kinked()).predict_proba
    assert hasattr(MarginLinearClassifier(Own()), "predict_proba")
    assert hasattr(MarginLinearClassifier(WrongCurvature()), "predict_log_proba")


def test_a_penalty_without_parentheses():
    with pytest.raises(TypeError, match=r"^penalty=L1 is a class, and a penalty is an object of it: write L1\(\)"):
        MarginLinearClassifier(penalty=L1).fit(X, Y)
    with pytest.raises(ValueError, match=r"'loss' parameter.*'str' or an instance of 'marginclf\.losses\S*'\. Got 3"):
        MarginLinearClassifier(3).fit(X, Y)


def test_a_search_warns_once_of_each_loss_that_does_not_end(monkeypatch):
    monkeypatch.setattr(report, "_last", {})
    losses = ["squared", Kinked(), Kinked(height=2.0)]
    grid = {"loss": losses, "C": [0.5, 1.0]}

    def warned(n_searches, action):
        with warnings.catch_warnings(record=True) as found:
            warnings.simplefilter(action)
            for _ in range(n_searches):
                GridSearchCV(MarginLinearClassifier(max_iter=3, tol=0.0), grid, cv=2, refit=False).fit(X, Y)
        assert all("Other fits of this search may end so too." in str(one.message) for one in found)
        return len(found)

    each = warned(1, "always")
    assert each >= 8
    assert 1 <= warned(1, "default") <= 3
    assert 2 <= warned(2, "default") <= 6
    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("default")
        for C in (0.5, 1.0):
            MarginLinearClassifier(Kinked(), C=C, max_iter=3).fit(X, Y)
    assert len(found) == 2
