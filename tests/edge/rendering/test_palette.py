"""One color per emotion: stable, readable, and distinguishable for color-blind people."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from numpy.typing import NDArray

from fer_edge.rendering.palette import (
    EMOTIONS,
    OTHERS,
    Color,
    choose_text_color,
    color_of,
    compute_contrast_ratio,
)

FER = ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")

VISION = {
    "normal": np.eye(3),
    "protanopia": [
        [0.152286, 1.052583, -0.204868],
        [0.114503, 0.786281, 0.099216],
        [-0.003882, -0.048116, 1.051998],
    ],
    "deuteranopia": [
        [0.367322, 0.860646, -0.227968],
        [0.280085, 0.672501, 0.047413],
        [-0.01182, 0.04294, 0.968881],
    ],
    "tritanopia": [
        [1.255528, -0.076749, -0.178779],
        [-0.078411, 0.930809, 0.147602],
        [0.004733, 0.691367, 0.3039],
    ],
}
"""Machado et al., 2009, severity 1.0, on linear RGB."""


def cielab(color: Color, vision: str) -> NDArray[np.float64]:
    srgb = np.array(color[::-1]) / 255
    linear = np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4)
    seen = np.clip(np.array(VISION[vision]) @ linear, 0, 1)
    to_xyz = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
    x, y, z = np.cbrt(to_xyz @ seen / np.array([0.9505, 1, 1.089]))
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


@pytest.mark.parametrize("vision", VISION)
def test_any_two_emotions_are_distinguishable(vision: str) -> None:
    for one, other in combinations(FER, 2):
        distance = np.linalg.norm(cielab(EMOTIONS[one], vision) - cielab(EMOTIONS[other], vision))
        assert distance > 15, (one, other)


@pytest.mark.parametrize("color", [*EMOTIONS.values(), *OTHERS, (0, 0, 0), (128, 128, 128), (117, 117, 117)])
def test_the_ink_can_be_read_on_its_ground(color: Color) -> None:
    assert compute_contrast_ratio(choose_text_color(color), color) >= 4.5


def test_the_contrast_is_that_of_the_web_guidelines() -> None:
    assert compute_contrast_ratio((0, 0, 0), (255, 255, 255)) == pytest.approx(21)
    assert compute_contrast_ratio((90, 10, 200), (90, 10, 200)) == 1


def test_the_seven_emotions_have_their_colors_in_any_model() -> None:
    for labels in (FER, FER[::-1], ("bored", *FER), tuple(label.title() for label in FER)):
        for label in labels:
            if label != "bored":
                assert color_of(label, labels) == EMOTIONS[label.lower()]


def test_other_labels_have_colors_in_the_models_order() -> None:
    labels = ("calm", "happy", "bored", "tired")
    colors = [color_of(label, labels) for label in labels]
    assert len(set(colors)) == 4
    assert colors[0] == OTHERS[0]
    assert colors == [color_of(label, labels) for label in labels]


def test_a_label_more_than_fer_has_takes_a_color_that_no_emotion_has() -> None:
    assert color_of("contempt", (*FER, "contempt")) not in EMOTIONS.values()


def test_more_labels_than_colors_and_unknown_labels_have_a_color() -> None:
    labels = tuple(f"label {number}" for number in range(50))
    assert {color_of(label, labels) for label in labels} == set(OTHERS)
    assert color_of("elsewhere", labels) in OTHERS
