"""The sound of the annotated video."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path
from threading import Thread

import av
import pytest

from fer_edge.sinks.video import VideoSink
from fer_edge.types import StreamInfo
from tests.edge.sinks.filling import fill
from tests.edge.sinks.movies import Movie, every, movie_views, read_movie, write_movie

STREAM = StreamInfo(name="clip", frame_rate=25.0)


def annotate(source: Path, target: Path, seconds: float = 2.0) -> Movie:
    """Write a copy of the first seconds of a video's frames, with its sound."""
    fill(VideoSink(target, sound=str(source)), movie_views(source, every(0.04, seconds)), STREAM)
    return read_movie(target)


@pytest.mark.parametrize("target", [".mp4", ".mov", ".mkv", ".webm", ".avi"])
@pytest.mark.parametrize(
    ("container", "codec", "rate", "layout"),
    [
        (".mp4", "aac", 44_100, "stereo"),
        (".mp4", "aac", 8_000, "mono"),
        (".mp4", "aac", 48_000, "5.1"),
        (".mp4", "libmp3lame", 44_100, "stereo"),
        (".mp4", "alac", 44_100, "stereo"),
        (".mkv", "pcm_s16le", 8_000, "mono"),
        (".mkv", "libopus", 48_000, "stereo"),
        (".mkv", "vorbis", 44_100, "stereo"),
        (".mkv", "flac", 44_100, "stereo"),
        (".mkv", "ac3", 48_000, "5.1"),
    ],
)
def test_every_kind_keeps_time(
    container: str, codec: str, rate: int, layout: str, target: str, tmp_path: Path
) -> None:
    source = write_movie(tmp_path / f"s{container}", codec=codec, rate=rate, layout=layout)
    before = read_movie(source)
    after = annotate(source, tmp_path / f"a{target}")
    assert len(after.times) == 50
    assert after.times[0] == pytest.approx(0, abs=0.002)
    assert before.beep_s is not None
    assert after.beep_s == pytest.approx(before.beep_s, abs=0.03)
    assert after.sound_s == pytest.approx(before.sound_s, abs=0.15)


@pytest.mark.parametrize(
    ("target", "codec", "kept"),
    [
        (".mp4", "aac", "aac"),
        (".mp4", "libmp3lame", "mp3"),
        (".mp4", "libopus", "aac"),
        (".mkv", "libopus", "opus"),
        (".mkv", "flac", "flac"),
        (".webm", "libopus", "opus"),
        (".webm", "vorbis", "vorbis"),
        (".webm", "aac", "opus"),
        (".avi", "pcm_s16le", "pcm_s16le"),
        (".avi", "aac", "mp3"),
    ],
)
def test_it_is_copied_where_players_take_it(target: str, codec: str, kept: str, tmp_path: Path) -> None:
    source = write_movie(tmp_path / "s.mkv", codec=codec, rate=48_000)
    assert annotate(source, tmp_path / f"a{target}").sound_codec == kept
    copied = _packets(source), _packets(tmp_path / f"a{target}")
    is_copy = kept == {"libmp3lame": "mp3", "libopus": "opus"}.get(codec, codec)
    assert (set(copied[1]) <= set(copied[0])) is is_copy


def _packets(path: Path) -> list[bytes]:
    with av.open(str(path)) as container:
        return [bytes(packet) for packet in container.demux(audio=0) if packet.size]


@pytest.mark.parametrize("target", [".mp4", ".mkv", ".webm"])
@pytest.mark.parametrize("codec", ["aac", "libopus"])
class TestLengths:
    def test_it_may_begin_late(self, codec: str, target: str, tmp_path: Path) -> None:
        source = write_movie(tmp_path / "s.mkv", codec=codec, rate=48_000, sound_from=0.7)
        movie = annotate(source, tmp_path / f"a{target}")
        assert movie.times[0] == pytest.approx(0, abs=0.002)
        assert movie.sound_start_s == pytest.approx(0.7, abs=0.04)
        assert movie.beep_s == pytest.approx(1.0, abs=0.03)

    def test_it_may_end_early(self, codec: str, target: str, tmp_path: Path) -> None:
        source = write_movie(tmp_path / "s.mkv", codec=codec, rate=48_000, sound_until=1.3)
        movie = annotate(source, tmp_path / f"a{target}")
        assert len(movie.times) == 50
        assert movie.sound_s == pytest.approx(1.3, abs=0.06)

    def test_what_is_longer_ends_with_the_last_frame(self, codec: str, target: str, tmp_path: Path) -> None:
        source = write_movie(tmp_path / "s.mkv", codec=codec, rate=48_000, sound_until=4)
        movie = annotate(source, tmp_path / f"a{target}")
        assert movie.duration_s == pytest.approx(2, abs=0.06)
        assert movie.sound_s == pytest.approx(2, abs=0.06)


