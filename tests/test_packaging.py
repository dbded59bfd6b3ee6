"""What is written in more than one place says the same in each."""

import re
import tomllib
from pathlib import Path

import pytest

import marginclf
from marginclf.losses import catalogue

ROOT = Path(__file__).parents[1]


def test_the_citation_file_has_this_version():
    assert f"\nversion: {marginclf.__version__}\n" in (ROOT / "CITATION.cff").read_text(encoding="utf-8")


def test_readme_counts_the_losses():
    count = len(catalogue())
    assert f"\n| losses of a margin | {count} |" in (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_changelog_begins_with_this_version():
    heading = re.search(r"^## \[(.+?)\]", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert heading[1] == (marginclf.__version__ if ".dev" not in marginclf.__version__ else "Unreleased")


def test_the_oldest_versions_are_the_floors():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    floors = sorted(project["dependencies"])
    pinned = re.findall(r"^(\S+)==(\S+)$", (ROOT / ".github" / "oldest.txt").read_text(encoding="utf-8"), re.MULTILINE)
    assert floors == sorted(f"{name}>={version}" for name, version in pinned)


@pytest.mark.parametrize("file", ["README.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md"])
def test_links_to_files_lead_somewhere(file):
    for target in re.findall(r"\]\(([^)#:]+)\)", (ROOT / file).read_text(encoding="utf-8")):
        assert (ROOT / target).exists(), target


def test_links_and_pictures_on_pypi_lead_into_the_repository():
    """No file is beside the text there; what replaces the paths is in pyproject.toml."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    text, repository = (ROOT / "README.md").read_text(encoding="utf-8"), settings["project"]["urls"]["Source"]
    hook = settings["tool"]["hatch"]["metadata"]["hooks"]["fancy-pypi-readme"]
    assert [part["path"] for part in hook["fragments"]] == ["README.md"]
    for rule in hook["substitutions"]:
        text = re.sub(rule["pattern"], rule["replacement"], text)
    raw = repository.replace("github.com", "raw.githubusercontent.com")
    targets = re.findall(r'(?:\]\(|src="|srcset=")([^)"]+)', text)
    assert len(targets) >= 4
    for target in targets:
        path = target.removeprefix(f"{raw}/HEAD/").removeprefix(f"{repository}/blob/HEAD/")
        assert path != target or target.startswith("https://"), target
        assert path == target or (ROOT / path).exists(), target
