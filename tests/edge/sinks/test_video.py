"""The annotated video."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from fer_edge.errors import OutputError, UsageError
from fer_edge.rendering.view import View
from fer_edge.sinks.video import VideoSink
from fer_edge.types import SkippedInput, StreamInfo
from tests.edge.sinks.filling import fill
from tests.edge.support import make_view, names_in, plain, read_video


@pytest.mark.parametrize("suffix", [".mp4", ".m4v", ".mov", ".mkv", ".avi", ".MP4"])
def test_every_frame_is_written_in_order_at_the_source_s_rate(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"a{suffix}"
    stream = StreamInfo(name="clip", frame_rate=12.5)
    fill(VideoSink(path), [make_view(n, image=plain(10 * n), faces=0) for n in range(20)], stream)
    frames, rate = read_video(path)
    assert rate == pytest.approx(12.5)
    assert [round(float(frame.mean()) / 10) for frame in frames] == list(range(20))
    assert frames[0].shape == (48, 64, 3)


@pytest.mark.parametrize(
    ("live", "stated", "rate"),
    [
        (False, 30.0, 30.0),
        (False, None, 25.0),
        (False, 600.0, 25.0),
        (True, None, 15.0),
        (True, 30.0, 30.0),
    ],
)
def test_the_rate_where_the_source_has_none_that_will_do(
    live: bool, stated: float | None, rate: float, tmp_path: Path
) -> None:
    stream = StreamInfo(name="clip", live=live, frame_rate=stated)
    fill(VideoSink(tmp_path / "a.mp4"), [make_view(0), make_view(1)], stream)
    assert read_video(tmp_path / "a.mp4")[1] == pytest.approx(rate)


@pytest.mark.parametrize("size", [(7, 5), (641, 481), (2, 2), (320, 2)])
def test_pictures_of_odd_sizes_are_written(size: tuple[int, int], tmp_path: Path) -> None:
    fill(VideoSink(tmp_path / "a.mp4"), [make_view(n, image=plain(9, *size)) for n in range(3)])
    assert len(read_video(tmp_path / "a.mp4")[0]) == 3


def test_a_size_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match=r"a\.mp4: OpenCV cannot write a video of 1×1 pixels there; try"):
        fill(VideoSink(tmp_path / "a.mp4"), [make_view(image=plain(9, 1, 1))])
    assert names_in(tmp_path) == []


def test_a_frame_of_another_size_is_scaled_to_the_first(tmp_path: Path) -> None:
    images = [plain(10), plain(50, 128, 96), plain(90, 30, 90)]
    fill(
        VideoSink(tmp_path / "a.avi"), [make_view(n, image=image, faces=0) for n, image in enumerate(images)]
    )
    frames, _ = read_video(tmp_path / "a.avi")
    assert [frame.shape for frame in frames] == [(48, 64, 3)] * 3
    assert [float(frame.mean()) for frame in frames] == pytest.approx([10, 50, 90], abs=2)


@pytest.mark.parametrize(
    ("times", "written"),
    [
        # At 10 a second: even, too many, a gap that is filled, and one too long to be.
        ([n / 10 for n in range(20)], 20),
        ([n / 30 for n in range(60)], 20),
        ([0.0, 0.1, 1.0, 1.1], 12),
        ([0.0, 100.0], 51),
    ],
    ids=["even", "too many", "gap", "long pause"],
)
def test_a_live_video_keeps_time(times: list[float], written: int, tmp_path: Path) -> None:
    stream = StreamInfo(name="camera", live=True, frame_rate=10.0)
    fill(
        VideoSink(tmp_path / "a.avi"), [make_view(n, time_s=time_s) for n, time_s in enumerate(times)], stream
    )
    assert len(read_video(tmp_path / "a.avi")[0]) == pytest.approx(written, abs=1)


def test_a_video_that_is_no_live_one_keeps_every_frame(tmp_path: Path) -> None:
    fill(VideoSink(tmp_path / "a.avi"), [make_view(n, time_s=n / 300) for n in range(30)])
    assert len(read_video(tmp_path / "a.avi")[0]) == 30


def test_what_was_written_before_an_error_is_kept(tmp_path: Path) -> None:
    def interrupted() -> Iterator[View]:
        yield from (make_view(number) for number in range(5))
        assert names_in(tmp_path) != ["a.mp4"]
        raise KeyboardInterrupt

    with suppress(KeyboardInterrupt):
        fill(VideoSink(tmp_path / "a.mp4"), interrupted())
    assert names_in(tmp_path) == ["a.mp4"]
    assert len(read_video(tmp_path / "a.mp4")[0]) == 5


@pytest.mark.parametrize("name", ["a.webm", "a.jpg", "a", "a.gif"])
def test_another_suffix_is_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"expected a video to write to \(\.mp4"):
        VideoSink(tmp_path / name)


def test_what_could_not_be_read_is_not_in_it(tmp_path: Path) -> None:
    fill(VideoSink(tmp_path / "a.mp4"), [make_view(0), SkippedInput("b", "broken"), make_view(1)])
    assert len(read_video(tmp_path / "a.mp4")[0]) == 2
