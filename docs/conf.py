"""How Sphinx makes a site of the documents: `make docs`."""

from importlib.metadata import version as version_of
from pathlib import Path
from typing import Any

project = "exitsnoop"
author = copyright = "The exitsnoop authors"  # noqa: A001 - Sphinx's name
release = version_of("exitsnoop")

# The source is the top of the tree, so that links work in a checkout as they do in the site.
root_doc = "docs/index"
include_patterns = ["*.md", "docs/*.md"]
exclude_patterns = [".*", "build", "dist", "src", "tests", "tools", "benchmarks", "packaging"]
extensions = ["myst_parser"]
myst_heading_anchors = 4
highlight_language = "text"
suppress_warnings = ["myst.header"]  # the tables of `make bench` lie two levels below their title

html_theme = "furo"
html_title = f"exitsnoop {release}"
html_show_sphinx = False
html_copy_source = False

_FIRST = f'<!doctype html>\n<meta http-equiv="refresh" content="0; url={root_doc}.html">\n'


def _write_first_page(app: Any, error: Exception | None) -> None:
    """A site begins with index.html."""
    if not error:
        Path(app.outdir, "index.html").write_text(_FIRST)


def setup(app: Any) -> None:
    """Called by Sphinx."""
    app.connect("build-finished", _write_first_page)
