"""Counts that a source, a person and the whole report have alike: emotions, and how sure the model was."""

from __future__ import annotations

from fer_edge.reports.readers.base import FaceRow

__all__ = ["CERTAINTY_BINS", "Tally"]

CERTAINTY_BINS = 10
"""Parts of 0…1 in which the scores of the most probable emotions are counted."""


class Tally:
    """Faces by their most probable emotion, and the distribution of its score."""

    __slots__ = ("certainty", "emotions", "faces", "score_sum")

    def __init__(self, labels: int) -> None:
        self.faces, self.score_sum = 0, 0.0
        self.set_labels(labels)
        self.certainty = [0] * CERTAINTY_BINS

    def set_labels(self, labels: int) -> None:
        """Know how many labels there are, before any face came."""
        self.emotions = [0] * labels

    def add(self, face: FaceRow, emotion: int) -> None:
        """Count a face; ``emotion`` is the number of its label, -1 for one that the labels do not have."""
        self.faces += 1
        self.score_sum += face.score
        if emotion >= 0:
            self.emotions[emotion] += 1
        self.certainty[min(CERTAINTY_BINS - 1, max(0, int(face.score * CERTAINTY_BINS)))] += 1

    @property
    def mean_score(self) -> float:
        """The mean score of the most probable emotion, 0 without faces."""
        return self.score_sum / self.faces if self.faces else 0.0
