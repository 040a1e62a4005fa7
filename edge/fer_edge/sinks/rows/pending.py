"""Rows that wait until they can be written, the oldest dropped where they become too many."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from pathlib import Path
from typing import Final

__all__ = ["MOST_PENDING", "Batch", "PendingRows"]

MOST_PENDING: Final = 8 << 20
"""Bytes of rows that wait at most; a batch takes about 200 more in memory, which count."""

_OVERHEAD: Final = 200


@dataclass(frozen=True, slots=True)
class Batch:
    """The rows of one result, and the path that its clock names; ``highest_id`` is -1 without faces."""

    path: Path
    content: bytes
    highest_id: int = -1

    @property
    def rows(self) -> int:
        """How many rows these are."""
        return self.content.count(b"\n")

    @property
    def size(self) -> int:
        """Bytes of memory, about."""
        return len(self.content) + _OVERHEAD


class PendingRows:
    """A queue of batches of at most :data:`MOST_PENDING` bytes. ``dropped`` counts the rows that had to go."""

    def __init__(self) -> None:
        self.dropped = 0
        self._batches: deque[Batch] = deque()
        self._size = 0

    def add(self, batch: Batch) -> None:
        """Put a batch at the end; drop from the front what is too much."""
        self._batches.append(batch)
        self._size += batch.size
        while self._size > MOST_PENDING and len(self._batches) > 1:
            self.dropped += self._batches[0].rows
            self.remove_first()

    def first(self) -> Batch | None:
        """The batch that has waited longest."""
        return self._batches[0] if self._batches else None

    def remove_first(self) -> None:
        """Take it out: it is written."""
        self._size -= self._batches.popleft().size

    def count_rows(self) -> int:
        """How many rows wait."""
        return sum(batch.rows for batch in self._batches)
