"""A camera's video in segments."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from threading import Event
from typing import Any

import av
import pytest

from fer_edge.errors import OutputError, UsageError
from fer_edge.rendering.view import View
from fer_edge.sinks import video_segments
from fer_edge.sinks.rotation import segment_clock
from fer_edge.sinks.rotation.segment_clock import SegmentClock
from fer_edge.sinks.video_file import VideoFile
from fer_edge.sinks.video_segments import SegmentedVideoSink
from tests.edge.sinks.cameras import CAMERA, NOON, camera_video, local, opened, seen
from tests.edge.sinks.filling import full_disk
from tests.edge.support import names_in, noise, plain, wait_until


def visible(folder: Path) -> list[str]:
    return [name for name in names_in(folder) if not name.startswith(".")]


def hidden(folder: Path) -> list[str]:
    return [name for name in names_in(folder) if name.startswith(".") and ".part" in name]


def times_in(path: Path) -> list[float]:
    """Return the presentation time of each frame of a video, in seconds."""
    with av.open(str(path)) as container:
        return [round(float(frame.pts * frame.time_base), 3) for frame in container.decode(video=0)]


def write_video(target: Path, *results: View, **options: Any) -> None:
    with opened(camera_video(target, **options)) as sink:
        for result in results:
            sink.write(result)


def every(step_s: float, start: datetime, count: int, **options: Any) -> Iterator[View]:
    for index in range(count):
        yield seen(start + timedelta(seconds=step_s * index), index, **options)


@pytest.fixture
def steady(monkeypatch: pytest.MonkeyPatch) -> Any:
    """A monotonic clock that shows the time a test sets."""

    class Steady:
        now = 100.0

        def monotonic(self) -> float:
            return self.now

    clock = Steady()
    monkeypatch.setattr(SegmentClock.__init__, "__defaults__", (clock.monotonic,))
    return clock


def test_a_segment_begins_when_the_name_changes_with_time_0(tmp_path: Path) -> None:
    write_video(tmp_path / "c-%H%M.mp4", *every(0.5, local("2026-11-26 10:58:57"), 12))
    assert visible(tmp_path) == ["c-1058.mp4", "c-1059.mp4"]
    assert hidden(tmp_path) == []
    for name in visible(tmp_path):
        assert times_in(tmp_path / name) == [0, 0.5, 1, 1.5, 2, 2.5]


def test_each_is_complete_as_soon_as_it_ends(tmp_path: Path) -> None:
    with opened(camera_video(tmp_path / "%F/c-%H%M.mkv")) as sink:
        for result in every(1, local("2026-11-26 10:58:58"), 4):
            sink.write(result)
        assert visible(tmp_path / "2026-11-26") == ["c-1058.mkv"]
        assert times_in(tmp_path / "2026-11-26/c-1058.mkv") == [0, 1]


def test_another_size_begins_another_segment_in_the_same_minute(tmp_path: Path) -> None:
    start = local("2026-11-26 10:58:10")
    small, large = plain(90, 64, 48), plain(90, 128, 96)
    with opened(camera_video(tmp_path / "c-%H%M.mp4")) as sink:
        for index, image in enumerate((small, small, large, large)):
            if index == 2:
                sink.open(CAMERA, Event())  # as after a reconnect
            sink.write(seen(start + timedelta(seconds=index), index, image=image))
    assert visible(tmp_path) == ["c-1058-2.mp4", "c-1058.mp4"]
    sizes = []
    for name in ("c-1058.mp4", "c-1058-2.mp4"):
        with av.open(str(tmp_path / name)) as container:
            sizes.append((container.streams.video[0].width, container.streams.video[0].height))
    assert sizes == [(64, 48), (128, 96)]


def test_a_clock_that_is_set_back_overwrites_nothing(tmp_path: Path, steady: Any) -> None:
    with opened(camera_video(tmp_path / "c-%H%M.mp4")) as sink:
        for text in ("10:58:59", "10:59:00", "10:59:01", "10:58:01", "10:58:02"):
            steady.now += 1
            sink.write(seen(local(f"2026-11-26 {text}")))
    assert visible(tmp_path) == ["c-1058-2.mp4", "c-1058.mp4", "c-1059.mp4"]
    assert times_in(tmp_path / "c-1058-2.mp4") == [0, 1]


def test_within_a_segment_time_runs_on_when_the_clock_is_set(tmp_path: Path, steady: Any) -> None:
    with opened(camera_video(tmp_path / "c-%Y.mp4")) as sink:
        for text in ("10:00:00", "10:00:01", "12:30:00", "12:30:01", "09:00:00", "09:00:01"):
            steady.now += 1
            sink.write(seen(local(f"2026-11-26 {text}")))
    assert times_in(tmp_path / "c-2026.mp4") == [0, 1, 2, 3, 4, 5]


def test_a_segment_lasts_as_long_as_the_wall_clock_says(tmp_path: Path) -> None:
    # A camera that claims 25 frames per second and delivers 21.
    with opened(camera_video(tmp_path / "c-%Y.mp4")) as sink:
        for index in range(22):
            sink.write(seen(NOON + timedelta(seconds=index / 21), index, time_s=index / 25))
    assert times_in(next(tmp_path.glob("c-*.mp4")))[-1] == pytest.approx(1, abs=0.002)


def test_it_ends_by_the_clock_also_while_no_frame_comes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, steady: Any
) -> None:
    monkeypatch.setattr(video_segments, "_TICK_S", 0.01)
    with opened(camera_video(tmp_path / "c-%H%M.mp4")) as sink:
        sink.write(seen(local("2026-11-26 10:58:59")))
        steady.now += 10
        wait_until(lambda: bool(visible(tmp_path)))
        sink.write(seen(local("2026-11-26 10:59:09")))
    assert visible(tmp_path) == ["c-1058.mp4", "c-1059.mp4"]


def test_what_exists_stays(tmp_path: Path) -> None:
    now = datetime.now().astimezone()
    (tmp_path / f"c-{now:%Y}.mp4").write_text("mine")
    (tmp_path / f"c-{now.year + 1}.mp4").symlink_to("nowhere")
    with pytest.raises(OutputError, match="already exists"):
        camera_video(tmp_path / "c-%Y.mp4")
    write_video(tmp_path / "c-%Y.mp4", seen(now), seen(now.replace(year=now.year + 1, day=1)), append=True)
    assert (tmp_path / f"c-{now:%Y}.mp4").read_text() == "mine"
    assert times_in(tmp_path / f"c-{now:%Y}-2.mp4") == [0]
    assert times_in(tmp_path / f"c-{now.year + 1}-2.mp4") == [0]


def test_overwrite_replaces_the_first_one_alone(tmp_path: Path) -> None:
    now = datetime.now().astimezone()
    (tmp_path / f"c-{now:%Y}.mp4").write_text("mine")
    write_video(tmp_path / "c-%Y.mp4", seen(now), overwrite=True)
    assert visible(tmp_path) == [f"c-{now:%Y}.mp4"]
    assert times_in(tmp_path / f"c-{now:%Y}.mp4") == [0]


@pytest.mark.parametrize("target", ["c-%Q.mp4", "c-%Y.xyz"])
def test_odd_names_are_usage_errors(tmp_path: Path, target: str) -> None:
    with pytest.raises(UsageError):
        camera_video(tmp_path / target)


def test_a_folder_is_no_video(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="is a folder"):
        camera_video(tmp_path)


KILLED = """
import os, signal, sys
from pathlib import Path
from tests.edge.sinks.cameras import local, camera_video, opened
from tests.edge.sinks.test_video_segments import every
with opened(camera_video(Path(sys.argv[1]) / "c-%H%M.mp4")) as sink:
    for result in every(0.25, local("2026-11-26 10:58:30"), 40):
        sink.write(result)
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_what_a_killed_run_was_writing_is_kept(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    root = Path(__file__).parents[3]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(root), *sys.path])}
    subprocess.run([sys.executable, "-c", KILLED, tmp_path], env=environment, check=False, timeout=60)
    assert len(hidden(tmp_path)) == 1
    # Another run with the same process id left this file.
    (tmp_path / f".c-1059.{os.getpid()}.part.mp4").write_bytes(b"no video")
    (tmp_path / f".other.{os.getpid()}.part.mp4").write_bytes(b"not ours")
    write_video(tmp_path / "c-%H%M.mp4", seen(local("2026-11-26 10:58:45")))
    assert hidden(tmp_path) == [f".other.{os.getpid()}.part.mp4"]
    assert visible(tmp_path) == ["c-1058-2.mp4", "c-1058.mp4"]
    assert len(times_in(tmp_path / "c-1058.mp4")) > 25  # of 40: all but the last seconds
    assert "recovered from a run that was killed" in caplog.text


