"""Scores averaged over time, and labels that do not flicker."""

from __future__ import annotations

import math

import pytest

from fer_edge.classification.smoothing import LabelHold, Smoother, blend
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
        (-1.0, 0.0),  # a clock that runs backwards adds nothing
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


def test_faces_are_smoothed_apart() -> None:
    smoother = Smoother(0.5)
    smoother.update(0, 0.0, scores(0))
    assert smoother.update(1, 0.1, scores(1)) == scores(1)


def test_the_label_holds_until_another_leads_clearly() -> None:
    hold = LabelHold()
    happy = [0.9, 0.52, 0.48, 0.46, 0.44, 0.48, 0.54, 0.56]
    labels = [hold.update(0, frame / 10, scores(value)) for frame, value in enumerate(happy)]
    assert labels == ["happy", "happy", "happy", "happy", "sad", "sad", "sad", "happy"]


def test_labels_of_faces_are_held_apart() -> None:
    hold = LabelHold()
    hold.update(0, 0.0, scores(1))
    assert hold.update(1, 0.1, scores(0.49)) == "sad"


def test_faces_long_gone_are_forgotten() -> None:
    smoother, hold = Smoother(0.5), LabelHold()
    for face in range(1000):
        smoother.update(face, face * 1.0, scores(1))
        hold.update(face, face * 1.0, scores(1))
    assert len(smoother._faces._faces) <= 6
    assert len(hold._faces._faces) <= 6
