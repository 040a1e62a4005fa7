"""Scores averaged over time, and labels that do not flicker."""

from __future__ import annotations

import math
import pickle

import pytest

from fer_edge.classification.smoothing import LabelHysteresis, Smoother, blend
from fer_edge.types import EmotionScores

LABELS = ("sad", "happy")


def scores(happy: float) -> EmotionScores:
    return EmotionScores(LABELS, (1 - happy, happy))


@pytest.mark.parametrize(
    ("elapsed_s", "expected"),
    [
        (0.0, 0.0),
        (0.5, 1 - math.exp(-1)),
        (1.0, 1 - math.exp(-2)),
        (1000.0, 1.0),
        (-1.0, 0.0),  # a clock that runs backwards has no effect
    ],
)
def test_the_past_fades_to_1_over_e_in_the_time_constant(elapsed_s: float, expected: float) -> None:
    mixed = blend(scores(0), scores(1), elapsed_s, 0.5)
    assert mixed.as_dict() == pytest.approx({"sad": 1 - expected, "happy": expected})


def test_the_first_scores_are_taken_as_they_are() -> None:
    assert Smoother(0.5).update(0, 3.0, scores(0.9)) == scores(0.9)


def test_zero_seconds_change_nothing() -> None:
    smoother = Smoother(0)
    assert [smoother.update(0, t / 10, scores(t % 2)) for t in range(4)] == [scores(t % 2) for t in range(4)]


@pytest.mark.parametrize("rate", [5, 30, 120])
def test_the_frame_rate_does_not_change_the_average(rate: int) -> None:
    smoother = Smoother(0.5)
    smoother.update(0, 0.0, scores(0))
    for frame in range(1, rate + 1):
        smoothed = smoother.update(0, frame / rate, scores(1))
    assert smoothed.as_dict()["happy"] == pytest.approx(1 - math.exp(-2))


def test_smoothed_scores_sum_to_one() -> None:
    smoother = Smoother(0.4)
    for frame in range(200):
        smoothed = smoother.update(0, frame / 30, scores(frame % 3 / 2))
    assert sum(smoothed.values) == pytest.approx(1)


def test_each_face_is_smoothed_separately() -> None:
    smoother = Smoother(0.5)
    smoother.update(0, 0.0, scores(0))
    assert smoother.update(1, 0.1, scores(1)) == scores(1)


def test_the_label_holds_until_another_leads_clearly() -> None:
    labels = LabelHysteresis()
    happy = [0.9, 0.52, 0.48, 0.46, 0.44, 0.48, 0.54, 0.56]
    drawn = [labels.update(0, frame / 10, scores(value)) for frame, value in enumerate(happy)]
    assert drawn == ["happy", "happy", "happy", "happy", "sad", "sad", "sad", "happy"]


def test_labels_of_each_face_are_held_separately() -> None:
    labels = LabelHysteresis()
    labels.update(0, 0.0, scores(1))
    assert labels.update(1, 0.1, scores(0.49)) == "sad"


@pytest.mark.parametrize("away_s", [0.5, 4.0, 100.0])
def test_a_long_absent_face_starts_over_once_others_have_appeared(away_s: float) -> None:
    smoother, labels = Smoother(60.0), LabelHysteresis()
    smoother.update(0, 0.0, scores(1))
    labels.update(0, 0.0, scores(1))
    # Ids are never reused, so the state of long-absent faces is dropped when a new face appears.
    smoother.update(1, away_s, scores(0))
    labels.update(1, away_s, scores(0))
    forgotten = away_s > 5
    assert (smoother.update(0, away_s, scores(0)) == scores(0)) is forgotten
    assert (labels.update(0, away_s, scores(0.49)) == "sad") is forgotten


def test_memory_does_not_grow_with_the_number_of_faces() -> None:
    smoother, labels = Smoother(0.5), LabelHysteresis()

    def size_after(faces: range) -> int:
        for face in faces:
            smoother.update(face, face * 1.0, scores(1))
            labels.update(face, face * 1.0, scores(1))
        return len(pickle.dumps((smoother, labels)))

    few = size_after(range(100_000, 100_010))
    assert size_after(range(100_010, 101_000)) <= 1.1 * few


def test_after_a_reset_every_face_starts_over() -> None:
    smoother, labels = Smoother(0.5), LabelHysteresis()
    smoother.update(0, 0.0, scores(1))
    labels.update(0, 0.0, scores(1))
    smoother.reset()
    labels.reset()
    assert smoother.update(0, 0.1, scores(0)) == scores(0)
    assert labels.update(0, 0.1, scores(0.49)) == "sad"
