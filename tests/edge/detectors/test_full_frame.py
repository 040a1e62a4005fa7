"""Images that each consist of one face."""

from __future__ import annotations

import pytest

from fer_edge.detectors.full_frame import EXACT
from fer_edge.detectors.registry import create_detector
from fer_edge.errors import UsageError
from fer_edge.types import Detection, FaceBox, Frame, Image


def test_without_detection_each_image_is_one_face(portrait: Image) -> None:
    none = create_detector("none")
    whole = Detection(FaceBox(0, 0, 512, 600), framing=EXACT)
    assert none.detect(Frame(portrait)) == (whole,)
    assert none.detect(Frame(portrait), FaceBox(10, 10, 50, 50), min_size=20, max_size=30) == (whole,)
    small = Frame(portrait[:48, :40])
    assert none.detect(small) == (Detection(FaceBox(0, 0, 40, 48), framing=EXACT),)
    assert none.smallest_face(small) == 40
    assert not none.traits.tracked
    none.close()


def test_a_smallest_face_means_nothing_without_detection() -> None:
    with pytest.raises(UsageError, match="--min-face"):
        create_detector("none", min_face=40)
