"""Headless Chromium, driven over its debugging pipe: needs no Python package and no port.

https://chromedevtools.github.io/devtools-protocol/
"""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

__all__ = ["CHROMIUM", "Browser"]

CHROMIUM: Final = next(
    filter(
        None,
        map(shutil.which, ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")),
    ),
    None,
)
"""The browser. Debian's chromium-headless-shell is the smallest, and can run in a single process."""

_FLAGS: Final = (
    "--headless", "--no-sandbox", "--no-zygote", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
    "--disable-background-networking", "--disable-component-update", "--disable-dev-shm-usage",
    "--force-color-profile=srgb", "--hide-scrollbars", "--autoplay-policy=no-user-gesture-required",
    "--remote-debugging-pipe",
)  # fmt: skip
# On some kernels, wait4 hangs forever when a multi-process browser exits; headless-shell can run in one process.
_ONE_PROCESS: Final = ("--single-process", "--in-process-gpu")
_ANSWER_S: Final = 60.0

# Chromium reads commands from file descriptor 3 and writes answers to 4.
_START: Final = """
import fcntl, os, sys
read, write = (fcntl.fcntl(int(number), fcntl.F_DUPFD, 10) for number in sys.argv[1:3])
os.dup2(read, 3)
os.dup2(write, 4)
os.execv(sys.argv[3], sys.argv[3:])
"""


class Browser:
    """One page in a separate browser process; a context manager.

    ``problems`` lists console warnings and errors, including exceptions and violations of the content security
    policy. ``on_event`` is called with every other event of the enabled protocol domains.
    """

    def __init__(self, profile: Path) -> None:
        assert CHROMIUM is not None
        self.problems: list[str] = []
        self.on_event: Callable[[str, dict[str, Any]], None] = lambda name, data: None
        to_browser, self._out = os.pipe()
        self._in, from_browser = os.pipe()
        one_process = _ONE_PROCESS if CHROMIUM.endswith("headless-shell") else ()
        program = [CHROMIUM, *_FLAGS, *one_process, f"--user-data-dir={profile}", "about:blank"]
        self._process = subprocess.Popen(
            [sys.executable, "-c", _START, str(to_browser), str(from_browser), *program],
            pass_fds=(to_browser, from_browser),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(to_browser)
        os.close(from_browser)
        self._number = 0
        self._answers: dict[int, dict[str, Any]] = {}
        self._changed = threading.Condition()
        self._session: str | None = None
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        try:
            self._attach()
        except BaseException:
            self.close()
            raise

    def _attach(self) -> None:
        """Attach to the browser's initial page."""
        pages = self.call("Target.getTargets")["targetInfos"]
        target = next(page["targetId"] for page in pages if page["type"] == "page")
        self._session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Stop the browser."""
        os.close(self._out)  # closing the pipe makes it exit
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(10)
        self._reader.join(10)
        os.close(self._in)

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Call a protocol method and return its result."""
        with self._changed:
            self._number += 1
            number = self._number
        message: dict[str, Any] = {"id": number, "method": method, "params": parameters}
        if self._session is not None:
            message["sessionId"] = self._session
        content = json.dumps(message).encode() + b"\0"
        while content:
            content = content[os.write(self._out, content) :]
        with self._changed:
            if not self._changed.wait_for(lambda: number in self._answers, _ANSWER_S):
                raise TimeoutError(f"the browser did not answer {method}")
            answer = self._answers.pop(number)
        if "error" in answer:
            raise RuntimeError(f"{method}: {answer['error']['message']}")
        result: dict[str, Any] = answer["result"]
        return result

    def open(self, url: str) -> None:
        """Navigate to a URL."""
        self.call("Page.navigate", url=url)

    def evaluate(self, expression: str) -> Any:
        """Return the value of a JavaScript expression; a promise is awaited."""
        done = self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in done:
            raise RuntimeError(done["exceptionDetails"]["exception"].get("description", "exception"))
        return done["result"].get("value")

    def wait_for(self, expression: str, timeout: float = 30.0) -> Any:
        """Return the value of an expression once it is true; errors while the page loads are ignored."""
        deadline = time.monotonic() + timeout
        while True:
            try:
                value = self.evaluate(expression)
            except RuntimeError:
                value = None
            if value:
                return value
            if time.monotonic() > deadline:
                raise TimeoutError(f"never true: {expression}")
            time.sleep(0.05)

    def resize(self, width: int, height: int, *, phone: bool = False, scale: float = 1.0) -> None:
        """Set the size of the page in CSS pixels."""
        self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=scale,
            mobile=phone,
        )

    def prefer(self, scheme: str) -> None:
        """Set the preferred color scheme, ``light`` or ``dark``."""
        self.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])

    def screenshot(self, path: Path | None = None) -> bytes:
        """Return the visible page as PNG bytes; write them to ``path`` if given."""
        content = base64.b64decode(self.call("Page.captureScreenshot", format="png")["data"])
        if path is not None:
            path.write_bytes(content)
        return content

    def _read(self) -> None:
        held = b""
        while part := os.read(self._in, 1 << 16):
            *messages, held = (held + part).split(b"\0")
            for message in map(json.loads, messages):
                if "id" in message:
                    with self._changed:
                        self._answers[message["id"]] = message
                        self._changed.notify_all()
                else:
                    self._take_event(message["method"], message.get("params", {}))

    def _take_event(self, name: str, data: dict[str, Any]) -> None:
        if name == "Log.entryAdded" and data["entry"]["level"] in ("warning", "error"):
            self.problems.append(f"{data['entry']['text']} {data['entry'].get('url', '')}".strip())
        elif name == "Runtime.exceptionThrown":
            details = data["exceptionDetails"]
            self.problems.append(details.get("exception", {}).get("description", details["text"]))
        elif name == "Runtime.consoleAPICalled" and data["type"] in ("warning", "error"):
            self.problems.append(" ".join(str(part.get("value", "")) for part in data["args"]))
        else:
            self.on_event(name, data)
