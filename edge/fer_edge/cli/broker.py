"""The TLS files of ``--mqtt``, for the commands that connect to a broker."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from fer_edge.errors import UsageError

if TYPE_CHECKING:
    from fer_edge.sinks.mqtt.address import TlsFiles

__all__ = ["create_tls_files"]


def create_tls_files(
    broker: str | None, authority: Path | None, certificate: Path | None, key: Path | None
) -> TlsFiles:
    """Combine the files of ``--mqtt-ca``, ``--mqtt-cert`` and ``--mqtt-key``.

    Raises UsageError if a file is given without a broker.
    """
    from fer_edge.sinks.mqtt.address import TlsFiles

    files = TlsFiles(authority=authority, certificate=certificate, key=key)
    if broker is None and files != TlsFiles():
        raise UsageError("--mqtt-ca, --mqtt-cert and --mqtt-key need a broker; specify it with --mqtt")
    return files
