"""Detectors by name."""

from __future__ import annotations

from pathlib import Path

import pytest

from fer_edge.detectors.registry import DEFAULT_DETECTOR, DETECTORS, create_detector
from fer_edge.errors import UsageError


def test_the_built_in_ones_come_first() -> None:
    assert DETECTORS.names[:4] == ("haar", "yunet", "mediapipe", "none")
    assert DEFAULT_DETECTOR == create_detector().name == "haar"


@pytest.mark.parametrize("name", ["haar", "none"])  # the others need a model
def test_a_detector_is_made_by_its_name(name: str) -> None:
    detector = create_detector(name)
    assert detector.name == name
    detector.close()


def test_an_unknown_detector_is_refused_with_those_there_are() -> None:
    with pytest.raises(
        UsageError, match=r"unknown detector 'hog'; choose one of: haar, yunet, mediapipe, none"
    ):
        create_detector("hog")


@pytest.mark.parametrize("name", ["haar", "none"])
def test_those_that_need_no_model_take_none(name: str) -> None:
    with pytest.raises(UsageError, match=f"--detector {name} does not take --detector-model 'a.tflite'"):
        create_detector(name, model=Path("a.tflite"))
