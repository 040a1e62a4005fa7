"""Counts of emotions and of their scores, for a source or a person."""

from __future__ import annotations

from fer_edge.reports.readers.base import FaceRow

__all__ = ["CERTAINTY_BINS", "Tally"]

CERTAINTY_BINS = 10
"""The number of histogram bins for the score of the most probable emotion, over 0…1."""


class Tally:
    """Counts of faces by their most probable emotion, and a histogram of its score."""

    __slots__ = ("certainty", "emotions", "faces", "score_sum")

    def __init__(self, labels: int) -> None:
        self.faces, self.score_sum = 0, 0.0
        self.set_labels(labels)
        self.certainty = [0] * CERTAINTY_BINS

    def set_labels(self, labels: int) -> None:
        """Set the number of labels; call it before adding faces."""
        self.emotions = [0] * labels

    def add(self, face: FaceRow, emotion: int) -> None:
        """Add a face.

        ``emotion`` is the index of its label, -1 if it is not among the labels.
        """
        self.faces += 1
        self.score_sum += face.score
        if emotion >= 0:
            self.emotions[emotion] += 1
        self.certainty[min(CERTAINTY_BINS - 1, max(0, int(face.score * CERTAINTY_BINS)))] += 1

    @property
    def mean_score(self) -> float:
        """The mean score of the most probable emotion; 0 if there are no faces."""
        return self.score_sum / self.faces if self.faces else 0.0
