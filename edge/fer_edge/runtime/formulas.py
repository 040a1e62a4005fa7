"""Texts in tables that a spreadsheet would take for formulas (OWASP: CSV injection)."""

from __future__ import annotations

from typing import Final

__all__ = ["is_formula", "protect_path"]

_BEGINNINGS: Final = tuple("=+-@\t\r＝＋－＠")


def is_formula(text: str) -> bool:
    """Whether a spreadsheet that opens a table may calculate this text."""
    return len(text) > 1 and text.startswith(_BEGINNINGS)


def protect_path(path: str) -> str:
    """Write a relative path that begins like a formula as ``./path``, which names the same file."""
    return f"./{path}" if is_formula(path) else path
