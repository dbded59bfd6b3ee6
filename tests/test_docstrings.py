"""Every public name has an example, which runs; parameters are documented in their order, and in groups by purpose."""

import doctest
import importlib
import inspect
import re

import matplotlib.pyplot as plt
import pytest

from marginclf import MarginLinearClassifier
from marginclf.losses import MarginLoss

ROOMS = ("marginclf", "marginclf.losses", "marginclf.penalties", "marginclf.inspection", "marginclf.exchange")
WHOLE = (MarginLinearClassifier, MarginLoss)
"""Classes whose pages in the reference show every method."""

FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


def documented():
    """Name, object and module of all that the reference has a page or an entry for."""
    for room in map(importlib.import_module, ROOMS):
        for name in room.__all__:
            found = getattr(room, name)
            if not callable(found):  # a version, and a list, whose docstring is for the reader of the source
                continue
            yield name, found, found.__module__
            for owner in found.__mro__ if found in WHOLE else ():
                if owner.__module__.startswith("marginclf."):
                    yield from (
                        (f"{name}.{key}", value, owner.__module__)
                        for key, value in vars(owner).items()
                        if not key.startswith("_") and (callable(value) or isinstance(value, property))
                    )


@pytest.mark.parametrize(("name", "found", "module"), [pytest.param(*of, id=of[0]) for of in documented()])
def test_an_example_that_runs(name, found, module):
    found = getattr(found, "fget", None) or inspect.unwrap(found)
    parsed = doctest.DocTestParser().get_doctest(inspect.getdoc(found), {}, name, module, 0)
    assert parsed.examples, f"{name} has no example"
    said = []
    failed, _ = doctest.DocTestRunner(optionflags=FLAGS).run(parsed, out=said.append)
    plt.close("all")
    assert not failed, "".join(said)


def test_parameters_in_the_order_and_the_groups_of_the_signature():
    order = list(inspect.signature(MarginLinearClassifier).parameters)
    assert order[:4] == ["loss", "penalty", "C", "bounds"]
    text = inspect.getdoc(MarginLinearClassifier)
    section = text.partition("Parameters\n----------\n")[2].partition("Attributes\n")[0]
    assert re.findall(r"^(\w+) : ", section, re.MULTILINE) == order
    groups = re.findall(r"^- [\w ]+: (.*)[;.]$", text, re.MULTILINE)
    assert [name for group in groups for name in re.findall(r"``(\w+)``", group)] == order
