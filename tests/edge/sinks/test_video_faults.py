"""Annotated videos whose file, run or process ends early."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from threading import Event, Thread
from typing import Any

import av
import pytest

from fer_edge.errors import OutputError
from fer_edge.rendering.view import View
from fer_edge.sinks.base import Sink
from fer_edge.sinks.video import VideoSink
from fer_edge.types import StreamInfo
from tests.edge.sinks.filling import fill, full_disk
from tests.edge.sinks.movies import every, movie_views, read_movie, write_movie
from tests.edge.support import make_view, names_in, noise, run_python, wait_until

posix = pytest.mark.skipif(os.name != "posix", reason="needs POSIX signals, pipes and devices")
STREAM = StreamInfo(name="clip", frame_rate=25.0)
VIEWS = movie_views("", every(0.04, 4), noise(160, 120))


def frames_in(path: Path) -> int:
    """Count the frames that can be decoded, up to where the file breaks off."""
    count = 0
    with av.open(str(path)) as container:
        try:
            for _ in container.decode(video=0):
                count += 1
        except av.error.FFmpegError:
            pass
    return count


def write_all(sink: Sink, views: Iterable[View]) -> None:
    for view in views:
        sink.write(view)


def noisy_views(count: int) -> Iterator[View]:
    """Return views of frames that take about twenty kilobytes each."""
    for number in range(count):
        yield make_view(number, time_s=number / 25, image=noise(160, 120, seed=number), faces=0)


@posix
@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv", ".webm", ".avi"])
@pytest.mark.parametrize("sound", [False, True], ids=["silent", "with sound"])
class TestFullDisk:
    def test_it_is_noticed_when_it_happens_and_what_was_written_is_kept(
        self, suffix: str, sound: bool, tmp_path: Path
    ) -> None:
        source = write_movie(tmp_path / "s.mp4", seconds=4, sound_until=4)
        sink = VideoSink(tmp_path / f"a{suffix}", sound=str(source) if sound else None)
        sink.open(STREAM, Event())
        with full_disk(700_000):
            with pytest.raises(OutputError, match=rf"a{suffix}: cannot write: "):
                write_all(sink, noisy_views(120))
            sink.close()  # raises no further error
            sink.close()
        assert names_in(tmp_path) == [f"a{suffix}", "s.mp4"]
        assert frames_in(tmp_path / f"a{suffix}") >= 20

    @pytest.mark.parametrize("slack", [0, 100, 1_500])
    def test_at_the_very_end_too(
        self, slack: int, suffix: str, sound: bool, tmp_path: Path, capfd: Any
    ) -> None:
        source = write_movie(tmp_path / "s.mp4", seconds=4, sound_until=4)
        path = tmp_path / f"a{suffix}"
        sink = VideoSink(path, sound=str(source) if sound else None)
        sink.open(STREAM, Event())
        write_all(sink, VIEWS)
        part = next(name for name in names_in(tmp_path) if ".part" in name)
        limit = (tmp_path / part).stat().st_size + slack
        with full_disk(limit), pytest.raises(OutputError, match=rf"a{suffix}: cannot write: "):
            sink.close()
        assert names_in(tmp_path) == [f"a{suffix}", "s.mp4"]
        assert frames_in(path) >= 70
        assert "Traceback" not in capfd.readouterr().err

    def test_before_anything_can_be_played_nothing_is_left(
        self, suffix: str, sound: bool, tmp_path: Path
    ) -> None:
        sink = VideoSink(tmp_path / f"a{suffix}")
        with full_disk(300), pytest.raises(OutputError, match=rf"a{suffix}: cannot write: "):
            fill(sink, VIEWS, STREAM)
        assert names_in(tmp_path) == []


@posix
def test_a_folder_that_vanishes_is_noticed_within_a_second(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    sink = VideoSink(folder / "a.mp4")
    sink.open(STREAM, Event())
    write_all(sink, VIEWS[:30])
    for path in folder.iterdir():
        path.unlink()
    folder.rmdir()
    with pytest.raises(OutputError, match=r"a\.mp4: cannot write: file was deleted during"):
        write_all(sink, VIEWS[30:56])
    with pytest.raises(OutputError, match=r"a\.mp4: cannot write: "):
        sink.close()


@posix
@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv", ".webm", ".avi"])
def test_a_pipe_is_written_to_as_it_comes(suffix: str, tmp_path: Path) -> None:
    source = write_movie(tmp_path / "s.mp4", seconds=4, sound_until=4)
    path = tmp_path / f"pipe{suffix}"
    os.mkfifo(path)
    received: list[bytes] = []
    reader = Thread(target=lambda: received.append(path.read_bytes()))
    reader.start()
    fill(VideoSink(path, sound=str(source)), VIEWS, STREAM)
    reader.join(30)
    assert path.is_fifo()
    (tmp_path / f"a{suffix}").write_bytes(received[0])
    movie = read_movie(tmp_path / f"a{suffix}")
    assert len(movie.times) == len(VIEWS)
    assert movie.beep_s == pytest.approx(1.0, abs=0.03)


@posix
def test_a_reader_that_leaves_is_a_closed_pipe(tmp_path: Path) -> None:
    path = tmp_path / "pipe.mkv"
    os.mkfifo(path)
    reader = Thread(target=lambda: path.open("rb").close())
    reader.start()
    with pytest.raises(BrokenPipeError):
        fill(VideoSink(path), noisy_views(200), STREAM)
    reader.join(30)


WRITER = """
import sys, time
from pathlib import Path
from threading import Event
from fer_edge.rendering.view import View
from fer_edge.sinks.base import Sink
from fer_edge.sinks.video import VideoSink
from fer_edge.types import StreamInfo
from tests.edge.sinks.movies import movie_views
from tests.edge.support import noise
sink = VideoSink(Path(sys.argv[1]), sound=sys.argv[2] or None)
sink.open(StreamInfo(name="clip", frame_rate=25.0), Event())
for number in range(int(sys.argv[3])):
    sink.write(movie_views("", [number / 25], noise(160, 120, seed=number % 9))[0])
