"""Sphinx configuration. The build needs no network, and draws every figure and table itself."""

import doctest
import re
import sys
from importlib.metadata import version as installed_version
from importlib.resources import files
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE / "scripts"))

import benchmark_table  # noqa: E402  (of the folder scripts, like the rest)
import inventories  # noqa: E402
import loss_table  # noqa: E402
import map_of_shapes  # noqa: E402
import migration_tables  # noqa: E402
import reliability_table  # noqa: E402
import study_tables  # noqa: E402

project = "marginclf"
author = "marginclf developers"
copyright = "2026, marginclf developers"
release = version = installed_version("marginclf")

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.doctest",
    "sphinx.ext.intersphinx",
    "sphinx.ext.mathjax",
    "matplotlib.sphinxext.plot_directive",
    "myst_parser",
    "numpydoc",
    "sphinx_design",
    "sphinx_gallery.gen_gallery",
]
exclude_patterns = ["_build", "**/GALLERY_HEADER.rst"]
templates_path = ["_templates"]

# The table of losses and its figures are written from the catalogue at every build.
GENERATED = HERE / "generated"
loss_table.write(GENERATED)
# And those of the newest benchmark, and of the studies on real data, from their results.
benchmark_table.write(GENERATED)
map_of_shapes.write(GENERATED)
migration_tables.write(GENERATED)
study_tables.write(GENERATED)
# What was tried to break it, as the tests have counted.
reliability_table.write(GENERATED)

autosummary_generate = True
toc_object_entries_show_parents = "hide"
autodoc_typehints = "none"  # the numpydoc sections say it in words
numpydoc_show_class_members = False  # the class template decides: what a loss inherits is shown once, at MarginLoss

# Without a network, the names that these pages refer to are known all the same.
intersphinx_mapping = inventories.write(GENERATED)
intersphinx_timeout = 5

trim_doctest_flags = True
# Not IGNORE_EXCEPTION_DETAIL, which is among the defaults: what an error says is documented too.
doctest_default_flags = doctest.ELLIPSIS | doctest.DONT_ACCEPT_TRUE_FOR_1

plot_include_source = False
plot_html_show_formats = False
plot_html_show_source_link = False
plot_formats = ["svg"]
plot_rcparams = {"svg.hashsalt": "marginclf", "font.size": 9, "axes.grid": True, "grid.alpha": 0.3}
plot_apply_rcparams = True

sphinx_gallery_conf = {
    "examples_dirs": "../examples",
    "gallery_dirs": "gallery",
    "filename_pattern": r"\.py$",
    "ignore_pattern": r"quickstart\.py$",  # a table for the terminal
    "within_subsection_order": "ExampleTitleSortKey",
    "abort_on_example_error": True,
    "reference_url": {"marginclf": None},
    "doc_module": ("marginclf",),
    "image_scrapers": ("example_figures.scraper",),
    "backreferences_dir": "generated/backreferences",
    "default_thumb_file": None,
    "show_memory": False,
    "write_computation_times": False,  # its pages take scripts from the network
    "show_signature": False,
    "min_reported_time": 20,
    "plot_gallery": "True",
    "remove_config_comments": True,
}
suppress_warnings = ["config.cache"]

# Formulas without a network, and from a zip. One file of the package of MathJax is enough: it has the fonts in it.
html_static_path = ["_static", str(files("sphinx-mathjax-offline") / "static" / "mathjax" / "tex-svg.js")]
mathjax_path = "tex-svg.js"
html_css_files = ["marginclf.css"]

html_theme = "pydata_sphinx_theme"
html_title = "marginclf"
html_copy_source = False
html_show_sphinx = False
html_show_sourcelink = False
html_context = {"default_mode": "auto"}
html_theme_options = {
    "github_url": "https://github.com/marginclf/marginclf",
    "navigation_with_keys": False,
    "show_toc_level": 2,
    "header_links_before_dropdown": 6,
    # Pages with wide tables have no list of their sections at the right.
    "secondary_sidebar_items": {
        "**": ["page-toc"],
        "guide/losses": [],
        "guide/robustness": [],
        "development/decisions/0014-many-classes": [],
    },
    "footer_start": ["copyright"],
    "footer_end": [],
}
html_sidebars = {"api": [], "index": []}


def escape_bars(app, what, name, obj, options, lines):
    """Docstrings write |z| as mathematics does; reStructuredText would take it for a substitution."""
    lines[:] = [re.sub(r"(?<![`\w|])\|([\w ]+)\|(?![`_|])", r"\|\1\|", line) for line in lines]


def setup(app):
    app.connect("autodoc-process-docstring", escape_bars)
