"""The report as a single self-contained HTML file.

The file refers to no other file or URL, and its content security policy allows only its own script.
"""

from __future__ import annotations

import base64
import hashlib
import html
import json
import re
from functools import cache
from pathlib import Path
from typing import Final

from fer_edge.reports.page_data import PageData
from fer_edge.sinks.http.routes import read_page_file

__all__ = ["render_page"]

_FOLDER: Final = Path(__file__).parent / "page"
_MODULES: Final = ("times.js", "timeline.js", "tables.js", "app.js")
_IMPORT: Final = re.compile(r"^import [^;]*;\n", re.MULTILINE)
_EXPORT: Final = re.compile(r"^export ", re.MULTILINE)


def render_page(data: PageData, title: str) -> str:
    """Render the page as HTML.

    Names are embedded as ASCII JSON, so they may contain anything.
    """
    script, style = _read_script(), _read_style()
    policy = (
        f"default-src 'none'; script-src '{_hash(script)}'; style-src '{_hash(style)}'; base-uri 'none'; "
        "form-action 'none'"
    )
    parts = {
        "TITLE": html.escape(title).encode("ascii", "xmlcharrefreplace").decode(),
        "POLICY": policy,
        "STYLE": style,
        "DATA": _to_script_text(data),
        "SCRIPT": script,
    }
    page = (_FOLDER / "page.html").read_text("utf-8")
    return re.sub(r"@([A-Z]+)@", lambda match: parts[match[1]], page)


@cache
def _read_script() -> str:
    """Concatenate the modules, without their imports and exports.

    The first module is the charts of the live page.
    """
    sources = [read_page_file("charts.js").decode()]
    sources += [(_FOLDER / name).read_text("utf-8") for name in _MODULES]
    return "\n".join(_EXPORT.sub("", _IMPORT.sub("", source)) for source in sources)


@cache
def _read_style() -> str:
    return read_page_file("theme.css").decode() + (_FOLDER / "style.css").read_text("utf-8")


def _to_script_text(data: PageData) -> str:
    """Format the data as JSON in which nothing opens or closes an HTML element.

    Invalid UTF-8 in a name stays escaped as JSON.
    """
    text = json.dumps(data, separators=(",", ":"), allow_nan=False)
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _hash(content: str) -> str:
    """Return the hash of an inline script or style for a content security policy."""
    return f"sha256-{base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()}"
