"""A bounded queue of rows waiting to be written."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from pathlib import Path
from typing import Final

__all__ = ["MOST_PENDING", "Batch", "PendingRows"]

MOST_PENDING: Final = 8 << 20
"""Maximum size of the pending rows in bytes, including about 200 bytes of overhead per batch."""

_OVERHEAD: Final = 200


@dataclass(frozen=True, slots=True)
class Batch:
    """The rows of one result and the path of their file.

    ``highest_id`` is the highest face ID in the rows; -1 without faces.
    """

    path: Path
    content: bytes
    highest_id: int = -1

    @property
    def rows(self) -> int:
        """The number of rows."""
        return self.content.count(b"\n")

    @property
    def size(self) -> int:
        """The approximate size in memory, in bytes."""
        return len(self.content) + _OVERHEAD


class PendingRows:
    """A queue of batches with at most :data:`MOST_PENDING` bytes.

    ``dropped`` counts the rows that were dropped.
    """

    def __init__(self) -> None:
        self.dropped = 0
        self._batches: deque[Batch] = deque()
        self._size = 0

    def add(self, batch: Batch) -> None:
        """Append a batch; drop the oldest batches if the queue is too large."""
        self._batches.append(batch)
        self._size += batch.size
        while self._size > MOST_PENDING and len(self._batches) > 1:
            self.dropped += self._batches[0].rows
            self.remove_first()

    def first(self) -> Batch | None:
        """Return the oldest batch, or None."""
        return self._batches[0] if self._batches else None

    def remove_first(self) -> None:
        """Remove the oldest batch."""
        self._size -= self._batches.popleft().size

    def count_rows(self) -> int:
        """Return the number of pending rows."""
        return sum(batch.rows for batch in self._batches)
