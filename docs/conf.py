"""Sphinx configuration. The build needs no network, and draws every figure and table itself."""

import re
import sys
from importlib.metadata import version as installed_version
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))

import benchmark_table  # noqa: E402  (lies beside this file)
import loss_table  # noqa: E402
import study_tables  # noqa: E402

project = "marginclf"
author = "marginclf developers"
copyright = "2026, marginclf developers"
release = version = installed_version("marginclf")

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.doctest",
    "sphinx.ext.mathjax",
    "matplotlib.sphinxext.plot_directive",
    "numpydoc",
]
exclude_patterns = ["_build"]
templates_path = ["_templates"]

# The table of losses and its figures are written from the catalogue at every build.
loss_table.write(HERE / "generated")
# And those of the newest benchmark from its results file.
benchmark_table.write(HERE / "generated")
# Tables and pictures of the studies on real data, likewise.
study_tables.write(HERE / "generated")

autosummary_generate = True
autodoc_typehints = "none"  # the numpydoc sections say it in words
numpydoc_show_class_members = False  # the class template decides: what a loss inherits is shown once, at MarginLoss

trim_doctest_flags = True

plot_include_source = False
plot_html_show_formats = False
plot_html_show_source_link = False
plot_formats = ["svg"]
plot_rcparams = {"svg.hashsalt": "marginclf", "font.size": 9, "axes.grid": True, "grid.alpha": 0.3}
plot_apply_rcparams = True

html_theme = "furo"
html_title = "marginclf"
html_copy_source = False
html_show_sphinx = False


def escape_bars(app, what, name, obj, options, lines):
    """Docstrings write |z| as mathematics does; reStructuredText would take it for a substitution."""
    lines[:] = [re.sub(r"(?<![`\w|])\|([\w ]+)\|(?![`_|])", r"\|\1\|", line) for line in lines]


def setup(app):
    app.connect("autodoc-process-docstring", escape_bars)
