"""Intact videos of many kinds: each frame once, at its time, upright with square pixels, without warnings."""

from __future__ import annotations

import itertools
import logging
import os
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from fer_edge.sources.video import VideoSource
from fer_edge.types import Frame, Image
from tests.edge.sources.clips import number_in, numbered, remux, set_display_matrix, write_clip
from tests.edge.support import take_frames, write_bytes

INTERLACED = {"flags": "+ilme+ildct"}
FAST_VP9 = {"deadline": "realtime", "cpu-used": "8"}


def read_whole(path: Path | str) -> list[Frame]:
    """Read the frames of a video that gives no warnings and whose times increase."""
    frames, error = take_frames(VideoSource(path))
    assert error is None
    times = [frame.time_s for frame in frames]
    assert all(a is not None and b is not None and a < b for a, b in itertools.pairwise(times))
    return frames


def check_frames(frames: list[Frame], count: int = 20, rate: float = 25.0, *, start_s: float = 0.0) -> None:
    """Check the number, order, constant rate and content of frames."""
    assert [number_in(frame.gray) for frame in frames] == list(range(count))
    expected = [start_s + number / rate for number in range(count)]
    assert [frame.time_s for frame in frames] == pytest.approx(expected, abs=2e-3)
    difference = np.abs(frames[-1].image.astype(int) - numbered(count - 1).astype(int)).mean()
    assert difference < 12


CODECS: list[tuple[str, str, dict[str, Any]]] = [
    ("clip.mp4", "libx264", {}),
    ("bframes.mkv", "libx264", {"options": {"bf": "3"}}),
    ("bframes.avi", "libx264", {"options": {"bf": "3"}}),
    ("bframes.ts", "libx264", {"options": {"bf": "3"}}),
    ("clip.flv", "libx264", {}),
    ("clip.mov", "libx264", {}),
    ("hevc.mp4", "libx265", {"options": {"preset": "ultrafast", "x265-params": "log-level=none"}}),
    ("vp8.webm", "libvpx", {"options": FAST_VP9}),
    ("vp9.webm", "libvpx-vp9", {"options": FAST_VP9}),
    ("av1.mkv", "libsvtav1", {"options": {"preset": "10", "b": "0", "crf": "15"}}),
    ("mpeg4.avi", "mpeg4", {}),
    ("mjpeg.avi", "mjpeg", {"pixels": "yuvj420p"}),
    ("wmv.wmv", "wmv2", {}),
    ("mpeg2.ts", "mpeg2video", {}),
    ("mpeg1.mpg", "mpeg1video", {}),
    ("anim.gif", "gif", {"pixels": "gray"}),
    ("anim.apng", "apng", {"pixels": "rgb24", "format": "apng"}),
    ("inter.mp4", "libx264", {"options": INTERLACED}),
    ("inter_tff.mkv", "libx264", {"options": INTERLACED | {"x264-params": "tff=1"}}),
    ("inter.ts", "mpeg2video", {"options": INTERLACED}),
    ("inter.mpg", "mpeg2video", {"options": INTERLACED}),
    ("inter.vob", "mpeg2video", {"options": INTERLACED, "format": "vob"}),
]


@pytest.mark.parametrize(("name", "codec", "options"), CODECS, ids=[name for name, _, _ in CODECS])
def test_every_container_and_codec(name: str, codec: str, options: dict[str, Any], tmp_path: Path) -> None:
    options = {"options": {"b": "2000000"} | options.get("options", {})} | {
        key: value for key, value in options.items() if key != "options"
    }
    frames = read_whole(write_clip(tmp_path / name, codec, **options))
    if name == "anim.gif":
        assert [number_in(frame.gray) for frame in frames] == list(range(20))
    else:
        check_frames(frames)


def test_dv_is_interlaced_and_has_pixels_that_are_not_square(tmp_path: Path) -> None:
    path = write_clip(
        tmp_path / "tape.dv", "dvvideo", size=(720, 576), pixel_shape=Fraction(16, 15), frames=5
    )
    frames = read_whole(path)
    assert {frame.size for frame in frames} == {(768, 576)}
    assert np.abs(frames[0].image.astype(int) - numbered(0, (768, 576))).mean() < 6


