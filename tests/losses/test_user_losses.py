"""Losses that a user writes: the same road as the built-in ones, each with its own formula."""

import dis
import math

import cvxpy
import numpy as np
import pytest
from scipy import sparse

from marginclf import MarginLinearClassifier
from marginclf.kernels.elementary import exp
from marginclf.losses import MarginLoss, ModifiedHuber, SquaredHinge, check_margin_loss

MARGINS = np.array([-1.5, 0.25, 3.0])


class None_(MarginLoss):
    def point(self, m):
        return -m, -1.0, 0.0


class One(MarginLoss):
    def __init__(self, a=2.0):
        self.a = a

    def point(self, m):
        return -self.a * m, -self.a, 0.0


class Two(MarginLoss):
    # The order of the names is not that of the alphabet: each value must reach its own name.
    def __init__(self, slope=2.0, offset=3.0):
        self.slope = slope
        self.offset = offset

    def point(self, m):
        return self.offset - self.slope * m, -self.slope, 0.0


class Four(MarginLoss):
    def __init__(self, d=1.0, c=10.0, b=100.0, a=1000):
        self.d = d
        self.c = c
        self.b = b
        self.a = a

    def point(self, m):
        return self.a + self.b + self.c + self.d - m, -1.0, self.d


class Elementary(MarginLoss):
    def point(self, m):
        e = exp(-m)
        return e, -e, e


class Integers(MarginLoss):
    # A user writes 0 for 0.0; the kinds of the branches must still unify.
    def point(self, m):
        if m > 1:
            return 0, 0, 0
        return (1 - m) ** 2, -2 * (1 - m), 2


@pytest.mark.parametrize(
    ("loss", "values"),
    [
        (None_(), -MARGINS),
        (One(), -2.0 * MARGINS),
        (One(a=np.float32(0.5)), -0.5 * MARGINS),
        (Two(), 3.0 - 2.0 * MARGINS),
        (Two(slope=5, offset=0.5), 0.5 - 5.0 * MARGINS),
        (Four(), 1111.0 - MARGINS),
        (Four(d=2.0), 1112.0 - MARGINS),
        (Elementary(), np.exp(-MARGINS)),
        (Integers(), np.maximum(1.0 - MARGINS, 0.0) ** 2),
    ],
    ids=repr,
)
def test_works_with_up_to_four_parameters(loss, values):
    np.testing.assert_allclose(loss.evaluate(MARGINS)[0], values, rtol=1e-15)
    assert not loss.affine
    assert loss.curvature_bounds() == (0.0, np.inf)


def test_a_class_of_the_same_name_has_its_own_formula():
    # As when a cell of a notebook is edited and run again.
    def define(scale):
        class Edited(MarginLoss):
            def point(self, m):
                return scale * m, scale, 0.0

        return Edited

    first, second = define(2.0), define(3.0)
    assert first.__qualname__ == second.__qualname__
    assert first().evaluate([1.0])[0] == 2.0
    assert second().evaluate([1.0])[0] == 3.0
    assert first().evaluate([1.0])[0] == 2.0
    assert first() != second()


def test_classes_of_one_name_that_inherit_one_point():
    class Base(MarginLoss):
        def point(self, m):
            return self.b * m, self.b, 0.0

    def first():
        class Edited(Base):
            def __init__(self, b=2.0):
                self.b = b

        Edited.__qualname__ = "Edited"
        return Edited()

    def second():
        class Edited(Base):
            def __init__(self, a=5.0, b=3.0):
                self.a = a
                self.b = b

        Edited.__qualname__ = "Edited"
        return Edited()

    # Kept by name, the code of the first would take the a of the second for its b.
    assert first().evaluate([1.0])[0] == 2.0
    assert second().evaluate([1.0])[0] == 3.0


def _twice(self, m):
    return 2.0 * m, 2.0, 0.0


def _thrice(self, m):
    return 3.0 * m, 3.0, 0.0


@pytest.mark.parametrize("cls", [None_, SquaredHinge])
def test_an_assigned_point_replaces_the_formula(cls, monkeypatch):
    # For a class of the catalogue the code on disk must not be used, nor that of another assigned formula.
    original = cls().evaluate(MARGINS)
    for point, scale in ((_twice, 2.0), (_thrice, 3.0)):
        monkeypatch.setattr(cls, "point", point)
        np.testing.assert_array_equal(cls().evaluate(MARGINS)[0], scale * MARGINS)
    monkeypatch.setattr(cls, "point", ModifiedHuber.point)
    np.testing.assert_array_equal(cls().evaluate(MARGINS), ModifiedHuber().evaluate(MARGINS))
    monkeypatch.undo()
    np.testing.assert_array_equal(cls().evaluate(MARGINS), original)


