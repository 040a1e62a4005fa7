"""Video files as found in practice, intact and damaged."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from fer_edge.errors import SourceError, SourceLostError
from fer_edge.sources.video import VideoSource, sanitize_frame_rate
from fer_edge.types import Frame, Image
from tests.edge.support import CODECS, plain, take_frames, write_bytes, write_video


def clip(path: Path, *, frames: int = 30, rate: float = 10.0) -> Path:
    """Write a real video in which the length of a bar is the frame number."""

    def images() -> Iterator[Image]:
        for number in range(frames):
            image = plain(40, 128, 96)
            image[:, : 4 * number] = 220
            yield image

    return write_video(path, images(), rate, size=(128, 96))


@pytest.mark.parametrize("suffix", CODECS)
def test_every_frame_comes_in_order_on_the_video_s_clock(suffix: str, tmp_path: Path) -> None:
    path = clip(tmp_path / f"clip{suffix}")
    with VideoSource(path) as source:
        info = source.info
        assert (info.live, info.still, info.frame_rate, info.frame_count) == (False, False, 10.0, 30)
        frames = [frame for frame in source if isinstance(frame, Frame)]
    assert [frame.index for frame in frames] == list(range(30))
    assert [frame.time_s for frame in frames] == pytest.approx([number / 10 for number in range(30)])
    bars = [round(float((frame.image[48, :, 0] > 130).sum()) / 4) for frame in frames]
    assert bars == list(range(30))
    assert {frame.source for frame in frames} == {str(path)}
    assert {(frame.image.shape, frame.image.dtype.name) for frame in frames} == {((96, 128, 3), "uint8")}


@pytest.mark.parametrize("rate", [5.0, 29.97, 60.0])
def test_the_clock_follows_the_rate(rate: float, tmp_path: Path) -> None:
    frames, _ = take_frames(VideoSource(clip(tmp_path / "clip.mp4", frames=8, rate=rate)))
    expected = [number / rate for number in range(8)]
    assert [frame.time_s for frame in frames] == pytest.approx(expected, abs=2e-3)


def test_frames_are_kept_apart(tmp_path: Path) -> None:
    frames, _ = take_frames(VideoSource(clip(tmp_path / "clip.avi", frames=3)))
    assert not np.shares_memory(frames[0].image, frames[1].image)
    assert not np.array_equal(frames[0].image, frames[2].image)


def test_a_video_can_be_read_again(tmp_path: Path) -> None:
    source = VideoSource(clip(tmp_path / "clip.mp4", frames=5))
    assert [len(take_frames(source)[0]) for _ in range(2)] == [5, 5]


@pytest.mark.parametrize("suffix", [".mkv", ".avi"])
def test_a_truncated_video_gives_its_frames_and_then_says_so(suffix: str, tmp_path: Path) -> None:
    content = clip(tmp_path / f"whole{suffix}").read_bytes()
    frames, error = take_frames(
        VideoSource(write_bytes(tmp_path / f"part{suffix}", content[: len(content) // 2]))
    )
    assert 1 <= len(frames) <= 20
    assert isinstance(error, SourceLostError)
    assert f"part{suffix}: the video ended early, after {len(frames)} frames, " in str(error)
    assert str(error).endswith(" s before its end; the results so far are kept")


@pytest.mark.parametrize("suffix", CODECS)
def test_a_video_without_frames_is_refused(suffix: str, tmp_path: Path) -> None:
    frames, error = take_frames(VideoSource(clip(tmp_path / f"none{suffix}", frames=0)))
    assert frames == []
    assert f"none{suffix}: cannot " in str(error)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "clip.mp4: cannot open video: No such file or directory"),
        (b"", "clip.mp4: cannot open video: the file is empty"),
        (b"no video at all", "clip.mp4: cannot open video: unsupported format or damaged file"),
        (bytes(5000), "clip.mp4: cannot open video: unsupported format or damaged file"),
    ],
)
def test_what_is_no_video_is_refused(content: bytes | None, message: str, tmp_path: Path) -> None:
    path = tmp_path / "clip.mp4"
    if content is not None:
        path.write_bytes(content)
    frames, error = take_frames(VideoSource(path))
    assert frames == []
    assert message in str(error)


def test_an_mp4_without_its_end_is_refused(tmp_path: Path) -> None:
    content = clip(tmp_path / "whole.mp4").read_bytes()
    frames, error = take_frames(VideoSource(write_bytes(tmp_path / "part.mp4", content[: len(content) // 2])))
    assert frames == []
    assert "part.mp4: cannot open video: unsupported format or damaged file" in str(error)


def test_a_folder_is_refused_with_what_reads_it(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="it is a folder; for the images in it, use: fer-edge folder"):
        VideoSource(tmp_path).__enter__()


@pytest.mark.parametrize("name", ["фильм.mp4", "Film – schön %d.mp4", "a 'b' 100%.mp4"])
def test_names_of_any_script(name: str, tmp_path: Path) -> None:
    (tmp_path / "フォルダ").mkdir()
    path = clip(tmp_path / "clip.mp4", frames=3).rename(tmp_path / "フォルダ" / name)
    assert len(take_frames(VideoSource(path))[0]) == 3


@pytest.mark.parametrize(
    ("stated", "rate"),
    [
        (25.0, 25.0),
        (29.97, 29.97),
        (0.0, None),
        (-1.0, None),
        (90_000.0, None),
        (math.nan, None),
        (math.inf, None),
    ],
)
def test_a_rate_that_cannot_be_is_none(stated: float, rate: float | None) -> None:
    assert sanitize_frame_rate(stated) == rate
