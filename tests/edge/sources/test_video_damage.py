"""Damaged and truncated videos: decodable frames keep their times, followed by one line of error."""

from __future__ import annotations

import itertools
import re
from pathlib import Path
from typing import Any

import pytest

from fer_edge.errors import SourceError, SourceLostError
from fer_edge.sources.video import VideoSource
from fer_edge.types import Frame
from tests.edge.sources.clips import number_in, remux, with_hole, write_clip
from tests.edge.support import take_frames

COUNT = 150
KINDS: list[tuple[str, str, dict[str, Any]]] = [
    ("clip.mp4", "libx264", {}),
    ("clip.mkv", "libx264", {}),
    ("clip.avi", "mjpeg", {"pixels": "yuvj420p"}),
    ("clip.ts", "libx264", {}),
    ("clip.webm", "libvpx", {"options": {"deadline": "realtime", "cpu-used": "8"}}),
    ("clip.mov", "mjpeg", {"pixels": "yuvj420p"}),
    ("clip.flv", "libx264", {}),
    ("mpeg2.ts", "mpeg2video", {}),
]
kinds = pytest.mark.parametrize(("name", "codec", "options"), KINDS, ids=[name for name, _, _ in KINDS])


_WRITTEN: dict[str, bytes] = {}


def write(tmp_path: Path, name: str, codec: str, options: dict[str, Any]) -> Path:
    """Write a clip of six seconds; the index of .mp4 and .mov is at the end."""
    path, key = tmp_path / name, f"{name} {codec} {options}"
    if key not in _WRITTEN:
        write_clip(path, codec, frames=COUNT, size=(128, 96), **options)
        _WRITTEN[key] = path.read_bytes()
    path.write_bytes(_WRITTEN[key])
    return path


def write_index_first(tmp_path: Path, name: str, codec: str, options: dict[str, Any]) -> Path:
    """Write such a clip with its index at the start."""
    if not name.endswith((".mp4", ".mov")):
        return write(tmp_path, name, codec, options)
    source, target = write(tmp_path, f"slow_{name}", codec, options), tmp_path / name
    return remux(source, target, options={"movflags": "faststart"})


def check_times(frames: list[Frame]) -> None:
    """Check that times increase, and that frames with a readable number have their own time."""
    times = [frame.time_s or 0.0 for frame in frames]
    assert all(before < after for before, after in itertools.pairwise(times))
    wrong = [
        frame.index for frame in frames if round((frame.time_s or 0.0) * 25) % 16 != number_in(frame.gray)
    ]
    assert len(wrong) <= 15  # damaged images


@kinds
def test_a_hole_costs_what_is_in_it_and_is_reported(
    name: str, codec: str, options: dict[str, Any], tmp_path: Path
) -> None:
    path = write(tmp_path, name, codec, options)
    path.write_bytes(with_hole(path.read_bytes(), 0.4, 0.07))
    frames, error = take_frames(VideoSource(path))
    assert 100 <= len(frames) <= COUNT
    assert frames[-1].time_s == pytest.approx((COUNT - 1) / 25, abs=0.1)
    check_times(frames)
    assert isinstance(error, SourceLostError)
    assert re.search(
        r"the video is damaged: (about \d+\.\d s|one place|\d+ places) cannot be decoded; ", str(error)
    )
    assert "\n" not in str(error)


def test_the_report_says_how_much_is_missing(tmp_path: Path) -> None:
    path = write(tmp_path, "clip.ts", "libx264", {"options": {"bf": "0"}})
    content = path.read_bytes()
    packets = [content[place : place + 188] for place in range(0, len(content), 188)]
    count = len(packets)
    path.write_bytes(b"".join(packets[: count // 3] + packets[count // 2 :]))
    frames, error = take_frames(VideoSource(path))
    match = re.search(r"damaged: about (\d+\.\d) s cannot", str(error))
    assert match is not None
    assert float(match.group(1)) == pytest.approx((COUNT - len(frames)) / 25, abs=0.25)


@kinds
@pytest.mark.parametrize("tenth", range(1, 10))
def test_a_truncated_video(
    name: str, codec: str, options: dict[str, Any], tenth: int, tmp_path: Path
) -> None:
    path = write_index_first(tmp_path, name, codec, options)
    content = path.read_bytes()
    path.write_bytes(content[: len(content) * tenth // 10])
    frames, error = take_frames(VideoSource(path))
    assert len(frames) >= COUNT * (tenth - 2) // 10
    check_times(frames)
    if not frames:
        assert "cannot decode any frame of the video" in str(error)
    elif not name.endswith(".ts") and tenth < 8:
        assert isinstance(error, SourceLostError)
        assert f"the video ended early, after {len(frames)} frame" in str(error)
    if error is not None:
        assert str(error).count(str(path)) == 1
        assert "\n" not in str(error)


@pytest.mark.parametrize("tenth", range(1, 10))
def test_an_mp4_whose_index_was_at_its_end_is_refused(tenth: int, tmp_path: Path) -> None:
    path = write(tmp_path, "clip.mp4", "libx264", {})
    content = path.read_bytes()
    path.write_bytes(content[: len(content) * tenth // 10])
    frames, error = take_frames(VideoSource(path))
    assert frames == []
    assert type(error) is SourceError
    assert "unsupported format or damaged file" in str(error)


def test_less_than_a_second_may_be_missing(tmp_path: Path) -> None:
    path = write(tmp_path, "clip.mkv", "mpeg4", {})
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * 0.93)])
    frames, error = take_frames(VideoSource(path))
    assert 125 <= len(frames) < COUNT
    assert error is None


def test_a_broadcast_that_is_joined_in_the_middle_is_whole(tmp_path: Path) -> None:
    path = write(tmp_path, "clip.ts", "libx264", {"options": {"bf": "0"}})
    content = path.read_bytes()
    path.write_bytes(content[len(content) // 3 // 188 * 188 + 188 * 3 :])
    frames, error = take_frames(VideoSource(path))
    assert error is None
    assert 80 <= len(frames) < COUNT
    assert (frames[0].time_s or 0.0) < 0.5
