"""Sphinx's settings. The site loads nothing from elsewhere: fonts are the system's, search and colors its own."""

from __future__ import annotations

from fer_edge import __version__

project = "fer-edge"
version = release = __version__
html_title = f"fer-edge {__version__}"
extensions = ["myst_parser", "sphinx.ext.autodoc"]
html_theme = "furo"
html_show_sphinx = False
html_show_copyright = False
html_copy_source = False
# From the disk a browser cannot read other pages for it.
html_show_search_summary = False
html_static_path = ["_static"]
html_css_files = ["site.css"]
# As GitHub makes them: #a-heading.
myst_heading_anchors = 4
# A block without a language is a terminal.
highlight_language = "none"
# JSON with … for more of the same is shown without colors.
suppress_warnings = ["misc.highlighting_failure"]
autodoc_member_order = "bysource"
python_maximum_signature_line_length = 88