# --- times ---


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".webm"])
def test_a_variable_rate_keeps_each_time(suffix: str, tmp_path: Path) -> None:
    times = [0, 40, 80, 120, 320, 520, 1720, 1760, 1761, 3000]
    codec = "libvpx" if suffix == ".webm" else "libx264"
    path = write_clip(
        tmp_path / f"vfr{suffix}",
        codec,
        frames=10,
        stamps=times.__getitem__,
        time_base=Fraction(1, 1000),
        options={"bf": "0"} if codec == "libx264" else FAST_VP9,
    )
    assert [frame.time_s for frame in read_whole(path)] == pytest.approx(np.array(times) / 1000, abs=2e-3)


@pytest.mark.parametrize("rate", [5, 30, 60, 500, Fraction(30000, 1001)])
def test_any_constant_rate(rate: int | Fraction, tmp_path: Path) -> None:
    check_frames(read_whole(write_clip(tmp_path / "clip.mkv", rate=rate)), rate=float(rate))


def test_frames_of_25_a_second_in_a_stream_of_60(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "r60.mkv", rate=60, stamps=lambda number: round(number * 60 / 25))
    assert len(read_whole(path)) == 20


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".ts", ".mov"])
def test_sound_that_is_longer_is_no_missing_end(suffix: str, tmp_path: Path) -> None:
    frames = read_whole(write_clip(tmp_path / f"long{suffix}", sound_s=6.0))
    check_frames(frames, start_s=frames[0].time_s or 0.0)
    assert frames[0].time_s == pytest.approx(0.0, abs=0.05)


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv", ".ts"])
def test_a_part_that_was_cut_out_without_encoding_it_again(suffix: str, tmp_path: Path) -> None:
    whole = write_clip(tmp_path / "whole.mp4", frames=30, options={"bf": "0"})
    frames = read_whole(remux(whole, tmp_path / f"part{suffix}", -0.6, first=10))
    if suffix in (".mp4", ".mov"):  # with an edit list: five frames are in the file but hidden
        assert [number_in(frame.gray) for frame in frames] == list(range(15, 30))
    assert frames[0].time_s == pytest.approx(0.0, abs=0.05)


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".ts"])
def test_a_video_that_starts_behind_its_sound(suffix: str, tmp_path: Path) -> None:
    path = write_clip(tmp_path / f"late{suffix}", sound_s=6.0, stamps=lambda number: 125 + number)
    frames = read_whole(path)
    check_frames(frames, start_s=frames[0].time_s or 0.0)
    assert frames[0].time_s == pytest.approx(5.0, abs=0.1)


@pytest.mark.parametrize("suffix", [".ts", ".flv", ".mkv"])
def test_a_clock_that_begins_at_an_hour_starts_at_zero(suffix: str, tmp_path: Path) -> None:
    path = write_clip(tmp_path / f"hour{suffix}", stamps=lambda number: 90_000 + number)
    check_frames(read_whole(path))


def test_an_unknown_duration(tmp_path: Path) -> None:
    whole = write_clip(tmp_path / "whole.mp4")
    check_frames(read_whole(remux(whole, tmp_path / "live.mkv", options={"live": "1"})))