def test_a_source_whose_clock_begins_late(tmp_path: Path) -> None:
    source = tmp_path / "s.ts"
    with av.open(str(write_movie(tmp_path / "s.mp4"))) as read, av.open(str(source), "w") as written:
        streams = {stream.index: written.add_stream_from_template(stream) for stream in read.streams}
        for packet in read.demux():
            if packet.dts is not None and packet.pts is not None:
                hour = round(3600 / packet.time_base)
                packet.pts, packet.dts = packet.pts + hour, packet.dts + hour
                packet.stream = streams[packet.stream.index]
                written.mux(packet)
    before = read_movie(source)
    assert before.start_s > 3500
    movie = annotate(source, tmp_path / "a.mp4")
    assert movie.beep_s == pytest.approx(before.beep_s, abs=0.03)


@pytest.mark.parametrize("target", [".mp4", ".webm", ".mkv"])
@pytest.mark.parametrize("codec", ["flac", "libmp3lame"])
def test_damaged_sound_never_harms_the_video(
    codec: str, target: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    source = write_movie(tmp_path / "s.mkv", codec=codec)
    with av.open(str(source)) as container:
        places = [(packet.pos, packet.size) for packet in container.demux(audio=0) if packet.size]
    content = bytearray(source.read_bytes())
    for start, size in places[len(places) // 2 :]:
        content[start + 12 : start + size] = bytes([255]) * (size - 12)
    source.write_bytes(content)
    fill(VideoSink(tmp_path / f"a{target}", sound=str(source)), movie_views(source, every(0.04, 2)), STREAM)
    with av.open(str(tmp_path / f"a{target}")) as container:
        assert len(list(container.decode(video=0))) == 50
    if target == ".webm" or (codec, target) == ("flac", ".mp4"):  # otherwise it is copied, and not looked at
        assert "s.mkv: skipped damaged parts of the sound" in caplog.text


@pytest.mark.parametrize("content", [b"", b"no video at all", None])
def test_a_source_that_is_gone_or_no_video_any_more_leaves_a_silent_one(
    content: bytes | None, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    if content is not None:
        (tmp_path / "s.mp4").write_bytes(content)
    movie = annotate(tmp_path / "s.mp4", tmp_path / "a.mp4")
    assert (len(movie.times), movie.sound_codec) == (50, None)
    assert "s.mp4: cannot copy the sound: " in caplog.text


def test_a_source_without_sound_needs_no_warning(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    fill(VideoSink(tmp_path / "s.mp4"), movie_views("", every(0.04, 2)), STREAM)
    assert annotate(tmp_path / "s.mp4", tmp_path / "a.mp4").sound_codec is None
    assert caplog.text == ""


@pytest.mark.skipif(sys.platform != "linux", reason="file names are bytes only on Linux")
def test_names_that_are_no_text(tmp_path: Path) -> None:
    source = tmp_path / os.fsdecode(b"s\xff.mp4")
    shutil.copy(write_movie(tmp_path / "s.mp4"), source)
    target = tmp_path / os.fsdecode(b"a\xff.mp4")
    fill(VideoSink(target, sound=str(source)), movie_views(source, every(0.04, 2)), STREAM)
    shutil.copy(target, tmp_path / "a.mp4")
    assert read_movie(tmp_path / "a.mp4").beep_s == pytest.approx(1.0, abs=0.03)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_a_source_that_can_be_read_only_once_is_left_alone(tmp_path: Path) -> None:
    from fer_edge.sinks.base import SinkRequest
    from fer_edge.sinks.registry import create_image_sink

    os.mkfifo(tmp_path / "s.mkv")
    sink = create_image_sink(
        SinkRequest(target=str(tmp_path / "a.mp4"), stream=STREAM, inputs=(str(tmp_path / "s.mkv"),))
    )
    thread = Thread(target=fill, args=(sink, movie_views("", every(0.04, 1)), STREAM), daemon=True)
    thread.start()
    thread.join(30)
    assert not thread.is_alive()
    assert len(read_movie(tmp_path / "a.mp4").times) == 25


@pytest.mark.parametrize("target", [".mp4", ".mkv", ".webm", ".avi"])
@pytest.mark.parametrize(("container", "codec"), [(".mp4", "aac"), (".mkv", "flac"), (".ts", "mp2")])
def test_the_sound_of_a_part_is_cut_alike(container: str, codec: str, target: str, tmp_path: Path) -> None:
    """The beep is at 1.0 s of the source, so 0.4 s after the copy begins."""
    source = write_movie(tmp_path / f"s{container}", codec=codec, rate=48_000)
    stream = StreamInfo(name="clip", frame_rate=25.0, start_s=0.6)
    views = movie_views(source, [0.6 + time_s for time_s in every(0.04, 0.8)])
    fill(VideoSink(tmp_path / f"a{target}", sound=str(source)), views, stream)
    movie = read_movie(tmp_path / f"a{target}")
    assert len(movie.times) == 20
    assert movie.times[0] == pytest.approx(0, abs=0.03)
    assert movie.beep_s == pytest.approx(0.4, abs=0.04)
    assert movie.sound_s == pytest.approx(0.8, abs=0.1)  # a FLAC frame lasts 96 ms
