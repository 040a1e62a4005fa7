"""Sphinx configuration.

The site loads nothing from other servers: it uses system fonts and has its own search index and colors.
"""

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
# Search summaries need to fetch other pages, which a browser cannot do for a site opened from disk.
html_show_search_summary = False
html_static_path = ["_static"]
html_css_files = ["site.css"]
# The same heading anchors as on GitHub: #a-heading.
myst_heading_anchors = 4
# Code blocks without a language show terminal sessions.
highlight_language = "none"
# JSON blocks that contain … are not valid JSON and cannot be highlighted.
suppress_warnings = ["misc.highlighting_failure"]
autodoc_member_order = "bysource"
python_maximum_signature_line_length = 88
