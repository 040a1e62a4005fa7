"""The recent scores of each face, for the charts of pages that are opened later."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Sequence
from typing import Final, TypedDict

from fer_edge.types import FaceResult

__all__ = ["FaceHistory", "FaceSamples"]

HISTORY_S: Final = 180.0
SAMPLE_S: Final = 0.5
_MAX_FACES: Final = 16


class FaceSamples(TypedDict):
    """The samples of a face.

    Each sample has a time in seconds and then the scores in thousandths, in the order of the model's labels.
    """

    id: int
    samples: list[list[float]]


class FaceHistory:
    """Samples the scores of every face twice a second, in bounded memory."""

    def __init__(self) -> None:
        self._faces: dict[int, deque[list[float]]] = {}
        self._sampled_s = float("-inf")
        self._lock = threading.Lock()

    def add(self, faces: Sequence[FaceResult], now_s: float) -> None:
        """Sample the faces if a sample is due."""
        if now_s - self._sampled_s < SAMPLE_S:
            return
        self._sampled_s = now_s
        with self._lock:
            for face in faces[:_MAX_FACES]:
                # Remove and insert again, so that the faces seen last come last.
                samples = self._faces.pop(face.id, None) or deque(maxlen=round(HISTORY_S / SAMPLE_S))
                samples.append([round(now_s, 2), *(round(1000 * value) for value in face.scores.values)])
                self._faces[face.id] = samples
            self._forget(now_s)

    def _forget(self, now_s: float) -> None:
        gone = [id_ for id_, samples in self._faces.items() if samples[-1][0] < now_s - HISTORY_S]
        gone += list(self._faces)[: max(0, len(self._faces) - _MAX_FACES)]
        for id_ in gone:
            self._faces.pop(id_, None)

    def clear(self) -> None:
        """Forget every face."""
        with self._lock:
            self._faces.clear()

    def as_list(self) -> list[FaceSamples]:
        """Return the samples of every face, oldest first."""
        with self._lock:
            return [{"id": id_, "samples": [*samples]} for id_, samples in sorted(self._faces.items())]
