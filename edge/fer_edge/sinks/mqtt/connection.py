"""A connection to a broker that reconnects in the background."""

from __future__ import annotations

import contextlib
import logging
import random
import selectors
import socket
import ssl
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from fer_edge.errors import MissingExtraError
from fer_edge.runtime.background import BackgroundThread
from fer_edge.runtime.shutdown import is_interrupted
from fer_edge.runtime.tables import format_count
from fer_edge.sinks.mqtt.address import BrokerAddress
from fer_edge.sinks.mqtt.failures import Failure, explain_error, explain_refusal, explain_silence
from fer_edge.sinks.mqtt.incoming import IncomingLimits, PacketError, create_limited_client, read_topic
from fer_edge.sinks.mqtt.outbox import Message, MessageKind, Outbox
from fer_edge.sinks.mqtt.suspects import RejectedMessageFinder

if TYPE_CHECKING:
    from paho.mqtt.client import Client, MQTTMessage

__all__ = ["BrokerConnection", "Hooks"]

_LOG: Final = logging.getLogger(__name__)

_KEEPALIVE_S: Final = 30
_ANSWER_S: Final = 5.0  # timeout for the connection, TLS, and the broker's answer
_FIRST_PAUSE_S: Final = 1.0
_MAX_PAUSE_S: Final = 60.0
_SLOW_PAUSE_S: Final = 60.0  # after a refusal that only the user can fix
_MAX_SLOW_PAUSE_S: Final = 300.0
_STEADY_S: Final = 10.0  # a connection that lasts this long resets the pauses
_TICK_S: Final = 0.5
_FLUSH_S: Final = 3.0  # how long the end of a run waits for the broker
_INTERRUPTED_FLUSH_S: Final = 1.0  # the same, once the run has been interrupted
_FAREWELL_S: Final = 0.3  # of this time, the part reserved for the last message
_MAX_IN_FLIGHT: Final = 20  # messages waiting for acknowledgement


def _no_messages() -> Sequence[Message]:
    return ()


def _ignore_message(topic: str, payload: bytes) -> None:
    """Ignore the message."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hooks:
    """Callbacks of a connection's owner, called in the connection's thread.

    ``greet`` returns the messages to publish on every connect. ``tick`` is called about twice a second,
    connected or not, and returns messages to publish. ``receive`` gets the topic and payload of each message
    that arrives on ``subscriptions``, except retained messages.
    """

    greet: Callable[[], Sequence[Message]] = _no_messages
    tick: Callable[[], Sequence[Message]] = _no_messages
    receive: Callable[[str, bytes], None] = _ignore_message
    subscriptions: tuple[str, ...] = ()


@dataclass(slots=True)
class _ConnectionState:
    """The state of one connection: messages in flight and the broker's answer."""

    limits: IncomingLimits = field(default_factory=IncomingLimits)
    in_flight: dict[int, Message] = field(default_factory=dict)
    answer: Any = None
    since: float = 0.0
    sent: float = 0.0  # when the last message was passed to Paho


