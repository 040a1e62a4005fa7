"""Progress as people watch it."""

from __future__ import annotations

import os
import sys
import time
from contextlib import suppress
from typing import Any, Final

from fer_edge.cli.messages import is_json, is_silent

__all__ = ["SkippingBar", "progress_bar"]

_PATIENCE_S: Final = 1.0


def progress_bar(items: Any, **options: Any) -> Any:
    """Put tqdm's bar around an iterable, on standard error, where that is a terminal and people are to read it."""
    from tqdm import tqdm

    return tqdm(items, disable=True if is_silent() or is_json() else None, **_fit_terminal(), **options)


def _fit_terminal() -> dict[str, Any]:
    """How wide a bar is: a serial console says that it has no columns and rows, and would show nothing."""
    with suppress(OSError, ValueError, AttributeError):
        size = os.get_terminal_size(sys.stderr.fileno())
        if not size.columns or not size.lines:
            return {"ncols": 79, "nrows": 24}
    return {"dynamic_ncols": True}


class SkippingBar:
    """A bar of a video's seconds that are skipped, shown where that takes longer than a second."""

    def __init__(self, total_s: float) -> None:
        self._total_s = total_s
        self._started: float | None = None
        self._bar: Any = None

    def __call__(self, reached_s: float) -> None:
        """Show how far it is; at the end the bar goes."""
        self._started = self._started or time.monotonic()
        if reached_s < self._total_s and self._bar is None and time.monotonic() > self._started + _PATIENCE_S:
            self._bar = progress_bar(
                None,
                total=round(self._total_s),
                desc="Skipping",
                leave=False,
                bar_format="{desc} {percentage:3.0f}%|{bar}| {n:.0f} of {total:.0f} s [{elapsed}<{remaining}]",
            )
        if self._bar is not None:
            self._bar.update(max(0.0, reached_s - self._bar.n))
            if reached_s >= self._total_s:
                self._bar.close()
                self._bar = None
