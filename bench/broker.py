"""A Mosquitto broker for benchmarks, on a free loopback port."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

PATH = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/usr/local/sbin"])


class Broker:
    """A Mosquitto process with its own configuration; a context manager that allows restarts."""

    def __init__(self, folder: Path, *options: str) -> None:
        program = shutil.which("mosquitto", path=PATH)
        if program is None:
            raise SystemExit("mosquitto is not installed; install it (Debian: apt install mosquitto)")
        with socket.socket() as server:
            server.bind(("127.0.0.1", 0))
            self.port: int = server.getsockname()[1]
        self._folder = folder
        lines = (f"listener {self.port} 127.0.0.1", "allow_anonymous true", "user root", *options)
        (folder / "mosquitto.conf").write_text("\n".join(lines) + "\n")
        self._command = [program, "-c", str(folder / "mosquitto.conf")]
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start the broker and wait until it accepts connections."""
        with (self._folder / "mosquitto.log").open("ab") as log:
            self._process = subprocess.Popen(self._command, stdout=log, stderr=log)
        while True:
            with suppress(OSError), socket.create_connection(("127.0.0.1", self.port), timeout=1):
                return
            time.sleep(0.05)

    def stop(self) -> None:
        """Stop the broker; do nothing if it is not running."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait()
            self._process = None

    def cpu_s(self) -> float:
        """Return the CPU seconds used since the last start."""
        assert self._process is not None
        fields = Path(f"/proc/{self._process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def memory_mb(self) -> float:
        """Return the peak resident memory since the last start, in MB."""
        assert self._process is not None
        lines = Path(f"/proc/{self._process.pid}/status").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1024

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
