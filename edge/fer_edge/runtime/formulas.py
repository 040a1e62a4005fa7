"""Protect table cells that a spreadsheet would evaluate as formulas.

See OWASP: CSV injection.
"""

from __future__ import annotations

from typing import Final

__all__ = ["is_formula", "protect_path"]

_BEGINNINGS: Final = tuple("=+-@\t\r＝＋－＠")


def is_formula(text: str) -> bool:
    """Return whether a spreadsheet may evaluate this text as a formula."""
    return len(text) > 1 and text.startswith(_BEGINNINGS)


def protect_path(path: str) -> str:
    """Prefix a relative path that looks like a formula with ``./``.

    The result names the same file.
    """
    return f"./{path}" if is_formula(path) else path
