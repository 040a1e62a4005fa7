"""Smooth each face's scores over time, independently of the frame rate."""

from __future__ import annotations

import math
from typing import Final, Generic, TypeVar

from fer_edge.types import EmotionScores

__all__ = ["LabelHysteresis", "Smoother", "blend"]

_LEAD: Final = 0.1  # the probability margin by which another emotion must lead to change the label
_FORGET_S: Final = 5.0  # a face is forgotten after this time without being seen

T = TypeVar("T")


def blend(
    before: EmotionScores, now: EmotionScores, elapsed_s: float, time_constant_s: float
) -> EmotionScores:
    """Return the exponential moving average of scores.

    The weight of the past falls to 1/e in ``time_constant_s`` seconds. Scores that sum to 1 still do.
    """
    kept = math.exp(-max(0.0, elapsed_s) / time_constant_s)
    values = tuple(kept * b + (1 - kept) * n for b, n in zip(before.values, now.values, strict=True))
    return EmotionScores(now.labels, values)


class Smoother:
    """Averages each face's scores over about ``seconds``; 0 disables smoothing."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self.reset()

    def reset(self) -> None:
        """Forget every face."""
        self._faces = _Memory[EmotionScores]()

    def update(self, face_id: int, time_s: float, scores: EmotionScores) -> EmotionScores:
        """Add the scores of a face and return their average."""
        if self._seconds <= 0:
            return scores
        if (known := self._faces.get(face_id)) is not None:
            before_s, before = known
            scores = blend(before, scores, time_s - before_s, self._seconds)
        self._faces.set(face_id, time_s, scores)
        return scores


class LabelHysteresis:
    """Chooses the label to draw, without flicker.

    The label changes only when another emotion clearly leads.
    """

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Forget every face."""
        self._faces = _Memory[str]()

    def update(self, face_id: int, time_s: float, scores: EmotionScores) -> str:
        """Return the label of a face, given its current scores."""
        label = scores.emotion
        if (known := self._faces.get(face_id)) is not None:
            held = known[1]
            if scores.score - scores.as_dict()[held] < _LEAD:
                label = held
        self._faces.set(face_id, time_s, label)
        return label


class _Memory(Generic[T]):
    """A value for each face and when it was last seen; old faces are forgotten."""

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
