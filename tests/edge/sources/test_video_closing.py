"""A video can be closed at any moment and from any thread, left unfinished, and outlive the interpreter."""

from __future__ import annotations

import os
import random
import select
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from fer_edge.sources.video import VideoSource
from tests.edge.sources.clips import write_clip
from tests.edge.support import run_python, take_frames


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_clip(tmp_path_factory.mktemp("closing") / "clip.mp4", frames=100)


def test_iterating_goes_no_further_once_it_is_closed(video: Path) -> None:
    with VideoSource(video) as source:
        frames = iter(source)
        next(frames)
    assert len(list(frames)) <= 1
    assert list(frames) == []


def test_only_an_open_video_can_be_iterated(video: Path) -> None:
    with pytest.raises(ValueError, match="in a with statement"):
        next(iter(VideoSource(video)))


def test_frames_outlive_their_source(video: Path) -> None:
    frames, _ = take_frames(VideoSource(video))
    assert {frame.image.shape for frame in frames} == {(192, 256, 3)}
    assert {frame.gray.shape for frame in frames} == {(192, 256)}


def test_closing_at_random_moments_while_other_threads_read(video: Path) -> None:
    def read(source: VideoSource) -> None:
        for frame in source:
            assert frame.gray.size  # type: ignore[union-attr]

    failures: list[BaseException] = []

    def try_reading(source: VideoSource) -> None:
        try:
            read(source)
        except BaseException as error:  # noqa: BLE001
            failures.append(error)

    moments = random.Random(0)
    for _ in range(60):
        source = VideoSource(video).__enter__()
        threads = [threading.Thread(target=try_reading, args=(source,)) for _ in range(2)]
        threads[0].start()
        time.sleep(moments.random() * 0.02)
        source.__exit__(None, None, None)
        threads[0].join()
    assert failures == []


@pytest.mark.parametrize(
    "script",
    [
        "frames = iter(VideoSource(sys.argv[1]).__enter__()); next(frames)",
        "threading.Thread(target=lambda: [0 for f in source], daemon=True).start(); time.sleep(0.02)",
        "frames = iter(Prefetcher(source, 3, threading.Event())); next(frames)",
        "[threading.Thread(target=list, args=(VideoSource(sys.argv[1]).__enter__(),), daemon=True).start()"
        " for _ in range(4)]; time.sleep(0.03)",
    ],
)
def test_the_interpreter_may_go_at_any_moment(script: str, video: Path) -> None:
    head = """
import sys, threading, time
from fer_edge.runtime.prefetch import Prefetcher
from fer_edge.sources.video import VideoSource
source = VideoSource(sys.argv[1]).__enter__()
"""
    for _ in range(3):
        done = run_python(head + script, video)
        assert (done.returncode, done.stderr) == (0, "")


def test_ffmpeg_writes_nothing_and_the_user_s_level_stays(video: Path, tmp_path: Path) -> None:
    broken = bytearray(video.read_bytes())
    broken[len(broken) // 2 : len(broken) // 2 + 2000] = bytes(2000)
    (tmp_path / "broken.mp4").write_bytes(broken)
    script = """
import av, sys
from fer_edge.errors import SourceError
from fer_edge.sources.video import VideoSource
for level in (None, av.logging.PANIC):
    av.logging.set_level(level)
    try:
        with VideoSource(sys.argv[1]) as source:
            for frame in source:
                frame.image
    except SourceError:
        pass
    assert av.logging.get_level() == level
"""
    done = run_python(script, tmp_path / "broken.mp4")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_memory_does_not_grow(video: Path) -> None:
    script = """
import os, sys
from fer_edge.sources.video import VideoSource
def resident():
    return int(open("/proc/self/statm").read().split()[1]) * os.sysconf("SC_PAGESIZE")
sizes = []
for _ in range(12):
    with VideoSource(sys.argv[1]) as source:
        for frame in source:
            frame.gray
            frame.image
    sizes.append(resident())
print(max(sizes[4:]) - sizes[3])
"""
    if not Path("/proc/self/statm").exists():
        pytest.skip("this system has no /proc")
    done = run_python(script, video)
    assert int(done.stdout) < 5_000_000


# --- pipes ---

READ_PIPE = """
import sys
from fer_edge.errors import SourceError
from fer_edge.runtime.shutdown import Terminated, install_signal_handlers
from fer_edge.sources.video import VideoSource
install_signal_handlers()
print("ready", flush=True)
try:
    with VideoSource(sys.argv[1]) as source:
        for frame in source:
            print(frame.index, flush=True)
except (KeyboardInterrupt, Terminated) as error:
    print(type(error).__name__)
"""


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such signals")
@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("begun", [False, True])
@pytest.mark.parametrize("named", [False, True])
def test_a_signal_ends_the_wait_for_a_pipe(
    sent: signal.Signals, tmp_path: Path, *, begun: bool, named: bool
) -> None:
    content = write_clip(tmp_path / "clip.mkv", "mjpeg", pixels="yuvj420p").read_bytes()
    if named:
        os.mkfifo(tmp_path / "pipe")
    process = subprocess.Popen(
        [sys.executable, "-c", READ_PIPE, tmp_path / "pipe" if named else "-"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    assert process.stdout.readline() == b"ready\n"
    feed = (tmp_path / "pipe").open("wb", 0) if named else process.stdin
    if begun:
        feed.write(content[: len(content) // 2])
        feed.flush()
        assert process.stdout.readline() == b"0\n"
    time.sleep(0.5)
    started = time.monotonic()
    process.send_signal(sent)
    out, err = process.communicate(timeout=10)
    assert time.monotonic() - started < 1.5
    feed.close()
    assert out.splitlines()[-1] in (b"KeyboardInterrupt", b"Terminated")
    assert err == b""


@pytest.mark.skipif(os.name == "nt", reason="select works only on sockets on Windows")
def test_the_first_frame_of_a_raw_mjpeg_pipe_comes_at_once(tmp_path: Path) -> None:
    content = write_clip(tmp_path / "raw.mjpeg", "mjpeg", pixels="yuvj420p", frames=50).read_bytes()
    process = subprocess.Popen(
        [sys.executable, "-c", READ_PIPE, "-"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    assert process.stdout.readline() == b"ready\n"
    process.stdin.write(content[: 5 * len(content) // 50])  # five frames
    process.stdin.flush()
    assert select.select([process.stdout], [], [], 5)[0]
    assert process.stdout.readline() == b"0\n"
    process.stdin.close()
    process.kill()
    process.wait()
    process.stdout.close()
