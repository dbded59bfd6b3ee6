"""Take the figures of an example into its page; where axes are empty, fail (called by sphinx-gallery)."""

import matplotlib.pyplot as plt
import numpy as np
from sphinx.errors import ExtensionError
from sphinx_gallery.scrapers import matplotlib_scraper


def scraper(block: tuple, block_vars: dict, gallery_conf: dict) -> str:
    """Return the reStructuredText of the figures that a block of an example has drawn."""
    for number in plt.get_fignums():
        for place, axes in enumerate(plt.figure(number).axes):
            if empty(axes):
                raise ExtensionError(f"{block_vars['src_file']}: axes {place} of figure {number} are empty")
    return matplotlib_scraper(block, block_vars, gallery_conf)


def empty(axes: plt.Axes) -> bool:
    """Return whether axes that one can see show nothing, or a curve of a single point."""
    if not axes.axison or axes.images or axes.tables:
        return False
    sizes = axes.dataLim.get_points()
    return not np.isfinite(sizes).all() or bool((sizes[0] == sizes[1]).all())
