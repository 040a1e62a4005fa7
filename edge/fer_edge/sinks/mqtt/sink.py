"""The sink that publishes a run: its rows, its state, its events, and what Home Assistant has to know of it."""

from __future__ import annotations

import json
import logging
import random
import secrets
import socket
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from threading import Event
from typing import Final

from fer_edge.rendering.view import View
from fer_edge.sinks.averaging import AveragingSink
from fer_edge.sinks.base import RunStatus, Sink, StatelessSink
from fer_edge.sinks.home_assistant import (
    BIRTH_TOPIC,
    EVENT_TYPE,
    OFFLINE,
    ONLINE,
    DeviceInfo,
    build_device_id,
    build_discovery,
    build_discovery_topic,
    build_rule_id,
)
from fer_edge.sinks.jsonl import format_row
from fer_edge.sinks.mqtt.address import BrokerAddress
from fer_edge.sinks.mqtt.connection import BrokerConnection, Hooks
from fer_edge.sinks.mqtt.outbox import Kind, Message
from fer_edge.sinks.mqtt.state import NOBODY, StateRecord, StateTracker
from fer_edge.types import SkippedInput, StreamInfo

__all__ = ["MqttSink"]

_LOG: Final = logging.getLogger(__name__)

_MOST_ROWS: Final = 5.0  # a second
_LONGEST_GREETING_S: Final = 2.0  # after Home Assistant's start, so that not all devices speak at once
_ECHO_S: Final = 10.0  # within which our own word comes back from a broker that takes it
_MACHINE_IDS: Final = ("/etc/machine-id", "/var/lib/dbus/machine-id")


class MqttSink:
    """Publishes below ``address.topic``; nothing that happens to the broker holds the run up or ends it.

    ``faces`` is the row of a frame, five a second at most or, with ``every_s``, one averaged row for each of these
    spans; ``state`` the run's state, retained; ``events`` what ``publish_event`` is given; ``availability`` whether the
    run lives. ``labels`` and ``rules`` are what Home Assistant is told of, ``model`` the name of the model.
    """

    def __init__(
        self,
        address: BrokerAddress,
        *,
        labels: Sequence[str],
        model: str,
        rules: Sequence[str] = (),
        every_s: float | None = None,
        status: RunStatus | None = None,
    ) -> None:
        self._address, self._topic = address, address.topic
        topic = address.topic
        self._device = DeviceInfo(
            id=build_device_id(_read_machine_id(), topic),
            name=topic.replace("/", " "),
            model=model,
            topic=topic,
        )
        self._discovery = build_discovery(self._device, labels, list(dict.fromkeys(rules)), NOBODY)
        self._state = StateTracker(status or RunStatus())
        self._run = secrets.token_hex(4)
        self._connection = BrokerConnection(
            address,
            f"fer-{self._device.id[-8:]}-{self._run}",
            hooks=Hooks(
                greet=self._greet,
                tick=self._tick,
                receive=self._receive,
                subscriptions=(BIRTH_TOPIC, f"{topic}/availability"),
            ),
            will=self._availability(OFFLINE),
            farewell=self._availability(OFFLINE),
        )
        rows = _Rows(self._connection, f"{topic}/faces", None if every_s else 1 / _MOST_ROWS)
        self._rows: Sink = rows if every_s is None else AveragingSink(rows, every_s)
        self._streams = 0
        self._greet_at_s: float | None = None
        self._unheard_s: float | None = None  # since when it is waited for our own word
        self._warned = self._closing = False

    def open(self, stream: StreamInfo, stop: Event) -> None:
        """Begin to connect; a later stream goes the same way."""
        self._streams += 1
        if self._streams == 1:
            self._connection.start()
        self._rows.open(stream, stop)

    def write(self, result: View | SkippedInput) -> None:
        """Publish the result's row where it is time for one, and its state where it changes."""
        if isinstance(result, View):
            self._state.see(result, time.monotonic())
            self._rows.write(result)

    def close(self) -> None:
        """Publish the last of it, and that the run is over."""
        self._rows.close()
        self._closing = True
        if self._streams:
            self._connection.publish(self._say_state(self._state.take(time.monotonic())))
        self._connection.close()

    def publish_event(self, record: Mapping[str, object], topic: str | None = None) -> None:
        """Publish an event below the base topic, or to any ``topic``; the same event has the same ``id`` everywhere."""
        rule_id = build_rule_id(str(record["rule"]))
        event = {
            "id": f"{self._run}-{self._streams}-{rule_id}-{record['number']}",
            "event_type": EVENT_TYPE,
            "rule_id": rule_id,
            **record,
        }
        payload = json.dumps(event, ensure_ascii=False).encode("utf-8", "backslashreplace")
        self._connection.publish(Message(Kind.EVENT, topic or f"{self._topic}/events", payload))

    def _greet(self) -> list[Message]:
        """What the broker has to know at each connection: it may have forgotten everything."""
        self._unheard_s = time.monotonic()
        discovery = json.dumps(self._discovery, ensure_ascii=False).encode("utf-8", "backslashreplace")
        return [
            Message(Kind.STATE, build_discovery_topic(self._device), discovery),
            self._say_state(self._state.take(time.monotonic())),
            self._availability(ONLINE),
        ]

    def _tick(self) -> list[Message]:
        now_s = time.monotonic()
        if self._unheard_s is not None and now_s - self._unheard_s > _ECHO_S and not self._warned:
            # MQTT 3.1.1 has no word for it: what an access list refuses is acknowledged and gone.
            self._warned = True
            _LOG.warning(
                "%s: what is published below %s does not come back; see whether the broker's access list lets "
                "this user write and read there",
                self._address,
                self._topic,
            )
        if self._greet_at_s is not None and now_s >= self._greet_at_s:
            self._greet_at_s = None
            return self._greet()
        changed = self._state.take_change(now_s)
        return [] if changed is None else [self._say_state(changed)]

    def _receive(self, topic: str, payload: bytes) -> None:
        """Hear that Home Assistant has started, or that somebody says this run were gone.

        The latter is the last will of an earlier connection, or another run on the same topic that has ended.
        """
        is_online = payload == ONLINE.encode()
        if topic == BIRTH_TOPIC:
            if is_online:
                self._greet_at_s = time.monotonic() + random.uniform(0, _LONGEST_GREETING_S)
        elif is_online:
            self._unheard_s = None
        elif not self._closing:
            self._connection.publish(self._availability(ONLINE))

    def _say_state(self, record: StateRecord) -> Message:
        return Message(Kind.STATE, f"{self._topic}/state", json.dumps(record).encode())

    def _availability(self, word: str) -> Message:
        return Message(Kind.STATE, f"{self._topic}/availability", word.encode())


class _Rows(StatelessSink):
    """Publishes rows, no two of them within ``least_s`` seconds."""

    def __init__(self, connection: BrokerConnection, topic: str, least_s: float | None) -> None:
        self._connection, self._topic, self._least_s = connection, topic, least_s
        self._last_s = float("-inf")

    def write(self, result: View | SkippedInput) -> None:
        now_s = time.monotonic()
        if self._least_s is not None and now_s - self._last_s < self._least_s:
            return
        self._last_s = now_s
        self._connection.publish(Message(Kind.ROW, self._topic, format_row(result).removesuffix(b"\n")))


def _read_machine_id() -> str:
    """What tells this machine from others: systemd's id, otherwise the host's name."""
    for path in map(Path, _MACHINE_IDS):
        try:
            if found := path.read_text(encoding="ascii").strip():
                return found
        except (OSError, ValueError):
            continue
    return socket.gethostname()
