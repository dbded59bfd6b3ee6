"""Losses as objects: found by name, checked, compared, copied."""

import copy
import importlib
import inspect
import pickle
import pkgutil
from pathlib import Path

import numpy as np
import pytest
from references import LOSS_CASES, LOSSES
from sklearn.base import clone

from marginclf import MarginLinearClassifier, losses
from marginclf.losses import (
    DWD,
    LUM,
    Exponential,
    GeneralizedCrossEntropy,
    Hinge,
    Linear,
    Logistic,
    MarginLoss,
    ModifiedHuber,
    Savage,
    Sigmoid,
    SmoothHinge,
    Squared,
    SquaredHinge,
    Tangent,
    catalogue,
    get_loss,
)

# The table of the catalogue, by hand: names are a promise to users, and do not change because a class does.
NAMES = {
    Logistic: ["logistic", "log_loss", "softplus", "cross_entropy"],
    Linear: ["linear", "unhinged"],
    Hinge: ["hinge"],
    SquaredHinge: ["squared_hinge"],
    SmoothHinge: ["smooth_hinge"],
    ModifiedHuber: ["modified_huber"],
    Exponential: ["exponential"],
    Squared: ["squared"],
    DWD: ["dwd"],
    LUM: ["lum"],
    Savage: ["savage"],
    Tangent: ["tangent"],
    Sigmoid: ["sigmoid"],
    GeneralizedCrossEntropy: ["generalized_cross_entropy"],
}
DEFAULTS = {
    SmoothHinge: {"gamma": 1.0},
    DWD: {"q": 1.0},
    LUM: {"a": 1.0, "c": 0.0},
    GeneralizedCrossEntropy: {"q": 0.7},
}


@pytest.mark.parametrize(("cls", "name"), [(cls, name) for cls, names in NAMES.items() for name in names])
def test_names_and_aliases(cls, name):
    loss = get_loss(name)
    assert type(loss) is cls
    assert loss.get_params() == DEFAULTS.get(cls, {})


def test_names_are_those_of_the_table():
    found = {cls: [cls.name, *cls.aliases] for cls in catalogue().values()}
    assert found == NAMES, (
        "the catalogue and NAMES of this file differ: add the class of a new loss, and its names, there"
    )


def written():
    """Every class of the package that is a loss by itself, whether something lists it or not."""
    modules = [
        importlib.import_module(f"{losses.__name__}.{info.name}") for info in pkgutil.iter_modules(losses.__path__)
    ]
    found = {value for module in modules for value in vars(module).values() if isinstance(value, type)}
    return {cls for cls in found if issubclass(cls, MarginLoss) and cls.name and cls.__module__.startswith("marginclf")}


def test_catalogue_is_complete_and_public():
    assert set(catalogue().values()) == written(), "a loss of marginclf/losses/ is missing in _CLASSES of registry.py"
    for cls in catalogue().values():
        name = cls.__name__
        assert getattr(losses, name, None) is cls, f"import {name} in marginclf/losses/__init__.py"
        assert name in losses.__all__, f"add {name!r} to __all__ of marginclf/losses/__init__.py"
        assert cls.formula, f"{name}.formula is empty: the LaTeX that the table of the losses shows"
        assert cls.source, f"{name}.source is empty: who wrote of it, and when"


@pytest.mark.parametrize("loss", catalogue().values(), ids=lambda cls: cls.name)
def test_pages_that_are_written_by_hand_name_every_loss(loss):
    root = Path(__file__).parents[2]
    listed = (root / "docs" / "api.rst").read_text(encoding="utf-8").split()
    assert loss.__name__ in listed, f"add {loss.__name__} to the losses of docs/api.rst"
    named = (root / "README.md").read_text(encoding="utf-8").split("The losses:")[1].split("\n\n")[0]
    assert f"`{loss.name}`" in named, f"add `{loss.name}` to the losses of README.md"


def test_objects_are_taken_as_they_are():
    loss = SmoothHinge(gamma=0.5)
    assert get_loss(loss) is loss


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("logistc", "logistic"),
        ("squared hinge", "squared_hinge"),
        ("huber", "modified_huber"),
        ("log-loss", "log_loss"),
    ],
)
def test_unknown_names_suggest_the_nearest(typed, meant):
    with pytest.raises(ValueError, match=f"unknown loss '{typed}': did you mean '{meant}'") as caught:
        get_loss(typed)
    assert all(name in str(caught.value) for names in NAMES.values() for name in names)


def test_upper_case_suggests_the_name_in_lower_case():
    with pytest.raises(ValueError, match="did you mean 'logistic'"):
        get_loss("LOGISTIC")


@pytest.mark.parametrize(("name", "reason"), [("perceptron", "minimum is w = 0")])
def test_refused_with_a_reason(name, reason):
    with pytest.raises(ValueError, match=f"loss='{name}'.*{reason}"):
        get_loss(name)


def test_class_instead_of_object():
    for use in (lambda: get_loss(SmoothHinge), lambda: MarginLinearClassifier(SmoothHinge).fit([[0.0], [1.0]], [0, 1])):
        with pytest.raises(TypeError, match=r"^loss=SmoothHinge is a class, and a loss is an object.*SmoothHinge\(\)"):
            use()


