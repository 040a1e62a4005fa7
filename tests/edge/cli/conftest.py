"""The command line in the test process, for tests that do not need a separate one."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator

import cv2
import pytest

from fer_edge.cli.app import run_command
from fer_edge.cli.main import cli
from tests.edge.support import FerEdge


@pytest.fixture
def fer_edge(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Iterator[FerEdge]:
    """Return a function that runs ``fer-edge`` without a display: its output and exit status."""
    monkeypatch.delenv("DISPLAY", raising=False)
    threads = cv2.getNumThreads()

    def run(*arguments: object) -> subprocess.CompletedProcess[str]:
        command = [str(argument) for argument in arguments]
        capfd.readouterr()
        status = run_command(cli, command, "fer-edge")
        printed = capfd.readouterr()
        return subprocess.CompletedProcess(command, status, printed.out, printed.err)

    yield run
    cv2.setNumThreads(threads)
