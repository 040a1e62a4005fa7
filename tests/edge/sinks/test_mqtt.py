"""Publishing to a real broker: the messages, and the behavior when the broker misbehaves."""

from __future__ import annotations

import logging
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from fer_edge.rendering.view import View
from fer_edge.sinks.base import RunStatus
from fer_edge.sinks.mqtt import connection as connecting
from fer_edge.sinks.mqtt import sink as sinks
from fer_edge.sinks.mqtt.address import TlsFiles, parse_address
from fer_edge.sinks.mqtt.sink import MqttSink
from fer_edge.types import StreamInfo
from tests.edge.sinks.brokers import Authority, Broker, Listener, free_port, hash_password, read_retained
from tests.edge.support import LABELS, make_view, wait_until

TOPIC = "home/door"
STREAM = StreamInfo(name="0", live=True)
RECORD = {
    "rule": "happy > 0.8",
    "number": 1,
    "face": 0,
    "source": "0",
    "frame": 3,
    "time_s": 0.1,
    "faces": [],
}

# Paho leaves the socket of a failed TLS handshake to the garbage collector.
pytestmark = pytest.mark.filterwarnings("ignore:.*ssl.SSLSocket:pytest.PytestUnraisableExceptionWarning")


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Shorten pauses from minutes to moments."""
    monkeypatch.setattr(connecting, "_FIRST_PAUSE_S", 0.05)
    monkeypatch.setattr(connecting, "_MAX_PAUSE_S", 0.2)
    monkeypatch.setattr(connecting, "_SLOW_PAUSE_S", 0.1)
    monkeypatch.setattr(connecting, "_MAX_SLOW_PAUSE_S", 0.2)
    monkeypatch.setattr(sinks, "_MAX_GREETING_S", 0.1)
    monkeypatch.setattr(sinks, "_MAX_ROWS", 1000.0)


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    with Broker(tmp_path) as running:
        yield running


class Run:
    """A sink as a session uses it, fed with frames by a thread until it is closed; a context manager."""

    def __init__(self, url: str, files: TlsFiles | None = None, **options: Any) -> None:
        self.sink = MqttSink(
            parse_address(url, files or TlsFiles(), {}), labels=LABELS, model="default", **options
        )
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._feed)
        self.faces = 1
        self.frames = 0

    def _feed(self) -> None:
        while not self._ended.wait(0.01):
            self.frames += 1
            self.sink.write(make_view(self.frames, faces=self.faces, time_s=self.frames / 100))

    def __enter__(self) -> Run:
        self.sink.open(STREAM, threading.Event())
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()
        self.sink.close()


def url(broker: Broker, topic: str = TOPIC, user: str = "") -> str:
    return f"mqtt://{user}127.0.0.1:{broker.port}/{topic}"


def ids(listener: Listener, topic: str = f"{TOPIC}/events") -> list[str]:
    return [each.json["id"] for each in listener.on(topic)]


class TestWhatArrives:
    def test_rows_state_availability_and_discovery(self, broker: Broker) -> None:
        with Listener(broker.port) as listener, Run(url(broker)) as run:
            row = listener.wait_for(f"{TOPIC}/faces")[0]
            assert (row.json["source"], row.qos, row.retained) == ("clip.mp4", 0, False)
            assert row.json["faces"][0]["emotion"] == "happy"
            wait_until(lambda: [each.json["faces"] for each in listener.on(f"{TOPIC}/state")][-1:] == [1])
            run.faces = 3
            wait_until(lambda: [each.json["faces"] for each in listener.on(f"{TOPIC}/state")][-1:] == [3])
            retained = read_retained(broker.port)
            assert retained[f"{TOPIC}/availability"].payload == b"online"
        listener_topics = {each.topic for each in listener.received}
        discovery = next(topic for topic in listener_topics if topic.startswith("homeassistant/"))
        assert set(retained) == {discovery, f"{TOPIC}/state", f"{TOPIC}/availability"}
        assert retained[discovery].json["device"]["name"] == "home door"

    def test_an_event_arrives_once_and_says_who_it_is(self, broker: Broker) -> None:
        with Listener(broker.port) as listener:
            with Run(url(broker)) as run:
                run.sink.publish_event(RECORD)
                run.sink.publish_event(RECORD, "home/alarm")
                run.sink.publish_event({**RECORD, "number": 2})
                listener.wait_for(f"{TOPIC}/events", 2)
            first, second = (each.json for each in listener.on(f"{TOPIC}/events"))
            (other,) = listener.wait_for("home/alarm")
        assert first["id"] != second["id"]
        assert other.json == first
        assert first["rule"] == RECORD["rule"]
        assert {first["event_type"], second["event_type"]} == {"came_true"}
        assert (other.qos, other.retained) == (1, False)

    def test_the_end_says_offline(self, broker: Broker) -> None:
        with Listener(broker.port) as listener:
            with Run(url(broker)):
                listener.wait_for_payload(f"{TOPIC}/availability", b"online")
            listener.wait_for_payload(f"{TOPIC}/availability", b"offline")
        assert read_retained(broker.port)[f"{TOPIC}/availability"].payload == b"offline"

    def test_what_is_left_at_the_end_is_sent_before_it(self, broker: Broker) -> None:
        with Listener(broker.port) as listener:
            with Run(url(broker)) as run:
                for number in range(300):
                    run.sink.publish_event({**RECORD, "number": number})
            listener.wait_for_payload(f"{TOPIC}/availability", b"offline")
            numbers = [each.json["number"] for each in listener.on(f"{TOPIC}/events")]
        assert numbers == list(range(300))

    def test_rows_are_five_a_second_at_most(self, broker: Broker, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(sinks, "_MAX_ROWS", 5.0)
        with Listener(broker.port) as listener, Run(url(broker)) as run:
            listener.wait_for(f"{TOPIC}/faces", 4)
            frames = [each.json["frame"] for each in listener.on(f"{TOPIC}/faces")]
            assert run.frames > 20
        assert all(after - before > 3 for before, after in pairwise(frames))

    def test_spans_of_time_give_one_averaged_row_each(self, broker: Broker) -> None:
        with Listener(broker.port) as listener, Run(url(broker), every_s=0.2):
            rows = listener.wait_for(f"{TOPIC}/faces", 4)
        spans = [int(each.json["time_s"] / 0.2) for each in rows[:4]]
        assert spans == list(range(spans[0], spans[0] + 4))


class TestBroker:
    def test_one_that_comes_later_is_waited_for(
        self, tmp_path: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        broker = Broker(tmp_path)
        with Run(url(broker)) as run:
            run.sink.publish_event(RECORD)
            wait_until(lambda: "retrying" in caplog.text)
            time.sleep(0.5)
            with broker, Listener(broker.port):
                wait_until(lambda: run.sink._connection.connections == 1)
                wait_until(lambda: not len(run.sink._connection.outbox))
        warned = [each.message for each in caplog.records if each.levelno >= logging.WARNING]
        assert (
            len([text for text in warned if "refused" in text]) == 1
        )  # once, however many attempts are made

    def test_after_its_restart_everything_is_published_again(self, broker: Broker) -> None:
        with Run(url(broker)) as run:
            with Listener(broker.port) as listener:
                listener.wait_for_payload(f"{TOPIC}/availability", b"online")
            before = set(read_retained(broker.port))
            assert len(before) == 3
            broker.stop()
            run.sink.publish_event(RECORD)
            time.sleep(0.5)
            broker.start()
            with Listener(broker.port) as listener:
                listener.wait_for_payload(f"{TOPIC}/availability", b"online")
            wait_until(lambda: set(read_retained(broker.port)) == before)
            assert read_retained(broker.port)[f"{TOPIC}/availability"].payload == b"online"

    def test_no_event_is_lost_over_a_restart_and_a_kill(
        self, broker: Broker, caplog: pytest.LogCaptureFixture
    ) -> None:
        broker.configure(
            "persistence true", f"persistence_location {broker.log.parent}/", "autosave_interval 1"
        )
        broker.stop()
        broker.start()
        with Listener(broker.port, session="keeps") as listener, Run(url(broker)) as run:
            database = broker.log.with_name("mosquitto.db")  # where the broker stores its subscriptions
            wait_until(lambda: database.exists() and b"keeps" in database.read_bytes())
            number = 0
            for round_ in range(3):
                for _ in range(50):
                    number += 1
                    run.sink.publish_event({**RECORD, "number": number})
                if round_ < 2:
                    # Until the broker has delivered it and got a confirmation, it exists only in the broker's memory.
                    wait_until(lambda: len(set(ids(listener))) == number)  # noqa: B023
                    broker.stop(signal.SIGTERM if round_ else signal.SIGKILL)
                    for _ in range(50):
                        number += 1
                        run.sink.publish_event({**RECORD, "number": number})
                    broker.start()
            wait_until(lambda: len(set(ids(listener))) == number)
        assert number == 250
        assert "could not be published" not in caplog.text

    def test_one_that_hangs_is_noticed_and_left(
        self, broker: Broker, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        monkeypatch.setattr(connecting, "_KEEPALIVE_S", 2)
        monkeypatch.setattr(connecting, "_ANSWER_S", 1.0)
        with Run(url(broker)) as run:
            wait_until(lambda: run.sink._connection.connections == 1)
            broker.pause()
            run.sink.publish_event(RECORD)
            wait_until(lambda: "lost" in caplog.text)
            wait_until(lambda: "does not answer" in caplog.text)
            broker.resume()
            wait_until(lambda: run.sink._connection.connections == 2)

    def test_one_that_takes_the_connection_and_says_nothing(
        self, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        monkeypatch.setattr(connecting, "_ANSWER_S", 0.3)
        with socket.create_server(("127.0.0.1", 0)) as server:
            with Run(f"mqtt://127.0.0.1:{server.getsockname()[1]}/a"):
                wait_until(lambda: "accepts the connection but does not answer" in caplog.text)
            started = time.monotonic()
        assert time.monotonic() - started < 10

    @pytest.mark.parametrize("scheme", ["mqtt", "mqtts"])
    @pytest.mark.parametrize(
        "words",
        [
            b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n",
            b"SSH-2.0-OpenSSH_9.2\r\n",
            b"\x20",
            b"\x20\xff\xff\xff\xff\xff\xff",
            b"\x20\x02\x00\x00\x30\x02\x00\xff\x90\x01\x00\x40\x01\x00",
            bytes(range(256)) * 40,
        ],
    )
    def test_one_that_speaks_something_else(
        self, words: bytes, scheme: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        monkeypatch.setattr(connecting, "_ANSWER_S", 0.3)

        def answer(server: socket.socket) -> None:
            while True:
                try:
                    client, _ = server.accept()
                except OSError:
                    return
                with client:
                    client.sendall(words)
                    client.settimeout(0.2)
                    try:
                        client.recv(1000)
                    except OSError:
                        continue

        with socket.create_server(("127.0.0.1", 0)) as server:
            threading.Thread(target=answer, args=(server,), daemon=True).start()
            with Run(f"{scheme}://127.0.0.1:{server.getsockname()[1]}/a") as run:
                wait_until(lambda: "retrying" in caplog.text)
                assert run.sink._connection._thread.is_alive()

    @pytest.mark.parametrize(
        ("code", "said"),
        [
            (1, "retrying"),
            (2, "refuses the connection"),
            (3, "refuses the connection"),
            (4, "user or the password"),
            (5, "user or the password"),
            (200, "retrying"),
        ],
    )
    def test_one_that_refuses_says_why(self, code: int, said: str, caplog: pytest.LogCaptureFixture) -> None:
        def answer(server: socket.socket) -> None:
            while True:
                try:
                    client, _ = server.accept()
                except OSError:
                    return
                with client, suppress(OSError):
                    client.sendall(bytes((0x20, 2, 0, code)))
                    client.recv(1000)

        with socket.create_server(("127.0.0.1", 0)) as server:
            threading.Thread(target=answer, args=(server,), daemon=True).start()
            with Run(f"mqtt://127.0.0.1:{server.getsockname()[1]}/a") as run:
                wait_until(lambda: said in caplog.text)
                assert run.sink._connection.connections == 0

    def test_what_it_sends_in_no_language_ends_the_connection_and_not_the_run(
        self, caplog: pytest.LogCaptureFixture
    ) -> None:
        def answer(server: socket.socket) -> None:
            while True:
                try:
                    client, _ = server.accept()
                except OSError:
                    return
                with client, suppress(OSError):
                    # Connected; a message whose topic is not UTF-8; an acknowledgement of nothing.
                    client.sendall(b"\x20\x02\x00\x00" + b"\x30\x05\x00\x02\xff\xfex" + b"\x40\x02\x12\x34")
                    while client.recv(1000):
                        continue

        with socket.create_server(("127.0.0.1", 0)) as server:
            threading.Thread(target=answer, args=(server,), daemon=True).start()
            with Run(f"mqtt://127.0.0.1:{server.getsockname()[1]}/a") as run:
                wait_until(lambda: run.sink._connection.connections >= 2)
                assert run.sink._connection._thread.is_alive()

    @pytest.mark.parametrize(
        ("kind", "said"),
        [
            ("long", "a packet of more than 65,536 bytes"),
            ("never released", "does not release its messages"),
            ("topic", "a topic that is not UTF-8"),
        ],
    )
    def test_one_that_sends_without_limit_is_left(
        self, kind: str, said: str, caplog: pytest.LogCaptureFixture
    ) -> None:
        topic = b"\x00\x14homeassistant/status"

        def packets() -> Iterator[bytes]:
            if kind == "long":
                yield b"\x30\xff\xff\xff\x7f" + topic
                while True:
                    yield bytes(1 << 20)
            elif kind == "topic":
                yield b"\x30\x05\x00\x02\xff\xfex"
            for number in range(1, 1000):
                yield b"\x34\x88\x27" + topic + number.to_bytes(2, "big") + bytes(5000 - 24)

        def answer(server: socket.socket) -> None:
            while True:
                try:
                    client, _ = server.accept()
                except OSError:
                    return
                with client, suppress(OSError):
                    client.sendall(b"\x20\x02\x00\x00")
                    for packet in packets():
                        client.sendall(packet)

        with socket.create_server(("127.0.0.1", 0)) as server:
            threading.Thread(target=answer, args=(server,), daemon=True).start()
            with Run(f"mqtt://127.0.0.1:{server.getsockname()[1]}/a") as run:
                wait_until(lambda: said in caplog.text)
                assert "connection closed: the broker" in caplog.text
                wait_until(lambda: run.sink._connection.connections >= 5)
        assert "dropped a message" not in caplog.text  # none of ours is to blame

    def test_one_that_sends_many_messages_and_reads_the_answers_is_kept(self) -> None:
        acknowledged = bytearray()

        def answer(server: socket.socket) -> None:
            client, _ = server.accept()
            with client, suppress(OSError):
                client.sendall(b"\x20\x02\x00\x00")
                for number in range(1, 1501):
                    client.sendall(b"\x32\x0b\x00\x01a" + number.to_bytes(2, "big") + b"online")
                    while acknowledged.count(b"\x40\x02") < number:
                        acknowledged.extend(client.recv(1000))
                client.recv(1)

        with socket.create_server(("127.0.0.1", 0)) as server:
            threading.Thread(target=answer, args=(server,), daemon=True).start()
            with Run(f"mqtt://127.0.0.1:{server.getsockname()[1]}/a") as run:
                wait_until(lambda: acknowledged.count(b"\x40\x02") >= 1500)
                assert run.sink._connection.connections == 1

    def test_a_host_that_does_not_exist(self, caplog: pytest.LogCaptureFixture) -> None:
        with Run("mqtt://no-such-host.invalid/a"):
            wait_until(lambda: "host not found" in caplog.text)

    def test_the_wrong_password_is_said_with_what_to_do_and_never_shown(
        self, tmp_path: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level(logging.DEBUG)
        passwords = hash_password(tmp_path, "me", "right")
        with Broker(tmp_path, f"password_file {passwords}", anonymous=False) as broker:
            with Run(url(broker, user="me:hidden-word@")) as run:
                wait_until(lambda: "refuses the user or the password" in caplog.text)
                run.sink.publish_event(RECORD)
            with Run(url(broker, user="me:right@")) as run:
                wait_until(lambda: run.sink._connection.connections == 1)
        assert "hidden-word" not in caplog.text
        assert "1 event could not be published" in caplog.text

    def test_an_access_list_that_refuses_everything_is_noticed(
        self, tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(sinks, "_ECHO_S", 0.5)
        (tmp_path / "acl").write_text("topic readwrite home/#\n")
        with Broker(tmp_path, f"acl_file {tmp_path / 'acl'}") as broker:
            with Run(url(broker)) as run:
                wait_until(lambda: run.sink._connection.connections == 1)
                time.sleep(1.5)
            assert "access list" not in caplog.text
            with Run(url(broker, "office/door")):
                wait_until(lambda: "access list" in caplog.text)

    def test_a_message_that_it_does_not_take_keeps_no_other_from_arriving(
        self, tmp_path: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        large = {**RECORD, "source": "x" * 2000}
        with (
            Broker(tmp_path, "max_packet_size 1000") as broker,
            Listener(broker.port) as listener,
            Run(url(broker)) as run,
        ):
            listener.wait_for(f"{TOPIC}/state")  # the discovery message, which is sent first, is too large
            run.sink.publish_event(large)
            run.sink.publish_event({**RECORD, "number": 2})
            listener.wait_for(f"{TOPIC}/events")
            listener.wait_for(f"{TOPIC}/faces")
        assert [each.json["number"] for each in listener.on(f"{TOPIC}/events")] == [2]
        assert caplog.text.count("because the broker closes the connection when it receives it") == 2
        assert "bytes to homeassistant/device/" in caplog.text
        assert "1 event could not be published" in caplog.text

    def test_nothing_is_kept_without_end_while_it_is_away(
        self, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with Run(f"mqtt://127.0.0.1:{free_port()}/a") as run:
            for number in range(1500):
                run.sink.publish_event({**RECORD, "number": number})
            assert len(run.sink._connection.outbox) <= 1003
        assert "1,500 events could not be published" in caplog.text or "1500 events" in caplog.text


class TestTls:
    @pytest.fixture
    def authority(self, tmp_path: Path) -> Authority:
        return Authority(tmp_path, "authority")

    @pytest.fixture
    def options(self, authority: Authority) -> tuple[str, ...]:
        certificate, key = authority.sign("broker")
        return (f"certfile {certificate}", f"keyfile {key}")

    def test_with_the_authority_s_certificate_it_works(
        self, authority: Authority, options: tuple[str, ...], tmp_path: Path
    ) -> None:
        with (
            Broker(tmp_path, *options) as broker,
            Run(f"mqtts://127.0.0.1:{broker.port}/a", TlsFiles(authority=authority.certificate)) as run,
        ):
            wait_until(lambda: run.sink._connection.connections == 1)
            wait_until(lambda: run.frames > 50)
            run.sink.publish_event(RECORD)
            wait_until(lambda: not len(run.sink._connection.outbox))

    @pytest.mark.parametrize("case", ["system", "other authority", "other host"])
    def test_an_untrusted_broker_gets_nothing(
        self, case: str, authority: Authority, tmp_path: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        certificate, key = authority.sign(
            "broker", "elsewhere.example" if case == "other host" else "127.0.0.1"
        )
        files = {
            "system": TlsFiles(),
            "other authority": TlsFiles(authority=Authority(tmp_path, "other").certificate),
            "other host": TlsFiles(authority=authority.certificate),
        }[case]
        with (
            Broker(tmp_path, f"certfile {certificate}", f"keyfile {key}") as broker,
            Run(f"mqtts://127.0.0.1:{broker.port}/a", files) as run,
        ):
            wait_until(lambda: "certificate is not trusted" in caplog.text)
            assert run.sink._connection.connections == 0
        assert any("--mqtt-ca" in (getattr(record, "hint", None) or "") for record in caplog.records)
        assert "--mqtt-ca" not in caplog.text

    def test_a_certificate_that_is_another_after_a_restart_is_said_and_its_return_mends_it(
        self, authority: Authority, options: tuple[str, ...], tmp_path: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        foreign, key = Authority(tmp_path, "foreign").sign("broker")
        with (
            Broker(tmp_path, *options) as broker,
            Run(f"mqtts://127.0.0.1:{broker.port}/a", TlsFiles(authority=authority.certificate)) as run,
        ):
            wait_until(lambda: run.sink._connection.connections == 1)
            broker.stop()
            broker.configure(f"certfile {foreign}", f"keyfile {key}")
            broker.start()
            wait_until(lambda: "certificate is not trusted" in caplog.text)
            broker.stop()
            broker.configure(*options)
            broker.start()
            wait_until(lambda: run.sink._connection.connections == 2)

    def test_one_that_wants_a_certificate(
        self, authority: Authority, options: tuple[str, ...], tmp_path: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        certificate, key = authority.sign("me")
        wants = (*options, f"cafile {authority.certificate}", "require_certificate true")
        with Broker(tmp_path, *wants) as broker:
            address = f"mqtts://127.0.0.1:{broker.port}/a"
            with Run(address, TlsFiles(authority=authority.certificate)):
                wait_until(lambda: "retrying" in caplog.text)
            assert "certificate" in caplog.text
            files = TlsFiles(authority=authority.certificate, certificate=certificate, key=key)
            with Run(address, files) as run:
                wait_until(lambda: run.sink._connection.connections == 1)

    def test_a_broker_of_one_kind_and_an_address_of_the_other(
        self,
        options: tuple[str, ...],
        authority: Authority,
        tmp_path: Path,
        broker: Broker,
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        with Run(f"mqtts://127.0.0.1:{broker.port}/a", TlsFiles(authority=authority.certificate)):
            wait_until(lambda: "check that the port uses TLS" in caplog.text)
        broker.stop()
        broker.configure(*options)
        broker.start()
        with Run(f"mqtt://127.0.0.1:{broker.port}/a"):
            wait_until(lambda: "it may need TLS" in caplog.text)


class TestTwoRunsAndHomeAssistant:
    def test_client_ids_differ_and_one_s_end_does_not_take_the_other_offline(self, broker: Broker) -> None:
        with Listener(broker.port) as listener, Run(url(broker)) as first:
            listener.wait_for_payload(f"{TOPIC}/availability", b"online")
            with Run(url(broker)) as second:
                assert first.sink._connection._client_id != second.sink._connection._client_id
                wait_until(lambda: second.sink._connection.connections == 1)
                wait_until(lambda: not len(second.sink._connection.outbox))
            wait_until(lambda: b"offline" in [each.payload for each in listener.on(f"{TOPIC}/availability")])
            listener.wait_for_payload(f"{TOPIC}/availability", b"online")
            assert first.sink._connection.connections == 1
        assert len(listener.on(f"{TOPIC}/availability")) < 10

    @pytest.mark.parametrize("word", ["offline", "", "nonsense"])
    def test_the_last_will_of_an_earlier_life_does_not_stay(self, word: str, broker: Broker) -> None:
        with Listener(broker.port) as listener, Run(url(broker)):
            listener.wait_for_payload(f"{TOPIC}/availability", b"online")
            listener.publish(f"{TOPIC}/availability", word, retain=True)
            listener.wait_for_payload(f"{TOPIC}/availability", b"online")

    def test_client_ids_are_short_enough_for_every_broker(self, broker: Broker) -> None:
        with Run(url(broker)) as run:
            assert len(run.sink._connection._client_id) <= 23

    def test_when_home_assistant_starts_everything_is_said_again(self, broker: Broker) -> None:
        with Listener(broker.port) as listener, Run(url(broker), rules=("happy",)) as run:
            topic = f"homeassistant/device/{run.sink._device.id}/config"
            listener.wait_for(topic)
            listener.wait_for_payload(f"{TOPIC}/availability", b"online")
            time.sleep(0.3)
            listener.publish("homeassistant/status", "offline")
            listener.publish("homeassistant/status", "online")
            assert len(listener.wait_for(topic, 2)) == 2
            listener.wait_for(f"{TOPIC}/availability", 2)


class TestEnd:
    def test_without_a_broker_it_does_not_wait(self) -> None:
        with Run(f"mqtt://127.0.0.1:{free_port()}/a"):
            time.sleep(0.2)
        assert not [each for each in threading.enumerate() if each.name == "mqtt"]

    def test_one_that_was_never_opened_is_closed(self) -> None:
        MqttSink(parse_address("mqtt://127.0.0.1/a", TlsFiles(), {}), labels=LABELS, model="default").close()

    def test_a_second_stream_does_not_connect_again(self, broker: Broker) -> None:
        with Run(url(broker)) as run:
            wait_until(lambda: run.sink._connection.connections == 1)
            run.sink.open(STREAM, threading.Event())
            run.sink.publish_event(RECORD)
            assert run.sink._connection.connections == 1

    def test_an_event_s_id_is_another_in_the_next_source(self, broker: Broker) -> None:
        with Listener(broker.port) as listener, Run(url(broker)) as run:
            run.sink.publish_event(RECORD)
            run.sink.open(STREAM, threading.Event())
            run.sink.publish_event(RECORD)
            listener.wait_for(f"{TOPIC}/events", 2)
        assert len(set(ids(listener))) == 2


Write = Callable[[View], None]


def test_a_row_costs_the_run_only_a_queue_entry(monkeypatch: pytest.MonkeyPatch) -> None:
    """Writing a row only appends to a queue; it uses neither a socket nor JSON."""
    monkeypatch.setattr(sinks, "_MAX_ROWS", 0.001)
    sink = MqttSink(
        parse_address("mqtt://127.0.0.1:1/a", TlsFiles(), {}),
        labels=LABELS,
        model="default",
        status=RunStatus(),
    )
    write: Write = sink.write
    write(make_view(0))
    monkeypatch.setattr("json.dumps", None)
    for index in range(1, 100):
        write(make_view(index))
    assert len(sink._connection.outbox) == 1
    monkeypatch.undo()
    sink.close()