@pytest.mark.parametrize("wrong", [None, 3, 1.5, b"logistic", ["logistic"], int], ids=repr)
def test_neither_name_nor_object(wrong):
    with pytest.raises(TypeError, match=r"^loss must be a name or an instance of .*MarginLoss, got"):
        get_loss(wrong)


@pytest.mark.parametrize("value", [-1.0, np.nan, np.inf, -np.inf, "1", None, [1.0], 1j], ids=repr)
@pytest.mark.parametrize(
    ("cls", "name"),
    [(SmoothHinge, "gamma"), (DWD, "q"), (LUM, "a"), (LUM, "c"), (GeneralizedCrossEntropy, "q")],
)
def test_parameters_out_of_range(cls, name, value):
    loss = cls(**{name: value})  # the constructor stores what it got, as clone needs it
    assert loss.get_params()[name] is value
    for use in (lambda: get_loss(loss), loss.compiled, lambda: loss.evaluate([0.0])):
        with pytest.raises(ValueError, match=f"'{name}' parameter of {cls.__name__} must be") as caught:
            use()
        assert f"Got {value!r} instead" in str(caught.value)


@pytest.mark.parametrize(
    ("loss", "in_range"),
    [
        (SmoothHinge(gamma=0), False),
        (DWD(q=0), False),
        (LUM(a=0), False),
        (LUM(c=0), True),
        (GeneralizedCrossEntropy(q=0), False),
        (GeneralizedCrossEntropy(q=1), True),
        (GeneralizedCrossEntropy(q=np.nextafter(1.0, 2.0)), False),
        (SmoothHinge(gamma=np.float32(0.5)), True),
        (DWD(q=np.int64(2)), True),
    ],
    ids=repr,
)
def test_ends_of_the_ranges(loss, in_range):
    if in_range:
        assert np.isfinite(loss.evaluate([-1.0, 0.5, 2.0])).all()
    else:
        with pytest.raises(ValueError, match="must be a float in the range"):
            loss.evaluate([0.0])


@pytest.mark.parametrize("loss", LOSSES)
def test_copies_are_equal_and_separate(loss):
    copies = [clone(loss), copy.deepcopy(loss), copy.copy(loss), pickle.loads(pickle.dumps(loss))]
    namespace = {cls.__name__: cls for cls in catalogue().values()}
    copies.append(eval(repr(loss), namespace))
    for other in copies:
        assert other is not loss
        assert other == loss
        assert hash(other) == hash(loss)
        np.testing.assert_array_equal(other.evaluate([-1.0, 0.3, 1.7]), loss.evaluate([-1.0, 0.3, 1.7]))


def test_equality_is_by_class_and_value():
    for i, (_, a) in enumerate(LOSS_CASES):
        for j, (_, b) in enumerate(LOSS_CASES):
            assert (a == b) == (i == j)
    assert SmoothHinge(gamma=1) == SmoothHinge(gamma=1.0) == SmoothHinge()
    assert hash(SmoothHinge(gamma=1)) == hash(SmoothHinge(gamma=1.0))
    assert Logistic() != "logistic"
    assert len({loss for _, loss in LOSS_CASES}) == len(LOSS_CASES)

    class SmoothHingeToo(SmoothHinge):
        pass

    assert SmoothHingeToo() != SmoothHinge()


def test_parameters_can_be_read_and_set():
    loss = LUM(a=2.0)
    assert loss.get_params() == {"a": 2.0, "c": 0.0}
    before = loss.evaluate([1.0])[0]
    assert loss.set_params(a=1.0, c=1.0) is loss
    # Set on an object that has been compiled and used: the next use must see it.
    np.testing.assert_array_equal(loss.evaluate([1.0]), LUM(1.0, 1.0).evaluate([1.0]))
    assert loss.evaluate([1.0])[0] != before
    with pytest.raises(ValueError, match="Invalid parameter 'gamma'"):
        loss.set_params(gamma=1.0)
    assert repr(SmoothHinge(gamma=0.5)) == "SmoothHinge(gamma=0.5)"


def test_compiled_form_keeps_what_the_address_needs():
    a, b = LUM(a=2.0, c=3.0).compiled(), LUM(a=4.0).compiled()
    # One piece of code for the class; the values of the parameters travel beside it.
    assert a.address == b.address == a.block.address
    assert a.address != DWD().compiled().address
    np.testing.assert_array_equal(a.parameters, [2.0, 3.0])
    assert a.parameters.dtype == np.float64


@pytest.mark.parametrize("loss", [Logistic(), Hinge()])
def test_the_source_of_compiled_code_is_its_formula(loss):
    # Numba reads it to store the code. Any other line of the file may be in the middle of a text, for which Python 3.13
    # raises: that code was then compiled anew in every process.
    codes = {"point": loss.compiled(), "inverse_slope": loss.compiled_inverse() if loss.invertible else None}
    for name, code in codes.items():
        if code is not None:
            assert inspect.getsource(code.block._pyfunc) == inspect.getsource(getattr(type(loss), name))


def test_point_is_part_of_the_contract():
    with pytest.raises(NotImplementedError, match=r"MarginLoss must define point\(self, m\)"):
        MarginLoss().point(0.0)
