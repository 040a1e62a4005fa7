"""Notifications to a service manager, over a socket like systemd's."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path
from threading import Event

import pytest

from fer_edge.runtime.service import ServiceNotifier
from fer_edge.sinks import service
from fer_edge.sinks.base import RunStatus
from fer_edge.sinks.service import ServiceSink
from fer_edge.types import StreamInfo
from tests.edge.support import make_view, run_fer_edge


class Manager:
    """The manager's end of the protocol."""

    def __init__(self, address: str) -> None:
        self.address = address
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(address.replace("@", "\0", 1) if address.startswith("@") else address)
        self._socket.setblocking(False)

    def read(self) -> list[str]:
        """Return the notifications since the last call."""
        told = []
        while True:
            try:
                told.append(self._socket.recv(4096).decode())
            except BlockingIOError:
                return told

    def close(self) -> None:
        self._socket.close()


@pytest.fixture(params=["path", "abstract"])
def manager(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Manager]:
    abstract = f"@fer-edge-test-{os.getpid()}"
    manager = Manager(abstract if request.param == "abstract" else str(tmp_path / "notify"))
    yield manager
    manager.close()


def test_it_is_ready_when_the_source_is_open_and_alive_as_frames_arrive(
    manager: Manager, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 100.0
    monkeypatch.setattr(service.time, "monotonic", lambda: now)
    status = RunStatus()
    sink = ServiceSink(ServiceNotifier(manager.address, watchdog_s=8.0), status)
    assert manager.read() == []
    sink.open(StreamInfo(name="rtsp://cam"), Event())
    assert manager.read() == ["READY=1\nSTATUS=Watching rtsp://cam"]
    for frame in range(50):
        now += 0.125
        status.frames = frame + 1
        sink.write(make_view(frame, faces=2))
    told = manager.read()
    assert len(told) == 3  # at intervals of a quarter of the watchdog timeout
    assert all(text.startswith("WATCHDOG=1\nSTATUS=") for text in told)
    assert "32 frames, 8.0 a second, 2 faces in view, 0 reconnects" in told[1]
    now += 1000
    assert manager.read() == []  # no frame, no keep-alive
    sink.open(StreamInfo(name="rtsp://cam", reconnects=1), Event())
    assert manager.read() == []
    sink.close()
    assert manager.read() == ["STOPPING=1"]


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({}, None),
        ({"NOTIFY_SOCKET": "nonsense"}, None),
        ({"NOTIFY_SOCKET": "/run/x"}, (None,)),
        ({"NOTIFY_SOCKET": "@x", "WATCHDOG_USEC": "30000000"}, (30.0,)),
        ({"NOTIFY_SOCKET": "/run/x", "WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "1"}, (None,)),
        ({"NOTIFY_SOCKET": "/run/x", "WATCHDOG_USEC": "often"}, (None,)),
        ({"NOTIFY_SOCKET": "/run/x", "WATCHDOG_USEC": "0"}, (None,)),
    ],
)
def test_the_environment_says_who_wants_to_know(
    environment: dict[str, str], expected: tuple[float | None] | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    notifier = ServiceNotifier.from_environment()
    assert (None if notifier is None else (notifier.watchdog_s,)) == expected


def test_a_manager_that_is_gone_harms_nothing(tmp_path: Path) -> None:
    ServiceNotifier(str(tmp_path / "none")).notify("READY=1")
    ServiceNotifier("/" + "x" * 300).notify("READY=1")


def test_a_manager_that_does_not_read_holds_nothing_up(manager: Manager) -> None:
    notifier = ServiceNotifier(manager.address)
    for _ in range(2000):
        notifier.notify("WATCHDOG=1")


def test_the_program_reports_to_it(manager: Manager, clip: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NOTIFY_SOCKET", manager.address)
    assert run_fer_edge("video", clip, "--max-frames", 3).returncode == 0
    assert manager.read() == [f"READY=1\nSTATUS=Watching {clip}", "STOPPING=1"]
