"""Text output of numbers."""

from __future__ import annotations

__all__ = ["format_percent"]


def format_percent(share: float) -> str:
    """Format a share, 0…1, as a percentage with two decimals: ``69.21 %``."""
    return f"{100 * share:.2f} %"
