"""Measure delivery from many devices through one broker with an outage, and the broker's resources.

    python -m bench.fleet [--devices N] [--seconds S] [--outage S]

Each device publishes one event and one state per second over the same connection class as ``--mqtt``. A subscriber
counts the messages. Requires Mosquitto, which stores its sessions on disk, as recommended for a fleet.
"""

from __future__ import annotations

import argparse
import json
import resource
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion

from bench.broker import Broker
from fer_edge.sinks.mqtt.address import TlsFiles, parse_address
from fer_edge.sinks.mqtt.connection import BrokerConnection
from fer_edge.sinks.mqtt.outbox import Message, MessageKind

EVENT_BYTES, STATE_BYTES = 500, 170  # roughly the size of a message about one face


class Subscriber:
    """Counts the deliveries of each event; its session survives a broker restart."""

    def __init__(self, port: int) -> None:
        self.counts: dict[str, int] = {}
        self.states = 0
        self.delays_s: list[float] = []
        self._client = Client(CallbackAPIVersion.VERSION2, "bench-subscriber", clean_session=False)
        self._client.reconnect_delay_set(1, 2)
        self._client.max_inflight_messages = 0
        self._client.on_message = self._take
        self._client.on_connect = self._subscribe
        self._client.connect("127.0.0.1", port)
        self._client.loop_start()

    def _subscribe(self, *_: Any) -> None:
        self._client.subscribe("fleet/#", 1)

    def _take(self, _client: Client, _data: Any, message: MQTTMessage) -> None:
        if message.topic.endswith("/state"):
            self.states += 1
            return
        event = json.loads(message.payload)
        self.counts[event["id"]] = self.counts.get(event["id"], 0) + 1
        self.delays_s.append(time.time() - event["sent"])

    def close(self) -> None:
        """Disconnect from the broker."""
        self._client.disconnect()
        self._client.loop_stop()


def publish(connection: BrokerConnection, device: int, seconds: float, begins: float) -> None:
    """Publish one event and one state per second, as one device."""
    for number in range(int(seconds)):
        time.sleep(max(0.0, begins + number - time.monotonic()))
        event = {"id": f"{device}-{number}", "sent": time.time(), "fill": "x" * EVENT_BYTES}
        connection.publish(Message(MessageKind.EVENT, f"fleet/{device}/events", json.dumps(event).encode()))
        connection.publish(Message(MessageKind.STATE, f"fleet/{device}/state", b"x" * STATE_BYTES))


def main() -> None:
    """Run the devices through the outage and print the figures."""
    parser = argparse.ArgumentParser(prog="bench.fleet", description=__doc__)
    parser.add_argument("--devices", type=int, default=200)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--outage", type=float, default=10.0)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        sessions = (
            "persistence true",
            f"persistence_location {folder}/",
            "autosave_interval 60",
            "max_queued_messages 100000",
        )
        with Broker(folder, *sessions) as broker:
            subscriber = Subscriber(broker.port)
            connections = []
            for device in range(options.devices):
                address = parse_address(f"mqtt://127.0.0.1:{broker.port}/fleet/{device}", TlsFiles(), {})
                connections.append(BrokerConnection(address, f"bench-{device}"))
                connections[-1].start()
            while not all(connection.connections for connection in connections):
                time.sleep(0.05)
            begins = time.monotonic() + 1
            threads = [
                threading.Thread(
                    target=publish,
                    args=(connection, device, options.seconds, begins + device / options.devices),
                )
                for device, connection in enumerate(connections)
            ]
            for thread in threads:
                thread.start()
            time.sleep(begins + options.seconds / 3 - time.monotonic())
            cpu_s, span_s, memory_mb = broker.cpu_s(), options.seconds / 3, broker.memory_mb()
            print(f"before the outage: {cpu_s / span_s:.1%} of one CPU core, {memory_mb:.1f} MB", flush=True)
            broker.stop()
            time.sleep(options.outage)
            broker.start()
            for thread in threads:
                thread.join()
            expected = options.devices * int(options.seconds)
            deadline = time.monotonic() + 60
            while len(subscriber.counts) < expected and time.monotonic() < deadline:
                time.sleep(0.1)
            print(f"after the outage: {broker.cpu_s():.1f} s of CPU time, {broker.memory_mb():.1f} MB")
            for connection in connections:
                connection.close()
            subscriber.close()
    dropped = sum(sum(connection.outbox.dropped.values()) for connection in connections)
    repeated = sum(count > 1 for count in subscriber.counts.values())
    own = resource.getrusage(resource.RUSAGE_SELF)
    print(
        f"{options.devices} devices, {expected} events sent, {len(subscriber.counts)} delivered, "
        f"{expected - len(subscriber.counts)} lost, {repeated} duplicated, {dropped} dropped by devices; "
        f"{subscriber.states} states; longest delay {max(subscriber.delays_s):.1f} s"
    )
    print(f"publishers and subscriber: {own.ru_utime + own.ru_stime:.1f} s of CPU time")


if __name__ == "__main__":
    main()
