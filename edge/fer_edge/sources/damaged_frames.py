"""Count the damaged frames of a camera."""

from __future__ import annotations

import logging
from typing import Final

from fer_edge.runtime.tables import format_count

__all__ = ["DamagedFrames"]

_LOG: Final = logging.getLogger(__name__)


class DamagedFrames:
    """Counts the frames of a camera that arrived damaged, across its connections.

    Logs a warning after 1, 10, 100, … damaged frames, so that even a camera that damages many of them logs few.
    """

    def __init__(self, name: str) -> None:
        self._name, self._count, self._next = name, 0, 1

    def add(self, count: int) -> None:
        """Count damaged frames."""
        self._count += count
        if self._count < self._next:
            return
        while self._count >= self._next:
            self._next *= 10
        so_far = " so far" if self._count > 1 else ""
        _LOG.warning(
            "camera %s: skipped %s%s; check the camera and its connection",
            self._name,
            format_count(self._count, "damaged frame"),
            so_far,
        )
