"""The annotated video: its frames and their times."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from threading import Event

import cv2
import numpy as np
import pytest

from fer_edge.errors import OutputError, UsageError
from fer_edge.rendering.view import View
from fer_edge.sinks.base import SinkRequest
from fer_edge.sinks.registry import create_image_sink
from fer_edge.sinks.video import VideoSink
from fer_edge.types import Image, SkippedInput, StreamInfo
from tests.edge.sinks.filling import fill
from tests.edge.sinks.movies import every, movie_views, read_movie, write_movie
from tests.edge.support import make_view, names_in, noise, plain

SUFFIXES = [".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi", ".MP4"]


def stripes(width: int, height: int) -> Image:
    """Return an image of three plain stripes, blue, green and red, from top to bottom."""
    colors = np.array([[[230, 30, 20]], [[30, 200, 40]], [[40, 30, 210]]], np.uint8)
    return np.asarray(cv2.resize(colors, (width, height), interpolation=cv2.INTER_NEAREST), np.uint8)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_every_frame_is_written_in_order_at_its_time(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"a{suffix}"
    stream = StreamInfo(name="clip", frame_rate=12.5)
    fill(
        VideoSink(path),
        [make_view(n, time_s=n / 12.5, image=plain(10 * n), faces=0) for n in range(20)],
        stream,
    )
    movie = read_movie(path)
    assert movie.times == pytest.approx([n / 12.5 for n in range(20)], abs=1e-3)
    assert [round(float(image.mean()) / 10) for image in movie.images] == list(range(20))
    assert movie.size == (64, 48)
    assert movie.duration_s == pytest.approx(20 / 12.5, abs=0.02)


@pytest.mark.parametrize(
    ("suffix", "codec", "pixels"),
    [
        (".mp4", "h264", "yuv420p"),
        (".mov", "h264", "yuv420p"),
        (".mkv", "h264", "yuv420p"),
        (".webm", "vp9", "yuv420p"),
        (".avi", "mjpeg", "yuvj420p"),
    ],
)
def test_what_players_take(suffix: str, codec: str, pixels: str, tmp_path: Path) -> None:
    stream = StreamInfo(name="clip", frame_rate=25.0)
    fill(VideoSink(tmp_path / f"a{suffix}"), movie_views("", every(0.04, 3)), stream)
    movie = read_movie(tmp_path / f"a{suffix}")
    assert (movie.codec, movie.pixels) == (codec, pixels)
    if codec != "mjpeg":
        assert movie.key_times == pytest.approx([0, 1, 2], abs=1e-3)


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".webm"])
@pytest.mark.parametrize(
    "times",
    [
        [0.0, 0.04, 0.08, 1.5, 1.54, 3.0],
        every(1 / 500, 0.4),
        every(1.0, 4),
        every(1 / 29.97, 1),
    ],
    ids=["variable", "500 a second", "1 a second", "29.97 a second"],
)
def test_each_frame_has_its_own_time(suffix: str, times: list[float], tmp_path: Path) -> None:
    rate = {0.002: 500.0, 1.0: 1.0}.get(times[1], 25.0)
    fill(
        VideoSink(tmp_path / f"a{suffix}"),
        movie_views("", times),
        StreamInfo(name="clip", frame_rate=rate),
    )
    movie = read_movie(tmp_path / f"a{suffix}")
    assert movie.times == pytest.approx(times, abs=1e-3)
    assert all(later > earlier for earlier, later in zip(movie.times, movie.times[1:], strict=False))


def test_the_last_frame_is_shown_as_long_as_the_others(tmp_path: Path) -> None:
    fill(
        VideoSink(tmp_path / "a.mp4"),
        movie_views("", every(1.0, 3)),
        StreamInfo(name="clip", frame_rate=1.0),
    )
    assert read_movie(tmp_path / "a.mp4").duration_s == pytest.approx(3, abs=0.01)


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".webm"])
def test_a_first_frame_that_comes_late_stays_late(suffix: str, tmp_path: Path) -> None:
    source = write_movie(tmp_path / "s.mp4", seconds=3, sound_until=3)
    times = [0.5 + time_s for time_s in every(0.04, 2)]
    fill(VideoSink(tmp_path / f"a{suffix}", sound=str(source)), movie_views(source, times))
    movie = read_movie(tmp_path / f"a{suffix}")
    assert movie.times == pytest.approx(times, abs=2e-3)
    assert movie.beep_s == pytest.approx(1.0, abs=0.03)


@pytest.mark.parametrize(
    ("live", "stated", "rate"),
    [(False, 30.0, 30.0), (False, None, 25.0), (True, None, 15.0), (True, 30.0, 30.0)],
)
def test_frames_without_a_time_come_at_the_nominal_rate(
    live: bool, stated: float | None, rate: float, tmp_path: Path
) -> None:
    stream = StreamInfo(name="clip", live=live, frame_rate=stated)
    fill(VideoSink(tmp_path / "a.mp4"), [make_view(n) for n in range(5)], stream)
    times = read_movie(tmp_path / "a.mp4").times
    assert times == pytest.approx([n / rate for n in range(5)], abs=1e-3)


def test_non_increasing_times_lose_no_frame(tmp_path: Path) -> None:
    fill(VideoSink(tmp_path / "a.mp4"), movie_views("", [0.0, 0.5, 0.5, 0.2, 0.6]))
    times = read_movie(tmp_path / "a.mp4").times
    assert times == pytest.approx([0.0, 0.5, 0.5, 0.5, 0.6], abs=1e-3)
    assert len(set(times)) == 5


class TestColors:
    @pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".webm", ".avi"])
    @pytest.mark.parametrize("size", [(320, 240), (1280, 720)], ids=["SD", "HD"])
    def test_colors_survive_encoding(self, suffix: str, size: tuple[int, int], tmp_path: Path) -> None:
        image = stripes(*size)
        fill(VideoSink(tmp_path / f"a{suffix}"), [make_view(n, image=image, faces=0) for n in range(3)])
        movie = read_movie(tmp_path / f"a{suffix}")
        for shown in movie.images:
            for row in (size[1] // 6, size[1] // 2, 5 * size[1] // 6):
                assert np.abs(shown[row, 20].astype(int) - image[row, 20]).max() <= 6

    @pytest.mark.parametrize(
        ("size", "matrix"), [((320, 240), 6), ((1280, 720), 1)], ids=["BT.601", "BT.709"]
    )
    @pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".webm"])
    def test_the_file_names_its_color_matrix(
        self, suffix: str, size: tuple[int, int], matrix: int, tmp_path: Path
    ) -> None:
        fill(VideoSink(tmp_path / f"a{suffix}"), [make_view(image=plain(90, *size))])
        assert read_movie(tmp_path / f"a{suffix}").colors == (matrix, 1, 1, 1)


class TestSizes:
    @pytest.mark.parametrize("suffix", [".mp4", ".webm", ".avi"])
    @pytest.mark.parametrize(
        "size", [(1, 1), (2, 2), (3, 1), (7, 5), (641, 481), (320, 2), (1, 200), (8194, 16)]
    )
    def test_any_size_is_written(self, suffix: str, size: tuple[int, int], tmp_path: Path) -> None:
        width, height = size
        fill(
            VideoSink(tmp_path / f"a{suffix}"),
            [make_view(n, image=plain(100, *size), faces=0) for n in range(3)],
        )
        movie = read_movie(tmp_path / f"a{suffix}")
        assert movie.size == (width + width % 2, height + height % 2)
        assert [float(image.mean()) for image in movie.images] == pytest.approx([100] * 3, abs=3)

    def test_one_that_cannot_be_encoded_is_said(self, tmp_path: Path) -> None:
        with pytest.raises(OutputError, match=r"a\.mp4: cannot encode a video of 20000×16 pixels"):
            fill(VideoSink(tmp_path / "a.mp4"), [make_view(image=plain(9, 20_000, 16))])
        assert names_in(tmp_path) == []

    @pytest.mark.parametrize("suffix", [".mp4", ".webm", ".avi"])
    def test_others_are_letterboxed_into_the_first(self, suffix: str, tmp_path: Path) -> None:
        sizes = [(64, 48), (128, 96), (32, 48), (128, 48), (65, 48)]
        images = [plain(200, *size) for size in sizes]
        fill(
            VideoSink(tmp_path / f"a{suffix}"),
            [make_view(n, image=image, faces=0) for n, image in enumerate(images)],
        )
        shown = read_movie(tmp_path / f"a{suffix}").images
        assert [image.shape for image in shown] == [(48, 64, 3)] * 5
        assert [int(image[24, 32].mean()) for image in shown] == pytest.approx([200] * 5, abs=8)
        borders = [int(image[24, 2].mean()) for image in shown], [int(image[2, 32].mean()) for image in shown]
        assert borders[0] == pytest.approx([200, 200, 0, 200, 200], abs=12)
        assert borders[1] == pytest.approx([200, 200, 200, 0, 200], abs=12)

    def test_an_image_that_lies_otherwise_in_memory_is_written(self, tmp_path: Path) -> None:
        image = np.asarray(noise(64, 48)[:, ::-1], np.uint8)
        fill(VideoSink(tmp_path / "a.mp4"), [make_view(image=image, faces=0)])
        assert len(read_movie(tmp_path / "a.mp4").images) == 1


class TestEncoders:
    @pytest.mark.parametrize(
        ("suffix", "encoder", "codec"),
        [
            (".mp4", "libx265", "hevc"),
            (".mp4", "mpeg4", "mpeg4"),
            (".mkv", "libvpx-vp9", "vp9"),
            (".webm", "libsvtav1", "libdav1d"),
            (".mkv", "mjpeg", "mjpeg"),
            (".avi", "libx264", "h264"),
            (".mkv", "ffv1", "ffv1"),
        ],
    )
    def test_another_encoder_is_used(self, suffix: str, encoder: str, codec: str, tmp_path: Path) -> None:
        sink = VideoSink(tmp_path / f"a{suffix}", encoder=encoder)
        image = stripes(320, 240)
        fill(sink, [make_view(n, image=image, faces=0) for n in range(3)])
        movie = read_movie(tmp_path / f"a{suffix}")
        assert movie.codec == codec
        assert len(movie.images) == 3
        for row in (40, 120, 200):
            assert np.abs(movie.images[2][row, 20].astype(int) - image[row, 20]).max() <= 12

    def test_a_preset_trades_speed_for_size(self, tmp_path: Path) -> None:
        views = movie_views("", every(0.04, 1), noise(160, 120))
        for preset in ("ultrafast", "medium"):
            fill(VideoSink(tmp_path / f"{preset}.mp4", preset=preset), views)
        assert (tmp_path / "medium.mp4").stat().st_size < (tmp_path / "ultrafast.mp4").stat().st_size

    @pytest.mark.parametrize(
        ("suffix", "options", "message"),
        [
            (
                ".mp4",
                {"encoder": "x264"},
                r"unknown encoder 'x264' for mp4; choose one of: .*libx264, .*libx265",
            ),
            (".mp4", {"encoder": "aac"}, "unknown encoder 'aac' for mp4; choose one of: "),
            (
                ".webm",
                {"encoder": "libx264"},
                r"unknown encoder 'libx264' for webm; choose one of: .*libvpx-vp9",
            ),
            (
                ".mp4",
                {"preset": "warp"},
                "unknown preset 'warp' for the encoder libx264; choose one of: ultrafast, ",
            ),
            (
                ".webm",
                {"preset": "fast"},
                "the encoder libvpx-vp9 has no presets; leave the preset 'fast' out",
            ),
            (".mp4", {"encoder": "libsvtav1", "preset": "99"}, "libsvtav1; choose one of: 0, 1, 2"),
        ],
    )
    def test_an_unknown_one_is_refused_with_those_there_are(
        self, suffix: str, options: dict[str, str], message: str, tmp_path: Path
    ) -> None:
        for inputs, target in ((), f"a{suffix}"), (("a.mp4", "b.webm"), "folder"):
            if inputs and suffix == ".webm" and "encoder" in options:
                continue
            with pytest.raises(UsageError, match=message):
                create_image_sink(
                    SinkRequest(
                        target=str(tmp_path / target),
                        stream=StreamInfo(name="clip"),
                        inputs=inputs,
                        **options,  # type: ignore[arg-type]
                    )
                )
        assert names_in(tmp_path) == []

    def test_one_whose_device_is_missing_is_refused(self, tmp_path: Path) -> None:
        with pytest.raises(OutputError, match="the encoder h264_v4l2m2m does not work on this machine: "):
            VideoSink(tmp_path / "a.mp4", encoder="h264_v4l2m2m")


def test_what_was_written_before_an_error_is_kept(tmp_path: Path) -> None:
    def interrupted() -> Iterator[View]:
        yield from (make_view(number) for number in range(5))
        assert names_in(tmp_path) != ["a.mp4"]
        raise KeyboardInterrupt

    with suppress(KeyboardInterrupt):
        fill(VideoSink(tmp_path / "a.mp4"), interrupted())
    assert names_in(tmp_path) == ["a.mp4"]
    assert len(read_movie(tmp_path / "a.mp4").images) == 5


def test_closing_twice_and_without_a_frame(tmp_path: Path) -> None:
    sink = VideoSink(tmp_path / "a.mp4")
    sink.open(StreamInfo(name="clip"), Event())
    sink.close()
    assert names_in(tmp_path) == []
    sink.write(make_view())
    sink.close()
    before = (tmp_path / "a.mp4").read_bytes()
    sink.close()
    assert (tmp_path / "a.mp4").read_bytes() == before


@pytest.mark.parametrize("name", ["a.jpg", "a", "a.gif"])
def test_another_suffix_is_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"unsupported video format; use one of \.mp4"):
        VideoSink(tmp_path / name)


def test_what_could_not_be_read_is_not_in_it(tmp_path: Path) -> None:
    fill(VideoSink(tmp_path / "a.mp4"), [make_view(0), SkippedInput("b", "broken"), make_view(1)])
    assert len(read_movie(tmp_path / "a.mp4").images) == 2


def test_several_go_into_a_folder_each_with_its_sound(tmp_path: Path) -> None:
    sources = [write_movie(tmp_path / "one.mp4"), write_movie(tmp_path / "two.ts", codec="mp2")]
    sink = create_image_sink(
        SinkRequest(
            target=str(tmp_path / "out"), stream=StreamInfo(name="two"), inputs=tuple(map(str, sources))
        )
    )
    for source in sources:
        sink.open(StreamInfo(name=str(source), frame_rate=25.0), Event())
        for view in movie_views(source, every(0.04, 2)):
            sink.write(view)
    sink.close()
    assert names_in(tmp_path / "out") == ["one.mp4", "two.mp4"]
    for name in names_in(tmp_path / "out"):
        movie = read_movie(tmp_path / "out" / name)
        assert (len(movie.times), movie.sound_codec) == (50, "aac")
        assert movie.beep_s == pytest.approx(1.0, abs=0.03)