@pytest.mark.parametrize(("codec", "name"), [("libx264", "raw.h264"), ("libx265", "raw.hevc")])
def test_a_raw_stream_has_its_codec_s_rate(
    codec: str, name: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    options = {"preset": "ultrafast"} | ({"x265-params": "log-level=none"} if codec == "libx265" else {})
    with caplog.at_level(logging.WARNING):
        check_frames(read_whole(write_clip(tmp_path / name, codec, rate=30, options=options)), rate=30)
    assert caplog.messages == []


def test_a_raw_stream_without_a_rate_says_which_one_is_assumed(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = write_clip(tmp_path / "raw.mjpeg", "mjpeg", pixels="yuvj420p", format="mjpeg")
    with caplog.at_level(logging.WARNING):
        check_frames(read_whole(path))
    assert caplog.messages == [
        f"{path}: the video has neither timestamps nor a frame rate; assuming 25 frames a second"
    ]


def test_a_stream_that_was_joined_from_several_runs_on(tmp_path: Path) -> None:
    part = write_clip(tmp_path / "part.ts").read_bytes()
    joined = tmp_path / "joined.ts"
    joined.write_bytes(part * 3)
    frames = read_whole(joined)
    assert [number_in(frame.gray) for frame in frames] == 3 * list(range(20))
    assert [frame.time_s for frame in frames] == pytest.approx([n / 25 for n in range(60)], abs=2e-3)


@pytest.mark.parametrize("suffix", [".ts", ".mkv", ".mp4"])
@pytest.mark.parametrize("seconds", [37_600, 20])
def test_a_lone_frame_that_is_stamped_hours_away(suffix: str, seconds: int, tmp_path: Path) -> None:
    whole = write_clip(tmp_path / "whole.mp4", frames=30, options={"bf": "0"})
    path = remux(whole, tmp_path / f"wild{suffix}", lambda number: seconds if number == 12 else 0.0)
    check_frames(read_whole(path), 30)


def restamp_flv(content: bytes, number: int, seconds: int) -> bytes:
    """Return the content of an .flv with the time of one video tag changed."""
    changed, place, seen = bytearray(content), 13, 0
    while place + 11 < len(changed):
        size = int.from_bytes(changed[place + 1 : place + 4], "big")
        if changed[place] == 9:
            if seen == number:
                stamp = int.from_bytes(changed[place + 7 : place + 8] + changed[place + 4 : place + 7], "big")
                new = ((stamp + 1000 * seconds) % (1 << 32)).to_bytes(4, "big")
                changed[place + 4 : place + 8] = new[1:] + new[:1]
            seen += 1
        place += 11 + size + 4
    return bytes(changed)


@pytest.mark.parametrize("seconds", [37_600, -9_800, 20, -1])
def test_an_flv_with_a_lone_wrong_stamp(seconds: int, tmp_path: Path) -> None:
    path = write_clip(tmp_path / "clip.flv", options={"bf": "0"})
    path.write_bytes(restamp_flv(path.read_bytes(), 12, seconds))
    check_frames(read_whole(path))


def restamp_ts(content: bytes, number: int, seconds: int) -> bytes:
    """Return the content of a .ts with the times of one PES packet changed."""
    changed, seen = bytearray(content), 0
    for place in range(0, len(changed), 188):
        body = place + 4
        if changed[place + 3] & 0x20:
            body += 1 + changed[body]
        if changed[place + 1] & 0x40 and changed[body : body + 4] == b"\x00\x00\x01\xe0":
            if seen == number:
                for field in range(1 + (changed[body + 7] >> 6 & 1)):
                    shift_stamp(changed, body + 9 + 5 * field, 90_000 * seconds)
            seen += 1
    return bytes(changed)


def shift_stamp(content: bytearray, place: int, ticks: int) -> None:
    """Add to a 33-bit time stamp in an MPEG PES header."""
    field = int.from_bytes(content[place : place + 5], "big")
    stamp = (field >> 33 & 7) << 30 | (field >> 17 & 0x7FFF) << 15 | (field >> 1 & 0x7FFF)
    stamp = (stamp + ticks) % (1 << 33)
    parts = (stamp >> 30 & 7) << 33 | (stamp >> 15 & 0x7FFF) << 17 | (stamp & 0x7FFF) << 1
    kept = field & ~(7 << 33 | 0x7FFF << 17 | 0x7FFF << 1)
    content[place : place + 5] = (kept | parts).to_bytes(5, "big")


@pytest.mark.parametrize("seconds", [37_600, -9_800, 60])
def test_a_broadcast_with_a_lone_wrong_stamp(seconds: int, tmp_path: Path) -> None:
    path = write_clip(tmp_path / "clip.ts", options={"bf": "0"}, stamps=lambda number: 250_000 + number)
    path.write_bytes(restamp_ts(path.read_bytes(), 12, seconds))
    check_frames(read_whole(path))


def test_flv_whose_clock_starts_again(tmp_path: Path) -> None:
    first = write_clip(tmp_path / "first.flv", options={"bf": "0"}).read_bytes()
    joined = tmp_path / "joined.flv"
    joined.write_bytes(first + first[13:])
    times = [frame.time_s for frame in read_whole(joined)]
    assert len(times) == 40
    assert times[-1] == pytest.approx(39 / 25, abs=0.1)


# --- pixels ---


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".ts"])
@pytest.mark.parametrize(
    ("shape", "size"),
    [
        (Fraction(2), (256, 96)),
        (Fraction(4, 3), (192, 96)),
        (Fraction(16, 11), (176, 96)),
        (Fraction(1, 2), (128, 96)),
        (Fraction(9, 10), (90, 100)),
    ],
)
def test_pixels_that_are_not_square_are_made_so(
    suffix: str, shape: Fraction, size: tuple[int, int], tmp_path: Path
) -> None:
    width, height = size
    stored = (width - width % 2, height)
    path = write_clip(tmp_path / f"sar{suffix}", size=stored, pixel_shape=shape, frames=2)
    square = (round(stored[0] * shape), height) if shape > 1 else (stored[0], round(height / shape))
    frames = read_whole(path)
    assert {frame.size for frame in frames} == {square}
    assert frames[0].image.shape == (square[1], square[0], 3)
    assert frames[0].gray.shape == (square[1], square[0])


