"""The committed pictures of README.md are those that the script draws from the kept results."""

import importlib.util
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def pictures():
    spec = importlib.util.spec_from_file_location("pictures", ROOT / "docs" / "scripts" / "pictures.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_pictures_are_those_of_the_kept_results(pictures):
    for name, drawn in pictures.drawn().items():
        kept = (pictures.FOLDER / name).read_text(encoding="utf-8")
        assert kept == drawn, "draw the pictures anew: PYTHONPATH=. python docs/scripts/pictures.py"


def test_a_loss_is_drawn_as_a_loss(pictures):
    fits = [pictures.Fit(1000, False, 2.0), pictures.Fit(10_000, True, 0.5)]
    ink = pictures.PALETTES["light"]
    drawn = pictures.times(fits, ink)
    assert drawn.count("<circle") == drawn.count("<rect") == 1
    assert "First in 1 of 2 fits" in drawn
    assert drawn.count(f'fill="{ink["ours"]}" fill-opacity') == drawn.count(f'fill="{ink["theirs"]}" fill-opacity') == 1