class BrokerConnection:
    """Publishes the messages in ``outbox`` from a background thread.

    The thread reconnects as needed. Failures never raise. If the broker cannot be reached, a warning is
    logged and the connection is retried after 1, 2, 4, … 60 seconds, plus or minus a quarter; if the broker
    refuses the password or has the wrong certificate, after a minute or more. ``will`` is the message that
    the broker publishes if the program disappears, ``farewell`` the last message of the run. The constructor
    raises MissingExtraError if Paho is not installed.
    """

    def __init__(
        self,
        address: BrokerAddress,
        client_id: str,
        *,
        hooks: Hooks = Hooks(),
        will: Message | None = None,
        farewell: Message | None = None,
        outbox: Outbox | None = None,
    ) -> None:
        try:
            import paho.mqtt.client  # noqa: F401
        except ImportError as error:
            raise MissingExtraError("paho-mqtt", "mqtt") from error
        self.outbox = Outbox() if outbox is None else outbox
        self.connections = 0
        self._address, self._client_id = address, client_id
        self._hooks, self._will, self._farewell = hooks, will, farewell
        self._ending = threading.Event()
        self._deadline = float("inf")
        self._waker: socket.socket | None = None
        self._thread = BackgroundThread(self._serve, name="mqtt")
        self._reported: str | None = None
        self._suspects = RejectedMessageFinder()

    def start(self) -> None:
        """Start the thread, which begins to connect."""
        self._awake, self._waker = socket.socketpair()
        for end in (self._awake, self._waker):
            end.setblocking(False)
        self._thread.start()

    def publish(self, message: Message) -> None:
        """Send a message as soon as possible."""
        self.outbox.put(message)
        self._wake()

    def close(self) -> None:
        """Send pending messages for up to a few seconds, then disconnect cleanly."""
        if not self._thread.is_running():
            return
        try:
            self._end(_INTERRUPTED_FLUSH_S if is_interrupted() else _FLUSH_S)
        except BaseException:  # raised by a signal, which shortens the wait
            self._end(_INTERRUPTED_FLUSH_S)
            raise
        finally:
            self._report_loss()

    def _end(self, seconds: float) -> None:
        self._deadline = min(self._deadline, time.monotonic() + seconds)
        self._ending.set()
        self._wake()
        self._thread.join(seconds + _FAREWELL_S)

    def _report_loss(self) -> None:
        outbox = self.outbox
        for what, lost in (
            ("row", outbox.dropped[MessageKind.ROW] + outbox.count(MessageKind.ROW)),
            ("event", outbox.dropped[MessageKind.EVENT] + outbox.count(MessageKind.EVENT)),
        ):
            if lost:
                _LOG.warning("%s: %s could not be published", self._address, format_count(lost, what))

    def _wake(self) -> None:
        if self._waker is not None:
            with contextlib.suppress(OSError):  # the buffer is full, so the thread wakes up anyway
                self._waker.send(b"\0")

    def _serve(self) -> None:
        assert self._waker is not None
        with self._awake, self._waker:
            self._keep_connected()

    def _keep_connected(self) -> None:
        """Connect, publish, and reconnect after pauses until the end of the run."""
        pause_s = 0.0
        while True:
            talk = _ConnectionState()
            failure = self._attempt(talk)
            self._give_up_suspect(talk)
            self.outbox.put_back(list(talk.in_flight.values()))
            if failure is None:
                return
            if self._ending.is_set():
                _LOG.debug("%s: %s", self._address, failure.reason)
                return
            self._report(failure)
            if talk.since and time.monotonic() - talk.since >= _STEADY_S:
                pause_s = 0.0
            least, most = (
                (_SLOW_PAUSE_S, _MAX_SLOW_PAUSE_S) if failure.needs_user else (_FIRST_PAUSE_S, _MAX_PAUSE_S)
            )
            pause_s = min(max(2 * pause_s, least), most)
            self._pause(pause_s * random.uniform(0.75, 1.25))
            if self._ending.is_set() and (failure.needs_user or not len(self.outbox)):
                return

    def _give_up_suspect(self, talk: _ConnectionState) -> None:
        """Drop a message after which the broker has repeatedly closed the connection."""
        now = time.monotonic()
        if talk.since and now - talk.since >= _STEADY_S:
            self._suspects.forget()
        if not talk.sent or now - talk.sent > _ANSWER_S:
            return
        message = self._suspects.note_loss(list(talk.in_flight.values()))
        if message is None:
            return
        talk.in_flight.clear()
        if message.kind is MessageKind.EVENT:
            self.outbox.dropped[MessageKind.EVENT] += 1
        _LOG.warning(
            "%s: dropped a message of %s bytes to %s, because the broker closes the connection when it "
            "receives it; check which message sizes and topics the broker allows for this user",
            self._address,
            f"{len(message.payload):,}",
            message.topic,
        )

    def _report(self, failure: Failure) -> None:
        """Log a failure: a new one as a warning, a repeated one at debug level."""
        retry = "retrying every few minutes" if failure.needs_user else "retrying"
        level = logging.DEBUG if failure.reason == self._reported else logging.WARNING
        _LOG.log(
            level,
            "%s: %s; the run continues, %s",
            self._address,
            failure.reason,
            retry,
            extra={"hint": failure.hint},
        )
        self._reported = failure.reason

    def _pause(self, seconds: float) -> None:
        """Wait before the next attempt; the end of the run ends the wait."""
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0 and not self._ending.wait(min(left, _TICK_S)):
            self._tick()

    def _tick(self) -> None:
        for message in self._hooks.tick():
            self.outbox.put(message)

    def _attempt(self, talk: _ConnectionState) -> Failure | None:
        """Connect and publish until a failure, or until the end of the run (None)."""
        client: Client | None = None
        try:
            client = self._create_client(talk)
            client.connect(self._address.host, self._address.port, keepalive=_KEEPALIVE_S)
            return self._talk(client, talk)
        except PacketError as error:
            talk.sent = 0.0  # we close the connection, so none of our messages is to blame
            return Failure(f"connection closed: {error}")
        except Exception as error:  # noqa: BLE001  (Paho may raise anything on malformed input)
            if talk.since:
                return Failure(f"connection lost: {error}")
            return explain_error(error, encrypted=self._address.tls is not None)
        finally:
            if client is not None and (connected := client.socket()) is not None:
                with contextlib.suppress(OSError):
                    connected.close()

    def _create_client(self, talk: _ConnectionState) -> Client:
        from paho.mqtt.client import MQTTv311
        from paho.mqtt.enums import CallbackAPIVersion

        client: Client = create_limited_client(
            talk.limits,
            CallbackAPIVersion.VERSION2,
            client_id=self._client_id,
            protocol=MQTTv311,
            reconnect_on_failure=False,  # each attempt creates a new client
        )
        client.connect_timeout = _ANSWER_S
        if self._address.user is not None:
            client.username_pw_set(self._address.user, self._address.password)
        if self._address.tls is not None:
            client.tls_set_context(self._address.tls)
        if self._will is not None:
            client.will_set(self._will.topic, self._will.payload, self._will.qos, self._will.retain)

        def on_connect(_client: Client, _data: Any, _flags: Any, reason: Any, _more: Any) -> None:
            talk.answer = reason

        def on_publish(_client: Client, _data: Any, number: int, _reason: Any, _more: Any) -> None:
            if (message := talk.in_flight.pop(number, None)) is not None:
                self._suspects.note_acknowledged(message)

        def on_message(_client: Client, _data: Any, message: MQTTMessage) -> None:
            topic = read_topic(message)
            if not message.retain:
                self._hooks.receive(topic, bytes(message.payload))

        client.on_connect, client.on_publish, client.on_message = on_connect, on_publish, on_message
        return client

    def _talk(self, client: Client, talk: _ConnectionState) -> Failure | None:
        asked = time.monotonic()
        with selectors.DefaultSelector() as selector:
            selector.register(self._awake, selectors.EVENT_READ)
            connected: Any = client.socket()
            if connected is not None:
                selector.register(connected, selectors.EVENT_READ)
            while client.socket() is not None:
                now = time.monotonic()
                if talk.answer is None:
                    if now - asked > _ANSWER_S or now > self._deadline:
                        return Failure("broker accepts the connection but does not answer")
                elif talk.answer.is_failure:
                    return explain_refusal(talk.answer)
                elif not talk.since:
                    self._greet(client, talk)
                self._tick()
                if talk.since and self._advance(client, talk):
                    return None
                self._wait(client, selector, connected)
                if not client.want_write():
                    talk.limits.note_answered()
        if talk.answer is not None and talk.answer.is_failure:
            return explain_refusal(talk.answer)
        if not talk.since:
            return explain_silence(encrypted=self._address.tls is not None)
        return Failure("connection lost")

    def _greet(self, client: Client, talk: _ConnectionState) -> None:
        """Publish the greeting and subscribe: the broker may have forgotten everything."""
        talk.since = time.monotonic()
        self.connections += 1
        level = logging.INFO if self._reported is None else logging.WARNING
        _LOG.log(level, "%s: connected%s", self._address, " again" if self.connections > 1 else "")
        self._reported = None
        for message in self._hooks.greet():
            self.outbox.put(message)
        for topic in self._hooks.subscriptions:
            client.subscribe(topic)

    def _advance(self, client: Client, talk: _ConnectionState) -> bool:
        """Send pending messages; return whether the run has ended and all is done."""
        self._send(client, talk)
        if not self._ending.is_set():
            return False
        is_done = not (len(self.outbox) or talk.in_flight or client.want_write())
        if not is_done and time.monotonic() < self._deadline - _FAREWELL_S:
            return False
        self._disconnect(client, talk)
        return True

    def _send(self, client: Client, talk: _ConnectionState) -> None:
        """Pass messages to Paho while its buffer is empty.

        Other messages wait in the outbox, whose size is limited.
        """
        most = 1 if self._suspects.is_searching else _MAX_IN_FLIGHT
        while (
            client.socket() is not None
            and not client.want_write()
            and len(talk.in_flight) < most
            and (message := self.outbox.take()) is not None
        ):
            if self._suspects.allows(message):
                self._publish(client, talk, message)

    def _publish(self, client: Client, talk: _ConnectionState, message: Message) -> None:
        # Acknowledgements arrive in this thread as well, so none can arrive before its number is stored.
        info = client.publish(message.topic, message.payload, message.qos, message.retain)
        talk.sent = time.monotonic()
        if message.qos:
            talk.in_flight[info.mid] = message

    def _disconnect(self, client: Client, talk: _ConnectionState) -> None:
        """Publish the farewell, wait for its acknowledgement, and disconnect."""
        if self._farewell is not None:
            self._publish(client, talk, self._farewell)
        with selectors.DefaultSelector() as selector:
            connected: Any = client.socket()
            if connected is None:
                return
            selector.register(connected, selectors.EVENT_READ)
            while talk.in_flight and client.socket() is not None and time.monotonic() < self._deadline:
                self._wait(client, selector, connected, longest_s=0.05)
        client.disconnect()

    def _wait(
        self,
        client: Client,
        selector: selectors.DefaultSelector,
        connected: Any,
        longest_s: float = _TICK_S,
    ) -> None:
        """Wait until the socket is ready or a message is queued, then run Paho's loop."""
        if client.socket() is None:
            return
        wanted = selectors.EVENT_READ | (selectors.EVENT_WRITE if client.want_write() else 0)
        selector.modify(connected, wanted)
        if isinstance(connected, ssl.SSLSocket) and connected.pending():
            longest_s = 0.0
        if self._ending.is_set():
            longest_s = min(longest_s, 0.05)
        ready = {key.fileobj for key, _ in selector.select(longest_s)}
        if self._awake in ready:
            with contextlib.suppress(OSError):
                self._awake.recv(4096)
        if connected in ready or longest_s == 0.0:
            client.loop_read()
        if client.socket() is not None and client.want_write():
            client.loop_write()
        if client.socket() is not None:
            client.loop_misc()
