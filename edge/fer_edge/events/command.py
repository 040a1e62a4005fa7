"""``exec:COMMAND``: a program that is given the event as JSON."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import signal
import subprocess
import threading
from contextlib import suppress
from typing import Any, Final

from fer_edge.errors import UsageError
from fer_edge.events.base import Action, ActionRequest, BackgroundAction
from fer_edge.events.engine import Event

__all__ = ["CommandAction", "create_action"]

_LIMIT_S: Final = 30.0
_AT_ONCE: Final = 4
_KILLED_S: Final = 1.0  # for a program to be gone once it was ended
_KEPT: Final = 1000  # bytes of what it said last
_SHOWN: Final = 200  # characters of its last line
_CHUNK: Final = 1 << 16


class CommandAction(BackgroundAction):
    """Runs a program without a shell, for half a minute at most, four of them at a time.

    The event is one line of JSON on its standard input. Its standard output is dropped; the last line of its
    standard error is shown where it fails. What is still running at its time limit is ended with all that it started.
    """

    def __init__(self, arguments: list[str], *, limit_s: float = _LIMIT_S) -> None:
        super().__init__(f"exec:{shlex.join(arguments)}", _AT_ONCE)
        self._arguments, self._limit_s = arguments, limit_s

    def work_on(self, event: Event) -> None:
        """Run it once."""
        try:
            process = subprocess.Popen(
                self._arguments,
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                start_new_session=True,
            )
        except OSError as error:
            self.warn(f"it cannot be started: {error.strerror or error}")
            return
        last = _LastWords(process.stderr)
        try:
            self._feed(process, event)
            status = self._wait(process)
        finally:
            _end_group(process)
        if status is None:
            self.warn(
                "it was ended with the run" if self.ended.is_set() else f"it ran past {self._limit_s:g} s"
            )
        elif status:
            said = last.line()
            self.warn(f"it failed with status {status}{f': {said}' if said else ''}")

    def _feed(self, process: subprocess.Popen[bytes], event: Event) -> None:
        """Write the event from a thread: a program that does not read may let the pipe fill."""
        assert process.stdin is not None
        line = json.dumps(event.as_record()).encode() + b"\n"
        threading.Thread(target=_write, args=(process.stdin, line), daemon=True).start()

    def _wait(self, process: subprocess.Popen[bytes]) -> int | None:
        """Its exit status, or None where it has not ended in time."""
        waited = 0.0
        while waited < self._limit_s and not self.ended.is_set():
            step = min(0.2, self._limit_s - waited)
            with suppress(subprocess.TimeoutExpired):
                return process.wait(step)
            waited += step
        return None


class _LastWords:
    """Reads what a program says to its end, and keeps the last of it."""

    def __init__(self, stream: Any) -> None:
        self._kept = b""
        self._thread = threading.Thread(target=self._read, args=(stream,), daemon=True)
        self._thread.start()

    def _read(self, stream: Any) -> None:
        with stream, suppress(OSError, ValueError):
            while chunk := stream.read1(_CHUNK):
                self._kept = (self._kept + chunk)[-_KEPT:]

    def line(self) -> str:
        """The last line that was said."""
        self._thread.join(0.2)  # something that it started may keep the pipe open
        lines = self._kept.decode("utf-8", "replace").split("\n")
        return next((line.strip()[-_SHOWN:] for line in reversed(lines) if line.strip("\0 \t\r")), "")


def create_action(request: ActionRequest) -> Action:
    """Make the action of ``exec:COMMAND``; raises UsageError where there is no such program."""
    try:
        arguments = shlex.split(request.rest)
    except ValueError as error:
        raise UsageError(
            f"{request.target!r}: its quotes do not close ({error}); write them in pairs"
        ) from error
    if not arguments:
        raise UsageError("exec: needs a command, such as exec:'notify-send smile'")
    if shutil.which(arguments[0]) is None:
        raise UsageError(
            f"exec:{arguments[0]}: no such program, or it may not be run; give its path "
            "(it is run without a shell: for pipes and variables write exec:'sh -c \"…\"')"
        )
    return CommandAction(arguments)


def _write(stream: Any, content: bytes) -> None:
    with suppress(OSError, ValueError), stream:
        stream.write(content)


def _end_group(process: subprocess.Popen[bytes]) -> None:
    """End a program that still runs, with what it started."""
    if process.poll() is None:
        with suppress(OSError):
            os.killpg(process.pid, signal.SIGKILL)
        with suppress(subprocess.TimeoutExpired):  # of another user, such as what sudo started
            process.wait(_KILLED_S)