def test_a_subclass_of_a_built_in_loss():
    class Shifted(SquaredHinge):
        def point(self, m):
            t = 2.0 - m
            if t <= 0.0:
                return 0.0, 0.0, 0.0
            return t * t, -2.0 * t, 2.0

    class Same(SquaredHinge):
        pass

    np.testing.assert_array_equal(Shifted().evaluate([0.0, 1.5, 3.0])[0], [4.0, 0.25, 0.0])
    np.testing.assert_array_equal(Same().evaluate(MARGINS), SquaredHinge().evaluate(MARGINS))


def test_math_functions_follow_ieee_inside_the_block():
    class Logarithm(MarginLoss):
        def point(self, m):
            return math.log(m), 1.0 / m, 0.0

    values, slopes, _ = Logarithm().evaluate([0.0, 1.0])
    np.testing.assert_array_equal(values, [-np.inf, 0.0])
    np.testing.assert_array_equal(slopes, [np.inf, 1.0])


def test_code_is_compiled_once_for_each_class():
    assert One(a=1.0).compiled().address == One(a=5.0).compiled().address


def _positive(t):
    return t if t > 0.0 else 0.0


def _half_square(t):
    return 0.5 * _positive(t) ** 2


class WithHelpers(MarginLoss):
    def point(self, m):
        return 2.0 * _half_square(1.0 - m), -2.0 * _positive(1.0 - m), 2.0 if m < 1.0 else 0.0


def test_plain_functions_are_compiled_along():
    np.testing.assert_array_equal(WithHelpers().evaluate(MARGINS), SquaredHinge().evaluate(MARGINS))


def test_what_is_defined_anew_takes_effect():
    # A notebook in which single cells are run again.
    cells = {}
    exec("from marginclf.losses import MarginLoss", cells)
    exec("SCALE = 2.0", cells)
    exec("def f(m):\n    return SCALE * m", cells)
    exec("class Mine(MarginLoss):\n    def point(self, m):\n        return f(m), SCALE, 0.0", cells)
    loss = cells["Mine"]()
    assert loss.evaluate([1.0])[0] == 2.0
    cells["SCALE"] = 3.0
    assert loss.evaluate([1.0])[:2] == ([3.0], [3.0])
    exec("def f(m):\n    return -SCALE * m", cells)
    assert loss.evaluate([1.0])[0] == -3.0
    exec("class Mine(MarginLoss):\n    def point(self, m):\n        return 7.0 * m, 7.0, 0.0", cells)
    assert cells["Mine"]().evaluate([1.0])[0] == 7.0
    assert loss.evaluate([1.0])[0] == -3.0


def test_a_global_of_the_name_of_a_parameter_is_another_thing():
    cells = {}
    exec("from marginclf.losses import MarginLoss", cells)
    exec(
        "class Mine(MarginLoss):\n    d: float = 2.0\n    def point(self, m):\n        return self.d * m, self.d, 0.0",
        cells,
    )
    first = cells["Mine"]().compiled().address
    cells["d"] = 5.0
    assert cells["Mine"]().compiled().address == first
    assert cells["Mine"]().evaluate([1.0])[0] == 2.0


class ShiftedHinge(MarginLoss):
    """max(0, height − m): with a kink, and a proximal step that says so."""

    height: float = 1.0

    def point(self, m):
        t = self.height - m
        if t <= 0.0:
            return 0.0, 0.0, 0.0
        return t, -1.0, 0.0

    def prox(self, v, kappa):
        if v >= self.height:
            return v
        return min(v + kappa, self.height)


class Absolute(MarginLoss):
    """|1 − m|: a kink that has slopes on both sides."""

    def point(self, m):
        return abs(1.0 - m), (-1.0 if m < 1.0 else 1.0), 0.0

    def prox(self, v, kappa):
        if v < 1.0 - kappa:
            return v + kappa
        if v > 1.0 + kappa:
            return v - kappa
        return 1.0


class SmoothCopy(MarginLoss):
    """The squared hinge, as a user writes it."""

    def point(self, m):
        t = 1.0 - m
        if t <= 0.0:
            return 0.0, 0.0, 0.0
        return t * t, -2.0 * t, 2.0


def _data(d):
    rng = np.random.default_rng(5)
    X = rng.normal(size=(200, d))
    return X, (X[:, 0] - 0.5 * X[:, 1] + 0.5 * rng.normal(size=200) > 0.1).astype(int)


