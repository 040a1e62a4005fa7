"""A camera source that reconnects whenever its connection is lost."""

from __future__ import annotations

import logging
import math
import random
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from types import TracebackType
from typing import Final, Self

from fer_edge.errors import SourceError, SourceLostError
from fer_edge.runtime.shutdown import raise_if_interrupted
from fer_edge.runtime.tables import format_count
from fer_edge.sources.base import SourceItem
from fer_edge.sources.live import CameraFault, LiveClock, LiveConnection, RecordingEnded
from fer_edge.types import Discontinuity, Frame, StreamInfo

__all__ = ["FOREVER", "ReconnectingSource"]

_LOG: Final = logging.getLogger(__name__)

FOREVER: Final = math.inf
LASTED_S: Final = 2.0  # reconnect at once after a connection that lasted at least this long
OFTEN_S: Final = 600.0  # how long to retry often
FIRST_WAIT_S: Final = 0.25
OFTEN_WAIT_S: Final = 1.5
SELDOM_WAIT_S: Final = 30.0
_JOIN_S: Final = 1.0
_POLL_S: Final = 0.1  # how often a wait checks for a signal


class ReconnectingSource:
    """A camera whose successive connections, made by ``create``, form one run.

    Frame numbers and times continue across connections. A lost camera is retried for ``patience_s`` seconds: at once,
    then every one to two seconds, and after ten minutes every thirty. When it is back, a Discontinuity ``reconnect``
    with the new ``info`` precedes its first frame; while it is lost, ``info.lost`` is true. If the frame size changes
    without a reconnection, a Discontinuity ``size`` precedes the first frame of the new size. ``wait_at_startup`` also
    waits for a camera that cannot be reached at startup; its frames then begin with a Discontinuity ``connect``.

    Opening raises SourceError if there is no first frame. Iterating raises SourceLostError when it gives up on the
    camera. Another thread may close the source during iteration, which then ends.
    """

    def __init__(
        self,
        name: str,
        create: Callable[[LiveClock], LiveConnection],
        *,
        patience_s: float = FOREVER,
        wait_at_startup: bool = False,
    ) -> None:
        self.info = StreamInfo(name=name, live=True)
        self._create, self._patience_s, self._wait_at_startup = create, patience_s, wait_at_startup
        self._clock = LiveClock()
        self._closed = threading.Event()
        self._connection: LiveConnection | None = None
        self._ended: LiveConnection | None = None  # the last one that was closed
        self._lock = threading.Lock()
        self._first: Frame | None = None
        self._frames: Iterator[Frame] = iter(())

    def __enter__(self) -> Self:
        try:
            self._connect()
        except CameraFault as fault:
            self._disconnect()
            if not self._wait_at_startup or fault.permanent:
                raise SourceError(f"{self._title}: {fault}", hint=fault.hint) from fault
            _LOG.warning("%s: %s; waiting for it", self._title, fault.reason)
            self.info = replace(self.info, lost=True)
        except InterruptedError:
            pass  # closed meanwhile: there are no frames
        except BaseException:
            self._disconnect()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closed.set()
        self._disconnect()
        # A thread still inside FFmpeg or a driver would crash the process while the interpreter shuts down.
        if self._ended is not None:
            self._ended.join(_JOIN_S)

    def __iter__(self) -> Iterator[SourceItem]:
        fault: CameraFault | None = None
        while not self._closed.is_set():
            if self._first is None:
                back = self._reconnect(fault)
                if back is None:
                    return
                yield back
            began_s = time.monotonic()
            try:
                yield from self._take_frames()
            except InterruptedError:
                return
            except RecordingEnded as end:
                raise SourceLostError(f"{self._title}: {end}", hint=end.hint) from end
            except CameraFault as lost:
                fault = lost
                self._lose(fault, time.monotonic() - began_s)
            finally:
                self._disconnect()

    @property
    def _title(self) -> str:
        return f"camera {self.info.name}"

    def _take_frames(self) -> Iterator[SourceItem]:
        frame, self._first = self._first, None
        assert frame is not None
        while True:
            if frame.size != self.info.size:
                self.info = replace(self.info, size=frame.size)
                yield Discontinuity("size", stream=self.info)
            yield frame
            del frame
            frame = next(self._frames)

    def _lose(self, fault: CameraFault, lasted_s: float) -> None:
        """Report a lost connection. Raises SourceLostError if it is not retried."""
        if self._patience_s <= 0:
            raise self._give_up(fault)
        _LOG.warning(
            "%s: lost after %s: %s; reconnecting", self._title, _format_duration(lasted_s), fault.reason
        )
        self.info = replace(self.info, lost=True)
        fault.at_once = lasted_s >= LASTED_S

    def _connect(self) -> None:
        """Connect and wait for the first frame. Raises CameraFault, InterruptedError."""
        connection = self._create(self._clock)
        with self._lock:
            if self._closed.is_set():
                raise InterruptedError
            self._connection = connection
        connection.open()
        self._frames = iter(connection)
        self._first = next(self._frames)
        self.info = replace(self.info, size=self._first.size, frame_rate=connection.frame_rate, lost=False)

    def _disconnect(self) -> None:
        with self._lock:
            connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()
            self._ended = connection

    def _reconnect(self, lost: CameraFault | None) -> Discontinuity | None:
        """Retry until the camera is back, or return None once the source is closed.

        Raises SourceError, SourceLostError.
        """
        since_s = time.monotonic()
        wait_s = 0.0 if lost is not None and lost.at_once else FIRST_WAIT_S
        fault = lost
        while self._sleep(wait_s, since_s):
            try:
                self._connect()
            except InterruptedError:
                return None
            except CameraFault as error:
                self._disconnect()
                fault = error
                if lost is None and error.permanent:
                    raise SourceError(f"{self._title}: {error}") from error
            except BaseException:
                self._disconnect()
                raise
            else:
                if lost is None:
                    return Discontinuity("connect", stream=self.info)
                self.info = replace(self.info, reconnects=self.info.reconnects + 1)
                return Discontinuity("reconnect", stream=self.info)
            waited_s = time.monotonic() - since_s
            if waited_s >= self._patience_s:
                raise self._give_up(fault)
            wait_s = _next_wait(wait_s, waited_s)
        if self._closed.is_set():
            return None
        raise self._give_up(fault)

    def _sleep(self, seconds: float, since_s: float) -> bool:
        """Wait for ``seconds`` or until patience runs out; return whether to go on."""
        until_s = min(time.monotonic() + seconds, since_s + self._patience_s)
        while (left_s := until_s - time.monotonic()) > 0:
            if self._closed.wait(min(left_s, _POLL_S)):
                return False
            raise_if_interrupted()
        return not self._closed.is_set()

    def _give_up(self, fault: CameraFault | None) -> SourceError:
        reason = "no frame delivered" if fault is None else fault.reason
        remedy = "check its cable or network" if fault is None else fault.remedy
        hint = None if fault is None else fault.hint
        advice = f"; {remedy}" if remedy else ""
        patience = f", and no reconnection within {self._patience_s:g} s" if self._patience_s > 0 else ""
        frames = self._clock.frames
        if not frames:
            return SourceError(f"{self._title}: {reason}{patience}{advice}", hint=hint)
        return SourceLostError(
            f"{self._title}: lost after {format_count(frames, 'frame')}: {reason}{patience}{advice}; "
            "the results so far are kept",
            hint=hint,
        )


def _next_wait(wait_s: float, waited_s: float) -> float:
    """Return how long to wait before the next attempt.

    The wait is shortened at random, because many cameras may be waiting for the same network.
    """
    often_s = min(max(2 * wait_s, FIRST_WAIT_S), OFTEN_WAIT_S)
    longest_s = SELDOM_WAIT_S if waited_s >= OFTEN_S else often_s
    return longest_s * random.uniform(0.75, 1.0)


def _format_duration(seconds: float) -> str:
    """Format a duration for people: 12 s, 5 min, 3 h."""
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.0f} h"
