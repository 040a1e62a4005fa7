"""Measure what repeated interruptions leave behind (memory, threads, handles) and how soon frames return.

    python -m bench.reconnect [--interruptions 100]

A loopback camera (MJPEG over HTTP, then H.264 in MPEG-TS) drops its connection repeatedly while it is read. Every
connection counts as stable, so the reader reconnects immediately. Then the camera is offline for 4 and for 30 seconds.
"""

from __future__ import annotations

import argparse
import gc
import json
import logging
import statistics
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from fer_edge.runtime.malloc import keep_freed_memory
from fer_edge.sources import reconnecting
from fer_edge.sources.registry import create_source
from fer_edge.types import Frame
from tests.edge.sources.cameras import Answer, CameraServer, encode_ts, jpegs, mjpeg, transport_stream

WARM_UP = 20  # interruptions in which allocators and libraries fill their pools


class Reader(threading.Thread):
    """A thread that reads a camera and records the frame count and the last arrival."""

    def __init__(self, url: str) -> None:
        super().__init__(daemon=True)
        self.source = create_source("camera", url)
        self.frames, self.last_s = 0, 0.0

    def run(self) -> None:
        """Read frames until the source is closed."""
        for item in self.source:
            if isinstance(item, Frame):
                assert item.gray is not None
                self.frames, self.last_s = self.frames + 1, time.monotonic()


def memory_mb() -> float:
    """Return the resident memory of this process in MB."""
    gc.collect()
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096 / 1e6


def wait_for(condition: Callable[[], bool]) -> None:
    """Wait until the condition is true; fail after two minutes."""
    deadline_s = time.monotonic() + 120
    while not condition():
        assert time.monotonic() < deadline_s
        time.sleep(0.005)


def measure(answer: Answer, interruptions: int) -> dict[str, Any]:
    """Measure resource growth and recovery times for one kind of camera."""
    with CameraServer(answer) as server:
        reader = Reader(server.url)
        with reader.source:
            reader.start()
            wait_for(lambda: reader.frames > 20)
            returns: list[float] = []
            before: dict[str, float] = {}
            for number in range(interruptions + WARM_UP):
                frames, reconnects = reader.frames, reader.source.info.reconnects
                broken_s = time.monotonic()
                server.break_off()
                wait_for(lambda: reader.source.info.reconnects > reconnects and reader.frames > frames + 3)  # noqa: B023
                returns.append(reader.last_s - broken_s)
                if number == WARM_UP - 1:
                    before = snapshot()
            after = snapshot()
            outages = {
                f"frame_after_{seconds}_s_away": outage(server, reader, seconds) for seconds in (4, 30)
            }
        reader.join(10)
    grown = {name: round(after[name] - before[name], 2) for name in after}
    return {
        "interruptions": interruptions,
        "grown": grown,
        "frame_again_median_s": round(statistics.median(returns), 2),
    } | {name: round(seconds, 2) for name, seconds in outages.items()}


def snapshot() -> dict[str, float]:
    """Return the memory, threads and file handles of this process, after a pause for cleanup."""
    time.sleep(0.5)
    return {
        "memory_mb": memory_mb(),
        "threads": threading.active_count(),
        "handles": len(list(Path("/proc/self/fd").iterdir())),
    }


def outage(server: CameraServer, reader: Reader, seconds: float) -> float:
    """Take the camera offline for ``seconds``; return the delay from its return to the first frame."""
    server.stop()
    time.sleep(seconds)
    frames = reader.frames
    server.start()
    started_s = time.monotonic()
    wait_for(lambda: reader.frames > frames)
    return time.monotonic() - started_s


def main() -> None:
    """Measure both kinds of camera and print the figures as JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--interruptions", type=int, default=100)
    options = parser.parse_args()
    logging.getLogger("fer_edge").setLevel(logging.ERROR)
    keep_freed_memory()
    reconnecting.LASTED_S = 0.0  # type: ignore[misc]  (every connection counts as stable)
    cameras = {
        "mjpeg": mjpeg(jpegs(size=(640, 480)), rate=100),
        "h264": transport_stream(encode_ts(50, (640, 480), gop=5), rate=100),
    }
    print(
        json.dumps(
            {name: measure(answer, options.interruptions) for name, answer in cameras.items()}, indent=2
        )
    )


if __name__ == "__main__":
    main()
