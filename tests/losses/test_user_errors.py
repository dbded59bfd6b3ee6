"""What a user hears of a ``point`` or of parameters that cannot work: a few lines that name the class."""

import pytest

from marginclf.losses import MarginLoss


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
        (CallsAMethod, r"cannot be compiled.* Line \d+ of point: `return self\.helper\(m\), 1\.0, 0\.0`(?s:.*)helper"),
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
