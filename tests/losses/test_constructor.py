"""Annotated attributes become the parameters of a loss."""

import inspect
import pickle
from typing import ClassVar

import pytest
from sklearn.base import clone

from marginclf.losses import MarginLoss, SmoothHinge


class Scaled(MarginLoss):
    """−scale·m + shift."""

    scale: float = 2.0
    shift: float = 0.0
    unit: ClassVar[str] = "margin"
    name: str = "scaled"
    _private: int = 3

    def point(self, m):
        return self.shift - self.scale * m, -self.scale, 0.0


class More(Scaled):
    power: float = 1.0


class OtherDefault(Scaled):
    scale = 5.0


class Explicit(MarginLoss):
    def __init__(self, a=1.0):
        self.a = a

    def point(self, m):
        return -self.a * m, -self.a, 0.0


class MoreThanExplicit(Explicit):
    b: float = 2.0


def test_by_position_and_by_name():
    assert Scaled().get_params() == {"scale": 2.0, "shift": 0.0}
    assert Scaled(3.0) == Scaled(scale=3.0)
    assert Scaled(3.0, shift=1.0).get_params() == {"scale": 3.0, "shift": 1.0}
    assert str(inspect.signature(Scaled)) == "(scale=2.0, shift=0.0)"
    assert repr(Scaled(shift=1.0)) == "Scaled(shift=1.0)"
    assert Scaled.name == "scaled"


def test_inheritance():
    assert str(inspect.signature(More)) == "(scale=2.0, shift=0.0, power=1.0)"
    assert OtherDefault().scale == 5.0
    assert OtherDefault(1.0).get_params() == {"scale": 1.0, "shift": 0.0}
    assert MoreThanExplicit(b=3.0).get_params() == {"a": 1.0, "b": 3.0}
    assert OtherDefault().evaluate([1.0])[0] == -5.0

    class Wider(SmoothHinge):
        gamma = 3.0

    assert Wider().evaluate([1.0 - 3.0])[1] == -1.0
    assert Wider().evaluate([1.0 - 2.7])[1] == pytest.approx(-0.9)


def test_copies():
    for loss in (Scaled(3.0, 1.0), More(power=2.0), MoreThanExplicit(b=3.0)):
        assert clone(loss) == loss
        assert pickle.loads(pickle.dumps(loss)) == loss


@pytest.mark.parametrize(
    ("arguments", "names", "says"),
    [
        ((1.0, 2.0, 3.0), {}, r"Scaled: too many positional arguments; its parameters: scale, shift"),
        ((), {"gamma": 1.0}, r"Scaled: got an unexpected keyword argument 'gamma'; its parameters: scale, shift"),
        ((1.0,), {"scale": 1.0}, r"Scaled: multiple values for argument 'scale'"),
    ],
)
def test_wrong_arguments(arguments, names, says):
    with pytest.raises(TypeError, match=says):
        Scaled(*arguments, **names)


def test_a_parameter_without_default():
    with pytest.raises(TypeError, match=r"NoDefault.p needs a default, as in `p: float = 1.0`"):

        class NoDefault(MarginLoss):
            p: float
