"""Part of a video: the frames between two times keep their numbers and times."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from fer_edge.errors import SourceError, SourceLostError
from fer_edge.sources.base import WHOLE, Span
from fer_edge.sources.video import VideoSource
from tests.edge.sources.clips import number_in, remux, with_hole, write_clip
from tests.edge.support import take_frames, write_bytes

SPANS = [Span(0.3, 0.5), Span(0.41, 0.5), Span(1.2), Span(0.0, 0.2), Span(1.94), Span(0.84, 1.0)]
OPEN_GOP = {"x264-params": "open-gop=1:keyint=10:min-keyint=10:scenecut=0:bframes=3:b-adapt=0"}


def seen(path: Path, span: Span = WHOLE) -> list[tuple[int, float, int]]:
    """Return the number, time and content of each frame in part of a video."""
    frames, error = take_frames(VideoSource(path, span=span))
    assert error is None, error
    return [(frame.index, round(frame.time_s or 0.0, 6), number_in(frame.gray)) for frame in frames]


def between(whole: list[tuple[int, float, int]], span: Span) -> list[tuple[int, float, int]]:
    return [f for f in whole if f[1] >= span.start_s and (span.end_s is None or f[1] < span.end_s)]


KINDS: list[tuple[str, dict[str, Any]]] = [
    ("a.mp4", {"sound_s": 2.0}),
    ("open.mp4", {"options": OPEN_GOP}),
    ("open.ts", {"options": OPEN_GOP, "sound_s": 2.0}),
    ("open.mkv", {"options": OPEN_GOP}),
    ("fragments.mp4", {"movflags": "frag_keyframe+empty_moov"}),
    ("a.mov", {"codec": "mpeg4"}),
    ("a.avi", {"codec": "mpeg4"}),
    ("a.mpg", {"codec": "mpeg2video"}),
    ("a.flv", {}),
    ("a.h264", {"format": "h264"}),
    ("a.mjpeg", {"codec": "mjpeg", "pixels": "yuvj420p", "format": "mjpeg"}),
    ("hidden.webm", {"codec": "libvpx", "options": {"auto-alt-ref": "1", "lag-in-frames": "8"}}),
    ("hidden9.webm", {"codec": "libvpx-vp9", "options": {"auto-alt-ref": "1", "lag-in-frames": "8", "cpu-used": "8"}}),
    ("uneven.mkv", {"stamps": lambda n: 40 * n + 7 * (n % 3), "time_base": Fraction(1, 1000)}),
]  # fmt: skip


@pytest.mark.parametrize(("name", "options"), KINDS, ids=[name for name, _ in KINDS])
def test_it_is_what_the_whole_has_there(name: str, options: dict[str, Any], tmp_path: Path) -> None:
    movflags = options.pop("movflags", None)
    path = write_clip(tmp_path / name, frames=50, **options)
    if movflags is not None:
        path = remux(path, tmp_path / f"re{name}", options={"movflags": movflags})
    whole = seen(path)
    assert [number for number, _, _ in whole] == list(range(50))
    for span in SPANS:
        assert seen(path, span) == between(whole, span), span


def test_a_clip_cut_in_the_middle_counts_from_what_is_shown(tmp_path: Path) -> None:
    """FFmpeg cuts like this without re-encoding: frames before the cut are in the file but hidden."""
    path = write_clip(tmp_path / "a.mp4", frames=50, options=OPEN_GOP)
    cut = remux(path, tmp_path / "cut.mp4", -0.52)
    whole = seen(cut)
    assert whole[0][:2] == (0, 0.0)
    assert whole[0][2] > 0
    assert seen(cut, Span(0.6, 1.0)) == between(whole, Span(0.6, 1.0))


def test_a_clock_that_starts_again(tmp_path: Path) -> None:
    part = write_clip(tmp_path / "part.ts", frames=30).read_bytes()
    joined = write_bytes(tmp_path / "joined.ts", part + part)
    whole = seen(joined)
    assert whole[-1][0] == 59
    for span in (Span(1.0, 1.4), Span(1.6, 1.8), Span(2.2)):
        assert seen(joined, span) == between(whole, span)


def test_frames_on_the_way_are_not_decoded(tmp_path: Path) -> None:
    """In a container without an index, damage in skipped frames does not matter."""
    path = write_clip(tmp_path / "a.mkv", frames=50)
    holed = write_bytes(tmp_path / "holed.mkv", with_hole(path.read_bytes(), 0.2, 0.02))
    assert isinstance(take_frames(VideoSource(holed))[1], SourceLostError)
    frames, error = take_frames(VideoSource(holed, span=Span(1.6)))
    assert error is None
    assert [number_in(frame.gray) for frame in frames] == [number % 32 for number in range(40, 50)]


def test_damage_in_it_is_told(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "a.mkv", frames=50, options={"crf": "1"})
    holed = write_bytes(tmp_path / "holed.mkv", with_hole(path.read_bytes(), 0.5, 0.05))
    _, error = take_frames(VideoSource(holed, span=Span(0.2, 1.8)))
    assert isinstance(error, SourceLostError)
    assert "is damaged" in str(error)


def test_it_need_not_be_there_whole(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "a.mp4", frames=50)
    assert seen(path, Span(1.8, 60)) == between(seen(path), Span(1.8))


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a.avi"])
def test_a_start_after_the_end_is_told(name: str, tmp_path: Path) -> None:
    path = write_clip(tmp_path / name, "mpeg4", frames=50)
    frames, error = take_frames(VideoSource(path, span=Span(7)))
    assert not frames
    assert type(error) is SourceError
    assert str(error) == f"{path}: no frame from 7 s onward; the video ends at 2.0 s; choose another part"


def test_how_far_it_is_on_the_way_is_told(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "a.avi", "mpeg4", frames=200)
    told: list[float] = []
    take_frames(VideoSource(path, span=Span(6), on_skipped=told.append))
    assert told == sorted(told)
    assert len(told) > 2
    assert told[-1] == 6


class TestOddClocks:
    """Cases from practice: packets without times, pauses, cuts in the middle of a group."""

    @pytest.mark.parametrize("suffix", [".mkv", ".mp4"])
    def test_a_changing_rate_with_frames_out_of_order(self, suffix: str, tmp_path: Path) -> None:
        path = write_clip(
            tmp_path / f"a{suffix}",
            frames=40,
            stamps=lambda n: 17 * n if n < 20 else 340 + 100 * (n - 20),
            time_base=Fraction(1, 1000),
            options={"x264-params": "bframes=3:keyint=10:scenecut=0"},
        )
        whole = seen(path)
        for span in (Span(0.3), Span(0.74), Span(2.24), Span(0.35, 0.55)):
            assert seen(path, span) == between(whole, span), span

    @pytest.mark.parametrize("pause_s", [60, 7200])
    @pytest.mark.parametrize("suffix", [".mkv", ".mp4"])
    def test_a_pause_is_a_pause(self, suffix: str, pause_s: int, tmp_path: Path) -> None:
        """A camera that records only motion pauses; the video's duration includes the pause."""
        path = write_clip(
            tmp_path / f"a{suffix}",
            frames=30,
            stamps=lambda n: 40 * n + (1000 * pause_s if n >= 15 else 0),
            time_base=Fraction(1, 1000),
        )
        whole = seen(path)
        assert whole[-1][:2] == (29, pause_s + 1.16)
        for span in (Span(0.52), Span(30), Span(pause_s + 0.8)):
            assert seen(path, span) == between(whole, span), span

    @pytest.mark.parametrize("between_s", [12, 30, 7200])
    def test_hours_between_frames(self, between_s: int, tmp_path: Path) -> None:
        path = write_clip(
            tmp_path / "a.mkv", frames=6, stamps=lambda n: n * between_s, time_base=Fraction(1), gop=2
        )
        whole = seen(path)
        assert [time_s for _, time_s, _ in whole] == [n * between_s for n in range(6)]
        for span in (Span(3.0 * between_s), Span(5.0 * between_s), Span(between_s, 2.5 * between_s)):
            assert seen(path, span) == between(whole, span), span

    def test_the_last_frames_of_a_trimmed_clip(self, tmp_path: Path) -> None:
        cut = remux(write_clip(tmp_path / "a.mp4", frames=50, options=OPEN_GOP), tmp_path / "cut.mp4", -0.5)
        whole = seen(cut)
        for _, time_s, _ in (*whole[:4], *whole[-4:]):
            assert seen(cut, Span(time_s)) == between(whole, Span(time_s))

    @pytest.mark.parametrize(("name", "codec"), [("a.ts", "mpeg2video"), ("a.mkv", "libx265")])
    def test_what_was_recorded_from_the_middle_of_a_group_on(
        self, name: str, codec: str, tmp_path: Path
    ) -> None:
        options = {"x265-params": "log-level=0:open-gop=1:keyint=10:min-keyint=10:bframes=3"}
        whole_path = write_clip(
            tmp_path / f"whole{name}",
            codec,
            frames=50,
            max_b_frames=2,
            options=options if "265" in codec else {},
        )
        path = remux(whole_path, tmp_path / name, first=13)
        whole = seen(path)
        for _, time_s, _ in (*whole[1:4], *whole[15:18], *whole[-2:]):
            assert seen(path, Span(time_s)) == between(whole, Span(time_s)), time_s