TURNS: list[tuple[str, tuple[int, int, int, int], Callable[[Image], Any]]] = [
    ("90", (0, 1, -1, 0), lambda image: np.rot90(image, -1)),
    ("180", (-1, 0, 0, -1), lambda image: np.rot90(image, 2)),
    ("270", (0, -1, 1, 0), lambda image: np.rot90(image)),
    ("mirror", (-1, 0, 0, 1), lambda image: image[:, ::-1]),
    ("flip", (1, 0, 0, -1), lambda image: image[::-1]),
    ("transpose", (0, 1, 1, 0), lambda image: image.transpose(1, 0, 2)),
    ("transverse", (0, -1, -1, 0), lambda image: np.rot90(image, 2).transpose(1, 0, 2)),
]


@pytest.mark.parametrize(("signs", "turn"), [turn[1:] for turn in TURNS], ids=[turn[0] for turn in TURNS])
def test_a_display_matrix_turns_and_mirrors(
    signs: tuple[int, ...], turn: Callable[[Image], Any], tmp_path: Path
) -> None:
    path = set_display_matrix(write_clip(tmp_path / "turned.mp4", frames=2), signs)
    expected = turn(numbered(0))
    frame = read_whole(path)[0]
    assert frame.size == (expected.shape[1], expected.shape[0])
    assert np.abs(frame.image.astype(int) - expected).mean() < 8
    assert frame.gray.shape == expected.shape[:2]


def test_turned_and_not_square(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "turned.mp4", frames=2, size=(128, 192), pixel_shape=Fraction(2))
    frame = read_whole(set_display_matrix(path, (0, 1, -1, 0)))[0]
    assert frame.size == (192, 256)
    assert np.abs(frame.image.astype(int) - np.rot90(numbered(0), -1)).mean() < 20


@pytest.mark.parametrize(
    ("codec", "suffix", "pixels"),
    [("mjpeg", ".mjpeg", "yuvj420p"), ("libx264", ".ts", "yuv420p"), ("libx264", ".h264", "yuv420p")],
)
def test_each_frame_has_its_own_size(codec: str, suffix: str, pixels: str, tmp_path: Path) -> None:
    sizes = [(288, 512), (320, 180), (288, 512)]
    parts = [
        write_clip(tmp_path / f"{number}{suffix}", codec, size=size, pixels=pixels, frames=6)
        for number, size in enumerate(sizes)
    ]
    joined = tmp_path / f"joined{suffix}"
    joined.write_bytes(b"".join(part.read_bytes() for part in parts))
    frames = read_whole(joined)
    assert [frame.size for frame in frames] == [size for size in sizes for _ in range(6)]
    for index in (0, 6, 12):
        size = frames[index].size
        assert np.abs(frames[index].image.astype(int) - numbered(0, size)).mean() < 12


# --- stream selection ---


