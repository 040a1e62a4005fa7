"""A real Mosquitto on a free port, its listeners, and certificates."""

from __future__ import annotations

import json
import shutil
import signal
import socket
import subprocess
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import pytest
from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion

from tests.edge.support import wait_until


def find_mosquitto() -> str:
    """Return the path of the broker; skip the test if it is not installed."""
    path = shutil.which(
        "mosquitto", path="/usr/sbin:/usr/local/sbin:/opt/homebrew/sbin:/usr/bin:/usr/local/bin"
    )
    if path is None or shutil.which("openssl") is None:
        pytest.skip("mosquitto is not installed")
    return path


def free_port() -> int:
    """Return an unused port of the loopback interface."""
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        port: int = server.getsockname()[1]
        return port


def hash_password(folder: Path, user: str, password: str) -> Path:
    """Write a Mosquitto password file for a user."""
    find_mosquitto()
    passwords = folder / "passwords"
    subprocess.run(["mosquitto_passwd", "-b", "-c", passwords, user, password], check=True)
    return passwords


class Broker:
    """Mosquitto without persistence, which tests can start and stop; a context manager."""

    def __init__(self, folder: Path, *options: str, anonymous: bool = True, port: int | None = None) -> None:
        self._program = find_mosquitto()
        self._folder = folder
        self.port = port or free_port()
        self.log = folder / "mosquitto.log"
        self._process: subprocess.Popen[bytes] | None = None
        self.configure(*options, anonymous=anonymous)

    def configure(self, *options: str, anonymous: bool = True) -> None:
        """Write the configuration for the next start."""
        lines = (
            f"listener {self.port} 127.0.0.1",
            f"allow_anonymous {str(anonymous).lower()}",
            "persistence false",
            "user root",
            *options,
        )
        (self._folder / "mosquitto.conf").write_text("\n".join(lines) + "\n")

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def start(self) -> Self:
        """Start the broker and wait until it listens."""
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [self._program, "-c", str(self._folder / "mosquitto.conf")], stdout=log, stderr=log
            )
        wait_until(self._listens)
        return self

    def _listens(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, self.log.read_text()
        with suppress(OSError), socket.create_connection(("127.0.0.1", self.port), timeout=1):
            return True
        return False

    def stop(self, number: int = signal.SIGTERM) -> None:
        """Stop the broker, or kill it."""
        if self._process is not None:
            self._process.send_signal(number)
            self._process.wait(30)
            self._process = None

    def pause(self) -> None:
        """Suspend the broker: connections stay open, but get no response."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop(signal.SIGKILL)


@dataclass(frozen=True, slots=True)
class Received:
    topic: str
    payload: bytes
    retained: bool
    qos: int

    @property
    def json(self) -> Any:
        return json.loads(self.payload)


class Listener:
    """Records everything that a broker publishes, reconnecting if necessary. A context manager."""

    def __init__(self, port: int, topics: str = "#", *, session: str = "") -> None:
        self.received: list[Received] = []
        self._subscribed = threading.Event()
        self._client = Client(CallbackAPIVersion.VERSION2, session, clean_session=not session)
        self._client.reconnect_delay_set(1, 1)
        self._topics = topics
        self._client.on_connect = self._subscribe
        self._client.on_subscribe = lambda *_: self._subscribed.set()
        self._client.on_message = self._take
        self._port = port

    def _subscribe(self, *_: Any) -> None:
        self._client.subscribe(self._topics, 1)

    def _take(self, _client: Client, _data: Any, message: MQTTMessage) -> None:
        self.received.append(
            Received(message.topic, bytes(message.payload), bool(message.retain), message.qos)
        )

    def publish(self, topic: str, payload: str, *, retain: bool = False) -> None:
        self._client.publish(topic, payload, 1, retain).wait_for_publish(10)

    def on(self, topic: str) -> list[Received]:
        """Return the messages received on a topic so far."""
        return [each for each in list(self.received) if each.topic == topic]

    def wait_for(self, topic: str, count: int = 1) -> list[Received]:
        """Wait until a number of messages has arrived on a topic."""
        wait_until(lambda: len(self.on(topic)) >= count)
        return self.on(topic)

    def wait_for_payload(self, topic: str, payload: bytes) -> None:
        """Wait until the last message on a topic has this payload."""
        wait_until(lambda: [each.payload for each in self.on(topic)][-1:] == [payload])

    def __enter__(self) -> Self:
        self._client.connect("127.0.0.1", self._port)
        self._client.loop_start()
        assert self._subscribed.wait(10)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._client.disconnect()
        self._client.loop_stop()


def read_retained(port: int, topics: str = "#") -> dict[str, Received]:
    """Return the retained messages of a broker by topic."""
    with Listener(port, topics) as listener:
        time.sleep(0.3)
        return {each.topic: each for each in listener.received if each.retained}


class Authority:
    """A certificate authority in files, created with OpenSSL's command line."""

    def __init__(self, folder: Path, name: str) -> None:
        self._folder, self._name = folder, name
        self.certificate = folder / f"{name}.crt"
        self._key = folder / f"{name}.key"
        _openssl(
            *("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"),
            *("-subj", f"/CN={name}", "-keyout", self._key, "-out", self.certificate),
        )

    def sign(self, name: str, host: str = "127.0.0.1") -> tuple[Path, Path]:
        """Return a certificate for a host, and its key."""
        request, certificate, key = (
            self._folder / f"{self._name}-{name}.{kind}" for kind in ("csr", "crt", "key")
        )
        extensions = self._folder / f"{self._name}-{name}.ext"
        kind = "IP" if host[0].isdecimal() else "DNS"
        extensions.write_text(f"subjectAltName={kind}:{host}\n")
        _openssl(
            *("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"),
            *("-subj", f"/CN={name}", "-keyout", key, "-out", request),
        )
        _openssl(
            *(
                "x509",
                "-req",
                "-in",
                request,
                "-CA",
                self.certificate,
                "-CAkey",
                self._key,
                "-CAcreateserial",
            ),
            *("-days", "2", "-extfile", extensions, "-out", certificate),
        )
        return certificate, key


def _openssl(*arguments: object) -> None:
    subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True)
