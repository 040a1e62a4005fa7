"""A sink that publishes a run to MQTT, with Home Assistant discovery."""

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
from fer_edge.sinks.mqtt.outbox import Message, MessageKind
from fer_edge.sinks.mqtt.state import NOBODY, StateRecord, StateTracker
from fer_edge.types import SkippedInput, StreamInfo

__all__ = ["MqttSink"]

_LOG: Final = logging.getLogger(__name__)

_MAX_ROWS: Final = 5.0  # per second
_MAX_GREETING_S: Final = 2.0  # random delay after Home Assistant starts, to spread out many devices
_ECHO_S: Final = 10.0  # time for our own message to come back from a broker that accepts it
_MACHINE_IDS: Final = ("/etc/machine-id", "/var/lib/dbus/machine-id")


class MqttSink:
    """Publishes rows, state and events below ``address.topic``.

    Broker failures never slow down or end the run. The subtopic ``faces`` gets the row of a frame, at most
    five per second or, with ``every_s``, one averaged row per span of that many seconds. ``state`` gets the
    retained state of the run, ``events`` the events passed to ``publish_event``, and ``availability`` says
    whether the run is alive. ``labels``, ``rules`` and ``model``, the name of the model, are announced to
    Home Assistant.
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
        rows = _Rows(self._connection, f"{topic}/faces", None if every_s else 1 / _MAX_ROWS)
        self._rows: Sink = rows if every_s is None else AveragingSink(rows, every_s)
        self._streams = 0
        self._greet_at_s: float | None = None
        self._unheard_s: float | None = None  # since when we wait for our own message
        self._warned = self._closing = False

    def open(self, stream: StreamInfo, stop: Event) -> None:
        """Begin to connect; later streams use the same connection."""
        self._streams += 1
        if self._streams == 1:
            self._connection.start()
        self._rows.open(stream, stop)

    def write(self, result: View | SkippedInput) -> None:
        """Publish the row of a result if it is due, and the state if it changes."""
        if isinstance(result, View):
            self._state.see(result, time.monotonic())
            self._rows.write(result)

    def close(self) -> None:
        """Publish the last rows and state, and that the run is over."""
        self._rows.close()
        self._closing = True
        if self._streams:
            self._connection.publish(self._format_state(self._state.take(time.monotonic())))
        self._connection.close()

    def publish_event(self, record: Mapping[str, object], topic: str | None = None) -> None:
        """Publish an event below the base topic, or to ``topic``.

        The same event has the same ``id`` on all topics.
        """
        rule_id = build_rule_id(str(record["rule"]))
        event = {
            "id": f"{self._run}-{self._streams}-{rule_id}-{record['number']}",
            "event_type": EVENT_TYPE,
            "rule_id": rule_id,
            **record,
        }
        payload = json.dumps(event, ensure_ascii=False).encode("utf-8", "backslashreplace")
        self._connection.publish(Message(MessageKind.EVENT, topic or f"{self._topic}/events", payload))

    def _greet(self) -> list[Message]:
        """Return the messages for every connect; the broker may have forgotten everything."""
        self._unheard_s = time.monotonic()
        discovery = json.dumps(self._discovery, ensure_ascii=False).encode("utf-8", "backslashreplace")
        return [
            Message(MessageKind.STATE, build_discovery_topic(self._device), discovery),
            self._format_state(self._state.take(time.monotonic())),
            self._availability(ONLINE),
        ]

    def _tick(self) -> list[Message]:
        now_s = time.monotonic()
        if self._unheard_s is not None and now_s - self._unheard_s > _ECHO_S and not self._warned:
            # MQTT 3.1.1 has no error for this: a message refused by an access list is acknowledged and lost.
            self._warned = True
            _LOG.warning(
                "%s: messages published below %s do not come back; check whether the broker's access list "
                "allows this user to write and read there",
                self._address,
                self._topic,
            )
        if self._greet_at_s is not None and now_s >= self._greet_at_s:
            self._greet_at_s = None
            return self._greet()
        changed = self._state.take_change(now_s)
        return [] if changed is None else [self._format_state(changed)]

    def _receive(self, topic: str, payload: bytes) -> None:
        """Handle the start of Home Assistant, and an offline message for this run.

        An offline message is the last will of an earlier connection, or comes from another run on the same
        topic that has ended.
        """
        is_online = payload == ONLINE.encode()
        if topic == BIRTH_TOPIC:
            if is_online:
                self._greet_at_s = time.monotonic() + random.uniform(0, _MAX_GREETING_S)
        elif is_online:
            self._unheard_s = None
        elif not self._closing:
            self._connection.publish(self._availability(ONLINE))

    def _format_state(self, record: StateRecord) -> Message:
        return Message(MessageKind.STATE, f"{self._topic}/state", json.dumps(record).encode())

    def _availability(self, word: str) -> Message:
        return Message(MessageKind.STATE, f"{self._topic}/availability", word.encode())


class _Rows(StatelessSink):
    """Publishes rows at least ``least_s`` seconds apart."""

    def __init__(self, connection: BrokerConnection, topic: str, least_s: float | None) -> None:
        self._connection, self._topic, self._least_s = connection, topic, least_s
        self._last_s = float("-inf")

    def write(self, result: View | SkippedInput) -> None:
        now_s = time.monotonic()
        if self._least_s is not None and now_s - self._last_s < self._least_s:
            return
        self._last_s = now_s
        self._connection.publish(
            Message(MessageKind.ROW, self._topic, format_row(result).removesuffix(b"\n"))
        )


def _read_machine_id() -> str:
    """Return systemd's machine ID, or else the host name."""
    for path in map(Path, _MACHINE_IDS):
        try:
            if found := path.read_text(encoding="ascii").strip():
                return found
        except (OSError, ValueError):
            continue
    return socket.gethostname()
