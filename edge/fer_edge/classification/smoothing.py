"""Steadying each face's scores over time, in seconds, whatever the frame rate."""

from __future__ import annotations

import math
from typing import Final, Generic, TypeVar

from fer_edge.types import EmotionScores

__all__ = ["LabelHysteresis", "Smoother", "blend"]

_LEAD: Final = 0.1  # probability by which another emotion must lead before the drawn label changes
_FORGET_S: Final = 5.0  # a face not seen for so long is forgotten

T = TypeVar("T")


def blend(
    before: EmotionScores, now: EmotionScores, elapsed_s: float, time_constant_s: float
) -> EmotionScores:
    """The exponential moving average of scores, in which the past's weight falls to 1/e in ``time_constant_s``.

    A mean of probabilities that sum to 1 sums to 1.
    """
    kept = math.exp(-max(0.0, elapsed_s) / time_constant_s)
    values = tuple(kept * b + (1 - kept) * n for b, n in zip(before.values, now.values, strict=True))
    return EmotionScores(now.labels, values)


class Smoother:
    """Averages each face's own scores over about ``seconds``; 0 leaves them as they are."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self.reset()

    def reset(self) -> None:
        """Forget every face."""
        self._faces = _Memory[EmotionScores]()

    def update(self, face_id: int, time_s: float, scores: EmotionScores) -> EmotionScores:
        """The averaged scores of a face, with those of this moment included."""
        if self._seconds <= 0:
            return scores
        if (known := self._faces.get(face_id)) is not None:
            before_s, before = known
            scores = blend(before, scores, time_s - before_s, self._seconds)
        self._faces.set(face_id, time_s, scores)
        return scores


class LabelHysteresis:
    """The label to draw: it changes only when another emotion leads clearly, so it does not flicker."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Forget every face."""
        self._faces = _Memory[str]()

    def update(self, face_id: int, time_s: float, scores: EmotionScores) -> str:
        """The label of a face at this moment."""
        label = scores.emotion
        if (known := self._faces.get(face_id)) is not None:
            held = known[1]
            if scores.score - scores.as_dict()[held] < _LEAD:
                label = held
        self._faces.set(face_id, time_s, label)
        return label


class _Memory(Generic[T]):
    """Something about each face and when it was last seen; faces long gone are forgotten."""

    def __init__(self) -> None:
        self._faces: dict[int, tuple[float, T]] = {}

    def get(self, face_id: int) -> tuple[float, T] | None:
        return self._faces.get(face_id)

    def set(self, face_id: int, time_s: float, value: T) -> None:
        if face_id not in self._faces:
            self._faces = {
                face: entry for face, entry in self._faces.items() if time_s - entry[0] <= _FORGET_S
            }
        self._faces[face_id] = (time_s, value)