@pytest.mark.parametrize("sparse_data", [False, True])
@pytest.mark.parametrize("solver", ["auto", "dual", "newton"])
def test_a_users_loss_with_a_kink_has_the_optimum_of_hinge(solver, sparse_data):
    X, y = _data(5)
    X = sparse.csr_matrix(X) if sparse_data else X
    ours = MarginLinearClassifier("hinge", solver=solver, tol=1e-10).fit(X, y)
    theirs = MarginLinearClassifier(ShiftedHinge(), solver=solver, tol=1e-10).fit(X, y)
    assert theirs.suboptimality_[0] <= 1e-10
    np.testing.assert_allclose(theirs.objective_, ours.objective_, rtol=1e-9)
    np.testing.assert_allclose(theirs.coef_, ours.coef_, rtol=1e-4, atol=1e-6)


def test_a_kink_with_slopes_on_both_sides_against_cvxpy():
    X, y = _data(4)
    model = MarginLinearClassifier(Absolute(), C=0.3).fit(X, y)
    w, b = cvxpy.Variable(4), cvxpy.Variable()
    margins = cvxpy.multiply(2.0 * y - 1.0, X @ w + b)
    problem = cvxpy.Problem(cvxpy.Minimize(0.3 * cvxpy.sum(cvxpy.abs(1.0 - margins)) + 0.5 * cvxpy.sum_squares(w)))
    problem.solve(solver="CLARABEL")
    assert model.suboptimality_[0] <= 1e-8
    np.testing.assert_allclose(model.objective_[0], problem.value, rtol=1e-7)


@pytest.mark.parametrize("gamma", [1e-3, 0.3, 20.0])
@pytest.mark.parametrize("loss", [ShiftedHinge(), ShiftedHinge(height=2.0), Absolute()], ids=repr)
def test_the_envelope_of_a_users_loss(loss, gamma):
    smooth = loss.smoothed(gamma)
    assert smooth.smooth
    check_margin_loss(smooth)
    # By the definition: no u is better than the proximal point.
    for v in np.linspace(-5.0, 5.0, 41):
        u = np.linspace(-30.0, 30.0, 60_001)
        least = (loss.evaluate(u)[0] + (u - v) ** 2 / (2.0 * gamma)).min()
        assert smooth.evaluate(v)[0] <= least + 1e-9
        assert smooth.evaluate(v)[0] >= least - 1e-3


@pytest.mark.parametrize("solver", ["auto", "lbfgs", "newton", "dual"])
def test_every_solver_takes_a_users_loss(solver):
    X, y = _data(5)
    ours = MarginLinearClassifier("squared_hinge", solver=solver).fit(X, y)
    theirs = MarginLinearClassifier(SmoothCopy(), solver=solver).fit(X, y)
    assert theirs.suboptimality_[0] <= 1e-8
    np.testing.assert_allclose(theirs.objective_, ours.objective_, rtol=2e-8)
    np.testing.assert_allclose(theirs.predict_proba(X), ours.predict_proba(X), atol=1e-3)


class Wide(ShiftedHinge):
    """A kink, and a parameter of the name of the width of every envelope in the literature."""

    gamma: float = 1.0

    def point(self, m):
        t = self.height - m
        if t <= 0.0:
            return 0.0, 0.0, 0.0
        return self.gamma * t, -self.gamma, 0.0

    def prox(self, v, kappa):
        if v >= self.height:
            return v
        return min(v + self.gamma * kappa, self.height)


class TooMany(Absolute):
    a: float = 1.0
    b: float = 1.0
    c: float = 1.0
    d: float = 1.0


def test_a_kink_and_a_parameter_named_gamma():
    X, y = _data(5)
    model = MarginLinearClassifier(Wide(gamma=2.0), C=0.5).fit(X, y)
    np.testing.assert_allclose(model.objective_, MarginLinearClassifier("hinge").fit(X, y).objective_, rtol=1e-9)


def test_a_kink_and_too_many_parameters():
    with pytest.raises(
        TypeError, match=r"TooMany has 4 parameters \(a, b, c, d\); a loss with a kink can have at most 3"
    ):
        MarginLinearClassifier(TooMany()).fit(*_data(5))


def test_asking_whether_a_formula_has_changed_reads_no_bytecode(monkeypatch):
    # Every fit asks, and a small fit takes a millisecond.
    WithHelpers().compiled()
    monkeypatch.setattr(dis, "get_instructions", None)
    WithHelpers().compiled()
