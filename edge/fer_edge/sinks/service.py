"""A sink that reports to the service manager: ready, alive, stopping."""

from __future__ import annotations

import time
from threading import Event
from typing import Final

from fer_edge.rendering.view import View
from fer_edge.runtime.service import ServiceNotifier
from fer_edge.runtime.tables import format_count
from fer_edge.sinks.base import RunStatus
from fer_edge.types import SkippedInput, StreamInfo

__all__ = ["ServiceSink"]

_STATUS_EVERY_S: Final = 5.0


class ServiceSink:
    """Reports to systemd that the run is ready, and resets its watchdog.

    The run is ready once its source is open; frames that arrive reset the watchdog. If no frame arrives for
    longer than the unit's WatchdogSec, systemd restarts the service.
    """

    def __init__(self, notifier: ServiceNotifier, status: RunStatus) -> None:
        self._notifier, self._status = notifier, status
        watchdog_s = notifier.watchdog_s
        self._every_s = _STATUS_EVERY_S if watchdog_s is None else min(_STATUS_EVERY_S, watchdog_s / 4)
        self._reported = self._begun = time.monotonic()
        self._ready = False

    def open(self, stream: StreamInfo, stop: Event) -> None:
        """Report that the source is open."""
        if not self._ready:
            self._ready = True
            self._begun = time.monotonic()
            self._notifier.notify("READY=1", f"STATUS=Watching {stream.name}")

    def write(self, result: View | SkippedInput) -> None:
        """Report that frames are arriving, at most once per interval."""
        now = time.monotonic()
        if now - self._reported < self._every_s:
            return
        self._reported = now
        status = self._status
        rate = status.frames / max(now - self._begun, 1e-3)
        faces = format_count(len(result.faces), "face") if isinstance(result, View) else "no image"
        self._notifier.notify(
            "WATCHDOG=1",
            f"STATUS={format_count(status.frames, 'frame')}, {rate:.1f} a second, {faces} in view, "
            f"{format_count(status.reconnects, 'reconnect')}",
        )

    def close(self) -> None:
        """Report that the run is stopping."""
        self._notifier.notify("STOPPING=1")