def test_of_two_videos_the_first_is_read(tmp_path: Path) -> None:
    path = tmp_path / "two.mkv"
    with av.open(str(path), "w") as output:
        streams: list[Any] = [output.add_stream("mpeg4", rate=25) for _ in range(2)]
        for stream, size in zip(streams, [(256, 192), (128, 96)], strict=True):
            stream.width, stream.height, stream.pix_fmt = *size, "yuv420p"
        for number in range(10):
            for stream in streams:
                image = numbered(number, (stream.width, stream.height))
                frame = av.VideoFrame.from_ndarray(image, format="bgr24").reformat(format="yuv420p")
                frame.pts, frame.time_base = number, Fraction(1, 25)
                output.mux(stream.encode(frame))
        for stream in streams:
            output.mux(stream.encode(None))
    check_frames(read_whole(path), 10)


# --- names ---

NAMES = [
    "cam1:front.mp4",
    "2024-11-14T22:57:44.mp4",
    "http:film.mp4",
    "film%d.mp4",
    "%03d.mkv",
    "a\nb.mp4",
    "-dash.mp4",
    "フィルム.mp4",
    "x" * 246 + ".mp4",
    "a b#c?d.mp4",
    "noending",
]


@pytest.mark.skipif(os.name == "nt", reason="Windows does not allow such names")
@pytest.mark.parametrize("name", NAMES)
def test_any_name(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_clip(tmp_path / "clip.mp4").rename(tmp_path / name)
    monkeypatch.chdir(tmp_path)
    check_frames(read_whole(name))
    check_frames(read_whole(f"file://{tmp_path}/{name}"))


@pytest.mark.skipif(os.name == "nt", reason="Windows does not allow such names")
def test_names_that_are_not_utf_8(tmp_path: Path) -> None:
    path = os.fsdecode(os.fsencode(tmp_path) + b"/v\xff.mp4")
    write_clip(tmp_path / "clip.mp4").rename(path)
    check_frames(read_whole(path))


def test_a_file_url_may_be_escaped(tmp_path: Path) -> None:
    write_clip(tmp_path / "clip.mp4").rename(tmp_path / "mein film.mp4")
    url = f"FILE://localhost{tmp_path}/mein%20film.mp4"
    frames = read_whole(url)
    check_frames(frames)
    assert frames[0].source == url


def test_a_pixel_shape_that_changes_in_the_middle(tmp_path: Path) -> None:
    """As broadcasts do between 4:3 and 16:9; the coded size stays the same."""
    parts = [
        write_clip(tmp_path / f"{number}.ts", frames=10, size=(256, 192), pixel_shape=shape).read_bytes()
        for number, shape in enumerate((Fraction(2), Fraction(1), Fraction(1, 2)))
    ]
    frames, _ = take_frames(VideoSource(write_bytes(tmp_path / "a.ts", b"".join(parts))))
    assert [frame.size for frame in frames] == [(512, 192)] * 10 + [(256, 192)] * 10 + [(256, 384)] * 10


def test_of_several_tracks_the_default_one_is_read(tmp_path: Path) -> None:
    path = tmp_path / "two.mkv"
    with av.open(str(path), "w") as output:
        for name, frames in (("one", 1), ("film", 20)):
            with av.open(str(write_clip(tmp_path / f"{name}.mp4", frames=frames))) as source:
                stream: Any = output.add_stream_from_template(source.streams.video[0])
                stream.disposition = av.stream.Disposition.default if name == "film" else 0
        for index, name in enumerate(("one", "film")):
            with av.open(str(tmp_path / f"{name}.mp4")) as source:
                for packet in source.demux(source.streams.video[0]):
                    if packet.dts is not None:
                        packet.stream = output.streams.video[index]
                        output.mux(packet)
    frames, error = take_frames(VideoSource(path))
    assert (len(frames), error) == (20, None)


@pytest.mark.parametrize("name", ["notes.txt", "readme.nfo", "art.ans"])
def test_a_text_is_no_video(name: str, tmp_path: Path) -> None:
    frames, error = take_frames(VideoSource(write_bytes(tmp_path / name, b"hello, world\n" * 100)))
    assert not frames
    assert error is not None
    assert "specify a video" in str(error) or "unsupported format" in str(error)
