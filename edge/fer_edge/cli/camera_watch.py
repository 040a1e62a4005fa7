"""Messages about a camera's stream: its format, a lost connection, a reconnect."""

from __future__ import annotations

import time
from threading import Event
from typing import Final, Protocol

from fer_edge.cli.messages import say
from fer_edge.pipeline import Pipeline
from fer_edge.runtime.background import BackgroundThread
from fer_edge.types import StreamInfo

__all__ = ["CameraWatch"]

_CHECK_EVERY_S: Final = 0.5


class _Progress(Protocol):
    def show_state(self, text: str) -> None: ...


class CameraWatch:
    """Monitors a camera during a run and prints changes of its state.

    It runs in its own thread, so it also works while no frames arrive.
    """

    def __init__(self, pipeline: Pipeline, progress: _Progress) -> None:
        self._pipeline, self._progress = pipeline, progress
        self._closed = Event()
        self._lost_s: float | None = None
        self._reconnects, self._described = 0, ""
        self._check()
        self._thread = BackgroundThread(self._run)
        self._thread.start()

    def close(self) -> None:
        """Stop monitoring."""
        self._closed.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._closed.wait(_CHECK_EVERY_S):
            self._check()

    def _check(self) -> None:
        stream = self._pipeline.stream
        if stream.lost:
            self._lost_s = self._lost_s or time.monotonic()
            self._progress.show_state(f"reconnecting for {time.monotonic() - self._lost_s:.0f} s")
            return
        description, self._lost_s = _describe(stream), None
        if stream.reconnects > self._reconnects:
            say(f"camera {stream.name}: reconnected, {description}")
        elif description != self._described:
            say(f"camera {stream.name}: {description}")
        self._reconnects, self._described = stream.reconnects, description


def _describe(stream: StreamInfo) -> str:
    """Describe the camera's stream, such as ``1280×720 at 30 frames a second``."""
    size = "unknown size" if stream.size is None else "{}×{}".format(*stream.size)
    rate = "at an unknown rate" if stream.frame_rate is None else f"at {stream.frame_rate:g} frames a second"
    return f"{size} {rate}"
