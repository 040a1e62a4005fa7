"""``exec:COMMAND``: run a program with the event as JSON on its standard input."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import signal
import subprocess
from contextlib import suppress
from typing import Any, Final

from fer_edge.errors import UsageError
from fer_edge.events.base import Action, ActionRequest, BackgroundAction
from fer_edge.events.engine import Event
from fer_edge.runtime.background import BackgroundThread

__all__ = ["CommandAction", "create_action"]

_LIMIT_S: Final = 30.0
_AT_ONCE: Final = 4
_KILLED_S: Final = 1.0  # how long to wait for a killed program to exit
_KEPT: Final = 1000  # bytes kept from the end of its standard error
_SHOWN: Final = 200  # characters shown of its last line
_CHUNK: Final = 1 << 16


class CommandAction(BackgroundAction):
    """An action that runs a program for each event, without a shell.

    At most four programs run at the same time, each for at most 30 seconds. The program reads the event as
    one line of JSON from its standard input. Its standard output is discarded; if it fails, the last line of
    its standard error is shown. A program that exceeds the time limit is killed along with all processes it
    started.
    """

    def __init__(self, arguments: list[str], *, limit_s: float = _LIMIT_S) -> None:
        super().__init__(f"exec:{shlex.join(arguments)}", _AT_ONCE)
        self._arguments, self._limit_s = arguments, limit_s

    def handle_event(self, event: Event) -> None:
        """Run the program once."""
        try:
            process = subprocess.Popen(
                self._arguments,
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                start_new_session=True,
            )
        except OSError as error:
            self.warn(f"cannot start: {error.strerror or error}")
            return
        stderr = _StderrTail(process.stderr)
        try:
            self._feed(process, event)
            status = self._wait(process)
        finally:
            _end_group(process)
        if status is None:
            self.warn(
                "killed at the end of the run"
                if self.ended.is_set()
                else f"killed after running for {self._limit_s:g} s"
            )
        elif status:
            line = stderr.last_line()
            self.warn(f"failed with status {status}{f': {line}' if line else ''}")

    def _feed(self, process: subprocess.Popen[bytes], event: Event) -> None:
        """Write the event from a thread, in case the program does not read its input."""
        assert process.stdin is not None
        line = json.dumps(event.as_record()).encode() + b"\n"
        BackgroundThread(_write, process.stdin, line).start()

    def _wait(self, process: subprocess.Popen[bytes]) -> int | None:
        """Return the exit status, or None if the program has not exited in time."""
        waited = 0.0
        while waited < self._limit_s and not self.ended.is_set():
            step = min(0.2, self._limit_s - waited)
            with suppress(subprocess.TimeoutExpired):
                return process.wait(step)
            waited += step
        return None


class _StderrTail:
    """Reads a program's standard error to the end and keeps the last part."""

    def __init__(self, stream: Any) -> None:
        self._kept = b""
        self._thread = BackgroundThread(self._read, stream)
        self._thread.start()

    def _read(self, stream: Any) -> None:
        with stream, suppress(OSError, ValueError):
            while chunk := stream.read1(_CHUNK):
                self._kept = (self._kept + chunk)[-_KEPT:]

    def last_line(self) -> str:
        """Return the last line that is not blank, or an empty string."""
        self._thread.join(0.2)  # a child process may keep the pipe open
        lines = self._kept.decode("utf-8", "replace").split("\n")
        return next((line.strip()[-_SHOWN:] for line in reversed(lines) if line.strip("\0 \t\r")), "")


def create_action(request: ActionRequest) -> Action:
    """Create the action for ``exec:COMMAND``.

    Raises UsageError if the program does not exist.
    """
    try:
        arguments = shlex.split(request.rest)
    except ValueError as error:
        raise UsageError(
            f"{request.target!r}: cannot parse the command ({error}); close every quote"
        ) from error
    if not arguments:
        raise UsageError("exec: the command is missing; write for example exec:'notify-send smile'")
    if shutil.which(arguments[0]) is None:
        raise UsageError(
            f"exec:{arguments[0]}: program does not exist or is not executable; check its path "
            "(commands run without a shell: for pipes and variables write exec:'sh -c \"…\"')"
        )
    return CommandAction(arguments)


def _write(stream: Any, content: bytes) -> None:
    with suppress(OSError, ValueError), stream:
        stream.write(content)


def _end_group(process: subprocess.Popen[bytes]) -> None:
    """Kill a program that is still running, along with all processes it started."""
    if process.poll() is None:
        with suppress(OSError):
            os.killpg(process.pid, signal.SIGKILL)
        with suppress(subprocess.TimeoutExpired):  # a process of another user, such as one started by sudo
            process.wait(_KILLED_S)
