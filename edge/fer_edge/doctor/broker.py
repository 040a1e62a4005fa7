"""The check of an MQTT broker."""

from __future__ import annotations

import logging
import time
import uuid
from collections.abc import Iterator
from typing import Final

from fer_edge.doctor.finding import Finding, split_remedy
from fer_edge.errors import FerEdgeError, add_hint
from fer_edge.sinks.mqtt.address import TlsFiles, parse_address

__all__ = ["check_broker"]

_TIMEOUT_S: Final = 6.0
_CHECK_EVERY_S: Final = 0.02


def check_broker(url: str, files: TlsFiles | None = None) -> Iterator[Finding]:
    """Connect to a broker and disconnect; nothing is published.

    ``url`` has the form of ``--mqtt``; ``files`` are the certificates and the key for TLS.
    """
    from fer_edge.sinks.mqtt.connection import BrokerConnection

    try:
        address = parse_address(url, files or TlsFiles())
        connection = BrokerConnection(address, f"fer-edge-doctor-{uuid.uuid4().hex[:12]}")
    except FerEdgeError as error:
        yield Finding(
            "red", "broker", *split_remedy(error, "correct the address of the broker, or its files")
        )
        return
    listener = _Listener()
    logger = logging.getLogger("fer_edge.sinks.mqtt")
    propagated, logger.propagate = logger.propagate, False
    logger.addHandler(listener)
    started = time.monotonic()
    try:
        connection.start()
        while not connection.connections and not listener.text and time.monotonic() < started + _TIMEOUT_S:
            time.sleep(_CHECK_EVERY_S)
        took_s = time.monotonic() - started
        connection.close()
    finally:
        logger.removeHandler(listener)
        logger.propagate = propagated
    if connection.connections:
        yield Finding("green", "broker", f"{address}, connected in {1000 * took_s:.0f} ms")
    else:
        found, _, remedy = (listener.text or f"{address}: no response").partition("; ")
        yield Finding(
            "red",
            "broker",
            found,
            remedy or "check the address, the network, and whether the broker is running",
        )


class _Listener(logging.Handler):
    """Records the logged reason for a failed connection."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.text = ""

    def emit(self, record: logging.LogRecord) -> None:
        """Keep the first message."""
        text = record.getMessage().partition("; the run continues")[0]
        self.text = self.text or add_hint(text, getattr(record, "hint", None))
