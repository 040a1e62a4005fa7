"""The synthetic video that is measured if the user names no video."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from fer_edge.benchmark.models import FRAMES, WARM_UP
from fer_edge.benchmark.synthetic_video import write_synthetic_video
from fer_edge.detectors.registry import create_detector
from fer_edge.errors import OutputError
from fer_edge.sources.video import VideoSource
from tests.edge.support import read_video, take_frames


def test_detection_finds_its_face_wherever_it_is(tmp_path: Path) -> None:
    write_synthetic_video(tmp_path / "drawn.mp4", 2 * WARM_UP + FRAMES)
    frames, error = take_frames(VideoSource(tmp_path / "drawn.mp4"))
    assert error is None
    assert len(frames) == 2 * WARM_UP + FRAMES
    detector = create_detector()
    assert min(len(detector.detect(frame)) for frame in frames[::8]) >= 1
    detector.close()


def test_it_is_the_same_every_time(tmp_path: Path) -> None:
    for name in ("a.mp4", "b.mp4"):
        write_synthetic_video(tmp_path / name, 3)
    one, other = (read_video(tmp_path / name)[0] for name in ("a.mp4", "b.mp4"))
    assert len(one) == 3
    assert all(np.array_equal(*pair) for pair in zip(one, other, strict=True))


def test_a_place_that_cannot_be_written_to_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match=r"drawn\.mp4: cannot write: No such file"):
        write_synthetic_video(tmp_path / "missing/drawn.mp4", 3)
