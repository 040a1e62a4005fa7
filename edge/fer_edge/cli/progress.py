"""Progress bars."""

from __future__ import annotations

import os
import sys
import time
from contextlib import suppress
from typing import Any, Final

from fer_edge.cli.messages import is_json, is_silent

__all__ = ["SkippingBar", "progress_bar"]

_DELAY_S: Final = 1.0


def progress_bar(items: Any, **options: Any) -> Any:
    """Wrap an iterable in a tqdm progress bar on standard error.

    The bar is disabled if standard error is not a terminal, or with ``--quiet`` or JSON messages.
    """
    from tqdm import tqdm

    return tqdm(items, disable=True if is_silent() or is_json() else None, **_fit_terminal(), **options)


def _fit_terminal() -> dict[str, Any]:
    """Return the size options of a bar.

    A serial console reports 0 columns and rows, with which tqdm would show nothing.
    """
    with suppress(OSError, ValueError, AttributeError):
        size = os.get_terminal_size(sys.stderr.fileno())
        if not size.columns or not size.lines:
            return {"ncols": 79, "nrows": 24}
    return {"dynamic_ncols": True}


class SkippingBar:
    """A progress bar for skipping to a position in a video.

    It is shown if skipping takes longer than a second.
    """

    def __init__(self, total_s: float) -> None:
        self._total_s = total_s
        self._started: float | None = None
        self._bar: Any = None

    def __call__(self, reached_s: float) -> None:
        """Update the bar; remove it when the position is reached."""
        self._started = self._started or time.monotonic()
        if reached_s < self._total_s and self._bar is None and time.monotonic() > self._started + _DELAY_S:
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
