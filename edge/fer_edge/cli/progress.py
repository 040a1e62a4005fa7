"""Progress as people watch it."""

from __future__ import annotations

from typing import Any

__all__ = ["progress_bar"]


def progress_bar(items: Any, **options: Any) -> Any:
    """tqdm's bar around an iterable, on standard error, where that is a terminal."""
    from tqdm import tqdm

    return tqdm(items, disable=None, dynamic_ncols=True, **options)