# --- a full disk ---


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(video_segments, "_RETRY_S", 0.01)
    monkeypatch.setattr(video_segments, "_ROOM", 1)


@pytest.mark.usefixtures("patient")
def test_a_full_disk_ends_a_segment_not_the_camera(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    broken = False
    flush = VideoFile.flush

    def flush_or_fail(file: VideoFile) -> None:
        if broken:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        flush(file)

    monkeypatch.setattr(VideoFile, "flush", flush_or_fail)
    with opened(camera_video(tmp_path / "c-%H.mp4")) as sink:
        for index, result in enumerate(every(0.5, local("2026-11-26 10:00"), 60, image=noise())):
            broken = 20 <= index < 30
            sink.write(result)
            time.sleep(0.002)
    names = visible(tmp_path)
    assert names[-1] == "c-10.mp4"
    frames = sum(len(times_in(tmp_path / name)) for name in names)
    assert 35 <= frames <= 50
    assert caplog.text.count("No space left") == 1
    assert "recording again" in caplog.text
    assert hidden(tmp_path) == []


@pytest.mark.usefixtures("patient")
def test_a_disk_that_stays_full_is_an_error_at_the_end(tmp_path: Path) -> None:
    results = list(every(0.5, local("2026-11-26 10:00"), 40, image=noise(320, 240)))
    with full_disk(20_000), pytest.raises(OutputError, match="frames not recorded"):
        write_video(tmp_path / "c-%H.mp4", *results)
    assert hidden(tmp_path) == []


@pytest.mark.usefixtures("patient")
def test_a_small_disk_that_is_full_and_gets_room_again(small_disk: Path) -> None:
    start = local("2026-11-26 10:00")
    with opened(camera_video(small_disk / "c-%H%M.mp4")) as sink:
        for index in range(130):
            image = noise(160, 120, seed=index)
            sink.write(seen(start + timedelta(seconds=index), index, image=image))
            if index == 90:
                for name in visible(small_disk):
                    (small_disk / name).unlink()
    assert "c-1002.mp4" in visible(small_disk)
    assert len(times_in(small_disk / "c-1002.mp4")) > 1


def test_a_folder_that_is_deleted_meanwhile_is_made_again(tmp_path: Path, patient: None) -> None:
    folder = tmp_path / "videos"
    folder.mkdir()
    with opened(camera_video(folder / "c-%H%M.mp4")) as sink:
        for index, result in enumerate(every(1, local("2026-11-26 10:58:50"), 40)):
            if index == 5:
                shutil.rmtree(folder)
            sink.write(result)
            time.sleep(0.005)
    assert visible(folder)[-1] == "c-1059.mp4"


def test_a_folder_that_is_gone_at_the_start_is_made(tmp_path: Path) -> None:
    sink = camera_video(tmp_path / "%Y/c.mp4")
    tmp_path.rmdir()
    with opened(sink):
        sink.write(seen(NOON))
    assert len(list(tmp_path.glob("*/c.mp4"))) == 1


@pytest.mark.usefixtures("patient")
def test_frames_that_cannot_be_encoded_end_the_run_at_its_start_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    begin = SegmentedVideoSink._begin

    def refuse_large(sink: SegmentedVideoSink, path: Path, size: tuple[int, int]) -> Any:
        if size[0] > 64:
            raise OutputError("a video of that size cannot be encoded")
        return begin(sink, path, size)

    monkeypatch.setattr(SegmentedVideoSink, "_begin", refuse_large)
    large, small = plain(9, 128, 96), plain(9, 64, 48)
    with pytest.raises(OutputError, match="cannot be encoded"):
        write_video(tmp_path / "c-%Y.mp4", seen(NOON, image=large))
    with opened(camera_video(tmp_path / "c-%Y.mp4")) as sink:
        for image in (small, large, large, small):
            sink.write(seen(NOON, image=image))
            time.sleep(0.02)
    assert caplog.text.count("cannot be encoded") == 1
    assert len(visible(tmp_path)) == 2


def test_the_segment_s_time_never_goes_back() -> None:
    now = [0.0]
    clock = SegmentClock(lambda: now[0])
    times = []
    for told, passed in [(0, 0), (1, 1), (0.9, 0.1), (1.2, 0.3), (3601.2, 1), (3602.2, 1), (2.2, 1)]:
        now[0] += passed
        times.append(round(clock.update(NOON + timedelta(seconds=told)), 3))
    assert times == [0, 1, 1, 1.3, 2.3, 3.3, 4.3]
    assert segment_clock._LEAP_S < 3600
