"""Real-time scheduling that a library switches on."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from fer_edge.runtime.scheduling import keep_scheduling
from fer_edge.sinks.video import VideoSink
from fer_edge.types import StreamInfo
from tests.edge.sinks.filling import fill
from tests.edge.sinks.movies import every, movie_views
from tests.edge.sinks.test_video import stripes

pytestmark = pytest.mark.skipif(not hasattr(os, "SCHED_FIFO"), reason="real-time scheduling is Linux-only")


def policies() -> set[int]:
    """Return the scheduling policies of all threads of this process."""
    return {os.sched_getscheduler(int(thread.name)) for thread in Path("/proc/self/task").iterdir()}


def test_no_thread_keeps_it() -> None:
    ended = threading.Event()
    helper = threading.Thread(target=ended.wait)
    helper.start()
    try:
        with keep_scheduling():
            try:
                os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))
                os.sched_setscheduler(helper.native_id or 0, os.SCHED_RR, os.sched_param(1))
            except PermissionError:
                pytest.skip("real-time scheduling needs root")
        assert policies() == {os.SCHED_OTHER}
    finally:
        ended.set()
        helper.join()


def test_an_encoder_of_av1_leaves_the_process_an_ordinary_one(tmp_path: Path) -> None:
    sink = VideoSink(tmp_path / "out.webm", encoder="libsvtav1")
    fill(sink, movie_views("", every(0.1, 0.5), stripes(320, 240)), StreamInfo(name="x", frame_rate=10.0))
    assert policies() == {os.SCHED_OTHER}