print("written", flush=True)
time.sleep(60)
"""


@posix
@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv", ".webm", ".avi"])
@pytest.mark.parametrize("sound", [0.0, 0.3, 8.0], ids=["silent", "short sound", "sound"])
def test_a_killed_run_leaves_what_plays_up_to_its_last_second_and_the_next_cleans_up(
    suffix: str, sound: float, tmp_path: Path
) -> None:
    source = str(write_movie(tmp_path / "s.mp4", sound_until=sound)) if sound else ""
    path = tmp_path / f"a{suffix}"
    with subprocess.Popen(
        [sys.executable, "-c", WRITER, path, source, "130"], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "written\n"
        process.send_signal(signal.SIGKILL)
    left = tmp_path / f".a.{process.pid}.part{suffix}"
    assert not path.exists()
    assert frames_in(left) >= 130 - 25 - 13  # minus one second and what encoder and muxer hold
    fill(VideoSink(path), VIEWS, STREAM)
    assert sorted(set(names_in(tmp_path)) - {"s.mp4"}) == [path.name]


@posix
@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_an_interruption_at_any_moment_leaves_a_whole_video(suffix: str, tmp_path: Path) -> None:
    script = """
import signal, sys
from pathlib import Path
from threading import Event
from fer_edge.rendering.view import View
from fer_edge.sinks.base import Sink
from fer_edge.sinks.video import VideoSink
from fer_edge.types import StreamInfo
from tests.edge.sinks.movies import movie_views
from tests.edge.support import noise
views = movie_views("", [number / 25 for number in range(3_000)], noise(320, 240))
for number in range(8):
    sink = VideoSink(Path(sys.argv[1]) / f"{number}{sys.argv[2]}")
    sink.open(StreamInfo(name="clip", frame_rate=25.0), Event())
    sink.write(views[0])
    try:
        signal.signal(signal.SIGALRM, signal.default_int_handler)
        signal.setitimer(signal.ITIMER_REAL, 0.02 + 0.021 * number)
        for count, view in enumerate(views[1:]):
            sink.write(view)
        raise SystemExit("the interruption was lost")
    except KeyboardInterrupt:
        sink.close()
        print(count)
"""
    done = run_python(script, tmp_path, suffix)
    assert (done.returncode, done.stderr) == (0, "")
    counts = [int(line) for line in done.stdout.split()]
    assert len(counts) == 8
    for number, count in enumerate(counts):
        assert abs(frames_in(tmp_path / f"{number}{suffix}") - count - 1) <= 1


@posix
def test_a_second_interruption_while_it_is_finished_keeps_what_was_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sink = VideoSink(tmp_path / "a.mp4")
    sink.open(STREAM, Event())
    write_all(sink, VIEWS)

    def interrupt(self: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("fer_edge.sinks.video_file.VideoFile.remember", interrupt)
    with pytest.raises(KeyboardInterrupt):
        sink.close()
    assert names_in(tmp_path) == ["a.mp4"]
    assert frames_in(tmp_path / "a.mp4") >= len(VIEWS) - 25


@posix
def test_a_pipe_that_nobody_reads_can_be_interrupted(tmp_path: Path) -> None:
    path = tmp_path / "pipe.mkv"
    os.mkfifo(path)
    held = os.open(path, os.O_RDWR)
    try:
        process = subprocess.Popen(
            [sys.executable, "-c", WRITER, path, "", "100000"],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        wait_until(lambda: _is_full(held))
        time.sleep(0.3)
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=30)
    finally:
        os.close(held)
    assert process.returncode == -signal.SIGINT
    assert "Exception ignored" not in errors


def _is_full(pipe: int) -> bool:
    import fcntl
    import struct
    import termios

    waiting = struct.unpack("i", fcntl.ioctl(pipe, termios.FIONREAD, bytes(4)))[0]
    return bool(waiting >= 60_000)
